//! The bytes of an object for parsers that pull: a blocking [`Read`] over an asynchronous stream, and what lies in it
//! when its name says that it is compressed.
//!
//! Used only on threads that may block. One chunk of the stream is held, and the window of the decoder.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;

use bytes::{Buf, Bytes};
use futures::StreamExt;
use tokio::runtime::Handle;

use super::{FILE_BYTES_MAX, failed};
use crate::asl::StateError;
use crate::services::{ByteStream, StoredObject};

/// What is decompressed at once.
const EXPANDED_CHUNK_BYTES: usize = 64 * 1_024;

/// A stretch of an object.
pub(super) struct ObjectBytes {
    runtime: Handle,
    object: Arc<dyn StoredObject>,
    stream: Option<ByteStream>,
    start: u64,
    length: u64,
    current: Bytes,
}

impl ObjectBytes {
    /// `length` bytes from `start`; nothing is asked for before the first read.
    pub(super) fn new(runtime: Handle, object: Arc<dyn StoredObject>, start: u64, length: u64) -> Self {
        Self { runtime, object, stream: None, start, length, current: Bytes::new() }
    }

    fn next_chunk(&mut self) -> io::Result<Option<Bytes>> {
        let Self { runtime, object, stream, start, length, .. } = self;
        let chunk = runtime.block_on(async {
            if stream.is_none() {
                *stream = Some(object.read(*start, *length).await?);
            }
            match stream {
                Some(stream) => stream.next().await.transpose(),
                None => Ok(None),
            }
        });
        chunk.map_err(io::Error::other)
    }
}

impl BufRead for ObjectBytes {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.current.is_empty() {
            match self.next_chunk()? {
                Some(chunk) => self.current = chunk,
                None => break,
            }
        }
        Ok(&self.current)
    }

    fn consume(&mut self, bytes: usize) {
        self.current.advance(bytes.min(self.current.len()));
    }
}

impl Read for ObjectBytes {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let count = available.len().min(target.len());
        let (Some(from), Some(to)) = (available.get(..count), target.get_mut(..count)) else { return Ok(0) };
        to.copy_from_slice(from);
        self.consume(count);
        Ok(count)
    }
}

/// The text of an object, decompressed when its key ends like a gzip or zstd file.
pub(super) fn text(
    runtime: Handle,
    object: Arc<dyn StoredObject>,
    key: &str,
) -> Result<Box<dyn BufRead + Send>, StateError> {
    let length = object.size();
    let bytes = ObjectBytes::new(runtime, object, 0, length);
    Ok(match compression(key) {
        None => Box::new(bytes),
        Some(Compression::Gzip) => expanded(flate2::bufread::MultiGzDecoder::new(bytes)),
        Some(Compression::Zstandard) => {
            let decoder = zstd::stream::read::Decoder::with_buffer(bytes);
            expanded(decoder.map_err(|error| failed(format!("the object \"{key}\" cannot be expanded: {error}")))?)
        }
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compression {
    Gzip,
    Zstandard,
}

fn compression(key: &str) -> Option<Compression> {
    match key.rsplit_once('.')?.1.to_ascii_lowercase().as_str() {
        "gz" | "gzip" => Some(Compression::Gzip),
        "zst" | "zstd" => Some(Compression::Zstandard),
        _ => None,
    }
}

fn expanded(decoder: impl Read + Send + 'static) -> Box<dyn BufRead + Send> {
    Box::new(BufReader::with_capacity(EXPANDED_CHUNK_BYTES, Expanded { decoder, bytes: 0 }))
}

/// Refuses a file that expands to more than the service reads.
struct Expanded<R> {
    decoder: R,
    bytes: u64,
}

impl<R: Read> Read for Expanded<R> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let count = self.decoder.read(target)?;
        self.bytes += count as u64;
        if self.bytes > FILE_BYTES_MAX {
            return Err(io::Error::other(format!("it expands to more than the maximum of {FILE_BYTES_MAX} bytes")));
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_the_compression() {
        let check = |key: &str, expected: Option<Compression>| assert_eq!(compression(key), expected, "{key}");
        check("a.csv", None);
        check("gz", None);
        check("a.gz", Some(Compression::Gzip));
        check("a.csv.GZIP", Some(Compression::Gzip));
        check("a.jsonl.zst", Some(Compression::Zstandard));
        check("a.zstd", Some(Compression::Zstandard));
        check("a.gz/b", None);
    }

    #[test]
    fn what_expands_too_far_is_refused() {
        let mut expanded = Expanded { decoder: io::repeat(b'x'), bytes: FILE_BYTES_MAX - 10 };
        expanded.read_exact(&mut [0; 10]).unwrap();
        let error = expanded.read(&mut [0; 1]).unwrap_err();
        assert!(error.to_string().contains("more than the maximum of 10000000000 bytes"));
    }
}
