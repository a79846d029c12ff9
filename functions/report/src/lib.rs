//! The report function: reads what a run left behind and says whether it is good.
//!
//! It reads the result files of Step Functions and all ledgers of the run, in memory that does not grow with the run, and
//! writes four files into the run's folder `report/`: `manifest.json` (every output), `failed.jsonl` (every item that a
//! repair takes up), `report.json` (the figures, for programs) and `report.html` (the same, to look at). The report of a
//! repair takes in that of the run before. `docs/reports.md` has all fields.
//!
//! | room | what it does |
//! |---|---|
//! | `request` | what is asked for, and where the things of a run lie |
//! | `lines`, `folder` | JSON out of files of any size, several files opened ahead |
//! | `children` | batches, as Step Functions tells of them |
//! | `unseen` | items that should be in a ledger and are not |
//! | `tally`, [`figures`], `cost` | counts, buckets, the few largest |
//! | `verdict` | the counts held against the job's tolerances |
//! | `files` | the two files that can be as long as the run |
//! | [`page`] | the page |
//! | `survey` | the way from one to the next |

mod children;
mod cost;
pub mod figures;
mod files;
mod folder;
mod lines;
pub mod page;
mod plan_file;
mod request;
mod survey;
mod tally;
mod unseen;
mod verdict;

pub use cost::Cost;
pub use files::FailedLine;
pub use plan_file::{Expected, FunctionPlan, Money, PlanFile, Prices, RepairOf};
pub use verdict::Verdict;

use batch::{BatchError, Bytes, Deadline, Records, Worker};
use figures::{Figures, Items};
use request::Request;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tracing::Span;

/// The longest answer in bytes, as that of a worker: Step Functions carries 256 KiB per state.
pub const MAX_ANSWER_BYTES: usize = batch::MAX_OUTCOME_BYTES;

/// What the function answers: small, whatever the run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Answer {
    /// Version of this shape, 1.
    pub version: u32,
    /// The run.
    pub run_id: String,
    /// Whether the run is good.
    pub verdict: Verdict,
    /// Why it is not, at most ten.
    pub reasons: Vec<String>,
    /// The run that it repairs; the counts are those of both together.
    pub repairs: Option<String>,
    /// How the items ended.
    pub items: Items,
    /// Their records.
    pub records: Records,
    /// Their bytes.
    pub bytes: Bytes,
    /// `s3://` address of `manifest.json`.
    pub manifest: String,
    /// `s3://` address of `failed.jsonl`.
    pub failed: String,
    /// `s3://` address of `report.html`.
    pub report: String,
}

/// Answers one invocation.
///
/// # Errors
/// The payload is no request for a report, the job or the plan cannot be read, or the store fails. A report that takes
/// longer than the invocation fails as [`BatchError::Internal`].
pub async fn handle(worker: Worker, event: Box<RawValue>, deadline: Deadline) -> Result<Answer, BatchError> {
    let payload: Value = serde_json::from_str(event.get())
        .map_err(|error| BatchError::InvalidEvent(format!("not a request for a report: {error}")))?;
    let request = Request::parse(&payload)?;
    let (run_id, correlation_id) = (request.event.run_id.as_str(), request.event.correlation_id.as_str());
    Span::current().record("run_id", run_id).record("correlation_id", correlation_id);
    let figures = tokio::select! {
        figures = survey::survey(&worker, &request) => figures?,
        () = deadline.passed() => {
            let message = "the report was not ready in time; give the function more time or memory and run it again";
            return Err(BatchError::Internal(message.to_owned()));
        }
    };
    Ok(answer(figures))
}

fn answer(figures: Figures) -> Answer {
    let items = figures.items;
    tracing::info!(
        verdict = if figures.verdict == Verdict::Succeeded { "succeeded" } else { "failed" },
        items = items.total,
        items_succeeded = items.succeeded,
        items_failed = items.failed,
        items_skipped = items.skipped,
        items_unprocessed = items.unprocessed,
        items_missing = items.missing,
        report = figures.files.report,
        "report written"
    );
    Answer {
        version: 1,
        run_id: figures.run_id,
        verdict: figures.verdict,
        reasons: figures.reasons,
        repairs: figures.repairs,
        items,
        records: figures.records,
        bytes: figures.bytes,
        manifest: figures.files.manifest,
        failed: figures.files.failed,
        report: figures.files.report,
    }
}
