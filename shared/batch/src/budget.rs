//! How much may be in flight at once.
//!
//! A function has a fixed memory. What an object needs while it streams is known beforehand: its buffers are bounded by
//! the job's limits. The budget is the function's memory minus a reserve for the process itself; every item takes its
//! weight before it starts and gives it back when it is done. Small objects therefore overlap, and a large one runs
//! beside few others or alone.

use job::{Compression, Job};
use std::num::NonZeroU32;

/// Kept for the process itself: code, TLS, HTTP connections, the runtime.
const RESERVE_MIB: u64 = 48;

/// Most items in flight whatever the memory: beyond this a function gains nothing from S3.
pub const MAX_IN_FLIGHT: u64 = 64;

/// File descriptors that the connections of all items in a process may take. Lambda gives a process 1,024
/// (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>); the rest is for the process itself.
const DESCRIPTORS: u64 = 896;

/// Connections of an item: one for the body that it reads, one for the part that it writes.
const DESCRIPTORS_OF_ITEM: u64 = 2;

/// What an item needs besides the object's own bytes: decoder and encoder state, chunk and line buffers.
const BASE_MIB: u64 = 4;

/// What the decoder of a large object needs: the window of Zstandard, or a block of bzip2 and its index.
const DECODER_MIB: u64 = 8;

/// What a large object needs besides its record buffer and decoder: a part of the output being filled, a part being sent,
/// the index of a large record, and the chunks and lines between the stages of an object that does all at the same time.
const LARGE_MIB: u64 = 8 + 8 + 20 + 4;

/// Kept back for one item at a time that becomes larger than it was taken for: two parts of its output, and a decoder.
pub(crate) const GROWTH_MIB: u64 = 8 + 8 + DECODER_MIB;

/// Bounds of what a dictionary of xz may take, in MiB: what `xz` makes by default needs 8, the most with `-9` is 64.
const XZ_MEMORY_MIB: (u64, u64) = (8, 64);

/// Objects up to this size, expanded, are small: their output is buffered whole and written by one request.
const SMALL_BYTES: u64 = 1 << 20;

/// How far a compressed object is expected to expand, to tell small ones from large ones. Ordinary data expands less.
const EXPECTED_EXPANSION: u64 = 20;

/// What the items of a batch share: memory in MiB, and how many of them may be in flight whatever they need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    mebibytes: u64,
    in_flight: u64,
}

impl Budget {
    /// The budget of a function with this memory (`AWS_LAMBDA_FUNCTION_MEMORY_SIZE`), in MiB; at least one item fits.
    #[must_use]
    pub fn of_function(memory_mib: u64) -> Self {
        Self { mebibytes: memory_mib.saturating_sub(RESERVE_MIB).max(BASE_MIB), in_flight: MAX_IN_FLIGHT }
    }

    /// The part of each of several batches that run at the same time in one process.
    #[must_use]
    pub fn shared_by(self, batches: NonZeroU32) -> Self {
        let batches = u64::from(batches.get());
        let in_flight = (DESCRIPTORS / DESCRIPTORS_OF_ITEM / batches).clamp(1, self.in_flight);
        Self { mebibytes: (self.mebibytes / batches).max(BASE_MIB), in_flight }
    }

    /// The whole budget in MiB.
    #[must_use]
    pub fn mebibytes(self) -> u64 {
        self.mebibytes
    }

    /// What items may take when they begin, in MiB; the rest is for one that grows.
    pub(crate) fn for_items(self) -> u64 {
        self.mebibytes.saturating_sub(GROWTH_MIB).max(BASE_MIB)
    }

    /// The largest dictionary that an xz object may ask for, in bytes: a quarter of the budget, from 8 to 64 MiB.
    #[must_use]
    pub fn xz_memory_bytes(self) -> u64 {
        self.xz_memory_mib() << 20
    }

    fn xz_memory_mib(self) -> u64 {
        let (least, most) = XZ_MEMORY_MIB;
        (self.mebibytes / 4).clamp(least, most)
    }

    /// What an item takes, in MiB: never more than there is, so that every item can run alone, and at least so much
    /// that no more run together than [`MAX_IN_FLIGHT`] and the descriptors of the process allow.
    #[must_use]
    pub fn weight(self, job: &Job, key: &str, size: Option<u64>) -> u64 {
        // The record buffer doubles while it grows.
        let record_mib = 2 * job.limits.record_bytes.bytes().div_ceil(1 << 20);
        // Only an exploded record becomes much more than it was.
        let exploded_mib =
            if job.record.explode.is_some() { 2 * job.limits.output_bytes.bytes().div_ceil(1 << 20) } else { 0 };
        let weight = match size {
            // Exploded, a small object may become a large output at once, and a small xz has a large dictionary.
            Some(bytes) if is_small(job, key, size) && job.record.explode.is_none() && !is_xz(job, key) => {
                BASE_MIB + 2 * expected(job, key, bytes).div_ceil(1 << 20)
            }
            _ if is_xz(job, key) => BASE_MIB + LARGE_MIB + record_mib + exploded_mib + self.xz_memory_mib(),
            _ => BASE_MIB + LARGE_MIB + record_mib + exploded_mib + DECODER_MIB,
        };
        let most = self.for_items();
        weight.max(most.div_ceil(self.in_flight)).min(most)
    }
}

/// True when so many expanded bytes are more than a small object has.
pub(crate) fn is_more_than_small(bytes: u64) -> bool {
    bytes > SMALL_BYTES
}

/// True when an object of this size is expected to be small once it is expanded. One of unknown size is not.
pub(crate) fn is_small(job: &Job, key: &str, size: Option<u64>) -> bool {
    size.is_some_and(|bytes| expected(job, key, bytes) <= SMALL_BYTES)
}

/// The size that an object is expected to have when it is expanded.
fn expected(job: &Job, key: &str, size: u64) -> u64 {
    let factor = if is_plain(job, key) { 1 } else { EXPECTED_EXPANSION };
    size.saturating_mul(factor)
}

/// True when the object is known not to be compressed: by the job, or by an extension that says what it is.
fn is_plain(job: &Job, key: &str) -> bool {
    const PLAIN: [&str; 7] = [".csv", ".json", ".jsonl", ".ndjson", ".psv", ".tab", ".tsv"];
    match job.source.compression {
        Compression::None => true,
        Compression::Auto => {
            let key = key.to_ascii_lowercase();
            PLAIN.iter().any(|extension| key.ends_with(extension))
        }
        Compression::Gzip | Compression::Zstd | Compression::Bzip2 | Compression::Xz => false,
    }
}

/// True when the job or the name says xz. An object that is xz and does not say so is not weighed as such.
fn is_xz(job: &Job, key: &str) -> bool {
    match job.source.compression {
        Compression::Xz => true,
        Compression::Auto => key.to_ascii_lowercase().ends_with(".xz"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job() -> Job {
        Job::parse("{version: 1, name: j, source: {bucket: raw}, output: {bucket: clean}}").unwrap()
    }

    #[test]
    fn small_items_overlap_and_large_ones_do_not() {
        let check = |memory: u64, key: &str, size: Option<u64>, in_flight: u64| {
            let budget = Budget::of_function(memory);
            assert_eq!(
                budget.for_items() / budget.weight(&job(), key, size),
                in_flight,
                "{memory} MiB, {key}, {size:?}"
            );
        };
        check(128, "a.csv", Some(200_000), 9);
        check(128, "a.csv", Some(1 << 30), 1);
        check(128, "a.csv", None, 1);
        check(128, "a.csv.gz", Some(20_000), 9);
        check(128, "a.csv.gz", Some(200_000), 1);
        check(128, "no-extension", Some(200_000), 1);
        check(512, "a.JSON", Some(200_000), 62);
        check(1769, "a.csv", Some(200_000), 62);
        check(10_240, "a.csv", Some(1 << 30), 63);
        check(1, "a.csv", Some(1 << 30), 1);
        check(512, "a.csv.gz", Some(1 << 30), 6);
        check(512, "a.csv.bz2", Some(1 << 30), 6);
        check(512, "a.csv.XZ", Some(1 << 30), 3);
        check(512, "a.csv.xz", Some(20_000), 3);
    }

    #[test]
    fn batches_at_the_same_time_share_the_budget() {
        let check = |memory: u64, batches: u32, mebibytes: u64| {
            let part = Budget::of_function(memory).shared_by(NonZeroU32::new(batches).unwrap());
            assert_eq!(part.mebibytes(), mebibytes, "{memory} MiB, {batches} batches");
        };
        check(2048, 1, 2000);
        check(2048, 8, 250);
        check(128, 1600, 4);
    }

    #[test]
    fn batches_at_the_same_time_share_the_descriptors() {
        let check = |batches: u32, most: u64| {
            // Memory enough for any number of small objects.
            let budget = Budget::of_function(1 << 20).shared_by(NonZeroU32::new(batches).unwrap());
            let in_flight = budget.for_items() / budget.weight(&job(), "a.csv", Some(1000));
            assert!(in_flight <= most && in_flight + 2 >= most, "{batches} batches: {in_flight} of {most}");
        };
        check(1, 64);
        check(7, 64);
        check(8, 56);
        check(64, 7);
        check(448, 1);
        check(1600, 1);
    }

    #[test]
    fn dictionaries_of_xz_fit_the_function() {
        let check = |memory: u64, mebibytes: u64| {
            assert_eq!(Budget::of_function(memory).xz_memory_bytes(), mebibytes << 20, "{memory} MiB");
        };
        check(1, 8);
        check(128, 20);
        check(304, 64);
        check(10_240, 64);
    }
}
