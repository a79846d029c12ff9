//! Child executions.

use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::batcher::Batch;
use crate::asl::context::Identity;
use crate::asl::{
    Clock, EXPRESS_DURATION_MAX, Ending, Execution, ExecutionStatus, ExecutionType, History, STANDARD_EVENTS_MAX,
    StateMachine, role, time,
};

/// What all children of a Map Run have in common.
pub(super) struct Family {
    pub(super) parent: Arc<Execution>,
    pub(super) processor: Arc<StateMachine>,
    pub(super) execution_type: ExecutionType,
    /// `<state machine>/<label>`
    pub(super) name: String,
    pub(super) cancel: CancellationToken,
}

/// A child that was made from a batch and may run.
pub(super) struct Child {
    /// Position of its batch, from 0.
    pub(super) index: u64,
    pub(super) name: String,
    pub(super) arn: String,
    pub(super) state_machine_arn: String,
    pub(super) input: Arc<Value>,
    pub(super) items: u64,
    pub(super) bytes: usize,
}

/// A child that has ended.
pub(super) struct Finished {
    pub(super) child: Child,
    pub(super) status: ExecutionStatus,
    pub(super) output: Option<Value>,
    pub(super) error: Option<String>,
    pub(super) cause: Option<String>,
    pub(super) start: Timestamp,
    pub(super) stop: Timestamp,
}

impl Family {
    /// Makes a child from a batch.
    pub(super) fn child(&self, index: u64, batch: Batch) -> Child {
        let name = uuid::Uuid::new_v4().to_string();
        Child {
            index,
            arn: self.parent.core.arn("execution", &format!("{}:{name}", self.name)),
            state_machine_arn: self.parent.core.arn("stateMachine", &self.name),
            name,
            input: Arc::new(batch.input),
            items: batch.items,
            bytes: batch.bytes,
        }
    }

    /// Runs a child to its end.
    pub(super) async fn run(self: Arc<Self>, child: Child) -> Finished {
        let start = Timestamp::now();
        let identity = Identity {
            execution_id: child.arn.clone(),
            execution_name: child.name.clone(),
            role: role(&self.parent.core.options),
            start_time: time::text(start),
            input: Arc::clone(&child.input),
            state_machine_id: child.state_machine_arn.clone(),
            state_machine_name: self.name.clone(),
        };
        let (events, limit) = match self.execution_type {
            ExecutionType::Standard => (Some(STANDARD_EVENTS_MAX), None),
            ExecutionType::Express => (None, Some(EXPRESS_DURATION_MAX)),
        };
        let execution = Arc::new(Execution {
            core: Arc::clone(&self.parent.core),
            identity,
            cancel: self.cancel.child_token(),
            history: History::new(events),
            clock: Clock::default(),
            top: false,
            map_runs: Mutex::new(Vec::new()),
        });
        let ending = Ending::from(execution.run(&self.processor, limit).await);
        let Ending { status, output, error, cause } = ending;
        Finished { child, status, output, error, cause, start, stop: Timestamp::now() }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A child that succeeded with this output.
    pub(in crate::distributed_map) fn finished(index: u64, output: Value) -> Finished {
        Finished {
            child: Child {
                index,
                name: "child".to_owned(),
                arn: "arn:child".to_owned(),
                state_machine_arn: "arn:machine".to_owned(),
                input: Arc::new(Value::Null),
                items: 1,
                bytes: 4,
            },
            status: ExecutionStatus::Succeeded,
            output: Some(output),
            error: None,
            cause: None,
            start: Timestamp::UNIX_EPOCH,
            stop: Timestamp::UNIX_EPOCH,
        }
    }
}
