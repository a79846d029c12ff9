//! Compression of outputs.
//!
//! A [`Compressor`] is fed with bytes and gathers compressed bytes in a buffer, from which the caller takes them. The
//! same bytes in give the same bytes out, however they are cut into calls: input is handed to the encoder in blocks of
//! a fixed size, gzip headers hold no time and no name.

use std::io;

use async_compression::Level;
use async_compression::tokio::write::{GzipEncoder, ZstdEncoder};
use async_compression::zstd::CParameter;
use tokio::io::AsyncWriteExt;

use crate::error::{ErrorClass, ObjectError, code};
use crate::expand::Compression;
use crate::names::ObjectAddress;

/// Input is handed on in blocks of this size.
const BLOCK_BYTES: usize = 64 << 10;
/// Level 1 of Zstandard compresses better than gzip ever does and costs a fraction of its time.
const ZSTD_LEVEL: i32 = 1;
/// A middle level of gzip, for readers that know no Zstandard.
const GZIP_LEVEL: i32 = 4;

/// Compresses one output.
#[derive(Debug)]
pub struct Compressor {
    encoder: Encoder,
    block: Vec<u8>,
    address: ObjectAddress,
}

#[derive(Debug)]
enum Encoder {
    None(Vec<u8>),
    Gzip(GzipEncoder<Vec<u8>>),
    Zstd(ZstdEncoder<Vec<u8>>),
}

impl Compressor {
    /// A compressor for the output at `address`; the address is only used in errors.
    #[must_use]
    pub fn new(compression: Compression, address: ObjectAddress) -> Self {
        let encoder = match compression {
            Compression::None => Encoder::None(Vec::new()),
            Compression::Gzip => Encoder::Gzip(GzipEncoder::with_quality(Vec::new(), Level::Precise(GZIP_LEVEL))),
            Compression::Zstd => {
                let parameters = [CParameter::checksum_flag(true)];
                let level = Level::Precise(ZSTD_LEVEL);
                Encoder::Zstd(ZstdEncoder::with_quality_and_params(Vec::new(), level, &parameters))
            }
        };
        Self { encoder, block: Vec::new(), address }
    }

    /// Takes bytes to compress. Never waits for anything: the encoder writes into memory.
    pub async fn write(&mut self, mut bytes: &[u8]) -> Result<(), ObjectError> {
        if let Encoder::None(output) = &mut self.encoder {
            output.extend_from_slice(bytes);
            return Ok(());
        }
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(BLOCK_BYTES - self.block.len()));
            self.block.extend_from_slice(now);
            bytes = later;
            if self.block.len() == BLOCK_BYTES {
                self.encode_block().await?;
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
    pub async fn finish(mut self) -> Result<Vec<u8>, ObjectError> {
        self.encode_block().await?;
        let ended = match &mut self.encoder {
            Encoder::None(_) => Ok(()),
            Encoder::Gzip(encoder) => encoder.shutdown().await,
            Encoder::Zstd(encoder) => encoder.shutdown().await,
        };
        ended.map_err(|error| self.failure(error))?;
        Ok(std::mem::take(self.output()))
    }

    async fn encode_block(&mut self) -> Result<(), ObjectError> {
        let encoded = match &mut self.encoder {
            Encoder::None(_) => Ok(()),
            Encoder::Gzip(encoder) => encoder.write_all(&self.block).await,
            Encoder::Zstd(encoder) => encoder.write_all(&self.block).await,
        };
        self.block.clear();
        encoded.map_err(|error| self.failure(error))
    }

    fn failure(&self, error: io::Error) -> ObjectError {
        let message = "the encoder failed";
        ObjectError::new(ErrorClass::Configuration, code::COMPRESSION_FAILED, "compress", &self.address, message)
            .with_source(error)
    }
}
