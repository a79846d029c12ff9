//! A Map Run seen from outside: what it is, how far it is, and what may be changed while it runs.
//!
//! The coordinator counts into the handle and looks at its limits before each child; whoever holds the handle reads and
//! changes them at any time. This is what DescribeMapRun and UpdateMapRun need.

use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::Notify;

use super::CHILDREN_MAX;
use super::summary::{Counts, MapRunSummary};
use super::tolerance::Tolerance;
use crate::asl::ExecutionStatus;

/// How a Map Run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MapRunStatus {
    /// Children run or will run.
    Running,
    /// All children ended, and no more failed than is tolerated.
    Succeeded,
    /// Too much failed, or items could not be read or results not written.
    Failed,
    /// The execution was stopped or took too long.
    Aborted,
}

impl MapRunStatus {
    /// The word that the service uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::Aborted => "ABORTED",
        }
    }
}

/// A Map Run as it is now, in the words of DescribeMapRun.
#[derive(Debug, Clone, PartialEq)]
pub struct MapRunDescription {
    /// ARN of the Map Run.
    pub map_run_arn: String,
    /// ARN of the execution that started it.
    pub execution_arn: String,
    /// ARN of the state machine of its children, with the label.
    pub state_machine_arn: String,
    /// Name of the Map state.
    pub state: String,
    /// How it is.
    pub status: MapRunStatus,
    /// Error name and cause, when it failed.
    pub failure: Option<(String, Option<String>)>,
    /// When it started for the first time.
    pub start: Timestamp,
    /// When it ended, unless it runs.
    pub stop: Option<Timestamp>,
    /// Most children at a time; 0 for as many as there may be.
    pub max_concurrency: u64,
    /// Largest share of failed items in percent.
    pub tolerated_failure_percentage: f64,
    /// Most failed items.
    pub tolerated_failure_count: u64,
    /// Items by the status of the child they are in.
    pub item_counts: Counts,
    /// Children by status.
    pub execution_counts: Counts,
    /// How often it was redriven.
    pub redrive_count: u64,
    /// When it was redriven last.
    pub redrive_time: Option<Timestamp>,
}

/// What UpdateMapRun changes; `None` leaves a value as it is.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct MapRunUpdate {
    /// Most children at a time, 0 for as many as there may be. Children that run go on.
    pub max_concurrency: Option<u64>,
    /// Largest share of failed items in percent, 0 to 100.
    pub tolerated_failure_percentage: Option<f64>,
    /// Most failed items.
    pub tolerated_failure_count: Option<u64>,
}

/// Why a Map Run cannot be changed like this.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum UpdateError {
    /// It has ended.
    #[error("the Map Run has ended and cannot be changed any more")]
    Ended,
    /// No share.
    #[error("expected a tolerated failure percentage from 0 to 100, found {0}")]
    Percentage(f64),
}

/// A Map Run from its start until it is forgotten.
#[derive(Debug)]
pub struct MapRunHandle {
    pub(super) names: Names,
    start: Timestamp,
    /// Told after a change that lets more children run or fewer fail.
    pub(super) changed: Notify,
    now: Mutex<Now>,
}

/// What a Map Run and its children are called.
#[derive(Debug, Clone)]
pub(super) struct Names {
    pub(super) map_run_arn: String,
    /// The last part of its ARN, which names the folder of its results.
    pub(super) id: String,
    /// `<state machine>/<label>`
    pub(super) family: String,
    pub(super) execution_arn: String,
    pub(super) state_machine_arn: String,
    pub(super) state: String,
}

#[derive(Debug)]
struct Now {
    status: MapRunStatus,
    failure: Option<(String, Option<String>)>,
    stop: Option<Timestamp>,
    limits: Limits,
    executions: Counts,
    items: Counts,
    redrives: u64,
    redrive_time: Option<Timestamp>,
}

/// What may be changed while a Map Run runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Limits {
    pub(super) max_concurrency: u64,
    pub(super) tolerance: Tolerance,
}

impl Limits {
    /// Most children at a time.
    pub(super) fn children(&self) -> usize {
        let most = if self.max_concurrency == 0 { CHILDREN_MAX } else { self.max_concurrency.min(CHILDREN_MAX) };
        usize::try_from(most).unwrap_or(usize::MAX)
    }
}

impl MapRunHandle {
    pub(super) fn new(names: Names, limits: Limits) -> Self {
        let now = Now {
            status: MapRunStatus::Running,
            failure: None,
            stop: None,
            limits,
            executions: Counts::default(),
            items: Counts::default(),
            redrives: 0,
            redrive_time: None,
        };
        Self { names, start: Timestamp::now(), changed: Notify::new(), now: Mutex::new(now) }
    }

    fn lock(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// ARN of the Map Run.
    pub fn arn(&self) -> &str {
        &self.names.map_run_arn
    }

    /// ARN of the execution that started it.
    pub fn execution_arn(&self) -> &str {
        &self.names.execution_arn
    }

    /// The Map Run as it is now.
    pub fn describe(&self) -> MapRunDescription {
        let now = self.lock();
        let Names { map_run_arn, execution_arn, state_machine_arn, state, .. } = self.names.clone();
        MapRunDescription {
            map_run_arn,
            execution_arn,
            state_machine_arn,
            state,
            status: now.status,
            failure: now.failure.clone(),
            start: self.start,
            stop: now.stop,
            max_concurrency: now.limits.max_concurrency,
            tolerated_failure_percentage: now.limits.tolerance.percentage.unwrap_or(0.0),
            tolerated_failure_count: now.limits.tolerance.count.unwrap_or(0),
            item_counts: now.items,
            execution_counts: now.executions,
            redrive_count: now.redrives,
            redrive_time: now.redrive_time,
        }
    }

    /// Changes the limits of a running Map Run. More children start at once; when fewer may run, those that run go on.
    ///
    /// # Errors
    /// [`UpdateError`] when it has ended or the percentage is none.
    pub fn update(&self, update: MapRunUpdate) -> Result<(), UpdateError> {
        if let Some(percentage) = update.tolerated_failure_percentage
            && !(0.0..=100.0).contains(&percentage)
        {
            return Err(UpdateError::Percentage(percentage));
        }
        {
            let mut now = self.lock();
            if now.status != MapRunStatus::Running {
                return Err(UpdateError::Ended);
            }
            let limits = &mut now.limits;
            limits.max_concurrency = update.max_concurrency.unwrap_or(limits.max_concurrency);
            limits.tolerance.percentage = update.tolerated_failure_percentage.or(limits.tolerance.percentage);
            limits.tolerance.count = update.tolerated_failure_count.or(limits.tolerance.count);
        }
        self.changed.notify_one();
        Ok(())
    }

    pub(super) fn limits(&self) -> Limits {
        self.lock().limits
    }

    /// True when more items failed than are tolerated.
    pub(super) fn is_over_tolerance(&self, total_items: Option<u64>) -> bool {
        let now = self.lock();
        now.limits.tolerance.exceeded(now.items.failed + now.items.timed_out, total_items)
    }

    /// Changes the counts of executions and of items alike: one execution with so many items.
    pub(super) fn count(&self, items: u64, change: impl Fn(&mut Counts, u64)) {
        let mut now = self.lock();
        change(&mut now.executions, 1);
        change(&mut now.items, items);
    }

    /// Changes the counts of executions by some numbers, and those of items by others.
    pub(super) fn exchange(&self, executions: Counts, items: Counts, change: impl Fn(&mut Counts, &Counts)) {
        let mut now = self.lock();
        change(&mut now.executions, &executions);
        change(&mut now.items, &items);
    }

    /// Nothing was counted.
    pub(super) fn forget_counts(&self) {
        let mut now = self.lock();
        now.executions = Counts::default();
        now.items = Counts::default();
    }

    /// Begins to run again.
    pub(super) fn redriven(&self) {
        let mut now = self.lock();
        now.status = MapRunStatus::Running;
        now.failure = None;
        now.stop = None;
        now.redrives += 1;
        now.redrive_time = Some(Timestamp::now());
    }

    /// Notes the end and sums up.
    pub(super) fn ended(
        &self,
        status: ExecutionStatus,
        failure: Option<(String, Option<String>)>,
        manifest: Option<(String, String)>,
    ) -> MapRunSummary {
        let stop = Timestamp::now();
        let mut now = self.lock();
        now.status = match status {
            ExecutionStatus::Succeeded => MapRunStatus::Succeeded,
            ExecutionStatus::Failed => MapRunStatus::Failed,
            ExecutionStatus::TimedOut | ExecutionStatus::Aborted => MapRunStatus::Aborted,
        };
        now.failure.clone_from(&failure);
        now.stop = Some(stop);
        MapRunSummary {
            map_run_arn: self.names.map_run_arn.clone(),
            state: self.names.state.clone(),
            status,
            error: failure.map(|(error, _)| error),
            executions: now.executions,
            items: now.items,
            max_concurrency: now.limits.max_concurrency,
            manifest,
            start: self.start,
            stop,
        }
    }
}
