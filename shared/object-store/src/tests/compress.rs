use std::io::Read;

use super::{address, noise, text};
use crate::compress::{Compressor, OutputCompression};

fn compress(bytes: &[u8], compression: OutputCompression, chunk: usize) -> Vec<u8> {
    let mut compressor = Compressor::new(compression, address()).unwrap();
    let mut compressed = Vec::new();
    for chunk in bytes.chunks(chunk) {
        compressor.write(chunk).unwrap();
        compressed.append(compressor.output());
    }
    compressed.extend(compressor.finish().unwrap());
    compressed
}

/// By other libraries than the one under test.
fn expand(compressed: &[u8], compression: OutputCompression, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length + 1];
    let mut reader: Box<dyn Read> = match compression {
        OutputCompression::None => Box::new(compressed),
        OutputCompression::Gzip => Box::new(flate2::read::MultiGzDecoder::new(compressed)),
        OutputCompression::Zstd => Box::new(zstd::Decoder::new(compressed).unwrap()),
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

#[test]
fn what_is_compressed_can_be_read_and_is_always_the_same() {
    for original in [text(500_000), noise(200_000), b"x".to_vec(), Vec::new()] {
        for compression in [OutputCompression::None, OutputCompression::Gzip, OutputCompression::Zstd] {
            let compressed = compress(&original, compression, 1 << 20);
            assert!(expand(&compressed, compression, original.len()) == original, "{compression:?}");
            for chunk in [1, 100, 65_536, 70_000] {
                assert!(compress(&original, compression, chunk) == compressed, "{compression:?} by {chunk}");
            }
        }
    }
}

/// Ends a frame at each of the places. With `again` every frame is made by a compressor of its own.
fn compress_frames(bytes: &[u8], compression: OutputCompression, ends: &[usize], again: bool) -> Vec<u8> {
    let mut compressor = Compressor::new(compression, address()).unwrap();
    let mut compressed = Vec::new();
    let mut from = 0;
    for end in ends {
        compressor.write(&bytes[from..*end]).unwrap();
        compressor.end_frame().unwrap();
        compressed.append(compressor.output());
        if again && !compressed.is_empty() {
            compressor = Compressor::new(compression, address()).unwrap().behind_a_frame();
        }
        from = *end;
    }
    compressor.write(&bytes[from..]).unwrap();
    compressed.extend(compressor.finish().unwrap());
    compressed
}

#[test]
fn frames_follow_one_another_whoever_makes_them() {
    let original = text(300_000);
    for compression in [OutputCompression::None, OutputCompression::Gzip, OutputCompression::Zstd] {
        for ends in [&[0, 0][..], &[100_000], &[100_000, 100_000, 200_001], &[300_000], &[1, 300_000, 300_000]] {
            let once = compress_frames(&original, compression, ends, false);
            assert!(compress_frames(&original, compression, ends, true) == once, "{compression:?} {ends:?}");
            let bytes = expand(&once, compression, original.len());
            assert!(bytes == original, "{compression:?} {ends:?}");
        }
        assert!(!compress_frames(b"", compression, &[0], false).is_empty() || compression == OutputCompression::None);
    }
}

#[test]
fn text_becomes_smaller() {
    let original = text(500_000);
    assert!(compress(&original, OutputCompression::Gzip, 1000).len() < 200_000);
    assert!(compress(&original, OutputCompression::Zstd, 1000).len() < 200_000);
}
