//! Everything that the API remembers, in memory and within limits, and the observer that fills it while engines run.
//!
//! Running executions are never dropped. Of those that ended, the oldest go first: children when there are more than
//! [`CHILDREN_KEPT_MAX`], top executions (with their Map Runs) when there are more than [`EXECUTIONS_KEPT_MAX`], and
//! children before top executions when the data of all together passes [`DATA_BYTES_MAX`].

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::event_log::Budget;
use super::machines::Machines;
use super::map_runs::{MapRun, family};
use super::records::{Execution, NewExecution};
use crate::asl::{Engine, ExecutionType, HistoryEvent};
use crate::observer::{Notice, Observer};

/// Top executions that are remembered after their end.
pub const EXECUTIONS_KEPT_MAX: usize = 10_000;
/// Child executions that are remembered after their end.
pub const CHILDREN_KEPT_MAX: usize = 100_000;
/// Most bytes of inputs, outputs and histories, of all executions together. Above it nothing more is kept of them.
pub const DATA_BYTES_MAX: u64 = 256 * 1_024 * 1_024;
/// Most top executions that run at the same time.
pub const EXECUTIONS_OPEN_MAX: usize = 1_000;

/// The memory of the API.
pub(super) struct Store {
    state: Mutex<State>,
    budget: Arc<Budget>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) machines: Machines,
    /// Executions in the order of their start.
    executions: BTreeMap<u64, Arc<Execution>>,
    numbers: HashMap<Arc<str>, u64>,
    next_number: u64,
    /// Top executions that run.
    pub(super) open: usize,
    /// What ended, in the order of its end.
    ended: VecDeque<Arc<str>>,
    ended_children: VecDeque<Arc<str>>,
    map_runs: HashMap<String, Arc<MapRun>>,
}

impl Store {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), budget: Budget::new(DATA_BYTES_MAX) })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes an execution and remembers it.
    pub(super) fn add(&self, state: &mut State, new: NewExecution) -> Arc<Execution> {
        let execution = Arc::new(Execution::new(new, &self.budget));
        state.next_number += 1;
        let number = state.next_number;
        state.open += usize::from(execution.parent.is_none());
        // A second execution of this ARN is possible only when the first was an express one of the same UUID.
        if let Some(before) = state.numbers.insert(Arc::clone(&execution.arn), number) {
            state.executions.remove(&before);
        }
        state.executions.insert(number, Arc::clone(&execution));
        execution
    }

    pub(super) fn execution(&self, arn: &str) -> Option<Arc<Execution>> {
        self.lock().execution(arn)
    }

    pub(super) fn map_run(&self, arn: &str) -> Option<Arc<MapRun>> {
        self.lock().map_runs.get(arn).cloned()
    }

    /// Notes that an execution has ended, and forgets what is over the limits.
    pub(super) fn ended(&self, execution: &Execution) {
        // Dropped outside of the lock.
        let mut forgotten = Vec::new();
        let mut state = self.lock();
        if execution.parent.is_some() {
            state.ended_children.push_back(Arc::clone(&execution.arn));
        } else {
            state.open = state.open.saturating_sub(1);
            state.ended.push_back(Arc::clone(&execution.arn));
        }
        while state.ended_children.len() > CHILDREN_KEPT_MAX
            && let Some(arn) = state.ended_children.pop_front()
        {
            forgotten.extend(state.forget(&arn));
        }
        while state.ended.len() > EXECUTIONS_KEPT_MAX
            && let Some(arn) = state.ended.pop_front()
        {
            forgotten.extend(state.forget(&arn));
        }
        // The budget falls only when what was forgotten is dropped, so that happens here, one by one.
        while self.budget.is_exceeded() {
            let Some(arn) = state.ended_children.pop_front().or_else(|| state.ended.pop_front()) else { break };
            drop(state.forget(&arn));
        }
        drop(state);
        drop(forgotten);
    }

    /// An execution that had ended runs again, until `cancel` stops it.
    pub(super) fn reopen(&self, execution: &Execution, cancel: Option<CancellationToken>) -> Timestamp {
        let mut state = self.lock();
        if execution.parent.is_some() {
            state.ended_children.retain(|arn| *arn != execution.arn);
        } else {
            state.ended.retain(|arn| *arn != execution.arn);
            state.open += 1;
        }
        drop(state);
        execution.reopen(cancel)
    }
}

impl State {
    pub(super) fn execution(&self, arn: &str) -> Option<Arc<Execution>> {
        self.numbers.get(arn).and_then(|number| self.executions.get(number)).cloned()
    }

    /// Executions from the latest to the earliest, beginning below a number; each with its number.
    pub(super) fn latest_first(&self, below: Option<u64>) -> impl Iterator<Item = (u64, &Arc<Execution>)> {
        self.executions.range(..below.unwrap_or(u64::MAX)).rev().map(|(number, execution)| (*number, execution))
    }

    /// The engines in which top executions run, each for every one of them.
    pub(super) fn engines(&self) -> Vec<Engine> {
        let tops = self.executions.values().filter(|execution| execution.parent.is_none());
        let running = tops.filter(|execution| execution.progress().status.is_none());
        running.map(|execution| execution.machine.engine.clone()).collect()
    }

    fn forget(&mut self, arn: &str) -> Option<Arc<Execution>> {
        let execution = self.numbers.remove(arn).and_then(|number| self.executions.remove(&number))?;
        for map_run in &execution.progress().map_runs {
            self.map_runs.remove(map_run);
        }
        Some(execution)
    }
}

/// Tells the store what happens in the engines.
pub(super) struct Recorder(pub(super) Arc<Store>);

impl Observer for Recorder {
    fn wants_history(&self, _execution: &str) -> bool {
        true
    }

    fn notice(&self, notice: Notice<'_>) {
        match notice {
            Notice::History { execution, event } => self.event(execution, event),
            Notice::MapRunStarted { map_run, execution_type, .. } => {
                if let Some(map_run) = self.0.map_run(map_run) {
                    map_run.set_children_type(execution_type);
                }
            }
            Notice::ChildStarted { map_run, child, items } => self.child_started(map_run, child, items),
            Notice::ChildFinished { map_run, child, status, output, error, cause, .. } => {
                let output = output.map(Value::to_string);
                if let Some(child) = self.0.execution(&child_arn(map_run, child)) {
                    child.end(status, output.as_deref(), error, cause, Timestamp::now());
                    self.0.ended(&child);
                }
            }
            _ => {}
        }
    }
}

impl Recorder {
    fn event(&self, arn: &str, event: &HistoryEvent) {
        let Some(execution) = self.0.execution(arn) else { return };
        let detail = |name: &str| event.details.as_ref().and_then(|(_, details)| details.get(name));
        match event.kind {
            "ExecutionStarted" => {
                if let Some(input) = detail("input") {
                    execution.set_input(input);
                }
            }
            "MapRunStarted" => {
                if let Some(map_run) = detail("mapRunArn").and_then(Value::as_str)
                    && let Some(handle) = execution.machine.engine.map_runs().get(map_run)
                {
                    let record = Arc::new(MapRun::new(handle));
                    self.0.lock().map_runs.insert(map_run.to_owned(), record);
                    execution.progress().map_runs.push(map_run.to_owned());
                }
            }
            _ => {}
        }
        // Express executions have no history that could be asked for.
        if execution.execution_type == ExecutionType::Standard {
            execution.progress().events.add(event);
        } else if event.kind.ends_with("StateEntered") {
            execution.progress().last_state = detail("name").and_then(Value::as_str).map(str::to_owned);
        }
    }

    fn child_started(&self, map_run: &str, child: &str, items: u64) {
        let mut state = self.0.lock();
        let Some(record) = state.map_runs.get(map_run).cloned() else { return };
        let Some(parent) = state.execution(&record.execution_arn) else { return };
        let arn = child_arn(map_run, child);
        // A redriven child runs again under its ARN.
        if let Some(known) = state.execution(&arn) {
            drop(state);
            self.0.reopen(&known, None);
            return;
        }
        let new = NewExecution {
            machine_arn: Arc::clone(&record.machine_arn),
            arn: arn.into(),
            name: child.to_owned(),
            execution_type: record.children_type(),
            machine: Arc::clone(&parent.machine),
            parent: Some((Arc::clone(&record.arn), items)),
            input: None,
            trace_header: None,
            cancel: None,
        };
        self.0.add(&mut state, new);
    }
}

fn child_arn(map_run: &str, child: &str) -> String {
    format!("{}:{child}", family(map_run).replacen(":mapRun:", ":execution:", 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_of_children_follow_from_their_map_run() {
        let map_run = "arn:aws:states:us-east-1:000000000000:mapRun:machine/label:id";
        assert_eq!(child_arn(map_run, "c"), "arn:aws:states:us-east-1:000000000000:execution:machine/label:c");
    }
}
