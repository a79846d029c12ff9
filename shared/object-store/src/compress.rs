//! Compression of outputs.
//!
//! A [`Compressor`] is fed with bytes and gathers compressed bytes in a buffer, from which the caller takes them. The
//! same bytes in give the same bytes out, however they are cut into calls: input is handed to the encoder in blocks of
//! a fixed size, gzip headers hold no time and no name.

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
    /// Gzip, one member.
    Gzip,
    /// Zstandard, one frame with a checksum.
    Zstd,
}

/// Compresses one output.
pub struct Compressor {
    encoder: Encoder,
    block: Vec<u8>,
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
        let encoder = match compression {
            OutputCompression::None => Ok(Encoder::None(Vec::new())),
            OutputCompression::Gzip => {
                Ok(Encoder::Gzip(GzEncoder::new(Vec::new(), flate2::Compression::new(GZIP_LEVEL))))
            }
            OutputCompression::Zstd => zstd_encoder().map(Encoder::Zstd),
        };
        match encoder {
            Ok(encoder) => Ok(Self { encoder, block: Vec::new(), address }),
            Err(error) => Err(failure(&address, error)),
        }
    }

    /// Takes bytes to compress.
    ///
    /// # Errors
    /// The encoder failed.
    pub fn write(&mut self, mut bytes: &[u8]) -> Result<(), ObjectError> {
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

    /// Ends the compressed data and returns the bytes that were not taken out yet.
    ///
    /// # Errors
    /// The encoder failed.
    pub fn finish(mut self) -> Result<Vec<u8>, ObjectError> {
        self.encode_block()?;
        let ended = match self.encoder {
            Encoder::None(output) => Ok(output),
            Encoder::Gzip(encoder) => encoder.finish(),
            Encoder::Zstd(encoder) => encoder.finish(),
        };
        ended.map_err(|error| failure(&self.address, error))
    }

    fn encode_block(&mut self) -> Result<(), ObjectError> {
        let encoded = self.encoder.encode(&self.block);
        self.block.clear();
        encoded.map_err(|error| failure(&self.address, error))
    }
}

impl Encoder {
    fn encode(&mut self, block: &[u8]) -> io::Result<()> {
        match self {
            Self::None(_) => Ok(()),
            Self::Gzip(encoder) => encoder.write_all(block),
            Self::Zstd(encoder) => encoder.write_all(block),
        }
    }
}

fn zstd_encoder() -> io::Result<ZstdEncoder<'static, Vec<u8>>> {
    let mut encoder = ZstdEncoder::new(Vec::new(), ZSTD_LEVEL)?;
    encoder.include_checksum(true)?;
    Ok(encoder)
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
