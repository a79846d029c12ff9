//! An object store in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, stream};

use crate::checksum::{Checksum, ChecksumKind};
use crate::error::{ErrorClass, ObjectError, code};
use crate::listing::{ListPage, ListRequest, ListedObject, MAX_PAGE};
use crate::names::{BucketName, ETag, ObjectAddress};
use crate::store::{
    ByteRange, MultipartUpload, ObjectHead, ObjectReader, ObjectStore, OpenRequest, UploadState, UploadedPart,
    WriteCondition, WriteRequest, Written,
};

/// An object store in memory that keeps the promises of the port and counts what is done to it. Clones share the store.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    buckets: BTreeSet<BucketName>,
    objects: BTreeMap<ObjectAddress, StoredObject>,
    chunk_bytes: usize,
    uploads: BTreeMap<String, MemoryParts>,
    uploads_begun: usize,
    heads: usize,
    lists: usize,
    opens: usize,
    puts: usize,
    parts: usize,
}

impl Default for State {
    fn default() -> Self {
        Self {
            buckets: BTreeSet::new(),
            objects: BTreeMap::new(),
            chunk_bytes: 64 << 10,
            uploads: BTreeMap::new(),
            uploads_begun: 0,
            heads: 0,
            lists: 0,
            opens: 0,
            puts: 0,
            parts: 0,
        }
    }
}

/// The parts of an upload that is neither completed nor aborted.
#[derive(Debug, Clone)]
struct MemoryParts {
    request: WriteRequest,
    parts: BTreeMap<u32, Bytes>,
}

#[derive(Debug, Clone)]
struct StoredObject {
    body: Bytes,
    etag: ETag,
    request: WriteRequest,
}

impl MemoryStore {
    /// A store with these buckets. Names that are not valid are left out.
    #[must_use]
    pub fn with_buckets(names: &[&str]) -> Self {
        let store = Self::default();
        store.lock().buckets = names.iter().filter_map(|name| BucketName::parse(name).ok()).collect();
        store
    }

    /// Cuts the bodies that are read from now on into chunks of this many bytes (64 KiB at first).
    pub fn set_chunk_bytes(&self, bytes: usize) {
        self.lock().chunk_bytes = bytes.max(1);
    }

    /// Puts an object into the store; its bucket is made if it is not there.
    pub fn insert(&self, address: &ObjectAddress, body: impl Into<Bytes>) -> ETag {
        let mut state = self.lock();
        state.buckets.insert(address.bucket.clone());
        state.store(&WriteRequest::new(address.clone()), body.into())
    }

    /// The bytes of an object.
    #[must_use]
    pub fn get(&self, address: &ObjectAddress) -> Option<Bytes> {
        self.lock().objects.get(address).map(|object| object.body.clone())
    }

    /// The version of an object.
    #[must_use]
    pub fn etag(&self, address: &ObjectAddress) -> Option<ETag> {
        self.lock().objects.get(address).map(|object| object.etag.clone())
    }

    /// With what media type, encoding and metadata an object was written.
    #[must_use]
    pub fn request(&self, address: &ObjectAddress) -> Option<WriteRequest> {
        self.lock().objects.get(address).map(|object| object.request.clone())
    }

    /// The addresses of all objects, in order.
    #[must_use]
    pub fn addresses(&self) -> Vec<ObjectAddress> {
        self.lock().objects.keys().cloned().collect()
    }

    /// Uploads in parts that are neither completed nor aborted.
    #[must_use]
    pub fn open_uploads(&self) -> usize {
        self.lock().uploads.len()
    }

    /// How often `open` was called.
    #[must_use]
    pub fn opens(&self) -> usize {
        self.lock().opens
    }

    /// How often `head` was called.
    #[must_use]
    pub fn heads(&self) -> usize {
        self.lock().heads
    }

    /// How often `list` was called.
    #[must_use]
    pub fn lists(&self) -> usize {
        self.lock().lists
    }

    /// Takes an object away.
    pub fn remove(&self, address: &ObjectAddress) {
        self.lock().objects.remove(address);
    }

    /// How often `put` was called.
    #[must_use]
    pub fn puts(&self) -> usize {
        self.lock().puts
    }

    /// How many parts were uploaded.
    #[must_use]
    pub fn parts(&self) -> usize {
        self.lock().parts
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn check_bucket(&self, operation: &'static str, address: &ObjectAddress) -> Result<(), ObjectError> {
        if self.buckets.contains(&address.bucket) {
            return Ok(());
        }
        let message = "the bucket does not exist";
        Err(ObjectError::new(ErrorClass::NotFound, code::NO_SUCH_BUCKET, operation, address, message))
    }

    fn store(&mut self, request: &WriteRequest, body: Bytes) -> ETag {
        let mut hasher = DefaultHasher::new();
        hasher.write(&body);
        let etag = ETag::of_hash(hasher.finish());
        let request = WriteRequest { condition: WriteCondition::None, ..request.clone() };
        let object = StoredObject { body, etag: etag.clone(), request };
        self.objects.insert(object.request.address.clone(), object);
        etag
    }
}

#[async_trait]
impl ObjectStore for MemoryStore {
    async fn open(&self, request: &OpenRequest) -> Result<ObjectReader, ObjectError> {
        let address = &request.address;
        let mut state = self.lock();
        state.opens += 1;
        state.check_bucket("open", address)?;
        let Some(object) = state.objects.get(address) else {
            let message = "the object does not exist";
            return Err(ObjectError::new(ErrorClass::NotFound, code::NO_SUCH_KEY, "open", address, message));
        };
        if let Some(expected) = request.if_match.as_ref().filter(|expected| **expected != object.etag) {
            let message = format!("expected ETag {expected}; found {}", object.etag);
            return Err(ObjectError::new(ErrorClass::Changed, code::OBJECT_CHANGED, "open", address, message));
        }
        let size = object.body.len();
        let body = match request.range {
            None => object.body.clone(),
            Some(ByteRange { start, end }) => {
                let start = usize::try_from(start).unwrap_or(usize::MAX);
                let end = end.map_or(size, |end| usize::try_from(end).unwrap_or(usize::MAX).min(size));
                if start >= size || start >= end {
                    let message = format!("expected a range inside {size} bytes; found byte {start}");
                    return Err(ObjectError::new(
                        ErrorClass::BadData,
                        code::RANGE_OUTSIDE_OBJECT,
                        "open",
                        address,
                        message,
                    ));
                }
                object.body.slice(start..end)
            }
        };
        let chunk_bytes = state.chunk_bytes;
        let chunks = stream::unfold(body, move |mut rest| async move {
            (!rest.is_empty()).then(|| (Ok(rest.split_to(chunk_bytes.min(rest.len()))), rest))
        });
        Ok(ObjectReader {
            etag: object.etag.clone(),
            size: size as u64,
            content_type: object.request.content_type.clone(),
            content_encoding: object.request.content_encoding.clone(),
            checksum: request.range.is_none().then(|| Checksum::of(ChecksumKind::Crc64Nvme, &object.body)),
            body: chunks.boxed(),
        })
    }

    async fn head(&self, address: &ObjectAddress) -> Result<ObjectHead, ObjectError> {
        let mut state = self.lock();
        state.heads += 1;
        state.check_bucket("head", address)?;
        let Some(object) = state.objects.get(address) else {
            let message = "the object does not exist";
            return Err(ObjectError::new(ErrorClass::NotFound, code::NO_SUCH_KEY, "head", address, message));
        };
        let metadata = object.request.metadata.clone();
        Ok(ObjectHead { etag: object.etag.clone(), size: object.body.len() as u64, metadata })
    }

    async fn list(&self, request: &ListRequest) -> Result<ListPage, ObjectError> {
        let mut state = self.lock();
        state.lists += 1;
        state.check_bucket("list", &request.address())?;
        // Addresses are ordered by bucket and then by the bytes of the key, as a listing is.
        let is_behind = |key: &str| request.start_after.as_deref().is_none_or(|last| key > last);
        let found = state.objects.iter().filter(|(address, _)| {
            let key = address.key.as_str();
            address.bucket == request.bucket && key.starts_with(&request.prefix) && is_behind(key)
        });
        let mut found = found.map(|(address, object)| ListedObject {
            key: address.key.as_str().to_owned(),
            size: object.body.len() as u64,
            etag: Some(object.etag.clone()),
            last_modified: Some(0),
        });
        let objects = found.by_ref().take(request.most.clamp(1, MAX_PAGE).into()).collect();
        Ok(ListPage { objects, is_last: found.next().is_none() })
    }

    async fn put(&self, request: &WriteRequest, body: Bytes) -> Result<Written, ObjectError> {
        let mut state = self.lock();
        state.puts += 1;
        let address = &request.address;
        state.check_bucket("put", address)?;
        let present = state.objects.get(address).map(|object| &object.etag);
        let failure = match (&request.condition, present) {
            (WriteCondition::Absent, Some(_)) => Some((ErrorClass::Changed, code::OBJECT_CHANGED)),
            (WriteCondition::Version(wanted), Some(present)) if wanted != present => {
                Some((ErrorClass::Changed, code::OBJECT_CHANGED))
            }
            (WriteCondition::Version(_), None) => Some((ErrorClass::NotFound, code::NO_SUCH_KEY)),
            _ => None,
        };
        if let Some((class, code)) = failure {
            return Err(ObjectError::new(class, code, "put", address, "another object is there than was asked for"));
        }
        let bytes = body.len() as u64;
        Ok(Written { etag: state.store(request, body), bytes })
    }

    async fn begin_upload(&self, request: &WriteRequest) -> Result<Box<dyn MultipartUpload>, ObjectError> {
        let mut state = self.lock();
        state.check_bucket("upload", &request.address)?;
        state.uploads_begun += 1;
        let id = format!("upload-{}", state.uploads_begun);
        state.uploads.insert(id.clone(), MemoryParts { request: request.clone(), parts: BTreeMap::new() });
        let address = request.address.clone();
        Ok(Box::new(MemoryUpload { store: self.clone(), address, state: UploadState { id, parts: Vec::new() } }))
    }

    async fn resume_upload(
        &self,
        request: &WriteRequest,
        state: &UploadState,
    ) -> Result<Box<dyn MultipartUpload>, ObjectError> {
        let address = request.address.clone();
        Ok(Box::new(MemoryUpload { store: self.clone(), address, state: state.clone() }))
    }
}

struct MemoryUpload {
    store: MemoryStore,
    address: ObjectAddress,
    state: UploadState,
}

impl MemoryUpload {
    fn refuse(&self, message: impl Into<String>) -> ObjectError {
        ObjectError::new(ErrorClass::NotFound, code::NO_SUCH_UPLOAD, "upload", &self.address, message)
    }
}

#[async_trait]
impl MultipartUpload for MemoryUpload {
    async fn upload_part(&mut self, number: u32, body: Bytes) -> Result<(), ObjectError> {
        let next = self.state.parts.len() as u32 + 1;
        let mut state = self.store.lock();
        let Some(upload) = state.uploads.get_mut(&self.state.id).filter(|_| number == next) else {
            return Err(self.refuse(format!("expected part {next} of an open upload; found part {number}")));
        };
        let part = UploadedPart { etag: format!("part-{number}"), crc32: None, bytes: body.len() as u64 };
        upload.parts.insert(number, body);
        state.parts += 1;
        self.state.parts.push(part);
        Ok(())
    }

    fn state(&self) -> UploadState {
        self.state.clone()
    }

    async fn complete(&mut self) -> Result<Written, ObjectError> {
        let mut state = self.store.lock();
        if self.state.parts.is_empty() || !state.uploads.contains_key(&self.state.id) {
            return Err(self.refuse("expected an open upload with parts"));
        }
        let Some(MemoryParts { request, parts }) = state.uploads.remove(&self.state.id) else {
            return Err(self.refuse("expected an open upload"));
        };
        // Parts behind those that are named are thrown away, as S3 does.
        let body: Vec<u8> = parts.into_values().take(self.state.parts.len()).flatten().collect();
        let bytes = body.len() as u64;
        Ok(Written { etag: state.store(&request, body.into()), bytes })
    }

    async fn abort(&mut self) -> Result<(), ObjectError> {
        self.store.lock().uploads.remove(&self.state.id);
        Ok(())
    }
}
