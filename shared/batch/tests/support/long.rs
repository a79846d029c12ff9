//! Objects that take long, and a store that makes them so.

use futures::StreamExt;
use object_store::fakes::{MemoryStore, OpeningStore};
use object_store::{ObjectReader, ObjectStore};
use std::sync::Arc;
use std::time::Duration;

/// Chunks in which objects come, one a second.
pub(crate) const CHUNK_BYTES: usize = 64 << 10;

/// Steps of the objects in these tests: 16 chunks.
pub(crate) const STEP_BYTES: usize = 1 << 20;

/// A store whose source objects take a second of the test's clock for every chunk.
pub(crate) fn slow(store: MemoryStore) -> Arc<dyn ObjectStore> {
    Arc::new(OpeningStore::new(Arc::new(store), |request, opened| {
        let reader = opened?;
        let is_source = request.address.bucket.as_str() == "raw";
        let body = reader.body.then(move |chunk| async move {
            tokio::time::sleep(Duration::from_secs(u64::from(is_source))).await;
            chunk
        });
        Ok(ObjectReader { body: body.boxed(), ..reader })
    }))
}

/// Text that does not compress, as hexadecimal digits.
pub(crate) fn mixed(number: u64) -> String {
    let first = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!("{first:016x}{:016x}", (first ^ number).wrapping_mul(0xbf58_476d_1ce4_e5b9))
}

/// So many bytes of lines that `line` makes.
pub(crate) fn repeat(bytes: usize, line: impl Fn(u64) -> String) -> Vec<u8> {
    let mut text = Vec::new();
    for number in 1.. {
        if text.len() >= bytes {
            break;
        }
        text.extend_from_slice(line(number).as_bytes());
    }
    text
}

pub(crate) fn ndjson(bytes: usize) -> Vec<u8> {
    repeat(bytes, |number| {
        let end = if number.is_multiple_of(300) { "" } else { "}" };
        format!("{{\"n\":{number},\"x\":\"{}\"{end}\n", mixed(number))
    })
}
