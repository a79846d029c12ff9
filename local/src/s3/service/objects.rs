//! PutObject, GetObject, HeadObject and DeleteObject.

use std::time::{Duration, SystemTime};

use futures::StreamExt;
use s3s::TrailingHeaders;
use s3s::checksum::ChecksumHasher;
use s3s::dto::{
    Checksum, ChecksumMode, DeleteObjectInput, DeleteObjectOutput, ETag, ETagCondition, GetObjectInput,
    GetObjectOutput, HeadObjectInput, HeadObjectOutput, PutObjectInput, PutObjectOutput, Range, StreamingBlob,
    Timestamp, TimestampFormat,
};

use super::{checksums, refuse, tagging};
use crate::s3::attributes::Attributes;
use crate::s3::conditions::{ReadCondition, TagCondition, WriteCondition};
use crate::s3::error::StoreError;
use crate::s3::range::ByteRange;
use crate::s3::store::ObjectStore;
use crate::s3::tag::EntityTag;
use crate::s3::writer::ReceivedBody;

pub(super) async fn put(
    store: &ObjectStore,
    input: PutObjectInput,
    trailers: Option<TrailingHeaders>,
) -> Result<PutObjectOutput, StoreError> {
    refuse(&[
        ("x-amz-server-side-encryption-customer-key", input.sse_customer_key.is_some()),
        ("x-amz-object-lock-mode", input.object_lock_mode.is_some()),
        ("x-amz-object-lock-legal-hold", input.object_lock_legal_hold_status.is_some()),
        ("x-amz-write-offset-bytes", input.write_offset_bytes.is_some()),
    ])?;
    let condition = write_condition(input.if_match, input.if_none_match)?;
    let tags = tagging::of_header(input.tagging.as_deref())?;
    let attributes = Attributes {
        content_type: input.content_type,
        content_encoding: input.content_encoding,
        content_language: input.content_language,
        content_disposition: input.content_disposition,
        cache_control: input.cache_control,
        metadata: input.metadata.unwrap_or_default(),
    }
    .without_transfer_coding();
    let mut given = Checksum {
        checksum_crc32: input.checksum_crc32,
        checksum_crc32c: input.checksum_crc32c,
        checksum_crc64nvme: input.checksum_crc64nvme,
        checksum_sha1: input.checksum_sha1,
        checksum_sha256: input.checksum_sha256,
        ..Checksum::default()
    };
    let hasher = checksums::hasher(input.checksum_algorithm.as_ref(), &given);
    let body = receive(store, &input.bucket, input.body, input.content_length, hasher).await?;
    checksums::add_trailers(trailers, &mut given);
    checksums::check(&given, &body.checksum)?;
    checksums::check_md5(input.content_md5.as_deref(), body.md5)?;
    let sum = body.checksum.clone();
    let tag = store.commit_tagged(&input.bucket, &input.key, body, attributes, tags, condition).await?;
    Ok(PutObjectOutput {
        e_tag: Some(etag(tag)),
        checksum_type: checksums::kind(&sum),
        checksum_crc32: sum.checksum_crc32,
        checksum_crc32c: sum.checksum_crc32c,
        checksum_crc64nvme: sum.checksum_crc64nvme,
        checksum_sha1: sum.checksum_sha1,
        checksum_sha256: sum.checksum_sha256,
        ..PutObjectOutput::default()
    })
}

pub(super) async fn get(store: &ObjectStore, input: GetObjectInput) -> Result<GetObjectOutput, StoreError> {
    refuse(&[
        ("partNumber", input.part_number.is_some()),
        ("versionId", input.version_id.is_some()),
        ("x-amz-server-side-encryption-customer-key", input.sse_customer_key.is_some()),
    ])?;
    let condition =
        read_condition(input.if_match, input.if_none_match, input.if_modified_since, input.if_unmodified_since)?;
    let object = store.open(&input.bucket, &input.key).await?;
    let tag_count = store.tags(&input.bucket, &input.key).map_or(0, |tags| tags.pairs().len());
    let (size, tag, modified) = (object.size(), object.tag(), object.modified());
    condition.check(&input.bucket, &input.key, tag, modified)?;
    let (start, length) = match input.range {
        Some(range) => byte_range(range).resolve(size)?,
        None => (0, size),
    };
    let attributes = object.attributes();
    // A checksum is one of the whole object, so it does not fit a part of it.
    let wanted = input.range.is_none() && wants_checksum(input.checksum_mode.as_ref());
    let sum = if wanted { object.checksum() } else { Checksum::default() };
    let body = object.read(start, length).await?;
    Ok(GetObjectOutput {
        body: Some(StreamingBlob::wrap(body)),
        content_length: Some(signed(length)),
        content_range: input.range.map(|_| format!("bytes {start}-{}/{size}", start + length - 1)),
        accept_ranges: Some("bytes".to_owned()),
        e_tag: Some(etag(tag)),
        last_modified: Some(modified.into()),
        content_type: attributes.content_type.or_else(default_content_type),
        content_encoding: attributes.content_encoding,
        content_language: attributes.content_language,
        content_disposition: attributes.content_disposition,
        cache_control: attributes.cache_control,
        metadata: Some(attributes.metadata),
        tag_count: i32::try_from(tag_count).ok().filter(|count| *count > 0),
        checksum_type: checksums::kind(&sum),
        checksum_crc32: sum.checksum_crc32,
        checksum_crc32c: sum.checksum_crc32c,
        checksum_crc64nvme: sum.checksum_crc64nvme,
        checksum_sha1: sum.checksum_sha1,
        checksum_sha256: sum.checksum_sha256,
        ..GetObjectOutput::default()
    })
}

pub(super) async fn head(store: &ObjectStore, input: HeadObjectInput) -> Result<HeadObjectOutput, StoreError> {
    refuse(&[
        ("partNumber", input.part_number.is_some()),
        ("versionId", input.version_id.is_some()),
        ("Range of HeadObject", input.range.is_some()),
        ("x-amz-server-side-encryption-customer-key", input.sse_customer_key.is_some()),
    ])?;
    let condition =
        read_condition(input.if_match, input.if_none_match, input.if_modified_since, input.if_unmodified_since)?;
    let object = store.open(&input.bucket, &input.key).await?;
    condition.check(&input.bucket, &input.key, object.tag(), object.modified())?;
    let attributes = object.attributes();
    let sum = if wants_checksum(input.checksum_mode.as_ref()) { object.checksum() } else { Checksum::default() };
    Ok(HeadObjectOutput {
        content_length: Some(signed(object.size())),
        accept_ranges: Some("bytes".to_owned()),
        e_tag: Some(etag(object.tag())),
        last_modified: Some(object.modified().into()),
        content_type: attributes.content_type.or_else(default_content_type),
        content_encoding: attributes.content_encoding,
        content_language: attributes.content_language,
        content_disposition: attributes.content_disposition,
        cache_control: attributes.cache_control,
        metadata: Some(attributes.metadata),
        checksum_type: checksums::kind(&sum),
        checksum_crc32: sum.checksum_crc32,
        checksum_crc32c: sum.checksum_crc32c,
        checksum_crc64nvme: sum.checksum_crc64nvme,
        checksum_sha1: sum.checksum_sha1,
        checksum_sha256: sum.checksum_sha256,
        ..HeadObjectOutput::default()
    })
}

pub(super) async fn delete(store: &ObjectStore, input: DeleteObjectInput) -> Result<DeleteObjectOutput, StoreError> {
    refuse(&[
        ("versionId", input.version_id.is_some()),
        ("x-amz-if-match-last-modified-time", input.if_match_last_modified_time.is_some()),
        ("x-amz-if-match-size", input.if_match_size.is_some()),
    ])?;
    let condition = write_condition(input.if_match, None)?;
    store.delete(&input.bucket, &input.key, condition).await?;
    Ok(DeleteObjectOutput::default())
}

/// Receives a body to its end and checks its length.
pub(super) async fn receive(
    store: &ObjectStore,
    bucket: &str,
    body: Option<StreamingBlob>,
    declared: Option<i64>,
    hasher: ChecksumHasher,
) -> Result<ReceivedBody, StoreError> {
    let mut writer = store.receive(bucket, hasher)?;
    if let Some(mut body) = body {
        while let Some(chunk) = body.next().await {
            writer.write(&chunk.map_err(|source| StoreError::BodyFailed { source })?).await?;
        }
    }
    let received = writer.finish().await?;
    match declared.and_then(|declared| u64::try_from(declared).ok()) {
        Some(expected) if expected != received.size => {
            Err(StoreError::IncompleteBody { expected, received: received.size })
        }
        _ => Ok(received),
    }
}

pub(super) fn etag(tag: EntityTag) -> ETag {
    ETag::Strong(tag.to_string())
}

/// The condition of a write. S3 has `If-None-Match` only with `*`.
pub(super) fn write_condition(
    if_match: Option<ETagCondition>,
    if_none_match: Option<ETagCondition>,
) -> Result<WriteCondition, StoreError> {
    match (if_match, if_none_match) {
        (None, None) => Ok(WriteCondition::None),
        (Some(wanted), None) => Ok(WriteCondition::Matches(tag_condition(wanted))),
        (None, Some(ETagCondition::Any)) => Ok(WriteCondition::Absent),
        (None, Some(ETagCondition::ETag(_))) => {
            Err(StoreError::Unsupported { feature: "If-None-Match with an entity tag on a write" })
        }
        (Some(_), Some(_)) => {
            Err(StoreError::Unsupported { feature: "If-Match together with If-None-Match on a write" })
        }
    }
}

pub(super) fn read_condition(
    if_match: Option<ETagCondition>,
    if_none_match: Option<ETagCondition>,
    if_modified_since: Option<Timestamp>,
    if_unmodified_since: Option<Timestamp>,
) -> Result<ReadCondition, StoreError> {
    Ok(ReadCondition {
        if_match: if_match.map(tag_condition),
        if_none_match: if_none_match.map(tag_condition),
        if_modified_since: if_modified_since.as_ref().map(system_time).transpose()?,
        if_unmodified_since: if_unmodified_since.as_ref().map(system_time).transpose()?,
    })
}

fn tag_condition(condition: ETagCondition) -> TagCondition {
    match condition {
        ETagCondition::Any => TagCondition::Any,
        ETagCondition::ETag(tag) => TagCondition::Tag(tag.into_value()),
    }
}

/// A timestamp of a header as the time of the system, in whole seconds.
fn system_time(timestamp: &Timestamp) -> Result<SystemTime, StoreError> {
    let invalid = || StoreError::InvalidArgument { what: "a date in a condition is out of range".to_owned() };
    let mut text = Vec::new();
    timestamp.format(TimestampFormat::EpochSeconds, &mut text).map_err(|_| invalid())?;
    let text = String::from_utf8(text).map_err(|_| invalid())?;
    let seconds: i64 = text.split('.').next().and_then(|whole| whole.parse().ok()).ok_or_else(invalid)?;
    let distance = Duration::from_secs(seconds.unsigned_abs());
    let moment = if seconds < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(distance)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(distance)
    };
    moment.ok_or_else(invalid)
}

pub(super) fn byte_range(range: Range) -> ByteRange {
    match range {
        Range::Int { first, last } => ByteRange::From { first, last },
        Range::Suffix { length } => ByteRange::Last { length },
    }
}

fn wants_checksum(mode: Option<&ChecksumMode>) -> bool {
    mode.is_some_and(|mode| mode.as_str() == ChecksumMode::ENABLED)
}

fn default_content_type() -> Option<String> {
    Some("binary/octet-stream".to_owned())
}

/// Sizes of real objects fit; the protocol layer wants signed numbers.
fn signed(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::store::StoreOptions;
    use bytes::Bytes;
    use futures::stream;

    /// Receives a body of these chunks; `None` breaks the connection.
    async fn receive_chunks(chunks: &[Option<&'static str>], declared: i64) -> String {
        let folder = tempfile::tempdir().unwrap();
        let options =
            StoreOptions { staging_parent: Some(folder.path().to_owned()), inline_bytes: 4, ..StoreOptions::default() };
        let store = ObjectStore::new(options).unwrap();
        store.create_bucket("raw").unwrap();
        let chunks: Vec<Result<Bytes, std::io::Error>> =
            chunks.iter().map(|chunk| chunk.map(Bytes::from).ok_or_else(|| std::io::Error::other("broken"))).collect();
        let body = StreamingBlob::wrap(stream::iter(chunks));
        let received = receive(&store, "raw", Some(body), Some(declared), ChecksumHasher::default()).await;
        let outcome = match &received {
            Ok(body) => format!("{} bytes", body.size),
            Err(StoreError::BodyFailed { .. }) => "failed".to_owned(),
            Err(StoreError::IncompleteBody { expected, received }) => format!("{received} of {expected}"),
            Err(error) => error.to_string(),
        };
        drop(received);
        let staging = folder.path().read_dir().unwrap().next().unwrap().unwrap().path().join("bodies");
        assert_eq!(staging.read_dir().unwrap().count(), 0, "nothing is left behind");
        assert_eq!(store.memory_in_use(), 0);
        outcome
    }

    #[tokio::test]
    async fn broken_and_short_bodies_leave_nothing() {
        assert_eq!(receive_chunks(&[Some("abc"), Some("defgh")], 8).await, "8 bytes");
        assert_eq!(receive_chunks(&[], 0).await, "0 bytes");
        assert_eq!(receive_chunks(&[Some("abc"), None], 8).await, "failed");
        assert_eq!(receive_chunks(&[Some("abcdefgh"), None], 8).await, "failed");
        assert_eq!(receive_chunks(&[Some("abc")], 8).await, "3 of 8");
    }
}
