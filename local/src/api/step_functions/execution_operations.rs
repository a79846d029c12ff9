//! Operations that start, stop and describe executions.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::error::ApiError;
use super::event_log::KeptEvent;
use super::fields::Fields;
use super::records::{Execution, NewExecution};
use super::store::EXECUTIONS_OPEN_MAX;
use super::{Api, execution_input, seconds};
use crate::asl::{CAUSE_BYTES_MAX, ExecutionResult, ExecutionStatus, ExecutionType, REDRIVES_MAX, RedriveError};

const ANY_EXECUTION: [&str; 2] = ["execution", "express"];
const INCLUDED: [(&str, bool); 2] = [("ALL_DATA", true), ("METADATA_ONLY", false)];
/// How long StopExecution waits until everything of the execution has come to its end.
const STOP_WAIT: Duration = Duration::from_secs(10);
/// Longest error name that a client may give.
pub(super) const ERROR_CHARACTERS_MAX: usize = 256;
/// Longest cause that a client may give.
pub(super) const CAUSE_CHARACTERS_MAX: usize = CAUSE_BYTES_MAX;
/// Express executions are billed in steps of 100 ms and 64 MB.
const BILLED_STEP_MS: u64 = 100;
const BILLED_MEMORY_MB: u64 = 64;

/// What starts an execution.
struct Start {
    name: Option<String>,
    text: String,
    input: Value,
    trace_header: Option<String>,
}

impl Api {
    pub(super) fn start_execution(&self, mut fields: Fields) -> Result<Value, ApiError> {
        let machine_arn = fields.arn("stateMachineArn", &["stateMachine"])?;
        let start = self.read_start(&mut fields)?;
        fields.finish()?;
        let execution = self.begin(&machine_arn, start, None)?;
        Ok(json!({"executionArn": &*execution.arn, "startDate": seconds(execution.start)}))
    }

    pub(super) async fn start_sync_execution(&self, mut fields: Fields) -> Result<Value, ApiError> {
        let machine_arn = fields.arn("stateMachineArn", &["stateMachine"])?;
        let start = self.read_start(&mut fields)?;
        let with_data = fields.word("includedData", &INCLUDED)?.unwrap_or(true);
        fields.finish()?;
        let execution = self.begin(&machine_arn, start, Some(ExecutionType::Express))?;
        execution.ended().await;
        let mut answer = execution.described(with_data);
        if let Value::Object(fields) = &mut answer {
            for name in ["redriveStatus", "redriveStatusReason", "redriveCount", "redriveDate"] {
                fields.remove(name);
            }
            let stop = execution.progress().stop.unwrap_or(execution.start);
            let taken = u64::try_from(stop.duration_since(execution.start).as_millis()).unwrap_or(0);
            let billed = taken.max(1).div_ceil(BILLED_STEP_MS) * BILLED_STEP_MS;
            let billing = json!({"billedMemoryUsedInMB": BILLED_MEMORY_MB, "billedDurationInMilliseconds": billed});
            fields.insert("billingDetails".to_owned(), billing);
        }
        Ok(answer)
    }

    fn read_start(&self, fields: &mut Fields) -> Result<Start, ApiError> {
        let name = fields.name("name")?;
        let text = fields.text("input")?.unwrap_or_else(|| "{}".to_owned());
        let input = execution_input::parse(&text, self.options.quotas.payload_bytes)?;
        Ok(Start { name, text, input, trace_header: fields.text("traceHeader")? })
    }

    /// Starts an execution, or finds the one that this request has started before.
    fn begin(&self, machine_arn: &str, start: Start, only: Option<ExecutionType>) -> Result<Arc<Execution>, ApiError> {
        let mut state = self.store.lock();
        let machine = state.machines.get(machine_arn).cloned().ok_or_else(|| ApiError::no_machine(machine_arn))?;
        if only.is_some_and(|only| only != machine.execution_type) {
            return Err(ApiError::wrong_type());
        }
        let name = start.name.unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
        let arn = machine.engine.new_execution_arn(&name);
        if let Some(known) = state.execution(&arn) {
            let progress = known.progress();
            let same_input = progress.input.as_deref() == Some(start.text.as_str());
            if progress.status.is_none() && same_input {
                drop(progress);
                return Ok(known);
            }
            return Err(ApiError::new("ExecutionAlreadyExists", format!("Execution Already Exists: '{arn}'")));
        }
        if state.open >= EXECUTIONS_OPEN_MAX {
            let message = format!("the limit of {EXECUTIONS_OPEN_MAX} running executions is reached");
            return Err(ApiError::new("ExecutionLimitExceeded", message));
        }
        let new = NewExecution {
            machine_arn: machine.arn.as_str().into(),
            arn: arn.into(),
            name,
            execution_type: machine.execution_type,
            machine,
            parent: None,
            input: Some(start.text.into()),
            trace_header: start.trace_header,
            cancel: Some(self.stop.child_token()),
        };
        let execution = self.store.add(&mut state, new);
        drop(state);
        self.run(Arc::clone(&execution), start.input);
        Ok(execution)
    }

    fn run(&self, execution: Arc<Execution>, input: Value) {
        let store = Arc::clone(&self.store);
        self.tasks.spawn(async move {
            let Execution { machine, arn, name, .. } = &*execution;
            let cancel = execution.cancel_token();
            let result = machine.engine.run_as(&machine.definition, arn, name, input, cancel).await;
            note_end(&execution, &result);
            store.ended(&execution);
        });
    }

    pub(super) async fn stop_execution(&self, mut fields: Fields) -> Result<Value, ApiError> {
        let arn = fields.arn("executionArn", &ANY_EXECUTION)?;
        let error = fields.text("error")?;
        let cause = fields.text("cause")?;
        fields.finish()?;
        check_length("error", error.as_deref(), ERROR_CHARACTERS_MAX)?;
        check_length("cause", cause.as_deref(), CAUSE_CHARACTERS_MAX)?;
        let execution = self.known_execution(&arn)?;
        if execution.execution_type == ExecutionType::Express {
            return Err(ApiError::validation("express executions cannot be stopped"));
        }
        if execution.parent.is_some() {
            let message = "a child of a Map Run cannot be stopped alone here: stop the execution that started it";
            return Err(ApiError::validation(message));
        }
        {
            let mut progress = execution.progress();
            if progress.status.is_none() {
                progress.error = error;
                progress.cause = cause;
            }
        }
        execution.cancel();
        // Work that cannot be stopped at once, as express children, ends later; the answer does not wait for it.
        let _ = tokio::time::timeout(STOP_WAIT, execution.ended()).await;
        let stop = execution.progress().stop.unwrap_or_else(Timestamp::now);
        Ok(json!({"stopDate": seconds(stop)}))
    }

    pub(super) fn redrive_execution(&self, mut fields: Fields) -> Result<Value, ApiError> {
        let arn = fields.arn("executionArn", &["execution"])?;
        fields.text("clientToken")?;
        fields.finish()?;
        let execution = self.known_execution(&arn)?;
        let progress = execution.progress();
        if let ("NOT_REDRIVABLE" | "REDRIVABLE_BY_MAP_RUN", reason) = execution.redrivable(&progress) {
            let reason = reason.unwrap_or("Execution is a child of a Map Run: redrive the execution that started it");
            return Err(ApiError::new("ExecutionNotRedrivable", reason));
        }
        if progress.redrives >= REDRIVES_MAX {
            let reason = format!("Execution has been redriven {REDRIVES_MAX} times and cannot be redriven again");
            return Err(ApiError::new("ExecutionNotRedrivable", reason));
        }
        drop(progress);
        let redriven = self.run_again(execution)?;
        Ok(json!({"redriveDate": seconds(redriven)}))
    }

    /// Begins a redrive, unless the engine refuses it at once.
    fn run_again(&self, execution: Arc<Execution>) -> Result<Timestamp, ApiError> {
        let known = Arc::clone(&execution);
        let cancel = self.stop.child_token();
        let stop = cancel.clone();
        let mut work = Box::pin(async move { known.machine.engine.redrive(&known.arn, cancel).await });
        let redriven = self.store.reopen(&execution, Some(stop));
        let store = Arc::clone(&self.store);
        let ended = move |result: Result<ExecutionResult, RedriveError>| {
            let refused = result.as_ref().err().map(ToString::to_string);
            match result {
                Ok(result) => note_end(&execution, &result),
                Err(_) => execution.take_redrive_back(),
            }
            store.ended(&execution);
            refused
        };
        if let Some(result) = work.as_mut().now_or_never() {
            return match ended(result) {
                Some(refused) => Err(ApiError::new("ExecutionNotRedrivable", refused)),
                None => Ok(redriven),
            };
        }
        self.tasks.spawn(async move { ended(work.await) });
        Ok(redriven)
    }

    pub(super) fn describe_execution(&self, mut fields: Fields) -> Result<Value, ApiError> {
        let arn = fields.arn("executionArn", &ANY_EXECUTION)?;
        let with_data = fields.word("includedData", &INCLUDED)?.unwrap_or(true);
        fields.finish()?;
        Ok(self.known_execution(&arn)?.described(with_data))
    }

    pub(super) fn known_execution(&self, arn: &str) -> Result<Arc<Execution>, ApiError> {
        self.store.execution(arn).ok_or_else(|| ApiError::no_execution(arn))
    }
}

/// Refuses a text of too many characters.
pub(super) fn check_length(name: &str, text: Option<&str>, most: usize) -> Result<(), ApiError> {
    if text.is_some_and(|text| text.chars().count() > most) {
        let constraint = format!("Member must have length less than or equal to {most}");
        return Err(ApiError::constraint(name, "a longer text", &constraint));
    }
    Ok(())
}

fn note_end(execution: &Execution, result: &ExecutionResult) {
    let output = result.output.as_ref().map(Value::to_string);
    if result.status == ExecutionStatus::Aborted {
        let mut progress = execution.progress();
        let (error, cause) = (progress.error.clone(), progress.cause.clone());
        progress.events.explain_abort(error.as_deref(), cause.as_deref());
    } else {
        // A stop that came too late has said nothing of this end.
        let mut progress = execution.progress();
        progress.error = None;
        progress.cause = None;
    }
    let (error, cause) = (result.error.as_deref(), result.cause.as_deref());
    execution.end(result.status, output.as_deref(), error, cause, result.stop);
}

/// An event with the position after it, for pages of a history.
pub(super) fn positioned(events: &[KeptEvent], from: usize, reverse: bool) -> Vec<(u64, &KeptEvent)> {
    let ordered: Vec<&KeptEvent> = if reverse { events.iter().rev().collect() } else { events.iter().collect() };
    ordered.into_iter().zip(1_u64..).skip(from).map(|(event, next)| (next, event)).collect()
}
