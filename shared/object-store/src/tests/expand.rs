use std::io::Write;

use bytes::Bytes;
use futures::{StreamExt, stream};

use super::{address, noise, text};
use crate::body::{Body, peek};
use crate::error::{ErrorClass, ObjectError, code};
use crate::expand::{Compression, Expander, ExpansionLimits};

/// Made by another library than the one under test.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

fn body(bytes: &[u8], chunk: usize) -> Body {
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
        check(&gzip(bytes), Compression::Gzip, bytes).await;
        check(&zstd(bytes), Compression::Zstd, bytes).await;
    }
}

#[tokio::test]
async fn members_and_frames_that_follow_one_another_are_one_object() {
    let (first, second) = (text(70_000), noise(1000));
    let both = [first.clone(), second.clone()].concat();
    check(&[gzip(&first), gzip(b""), gzip(&second)].concat(), Compression::Gzip, &both).await;
    check(&[zstd(&first), zstd(b""), zstd(&second)].concat(), Compression::Zstd, &both).await;
    let skippable = b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc".to_vec();
    check(&[skippable, zstd(&first)].concat(), Compression::Zstd, &first).await;
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
    for (compressed, compression, code) in [
        (gzip(&original), Compression::Gzip, code::TRUNCATED_GZIP),
        (zstd(&original), Compression::Zstd, code::TRUNCATED_ZSTD),
    ] {
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
    for (compressed, compression, code) in [
        (gzip(&original), Compression::Gzip, code::CORRUPT_GZIP),
        (zstd(&original), Compression::Zstd, code::CORRUPT_ZSTD),
    ] {
        let mut wrong_beginning = compressed.clone();
        wrong_beginning[0] ^= 0xff;
        check_failure(&wrong_beginning, compression, limits, ErrorClass::BadData, code).await;
        let trailing_garbage = [compressed.clone(), b"id,name\n1,x\n".to_vec()].concat();
        check_failure(&trailing_garbage, compression, limits, ErrorClass::BadData, code).await;
        check_failure(b"id,name\n1,x\n and so on, plain text", compression, limits, ErrorClass::BadData, code).await;
    }
    let mut wrong_checksum = gzip(&original);
    let position = wrong_checksum.len() - 6;
    wrong_checksum[position] ^= 1;
    check_failure(&wrong_checksum, Compression::Gzip, limits, ErrorClass::BadData, code::CORRUPT_GZIP).await;
}

#[tokio::test]
async fn bombs_are_stopped() {
    let zeros = vec![0; 40 << 20];
    for (bomb, compression) in [(gzip(&zeros), Compression::Gzip), (zstd(&zeros), Compression::Zstd)] {
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
    check(&gzip(&zeros), Compression::Gzip, &zeros).await;
    check(&zstd(&zeros), Compression::Zstd, &zeros).await;
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
async fn errors_of_the_body_come_through() {
    let original = text(200_000);
    for (compressed, compression) in [
        (original.clone(), Compression::None),
        (gzip(&original), Compression::Gzip),
        (zstd(&original), Compression::Zstd),
    ] {
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
