//! Decompression of any bytes under small limits: it ends, hands out no more than allowed, and does not depend on how the
//! body is cut.
//!
//! Input: a knob for the compression, three for the limits, one for the chunk sizes, one for the memory of xz, then the
//! body.

#![no_main]

use bytes::Bytes;
use futures::StreamExt;
use futures::stream;
use libfuzzer_sys::fuzz_target;
use mapmill_fuzz::Knobs;
use object_store::{Compression, Expander, ExpansionLimits, ObjectAddress, detect_compression};
use std::sync::LazyLock;
use tokio::runtime::{Builder, Runtime};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Builder::new_current_thread().build().expect("a runtime"));

/// Room for one read; the cap may be passed by at most this much before the error.
const BUFFER: usize = 4096;

fuzz_target!(|data: &[u8]| {
    let mut knobs = Knobs::new(data);
    let choice = knobs.choice(&[
        Some(Compression::Gzip),
        Some(Compression::Zstd),
        Some(Compression::None),
        None,
        Some(Compression::Bzip2),
        Some(Compression::Xz),
    ]);
    let mut limits = ExpansionLimits {
        expanded_bytes: knobs.choice(&[64 << 10, 0, 1, 100, 1000, 4096, 2 << 20]),
        expansion_ratio: knobs.choice(&[10, 1, 200]),
        zstd_window_log: knobs.choice(&[20, 10, 17]),
        xz_memory_bytes: 0,
    };
    let sizes = knobs.chunk_sizes();
    limits.xz_memory_bytes = knobs.choice(&[8 << 20, 0, 4 << 10, 64 << 10, 1 << 20, 64 << 20]);
    let body = knobs.rest();
    let Ok(compression) = choice.map_or_else(|| detect_compression("key", None, body), Ok) else { return };
    let whole = expand(body, compression, limits, [body.len().max(1); 2]);
    let parts = expand(body, compression, limits, sizes);
    match (&whole, &parts) {
        // Where the error is noticed, and so which bytes come before it, depends on the chunks; that there is one does not.
        (Err(_), Err(_)) => {}
        _ => assert!(whole == parts, "whole: {:?}, in parts: {:?}", brief(&whole), brief(&parts)),
    }
    if compression == Compression::None && body.len() as u64 <= limits.expanded_bytes {
        assert_eq!(whole.as_deref(), Ok(body), "what is not compressed passes unchanged");
    }
});

fn brief<'a>(result: &'a Result<Vec<u8>, &'static str>) -> Result<usize, &'a str> {
    result.as_ref().map(Vec::len).map_err(|code| *code)
}

/// All that comes out, or the code of the error.
fn expand(
    body: &[u8],
    compression: Compression,
    limits: ExpansionLimits,
    sizes: [usize; 2],
) -> Result<Vec<u8>, &'static str> {
    let (mut chunks, mut rest, mut turn) = (Vec::new(), body, 0);
    while !rest.is_empty() {
        let (chunk, behind) = rest.split_at(rest.len().min(sizes[turn % 2]));
        chunks.push(Ok(Bytes::copy_from_slice(chunk)));
        rest = behind;
        turn += 1;
    }
    let address = ObjectAddress::parse("bucket", "key").expect("an address");
    let mut expander = Expander::new(stream::iter(chunks).boxed(), compression, limits, address);
    RUNTIME.block_on(async {
        let mut expanded = Vec::new();
        let mut buffer = [0; BUFFER];
        loop {
            let count = expander.read_chunk(&mut buffer).await.map_err(|error| error.code)?;
            expanded.extend_from_slice(&buffer[..count]);
            assert!(expanded.len() as u64 <= limits.expanded_bytes, "more than allowed was handed out");
            assert_eq!(expander.expanded_bytes(), expanded.len() as u64);
            assert!(expander.compressed_bytes() <= body.len() as u64);
            if count == 0 {
                assert_eq!(
                    expander.compressed_bytes(),
                    body.len() as u64,
                    "the end of the object is the end of the body"
                );
                return Ok(expanded);
            }
        }
    })
}
