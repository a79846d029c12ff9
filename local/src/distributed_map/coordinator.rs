//! The coordinator of a Map Run: starts children while there is room, takes their results, and stops when too much
//! failed or somebody cancels. What did not succeed it keeps for a redrive.

use std::sync::Arc;

use tokio::sync::mpsc::Receiver;
use tokio::task::{JoinError, JoinSet};

use super::batcher::Batch;
use super::child::{Child, Family, Finished};
use super::feed::Fed;
use super::handle::MapRunHandle;
use super::map_run::Results;
use super::spool::{Ended, Spool, SpoolReader, Spooled, Unfinished};
use super::summary::Counts;
use crate::asl::{ExecutionStatus, ExecutionType, StateError, names};
use crate::observer::Notice;

/// Starts, counts and judges the children.
pub(super) struct Coordinator<'r> {
    family: Arc<Family>,
    map_run: &'r MapRunHandle,
    bytes_max: usize,
    children: JoinSet<Finished>,
    running_bytes: usize,
    next_index: u64,
    has_started: bool,
    total_items: Option<u64>,
    failure: Option<StateError>,
    spool: Spool,
    kept: Kept,
}

/// What is in the spool, by how it ended.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Kept {
    executions: Counts,
    items: Counts,
}

impl Kept {
    fn add(&mut self, ended: Ended, items: u64) {
        *self.executions.ended(ended.into()) += 1;
        *self.items.ended(ended.into()) += items;
    }

    /// Lets what ended without success wait to be run again.
    pub(super) fn wait_for_redrive(&self, map_run: &MapRunHandle) {
        map_run.exchange(self.executions, self.items, |counts, kept| {
            let waiting = kept.failed + kept.timed_out + kept.aborted;
            counts.failed -= kept.failed;
            counts.timed_out -= kept.timed_out;
            counts.aborted -= kept.aborted;
            counts.pending_redrive += waiting;
            counts.results_written = counts.results_written.saturating_sub(waiting);
        });
    }
}

impl From<Ended> for ExecutionStatus {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Failed => Self::Failed,
            Ended::TimedOut => Self::TimedOut,
            Ended::Aborted => Self::Aborted,
        }
    }
}

impl<'r> Coordinator<'r> {
    pub(super) fn new(
        family: Arc<Family>,
        map_run: &'r MapRunHandle,
        total_items: Option<u64>,
        next_index: u64,
    ) -> Self {
        let options = &family.parent.core.options;
        Self {
            bytes_max: options.child_input_bytes_max,
            spool: Spool::new(options.redrive_bytes_max),
            family,
            map_run,
            children: JoinSet::new(),
            running_bytes: 0,
            next_index,
            has_started: next_index > 0,
            total_items,
            failure: None,
            kept: Kept::default(),
        }
    }

    /// Runs until all children have ended and no more will start.
    pub(super) async fn run(&mut self, mut batches: Receiver<Fed>, results: &mut Results) {
        let cancel = self.family.cancel.clone();
        let mut admitting = true;
        loop {
            if admitting && (self.failure.is_some() || cancel.is_cancelled()) {
                admitting = false;
                // The feed ends when it can send no more.
                batches.close();
                while let Some(fed) = batches.recv().await {
                    self.keep(fed, results).await;
                }
            }
            if !admitting && self.children.is_empty() {
                return;
            }
            let most = self.map_run.limits().children();
            let room = self.children.is_empty() || (self.children.len() < most && self.running_bytes < self.bytes_max);
            tokio::select! {
                biased;
                Some(joined) = self.children.join_next() => self.take(joined, results).await,
                () = cancel.cancelled(), if admitting => {}
                () = self.map_run.changed.notified() => self.judge(),
                fed = batches.recv(), if admitting && room => match fed {
                    Some(Fed::Batch(batch)) => {
                        let child = self.new_child(batch);
                        self.start(child);
                    }
                    Some(Fed::Again(unfinished)) => {
                        let child = self.family.child_again(*unfinished);
                        self.start(child);
                    }
                    Some(Fed::Failed(error)) => self.fail(error),
                    Some(Fed::Complete(items)) => {
                        self.total_items = Some(items);
                        self.judge();
                    }
                    None => admitting = false,
                },
            }
        }
    }

    /// The number of all items, when they are known.
    pub(super) fn total_items(&self) -> Option<u64> {
        self.total_items
    }

    /// Whether any child has started, in this attempt or an earlier one.
    pub(super) fn has_started(&self) -> bool {
        self.has_started
    }

    /// Why the run failed, if it did.
    pub(super) fn take_failure(&mut self) -> Option<StateError> {
        self.failure.take()
    }

    /// What a redrive needs: the number of the next new child, and the children that did not succeed.
    pub(super) fn into_kept(self) -> (u64, Kept, Option<Spooled>) {
        (self.next_index, self.kept, self.spool.finish().ok())
    }

    fn new_child(&mut self, batch: Batch) -> Child {
        let child = self.family.child(self.next_index, batch);
        self.next_index += 1;
        child
    }

    fn start(&mut self, child: Child) {
        self.has_started = true;
        self.running_bytes += child.bytes;
        self.map_run.count(child.items, |counts, number| {
            let waited = if child.ended_before.is_some() { &mut counts.pending_redrive } else { &mut counts.pending };
            *waited = waited.saturating_sub(number);
            counts.running += number;
        });
        let observer = &self.family.parent.core.observer;
        observer.notice(Notice::ChildStarted { map_run: self.map_run.arn(), child: &child.name, items: child.items });
        self.children.spawn(Arc::clone(&self.family).run(child));
    }

    async fn take(&mut self, joined: Result<Finished, JoinError>, results: &mut Results) {
        let mut finished = match joined {
            Ok(finished) => finished,
            Err(error) => return self.fail(StateError::runtime(format!("A child execution broke off: {error}"))),
        };
        let Finished { child, status, .. } = &finished;
        self.running_bytes = self.running_bytes.saturating_sub(child.bytes);
        self.map_run.count(child.items, |counts, number| {
            counts.running = counts.running.saturating_sub(number);
            *counts.ended(*status) += number;
        });
        self.family.parent.core.observer.notice(Notice::ChildFinished {
            map_run: self.map_run.arn(),
            child: &child.name,
            items: child.items,
            input: &child.input,
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
        let items = finished.child.items;
        if let Some(unfinished) = finished.unfinished() {
            self.spool(&unfinished);
        }
        match kept {
            Ok(()) => {
                self.map_run.count(items, |counts, number| counts.results_written += number);
                self.judge();
            }
            Err(error) => self.fail(error),
        }
    }

    /// Keeps a child for a redrive, if there is room for it.
    fn spool(&mut self, unfinished: &Unfinished) {
        match (self.spool.add(unfinished), unfinished.ended) {
            (Ok(true), Some(ended)) => self.kept.add(ended, unfinished.items),
            (Ok(true), None) => {}
            (Ok(false) | Err(_), _) => {
                self.map_run.count(unfinished.items, |counts, number| counts.failures_not_redrivable += number);
            }
        }
    }

    /// Fails the run when more items failed than are tolerated.
    fn judge(&mut self) {
        if self.map_run.is_over_tolerance(self.total_items) {
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

    /// Writes and keeps what was made but never started.
    pub(super) async fn keep(&mut self, fed: Fed, results: &mut Results) {
        let unfinished = match fed {
            Fed::Batch(batch) => self.new_child(batch).unstarted(None),
            Fed::Again(unfinished) => *unfinished,
            Fed::Complete(items) => {
                self.total_items = Some(items);
                return;
            }
            Fed::Failed(_) => return,
        };
        self.spool(&unfinished);
        self.map_run.count(unfinished.items, |counts, number| {
            // It is again what it was before the redrive.
            if let Some(ended) = unfinished.ended {
                counts.pending_redrive = counts.pending_redrive.saturating_sub(number);
                *counts.ended(ended.into()) += number;
            }
        });
        if unfinished.ended.is_none()
            && let Results::Files(files) = results
        {
            let child = self.family.child_again(unfinished);
            if let Err(error) = files.add_pending(&child).await {
                self.fail(error);
            }
        }
    }

    /// The same for the children of an earlier attempt that were not even looked at.
    pub(super) async fn keep_rest(&mut self, again: &mut SpoolReader, results: &mut Results) {
        while let Ok(Some(unfinished)) = again.next() {
            self.keep(Fed::Again(Box::new(unfinished)), results).await;
        }
    }
}
