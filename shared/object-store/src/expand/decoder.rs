//! What the decoders of all compressions have in common.
//!
//! A decoder does no input or output: it is given a slice of compressed bytes and a slice to fill, and says how far it came
//! in both. It keeps what it needs of the input itself, so that any slice will do, one byte included. This leaves all
//! waiting, and every limit on what comes out, to one place, [`Expander`](super::Expander).

use std::error::Error;

use super::bzip2::Bzip2;
use super::gzip::Gzip;
use super::xz::Xz;
use super::zstd::Zstd;
use super::{Compression, ExpansionLimits};

/// Takes compressed bytes and gives expanded ones.
pub(super) trait Decoder: Send {
    /// Reads from the front of `input` and writes to the front of `output`, as far as both allow.
    ///
    /// With input and room for output there is progress in at least one of them. A decoder may hold expanded bytes back
    /// for want of room, so after an output that was filled it is called again before more input is fetched, perhaps
    /// without any input.
    fn decode(&mut self, input: &[u8], output: &mut [u8]) -> Step;

    /// True when the object may end here: nothing is held back, and no member, frame or stream has begun without an end.
    fn may_end(&self) -> bool;
}

/// How far one call came.
#[derive(Debug, Default)]
pub(super) struct Step {
    /// Bytes read from the input.
    pub(super) consumed: usize,
    /// Bytes written to the output. They are good even when there is a fault, which comes after them.
    pub(super) produced: usize,
    /// Why there is no going on. The decoder must not be called again.
    pub(super) fault: Option<Fault>,
}

impl Step {
    /// No byte was read or written, because of this.
    pub(super) fn failed(fault: Fault) -> Self {
        Self { fault: Some(fault), ..Self::default() }
    }
}

/// Why compressed data cannot be expanded.
#[derive(Debug)]
pub(super) enum Fault {
    /// It is not what the format allows, or a checksum is wrong.
    Corrupt(Box<dyn Error + Send + Sync>),
    /// A Zstandard frame needs a larger window than allowed.
    ZstdWindow(Box<dyn Error + Send + Sync>),
    /// An xz block needs a larger dictionary than allowed: this many bytes.
    XzDictionary(u64),
}

impl Fault {
    /// Data that is not valid, with the words of the decoder or our own.
    pub(super) fn corrupt(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Corrupt(cause.into())
    }
}

/// The decoder of a compression.
pub(super) fn decoder(compression: Compression, limits: &ExpansionLimits) -> Box<dyn Decoder> {
    match compression {
        Compression::None => Box::new(Plain),
        Compression::Gzip => Box::new(Gzip::new()),
        Compression::Zstd => Box::new(Zstd::new(limits.zstd_window_log)),
        Compression::Bzip2 => Box::new(Bzip2::new()),
        Compression::Xz => Box::new(Xz::new(limits.xz_memory_bytes)),
    }
}

/// Bytes that are not compressed.
struct Plain;

impl Decoder for Plain {
    fn decode(&mut self, input: &[u8], output: &mut [u8]) -> Step {
        let count = input.len().min(output.len());
        output[..count].copy_from_slice(&input[..count]);
        Step { consumed: count, produced: count, fault: None }
    }

    fn may_end(&self) -> bool {
        true
    }
}
