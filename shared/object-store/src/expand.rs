//! Decompression with a cap on the outcome.
//!
//! A compressed object of kilobytes can become terabytes, so nothing in Mapmill decompresses without limits. An
//! [`Expander`] hands out expanded bytes chunk by chunk and stops with a typed error when the object has become larger
//! than allowed, has grown by a larger factor than allowed, or needs more memory than allowed to be read. The same limits
//! hold for objects that are not compressed.
//!
//! Gzip members, Zstandard frames, bzip2 streams and xz streams that follow one another are one object. Bytes after them
//! that are neither are an error, as is an end in the middle.
//!
//! The work is done by a [decoder](decoder::Decoder) that knows nothing of waiting. What it made of the bytes before a
//! fault is handed out first, the error comes after them. What is decided at a limit does not depend on how the body
//! comes in chunks: the size is cut at the byte, the ratio is looked at whenever the same number of bytes has come out.

mod bzip2;
mod decoder;
mod detect;
mod gzip;
mod xz;
mod zstd;

use bytes::{Buf, Bytes};
use futures::TryStreamExt;

use crate::body::Body;
use crate::error::{ErrorClass, ObjectError, code};
use crate::names::ObjectAddress;
use decoder::{Decoder, Fault, decoder};

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
    /// Bzip2.
    Bzip2,
    /// Xz; not its predecessor LZMA.
    Xz,
}

impl Compression {
    /// The name of the compression as in job files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Bzip2 => "bzip2",
            Self::Xz => "xz",
        }
    }
}

/// How large an object may become, and what reading it may take.
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
    /// Largest xz dictionary, in bytes. It is nearly all of the memory that a decoder takes. Files made by `xz` need 8 MiB
    /// by default and 64 MiB with `-9`.
    pub xz_memory_bytes: u64,
}

impl ExpansionLimits {
    /// Expanded bytes before the ratio is looked at (1 MiB).
    pub const RATIO_FREE_BYTES: u64 = 1 << 20;

    /// The ratio is looked at whenever so many bytes more have come out (128 KiB).
    const RATIO_STEP_BYTES: u64 = 128 << 10;
}

impl Default for ExpansionLimits {
    fn default() -> Self {
        Self { expanded_bytes: 50 << 30, expansion_ratio: 200, zstd_window_log: 23, xz_memory_bytes: 64 << 20 }
    }
}

/// Reads the expanded bytes of a body.
pub struct Expander {
    body: Body,
    /// What came of the body and was not read by the decoder yet.
    chunk: Bytes,
    /// Bytes that came of the body.
    received: u64,
    body_ended: bool,
    decoder: Box<dyn Decoder>,
    /// The last output was filled: the decoder may have more without any input.
    has_more: bool,
    /// What ends the object once the bytes before it are handed out.
    failure: Option<ObjectError>,
    compression: Compression,
    limits: ExpansionLimits,
    address: ObjectAddress,
    expanded: u64,
}

impl Expander {
    /// Reads `body`, the bytes of the object at `address`, compressed as said.
    #[must_use]
    pub fn new(body: Body, compression: Compression, limits: ExpansionLimits, address: ObjectAddress) -> Self {
        Self {
            body,
            chunk: Bytes::new(),
            received: 0,
            body_ended: false,
            decoder: decoder(compression, &limits),
            has_more: false,
            failure: None,
            compression,
            limits,
            address,
            expanded: 0,
        }
    }

    /// Bytes of the object that were used so far.
    #[must_use]
    pub fn compressed_bytes(&self) -> u64 {
        self.received - self.chunk.len() as u64
    }

    /// Bytes given out so far.
    #[must_use]
    pub fn expanded_bytes(&self) -> u64 {
        self.expanded
    }

    /// Fills a part of the buffer with the next bytes and returns how many; 0 means the end of the object, or that the
    /// buffer has no room. After an error there are no more bytes to be had. Nothing is lost when the call is dropped
    /// before it is done.
    ///
    /// # Errors
    /// Those of the body come through as they are. What is not valid is `BadData`, what exceeds a limit is `TooLarge`.
    pub async fn read_chunk(&mut self, buffer: &mut [u8]) -> Result<usize, ObjectError> {
        while !buffer.is_empty() {
            if let Some(failure) = self.failure.take() {
                return Err(failure);
            }
            if self.chunk.is_empty() && !self.has_more && !self.body_ended {
                match self.body.try_next().await? {
                    Some(chunk) => {
                        self.received += chunk.len() as u64;
                        self.chunk = chunk;
                        // A decoder is not asked to read nothing.
                        continue;
                    }
                    None => self.body_ended = true,
                }
            }
            let count = self.decode(buffer);
            if count > 0 {
                return Ok(count);
            }
            let is_done = self.body_ended && self.chunk.is_empty() && !self.has_more && self.failure.is_none();
            if is_done {
                return if self.decoder.may_end() { Ok(0) } else { Err(self.truncation()) };
            }
        }
        Ok(0)
    }

    /// Lets the decoder go one step; the number of bytes to hand out. A failure that comes after them is noted.
    fn decode(&mut self, buffer: &mut [u8]) -> usize {
        let to_next_look = ExpansionLimits::RATIO_STEP_BYTES - self.expanded % ExpansionLimits::RATIO_STEP_BYTES;
        let room = buffer.len().min(to_next_look as usize);
        let step = self.decoder.decode(&self.chunk, &mut buffer[..room]);
        let is_stuck = step.consumed == 0 && step.produced == 0 && step.fault.is_none() && !self.chunk.is_empty();
        self.chunk.advance(step.consumed);
        self.has_more = step.produced == room;
        let allowed = self.limits.expanded_bytes.saturating_sub(self.expanded);
        let count = step.produced.min(usize::try_from(allowed).unwrap_or(usize::MAX));
        self.expanded += count as u64;
        self.failure = if count < step.produced {
            Some(self.too_many_bytes())
        } else if self.grows_too_much() {
            Some(self.too_high_ratio())
        } else if is_stuck {
            // No decoder does this; were one to, the object would be read for ever.
            Some(self.corruption().with_source("the decoder comes no further"))
        } else {
            step.fault.map(|fault| self.failure_of(fault))
        };
        count
    }

    fn grows_too_much(&self) -> bool {
        self.compression != Compression::None
            && self.expanded > ExpansionLimits::RATIO_FREE_BYTES
            && self.expanded.is_multiple_of(ExpansionLimits::RATIO_STEP_BYTES)
            && self.expanded > self.compressed_bytes().saturating_mul(self.limits.expansion_ratio)
    }

    fn too_many_bytes(&self) -> ObjectError {
        let message = format!(
            "expected at most {} bytes after decompression (limit expanded_bytes); exceeded after {} compressed bytes",
            self.limits.expanded_bytes,
            self.compressed_bytes()
        );
        self.error(ErrorClass::TooLarge, code::EXPANDED_BYTES_EXCEEDED, message)
    }

    fn too_high_ratio(&self) -> ObjectError {
        let message = format!(
            "expected at most {} expanded bytes for each compressed byte (limit expansion_ratio); found {} from {}",
            self.limits.expansion_ratio,
            self.expanded,
            self.compressed_bytes()
        );
        self.error(ErrorClass::TooLarge, code::EXPANSION_RATIO_EXCEEDED, message)
    }

    fn failure_of(&self, fault: Fault) -> ObjectError {
        match fault {
            Fault::Corrupt(source) => self.corruption().with_source(source),
            Fault::ZstdWindow(source) => {
                let most = (1_u64 << self.limits.zstd_window_log.min(40)) >> 20;
                let message =
                    format!("expected a zstd window of at most {most} MiB (limit zstd_window); found a larger one");
                self.error(ErrorClass::TooLarge, code::ZSTD_WINDOW_EXCEEDED, message).with_source(source)
            }
            Fault::XzDictionary(bytes) => {
                let (most, found) = (self.limits.xz_memory_bytes >> 20, bytes.div_ceil(1 << 20));
                let message = format!(
                    "expected an xz dictionary of at most {most} MiB (limit xz_memory); found one of {found} MiB"
                );
                self.error(ErrorClass::TooLarge, code::XZ_MEMORY_EXCEEDED, message)
            }
        }
    }

    fn truncation(&self) -> ObjectError {
        let code = match self.compression {
            Compression::Gzip => code::TRUNCATED_GZIP,
            Compression::Zstd => code::TRUNCATED_ZSTD,
            Compression::Bzip2 => code::TRUNCATED_BZIP2,
            Compression::Xz => code::TRUNCATED_XZ,
            // Bytes that are not compressed may end anywhere.
            Compression::None => code::BODY_ENDED_EARLY,
        };
        let (name, position) = (self.compression.as_str(), self.received);
        let message =
            format!("expected more {name} data; the object ends in the middle, at compressed byte {position}");
        self.error(ErrorClass::BadData, code, message)
    }

    fn corruption(&self) -> ObjectError {
        let code = match self.compression {
            Compression::Gzip => code::CORRUPT_GZIP,
            Compression::Zstd => code::CORRUPT_ZSTD,
            Compression::Bzip2 => code::CORRUPT_BZIP2,
            Compression::Xz => code::CORRUPT_XZ,
            // Bytes that are not compressed are never wrong.
            Compression::None => code::BODY_BROKEN,
        };
        let (name, position) = (self.compression.as_str(), self.compressed_bytes());
        let message = format!("expected {name} data; found bytes that are not, near compressed byte {position}");
        self.error(ErrorClass::BadData, code, message)
    }

    fn error(&self, class: ErrorClass, code: &'static str, message: String) -> ObjectError {
        ObjectError::new(class, code, "expand", &self.address, message)
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
