//! The end of a run: whether it succeeded, and `summary.json` for programs. The table for people is in `table`.

use std::path::{Path, PathBuf};

use job::Job;
use serde_json::{Value, json};

use super::CommandError;
use super::services::Invocations;
use super::tally::{Tally, is_outcome};
use crate::asl::{ExecutionResult, ExecutionStatus};
use crate::s3::{Attributes, ObjectStore, WriteCondition};

/// Where the parts of a run lie on disk.
pub(super) struct Places {
    pub(super) output: PathBuf,
    pub(super) run: PathBuf,
    pub(super) log: PathBuf,
}

impl Places {
    pub(super) fn new(job: &Job, run_id: &str, out: &Path) -> Self {
        let output = out.join(job.output.prefix.as_str());
        let log = out.join(".mapmill").join(format!("{run_id}.log"));
        Self { run: output.join("_mapmill").join(run_id), output, log }
    }
}

/// What is told at the end.
pub(super) struct Summary {
    pub(super) status: ExecutionStatus,
    pub(super) error: Option<String>,
    pub(super) cause: Option<String>,
    pub(super) seconds: f64,
    /// What the workers said; `None` when the state machine started no Map Run and answers nothing of a worker.
    pub(super) tally: Option<Tally>,
    pub(super) invocations: Invocations,
    pub(super) memory_mb: u32,
    pub(super) places: Places,
}

impl Summary {
    /// `objects` is the number of objects of the job's source.
    pub(super) fn new(
        result: &ExecutionResult,
        objects: u64,
        mut tally: Tally,
        invocations: Invocations,
        memory_mb: u32,
        places: Places,
    ) -> Self {
        let seconds = result.stop.duration_since(result.start).as_secs_f64();
        if result.map_runs.is_empty() {
            for answer in outcomes(result.output.as_ref()) {
                tally.add_answer(answer["items"]["total"].as_u64().unwrap_or(0), Some(answer));
            }
        }
        if result.status != ExecutionStatus::Succeeded {
            // A run that ended early has not even listed the rest.
            tally.never_started = tally.never_started.max(objects.saturating_sub(tally.given.total()));
        }
        let is_known = !result.map_runs.is_empty() || tally.batches.ended() > 0;
        let (error, cause) = (result.error.clone(), result.cause.clone());
        let tally = is_known.then_some(tally);
        Self { status: result.status, error, cause, seconds, tally, invocations, memory_mb, places }
    }

    /// The state machine succeeded, and every object was processed or skipped for a reason.
    pub(super) fn is_success(&self) -> bool {
        self.status == ExecutionStatus::Succeeded
            && self.tally.as_ref().is_none_or(|tally| !is_incomplete(tally) && tally.batches.without_answer == 0)
    }

    /// How it ended, in words.
    pub(super) fn verdict(&self) -> String {
        let seconds = self.seconds;
        let words = match (self.status, &self.tally) {
            (ExecutionStatus::Succeeded, Some(tally)) if is_incomplete(tally) => {
                "finished, but not every object was processed,"
            }
            (ExecutionStatus::Succeeded, Some(tally)) if tally.batches.without_answer > 0 => {
                return format!("unknown: the state machine hides the workers' answers; it ended in {seconds:.1} s");
            }
            (ExecutionStatus::Succeeded, _) => "succeeded",
            (ExecutionStatus::Failed, _) => "failed",
            (ExecutionStatus::TimedOut, _) => "timed out",
            (ExecutionStatus::Aborted, _) => "stopped",
        };
        format!("{words} in {seconds:.1} s")
    }

    /// Writes `summary.json` beside the ledger.
    pub(super) async fn store(&self, store: &ObjectStore, job: &Job, run_id: &str) -> Result<(), CommandError> {
        let key = format!("{}_mapmill/{run_id}/summary.json", job.output.prefix.as_str());
        let text = format!("{:#}\n", self.to_json(run_id));
        let bucket = job.output.bucket.as_str();
        let put = store.put(bucket, &key, text.as_bytes(), Attributes::default(), WriteCondition::default()).await;
        put.map(|_| ()).map_err(CommandError::failed)
    }

    fn to_json(&self, run_id: &str) -> Value {
        let mut summary = json!({
            "version": 1,
            "run_id": run_id,
            "status": self.status.as_str(),
            "error": self.error,
            "cause": self.cause,
            "is_success": self.is_success(),
            "seconds": self.seconds,
            "invocations": {
                "total": self.invocations.count, "failed": self.invocations.failed, "cold": self.invocations.cold,
                "peak_memory_bytes": self.invocations.peak_memory_bytes,
            },
            "items": null, "records": null, "bytes": null, "batches": null, "failures": [], "batch_failures": [],
        });
        let Some(tally) = &self.tally else { return summary };
        let Tally { items, records, bytes, batches, given, .. } = tally;
        let failures = tally.failures.iter();
        let failures = failures.map(|[key, code, message]| json!({"key": key, "code": code, "message": message}));
        let batch_failures = tally.batch_failures.iter();
        let batch_failures = batch_failures.map(|[error, cause]| json!({"error": error, "cause": cause}));
        summary["items"] = json!({
            "total": items.total, "succeeded": items.succeeded, "failed": items.failed,
            "skipped": items.skipped, "unprocessed": items.unprocessed,
            "in_failed_batches": given.failed, "in_stopped_batches": given.stopped,
            "without_answer": given.without_answer, "never_started": tally.never_started,
        });
        summary["records"] = json!(records);
        summary["bytes"] = json!(bytes);
        summary["batches"] = json!({
            "total": batches.ended(), "failed": batches.failed, "stopped": batches.stopped,
            "without_answer": batches.without_answer,
        });
        summary["failures"] = failures.collect();
        summary["batch_failures"] = batch_failures.collect();
        summary
    }
}

/// Some object is known not to be processed.
fn is_incomplete(tally: &Tally) -> bool {
    let Tally { items, batches, .. } = tally;
    let known = items.failed + items.unprocessed + tally.never_started;
    known + batches.failed + batches.stopped > 0
}

/// The answers of workers in the output of a state machine without a Map Run: the output itself, or elements of it.
fn outcomes(output: Option<&Value>) -> impl Iterator<Item = &Value> {
    let answers = match output {
        Some(Value::Array(answers)) => answers.as_slice(),
        Some(answer) => std::slice::from_ref(answer),
        None => &[],
    };
    answers.iter().filter(|answer| is_outcome(answer))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::run::tally::sample_outcome;
    use crate::distributed_map::{Counts, MapRunSummary};
    use jiff::Timestamp;

    fn map_run() -> MapRunSummary {
        MapRunSummary {
            map_run_arn: "arn".to_owned(),
            state: "Map".to_owned(),
            status: ExecutionStatus::Succeeded,
            error: None,
            executions: Counts::default(),
            items: Counts::default(),
            max_concurrency: 1,
            manifest: None,
            start: Timestamp::UNIX_EPOCH,
            stop: Timestamp::UNIX_EPOCH,
        }
    }

    /// The summary of an execution over three objects.
    fn summary(status: ExecutionStatus, map_runs: Vec<MapRunSummary>, output: Value, tally: Tally) -> Summary {
        let result = ExecutionResult {
            execution_arn: "arn".to_owned(),
            status,
            output: Some(output),
            error: None,
            cause: None,
            start: Timestamp::UNIX_EPOCH,
            stop: Timestamp::UNIX_EPOCH,
            map_runs,
        };
        let job = Job::parse("{version: 1, name: j, source: {bucket: raw}, output: {bucket: clean}}").unwrap();
        Summary::new(&result, 3, tally, Invocations::default(), 512, Places::new(&job, "r", Path::new("out")))
    }

    #[test]
    fn only_a_run_whose_workers_all_answered_well_is_a_success() {
        let check = |status: ExecutionStatus, change: fn(&mut Tally), expected: &str| {
            let mut tally = Tally::default();
            change(&mut tally);
            let summary = summary(status, vec![map_run()], Value::Null, tally);
            assert_eq!(summary.verdict(), expected);
            assert_eq!(summary.is_success(), expected.starts_with("succeeded"), "{expected}");
            assert_eq!(summary.to_json("r")["is_success"], summary.is_success());
        };
        let incomplete = "finished, but not every object was processed, in 0.0 s";
        let hidden = "unknown: the state machine hides the workers' answers; it ended in 0.0 s";
        let succeeded = ExecutionStatus::Succeeded;
        check(succeeded, |_| {}, "succeeded in 0.0 s");
        check(succeeded, |tally| tally.add_answer(3, Some(&sample_outcome(0))), "succeeded in 0.0 s");
        check(succeeded, |tally| tally.add_answer(3, Some(&sample_outcome(1))), incomplete);
        check(succeeded, |tally| tally.add_answer(3, Some(&Value::Null)), hidden);
        check(succeeded, |tally| tally.add_answer(3, None), hidden);
        check(succeeded, |tally| tally.add_end(3, ExecutionStatus::Failed, None, None), incomplete);
        check(succeeded, |tally| tally.never_started = 1, incomplete);
        check(ExecutionStatus::Failed, |_| {}, "failed in 0.0 s");
        check(ExecutionStatus::TimedOut, |_| {}, "timed out in 0.0 s");
        check(ExecutionStatus::Aborted, |_| {}, "stopped in 0.0 s");
    }

    #[test]
    fn what_a_run_that_ended_early_never_started_is_counted() {
        let check = |status: ExecutionStatus, batches: u64, expected: u64| {
            let mut tally = Tally::default();
            (0..batches).for_each(|_| tally.add_end(2, ExecutionStatus::Aborted, None, None));
            let summary = summary(status, vec![map_run()], Value::Null, tally);
            assert_eq!(summary.to_json("r")["items"]["never_started"], expected);
        };
        check(ExecutionStatus::Aborted, 0, 3);
        check(ExecutionStatus::Failed, 1, 1);
        check(ExecutionStatus::Aborted, 2, 0);
        check(ExecutionStatus::Succeeded, 1, 0);
    }

    #[test]
    fn without_a_map_run_the_output_tells_or_nothing_is_known() {
        let check = |output: Value, is_success: bool, total: Option<u64>| {
            let summary = summary(ExecutionStatus::Succeeded, Vec::new(), output, Tally::default());
            assert_eq!(summary.is_success(), is_success);
            assert_eq!(summary.to_json("r").pointer("/items/total").and_then(Value::as_u64), total);
        };
        check(json!({"some": "thing"}), true, None);
        check(sample_outcome(0), true, Some(3));
        check(sample_outcome(1), false, Some(3));
        check(json!([sample_outcome(0), sample_outcome(0), 1]), true, Some(6));
    }
}
