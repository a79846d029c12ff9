//! One run of a Distributed Map, from opening its results to its end, and what is kept of it for a redrive.

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::batcher::Batcher;
use super::child::Family;
use super::collector::Collector;
use super::coordinator::{Coordinator, Kept};
use super::feed::{Feed, FeedEnd, Supply};
use super::handle::MapRunHandle;
use super::reader::{Bookmark, Reader};
use super::result_files::ResultFiles;
use super::settings::{ResultSettings, Settings};
use super::spool::{SpoolReader, Spooled, broken};
use crate::asl::{Core, Execution, ExecutionStatus, ExecutionType, StateError, StateMachine, Stop, names};
use crate::observer::Notice;

/// Batches that wait between the feed and the coordinator; each is at most a payload.
const WAITING_BATCHES: usize = 4;

/// A Map Run that has not started, or not again.
pub(super) struct MapRun {
    pub(super) handle: Arc<MapRunHandle>,
    pub(super) execution: Arc<Execution>,
    pub(super) execution_type: ExecutionType,
    pub(super) processor: Arc<StateMachine>,
    pub(super) cancel: CancellationToken,
    pub(super) settings: Settings,
    pub(super) before: Before,
}

/// What an attempt goes on from; for the first one, nothing.
#[derive(Default)]
pub(super) struct Before {
    results: Option<Results>,
    unfinished: Option<Spooled>,
    bookmark: Bookmark,
    /// The number of all items, when they are known.
    total_items: Option<u64>,
    next_index: u64,
}

/// A Map Run that failed, as a redrive needs it.
pub(super) struct Parked {
    pub(super) handle: Arc<MapRunHandle>,
    before: Before,
    kept: Kept,
}

/// Where results go.
pub(super) enum Results {
    Collected(Collector),
    Files(Box<ResultFiles>),
}

impl Parked {
    /// Begins the next attempt.
    pub(super) fn redrive(self) -> (Arc<MapRunHandle>, Before) {
        self.handle.redriven();
        self.kept.wait_for_redrive(&self.handle);
        (self.handle, self.before)
    }
}

impl MapRun {
    /// Runs all children and returns the result of the state.
    pub(super) async fn run(self, feed: Feed<'_>) -> Result<Value, Stop> {
        let Self { handle, execution, execution_type, processor, cancel, settings, before } = self;
        let core = Arc::clone(&execution.core);
        let limits = handle.limits();
        core.observer.notice(Notice::MapRunStarted {
            map_run: handle.arn(),
            state: &handle.names.state,
            max_concurrency: limits.max_concurrency,
            tolerated_count: limits.tolerance.count.unwrap_or(0),
            tolerated_percentage: limits.tolerance.percentage.unwrap_or(0.0),
            execution_type,
        });
        let family = Family {
            parent: Arc::clone(&execution),
            processor,
            execution_type,
            name: handle.names.family.clone(),
            state_machine_arn: handle.names.state_machine_arn.as_str().into(),
            cancel: cancel.clone(),
        };
        let Before { results, unfinished, bookmark, total_items, next_index } = before;
        let mut coordinator = Coordinator::new(Arc::new(family), &handle, total_items, next_index);
        let again = unfinished.map_or(Ok(SpoolReader::empty()), Spooled::read).map_err(broken);
        let opened = open_results(&core, &handle, results, &settings.results).await;
        let is_read = total_items.is_some();
        let reader =
            if is_read { Ok(None) } else { Reader::new(settings.source, Arc::clone(&core), &bookmark).map(Some) };
        let (ended, results, bookmark, is_whole) = match (opened, reader, again) {
            (Ok(mut results), Ok(reader), Ok(again)) => {
                let supply = Supply { again, reader, batcher: Batcher::new(settings.batches) };
                let (sender, receiver) = mpsc::channel(WAITING_BATCHES);
                let (end, ()) = tokio::join!(
                    feed.run(supply, sender, &cancel, &*core.observer, &handle),
                    coordinator.run(receiver, &mut results),
                );
                let FeedEnd { unsent, mut again, bookmark: reached } = end;
                for fed in unsent {
                    coordinator.keep(fed, &mut results).await;
                }
                coordinator.keep_rest(&mut again, &mut results).await;
                let (ended, results) = finish(results, coordinator.take_failure(), &execution.cancel).await;
                (ended, results, reached.unwrap_or(bookmark), true)
            }
            // What an earlier attempt has left may be lost with it.
            (Err(error), ..) | (_, Err(error), _) | (.., Err(error)) => {
                (Err(error.into()), None, bookmark, next_index == 0)
            }
        };
        let manifest = match &results {
            Some(Results::Files(files)) => Some(files.manifest()),
            _ => None,
        };
        let (status, failure) = match &ended {
            Ok(_) => (ExecutionStatus::Succeeded, None),
            Err(Stop::Failed(error)) => (ExecutionStatus::Failed, Some((error.name.clone(), error.cause.clone()))),
            Err(Stop::TimedOut) => (ExecutionStatus::TimedOut, None),
            Err(Stop::Aborted) => (ExecutionStatus::Aborted, None),
        };
        if is_whole && is_redrivable(&ended) {
            let total_items = coordinator.total_items();
            let has_started = coordinator.has_started();
            let (next_index, kept, unfinished) = coordinator.into_kept();
            // Where no child has started the items are read anew, and the results begin anew.
            let before = if has_started {
                Before { results, unfinished, bookmark, total_items, next_index }
            } else {
                handle.forget_counts();
                Before::default()
            };
            core.map_runs.park(Parked { handle: Arc::clone(&handle), before, kept });
        }
        execution.map_run_finished(handle.ended(status, failure, manifest));
        ended
    }
}

/// Whether a redrive of the execution goes on with this run; otherwise it starts a new one.
fn is_redrivable(ended: &Result<Value, Stop>) -> bool {
    match ended {
        Ok(_) => false,
        Err(Stop::Failed(error)) => ![names::DATA_LIMIT_EXCEEDED, names::RUNTIME].contains(&error.name.as_str()),
        Err(Stop::TimedOut | Stop::Aborted) => true,
    }
}

async fn open_results(
    core: &Arc<Core>,
    handle: &MapRunHandle,
    earlier: Option<Results>,
    settings: &ResultSettings,
) -> Result<Results, StateError> {
    match (earlier, &settings.place) {
        (Some(Results::Files(mut files)), _) => {
            files.reopen().await?;
            Ok(Results::Files(files))
        }
        (Some(collected), _) => Ok(collected),
        (None, None) => Ok(Results::Collected(Collector::new(settings.transformation))),
        (None, Some(place)) => {
            let (core, arn) = (Arc::clone(core), handle.arn().to_owned());
            let id = &handle.names.id;
            let files = ResultFiles::open(core, arn, id, place, settings.transformation, settings.output_type).await?;
            Ok(Results::Files(Box::new(files)))
        }
    }
}

/// The result of the state, after everything that was written is in place; and what a redrive adds to.
async fn finish(
    results: Results,
    failure: Option<StateError>,
    outer: &CancellationToken,
) -> (Result<Value, Stop>, Option<Results>) {
    let (written, results) = match results {
        Results::Files(mut files) => {
            let written = files.finish().await.map(|()| files.reference());
            (Some(written), Some(Results::Files(files)))
        }
        collected @ Results::Collected(_) => (None, Some(collected)),
    };
    if outer.is_cancelled() {
        return (Err(Stop::Aborted), results);
    }
    match (failure, written, results) {
        (Some(failure), _, results) => (Err(failure.into()), results),
        (None, Some(written), results) => (written.map_err(Stop::from), results),
        (None, None, Some(Results::Collected(collector))) => (collector.finish().map_err(Stop::from), None),
        (None, None, results) => (Err(StateError::runtime("The results of the Map Run are missing.").into()), results),
    }
}
