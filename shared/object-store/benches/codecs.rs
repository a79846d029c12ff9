//! Throughput of expansion and compression, per core and in expanded bytes, beside the plain use of the libraries below.
//!
//! `cargo bench -p object-store`. The shapes: events as NDJSON, which shrink to an eighth, and rows of CSV with random
//! numbers, which shrink to two fifths.
#![expect(clippy::unwrap_used, reason = "a failed expectation ends the measurement")]

use std::io::{Read, Write};
use std::sync::LazyLock;

use bytes::Bytes;
use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use futures::{StreamExt, stream};
use object_store::{Compression, Compressor, Expander, ExpansionLimits, ObjectAddress, OutputCompression};
use tokio::runtime::{Builder, Runtime};

/// About how large the data is before compression.
const BYTES: usize = 16 << 20;

/// How much is read at a time, as a worker does.
const CHUNK: usize = 128 << 10;

/// The chunks of a body, as they come from a connection.
const BODY_CHUNK: usize = 32 << 10;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Builder::new_current_thread().build().unwrap());

fn main() {
    divan::main();
}

#[derive(Debug, Clone, Copy)]
enum Shape {
    Events,
    Rows,
}

const SHAPES: [Shape; 2] = [Shape::Events, Shape::Rows];

/// A number that looks random and is the same in every run.
fn scattered(n: u64) -> u64 {
    let mixed = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb) >> 20
}

fn data(shape: Shape) -> Vec<u8> {
    let mut text = Vec::with_capacity(BYTES + 1024);
    let mut n = 0;
    while text.len() < BYTES {
        n += 1;
        let random = scattered(n);
        match shape {
            Shape::Events => writeln!(
                text,
                "{{\"id\":{},\"at\":\"2026-03-{:02}T{:02}:{:02}:00Z\",\"type\":\"{}\",\"user\":{{\"id\":{},\"name\":\"user {}\",\
                 \"tags\":[\"a\",\"b\\\"c\",\"{:x}\"]}},\"price\":{}.{:02},\"ok\":{},\"path\":\"/shop/items/{}/reviews?page={}\",\
                 \"agent\":\"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0\"}}",
                9_000_000_000_000 + n,
                n % 28 + 1,
                n % 24,
                random % 60,
                ["view", "cart", "buy"][random as usize % 3],
                random % 10_000_000,
                n % 1000,
                random & 0xffff_ffff,
                random % 900,
                n % 100,
                random.is_multiple_of(2),
                random % 1_000_000,
                n % 9,
            ),
            Shape::Rows => writeln!(
                text,
                "{n},2026-03-{:02},view,{},\"name {}, of\",{}.{:02},true,/p/{},DE,{},0.{},{:x}",
                n % 28 + 1,
                random % 10_000_000,
                n % 1000,
                random % 900,
                n % 100,
                random % 1_000_000,
                random % 1_000_000_000,
                scattered(random) % 1_000_000,
                scattered(n + BYTES as u64),
            ),
        }
        .unwrap();
    }
    text
}

fn compress(compression: Compression, bytes: &[u8]) -> Vec<u8> {
    match compression {
        Compression::None => bytes.to_vec(),
        Compression::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        Compression::Zstd => zstd::encode_all(bytes, 3).unwrap(),
        Compression::Bzip2 => {
            let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        Compression::Xz => {
            let options = lzma_rust2::XzOptions::with_preset(1);
            let mut encoder = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
    }
}

fn expand(bencher: Bencher<'_, '_>, compression: Compression, shape: Shape) {
    let plain = data(shape);
    let compressed = Bytes::from(compress(compression, &plain));
    let address = ObjectAddress::parse("bucket", "key").unwrap();
    let mut buffer = vec![0; CHUNK];
    bencher.counter(BytesCount::new(plain.len())).bench_local(|| {
        let mut rest = compressed.clone();
        let chunks =
            std::iter::from_fn(move || (!rest.is_empty()).then(|| Ok(rest.split_to(BODY_CHUNK.min(rest.len())))));
        let body = stream::iter(chunks).boxed();
        let mut expander = Expander::new(body, compression, ExpansionLimits::default(), address.clone());
        RUNTIME.block_on(async {
            loop {
                match expander.read_chunk(&mut buffer).await.unwrap() {
                    0 => break,
                    count => drop(black_box(&buffer[..count])),
                }
            }
        });
        assert_eq!(expander.expanded_bytes(), plain.len() as u64);
    });
}

#[divan::bench(args = SHAPES)]
fn gzip_in(bencher: Bencher<'_, '_>, shape: Shape) {
    expand(bencher, Compression::Gzip, shape);
}

#[divan::bench(args = SHAPES)]
fn zstd_in(bencher: Bencher<'_, '_>, shape: Shape) {
    expand(bencher, Compression::Zstd, shape);
}

#[divan::bench(args = SHAPES)]
fn bzip2_in(bencher: Bencher<'_, '_>, shape: Shape) {
    expand(bencher, Compression::Bzip2, shape);
}

#[divan::bench(args = SHAPES)]
fn xz_in(bencher: Bencher<'_, '_>, shape: Shape) {
    expand(bencher, Compression::Xz, shape);
}

/// Without limits and body: what the library alone does with the whole object in memory.
#[divan::bench(args = SHAPES)]
fn gzip_in_by_flate2_alone(bencher: Bencher<'_, '_>, shape: Shape) {
    let plain = data(shape);
    let compressed = compress(Compression::Gzip, &plain);
    let mut buffer = vec![0; CHUNK];
    bencher.counter(BytesCount::new(plain.len())).bench_local(|| {
        let mut decoder = flate2::bufread::MultiGzDecoder::new(compressed.as_slice());
        let mut total = 0;
        loop {
            match decoder.read(&mut buffer).unwrap() {
                0 => break,
                count => total += count,
            }
            black_box(&buffer);
        }
        assert_eq!(total, plain.len());
    });
}

fn compress_output(bencher: Bencher<'_, '_>, compression: OutputCompression, shape: Shape) {
    let plain = data(shape);
    let address = ObjectAddress::parse("bucket", "key").unwrap();
    bencher.counter(BytesCount::new(plain.len())).bench_local(|| {
        let mut compressor = Compressor::new(compression, address.clone()).unwrap();
        for chunk in plain.chunks(CHUNK) {
            compressor.write(chunk).unwrap();
            compressor.output().clear();
        }
        black_box(compressor.finish().unwrap());
    });
}

#[divan::bench(args = SHAPES)]
fn gzip_out(bencher: Bencher<'_, '_>, shape: Shape) {
    compress_output(bencher, OutputCompression::Gzip, shape);
}

#[divan::bench(args = SHAPES)]
fn zstd_out(bencher: Bencher<'_, '_>, shape: Shape) {
    compress_output(bencher, OutputCompression::Zstd, shape);
}
