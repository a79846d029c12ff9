//! Compression of outputs.
//!
//! A [`Compressor`] is fed with bytes and gathers compressed bytes in a buffer, from which the caller takes them. The
//! same bytes in give the same bytes out, however they are cut into calls: input is handed to the encoder in blocks of
//! a fixed size, gzip headers hold no time and no name.
//!
//! [`Compressor::end_frame`] ends a gzip member or a Zstandard frame and lets another follow, which readers take as one
//! text. Behind it another compressor can go on.

use std::io::{self, Write};

use flate2::write::GzEncoder;
use zstd::stream::write::Encoder as ZstdEncoder;

use crate::error::{ErrorClass, ObjectError, code};
use crate::names::ObjectAddress;

/// Input is handed on in blocks of this size.
const BLOCK_BYTES: usize = 64 << 10;
/// Level 1 of Zstandard compresses better than gzip ever does and costs a fraction of its time.
const ZSTD_LEVEL: i32 = 1;
/// A middle level of gzip, for readers that know no Zstandard.
const GZIP_LEVEL: u32 = 4;

/// How outputs can be compressed: by what every reader knows and what costs little.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputCompression {
    /// Not at all.
    None,
    /// Gzip.
    Gzip,
    /// Zstandard with checksums.
    Zstd,
}

/// Compresses one output.
pub struct Compressor {
    encoder: Encoder,
    compression: OutputCompression,
    block: Vec<u8>,
    /// Nothing was written since the last frame ended.
    is_at_frame_start: bool,
    /// A frame was ended, here or by the compressor before.
    follows_frame: bool,
    address: ObjectAddress,
}

enum Encoder {
    None(Vec<u8>),
    Gzip(GzEncoder<Vec<u8>>),
    Zstd(ZstdEncoder<'static, Vec<u8>>),
}

impl Compressor {
    /// A compressor for the output at `address`; the address is only used in errors.
    ///
    /// # Errors
    /// The encoder cannot be made, for want of memory.
    pub fn new(compression: OutputCompression, address: ObjectAddress) -> Result<Self, ObjectError> {
        match Encoder::new(compression, Vec::new()) {
            Ok(encoder) => Ok(Self {
                encoder,
                compression,
                block: Vec::new(),
                is_at_frame_start: true,
                follows_frame: false,
                address,
            }),
            Err(error) => Err(failure(&address, error)),
        }
    }

    /// Says that the output has frames before this compressor's first.
    #[must_use]
    pub fn behind_a_frame(self) -> Self {
        Self { follows_frame: true, ..self }
    }

    /// Takes bytes to compress.
    ///
    /// # Errors
    /// The encoder failed.
    pub fn write(&mut self, mut bytes: &[u8]) -> Result<(), ObjectError> {
        self.is_at_frame_start &= bytes.is_empty();
        if let Encoder::None(output) = &mut self.encoder {
            output.extend_from_slice(bytes);
            return Ok(());
        }
        while !bytes.is_empty() {
            // A whole block is encoded where it lies.
            if self.block.is_empty()
                && let Some((block, later)) = bytes.split_at_checked(BLOCK_BYTES)
            {
                self.encoder.encode(block).map_err(|error| failure(&self.address, error))?;
                bytes = later;
                continue;
            }
            let (now, later) = bytes.split_at(bytes.len().min(BLOCK_BYTES - self.block.len()));
            self.block.extend_from_slice(now);
            bytes = later;
            if self.block.len() == BLOCK_BYTES {
                self.encode_block()?;
            }
        }
        Ok(())
    }

    /// The compressed bytes that are ready. The caller takes them out, usually with `clear` after writing them on.
    pub fn output(&mut self) -> &mut Vec<u8> {
        match &mut self.encoder {
            Encoder::None(output) => output,
            Encoder::Gzip(encoder) => encoder.get_mut(),
            Encoder::Zstd(encoder) => encoder.get_mut(),
        }
    }

    /// Ends the frame, so that all that was written is in the output; the next bytes begin another. A frame without bytes
    /// is not written.
    ///
    /// # Errors
    /// The encoder failed.
    pub fn end_frame(&mut self) -> Result<(), ObjectError> {
        if self.is_at_frame_start || self.compression == OutputCompression::None {
            return Ok(());
        }
        self.encode_block()?;
        let ended = std::mem::replace(&mut self.encoder, Encoder::None(Vec::new())).end();
        let next = ended.and_then(|output| Encoder::new(self.compression, output));
        self.encoder = next.map_err(|error| failure(&self.address, error))?;
        (self.is_at_frame_start, self.follows_frame) = (true, true);
        Ok(())
    }

    /// Ends the compressed data and returns the bytes that were not taken out yet. An output without bytes is one frame
    /// without bytes.
    ///
    /// # Errors
    /// The encoder failed.
    pub fn finish(mut self) -> Result<Vec<u8>, ObjectError> {
        if self.is_at_frame_start && self.follows_frame {
            return Ok(std::mem::take(self.output()));
        }
        self.encode_block()?;
        self.encoder.end().map_err(|error| failure(&self.address, error))
    }

    fn encode_block(&mut self) -> Result<(), ObjectError> {
        let encoded = self.encoder.encode(&self.block);
        self.block.clear();
        encoded.map_err(|error| failure(&self.address, error))
    }
}

impl Encoder {
    /// An encoder that appends to `output`.
    fn new(compression: OutputCompression, output: Vec<u8>) -> io::Result<Self> {
        Ok(match compression {
            OutputCompression::None => Self::None(output),
            OutputCompression::Gzip => Self::Gzip(GzEncoder::new(output, flate2::Compression::new(GZIP_LEVEL))),
            OutputCompression::Zstd => {
                let mut encoder = ZstdEncoder::new(output, ZSTD_LEVEL)?;
                encoder.include_checksum(true)?;
                Self::Zstd(encoder)
            }
        })
    }

    fn end(self) -> io::Result<Vec<u8>> {
        match self {
            Self::None(output) => Ok(output),
            Self::Gzip(encoder) => encoder.finish(),
            Self::Zstd(encoder) => encoder.finish(),
        }
    }

    fn encode(&mut self, block: &[u8]) -> io::Result<()> {
        match self {
            Self::None(_) => Ok(()),
            Self::Gzip(encoder) => encoder.write_all(block),
            Self::Zstd(encoder) => encoder.write_all(block),
        }
    }
}

fn failure(address: &ObjectAddress, error: io::Error) -> ObjectError {
    let message = "the encoder failed";
    ObjectError::new(ErrorClass::Configuration, code::COMPRESSION_FAILED, "compress", address, message)
        .with_source(error)
}

impl std::fmt::Debug for Compressor {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = match self.encoder {
            Encoder::None(_) => "none",
            Encoder::Gzip(_) => "gzip",
            Encoder::Zstd(_) => "zstd",
        };
        formatter
            .debug_struct("Compressor")
            .field("encoder", &name)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}
