//! The operations of multipart uploads.

use s3s::TrailingHeaders;
use s3s::dto::{
    Checksum, CompleteMultipartUploadInput, CompleteMultipartUploadOutput, CompletedPart, CreateMultipartUploadInput,
    CreateMultipartUploadOutput, UploadPartInput, UploadPartOutput,
};

use super::objects::{etag, receive, write_condition};
use super::{checksums, refuse};
use crate::s3::attributes::Attributes;
use crate::s3::bucket::{Content, NewObject};
use crate::s3::error::StoreError;
use crate::s3::multipart::{MAX_PARTS, NamedPart};
use crate::s3::names::ObjectKey;
use crate::s3::store::ObjectStore;

pub(super) fn create(
    store: &ObjectStore,
    input: CreateMultipartUploadInput,
) -> Result<CreateMultipartUploadOutput, StoreError> {
    refuse(&[
        ("x-amz-server-side-encryption-customer-key", input.sse_customer_key.is_some()),
        ("x-amz-tagging", input.tagging.is_some()),
        ("x-amz-object-lock-mode", input.object_lock_mode.is_some()),
        ("x-amz-object-lock-legal-hold", input.object_lock_legal_hold_status.is_some()),
    ])?;
    let bucket = store.bucket(&input.bucket)?;
    let attributes = Attributes {
        content_type: input.content_type,
        content_encoding: input.content_encoding,
        content_language: input.content_language,
        content_disposition: input.content_disposition,
        cache_control: input.cache_control,
        metadata: input.metadata.unwrap_or_default(),
    }
    .without_transfer_coding();
    attributes.check()?;
    let upload_id = store.uploads().create(bucket.name(), ObjectKey::parse(&input.key)?, attributes)?;
    Ok(CreateMultipartUploadOutput {
        bucket: Some(input.bucket),
        key: Some(input.key),
        upload_id: Some(upload_id),
        checksum_algorithm: input.checksum_algorithm,
        checksum_type: input.checksum_type,
        ..CreateMultipartUploadOutput::default()
    })
}

pub(super) async fn upload_part(
    store: &ObjectStore,
    input: UploadPartInput,
    trailers: Option<TrailingHeaders>,
) -> Result<UploadPartOutput, StoreError> {
    refuse(&[("x-amz-server-side-encryption-customer-key", input.sse_customer_key.is_some())])?;
    let uploads = store.uploads();
    uploads.check_part(&input.upload_id, &input.bucket, &input.key, input.part_number)?;
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
    let tag = uploads.add_part(&input.upload_id, &input.bucket, &input.key, input.part_number, body)?;
    Ok(UploadPartOutput {
        e_tag: Some(etag(tag)),
        checksum_crc32: sum.checksum_crc32,
        checksum_crc32c: sum.checksum_crc32c,
        checksum_crc64nvme: sum.checksum_crc64nvme,
        checksum_sha1: sum.checksum_sha1,
        checksum_sha256: sum.checksum_sha256,
        ..UploadPartOutput::default()
    })
}

pub(super) async fn complete(
    store: &ObjectStore,
    input: CompleteMultipartUploadInput,
) -> Result<CompleteMultipartUploadOutput, StoreError> {
    let whole = [
        input.checksum_crc32.is_some(),
        input.checksum_crc32c.is_some(),
        input.checksum_crc64nvme.is_some(),
        input.checksum_sha1.is_some(),
        input.checksum_sha256.is_some(),
    ];
    refuse(&[("a checksum of the whole object in CompleteMultipartUpload", whole.contains(&true))])?;
    let condition = write_condition(input.if_match, input.if_none_match)?;
    let parts = input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default();
    if parts.len() > MAX_PARTS.unsigned_abs() as usize {
        return Err(StoreError::TooMany { what: "parts", limit: MAX_PARTS.unsigned_abs().into() });
    }
    let named: Vec<NamedPart> = parts.into_iter().map(named_part).collect::<Result<_, _>>()?;
    let uploads = store.uploads();
    let assembled = uploads.assemble(&input.upload_id, &input.bucket, &input.key, &named)?;
    if let Some(expected) = input.mpu_object_size.and_then(|size| u64::try_from(size).ok())
        && expected != assembled.size
    {
        return Err(StoreError::IncompleteBody { expected, received: assembled.size });
    }
    let new = NewObject {
        content: Content::Parts(assembled.blobs),
        size: assembled.size,
        tag: assembled.tag,
        attributes: assembled.attributes,
        checksum: None,
    };
    let tag = store.commit_new(&input.bucket, &input.key, new, condition).await?;
    // Another request may have ended the upload meanwhile; the object is committed all the same.
    let _ = uploads.remove(&input.upload_id, &input.bucket, &input.key);
    Ok(CompleteMultipartUploadOutput {
        location: Some(format!("/{}/{}", input.bucket, input.key)),
        bucket: Some(input.bucket),
        key: Some(input.key),
        e_tag: Some(etag(tag)),
        ..CompleteMultipartUploadOutput::default()
    })
}

fn named_part(part: CompletedPart) -> Result<NamedPart, StoreError> {
    let number = part.part_number.ok_or_else(|| StoreError::InvalidArgument {
        what: "a part in CompleteMultipartUpload has no PartNumber".to_owned(),
    })?;
    Ok(NamedPart {
        number,
        tag: part.e_tag.map(s3s::dto::ETag::into_value),
        checksum: Checksum {
            checksum_crc32: part.checksum_crc32,
            checksum_crc32c: part.checksum_crc32c,
            checksum_crc64nvme: part.checksum_crc64nvme,
            checksum_sha1: part.checksum_sha1,
            checksum_sha256: part.checksum_sha256,
            ..Checksum::default()
        },
    })
}
