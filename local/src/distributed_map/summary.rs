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
    /// Most children at a time, 0 for as many as there may be.
    pub max_concurrency: u64,
    /// Bucket and key of the manifest, with a `ResultWriter`.
    pub manifest: Option<(String, String)>,
    /// When it started.
    pub start: Timestamp,
    /// When it ended.
    pub stop: Timestamp,
}

/// Numbers of executions or items by status, as DescribeMapRun has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Read but not started.
    pub pending: u64,
    /// Running now.
    pub running: u64,
    /// Succeeded.
    pub succeeded: u64,
    /// Failed.
    pub failed: u64,
    /// Took too long.
    pub timed_out: u64,
    /// Stopped while running.
    pub aborted: u64,
    /// Ended without success before, and waiting to run again in a redrive.
    pub pending_redrive: u64,
    /// Ended without success, and a redrive would not run them again.
    pub failures_not_redrivable: u64,
    /// Those whose result was taken into the result files or the output of the state.
    pub results_written: u64,
}

impl Counts {
    /// All that are known.
    pub fn total(&self) -> u64 {
        let Self { pending, running, succeeded, failed, timed_out, aborted, pending_redrive, .. } = self;
        pending + running + succeeded + failed + timed_out + aborted + pending_redrive
    }

    /// The number of those that ended like this.
    pub(crate) fn ended(&mut self, status: ExecutionStatus) -> &mut u64 {
        match status {
            ExecutionStatus::Succeeded => &mut self.succeeded,
            ExecutionStatus::Failed => &mut self.failed,
            ExecutionStatus::TimedOut => &mut self.timed_out,
            ExecutionStatus::Aborted => &mut self.aborted,
        }
    }
}
