//! The end of a run: a table for people, `summary.json` for programs.

use std::path::{Path, PathBuf};

use job::Job;
use serde_json::{Value, json};

use super::services::Invocations;
use super::tally::Tally;
use super::{CommandError, Terminal};
use crate::asl::{ExecutionResult, ExecutionStatus};
use crate::cli::terminal::{human_bytes, human_count};
use crate::s3::{Attributes, ObjectStore, WriteCondition};

/// Longest cause and message shown, in characters.
const MOST_CHARACTERS: usize = 400;

/// Where the parts of a run lie on disk.
pub(super) struct Places {
    output: PathBuf,
    run: PathBuf,
    log: PathBuf,
}

impl Places {
    pub(super) fn new(job: &Job, run_id: &str, out: &Path, log: PathBuf) -> Self {
        let output = out.join(job.output.prefix.as_str());
        Self { run: output.join("_mapmill").join(run_id), output, log }
    }
}

/// What is told at the end.
pub(super) struct Summary {
    status: ExecutionStatus,
    error: Option<String>,
    cause: Option<String>,
    seconds: f64,
    tally: Tally,
    invocations: Invocations,
    memory_mb: u32,
    places: Places,
}

impl Summary {
    pub(super) fn new(
        result: &ExecutionResult,
        tally: Tally,
        invocations: Invocations,
        memory_mb: u32,
        places: Places,
    ) -> Self {
        let seconds = result.stop.duration_since(result.start).as_secs_f64();
        let (error, cause) = (result.error.clone(), result.cause.clone());
        Self { status: result.status, error, cause, seconds, tally, invocations, memory_mb, places }
    }

    /// The state machine succeeded, and every object was processed or skipped for a reason.
    pub(super) fn is_success(&self) -> bool {
        let items = self.tally.items;
        self.status == ExecutionStatus::Succeeded
            && items.failed == 0
            && items.unprocessed == 0
            && self.tally.failed_batches == 0
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
        let Tally { items, records, bytes, .. } = &self.tally;
        let failures = self
            .tally
            .failures
            .iter()
            .map(|[key, code, message]| json!({"key": key, "code": code, "message": message}));
        let batch_failures =
            self.tally.batch_failures.iter().map(|[error, cause]| json!({"error": error, "cause": cause}));
        json!({
            "version": 1,
            "run_id": run_id,
            "status": self.status.as_str(),
            "error": self.error,
            "cause": self.cause,
            "is_success": self.is_success(),
            "seconds": self.seconds,
            "items": {
                "total": items.total, "succeeded": items.succeeded, "failed": items.failed,
                "skipped": items.skipped, "unprocessed": items.unprocessed,
                "in_failed_batches": self.tally.items_in_failed_batches,
            },
            "records": {
                "read": records.read, "written": records.written,
                "filtered": records.filtered, "rejected": records.rejected,
            },
            "bytes": {"read": bytes.read, "expanded": bytes.expanded, "written": bytes.written},
            "batches": {"total": self.tally.batches, "failed": self.tally.failed_batches},
            "invocations": {
                "total": self.invocations.count, "failed": self.invocations.failed, "cold": self.invocations.cold,
                "peak_memory_bytes": self.invocations.peak_memory_bytes,
            },
            "failures": failures.collect::<Vec<_>>(),
            "batch_failures": batch_failures.collect::<Vec<_>>(),
        })
    }

    /// Prints the table.
    pub(super) fn show(&self, terminal: &Terminal) {
        let Tally { items, records, bytes, .. } = &self.tally;
        let verdict = match (self.status, self.is_success()) {
            (_, true) => "succeeded".to_owned(),
            (ExecutionStatus::Succeeded, false) => "finished, but not every object was processed".to_owned(),
            (status, _) => status.as_str().to_lowercase().replace('_', " "),
        };
        terminal.line("");
        terminal.line(format!("{verdict} in {:.1} s", self.seconds));
        terminal.line("");
        let count = human_count;
        let mut objects = vec![
            (count(items.total + self.tally.items_in_failed_batches), "in all"),
            (count(items.succeeded), "succeeded"),
            (count(items.failed), "failed"),
            (count(items.skipped), "skipped"),
            (count(items.unprocessed), "unprocessed"),
        ];
        if self.tally.items_in_failed_batches > 0 {
            // What became of each of these, only the ledger can tell, if the batch came to write one.
            objects.push((count(self.tally.items_in_failed_batches), "in failed batches"));
        }
        row(terminal, "objects", &objects);
        row(
            terminal,
            "records",
            &[
                (count(records.read), "read"),
                (count(records.written), "written"),
                (count(records.filtered), "filtered"),
                (count(records.rejected), "rejected"),
            ],
        );
        let rate = (bytes.read as f64 / self.seconds.max(0.001)) as u64;
        row(
            terminal,
            "bytes",
            &[
                (human_bytes(bytes.read), "read"),
                (human_bytes(bytes.expanded), "expanded"),
                (human_bytes(bytes.written), "written"),
                (format!("{}/s", human_bytes(rate)), "read"),
            ],
        );
        row(
            terminal,
            "batches",
            &[
                (count(self.tally.batches), "ended"),
                (count(self.tally.failed_batches), "failed"),
                (count(self.invocations.count), "invocations"),
                (count(self.invocations.cold), "cold"),
            ],
        );
        let peak = human_bytes(self.invocations.peak_memory_bytes);
        row(terminal, "memory", &[(peak, &format!("at most in a function process, of {} MB", self.memory_mb))]);
        terminal.line("");
        let place = |name: &str, path: &Path| terminal.line(format!("  {name:<9} {}", path.display()));
        place("output", &self.places.output);
        place("ledger", &self.places.run.join("ledger"));
        if records.rejected > 0 {
            place("rejects", &self.places.run.join("rejects"));
        }
        place("results", &self.places.run.join("map-run"));
        place("summary", &self.places.run.join("summary.json"));
        place("log", &self.places.log);
        self.show_failures(terminal);
    }

    fn show_failures(&self, terminal: &Terminal) {
        if !self.tally.failures.is_empty() {
            terminal.line("");
            let shown = self.tally.failures.len() as u64;
            terminal.line(format!("failed objects ({} of {}):", shown, self.tally.items.failed));
            for [key, code, message] in &self.tally.failures {
                terminal.line(format!("  {} ({code})\n      {}", visible(key), visible(message)));
            }
        }
        if !self.tally.batch_failures.is_empty() {
            terminal.line("");
            let shown = self.tally.batch_failures.len() as u64;
            terminal.line(format!("failed batches ({} of {}):", shown, self.tally.failed_batches));
            for [error, cause] in &self.tally.batch_failures {
                terminal.line(format!("  {error}\n      {}", visible(cause)));
            }
        }
        if let Some(error) = &self.error {
            terminal.line("");
            terminal.line(format!("the state machine ended with {error}"));
            if let Some(cause) = &self.cause {
                terminal.line(format!("      {}", visible(cause)));
            }
        }
    }
}

fn row(terminal: &Terminal, name: &str, cells: &[(String, &str)]) {
    let cells: Vec<String> = cells.iter().map(|(value, meaning)| format!("{value} {meaning}")).collect();
    terminal.line(format!("  {name:<9} {}", cells.join(" · ")));
}

/// Text from outside for a terminal: no control characters, cut to size.
fn visible(text: &str) -> String {
    let clean = |letter: char| if letter.is_control() { ' ' } else { letter };
    let mut shown: String = text.chars().take(MOST_CHARACTERS).map(clean).collect();
    if text.chars().nth(MOST_CHARACTERS).is_some() {
        shown.push('…');
    }
    shown
}
