//! Multipart uploads: parts arrive in any order and become one object when the upload is completed.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use md5::{Digest, Md5};
use s3s::checksum::ChecksumHasher;
use s3s::dto::Checksum;

use super::attributes::Attributes;
use super::blob::Blob;
use super::error::StoreError;
use super::names::{BucketName, ObjectKey};
use super::tag::EntityTag;
use super::tags::Tags;
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
    tags: Tags,
    initiated: SystemTime,
    /// Makes the hasher of the checksum that the upload was opened with.
    hasher: fn() -> ChecksumHasher,
    /// Whether that checksum is to be one of the whole object.
    whole: bool,
    parts: BTreeMap<i32, Part>,
}

/// What an upload is opened with.
pub(super) struct NewUpload {
    pub(super) key: ObjectKey,
    pub(super) attributes: Attributes,
    pub(super) tags: Tags,
    pub(super) hasher: fn() -> ChecksumHasher,
    pub(super) whole: bool,
}

#[cfg(test)]
impl NewUpload {
    /// An upload with nothing but a key.
    pub(super) fn plain(key: ObjectKey) -> Self {
        let (attributes, tags) = (Attributes::default(), Tags::default());
        Self { key, attributes, tags, hasher: ChecksumHasher::default, whole: false }
    }
}

/// An upload in a list.
pub(super) struct ListedUpload {
    pub(super) key: String,
    pub(super) id: String,
    pub(super) initiated: SystemTime,
}

/// A part in a list.
pub(super) struct ListedPart {
    pub(super) number: i32,
    pub(super) size: u64,
    pub(super) tag: EntityTag,
    pub(super) checksum: Checksum,
    pub(super) received: SystemTime,
}

#[derive(Debug)]
struct Part {
    size: u64,
    md5: [u8; 16],
    blob: Arc<Blob>,
    checksum: Checksum,
    received: SystemTime,
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
    pub(super) tags: Tags,
    /// The checksums of the parts, in order.
    pub(super) checksums: Vec<Checksum>,
    pub(super) hasher: fn() -> ChecksumHasher,
    pub(super) whole: bool,
}

impl Uploads {
    /// No uploads yet. With `one_per_key` a new upload aborts those that are open for its key.
    pub(super) fn new(one_per_key: bool) -> Self {
        Self { one_per_key, open: Mutex::default() }
    }

    /// Opens an upload and returns its id.
    pub(super) fn create(&self, bucket: &BucketName, new: NewUpload) -> Result<String, StoreError> {
        let NewUpload { key, attributes, tags, hasher, whole } = new;
        let mut open = self.lock();
        let older = |_: &String, upload: &mut Upload| upload.bucket == *bucket && upload.key == key;
        let abandoned: Vec<_> =
            if self.one_per_key { open.extract_if(older).map(|(_, upload)| upload).collect() } else { Vec::new() };
        if open.len() >= MAX_OPEN_UPLOADS {
            return Err(StoreError::TooMany { what: "open multipart uploads", limit: MAX_OPEN_UPLOADS as u64 });
        }
        let upload_id = uuid::Uuid::new_v4().simple().to_string();
        open.insert(
            upload_id.clone(),
            Upload {
                bucket: bucket.clone(),
                key,
                attributes,
                tags,
                initiated: SystemTime::now(),
                hasher,
                whole,
                parts: BTreeMap::new(),
            },
        );
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
        let part = Part {
            size: body.size,
            md5: body.md5,
            blob: Arc::new(body.blob),
            checksum: body.checksum,
            received: SystemTime::now(),
        };
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
        let mut checksums = Vec::with_capacity(named.len());
        for name in named {
            let part = upload.parts.get(&name.number).filter(|part| part.is_named_by(name));
            let Some(part) = part else { return Err(StoreError::InvalidPart { part: name.number }) };
            md5.update(part.md5);
            size += part.size;
            checksums.push(part.checksum.clone());
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
        let (attributes, tags) = (upload.attributes.clone(), upload.tags.clone());
        let (hasher, whole) = (upload.hasher, upload.whole);
        Ok(Assembled { blobs, size, tag, attributes, tags, checksums, hasher, whole })
    }

    /// A hasher for the checksum that the upload was opened with.
    pub(super) fn hasher(&self, upload_id: &str, bucket: &str, key: &str) -> Result<ChecksumHasher, StoreError> {
        Ok((find(&mut self.lock(), upload_id, bucket, key)?.hasher)())
    }

    /// The parts after a number, at most so many.
    pub(super) fn parts(
        &self,
        upload_id: &str,
        bucket: &str,
        key: &str,
        after: i32,
        most: usize,
    ) -> Result<Vec<ListedPart>, StoreError> {
        let mut open = self.lock();
        let parts = find(&mut open, upload_id, bucket, key)?.parts.iter().filter(|(number, _)| **number > after);
        let listed = parts.take(most).map(|(number, part)| ListedPart {
            number: *number,
            size: part.size,
            tag: EntityTag::of_content(part.md5),
            checksum: part.checksum.clone(),
            received: part.received,
        });
        Ok(listed.collect())
    }

    /// The uploads of a bucket in the order of their keys, and for one key of their start. With a marker only those behind
    /// its key, and with an upload id behind that upload of the key.
    pub(super) fn of_bucket(
        &self,
        bucket: &str,
        prefix: &str,
        marker: Option<(&str, Option<&str>)>,
    ) -> Vec<ListedUpload> {
        let open = self.lock();
        let marked = marker.and_then(|(key, id)| Some((key, id?, open.get(id?)?.initiated)));
        let is_behind = |key: &str, id: &str, initiated: SystemTime| match (marker, marked) {
            (None, _) => true,
            (Some((marker, _)), None) => key > marker,
            (_, Some((marker, at, time))) => (key, initiated, id) > (marker, time, at),
        };
        let uploads = open.iter().filter(|(id, upload)| {
            let key = upload.key.as_str();
            upload.bucket.as_str() == bucket && key.starts_with(prefix) && is_behind(key, id, upload.initiated)
        });
        let mut listed: Vec<_> = uploads
            .map(|(id, upload)| ListedUpload {
                key: upload.key.as_str().to_owned(),
                id: id.clone(),
                initiated: upload.initiated,
            })
            .collect();
        listed.sort_by(|one, other| (&one.key, one.initiated, &one.id).cmp(&(&other.key, other.initiated, &other.id)));
        listed
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
