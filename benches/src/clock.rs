//! The clock of the measurements: CPU time of this thread.
//!
//! Other programs on the machine make a job last longer, but cost its thread no CPU time. What they still do is empty
//! the caches; the best of several runs is free of most of that.

use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// CPU time that this thread has used since it began.
pub(crate) fn thread_cpu_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    // Neither part is negative on this clock.
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or_default())
}
