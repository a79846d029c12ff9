//! ListObjectsV2.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::dto::{CommonPrefix, EncodingType, ListObjectsV2Input, ListObjectsV2Output, Object, ObjectStorageClass};

use super::objects::etag;
use super::refuse;
use crate::s3::error::StoreError;
use crate::s3::listing::{ListRequest, MAX_PAGE};
use crate::s3::store::ObjectStore;

/// What S3 leaves as it is when a client asks for URL encoded keys.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'*').remove(b'/');

pub(super) fn list(store: &ObjectStore, input: ListObjectsV2Input) -> Result<ListObjectsV2Output, StoreError> {
    refuse(&[("x-amz-optional-object-attributes", input.optional_object_attributes.is_some())])?;
    let encode = encoder(input.encoding_type.as_ref())?;
    let max_keys = input.max_keys.unwrap_or(1000);
    let max_entries = usize::try_from(max_keys)
        .map_err(|_| StoreError::InvalidArgument { what: format!("max-keys is {max_keys}: expected 0 or more") })?;
    let request = ListRequest {
        prefix: input.prefix.clone().unwrap_or_default(),
        delimiter: input.delimiter.clone(),
        start_after: input.start_after.clone(),
        continuation: input.continuation_token.clone(),
        max_entries: Some(max_entries),
    };
    let page = store.list(&input.bucket, &request)?;
    let count = page.objects.len() + page.common_prefixes.len();
    let contents = page.objects.into_iter().map(|object| Object {
        key: Some(encode(object.key)),
        size: i64::try_from(object.size).ok(),
        e_tag: Some(etag(object.tag)),
        last_modified: Some(object.modified.into()),
        storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
        ..Object::default()
    });
    let common_prefixes = page.common_prefixes.into_iter().map(|prefix| CommonPrefix { prefix: Some(encode(prefix)) });
    Ok(ListObjectsV2Output {
        contents: Some(contents.collect()),
        common_prefixes: Some(common_prefixes.collect()),
        key_count: i32::try_from(count).ok(),
        max_keys: i32::try_from(max_entries.min(MAX_PAGE)).ok(),
        is_truncated: Some(page.continuation.is_some()),
        next_continuation_token: page.continuation,
        continuation_token: input.continuation_token,
        name: Some(input.bucket),
        prefix: input.prefix.map(encode),
        delimiter: input.delimiter.map(encode),
        start_after: input.start_after.map(encode),
        encoding_type: input.encoding_type,
        ..ListObjectsV2Output::default()
    })
}

/// Keys may hold characters that XML cannot carry; clients that know ask for them URL encoded.
pub(super) fn encoder(encoding: Option<&EncodingType>) -> Result<fn(String) -> String, StoreError> {
    match encoding.map(EncodingType::as_str) {
        None => Ok(|text| text),
        Some(EncodingType::URL) => Ok(|text| utf8_percent_encode(&text, ENCODED).to_string()),
        Some(other) => {
            Err(StoreError::InvalidArgument { what: format!("encoding-type is {other:?}: expected \"url\"") })
        }
    }
}
