//! Distributed Map: reads items, packs them into batches, runs one child execution for each batch, and collects what
//! they answer.
//!
//! ```text
//! reader ──► selector ──► batcher ══► coordinator ══► children ══► results
//!   (feed: one task)        bounded                    (spawned)     (array, or files of bounded size)
//!                           channel
//! ```
//!
//! Nothing in this chain grows with the number of items: the reader holds one listing page, the channel a few batches,
//! the children as much input as [`EngineOptions::child_input_bytes_max`](crate::asl::EngineOptions) allows, the result
//! files a buffer each. When the children are slow, the reader waits.
//!
//! `settings` computes the numbers and names that a state gives by path, `tolerance` decides how many failures are too
//! many, `records` writes a child's result in the service's words. `handle` shows a run to others and lets them change its
//! limits, `registry` finds it by its ARN. `spool` keeps the children that did not succeed in a temporary file; from it, a
//! bookmark in the data set and the list of result files a redrive goes on where the run has failed.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use self::handle::{Limits, Names};
use self::map_run::{Before, MapRun};
use crate::asl::context::Scope;
use crate::asl::{Distributed, MapState, Stop, Visit, history};

mod batcher;
mod child;
mod collector;
mod coordinator;
mod feed;
mod handle;
mod map_run;
mod reader;
mod records;
mod registry;
mod result_files;
mod settings;
mod spool;
mod summary;
#[cfg(test)]
mod tests;
mod tolerance;

pub use handle::{MapRunDescription, MapRunHandle, MapRunStatus, MapRunUpdate, UpdateError};
pub use registry::{MAP_RUNS_REDRIVABLE_MAX, MAP_RUNS_REMEMBERED_MAX, MapRuns};
pub use summary::{Counts, MapRunSummary};

/// Most children of one Map Run at a time, as in the service.
pub const CHILDREN_MAX: u64 = 10_000;

/// Runs a Distributed Map once and returns its result: the outputs of its children, or where they were written. In a
/// redrive it goes on with the run that failed, when there is one.
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
    visit.record("MapStateStarted", || {
        // How many items a reader will find is not known yet, and the service says 0.
        let length = match &distributed.reader {
            Some(_) => 0,
            None => settings::given(map, scope).map_or(0, |source| source.given_items()),
        };
        Some(("mapStateStartedEventDetails", json!({"length": length})))
    })?;
    let settings = settings::resolve(map, distributed, scope).map_err(|error| visit.located(error))?;
    let core = &visit.execution.core;
    let execution_arn = &visit.execution.identity.execution_id;
    let parked = if visit.resumed { core.map_runs.unpark(execution_arn, &visit.state.name) } else { None };
    let (kind, details) = match parked {
        Some(_) => ("MapRunRedriven", "mapRunRedrivenEventDetails"),
        None => ("MapRunStarted", "mapRunStartedEventDetails"),
    };
    let (handle, before) = match parked {
        Some(parked) => parked.redrive(),
        None => {
            let limits = Limits { max_concurrency: settings.max_concurrency, tolerance: settings.tolerance };
            let handle = Arc::new(MapRunHandle::new(names(visit, distributed.label.as_deref()), limits));
            core.map_runs.add(Arc::clone(&handle));
            (handle, Before::default())
        }
    };
    visit.record(kind, || {
        let mut content = json!({"mapRunArn": handle.arn()});
        if kind == "MapRunRedriven" {
            content["redriveCount"] = handle.describe().redrive_count.into();
        }
        Some((details, content))
    })?;
    let cancel: CancellationToken = visit.execution.cancel.child_token();
    let run = MapRun {
        handle,
        execution: Arc::clone(visit.execution),
        execution_type: distributed.execution_type,
        processor: Arc::clone(&map.processor),
        cancel,
        settings,
        before,
    };
    let feed = feed::Feed { selector: map.item_selector.as_ref(), scope };
    let result = run.run(feed).await;
    match &result {
        Ok(_) => {
            // The service links what leaves the state to the start of the Map Run.
            let succeeded = visit.record_beside("MapRunSucceeded", history::nothing)?;
            visit.execution.history.record_behind(succeeded, "MapStateSucceeded", history::nothing)?;
        }
        Err(Stop::Failed(error)) => {
            visit.record("MapRunFailed", || {
                history::failure("mapRunFailedEventDetails", Some(&error.name), error.cause.as_deref())
            })?;
        }
        Err(Stop::TimedOut | Stop::Aborted) => {
            visit.record("MapRunAborted", history::nothing)?;
        }
    }
    result
}

/// What a new Map Run is called. Without a label the service makes one up.
fn names(visit: &Visit<'_>, label: Option<&str>) -> Names {
    let core = &visit.execution.core;
    let id = uuid::Uuid::new_v4().to_string();
    let label = label.map_or_else(|| uuid::Uuid::new_v4().to_string(), str::to_owned);
    let family = format!("{}/{label}", core.options.state_machine_name);
    Names {
        map_run_arn: core.arn("mapRun", &format!("{family}:{id}")),
        id,
        execution_arn: visit.execution.identity.execution_id.clone(),
        state_machine_arn: core.arn("stateMachine", &family),
        family,
        state: visit.state.name.clone(),
    }
}
