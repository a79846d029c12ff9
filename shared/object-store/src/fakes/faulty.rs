//! An object store that fails as told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, future, stream};

use crate::body::Body;
use crate::error::{ErrorClass, ObjectError, code};
use crate::listing::{ListPage, ListRequest};
use crate::names::ObjectAddress;
use crate::store::{
    MultipartUpload, ObjectHead, ObjectReader, ObjectStore, OpenRequest, UploadState, WriteRequest, Written,
};

/// What happens to the next body that is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyFault {
    /// Opening fails with this class.
    Open(ErrorClass),
    /// The body breaks after this many bytes.
    Break(u64),
    /// The body ends after this many bytes as if that were all.
    End(u64),
    /// The body gives this many bytes and then nothing more.
    Stall(u64),
    /// The byte at this place of the body is another one; what has a checksum keeps it.
    Flip(u64),
    /// The body is complete, but its checksum is wrong.
    Mismatch,
    /// Nothing happens.
    None,
}

/// A step of writing or listing that can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteStep {
    /// Writing in one request.
    Put,
    /// Beginning an upload.
    Begin,
    /// Uploading the part with this number.
    Part(u32),
    /// Completing an upload.
    Complete,
    /// Aborting an upload.
    Abort,
    /// Listing a page.
    List,
}

/// A store around another one. Clones share their faults. Each fault happens once, in the order given.
#[derive(Clone)]
pub struct FaultyStore {
    inner: Arc<dyn ObjectStore>,
    faults: Arc<Mutex<Faults>>,
}

#[derive(Debug, Default)]
struct Faults {
    bodies: VecDeque<BodyFault>,
    writes: Vec<(WriteStep, ErrorClass)>,
}

impl FaultyStore {
    /// A store that does what the inner one does, until faults are added.
    pub fn new(inner: Arc<dyn ObjectStore>) -> Self {
        Self { inner, faults: Arc::default() }
    }

    /// Adds a fault for each of the next opens.
    #[must_use]
    pub fn with_bodies(self, faults: impl IntoIterator<Item = BodyFault>) -> Self {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).bodies.extend(faults);
        self
    }

    /// Lets a step fail once with this class.
    #[must_use]
    pub fn with_write(self, step: WriteStep, class: ErrorClass) -> Self {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).writes.push((step, class));
        self
    }

    /// Faults that have not happened yet.
    #[must_use]
    pub fn faults_left(&self) -> usize {
        let faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        faults.bodies.len() + faults.writes.len()
    }

    fn next_body(&self) -> BodyFault {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).bodies.pop_front().unwrap_or(BodyFault::None)
    }

    fn check(&self, step: WriteStep, address: &ObjectAddress) -> Result<(), ObjectError> {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        match faults.writes.iter().position(|(faulty, _)| *faulty == step) {
            Some(position) => {
                let (_, class) = faults.writes.remove(position);
                Err(injected(class, "upload", address))
            }
            None => Ok(()),
        }
    }
}

fn injected(class: ErrorClass, operation: &'static str, address: &ObjectAddress) -> ObjectError {
    let code = if class == ErrorClass::Throttled { code::SLOW_DOWN } else { code::SERVICE_ERROR };
    ObjectError::new(class, code, operation, address, "an injected fault")
}

/// The first bytes of a body; none are lost at the edge of a chunk.
fn first_bytes(body: Body, bytes: u64) -> Body {
    let cut = body.try_filter_map({
        let mut left = usize::try_from(bytes).unwrap_or(usize::MAX);
        move |mut chunk: Bytes| {
            chunk.truncate(left);
            left -= chunk.len();
            future::ready(Ok((!chunk.is_empty()).then_some(chunk)))
        }
    });
    cut.boxed()
}

/// A body with one bit of this byte turned round.
fn flipped(body: Body, place: u64) -> Body {
    let mut passed = 0;
    let flip = body.map_ok(move |chunk| {
        let place = place.checked_sub(passed).and_then(|place| usize::try_from(place).ok());
        passed += chunk.len() as u64;
        let mut bytes = chunk.to_vec();
        if let Some(byte) = place.and_then(|place| bytes.get_mut(place)) {
            *byte ^= 1;
        }
        Bytes::from(bytes)
    });
    flip.boxed()
}

#[async_trait]
impl ObjectStore for FaultyStore {
    async fn open(&self, request: &OpenRequest) -> Result<ObjectReader, ObjectError> {
        let fault = self.next_body();
        if let BodyFault::Open(class) = fault {
            return Err(injected(class, "open", &request.address));
        }
        let reader = self.inner.open(request).await?;
        let address = request.address.clone();
        let body = match fault {
            BodyFault::Break(bytes) => {
                let message = "the connection broke";
                let broken = ObjectError::new(ErrorClass::Transient, code::BODY_BROKEN, "read", &address, message);
                first_bytes(reader.body, bytes).chain(stream::once(async move { Err(broken) })).boxed()
            }
            BodyFault::Mismatch => {
                let message = "the checksum of the body is another one";
                let error = ObjectError::new(ErrorClass::Transient, code::CHECKSUM_MISMATCH, "read", &address, message);
                reader.body.chain(stream::once(async move { Err(error) })).boxed()
            }
            BodyFault::Flip(place) => flipped(reader.body, place),
            BodyFault::End(bytes) => first_bytes(reader.body, bytes),
            BodyFault::Stall(bytes) => first_bytes(reader.body, bytes).chain(stream::pending()).boxed(),
            BodyFault::Open(_) | BodyFault::None => reader.body,
        };
        Ok(ObjectReader { body, ..reader })
    }

    async fn head(&self, address: &ObjectAddress) -> Result<ObjectHead, ObjectError> {
        self.inner.head(address).await
    }

    async fn list(&self, request: &ListRequest) -> Result<ListPage, ObjectError> {
        self.check(WriteStep::List, &request.address())?;
        self.inner.list(request).await
    }

    async fn put(&self, request: &WriteRequest, body: Bytes) -> Result<Written, ObjectError> {
        self.check(WriteStep::Put, &request.address)?;
        self.inner.put(request, body).await
    }

    async fn begin_upload(&self, request: &WriteRequest) -> Result<Box<dyn MultipartUpload>, ObjectError> {
        self.check(WriteStep::Begin, &request.address)?;
        let inner = self.inner.begin_upload(request).await?;
        Ok(Box::new(FaultyUpload { inner, store: self.clone(), address: request.address.clone() }))
    }

    async fn resume_upload(
        &self,
        request: &WriteRequest,
        state: &UploadState,
    ) -> Result<Box<dyn MultipartUpload>, ObjectError> {
        let inner = self.inner.resume_upload(request, state).await?;
        Ok(Box::new(FaultyUpload { inner, store: self.clone(), address: request.address.clone() }))
    }
}

struct FaultyUpload {
    inner: Box<dyn MultipartUpload>,
    store: FaultyStore,
    address: ObjectAddress,
}

#[async_trait]
impl MultipartUpload for FaultyUpload {
    async fn upload_part(&mut self, number: u32, body: Bytes) -> Result<(), ObjectError> {
        self.store.check(WriteStep::Part(number), &self.address)?;
        self.inner.upload_part(number, body).await
    }

    fn state(&self) -> UploadState {
        self.inner.state()
    }

    async fn complete(&mut self) -> Result<Written, ObjectError> {
        self.store.check(WriteStep::Complete, &self.address)?;
        self.inner.complete().await
    }

    async fn abort(&mut self) -> Result<(), ObjectError> {
        self.store.check(WriteStep::Abort, &self.address)?;
        self.inner.abort().await
    }
}
