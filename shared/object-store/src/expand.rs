//! Decompression with a cap on the outcome.
//!
//! A compressed object of kilobytes can become terabytes, so nothing in Mapmill decompresses without limits. An
//! [`Expander`] hands out expanded bytes chunk by chunk and stops with a typed error when the object has become larger
//! than allowed, has grown by a larger factor than allowed, or needs a larger Zstandard window than allowed. The same
//! limits hold for objects that are not compressed.
//!
//! Gzip members and Zstandard frames that follow one another are one object. Bytes after them that are neither are an
//! error, as is an end in the middle.

mod counting;
mod detect;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_compression::tokio::bufread::{GzipDecoder, ZstdDecoder};
use async_compression::zstd::DParameter;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::body::Body;
use crate::error::{ErrorClass, ObjectError, code};
use crate::names::ObjectAddress;
use counting::CountingReader;

pub use detect::{UnsupportedCompression, detect_compression};

/// How an object is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// Gzip (RFC 1952).
    Gzip,
    /// Zstandard (RFC 8878).
    Zstd,
}

impl Compression {
    /// The name of the compression as in job files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

/// How large an object may become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExpansionLimits {
    /// Most expanded bytes (job limit `expanded_bytes`).
    pub expanded_bytes: u64,
    /// Most expanded bytes for each compressed byte, on average over all bytes so far (job limit `expansion_ratio`). Looked
    /// at only after [`ExpansionLimits::RATIO_FREE_BYTES`], because short runs of equal bytes shrink by any factor.
    pub expansion_ratio: u64,
    /// Largest Zstandard window, as a power of two. A decoder allocates the whole window, so this is also a limit on
    /// memory. Files made by `zstd` up to level 19 need 23 (8 MiB); `--long` and `--ultra` need up to 27 (128 MiB).
    pub zstd_window_log: u32,
}

impl ExpansionLimits {
    /// Expanded bytes before the ratio is looked at (1 MiB).
    pub const RATIO_FREE_BYTES: u64 = 1 << 20;
}

impl Default for ExpansionLimits {
    fn default() -> Self {
        Self { expanded_bytes: 50 << 30, expansion_ratio: 200, zstd_window_log: 23 }
    }
}

/// Reads the expanded bytes of a body.
pub struct Expander {
    reader: Pin<Box<dyn AsyncRead + Send>>,
    compression: Compression,
    limits: ExpansionLimits,
    address: ObjectAddress,
    compressed: Arc<AtomicU64>,
    expanded: u64,
}

impl Expander {
    /// Reads `body`, the bytes of the object at `address`, compressed as said.
    #[must_use]
    pub fn new(body: Body, compression: Compression, limits: ExpansionLimits, address: ObjectAddress) -> Self {
        let compressed = Arc::new(AtomicU64::new(0));
        let source = CountingReader::new(body, compressed.clone());
        Self {
            reader: decoder(source, compression, limits.zstd_window_log),
            compression,
            limits,
            address,
            compressed,
            expanded: 0,
        }
    }

    /// Bytes of the object that were used so far.
    #[must_use]
    pub fn compressed_bytes(&self) -> u64 {
        self.compressed.load(Ordering::Relaxed)
    }

    /// Bytes given out so far.
    #[must_use]
    pub fn expanded_bytes(&self) -> u64 {
        self.expanded
    }

    /// Fills a part of the buffer with the next bytes and returns how many; 0 means the end of the object.
    ///
    /// Errors of the body come through as they are. What is not valid is `BadData`, what exceeds a limit is `TooLarge`.
    pub async fn read_chunk(&mut self, buffer: &mut [u8]) -> Result<usize, ObjectError> {
        let count = match self.reader.read(buffer).await {
            Ok(count) => count,
            Err(error) => return Err(self.failure(error)),
        };
        self.expanded += count as u64;
        self.check_limits()?;
        Ok(count)
    }

    fn check_limits(&self) -> Result<(), ObjectError> {
        let (compressed, expanded) = (self.compressed_bytes(), self.expanded);
        let ExpansionLimits { expanded_bytes, expansion_ratio, .. } = self.limits;
        if expanded > expanded_bytes {
            let message = format!(
                "expected at most {expanded_bytes} bytes after decompression (limit expanded_bytes); exceeded after \
                 {compressed} compressed bytes"
            );
            return Err(self.error(ErrorClass::TooLarge, code::EXPANDED_BYTES_EXCEEDED, message));
        }
        let ratio_counts = self.compression != Compression::None && expanded > ExpansionLimits::RATIO_FREE_BYTES;
        if ratio_counts && expanded > compressed.saturating_mul(expansion_ratio) {
            let message = format!(
                "expected at most {expansion_ratio} expanded bytes for each compressed byte (limit expansion_ratio); found \
                 {expanded} from {compressed}"
            );
            return Err(self.error(ErrorClass::TooLarge, code::EXPANSION_RATIO_EXCEEDED, message));
        }
        Ok(())
    }

    /// Turns a decoder's error into ours. An error of the body travels inside it and comes out unchanged.
    fn failure(&self, error: io::Error) -> ObjectError {
        let error = match error.downcast::<ObjectError>() {
            Ok(error) => return error,
            Err(error) => error,
        };
        let position = self.compressed_bytes();
        let name = self.compression.as_str();
        let truncated = error.kind() == io::ErrorKind::UnexpectedEof;
        let (class, code, message) = match (self.compression, truncated) {
            (Compression::Zstd, _) if error.to_string().contains("too much memory") => {
                let megabytes = (1_u64 << self.limits.zstd_window_log.min(40)) >> 20;
                let message = format!(
                    "expected a zstd window of at most {megabytes} MiB (limit zstd_window); found a larger one"
                );
                (ErrorClass::TooLarge, code::ZSTD_WINDOW_EXCEEDED, message)
            }
            (Compression::Gzip, true) => (ErrorClass::BadData, code::TRUNCATED_GZIP, truncation(name, position)),
            (Compression::Zstd, true) => (ErrorClass::BadData, code::TRUNCATED_ZSTD, truncation(name, position)),
            (Compression::Gzip, false) => (ErrorClass::BadData, code::CORRUPT_GZIP, corruption(name, position)),
            (Compression::Zstd, false) => (ErrorClass::BadData, code::CORRUPT_ZSTD, corruption(name, position)),
            (Compression::None, _) => {
                (ErrorClass::Transient, code::BODY_BROKEN, format!("the body broke at byte {position}"))
            }
        };
        self.error(class, code, message).with_source(error)
    }

    fn error(&self, class: ErrorClass, code: &'static str, message: String) -> ObjectError {
        ObjectError::new(class, code, "expand", &self.address, message)
    }
}

fn truncation(name: &str, position: u64) -> String {
    format!("expected more {name} data; the object ends in the middle, at compressed byte {position}")
}

fn corruption(name: &str, position: u64) -> String {
    format!("expected {name} data; found bytes that are not, near compressed byte {position}")
}

#[expect(clippy::disallowed_methods, reason = "this is the one place where decoders get their limits")]
fn decoder(source: CountingReader, compression: Compression, zstd_window_log: u32) -> Pin<Box<dyn AsyncRead + Send>> {
    match compression {
        Compression::None => Box::pin(source),
        Compression::Gzip => {
            let mut decoder = GzipDecoder::new(source);
            decoder.multiple_members(true);
            Box::pin(decoder)
        }
        Compression::Zstd => {
            let mut decoder = ZstdDecoder::with_params(source, &[DParameter::window_log_max(zstd_window_log)]);
            decoder.multiple_members(true);
            Box::pin(decoder)
        }
    }
}

impl std::fmt::Debug for Expander {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Expander")
            .field("address", &self.address)
            .field("compression", &self.compression)
            .field("expanded", &self.expanded)
            .finish_non_exhaustive()
    }
}
