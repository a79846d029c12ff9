//! How much may be in flight at once.
//!
//! A function has a fixed memory. What an object needs while it streams is known beforehand: its buffers are bounded by
//! the job's limits. The budget is the function's memory minus a reserve for the process itself; every item takes its
//! weight before it starts and gives it back when it is done. Small objects therefore overlap, and a large one runs
//! beside few others or alone.

use job::Job;

/// Kept for the process itself: code, TLS, HTTP connections, the runtime.
const RESERVE_MIB: u64 = 48;

/// Most items in flight whatever the memory: beyond this a function gains nothing from S3.
pub const MAX_IN_FLIGHT: u64 = 64;

/// What an item needs besides the object's own bytes: decoder and encoder state, chunk and line buffers.
const BASE_MIB: u64 = 3;

/// What a large object needs besides its record buffer: a part of the output being filled, a part being sent, and the
/// decoder's window.
const LARGE_MIB: u64 = 24;

/// Objects up to this size are small: their output is buffered whole and written by one request.
const SMALL_BYTES: u64 = 1 << 20;

/// The memory that items share, in MiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    mebibytes: u64,
}

impl Budget {
    /// The budget of a function with this memory (`AWS_LAMBDA_FUNCTION_MEMORY_SIZE`), in MiB; at least one item fits.
    #[must_use]
    pub fn of_function(memory_mib: u64) -> Self {
        Self { mebibytes: memory_mib.saturating_sub(RESERVE_MIB).max(BASE_MIB) }
    }

    /// The whole budget in MiB.
    #[must_use]
    pub fn mebibytes(self) -> u64 {
        self.mebibytes
    }

    /// What an item takes, in MiB: never more than there is, so that every item can run alone, and at least so much
    /// that no more than [`MAX_IN_FLIGHT`] run together.
    #[must_use]
    pub fn weight(self, job: &Job, size: Option<u64>) -> u64 {
        let record_mib = job.limits.record_bytes.bytes().div_ceil(1 << 20);
        let weight = match size {
            Some(bytes) if bytes <= SMALL_BYTES => BASE_MIB + bytes.div_ceil(1 << 20),
            _ => BASE_MIB + LARGE_MIB + record_mib,
        };
        weight.max(self.mebibytes.div_ceil(MAX_IN_FLIGHT)).min(self.mebibytes)
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
        let check = |memory: u64, size: Option<u64>, in_flight: u64| {
            let budget = Budget::of_function(memory);
            assert_eq!(budget.mebibytes() / budget.weight(&job(), size), in_flight, "{memory} MiB, {size:?}");
        };
        check(128, Some(200_000), 20);
        check(128, Some(1 << 30), 2);
        check(128, None, 2);
        check(512, Some(200_000), 58);
        check(1769, Some(200_000), 63);
        check(10_240, Some(1), 63);
        check(10_240, Some(1 << 30), 63);
        check(1, Some(1 << 30), 1);
    }
}
