//! The plan function: the first state of every run.
//!
//! It looks at the source of a job, works out with `planner` how the run is best made and whether it can go well at all, and
//! for the strategies `packed` and `repair` writes the batches. The way through it:
//!
//! 1. [`request`](Request): what the state machine hands over.
//! 2. `source`: the objects, from a listing, an S3 Inventory, or the failures of an earlier run, a page at a time.
//! 3. `gather`: counts them into a survey, and sets the items aside (`spool`) where batches are to be made of them. A listing
//!    that takes longer than an invocation is left at a key and taken up by the next one (`progress`).
//! 4. `planner::forecast`: the numbers, or the refusal.
//! 5. `units`: reads the items back and packs them into batches, one line each.
//! 6. `document`: `plan.json`, which has everything, and the answer, which has what the state machine needs.
//!
//! However many objects there are, a page, the open batches and the buffers of two streams are what is in memory.

mod document;
mod found;
mod gather;
mod lines;
mod names;
mod plan;
mod progress;
mod request;
mod source;
mod spool;
mod units;

pub use document::{Answer, BatchNumbers, Place, Reply, Units};
pub use plan::plan;
pub use request::{Request, SoFar};

use batch::{BatchError, Deadline, Worker};
use planner::Rates;
use serde_json::value::RawValue;
use std::sync::LazyLock;

/// The environment variable with prices and speeds that differ from the built-in ones, as JSON.
pub const RATES_VARIABLE: &str = "MAPMILL_RATES";

static RATES: LazyLock<Result<Rates, String>> = LazyLock::new(|| {
    let text = std::env::var(RATES_VARIABLE).unwrap_or_default();
    let text = if text.trim().is_empty() { "{}" } else { text.as_str() };
    Rates::with_overrides(text).map_err(|error| format!("environment variable {RATES_VARIABLE}: {error}"))
});

/// Answers one invocation.
///
/// # Errors
/// [`BatchError::PlanRefused`] when the run would fail; others when the job is not valid, or the source or the output cannot
/// be reached.
pub async fn handle(worker: Worker, event: Box<RawValue>, deadline: Deadline) -> Result<Reply, BatchError> {
    let rates = RATES.as_ref().map_err(|message| BatchError::AccessDenied(message.clone()))?;
    let payload = serde_json::from_str(event.get())
        .map_err(|error| BatchError::InvalidEvent(format!("not a request for a plan: {error}")))?;
    plan(&worker, &payload, rates, deadline).await
}
