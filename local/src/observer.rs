//! What a run tells while it goes: enough for a progress bar, a live count and a log, never the contents of items.
//!
//! The engine calls [`Observer::notice`] from many tasks at once and waits for it, so an observer only counts or sends
//! the notice on; it never blocks.

use std::time::Duration;

use serde_json::Value;

use crate::asl::{ExecutionStatus, ExecutionType, HistoryEvent};

/// Somebody who watches a run.
pub trait Observer: Send + Sync {
    /// Called for every notice, in the order of events within one execution.
    fn notice(&self, notice: Notice<'_>);

    /// True for an observer that wants a [`Notice::History`] for every event of an execution, top or child. Events hold
    /// whole inputs and outputs, so they are made only when somebody wants them.
    fn wants_history(&self, _execution: &str) -> bool {
        false
    }
}

/// Watches nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unobserved;

impl Observer for Unobserved {
    fn notice(&self, _notice: Notice<'_>) {}
}

/// One thing that has happened.
#[derive(Debug, Clone)]
pub enum Notice<'a> {
    /// The top execution began.
    ExecutionStarted {
        /// Its ARN.
        execution: &'a str,
    },
    /// The top execution entered a state.
    StateEntered {
        /// Name of the state.
        state: &'a str,
    },
    /// A state failed and will be tried again.
    RetryScheduled {
        /// ARN of the execution, which may be a child.
        execution: &'a str,
        /// Name of the state.
        state: &'a str,
        /// Error name.
        error: &'a str,
        /// How many retries were made before this one.
        retries: u64,
        /// Time until the next attempt.
        delay: Duration,
    },
    /// The history of an execution, top or child, has one more event.
    History {
        /// ARN of the execution.
        execution: &'a str,
        /// The event.
        event: &'a HistoryEvent,
    },
    /// A Distributed Map started its Map Run.
    MapRunStarted {
        /// ARN of the Map Run.
        map_run: &'a str,
        /// Name of the Map state.
        state: &'a str,
        /// Most children at a time, 0 for as many as there may be.
        max_concurrency: u64,
        /// Most failed items that are tolerated.
        tolerated_count: u64,
        /// Largest share of failed items that is tolerated, in percent.
        tolerated_percentage: f64,
        /// What kind of executions its children are.
        execution_type: ExecutionType,
    },
    /// More items are known.
    ItemsListed {
        /// ARN of the Map Run.
        map_run: &'a str,
        /// Items listed so far in this Map Run.
        items: u64,
        /// Sum of the sizes of the listed objects so far, in bytes; 0 when the items are not objects.
        bytes: u64,
        /// True once: all items are known.
        complete: bool,
    },
    /// A child execution began.
    ChildStarted {
        /// ARN of the Map Run.
        map_run: &'a str,
        /// Name of the child execution.
        child: &'a str,
        /// Items it was given.
        items: u64,
    },
    /// A child execution ended.
    ChildFinished {
        /// ARN of the Map Run.
        map_run: &'a str,
        /// Name of the child execution.
        child: &'a str,
        /// Items it was given.
        items: u64,
        /// Its input.
        input: &'a Value,
        /// How it ended.
        status: ExecutionStatus,
        /// Its output when it succeeded.
        output: Option<&'a Value>,
        /// Error name when it did not.
        error: Option<&'a str>,
        /// Cause when it did not and there is one.
        cause: Option<&'a str>,
        /// Time from its start to its end.
        duration: Duration,
    },
    /// A file of results or the manifest was stored.
    ResultFileWritten {
        /// ARN of the Map Run.
        map_run: &'a str,
        /// Bucket of the file.
        bucket: &'a str,
        /// Key of the file.
        key: &'a str,
        /// Size in bytes.
        size: u64,
    },
    /// A Map Run ended.
    MapRunFinished {
        /// What became of it.
        summary: &'a crate::distributed_map::MapRunSummary,
    },
    /// The top execution ended.
    ExecutionFinished {
        /// Its ARN.
        execution: &'a str,
        /// How it ended.
        status: ExecutionStatus,
    },
}
