//! The figures of a run: what `report.json` holds and the page shows.
//!
//! Everything here has a size that does not depend on the run: counts, fixed buckets, the few largest, a few examples.

mod failures;
mod histogram;
mod largest;
mod timeline;

pub use failures::{Example, Kind};
pub use histogram::{Bucket, Spread};
pub use timeline::{Slice, Timeline};

pub(crate) use failures::Kinds;
pub(crate) use histogram::Histogram;
pub(crate) use largest::Largest;

use crate::cost::Cost;
use crate::plan_file::PlanFile;
use crate::verdict::Verdict;
use batch::{Bytes, Records};
use derive_more::AddAssign;
use job::Tolerance;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The longest key or message shown, in characters.
pub(crate) const MAX_TEXT: usize = 300;

/// Reasons that are told apart at most; the rest counts as `other`.
const MAX_REASONS: usize = 32;

/// The figures of a run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Figures {
    /// Version of this shape, 1.
    pub version: u32,
    /// The run.
    pub run_id: String,
    /// Ties the logs of the run together; the ARN of the execution.
    pub correlation_id: String,
    /// The name of the job.
    pub job: String,
    /// The run that this one repaired; counts of items, records and bytes, the manifest and the failures are those of both
    /// together, all other figures those of this run.
    pub repairs: Option<String>,
    /// When the report was made (RFC 3339).
    pub created_at: String,
    /// Whether the run is good.
    pub verdict: Verdict,
    /// Why it is not.
    pub reasons: Vec<String>,
    /// What is worth knowing and does not decide.
    pub remarks: Vec<String>,
    /// What may go wrong before a run is failed.
    pub tolerance: Tolerance,
    /// Where the objects came from, as `s3://bucket/prefix`.
    pub source: String,
    /// Where the outputs are, as `s3://bucket/prefix`.
    pub output: String,
    /// How the items ended.
    pub items: Items,
    /// Records of the items that succeeded.
    pub records: Records,
    /// Bytes of all items.
    pub bytes: Bytes,
    /// Requests that were sent again.
    pub retries: u64,
    /// The clean outputs.
    pub outputs: Objects,
    /// The objects with refused records.
    pub rejects: Objects,
    /// Skipped items by reason.
    pub skipped: BTreeMap<String, u64>,
    /// Items without output, by class and code of the error, the most frequent first.
    pub failures: Vec<Kind>,
    /// Batches of this run.
    pub batches: Batches,
    /// When batches ran.
    pub timeline: Timeline,
    /// How long items took, in milliseconds: those that succeeded or failed.
    pub durations: Spread,
    /// How large items were, in bytes as listed, or as read where that is not known.
    pub sizes: Spread,
    /// The items that took longest.
    pub slowest: Vec<Slow>,
    /// The items with the most refused records.
    pub most_rejects: Vec<Rejecting>,
    /// What was planned, if there is a plan.
    pub plan: Option<PlanFile>,
    /// What the run cost about, if the plan says at what prices.
    pub cost: Option<Cost>,
    /// This run and those before it that it repairs, the first one first.
    pub runs: Vec<RunLine>,
    /// Where things lie.
    pub files: Files,
}

/// How items ended. `total` is the sum of the next five.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Items {
    /// Items that the plan counted, or more if more were found.
    pub total: u64,
    /// Output written.
    pub succeeded: u64,
    /// No output; the ledger says why.
    pub failed: u64,
    /// Not to be processed.
    pub skipped: u64,
    /// Not begun or not ended, because time ran out or the function died.
    pub unprocessed: u64,
    /// Without a line in any ledger.
    pub missing: u64,
    /// Of those missing, the ones whose name is known and that a repair takes up.
    pub missing_named: u64,
}

impl Items {
    /// Items that should have an output and have none.
    #[must_use]
    pub fn without_output(&self) -> u64 {
        self.failed + self.unprocessed + self.missing
    }
}

/// Objects that were written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, AddAssign, Serialize, Deserialize)]
pub struct Objects {
    /// How many.
    pub objects: u64,
    /// Their size.
    pub bytes: u64,
    /// Records in them.
    pub records: u64,
}

/// How batches ended, as the result files of Step Functions tell it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Batches {
    /// All of them.
    pub total: u64,
    /// Ended well.
    pub succeeded: u64,
    /// Failed, timed out or were stopped.
    pub failed: u64,
    /// Were never started, because the run ended before.
    pub never_started: u64,
    /// Ledgers that were read.
    pub ledgers: u64,
    /// Failed batches by error.
    pub errors: Vec<Kind>,
    /// How long batches took, in milliseconds.
    pub durations: Spread,
    /// The batches that took longest.
    pub longest: Vec<LongBatch>,
}

/// A batch that took long.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LongBatch {
    /// The name of the child execution.
    pub name: String,
    /// When it began, in milliseconds since 1970.
    pub started: i64,
    /// How long it took.
    pub duration_ms: u64,
    /// Its items, if they are known.
    pub items: Option<u64>,
    /// Of these, the ones without output, if they are known.
    pub without_output: Option<u64>,
    /// The error, if it failed.
    pub error: Option<String>,
}

/// An item that took long.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Slow {
    /// The key.
    pub key: String,
    /// The part of the object.
    pub range: Option<String>,
    /// How it ended.
    pub status: String,
    /// How long it took.
    pub duration_ms: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Records read.
    pub records: u64,
    /// Requests sent again.
    pub retries: u64,
}

/// An item with refused records.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Rejecting {
    /// The key.
    pub key: String,
    /// The part of the object.
    pub range: Option<String>,
    /// Refused records.
    pub rejected: u64,
    /// Records read.
    pub records: u64,
    /// Where the refused records are, if they are kept.
    pub rejects: Option<String>,
}

/// One run of several that belong together.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RunLine {
    /// The run.
    pub run_id: String,
    /// Items that it had to process.
    pub items: u64,
    /// Of these, those that succeeded.
    pub succeeded: u64,
    /// Items without output when it had ended, of the whole.
    pub left: u64,
    /// When its report was made.
    pub created_at: String,
}

/// Where things lie, as `s3://…`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Files {
    /// Every output.
    pub manifest: String,
    /// Every item that a repair takes up.
    pub failed: String,
    /// These figures.
    pub figures: String,
    /// The page.
    pub report: String,
    /// The folder of the ledgers of this run.
    pub ledgers: String,
}

/// Counts reasons; those that come when there are many already count as `other`.
pub(crate) fn count_reason(reasons: &mut BTreeMap<String, u64>, reason: &str) {
    let is_new = !reasons.contains_key(reason);
    let name = if is_new && reasons.len() >= MAX_REASONS { "other".to_owned() } else { shortened(reason, MAX_TEXT) };
    *reasons.entry(name).or_default() += 1;
}

/// A text of at most so many characters, and `…` where more were.
pub(crate) fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}
