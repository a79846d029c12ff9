//! Where the plan of a run puts things: all below `_mapmill/<run>/` of the output.

use batch::BatchError;
use job::Job;
use object_store::ObjectAddress;

/// The objects of a run that the plan reads or writes.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    bucket: String,
    /// Ends with a slash.
    folder: String,
    prefix: String,
}

impl Names {
    pub(crate) fn new(job: &Job, run_id: &str) -> Self {
        let prefix = job.output.prefix.as_str().to_owned();
        Self { bucket: job.output.bucket.as_str().to_owned(), folder: format!("{prefix}_mapmill/{run_id}/"), prefix }
    }

    /// Everything about the run as planned.
    pub(crate) fn plan(&self) -> Result<ObjectAddress, BatchError> {
        self.address(&format!("{}plan.json", self.folder))
    }

    /// How far a plan has come that takes several invocations.
    pub(crate) fn progress(&self) -> Result<ObjectAddress, BatchError> {
        self.address(&format!("{}units/progress.json", self.folder))
    }

    /// The batches.
    pub(crate) fn units(&self) -> Result<ObjectAddress, BatchError> {
        self.address(&format!("{}units/units.jsonl", self.folder))
    }

    /// Items that were set aside until the weight of all is known.
    pub(crate) fn spool(&self, number: u32) -> Result<ObjectAddress, BatchError> {
        self.address(&format!("{}units/items-{number:05}.jsonl.zst", self.folder))
    }

    /// The failures of an earlier run of the job.
    pub(crate) fn failures_of(&self, run_id: &str) -> Result<ObjectAddress, BatchError> {
        self.address(&format!("{}_mapmill/{run_id}/report/failed.jsonl", self.prefix))
    }

    /// The prefix of the results of Step Functions.
    pub(crate) fn results_prefix(&self) -> String {
        format!("{}map-run", self.folder)
    }

    fn address(&self, key: &str) -> Result<ObjectAddress, BatchError> {
        ObjectAddress::parse(&self.bucket, key).map_err(|error| {
            BatchError::InvalidJob(format!("a name that follows from output.prefix is not allowed: {error}"))
        })
    }
}
