//! What became of a Map Run.

use jiff::Timestamp;

use crate::asl::ExecutionStatus;

/// A Map Run that has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct MapRunSummary {
    /// ARN of the Map Run.
    pub map_run_arn: String,
    /// Name of the Map state.
    pub state: String,
    /// How it ended.
    pub status: ExecutionStatus,
    /// Why it failed, when it failed.
    pub error: Option<String>,
    /// Children by status.
    pub executions: Counts,
    /// Items by the status of the child they were in.
    pub items: Counts,
    /// Most children at a time.
    pub max_concurrency: u64,
    /// Bucket and key of the manifest, with a `ResultWriter`.
    pub manifest: Option<(String, String)>,
    /// When it started.
    pub start: Timestamp,
    /// When it ended.
    pub stop: Timestamp,
}

/// Numbers by status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Read but never started.
    pub pending: u64,
    /// Succeeded.
    pub succeeded: u64,
    /// Failed.
    pub failed: u64,
    /// Took too long.
    pub timed_out: u64,
    /// Stopped while running.
    pub aborted: u64,
}

impl Counts {
    /// The sum of all.
    pub fn total(&self) -> u64 {
        self.pending + self.succeeded + self.failed + self.timed_out + self.aborted
    }

    pub(super) fn add(&mut self, status: ExecutionStatus, number: u64) {
        match status {
            ExecutionStatus::Succeeded => self.succeeded += number,
            ExecutionStatus::Failed => self.failed += number,
            ExecutionStatus::TimedOut => self.timed_out += number,
            ExecutionStatus::Aborted => self.aborted += number,
        }
    }
}
