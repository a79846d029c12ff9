//! Events that an execution writes into its history.
//!
//! A Standard execution fails at 25,000 events, so the events of the parent and of every Standard child are counted before
//! anything runs. What a state adds was read from recorded histories of the service: a function's task 5, a Distributed Map
//! 6 whatever it holds, an inline Map 4 and 2 for every item, a state that does nothing outside 2.

use serde::{Deserialize, Serialize};

/// What the execution itself adds: it started, and it ended.
const EXECUTION: u64 = 2;
/// Entered, scheduled, started, succeeded, exited.
pub(crate) const TASK: u64 = 5;
/// Entered and exited: Choice, Pass, Succeed.
pub(crate) const PLAIN: u64 = 2;
/// Entered, started, Map Run started, Map Run succeeded, succeeded, exited.
const DISTRIBUTED_MAP: u64 = 6;
/// Entered, started, succeeded, exited.
pub(crate) const INLINE_MAP: u64 = 4;
/// Iteration started and succeeded.
pub(crate) const INLINE_ITERATION: u64 = 2;

/// Events of the histories of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Events {
    /// Of the execution that is started.
    pub parent: u64,
    /// Of a Standard child, where a strategy has them; children that are Express write no history that is limited.
    pub standard_child: Option<u64>,
}

/// Events of a parent with `maps` Distributed Maps, `tasks` tasks and `plain` other states, and retries of its tasks.
pub(crate) fn execution(maps: u64, tasks: u64, plain: u64) -> u64 {
    EXECUTION + DISTRIBUTED_MAP * maps + TASK * tasks + PLAIN * plain
}

/// Events of an execution in which an inline Map goes over items, each of which takes `each` events.
pub(crate) fn inline_map(items: u64, each: u64) -> u64 {
    EXECUTION + INLINE_MAP + items.saturating_mul(INLINE_ITERATION + each)
}
