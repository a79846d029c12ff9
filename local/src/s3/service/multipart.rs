//! The operations of multipart uploads.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use s3s::TrailingHeaders;
use s3s::checksum::ChecksumHasher;
use s3s::dto::{
    Checksum, ChecksumAlgorithm, ChecksumType, CompleteMultipartUploadInput, CompleteMultipartUploadOutput,
    CompletedPart, CreateMultipartUploadInput, CreateMultipartUploadOutput, UploadPartInput, UploadPartOutput,
};

use super::objects::{etag, receive, write_condition};
use super::{checksums, refuse, tagging};
use crate::s3::attributes::Attributes;
use crate::s3::bucket::{Content, NewObject};
use crate::s3::error::StoreError;
use crate::s3::multipart::{Assembled, MAX_PARTS, NamedPart, NewUpload};
use crate::s3::names::ObjectKey;
use crate::s3::store::ObjectStore;

pub(super) fn create(
    store: &ObjectStore,
    input: CreateMultipartUploadInput,
) -> Result<CreateMultipartUploadOutput, StoreError> {
    refuse(&[
        ("x-amz-server-side-encryption-customer-key", input.sse_customer_key.is_some()),
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
    let algorithm = input.checksum_algorithm.as_ref().map(|algorithm| algorithm.as_str().to_owned());
    let kind = input.checksum_type.as_ref().map(ChecksumType::as_str);
    let new = NewUpload {
        key: ObjectKey::parse(&input.key)?,
        attributes,
        tags: tagging::of_header(input.tagging.as_deref())?,
        hasher: hasher_of(algorithm.as_deref()),
        // This one cannot be made of those of the parts in S3 either.
        whole: kind == Some(ChecksumType::FULL_OBJECT)
            || (kind.is_none() && algorithm.as_deref() == Some(ChecksumAlgorithm::CRC64NVME)),
    };
    let upload_id = store.uploads().create(bucket.name(), new)?;
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
    let mut hasher = checksums::hasher(input.checksum_algorithm.as_ref(), &given);
    if input.checksum_algorithm.is_none() && checksums::kind(&given).is_none() {
        // The part says nothing, so it has the checksum that its upload was opened with.
        hasher = uploads.hasher(&input.upload_id, &input.bucket, &input.key)?;
    }
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
    let given = Checksum {
        checksum_crc32: input.checksum_crc32,
        checksum_crc32c: input.checksum_crc32c,
        checksum_crc64nvme: input.checksum_crc64nvme,
        checksum_sha1: input.checksum_sha1,
        checksum_sha256: input.checksum_sha256,
        ..Checksum::default()
    };
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
    let sum = if assembled.whole || is_whole(&given) {
        whole_checksum(&assembled, &given).await?
    } else {
        composite(&assembled)
    };
    checksums::check(&given, &sum)?;
    let new = NewObject {
        content: Content::Parts(assembled.blobs),
        size: assembled.size,
        tag: assembled.tag,
        attributes: assembled.attributes,
        checksum: Some(sum.clone()),
        tags: assembled.tags,
    };
    let tag = store.commit_new(&input.bucket, &input.key, new, condition).await?;
    // Another request may have ended the upload meanwhile; the object is committed all the same.
    let _ = uploads.remove(&input.upload_id, &input.bucket, &input.key);
    Ok(CompleteMultipartUploadOutput {
        location: Some(format!("/{}/{}", input.bucket, input.key)),
        bucket: Some(input.bucket),
        key: Some(input.key),
        e_tag: Some(etag(tag)),
        checksum_type: checksums::kind(&sum),
        checksum_crc32: sum.checksum_crc32,
        checksum_crc32c: sum.checksum_crc32c,
        checksum_crc64nvme: sum.checksum_crc64nvme,
        checksum_sha1: sum.checksum_sha1,
        checksum_sha256: sum.checksum_sha256,
        ..CompleteMultipartUploadOutput::default()
    })
}

/// The function that makes the hasher of an algorithm.
fn hasher_of(algorithm: Option<&str>) -> fn() -> ChecksumHasher {
    match algorithm {
        Some(ChecksumAlgorithm::CRC32) => || ChecksumHasher { crc32: Some(Default::default()), ..Default::default() },
        Some(ChecksumAlgorithm::CRC32C) => || ChecksumHasher { crc32c: Some(Default::default()), ..Default::default() },
        Some(ChecksumAlgorithm::CRC64NVME) => {
            || ChecksumHasher { crc64nvme: Some(Default::default()), ..Default::default() }
        }
        Some(ChecksumAlgorithm::SHA1) => || ChecksumHasher { sha1: Some(Default::default()), ..Default::default() },
        Some(ChecksumAlgorithm::SHA256) => || ChecksumHasher { sha256: Some(Default::default()), ..Default::default() },
        _ => ChecksumHasher::default,
    }
}

/// Whether the client names checksums of the whole object: those of parts end with their number.
fn is_whole(given: &Checksum) -> bool {
    checksums::kind(given).is_some_and(|kind| kind.as_str() == ChecksumType::FULL_OBJECT)
}

/// Hashes the whole object, with the algorithm of the upload and those that the client names.
async fn whole_checksum(assembled: &Assembled, given: &Checksum) -> Result<Checksum, StoreError> {
    let mut hasher = (assembled.hasher)();
    let named = checksums::hasher(None, given);
    hasher.crc32 = hasher.crc32.or(named.crc32);
    hasher.crc32c = hasher.crc32c.or(named.crc32c);
    hasher.crc64nvme = hasher.crc64nvme.or(named.crc64nvme);
    hasher.sha1 = hasher.sha1.or(named.sha1);
    hasher.sha256 = hasher.sha256.or(named.sha256);
    let blobs = assembled.blobs.clone();
    tokio::task::spawn_blocking(move || {
        for (_, blob) in &blobs {
            blob.feed(|piece| hasher.update(piece)).map_err(StoreError::io("read", "the parts of an upload"))?;
        }
        Ok(hasher.finalize())
    })
    .await?
}

/// The checksums of the parts' checksums, for the algorithms that all parts have; each with the number of parts.
fn composite(assembled: &Assembled) -> Checksum {
    type Field = fn(&Checksum) -> &Option<String>;
    let one = |algorithm: &'static str, field: Field| -> Option<String> {
        let mut hasher = hasher_of(Some(algorithm))();
        for sum in &assembled.checksums {
            hasher.update(&STANDARD.decode(field(sum).as_ref()?).ok()?);
        }
        let digest = field(&hasher.finalize()).clone()?;
        Some(format!("{digest}-{}", assembled.checksums.len()))
    };
    Checksum {
        checksum_crc32: one(ChecksumAlgorithm::CRC32, |sum| &sum.checksum_crc32),
        checksum_crc32c: one(ChecksumAlgorithm::CRC32C, |sum| &sum.checksum_crc32c),
        checksum_sha1: one(ChecksumAlgorithm::SHA1, |sum| &sum.checksum_sha1),
        checksum_sha256: one(ChecksumAlgorithm::SHA256, |sum| &sum.checksum_sha256),
        ..Checksum::default()
    }
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
