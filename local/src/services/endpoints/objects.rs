//! The actions of S3 against the embedded S3, with the results that a state sees.

use std::time::SystemTime;

use bytes::Bytes;
use s3s::checksum::ChecksumHasher;
use serde_json::{Map, Value, json};

use super::words::Fault;
use crate::asl::PAYLOAD_BYTES_MAX;
use crate::s3::{Attributes, ListRequest, ObjectStore, OpenObject, StoreError, WriteCondition};

/// Calls an action.
pub(super) async fn call(
    store: &ObjectStore,
    action: &str,
    parameters: &Map<String, Value>,
) -> Result<Map<String, Value>, Fault> {
    let known: &[&str] = match action {
        "getObject" | "headObject" | "deleteObject" => &["Bucket", "Key"],
        "headBucket" => &["Bucket"],
        "listBuckets" => &[],
        "putObject" => &[
            "Bucket",
            "Key",
            "Body",
            "CacheControl",
            "ContentDisposition",
            "ContentEncoding",
            "ContentLanguage",
            "ContentType",
            "Metadata",
        ],
        "copyObject" => &["Bucket", "Key", "CopySource"],
        "listObjectsV2" => &["Bucket", "Prefix", "Delimiter", "MaxKeys", "ContinuationToken", "StartAfter"],
        _ => return Err(Fault::unsupported(format!("the local engine has no action {action} of S3"))),
    };
    if let Some(name) = parameters.keys().find(|name| !known.contains(&name.as_str())) {
        return Err(Fault::unsupported(format!("the local engine does not support the parameter {name} of {action}")));
    }
    let fault = |error: StoreError| explained(&error, action);
    match action {
        "getObject" => {
            let object = store.open(text(parameters, "Bucket")?, text(parameters, "Key")?).await.map_err(fault)?;
            let mut result = described(&object);
            let body = object.read_to_bytes(PAYLOAD_BYTES_MAX as u64).await.map_err(fault)?;
            result.insert("Body".to_owned(), json!(String::from_utf8_lossy(&body)));
            Ok(result)
        }
        "headObject" => {
            let object = store.open(text(parameters, "Bucket")?, text(parameters, "Key")?).await.map_err(fault)?;
            Ok(described(&object))
        }
        "deleteObject" => {
            let (bucket, key) = (text(parameters, "Bucket")?, text(parameters, "Key")?);
            store.delete(bucket, key, WriteCondition::default()).await.map_err(fault)?;
            Ok(Map::new())
        }
        "putObject" => put(store, parameters).await.map_err(fault_or(action)),
        "copyObject" => copy(store, parameters).await.map_err(fault_or(action)),
        "listObjectsV2" => list(store, parameters),
        "listBuckets" => {
            let bucket = |(name, created): (crate::s3::BucketName, SystemTime)| json!({"CreationDate": time(created), "Name": name.as_str()});
            let buckets: Vec<_> = store.buckets().into_iter().map(bucket).collect();
            Ok(Map::from_iter([("Buckets".to_owned(), json!(buckets)), ("Owner".to_owned(), json!({}))]))
        }
        _ => {
            let bucket = text(parameters, "Bucket")?;
            if store.has_bucket(bucket) { Ok(Map::new()) } else { Err(Fault::modeled("NoSuchBucket", 404, NO_BUCKET)) }
        }
    }
}

const NO_BUCKET: &str = "The specified bucket does not exist";

/// A failure of the store, or one that is in the service's words already.
enum Failure {
    Store(StoreError),
    Said(Fault),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Said(fault)
    }
}

fn fault_or(action: &str) -> impl FnOnce(Failure) -> Fault {
    move |failure| match failure {
        Failure::Store(error) => explained(&error, action),
        Failure::Said(fault) => fault,
    }
}

async fn put(store: &ObjectStore, parameters: &Map<String, Value>) -> Result<Map<String, Value>, Failure> {
    let (bucket, key) = (text(parameters, "Bucket")?, text(parameters, "Key")?);
    // Whatever is given is stored as its JSON text, a text with its quotes.
    let body = parameters.get("Body").map(|body| Bytes::from(body.to_string())).unwrap_or_default();
    let given = |name: &str| parameters.get(name).and_then(Value::as_str).map(str::to_owned);
    let metadata = parameters.get("Metadata").and_then(Value::as_object).into_iter().flatten();
    let attributes = Attributes {
        content_type: given("ContentType"),
        content_encoding: given("ContentEncoding"),
        content_language: given("ContentLanguage"),
        content_disposition: given("ContentDisposition"),
        cache_control: given("CacheControl"),
        metadata: metadata.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect(),
    };
    let tag = store.put(bucket, key, &body, attributes, WriteCondition::default()).await?;
    let mut hasher = ChecksumHasher { crc32: Some(Default::default()), ..ChecksumHasher::default() };
    hasher.update(&body);
    let mut result = Map::new();
    if let Some(checksum) = hasher.finalize().checksum_crc32 {
        result.insert("ChecksumCRC32".to_owned(), json!(checksum));
        result.insert("ChecksumType".to_owned(), json!("FULL_OBJECT"));
    }
    result.insert("ETag".to_owned(), json!(format!("\"{tag}\"")));
    result.insert("ServerSideEncryption".to_owned(), json!("AES256"));
    Ok(result)
}

async fn copy(store: &ObjectStore, parameters: &Map<String, Value>) -> Result<Map<String, Value>, Failure> {
    let (bucket, key) = (text(parameters, "Bucket")?, text(parameters, "Key")?);
    let source = text(parameters, "CopySource")?;
    let decoded = percent_encoding::percent_decode_str(source).decode_utf8_lossy().into_owned();
    let (from_bucket, from_key) = decoded.trim_start_matches('/').split_once('/').ok_or_else(|| {
        Fault::unmodeled(
            "InvalidArgument",
            400,
            "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
        )
    })?;
    let object = store.open(from_bucket, from_key).await?;
    let attributes = object.attributes();
    let body = object.read_to_bytes(crate::s3::MAX_BODY_BYTES).await?;
    let tag = store.put(bucket, key, &body, attributes, WriteCondition::default()).await?;
    let copied = json!({"ETag": format!("\"{tag}\""), "LastModified": time(SystemTime::now())});
    Ok(Map::from_iter([("CopyObjectResult".to_owned(), copied), ("ServerSideEncryption".to_owned(), json!("AES256"))]))
}

fn list(store: &ObjectStore, parameters: &Map<String, Value>) -> Result<Map<String, Value>, Fault> {
    let bucket = text(parameters, "Bucket")?;
    let given = |name: &str| parameters.get(name).and_then(Value::as_str).map(str::to_owned);
    let most = parameters.get("MaxKeys").and_then(Value::as_u64).and_then(|most| usize::try_from(most).ok());
    let request = ListRequest {
        prefix: given("Prefix").unwrap_or_default(),
        delimiter: given("Delimiter"),
        start_after: given("StartAfter"),
        continuation: given("ContinuationToken"),
        max_entries: most,
    };
    let page = store.list(bucket, &request).map_err(|error| explained(&error, "listObjectsV2"))?;
    let contents: Vec<_> = page
        .objects
        .iter()
        .map(|object| {
            json!({
                "ETag": format!("\"{}\"", object.tag), "Key": object.key, "LastModified": time(object.modified),
                "Size": object.size, "StorageClass": "STANDARD",
            })
        })
        .collect();
    let prefixes: Vec<_> = page.common_prefixes.iter().map(|prefix| json!({"Prefix": prefix})).collect();
    let mut result = Map::from_iter([
        ("Contents".to_owned(), json!(contents)),
        ("IsTruncated".to_owned(), json!(page.continuation.is_some())),
        ("KeyCount".to_owned(), json!(contents.len() + prefixes.len())),
        ("MaxKeys".to_owned(), json!(most.unwrap_or(crate::s3::MAX_PAGE))),
        ("Name".to_owned(), json!(bucket)),
        ("Prefix".to_owned(), json!(request.prefix)),
    ]);
    if !prefixes.is_empty() {
        result.insert("CommonPrefixes".to_owned(), json!(prefixes));
    }
    if let Some(continuation) = page.continuation {
        result.insert("NextContinuationToken".to_owned(), json!(continuation));
    }
    Ok(result)
}

/// What S3 says of an object besides its body.
fn described(object: &OpenObject) -> Map<String, Value> {
    let attributes = object.attributes();
    let content_type = attributes.content_type.unwrap_or_else(|| "binary/octet-stream".to_owned());
    let mut result = Map::from_iter([
        ("AcceptRanges".to_owned(), json!("bytes")),
        ("ContentLength".to_owned(), json!(object.size())),
        ("ContentType".to_owned(), json!(content_type)),
        ("ETag".to_owned(), json!(format!("\"{}\"", object.tag()))),
        ("LastModified".to_owned(), json!(time(object.modified()))),
        ("Metadata".to_owned(), json!(attributes.metadata)),
        ("ServerSideEncryption".to_owned(), json!("AES256")),
    ]);
    let optional = [
        ("CacheControl", attributes.cache_control),
        ("ContentDisposition", attributes.content_disposition),
        ("ContentEncoding", attributes.content_encoding),
        ("ContentLanguage", attributes.content_language),
    ];
    result.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value?)))));
    result
}

fn text<'p>(parameters: &'p Map<String, Value>, name: &str) -> Result<&'p str, Fault> {
    parameters.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).ok_or_else(|| {
        Fault::unmodeled("InvalidArgument", 400, format!("The parameter {name} must be a text that is not empty"))
    })
}

fn time(time: SystemTime) -> String {
    jiff::Timestamp::try_from(time).map_or_else(|_| String::new(), |time| format!("{time:.0}"))
}

fn explained(error: &StoreError, action: &str) -> Fault {
    match error {
        StoreError::NoSuchKey { .. } if action == "headObject" => Fault::modeled("NoSuchKey", 404, "null"),
        StoreError::NoSuchKey { .. } => Fault::modeled("NoSuchKey", 404, "The specified key does not exist."),
        StoreError::NoSuchBucket { .. } => Fault::modeled("NoSuchBucket", 404, NO_BUCKET),
        StoreError::TooLarge { .. } => Fault::unmodeled(
            "EntityTooLarge",
            400,
            format!("The object is larger than the {PAYLOAD_BYTES_MAX} bytes that a state may hold"),
        ),
        other => Fault::unmodeled("InvalidRequest", 400, crate::explain::explain(other)),
    }
}
