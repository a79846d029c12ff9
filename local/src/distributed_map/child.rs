//! Child executions.

use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::batcher::Batch;
use super::spool::{Ended, Unfinished};
use crate::asl::context::Identity;
use crate::asl::{
    Checkpoint, Clock, EXPRESS_DURATION_MAX, Ending, Execution, ExecutionStatus, ExecutionType, History, StateMachine,
    Whereabouts, role, time,
};

/// What all children of a Map Run have in common.
pub(super) struct Family {
    pub(super) parent: Arc<Execution>,
    pub(super) processor: Arc<StateMachine>,
    pub(super) execution_type: ExecutionType,
    /// `<state machine>/<label>`
    pub(super) name: String,
    pub(super) state_machine_arn: Arc<str>,
    pub(super) cancel: CancellationToken,
}

/// A child that was made from a batch and may run.
pub(super) struct Child {
    /// Position of its batch, from 0.
    pub(super) index: u64,
    pub(super) name: String,
    pub(super) arn: String,
    pub(super) state_machine_arn: Arc<str>,
    pub(super) input: Arc<Value>,
    pub(super) items: u64,
    pub(super) bytes: usize,
    /// Where it goes on in a redrive; `None`: it begins at the beginning.
    pub(super) checkpoint: Option<Checkpoint>,
    /// How it ended before, in a redrive.
    pub(super) ended_before: Option<Ended>,
    pub(super) redrives: u64,
    /// Events that its history has already.
    pub(super) events: u64,
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
    /// Where it was, for a redrive.
    pub(super) checkpoint: Option<Checkpoint>,
}

impl Finished {
    /// What a redrive needs of it; `None`: it succeeded.
    pub(super) fn unfinished(&mut self) -> Option<Unfinished> {
        let ended = match self.status {
            ExecutionStatus::Succeeded => return None,
            ExecutionStatus::Failed => Ended::Failed,
            ExecutionStatus::TimedOut => Ended::TimedOut,
            ExecutionStatus::Aborted => Ended::Aborted,
        };
        Some(Unfinished { checkpoint: self.checkpoint.take(), ..self.child.unstarted(Some(ended)) })
    }
}

impl Child {
    /// What a redrive needs of it when it has not run.
    pub(super) fn unstarted(&self, ended: Option<Ended>) -> Unfinished {
        Unfinished {
            index: self.index,
            name: self.name.clone(),
            items: self.items,
            input: Value::clone(&self.input),
            ended,
            checkpoint: self.checkpoint.clone(),
            redrives: self.redrives,
            events: self.events,
        }
    }
}

impl Family {
    /// Makes a child from a batch.
    pub(super) fn child(&self, index: u64, batch: Batch) -> Child {
        self.named(index, uuid::Uuid::new_v4().to_string(), batch)
    }

    /// Makes a child from what is left of one, under its old name.
    pub(super) fn child_again(&self, mut unfinished: Unfinished) -> Child {
        let batch = unfinished.batch();
        Child {
            checkpoint: unfinished.checkpoint,
            ended_before: unfinished.ended,
            redrives: unfinished.redrives + u64::from(unfinished.ended.is_some()),
            events: unfinished.events,
            ..self.named(unfinished.index, unfinished.name, batch)
        }
    }

    fn named(&self, index: u64, name: String, batch: Batch) -> Child {
        Child {
            index,
            arn: self.parent.core.arn("execution", &format!("{}:{name}", self.name)),
            state_machine_arn: Arc::clone(&self.state_machine_arn),
            name,
            input: Arc::new(batch.input),
            items: batch.items,
            bytes: batch.bytes,
            checkpoint: None,
            ended_before: None,
            redrives: 0,
            events: 0,
        }
    }

    /// Runs a child to its end.
    pub(super) async fn run(self: Arc<Self>, mut child: Child) -> Finished {
        let start = Timestamp::now();
        let is_standard = self.execution_type == ExecutionType::Standard;
        let identity = Identity {
            execution_id: child.arn.clone(),
            execution_name: child.name.clone(),
            role: role(&self.parent.core.options),
            start_time: time::text(start),
            input: Arc::clone(&child.input),
            state_machine_id: child.state_machine_arn.to_string(),
            state_machine_name: self.name.clone(),
            redrive_count: child.redrives,
            // The service tells it to STANDARD executions only.
            redrive_time: (is_standard && child.redrives > 0).then(|| time::text(start)),
        };
        let core = &self.parent.core;
        let (history, limit) = match self.execution_type {
            ExecutionType::Standard => {
                let history = History::of_standard(&child.arn, &core.options.quotas, &core.observer);
                (history.behind(child.events), None)
            }
            ExecutionType::Express => (History::of_express(&child.arn, &core.observer), Some(EXPRESS_DURATION_MAX)),
        };
        let execution = Arc::new(Execution {
            core: Arc::clone(&self.parent.core),
            identity,
            cancel: self.cancel.child_token(),
            history,
            clock: Clock::default(),
            top: false,
            map_runs: Mutex::new(Vec::new()),
            // An EXPRESS execution always begins at the beginning.
            whereabouts: Whereabouts::new(child.checkpoint.take().filter(|_| is_standard), is_standard),
        });
        let ending = Ending::from(execution.run(&self.processor, limit).await);
        let Ending { status, output, error, cause } = ending;
        let checkpoint = execution.whereabouts.take();
        child.events = execution.history.events();
        Finished { child, status, output, error, cause, start, stop: Timestamp::now(), checkpoint }
    }
}
