//! Where an execution is, so that a redrive can go on there, and the executions that can be redriven.
//!
//! An execution that may be redriven notes each state that it enters at its top level, with the state's input. When it
//! ends without success, the last note says which state has failed. A redrive starts there. Branches of a Parallel and
//! iterations of an inline Map are not noted for themselves: the state around them begins anew.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::asl::definition::StateMachine;
use crate::asl::variables::Variables;

/// Most executions of an engine that can be redriven; the oldest are forgotten first.
pub const EXECUTIONS_REDRIVABLE_MAX: usize = 1_000;
/// Most bytes of inputs, as JSON text, that are kept of them.
const REDRIVABLE_BYTES_MAX: usize = 64 * 1_024 * 1_024;
/// Most redrives of one execution, as in the service.
pub const REDRIVES_MAX: u64 = 1_000;

/// A state, its input and the variables that it sees.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Checkpoint {
    pub(crate) state: String,
    /// `None`: the input of the execution.
    pub(crate) input: Option<Value>,
    #[serde(default, skip_serializing_if = "Variables::is_empty")]
    pub(crate) variables: Variables,
}

/// Where an execution has begun and where it is.
#[derive(Debug)]
pub(crate) struct Whereabouts {
    start: Option<Checkpoint>,
    now: Mutex<Option<Checkpoint>>,
    is_kept: bool,
}

impl Whereabouts {
    /// Begins at a checkpoint, or at the beginning. What is not kept costs nothing.
    pub(crate) fn new(start: Option<Checkpoint>, is_kept: bool) -> Self {
        Self { start, now: Mutex::new(None), is_kept }
    }

    /// Where to begin, when it is not at the beginning.
    pub(super) fn start(&self) -> Option<&Checkpoint> {
        self.start.as_ref()
    }

    /// Notes the first state.
    pub(super) fn begin(&self, state: &str) {
        let first = || Checkpoint { state: state.to_owned(), input: None, variables: Variables::default() };
        self.note(|| self.start.clone().unwrap_or_else(first));
    }

    /// Notes another state.
    pub(super) fn enter(&self, state: &str, input: &Value, variables: &Variables) {
        self.note(|| Checkpoint { state: state.to_owned(), input: Some(input.clone()), variables: variables.clone() });
    }

    fn note(&self, checkpoint: impl FnOnce() -> Checkpoint) {
        if self.is_kept {
            *self.now.lock().unwrap_or_else(PoisonError::into_inner) = Some(checkpoint());
        }
    }

    /// The last note.
    pub(crate) fn take(&self) -> Option<Checkpoint> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Why an execution cannot be redriven.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RedriveError {
    /// It runs, succeeded, never was, or is forgotten.
    #[error(
        "the execution {0} cannot be redriven: expected one that ended without success and is among the last \
         {EXECUTIONS_REDRIVABLE_MAX} of these"
    )]
    NotRedrivable(String),
    /// It was redriven too often.
    #[error("the execution {0} was redriven {REDRIVES_MAX} times, which is the most")]
    TooOften(String),
}

/// An execution that ended without success.
pub(super) struct Redrivable {
    pub(super) machine: Arc<StateMachine>,
    pub(super) name: String,
    pub(super) start: Timestamp,
    pub(super) redrives: u64,
    /// Events of its history so far.
    pub(super) events: u64,
    /// Input and checkpoint as JSON text, which takes a fraction of the memory of the values.
    pub(super) kept: String,
}

/// The executions that can be redriven.
#[derive(Default)]
pub(crate) struct Redrivables(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    executions: HashMap<String, Redrivable>,
    order: VecDeque<String>,
    bytes: usize,
}

impl Redrivables {
    pub(super) fn keep(&self, arn: &str, execution: Redrivable) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.remove(arn);
        inner.bytes += execution.kept.len();
        inner.executions.insert(arn.to_owned(), execution);
        inner.order.push_back(arn.to_owned());
        while inner.order.len() > EXECUTIONS_REDRIVABLE_MAX || inner.bytes > REDRIVABLE_BYTES_MAX {
            let Some(oldest) = inner.order.front().cloned() else { break };
            inner.remove(&oldest);
        }
    }

    pub(super) fn take(&self, arn: &str) -> Result<Redrivable, RedriveError> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.executions.get(arn).is_some_and(|execution| execution.redrives >= REDRIVES_MAX) {
            return Err(RedriveError::TooOften(arn.to_owned()));
        }
        inner.remove(arn).ok_or_else(|| RedriveError::NotRedrivable(arn.to_owned()))
    }
}

impl Inner {
    fn remove(&mut self, arn: &str) -> Option<Redrivable> {
        let removed = self.executions.remove(arn)?;
        self.order.retain(|other| other != arn);
        self.bytes -= removed.kept.len();
        Some(removed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asl::Definition;

    fn execution(redrives: u64, bytes: usize) -> Redrivable {
        let definition = r#"{"StartAt": "S", "States": {"S": {"Type": "Succeed"}}}"#;
        let machine = Definition::parse(definition).unwrap().machine;
        let (name, start, kept) = ("one".to_owned(), Timestamp::UNIX_EPOCH, "x".repeat(bytes));
        Redrivable { machine, name, start, redrives, events: 0, kept }
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let kept = Redrivables::default();
        for number in 0..=EXECUTIONS_REDRIVABLE_MAX {
            kept.keep(&number.to_string(), execution(0, 1));
        }
        assert_eq!(kept.take("0").err(), Some(RedriveError::NotRedrivable("0".to_owned())));
        assert!(kept.take("1").is_ok());
        assert!(kept.take("1").is_err(), "it runs now");
        kept.keep("large", execution(0, REDRIVABLE_BYTES_MAX));
        assert!(kept.take("2").is_err() && kept.take("1000").is_err());
        assert!(kept.take("large").is_ok());
        kept.keep("often", execution(REDRIVES_MAX, 1));
        assert_eq!(kept.take("often").err(), Some(RedriveError::TooOften("often".to_owned())));
    }
}
