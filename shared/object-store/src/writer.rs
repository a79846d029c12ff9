//! Writing an object of any size with little memory.
//!
//! Bytes gather in a buffer. If the object ends before the buffer is full, it is written by one request. Otherwise an
//! upload in parts begins, and every full buffer becomes a part. Either way the object becomes visible whole, in
//! [`ObjectWriter::finish`], or not at all: a writer that fails, is aborted or is dropped gives its upload up.
//!
//! A writer can be continued by another process: [`ObjectWriter::checkpoint`] tells what was uploaded and what is still in
//! the buffer, and [`ObjectWriter::resume`] goes on there. From the first checkpoint on, a writer that is merely dropped
//! leaves its upload, because the checkpoint needs it.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::error::{ErrorClass, ObjectError, code};
use crate::store::{MultipartUpload, ObjectStore, UploadState, WriteRequest, Written};

/// How an [`ObjectWriter`] cuts an object into parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriterOptions {
    /// The size of a part, and the most that the writer buffers. S3 takes 5 MiB to 5 GiB.
    pub part_bytes: usize,
    /// Most parts of an object. S3 takes 10,000.
    pub parts: u32,
}

impl Default for WriterOptions {
    fn default() -> Self {
        Self { part_bytes: 8 << 20, parts: 10_000 }
    }
}

/// How far a writer has come; the bytes of its buffer belong to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriterState {
    /// The upload, if one has begun.
    pub upload: Option<UploadState>,
    /// Bytes given to the writer, those in its buffer included.
    pub bytes: u64,
}

impl WriterState {
    /// True when a writer with these options can have been in this state, with so many bytes in its buffer. A state that
    /// comes from a file may be anything.
    #[must_use]
    pub fn is_possible(&self, buffer_bytes: usize, options: WriterOptions) -> bool {
        let uploaded = match &self.upload {
            None => Some(0),
            Some(upload) => upload.bytes(options),
        };
        buffer_bytes <= options.part_bytes && uploaded.map(|bytes| bytes + buffer_bytes as u64) == Some(self.bytes)
    }
}

impl UploadState {
    /// Bytes of the parts; none when a writer with these options cannot have uploaded them.
    #[must_use]
    pub fn bytes(&self, options: WriterOptions) -> Option<u64> {
        let is_possible = u32::try_from(self.parts.len()).is_ok_and(|parts| parts <= options.parts)
            && self.parts.iter().all(|part| part.bytes <= options.part_bytes as u64);
        if !is_possible {
            return None;
        }
        self.parts.iter().try_fold(0, |sum: u64, part| sum.checked_add(part.bytes))
    }
}

/// Writes one object. Parts are uploaded one at a time, while [`ObjectWriter::write`] waits.
pub struct ObjectWriter {
    store: Arc<dyn ObjectStore>,
    request: WriteRequest,
    options: WriterOptions,
    buffer: Vec<u8>,
    upload: Option<Box<dyn MultipartUpload>>,
    parts: u32,
    bytes: u64,
    failed: bool,
    /// A checkpoint needs the upload.
    is_kept: bool,
}

impl ObjectWriter {
    /// A writer that has not sent anything yet.
    #[must_use]
    pub fn new(store: Arc<dyn ObjectStore>, request: WriteRequest, options: WriterOptions) -> Self {
        let options = WriterOptions { part_bytes: options.part_bytes.max(1), ..options };
        Self {
            store,
            request,
            options,
            buffer: Vec::new(),
            upload: None,
            parts: 0,
            bytes: 0,
            failed: false,
            is_kept: false,
        }
    }

    /// A writer that goes on where another one with the same request and options made a checkpoint, with the bytes that
    /// were in its buffer.
    ///
    /// # Errors
    /// [`code::CHECKPOINT_MISMATCH`] when no such writer can have made it.
    pub async fn resume(
        store: Arc<dyn ObjectStore>,
        request: WriteRequest,
        options: WriterOptions,
        state: WriterState,
        buffer: Vec<u8>,
    ) -> Result<Self, ObjectError> {
        if !state.is_possible(buffer.len(), options) {
            let message = format!(
                "expected the state of a writer with at most {} parts of {} bytes, found another; write the object anew",
                options.parts, options.part_bytes
            );
            let (class, code) = (ErrorClass::BadData, code::CHECKPOINT_MISMATCH);
            return Err(ObjectError::new(class, code, "upload", &request.address, message));
        }
        let upload = match &state.upload {
            Some(upload) => Some(store.resume_upload(&request, upload).await?),
            None => None,
        };
        let parts = state.upload.as_ref().map_or(0, |upload| u32::try_from(upload.parts.len()).unwrap_or(u32::MAX));
        let is_kept = upload.is_some();
        let mut writer = Self::new(store, request, options);
        (writer.upload, writer.parts, writer.is_kept) = (upload, parts, is_kept);
        (writer.buffer, writer.bytes) = (buffer, state.bytes);
        Ok(writer)
    }

    /// What another process needs to go on from here, and the bytes in the buffer. The upload is left alone from now on
    /// when the writer is dropped; [`ObjectWriter::abort`] still frees it.
    pub fn checkpoint(&mut self) -> (WriterState, &[u8]) {
        let upload = self.upload.as_ref().map(|upload| upload.state());
        self.is_kept = upload.is_some();
        (WriterState { upload, bytes: self.bytes }, &self.buffer)
    }

    /// True when an upload in parts has begun, so that its metadata are fixed.
    #[must_use]
    pub fn is_upload(&self) -> bool {
        self.upload.is_some()
    }

    /// True when a checkpoint refers to the upload.
    #[must_use]
    pub fn has_checkpoint(&self) -> bool {
        self.is_kept
    }

    /// The metadata of an object that is written by one request. An upload in parts keeps those that it began with.
    pub fn set_metadata(&mut self, metadata: BTreeMap<String, String>) {
        self.request.metadata = metadata;
    }

    /// Bytes given to the writer so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Takes bytes, and uploads parts whenever the buffer is full.
    ///
    /// After an error nothing of the object remains and the writer takes no more bytes.
    pub async fn write(&mut self, mut bytes: &[u8]) -> Result<(), ObjectError> {
        self.refuse_after_failure()?;
        while !bytes.is_empty() {
            if self.buffer.len() == self.options.part_bytes {
                self.send_part().await?;
            }
            let (now, later) = bytes.split_at(bytes.len().min(self.options.part_bytes - self.buffer.len()));
            self.grow(now.len());
            self.buffer.extend_from_slice(now);
            self.bytes = self.bytes.saturating_add(now.len() as u64);
            bytes = later;
        }
        Ok(())
    }

    /// Uploads what is left in the buffer of an upload in parts, so that only completing it remains. An object that is
    /// small enough for one request stays in the buffer.
    pub async fn upload_rest(&mut self) -> Result<(), ObjectError> {
        self.refuse_after_failure()?;
        if self.upload.is_some() && !self.buffer.is_empty() {
            self.send_part().await?;
        }
        Ok(())
    }

    /// Writes what is left and makes the object visible. An object without bytes is written too.
    pub async fn finish(mut self) -> Result<Written, ObjectError> {
        self.upload_rest().await?;
        let Some(upload) = &mut self.upload else {
            let body = Bytes::from(std::mem::take(&mut self.buffer));
            return self.store.put(&self.request, body).await;
        };
        match upload.complete().await {
            Ok(written) => {
                self.upload = None;
                Ok(Written { bytes: self.bytes, ..written })
            }
            Err(error) => Err(self.give_up(error).await),
        }
    }

    /// Gives the object up. Nothing of it becomes visible and its parts are freed.
    pub async fn abort(mut self) -> Result<(), ObjectError> {
        match self.upload.take() {
            Some(mut upload) => upload.abort().await,
            None => Ok(()),
        }
    }

    /// Makes room for more bytes: doubling up to the size of a part, so that small objects stay small in memory.
    fn grow(&mut self, additional: usize) {
        let needed = self.buffer.len() + additional;
        if needed > self.buffer.capacity() {
            let wanted = if self.parts > 0 { self.options.part_bytes } else { needed.max(self.buffer.capacity() * 2) };
            self.buffer.reserve_exact(wanted.min(self.options.part_bytes) - self.buffer.len());
        }
    }

    async fn send_part(&mut self) -> Result<(), ObjectError> {
        match self.try_send_part().await {
            Ok(()) => Ok(()),
            Err(error) => Err(self.give_up(error).await),
        }
    }

    async fn try_send_part(&mut self) -> Result<(), ObjectError> {
        if self.parts == self.options.parts {
            let message = format!(
                "expected at most {} parts of {} bytes (limit parts); the object has more",
                self.options.parts, self.options.part_bytes
            );
            return Err(ObjectError::new(
                ErrorClass::TooLarge,
                code::TOO_MANY_PARTS,
                "upload",
                &self.request.address,
                message,
            ));
        }
        let body = Bytes::from(std::mem::take(&mut self.buffer));
        let upload = match &mut self.upload {
            Some(upload) => upload,
            None => self.upload.insert(self.store.begin_upload(&self.request).await?),
        };
        upload.upload_part(self.parts + 1, body).await?;
        self.parts += 1;
        Ok(())
    }

    /// Marks the writer as failed and frees its upload. The first error is the one that matters.
    async fn give_up(&mut self, error: ObjectError) -> ObjectError {
        self.failed = true;
        self.buffer = Vec::new();
        // What may pass leaves the checkpoint of use.
        let is_needed = self.is_kept && error.class.is_retriable();
        if let Some(mut upload) = self.upload.take().filter(|_| !is_needed) {
            // A part that cannot be freed is removed by the bucket's lifecycle rule; the cause is the error to report.
            drop(upload.abort().await);
        }
        error
    }

    fn refuse_after_failure(&self) -> Result<(), ObjectError> {
        if self.failed { Err(self.failure()) } else { Ok(()) }
    }

    fn failure(&self) -> ObjectError {
        let message = "the writer failed before";
        ObjectError::new(ErrorClass::Transient, code::WRITER_FAILED, "upload", &self.request.address, message)
    }
}

impl Drop for ObjectWriter {
    /// Frees the upload of a writer whose task was cancelled, as far as a runtime is still there to do it.
    fn drop(&mut self) {
        if !self.is_kept
            && let Some(mut upload) = self.upload.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(async move { drop(upload.abort().await) });
        }
    }
}

impl std::fmt::Debug for ObjectWriter {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("ObjectWriter")
            .field("address", &self.request.address)
            .field("bytes", &self.bytes)
            .field("parts", &self.parts)
            .finish_non_exhaustive()
    }
}
