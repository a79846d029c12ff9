//! CopyObject and UploadPartCopy: the bytes of an object written once more, without going through the client.

use std::time::SystemTime;

use futures::StreamExt;
use s3s::checksum::ChecksumHasher;
use s3s::dto::{
    Checksum, CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopyPartResult, CopySource, ETagCondition,
    MetadataDirective, Range, TaggingDirective, Timestamp, UploadPartCopyInput, UploadPartCopyOutput,
};

use super::objects::{byte_range, etag, read_condition};
use super::{checksums, refuse, tagging};
use crate::s3::attributes::Attributes;
use crate::s3::conditions::WriteCondition;
use crate::s3::error::StoreError;
use crate::s3::reader::OpenObject;
use crate::s3::store::{MAX_BODY_BYTES, ObjectStore};
use crate::s3::writer::ReceivedBody;

/// What is copied, and under which conditions.
struct Source<'a> {
    from: &'a CopySource,
    if_match: Option<ETagCondition>,
    if_none_match: Option<ETagCondition>,
    if_modified_since: Option<Timestamp>,
    if_unmodified_since: Option<Timestamp>,
}

pub(super) async fn copy(store: &ObjectStore, input: CopyObjectInput) -> Result<CopyObjectOutput, StoreError> {
    refuse(&[
        ("x-amz-server-side-encryption-customer-key", input.sse_customer_key.is_some()),
        ("x-amz-object-lock-mode", input.object_lock_mode.is_some()),
        ("x-amz-object-lock-legal-hold", input.object_lock_legal_hold_status.is_some()),
    ])?;
    let source = Source {
        from: &input.copy_source,
        if_match: input.copy_source_if_match,
        if_none_match: input.copy_source_if_none_match,
        if_modified_since: input.copy_source_if_modified_since,
        if_unmodified_since: input.copy_source_if_unmodified_since,
    };
    let (bucket, key, object) = source.open(store).await?;
    let replaces = input.metadata_directive.as_ref().is_some_and(|it| it.as_str() == MetadataDirective::REPLACE);
    let changes_nothing = !replaces && input.tagging_directive.is_none() && input.storage_class.is_none();
    if changes_nothing && bucket == input.bucket && key == input.key {
        let what = "an object can be copied onto itself only with other metadata or tags".to_owned();
        return Err(StoreError::InvalidArgument { what });
    }
    let attributes = if replaces {
        Attributes {
            content_type: input.content_type,
            content_encoding: input.content_encoding,
            content_language: input.content_language,
            content_disposition: input.content_disposition,
            cache_control: input.cache_control,
            metadata: input.metadata.unwrap_or_default(),
        }
    } else {
        object.attributes()
    };
    let replaces_tags = input.tagging_directive.as_ref().is_some_and(|it| it.as_str() == TaggingDirective::REPLACE);
    let tags = if replaces_tags { tagging::of_header(input.tagging.as_deref())? } else { store.tags(&bucket, &key)? };
    let hasher = checksums::hasher(input.checksum_algorithm.as_ref(), &simple(object.checksum()));
    let size = object.size();
    let body = receive(store, &input.bucket, object, 0, size, hasher).await?;
    let sum = body.checksum.clone();
    let to = (input.bucket.as_str(), input.key.as_str());
    let tag = store.commit_tagged(to.0, to.1, body, attributes, tags, WriteCondition::None).await?;
    let result = CopyObjectResult {
        e_tag: Some(etag(tag)),
        last_modified: Some(SystemTime::now().into()),
        checksum_type: checksums::kind(&sum),
        checksum_crc32: sum.checksum_crc32,
        checksum_crc32c: sum.checksum_crc32c,
        checksum_crc64nvme: sum.checksum_crc64nvme,
        checksum_sha1: sum.checksum_sha1,
        checksum_sha256: sum.checksum_sha256,
    };
    Ok(CopyObjectOutput { copy_object_result: Some(result), ..CopyObjectOutput::default() })
}

pub(super) async fn copy_part(
    store: &ObjectStore,
    input: UploadPartCopyInput,
) -> Result<UploadPartCopyOutput, StoreError> {
    refuse(&[("x-amz-server-side-encryption-customer-key", input.sse_customer_key.is_some())])?;
    let uploads = store.uploads();
    uploads.check_part(&input.upload_id, &input.bucket, &input.key, input.part_number)?;
    let source = Source {
        from: &input.copy_source,
        if_match: input.copy_source_if_match,
        if_none_match: input.copy_source_if_none_match,
        if_modified_since: input.copy_source_if_modified_since,
        if_unmodified_since: input.copy_source_if_unmodified_since,
    };
    let (_, _, object) = source.open(store).await?;
    let (start, length) = match &input.copy_source_range {
        None => (0, object.size()),
        Some(text) => {
            let invalid = |_| StoreError::InvalidArgument {
                what: "x-amz-copy-source-range: expected bytes=FIRST-LAST".to_owned(),
            };
            byte_range(Range::parse(text).map_err(invalid)?).resolve(object.size())?
        }
    };
    let hasher = uploads.hasher(&input.upload_id, &input.bucket, &input.key)?;
    let body = receive(store, &input.bucket, object, start, length, hasher).await?;
    let sum = body.checksum.clone();
    let tag = uploads.add_part(&input.upload_id, &input.bucket, &input.key, input.part_number, body)?;
    let result = CopyPartResult {
        e_tag: Some(etag(tag)),
        last_modified: Some(SystemTime::now().into()),
        checksum_crc32: sum.checksum_crc32,
        checksum_crc32c: sum.checksum_crc32c,
        checksum_crc64nvme: sum.checksum_crc64nvme,
        checksum_sha1: sum.checksum_sha1,
        checksum_sha256: sum.checksum_sha256,
    };
    Ok(UploadPartCopyOutput { copy_part_result: Some(result), ..UploadPartCopyOutput::default() })
}

impl Source<'_> {
    /// Opens the source, if its conditions hold. For a copy, an object that is not modified is a failed condition.
    async fn open(self, store: &ObjectStore) -> Result<(String, String, OpenObject), StoreError> {
        let CopySource::Bucket { bucket, key, version_id } = self.from else {
            return Err(StoreError::Unsupported { feature: "a copy source other than BUCKET/KEY" });
        };
        refuse(&[("versionId of a copy source", version_id.is_some())])?;
        let condition =
            read_condition(self.if_match, self.if_none_match, self.if_modified_since, self.if_unmodified_since)?;
        let object = store.open(bucket, key).await?;
        if object.size() > MAX_BODY_BYTES {
            return Err(StoreError::TooLarge { what: "the source of a copy".to_owned(), limit: MAX_BODY_BYTES });
        }
        condition.check(bucket, key, object.tag(), object.modified()).map_err(|error| match error {
            StoreError::NotModified { .. } => StoreError::PreconditionFailed {
                condition: "x-amz-copy-source-if-none-match or x-amz-copy-source-if-modified-since",
                bucket: bucket.to_string(),
                key: key.to_string(),
            },
            other => other,
        })?;
        Ok((bucket.to_string(), key.to_string(), object))
    }
}

/// The checksums of an object without those of its parts: a copy is written in one piece.
fn simple(mut sum: Checksum) -> Checksum {
    for value in [&mut sum.checksum_crc32, &mut sum.checksum_crc32c, &mut sum.checksum_sha1, &mut sum.checksum_sha256] {
        // A composite one names an algorithm all the same, so that the copy has that one too.
        if let Some(text) = value
            && let Some((digest, _)) = text.split_once('-')
        {
            *value = Some(digest.to_owned());
        }
    }
    sum
}

/// Writes a part of an object as a new body for `bucket`.
async fn receive(
    store: &ObjectStore,
    bucket: &str,
    object: OpenObject,
    start: u64,
    length: u64,
    hasher: ChecksumHasher,
) -> Result<ReceivedBody, StoreError> {
    let mut writer = store.receive(bucket, hasher)?;
    let mut body = object.read(start, length).await?;
    while let Some(chunk) = body.next().await {
        writer.write(&chunk?).await?;
    }
    writer.finish().await
}
