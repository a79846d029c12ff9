//! ListParts and ListMultipartUploads.

use s3s::dto::{
    CommonPrefix, ListMultipartUploadsInput, ListMultipartUploadsOutput, ListPartsInput, ListPartsOutput,
    MultipartUpload, ObjectStorageClass, Part, StorageClass,
};

use super::listing::encoder;
use super::objects::etag;
use crate::s3::error::StoreError;
use crate::s3::store::ObjectStore;

/// Most entries of a page.
const MAX_PAGE: i32 = 1_000;

fn page_length(name: &str, wanted: Option<i32>) -> Result<usize, StoreError> {
    let wanted = wanted.unwrap_or(MAX_PAGE);
    let length = usize::try_from(wanted.min(MAX_PAGE));
    length.map_err(|_| StoreError::InvalidArgument { what: format!("{name} is {wanted}: expected 0 or more") })
}

pub(super) fn parts(store: &ObjectStore, input: ListPartsInput) -> Result<ListPartsOutput, StoreError> {
    let length = page_length("max-parts", input.max_parts)?;
    let marker = input.part_number_marker.unwrap_or(0);
    let listed = store.uploads().parts(&input.upload_id, &input.bucket, &input.key, marker, length + 1)?;
    let is_truncated = listed.len() > length;
    let parts: Vec<Part> = listed
        .into_iter()
        .take(length)
        .map(|part| Part {
            part_number: Some(part.number),
            e_tag: Some(etag(part.tag)),
            size: i64::try_from(part.size).ok(),
            last_modified: Some(part.received.into()),
            checksum_crc32: part.checksum.checksum_crc32,
            checksum_crc32c: part.checksum.checksum_crc32c,
            checksum_crc64nvme: part.checksum.checksum_crc64nvme,
            checksum_sha1: part.checksum.checksum_sha1,
            checksum_sha256: part.checksum.checksum_sha256,
        })
        .collect();
    Ok(ListPartsOutput {
        next_part_number_marker: parts.last().and_then(|part| part.part_number),
        is_truncated: Some(is_truncated),
        max_parts: i32::try_from(length).ok(),
        part_number_marker: Some(marker),
        storage_class: Some(StorageClass::from_static(ObjectStorageClass::STANDARD)),
        bucket: Some(input.bucket),
        key: Some(input.key),
        upload_id: Some(input.upload_id),
        parts: Some(parts),
        ..ListPartsOutput::default()
    })
}

pub(super) fn uploads(
    store: &ObjectStore,
    input: ListMultipartUploadsInput,
) -> Result<ListMultipartUploadsOutput, StoreError> {
    store.bucket(&input.bucket)?;
    let encode = encoder(input.encoding_type.as_ref())?;
    let length = page_length("max-uploads", input.max_uploads)?;
    let prefix = input.prefix.clone().unwrap_or_default();
    let marker = input.key_marker.as_deref().map(|key| (key, input.upload_id_marker.as_deref()));
    let (mut uploads, mut prefixes): (Vec<MultipartUpload>, Vec<String>) = (Vec::new(), Vec::new());
    let mut last = None;
    let mut is_truncated = false;
    for upload in store.uploads().of_bucket(&input.bucket, &prefix, marker) {
        // Keys with the delimiter behind the prefix are folded into one entry.
        let folded = input.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty()).and_then(|delimiter| {
            let rest = &upload.key[prefix.len()..];
            rest.find(delimiter).map(|end| upload.key[..prefix.len() + end + delimiter.len()].to_owned())
        });
        if folded.as_ref().is_some_and(|folded| prefixes.last() == Some(folded)) {
            last = Some((upload.key, upload.id));
            continue;
        }
        if uploads.len() + prefixes.len() >= length {
            is_truncated = true;
            break;
        }
        last = Some((upload.key.clone(), upload.id.clone()));
        match folded {
            Some(folded) => prefixes.push(folded),
            None => uploads.push(MultipartUpload {
                key: Some(encode(upload.key)),
                upload_id: Some(upload.id),
                initiated: Some(upload.initiated.into()),
                storage_class: Some(StorageClass::from_static(ObjectStorageClass::STANDARD)),
                ..MultipartUpload::default()
            }),
        }
    }
    let (next_key, next_upload) = last.filter(|_| is_truncated).unzip();
    let common_prefixes = prefixes.into_iter().map(|prefix| CommonPrefix { prefix: Some(encode(prefix)) });
    Ok(ListMultipartUploadsOutput {
        common_prefixes: Some(common_prefixes.collect()),
        next_key_marker: next_key.map(encode),
        next_upload_id_marker: next_upload,
        is_truncated: Some(is_truncated),
        max_uploads: i32::try_from(length).ok(),
        uploads: Some(uploads),
        bucket: Some(input.bucket),
        prefix: input.prefix.map(encode),
        delimiter: input.delimiter.map(encode),
        key_marker: input.key_marker.map(encode),
        upload_id_marker: input.upload_id_marker,
        encoding_type: input.encoding_type,
        ..ListMultipartUploadsOutput::default()
    })
}
