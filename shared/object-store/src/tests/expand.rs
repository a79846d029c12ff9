use std::io::Write;

use bytes::Bytes;
use futures::{StreamExt, stream};

use super::codecs::{COMPRESSED, bzip2, compress, gzip, xz, xz_with_check, xz_with_dictionary, zstd};
use super::{address, noise, text};
use crate::body::{Body, peek};
use crate::error::{ErrorClass, ObjectError, code};
use crate::expand::{Compression, Expander, ExpansionLimits};

pub(super) fn body(bytes: &[u8], chunk: usize) -> Body {
    let chunks: Vec<_> = bytes.chunks(chunk).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
    stream::iter(chunks).boxed()
}

async fn expand(body: Body, compression: Compression, limits: ExpansionLimits) -> (Vec<u8>, Result<(), ObjectError>) {
    let mut expander = Expander::new(body, compression, limits, address());
    let mut buffer = vec![0; 10_007];
    let mut bytes = Vec::new();
    loop {
        match expander.read_chunk(&mut buffer).await {
            Ok(0) => return (bytes, Ok(())),
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
            Err(error) => return (bytes, Err(error)),
        }
    }
}

async fn check(compressed: &[u8], compression: Compression, expected: &[u8]) {
    for chunk in [1, 3, 1000, 1 << 20] {
        let (bytes, end) = expand(body(compressed, chunk), compression, ExpansionLimits::default()).await;
        end.unwrap();
        assert!(bytes == expected, "{compression:?} in chunks of {chunk}: the bytes differ");
    }
}

#[tokio::test]
async fn what_was_compressed_is_expanded() {
    let (noise, text) = (noise(50_000), text(300_000));
    for bytes in [noise.as_slice(), &text, b"x", b""] {
        check(bytes, Compression::None, bytes).await;
        for compression in COMPRESSED {
            check(&compress(compression, bytes), compression, bytes).await;
        }
    }
}

#[tokio::test]
async fn members_and_frames_that_follow_one_another_are_one_object() {
    let (first, second) = (text(70_000), noise(1000));
    let both = [first.clone(), second.clone()].concat();
    for compression in COMPRESSED {
        let parts = [first.as_slice(), b"", &second].map(|part| compress(compression, part));
        check(&parts.concat(), compression, &both).await;
    }
    let skippable = b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc".to_vec();
    check(&[skippable, zstd(&first)].concat(), Compression::Zstd, &first).await;
    for padding in [4, 8, 400] {
        let zeros = vec![0; padding];
        check(&[xz(&first), zeros.clone(), xz(&second), zeros].concat(), Compression::Xz, &both).await;
    }
}

#[tokio::test]
async fn real_tools_make_objects_that_can_be_read() {
    // Made by bzip2 1.0.8 and xz 5.4.1 from the line `hello, object`.
    let bzip2 = b"\x42\x5a\x68\x39\x31\x41\x59\x26\x53\x59\x96\x67\x61\x9b\x00\x00\x03\xd1\x80\x00\x10\x40\x04\x1a\x54\
        \x84\x00\x20\x00\x21\xa0\x06\x42\x01\xa6\x9a\x14\xa1\xa4\xe7\x52\x05\x78\xbb\x92\x29\xc2\x84\x84\xb3\
        \x3b\x0c\xd8";
    let xz = b"\xfd\x37\x7a\x58\x5a\x00\x00\x04\xe6\xd6\xb4\x46\x02\x00\x21\x01\x16\x00\x00\x00\x74\x2f\xe5\xa3\x01\
        \x00\x0d\x68\x65\x6c\x6c\x6f\x2c\x20\x6f\x62\x6a\x65\x63\x74\x0a\x00\x00\x00\x2b\x5f\xee\x10\x94\xe3\
        \x6d\x22\x00\x01\x26\x0e\x08\x1b\xe0\x04\x1f\xb6\xf3\x7d\x01\x00\x00\x00\x00\x04\x59\x5a";
    check(bzip2, Compression::Bzip2, b"hello, object\n").await;
    check(xz, Compression::Xz, b"hello, object\n").await;
}

async fn check_failure(
    compressed: &[u8],
    compression: Compression,
    limits: ExpansionLimits,
    class: ErrorClass,
    code: &str,
) -> String {
    let (_, end) = expand(body(compressed, 777), compression, limits).await;
    let error = end.expect_err(code);
    assert_eq!((error.class, error.code), (class, code), "{error}");
    error.message
}

#[tokio::test]
async fn truncated_data_is_noticed_wherever_it_ends() {
    let original = text(20_000);
    for (compression, code) in [
        (Compression::Gzip, code::TRUNCATED_GZIP),
        (Compression::Zstd, code::TRUNCATED_ZSTD),
        (Compression::Bzip2, code::TRUNCATED_BZIP2),
        (Compression::Xz, code::TRUNCATED_XZ),
    ] {
        let compressed = compress(compression, &original);
        for end in [0, 1, 3, 5, 11, compressed.len() / 2, compressed.len() - 9, compressed.len() - 1] {
            let limits = ExpansionLimits::default();
            let message = check_failure(&compressed[..end], compression, limits, ErrorClass::BadData, code).await;
            assert!(message.contains(&format!("at compressed byte {end}")), "{message}");
        }
    }
}

#[tokio::test]
async fn corrupt_data_is_noticed() {
    let original = text(20_000);
    let limits = ExpansionLimits::default();
    for (compression, code) in [
        (Compression::Gzip, code::CORRUPT_GZIP),
        (Compression::Zstd, code::CORRUPT_ZSTD),
        (Compression::Bzip2, code::CORRUPT_BZIP2),
        (Compression::Xz, code::CORRUPT_XZ),
    ] {
        let compressed = compress(compression, &original);
        let mut wrong_beginning = compressed.clone();
        wrong_beginning[0] ^= 0xff;
        check_failure(&wrong_beginning, compression, limits, ErrorClass::BadData, code).await;
        let trailing_garbage = [compressed.clone(), b"id,name\n1,x\n".to_vec()].concat();
        check_failure(&trailing_garbage, compression, limits, ErrorClass::BadData, code).await;
        check_failure(b"id,name\n1,x\n and so on, plain text", compression, limits, ErrorClass::BadData, code).await;
    }
    let padding = [xz(&original), vec![0; 3], xz(&original)].concat();
    check_failure(&padding, Compression::Xz, limits, ErrorClass::BadData, code::CORRUPT_XZ).await;
    check_failure(
        &padding[..xz(&original).len() + 3],
        Compression::Xz,
        limits,
        ErrorClass::BadData,
        code::TRUNCATED_XZ,
    )
    .await;
}

#[tokio::test]
async fn what_comes_before_a_wrong_checksum_is_handed_out_first() {
    let original = text(300_000);
    // Where the checksum of the whole lies, from the end.
    for (compressed, compression, from_end, code) in [
        (gzip(&original), Compression::Gzip, 6, code::CORRUPT_GZIP),
        (zstd(&original), Compression::Zstd, 2, code::CORRUPT_ZSTD),
        (bzip2(&original), Compression::Bzip2, 3, code::CORRUPT_BZIP2),
    ] {
        let mut wrong = compressed;
        let position = wrong.len() - from_end;
        wrong[position] ^= 0x10;
        for chunk in [1, 1000, 1 << 20] {
            let (bytes, end) = expand(body(&wrong, chunk), compression, ExpansionLimits::default()).await;
            assert_eq!(end.unwrap_err().code, code);
            assert!(bytes == original, "{compression:?} in chunks of {chunk}: {} bytes", bytes.len());
        }
    }
}

#[tokio::test]
async fn bombs_are_stopped() {
    let zeros = vec![0; 40 << 20];
    for compression in COMPRESSED {
        let bomb = compress(compression, &zeros);
        let limits = ExpansionLimits::default();
        let code = code::EXPANSION_RATIO_EXCEEDED;
        let message = check_failure(&bomb, compression, limits, ErrorClass::TooLarge, code).await;
        assert!(
            message.contains("at most 200 expanded bytes for each compressed byte (limit expansion_ratio)"),
            "{message}"
        );
        let mut expander = Expander::new(body(&bomb, 100), compression, limits, address());
        let mut buffer = vec![0; 64 << 10];
        while expander.read_chunk(&mut buffer).await.is_ok() {}
        assert!(expander.expanded_bytes() < 4 << 20, "stopped early, not at the end: {}", expander.expanded_bytes());

        let limits = ExpansionLimits { expanded_bytes: 3 << 20, expansion_ratio: 1_000_000, ..limits };
        let message =
            check_failure(&bomb, compression, limits, ErrorClass::TooLarge, code::EXPANDED_BYTES_EXCEEDED).await;
        assert!(message.contains("at most 3145728 bytes after decompression (limit expanded_bytes)"), "{message}");
        let (bytes, end) = expand(body(&bomb, 100), compression, limits).await;
        assert!(end.is_err() && bytes.len() == 3 << 20, "cut at the byte: {}", bytes.len());
    }
    let limits = ExpansionLimits { expanded_bytes: 100, ..ExpansionLimits::default() };
    let code = code::EXPANDED_BYTES_EXCEEDED;
    check_failure(&noise(101), Compression::None, limits, ErrorClass::TooLarge, code).await;
    let (bytes, end) = expand(body(&noise(100), 7), Compression::None, limits).await;
    assert!(end.is_ok() && bytes.len() == 100, "the limit itself is allowed");
}

#[tokio::test]
async fn small_objects_may_shrink_by_any_factor() {
    let zeros = vec![0; 1 << 20];
    for compression in COMPRESSED {
        check(&compress(compression, &zeros), compression, &zeros).await;
    }
}

#[tokio::test]
async fn large_zstd_windows_are_refused() {
    let original = noise(100_000);
    let compressed = |window_log: u32| {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(window_log).unwrap();
        encoder.write_all(&original).unwrap();
        encoder.finish().unwrap()
    };
    check(&compressed(23), Compression::Zstd, &original).await;
    let limits = ExpansionLimits::default();
    let code = code::ZSTD_WINDOW_EXCEEDED;
    let message = check_failure(&compressed(27), Compression::Zstd, limits, ErrorClass::TooLarge, code).await;
    assert_eq!(message, "expected a zstd window of at most 8 MiB (limit zstd_window); found a larger one");
    let limits = ExpansionLimits { zstd_window_log: 27, ..limits };
    let (bytes, end) = expand(body(&compressed(27), 1000), Compression::Zstd, limits).await;
    assert!(end.is_ok() && bytes == original);
}

#[tokio::test]
async fn large_xz_dictionaries_are_refused() {
    let original = text(100_000);
    let limits = ExpansionLimits { xz_memory_bytes: 4 << 20, ..ExpansionLimits::default() };
    let fits = xz_with_dictionary(&original, 4 << 20);
    let (bytes, end) = expand(body(&fits, 1000), Compression::Xz, limits).await;
    assert!(end.is_ok() && bytes == original);
    let larger = xz_with_dictionary(&original, 6 << 20);
    let message = check_failure(&larger, Compression::Xz, limits, ErrorClass::TooLarge, code::XZ_MEMORY_EXCEEDED).await;
    assert_eq!(message, "expected an xz dictionary of at most 4 MiB (limit xz_memory); found one of 6 MiB");
    check(&larger, Compression::Xz, &original).await;
    let second = [fits, larger].concat();
    let (bytes, end) = expand(body(&second, 1000), Compression::Xz, limits).await;
    assert_eq!((end.unwrap_err().code, bytes.len()), (code::XZ_MEMORY_EXCEEDED, original.len()));
}

#[tokio::test]
async fn every_checksum_of_xz_is_checked() {
    use lzma_rust2::CheckType;
    let original = text(50_000);
    for check_type in [CheckType::None, CheckType::Crc32, CheckType::Crc64, CheckType::Sha256] {
        let compressed = xz_with_check(&original, check_type);
        check(&compressed, Compression::Xz, &original).await;
        if check_type != CheckType::None {
            // The checksum of the block ends where the index begins, 24 bytes or more before the end.
            let index = compressed.len() - 12 - index_bytes(&compressed);
            let mut wrong = compressed;
            wrong[index - 1] ^= 1;
            let limits = ExpansionLimits::default();
            check_failure(&wrong, Compression::Xz, limits, ErrorClass::BadData, code::CORRUPT_XZ).await;
        }
    }
}

/// The length of the index of an xz stream, as its footer says.
fn index_bytes(stream: &[u8]) -> usize {
    let footer = &stream[stream.len() - 12..];
    (u32::from_le_bytes([footer[4], footer[5], footer[6], footer[7]]) as usize + 1) * 4
}

#[tokio::test]
async fn errors_of_the_body_come_through() {
    let original = text(200_000);
    for compression in COMPRESSED.into_iter().chain([Compression::None]) {
        let compressed = compress(compression, &original);
        let changed =
            ObjectError::new(ErrorClass::Changed, code::OBJECT_CHANGED, "read", &address(), "another version");
        let broken = body(&compressed[..compressed.len() / 2], 1000).chain(stream::iter([Err(changed)])).boxed();
        let (_, end) = expand(broken, compression, ExpansionLimits::default()).await;
        assert_eq!(end.unwrap_err().code, code::OBJECT_CHANGED, "{compression:?}");
    }
}

#[tokio::test]
async fn peeking_loses_nothing() {
    for (length, wanted, chunk) in [(0, 10, 1), (5, 10, 2), (100, 10, 3), (100, 10, 100), (100, 0, 7)] {
        let bytes = noise(length);
        let (first, again) = peek(body(&bytes, chunk), wanted).await.unwrap();
        assert!(first.len() >= wanted.min(length));
        assert!(bytes.starts_with(&first));
        let (all, end) = expand(again, Compression::None, ExpansionLimits::default()).await;
        assert!(end.is_ok() && all == bytes);
    }
}
