//! Distributed Map: reads items, packs them into batches, runs one child execution for each batch, and collects what
//! they answer.
//!
//! ```text
//! reader ──► selector ──► batcher ══► coordinator ══► children ══► results
//!   (feed: one task)        bounded     (map_run)      (spawned)     (array, or files of bounded size)
//!                           channel
//! ```
//!
//! Nothing in this chain grows with the number of items: the reader holds one listing page, the channel a few batches,
//! the children as much input as [`EngineOptions::child_input_bytes_max`](crate::asl::EngineOptions) allows, the result
//! files one file's worth. When the children are slow, the reader waits.
//!
//! `settings` computes the numbers and names that a state gives by path, `tolerance` decides how many failures are too
//! many, `records` writes a child's result in the service's words.

use std::sync::Arc;

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::asl::context::Scope;
use crate::asl::{Distributed, MapState, Stop, Visit};

mod batcher;
mod child;
mod collector;
mod feed;
mod map_run;
mod reader;
mod records;
mod result_files;
mod settings;
mod summary;
#[cfg(test)]
mod tests;
mod tolerance;

pub use result_files::RESULT_FILE_BYTES_MAX;
pub use summary::{Counts, MapRunSummary};

/// Most children of one Map Run at a time, as in the service.
pub const CHILDREN_MAX: u64 = 10_000;

/// Runs a Distributed Map once and returns its result: the outputs of its children, or where they were written.
pub(crate) async fn run(
    visit: &Visit<'_>,
    map: &MapState,
    distributed: &Distributed,
    raw: &Value,
    retries: u64,
) -> Result<Value, Stop> {
    let context = visit.context(Some(retries));
    let effective = visit.effective_input(None, raw, &context)?;
    let scope = Scope { input: &effective, context: &context };
    // Started, as far as the history goes; wrong numbers fail the state before its Map Run starts.
    visit.execution.history.record(1)?;
    let settings = settings::resolve(map, distributed, scope).map_err(|error| visit.located(error))?;
    visit.execution.history.record(1)?;
    let cancel: CancellationToken = visit.execution.cancel.child_token();
    let run = map_run::MapRun {
        execution: Arc::clone(visit.execution),
        state: visit.state.name.clone(),
        execution_type: distributed.execution_type,
        processor: Arc::clone(&map.processor),
        cancel,
        settings,
    };
    let feed = feed::Feed { selector: map.item_selector.as_ref(), scope };
    let result = run.run(feed).await;
    visit.execution.history.record(2)?;
    result
}
