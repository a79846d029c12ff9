//! The coordinator of a Map Run: starts children while there is room, takes their results, and stops when too much
//! failed or somebody cancels.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::mpsc::{self, Receiver};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::batcher::{Batch, Batcher};
use super::child::{Family, Finished};
use super::collector::Collector;
use super::feed::{Fed, Feed};
use super::reader::Reader;
use super::result_files::ResultFiles;
use super::settings::Settings;
use super::summary::{Counts, MapRunSummary};
use super::tolerance::Tolerance;
use crate::asl::{Execution, ExecutionStatus, ExecutionType, StateError, StateMachine, Stop, names};
use crate::observer::Notice;

/// Batches that wait between the feed and the coordinator; each is at most a payload.
const WAITING_BATCHES: usize = 4;

/// A Map Run that has not started.
pub(super) struct MapRun {
    pub(super) execution: Arc<Execution>,
    pub(super) state: String,
    pub(super) execution_type: ExecutionType,
    pub(super) processor: Arc<StateMachine>,
    pub(super) cancel: CancellationToken,
    pub(super) settings: Settings,
}

/// Where results go.
enum Results {
    Collected(Collector),
    Files(Box<ResultFiles>),
}

impl MapRun {
    /// Runs all children and returns the result of the state.
    pub(super) async fn run(self, feed: Feed<'_>) -> Result<Value, Stop> {
        let core = Arc::clone(&self.execution.core);
        let id = uuid::Uuid::new_v4().to_string();
        let label = self.settings.label.clone().unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
        let family_name = format!("{}/{label}", core.options.state_machine_name);
        let map_run = core.arn("mapRun", &format!("{family_name}:{id}"));
        let start = Timestamp::now();
        core.observer.notice(Notice::MapRunStarted {
            map_run: &map_run,
            state: &self.state,
            max_concurrency: self.settings.max_concurrency,
        });
        let mut coordinator = Coordinator {
            family: Arc::new(Family {
                parent: Arc::clone(&self.execution),
                processor: self.processor,
                execution_type: self.execution_type,
                name: family_name,
                cancel: self.cancel.clone(),
            }),
            map_run: &map_run,
            max_concurrency: usize::try_from(self.settings.max_concurrency).unwrap_or(usize::MAX),
            bytes_max: core.options.child_input_bytes_max,
            tolerance: self.settings.tolerance,
            children: JoinSet::new(),
            running_bytes: 0,
            started: 0,
            total_items: None,
            executions: Counts::default(),
            items: Counts::default(),
            failure: None,
        };
        let places = &self.settings.results;
        let opened = match &places.place {
            None => Ok(Results::Collected(Collector::new(places.transformation))),
            Some(place) => {
                let (arn, core) = (map_run.clone(), Arc::clone(&core));
                ResultFiles::open(core, arn, &id, place, places.transformation, places.output_type)
                    .await
                    .map(|files| Results::Files(Box::new(files)))
            }
        };
        let mut manifest = None;
        let ended = match (opened, Reader::new(self.settings.source, Arc::clone(&core.services))) {
            (Ok(mut results), Ok(reader)) => {
                if let Results::Files(files) = &results {
                    manifest = Some(files.manifest());
                }
                let batcher = Batcher::new(self.settings.batches);
                let (sender, receiver) = mpsc::channel(WAITING_BATCHES);
                let observer = &*core.observer;
                let (unsent, ()) = tokio::join!(
                    feed.run(reader, batcher, sender, &self.cancel, observer, &map_run),
                    coordinator.run(receiver, &mut results),
                );
                for batch in unsent {
                    coordinator.keep_pending(batch, &mut results).await;
                }
                coordinator.finish(results, &self.execution.cancel).await
            }
            (Err(error), _) | (_, Err(error)) => Err(error.into()),
        };
        let (status, error) = match &ended {
            Ok(_) => (ExecutionStatus::Succeeded, None),
            Err(Stop::Failed(error)) => (ExecutionStatus::Failed, Some(error.name.clone())),
            Err(Stop::TimedOut) => (ExecutionStatus::TimedOut, None),
            Err(Stop::Aborted) => (ExecutionStatus::Aborted, None),
        };
        self.execution.map_run_finished(MapRunSummary {
            state: self.state,
            status,
            error,
            executions: coordinator.executions,
            items: coordinator.items,
            max_concurrency: self.settings.max_concurrency,
            manifest,
            start,
            stop: Timestamp::now(),
            map_run_arn: map_run.clone(),
        });
        ended
    }
}

struct Coordinator<'r> {
    family: Arc<Family>,
    map_run: &'r str,
    max_concurrency: usize,
    bytes_max: usize,
    tolerance: Tolerance,
    children: JoinSet<Finished>,
    running_bytes: usize,
    started: u64,
    total_items: Option<u64>,
    executions: Counts,
    items: Counts,
    failure: Option<StateError>,
}

impl Coordinator<'_> {
    /// Runs until all children have ended and no more will start.
    async fn run(&mut self, mut batches: Receiver<Fed>, results: &mut Results) {
        let cancel = self.family.cancel.clone();
        let mut admitting = true;
        loop {
            if admitting && (self.failure.is_some() || cancel.is_cancelled()) {
                admitting = false;
                // The feed ends when it can send no more.
                batches.close();
                while let Some(fed) = batches.recv().await {
                    if let Fed::Batch(batch) = fed {
                        self.keep_pending(batch, results).await;
                    }
                }
            }
            let room = self.children.is_empty()
                || (self.children.len() < self.max_concurrency && self.running_bytes < self.bytes_max);
            tokio::select! {
                biased;
                Some(joined) = self.children.join_next() => self.take(joined, results).await,
                () = cancel.cancelled(), if admitting => {}
                fed = batches.recv(), if admitting && room => match fed {
                    Some(Fed::Batch(batch)) => self.start(batch),
                    Some(Fed::Failed(error)) => self.fail(error),
                    Some(Fed::Complete(items)) => {
                        self.total_items = Some(items);
                        self.judge();
                    }
                    None => admitting = false,
                },
                else => return,
            }
        }
    }

    /// The result of the state, after everything that was written is in place.
    async fn finish(&mut self, results: Results, outer: &CancellationToken) -> Result<Value, Stop> {
        let result = match results {
            Results::Collected(collector) => collector.finish(),
            Results::Files(mut files) => files.finish().await.map(|()| files.reference()),
        };
        match self.failure.take() {
            _ if outer.is_cancelled() => Err(Stop::Aborted),
            Some(failure) => Err(failure.into()),
            None => Ok(result?),
        }
    }

    fn start(&mut self, batch: Batch) {
        let child = self.family.child(self.started, batch);
        self.started += 1;
        self.running_bytes += child.bytes;
        let observer = &self.family.parent.core.observer;
        observer.notice(Notice::ChildStarted { map_run: self.map_run, child: &child.name, items: child.items });
        self.children.spawn(Arc::clone(&self.family).run(child));
    }

    async fn take(&mut self, joined: Result<Finished, JoinError>, results: &mut Results) {
        let mut finished = match joined {
            Ok(finished) => finished,
            Err(error) => return self.fail(StateError::runtime(format!("A child execution broke off: {error}"))),
        };
        let Finished { child, status, .. } = &finished;
        self.running_bytes = self.running_bytes.saturating_sub(child.bytes);
        self.executions.add(*status, 1);
        self.items.add(*status, child.items);
        self.family.parent.core.observer.notice(Notice::ChildFinished {
            map_run: self.map_run,
            child: &child.name,
            items: child.items,
            status: *status,
            output: finished.output.as_ref(),
            error: finished.error.as_deref(),
            cause: finished.cause.as_deref(),
            duration: finished.stop.duration_since(finished.start).try_into().unwrap_or_default(),
        });
        let kept = match results {
            Results::Collected(collector) => collector.add(&mut finished),
            Results::Files(files) => files.add(&finished).await,
        };
        match kept {
            Ok(()) => self.judge(),
            Err(error) => self.fail(error),
        }
    }

    /// Fails the run when more items failed than are tolerated.
    fn judge(&mut self) {
        if self.tolerance.exceeded(self.items.failed + self.items.timed_out, self.total_items) {
            let cause = "The specified tolerated failure threshold was exceeded";
            self.fail(StateError::new(names::EXCEED_TOLERATED_FAILURE_THRESHOLD, cause));
        }
    }

    /// Remembers the first failure and stops the children, as far as they can be stopped.
    fn fail(&mut self, error: StateError) {
        if self.failure.is_none() {
            self.failure = Some(error);
        }
        // Express executions cannot be stopped one by one: the service lets them end, and so do we.
        if self.family.execution_type == ExecutionType::Standard {
            self.family.cancel.cancel();
        }
    }

    /// Counts and writes a batch that was made but never started.
    async fn keep_pending(&mut self, batch: Batch, results: &mut Results) {
        let child = self.family.child(self.started, batch);
        self.started += 1;
        self.executions.pending += 1;
        self.items.pending += child.items;
        if let Results::Files(files) = results
            && let Err(error) = files.add_pending(&child).await
        {
            self.fail(error);
        }
    }
}
