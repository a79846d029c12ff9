use std::io::Read;

use super::{address, noise, text};
use crate::compress::Compressor;
use crate::expand::Compression;

async fn compress(bytes: &[u8], compression: Compression, chunk: usize) -> Vec<u8> {
    let mut compressor = Compressor::new(compression, address());
    let mut compressed = Vec::new();
    for chunk in bytes.chunks(chunk) {
        compressor.write(chunk).await.unwrap();
        compressed.append(compressor.output());
    }
    compressed.extend(compressor.finish().await.unwrap());
    compressed
}

/// By other libraries than the one under test.
fn expand(compressed: &[u8], compression: Compression, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length + 1];
    let mut reader: Box<dyn Read> = match compression {
        Compression::None => Box::new(compressed),
        Compression::Gzip => Box::new(flate2::read::GzDecoder::new(compressed)),
        Compression::Zstd => Box::new(zstd::Decoder::new(compressed).unwrap()),
    };
    let mut filled = 0;
    loop {
        match reader.read(&mut bytes[filled..]).unwrap() {
            0 => break,
            count => filled += count,
        }
    }
    bytes.truncate(filled);
    bytes
}

#[tokio::test]
async fn what_is_compressed_can_be_read_and_is_always_the_same() {
    for original in [text(500_000), noise(200_000), b"x".to_vec(), Vec::new()] {
        for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
            let compressed = compress(&original, compression, 1 << 20).await;
            assert!(expand(&compressed, compression, original.len()) == original, "{compression:?}");
            for chunk in [1, 100, 65_536, 70_000] {
                assert!(compress(&original, compression, chunk).await == compressed, "{compression:?} by {chunk}");
            }
        }
    }
}

#[tokio::test]
async fn text_becomes_smaller() {
    let original = text(500_000);
    assert!(compress(&original, Compression::Gzip, 1000).await.len() < 200_000);
    assert!(compress(&original, Compression::Zstd, 1000).await.len() < 200_000);
}
