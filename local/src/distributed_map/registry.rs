//! The Map Runs of an engine: those that run, those that have ended, and what a redrive needs of those that failed.
//!
//! Only so many are remembered; the oldest that have ended are forgotten first. What a redrive needs is small: counts,
//! a bookmark in the data set, the list of result files, and the children that did not succeed in a temporary file.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::handle::{MapRunHandle, MapRunStatus};
use super::map_run::Parked;

/// Most Map Runs that are remembered after their end.
pub const MAP_RUNS_REMEMBERED_MAX: usize = 10_000;
/// Most failed Map Runs that can be redriven.
pub const MAP_RUNS_REDRIVABLE_MAX: usize = 1_000;

/// All Map Runs of an engine.
#[derive(Default)]
pub struct MapRuns {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    handles: HashMap<String, Arc<MapRunHandle>>,
    /// ARNs in the order of their first start.
    order: VecDeque<String>,
    /// What failed, by the execution and the Map state.
    parked: HashMap<Key, Parked>,
    parked_order: VecDeque<Key>,
}

type Key = (String, String);

impl MapRuns {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The Map Run of this ARN.
    pub fn get(&self, map_run_arn: &str) -> Option<Arc<MapRunHandle>> {
        self.lock().handles.get(map_run_arn).cloned()
    }

    /// The Map Runs that an execution has started, in order.
    pub fn of_execution(&self, execution_arn: &str) -> Vec<Arc<MapRunHandle>> {
        let inner = self.lock();
        let handles = inner.order.iter().filter_map(|arn| inner.handles.get(arn));
        handles.filter(|handle| handle.execution_arn() == execution_arn).cloned().collect()
    }

    pub(super) fn add(&self, handle: Arc<MapRunHandle>) {
        let mut inner = self.lock();
        inner.order.push_back(handle.arn().to_owned());
        inner.handles.insert(handle.arn().to_owned(), handle);
        // Running ones are passed over, so each is looked at once at most.
        let mut looked_at = 0;
        while inner.handles.len() > MAP_RUNS_REMEMBERED_MAX && looked_at < inner.order.len() {
            let Some(oldest) = inner.order.pop_front() else { break };
            let runs =
                inner.handles.get(&oldest).is_some_and(|handle| handle.describe().status == MapRunStatus::Running);
            if runs {
                inner.order.push_back(oldest);
                looked_at += 1;
            } else {
                inner.handles.remove(&oldest);
            }
        }
    }

    /// Keeps what a redrive needs. An earlier run of the same state is not redriven any more.
    pub(super) fn park(&self, parked: Parked) {
        let names = &parked.handle.names;
        let key = (names.execution_arn.clone(), names.state.clone());
        // Removed outside of the lock: its temporary file is deleted then.
        let forgotten = {
            let mut inner = self.lock();
            let mut forgotten = vec![inner.parked.insert(key.clone(), parked)];
            inner.parked_order.retain(|other| *other != key);
            inner.parked_order.push_back(key);
            if inner.parked_order.len() > MAP_RUNS_REDRIVABLE_MAX
                && let Some(oldest) = inner.parked_order.pop_front()
            {
                forgotten.push(inner.parked.remove(&oldest));
            }
            forgotten
        };
        drop(forgotten);
    }

    /// What was kept of the failed Map Run of this state, for a redrive that begins now.
    pub(super) fn unpark(&self, execution_arn: &str, state: &str) -> Option<Parked> {
        let mut inner = self.lock();
        let key = (execution_arn.to_owned(), state.to_owned());
        inner.parked_order.retain(|other| *other != key);
        inner.parked.remove(&key)
    }
}
