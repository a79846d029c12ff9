//! Multipart uploads: parts arrive in any order and become one object when the upload is completed.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use md5::{Digest, Md5};
use s3s::dto::Checksum;

use super::attributes::Attributes;
use super::blob::Blob;
use super::error::StoreError;
use super::names::{BucketName, ObjectKey};
use super::tag::EntityTag;
use super::writer::ReceivedBody;

/// The smallest size of every part but the last, in bytes.
pub const MIN_PART_BYTES: u64 = 5 << 20;

/// The most parts an upload may have.
pub const MAX_PARTS: i32 = 10_000;

/// Uploads that may be open at the same time.
const MAX_OPEN_UPLOADS: usize = 10_000;

/// All open uploads of a store.
#[derive(Debug)]
pub(super) struct Uploads {
    one_per_key: bool,
    open: Mutex<HashMap<String, Upload>>,
}

#[derive(Debug)]
struct Upload {
    bucket: BucketName,
    key: ObjectKey,
    attributes: Attributes,
    parts: BTreeMap<i32, Part>,
}

#[derive(Debug)]
struct Part {
    size: u64,
    md5: [u8; 16],
    blob: Arc<Blob>,
    checksum: Checksum,
}

/// A part as the client names it when it completes an upload.
#[derive(Clone, Debug, Default)]
pub(super) struct NamedPart {
    pub(super) number: i32,
    /// Without quotes.
    pub(super) tag: Option<String>,
    /// Checksums to compare; those left out are not compared.
    pub(super) checksum: Checksum,
}

/// What the named parts add up to.
pub(super) struct Assembled {
    pub(super) blobs: Vec<(u64, Arc<Blob>)>,
    pub(super) size: u64,
    pub(super) tag: EntityTag,
    pub(super) attributes: Attributes,
}

impl Uploads {
    /// No uploads yet. With `one_per_key` a new upload aborts those that are open for its key.
    pub(super) fn new(one_per_key: bool) -> Self {
        Self { one_per_key, open: Mutex::default() }
    }

    /// Opens an upload and returns its id.
    pub(super) fn create(
        &self,
        bucket: &BucketName,
        key: ObjectKey,
        attributes: Attributes,
    ) -> Result<String, StoreError> {
        let mut open = self.lock();
        let older = |_: &String, upload: &mut Upload| upload.bucket == *bucket && upload.key == key;
        let abandoned: Vec<_> =
            if self.one_per_key { open.extract_if(older).map(|(_, upload)| upload).collect() } else { Vec::new() };
        if open.len() >= MAX_OPEN_UPLOADS {
            return Err(StoreError::TooMany { what: "open multipart uploads", limit: MAX_OPEN_UPLOADS as u64 });
        }
        let upload_id = uuid::Uuid::new_v4().simple().to_string();
        open.insert(upload_id.clone(), Upload { bucket: bucket.clone(), key, attributes, parts: BTreeMap::new() });
        drop(open);
        // Deletes the files of the parts, which nobody else has to wait for.
        drop(abandoned);
        Ok(upload_id)
    }

    /// Checks, before a body is received, that it may become part `number` of the upload.
    pub(super) fn check_part(&self, upload_id: &str, bucket: &str, key: &str, number: i32) -> Result<(), StoreError> {
        if !(1..=MAX_PARTS).contains(&number) {
            let what = format!("part number {number} is out of range: expected 1 to {MAX_PARTS}");
            return Err(StoreError::InvalidArgument { what });
        }
        find(&mut self.lock(), upload_id, bucket, key).map(|_| ())
    }

    /// Keeps a part; one uploaded before under the same number is replaced. Returns its tag.
    pub(super) fn add_part(
        &self,
        upload_id: &str,
        bucket: &str,
        key: &str,
        number: i32,
        body: ReceivedBody,
    ) -> Result<EntityTag, StoreError> {
        let part = Part { size: body.size, md5: body.md5, blob: Arc::new(body.blob), checksum: body.checksum };
        let replaced = find(&mut self.lock(), upload_id, bucket, key)?.parts.insert(number, part);
        drop(replaced);
        Ok(EntityTag::of_content(body.md5))
    }

    /// Checks the parts the client names and puts them together. The upload stays open until [`Uploads::remove`].
    pub(super) fn assemble(
        &self,
        upload_id: &str,
        bucket: &str,
        key: &str,
        named: &[NamedPart],
    ) -> Result<Assembled, StoreError> {
        let mut open = self.lock();
        let upload = find(&mut open, upload_id, bucket, key)?;
        if named.is_empty() {
            return Err(StoreError::InvalidArgument { what: "a multipart upload needs at least one part".to_owned() });
        }
        check_order(named)?;
        let mut md5 = Md5::new();
        let (mut blobs, mut size) = (Vec::with_capacity(named.len()), 0);
        for name in named {
            let part = upload.parts.get(&name.number).filter(|part| part.is_named_by(name));
            let Some(part) = part else { return Err(StoreError::InvalidPart { part: name.number }) };
            md5.update(part.md5);
            size += part.size;
            blobs.push((part.size, Arc::clone(&part.blob)));
        }
        let all_but_last = named.iter().zip(&blobs).take(named.len() - 1);
        for (name, (size, _)) in all_but_last {
            if *size < MIN_PART_BYTES {
                return Err(StoreError::PartTooSmall { part: name.number, size: *size, minimum: MIN_PART_BYTES });
            }
        }
        let count = u16::try_from(named.len())
            .map_err(|_| StoreError::TooMany { what: "parts", limit: MAX_PARTS.unsigned_abs().into() })?;
        let tag = EntityTag::of_parts(md5.finalize().into(), count);
        Ok(Assembled { blobs, size, tag, attributes: upload.attributes.clone() })
    }

    /// Closes an upload and forgets its parts.
    pub(super) fn remove(&self, upload_id: &str, bucket: &str, key: &str) -> Result<(), StoreError> {
        let mut open = self.lock();
        find(&mut open, upload_id, bucket, key)?;
        let removed = open.remove(upload_id);
        drop(open);
        drop(removed);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Upload>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn find<'a>(
    open: &'a mut HashMap<String, Upload>,
    upload_id: &str,
    bucket: &str,
    key: &str,
) -> Result<&'a mut Upload, StoreError> {
    open.get_mut(upload_id)
        .filter(|upload| upload.bucket.as_str() == bucket && upload.key.as_str() == key)
        .ok_or_else(|| StoreError::NoSuchUpload { upload_id: upload_id.to_owned() })
}

fn check_order(named: &[NamedPart]) -> Result<(), StoreError> {
    let mut previous = 0;
    for name in named {
        if name.number <= previous {
            return Err(StoreError::InvalidPartOrder { part: name.number, previous });
        }
        previous = name.number;
    }
    Ok(())
}

impl Part {
    fn is_named_by(&self, name: &NamedPart) -> bool {
        let same = |given: &Option<String>, known: &Option<String>| given.is_none() || given == known;
        let (given, known) = (&name.checksum, &self.checksum);
        name.tag.as_ref().is_none_or(|tag| EntityTag::of_content(self.md5).matches(tag))
            && same(&given.checksum_crc32, &known.checksum_crc32)
            && same(&given.checksum_crc32c, &known.checksum_crc32c)
            && same(&given.checksum_crc64nvme, &known.checksum_crc64nvme)
            && same(&given.checksum_sha1, &known.checksum_sha1)
            && same(&given.checksum_sha256, &known.checksum_sha256)
    }
}
