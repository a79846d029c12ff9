//! Reading that survives broken connections.
//!
//! A body of gigabytes takes minutes, and connections break. [`ResumingReader`] counts the bytes that came. When the
//! body breaks, stalls or ends early, it opens the object again at the byte reached and with the ETag that it saw first,
//! so that bytes of two versions never mix. The number of attempts without a single new byte is bounded, and so is the
//! number of resumptions in all; between attempts it waits with full jitter. Adapters try single requests again by
//! themselves: what they report as tried counts, and one that tried for as long as it may is not asked again, so that
//! attempts do not multiply.
//!
//! A connection that trickles is as bad as one that stalls, and another one is usually better. A body that brings too few
//! bytes while the reader waits for it is therefore taken for broken as well. Only the time of waiting counts: a reader
//! that is slow itself is no reason to hang up.
//!
//! Where the service tells the checksum of the whole object, it is computed over all pieces and compared at the end, because
//! the check of an adapter ends with the first broken connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use tokio::time::{Instant, sleep, timeout};

use crate::backoff::Backoff;
use crate::body::Body;
use crate::checksum::RunningChecksum;
use crate::error::{ErrorClass, ObjectError, code};
use crate::names::{ETag, ObjectAddress};
use crate::store::{ByteRange, ObjectReader, ObjectStore, OpenRequest};

/// How patient a [`ResumingReader`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResumeOptions {
    /// Attempts in a row that may bring no new byte before the error is given up to the caller.
    pub attempts_without_progress: u32,
    /// Resumptions of one body in all, so that a trickle of bytes does not go on for ever.
    pub resumptions: u32,
    /// The longest time without a byte.
    pub stall_timeout: Duration,
    /// The least bytes a second while the reader waits, measured over waits of `stall_timeout` together. 0 allows any
    /// pace. As many bodies in a row as there are attempts may be slower.
    pub least_bytes_per_second: u64,
    /// The waiting time between attempts.
    pub backoff: Backoff,
}

impl Default for ResumeOptions {
    fn default() -> Self {
        Self {
            attempts_without_progress: 5,
            resumptions: 100,
            stall_timeout: Duration::from_secs(20),
            least_bytes_per_second: 1024,
            backoff: Backoff::default(),
        }
    }
}

/// A reader of one version of an object that goes on after broken connections.
pub struct ResumingReader {
    store: Arc<dyn ObjectStore>,
    address: ObjectAddress,
    options: ResumeOptions,
    etag: ETag,
    size: u64,
    content_type: Option<String>,
    content_encoding: Option<String>,
    /// The next byte of the object to come.
    position: u64,
    /// The byte after the last one to come.
    end: u64,
    /// None while the object is to be opened again.
    body: Option<Body>,
    /// None when no checksum was told.
    checksum: Option<RunningChecksum>,
    attempts_without_progress: u32,
    resumptions: u32,
    pace: Pace,
    /// Bodies that were given up one after another because they were slow.
    slow_bodies: u32,
    /// Counts the resumptions for somebody else too.
    counter: Arc<AtomicU64>,
}

/// What came how fast since this was asked last.
#[derive(Debug, Default)]
struct Pace {
    waited: Duration,
    bytes: u64,
}

impl ResumingReader {
    /// Opens the object. Failures that may pass are tried again until there were as many attempts as may bring no byte,
    /// those of the adapter included.
    pub async fn open(
        store: Arc<dyn ObjectStore>,
        request: OpenRequest,
        options: ResumeOptions,
    ) -> Result<Self, ObjectError> {
        let mut attempts = 0;
        let reader = loop {
            let error = match store.open(&request).await {
                Ok(reader) => break reader,
                Err(error) => error,
            };
            attempts += error.attempts;
            if !error.class.is_retriable() || error.is_out_of_time || attempts >= options.attempts_without_progress {
                return Err(error);
            }
            sleep(options.backoff.delay(attempts - 1)).await;
        };
        let range = request.range.unwrap_or(ByteRange { start: 0, end: None });
        let end = range.end.map_or(reader.size, |end| end.min(reader.size));
        Ok(Self {
            store,
            address: request.address,
            options,
            etag: reader.etag,
            size: reader.size,
            content_type: reader.content_type,
            content_encoding: reader.content_encoding,
            position: range.start,
            end,
            checksum: reader.checksum.filter(|_| request.range.is_none()).map(RunningChecksum::new),
            body: Some(reader.body),
            attempts_without_progress: 0,
            resumptions: 0,
            pace: Pace::default(),
            slow_bodies: 0,
            counter: Arc::default(),
        })
    }

    /// The version that is read.
    #[must_use]
    pub fn etag(&self) -> &ETag {
        &self.etag
    }

    /// The size of the whole object in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The media type of the object.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    /// The content encoding of the object.
    #[must_use]
    pub fn content_encoding(&self) -> Option<&str> {
        self.content_encoding.as_deref()
    }

    /// The next byte of the object that will be returned, from 0.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// How often the body was resumed so far.
    #[must_use]
    pub fn resumptions(&self) -> u32 {
        self.resumptions
    }

    /// The next bytes, never empty; none at the end. After an error the reader is at its end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ObjectError> {
        while self.position < self.end {
            let failure = match self.attempt().await {
                Ok(chunk) if chunk.is_empty() => continue,
                Ok(chunk) => {
                    self.position += chunk.len() as u64;
                    self.attempts_without_progress = 0;
                    if let Some(checksum) = &mut self.checksum {
                        checksum.update(&chunk);
                    }
                    return Ok(Some(chunk));
                }
                Err(failure) => failure,
            };
            self.body = None;
            if let Err(failure) = self.wait_for_another_attempt(failure).await {
                self.end = self.position;
                self.checksum = None;
                return Err(failure);
            }
        }
        self.check_end().await?;
        Ok(None)
    }

    /// The same reader that adds its resumptions to a counter, which can be read when the reader has become a stream.
    #[must_use]
    pub fn counting_in(self, counter: Arc<AtomicU64>) -> Self {
        Self { counter, ..self }
    }

    /// The rest of the bytes as a stream.
    #[must_use]
    pub fn into_body(self) -> Body {
        stream::try_unfold(self, |mut reader| async move { Ok(reader.next().await?.map(|chunk| (chunk, reader))) })
            .boxed()
    }

    /// One chunk, after opening the object again if that is needed.
    async fn attempt(&mut self) -> Result<Bytes, ObjectError> {
        let mut body = match self.body.take() {
            Some(body) => body,
            None => self.reopen().await?,
        };
        self.check_pace()?;
        let remaining = self.end - self.position;
        let begun = Instant::now();
        let next = timeout(self.options.stall_timeout, body.try_next()).await;
        self.pace.waited += begun.elapsed();
        match next {
            Ok(Ok(Some(chunk))) if chunk.len() as u64 > remaining => {
                let message = format!("expected {remaining} more bytes; found at least {}", chunk.len());
                Err(self.error(ErrorClass::Transient, code::BODY_TOO_LONG, message))
            }
            Ok(Ok(Some(chunk))) => {
                self.pace.bytes += chunk.len() as u64;
                self.body = Some(body);
                Ok(chunk)
            }
            Ok(Ok(None)) => {
                let message = format!("expected {remaining} more bytes; the body ended at byte {}", self.position);
                Err(self.error(ErrorClass::Transient, code::BODY_ENDED_EARLY, message))
            }
            Ok(Err(error)) => Err(error),
            Err(_) => {
                let seconds = self.options.stall_timeout.as_secs_f64();
                let message = format!("no bytes for {seconds} s at byte {}", self.position);
                Err(self.error(ErrorClass::Transient, code::BODY_STALLED, message))
            }
        }
    }

    /// Gives the body up when it was waited for long and brought too little.
    fn check_pace(&mut self) -> Result<(), ObjectError> {
        if self.pace.waited < self.options.stall_timeout {
            return Ok(());
        }
        let Pace { waited, bytes } = std::mem::take(&mut self.pace);
        let least = self.options.least_bytes_per_second as f64 * waited.as_secs_f64();
        if bytes as f64 >= least {
            self.slow_bodies = 0;
            return Ok(());
        }
        // The bytes that came are no progress worth waiting for so often.
        self.attempts_without_progress = self.slow_bodies;
        self.slow_bodies += 1;
        let message = format!(
            "expected at least {} bytes a second; found {bytes} bytes in {:.1} s up to byte {}",
            self.options.least_bytes_per_second,
            waited.as_secs_f64(),
            self.position
        );
        Err(self.error(ErrorClass::Transient, code::BODY_STALLED, message))
    }

    /// Compares the checksum, once. Waits for the end of the body after its last byte, because adapters may compare others
    /// there.
    async fn check_end(&mut self) -> Result<(), ObjectError> {
        if self.checksum.take().is_some_and(|checksum| !checksum.agrees()) {
            self.body = None;
            let message = "the bytes have another checksum than the service announced for the object";
            return Err(self.error(ErrorClass::Transient, code::CHECKSUM_MISMATCH, message.to_owned()));
        }
        let Some(mut body) = self.body.take() else { return Ok(()) };
        match timeout(self.options.stall_timeout, body.try_next()).await {
            Ok(Err(error)) if error.code == code::CHECKSUM_MISMATCH => Err(error),
            Ok(Ok(Some(chunk))) if !chunk.is_empty() => {
                let message = format!("expected the end at byte {}; found more bytes", self.end);
                Err(self.error(ErrorClass::Transient, code::BODY_TOO_LONG, message))
            }
            // All bytes are there, and a connection that breaks now takes none of them away.
            _ => Ok(()),
        }
    }

    async fn reopen(&mut self) -> Result<Body, ObjectError> {
        let end = (self.end < self.size).then_some(self.end);
        let request = OpenRequest {
            address: self.address.clone(),
            range: Some(ByteRange { start: self.position, end }),
            if_match: Some(self.etag.clone()),
        };
        let ObjectReader { etag, size, body, .. } = self.store.open(&request).await?;
        self.pace = Pace::default();
        if etag != self.etag || size != self.size {
            let message = format!(
                "expected ETag {} of {} bytes; found ETag {etag} of {size} bytes at byte {}",
                self.etag, self.size, self.position
            );
            return Err(self.error(ErrorClass::Changed, code::OBJECT_CHANGED, message));
        }
        Ok(body)
    }

    /// Waits before another attempt, or gives the failure back when there is no other.
    async fn wait_for_another_attempt(&mut self, failure: ObjectError) -> Result<(), ObjectError> {
        if !failure.class.is_retriable() {
            return Err(failure);
        }
        self.attempts_without_progress += failure.attempts - 1;
        let limit = if failure.is_out_of_time {
            "the longest time of a request".to_owned()
        } else if self.attempts_without_progress >= self.options.attempts_without_progress {
            format!("{} attempts without progress", self.options.attempts_without_progress)
        } else if self.resumptions >= self.options.resumptions {
            format!("{} resumptions", self.options.resumptions)
        } else {
            sleep(self.options.backoff.delay(self.attempts_without_progress)).await;
            self.attempts_without_progress += 1;
            self.resumptions += 1;
            self.counter.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        };
        let message = format!("given up at byte {} after {limit}: {}", self.position, failure.message);
        Err(ObjectError { message, ..failure })
    }

    fn error(&self, class: ErrorClass, code: &'static str, message: String) -> ObjectError {
        ObjectError::new(class, code, "read", &self.address, message)
    }
}

impl std::fmt::Debug for ResumingReader {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("ResumingReader")
            .field("address", &self.address)
            .field("position", &self.position)
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}
