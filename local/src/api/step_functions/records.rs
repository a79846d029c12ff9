//! Executions and Map Runs as the API keeps them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::event_log::{Budget, EventLog};
use super::machines::Machine;
use super::seconds;
use crate::asl::{ExecutionStatus, ExecutionType};

/// What one execution takes besides its data, about.
const RECORD_BYTES: u64 = 768;

/// An execution, top or child.
pub(super) struct Execution {
    pub(super) arn: Arc<str>,
    pub(super) name: String,
    pub(super) execution_type: ExecutionType,
    /// ARN of the state machine; that of a child ends with the label of its Map state.
    pub(super) machine_arn: Arc<str>,
    /// The state machine as it was when the execution began.
    pub(super) machine: Arc<Machine>,
    pub(super) start: Timestamp,
    /// The Map Run of a child, and how many items it was given.
    pub(super) parent: Option<(Arc<str>, u64)>,
    pub(super) trace_header: Option<String>,
    /// True when it has ended. Nobody waits for a child.
    ended: Option<watch::Sender<bool>>,
    progress: Mutex<Progress>,
    budget: Arc<Budget>,
}

/// How far an execution has come.
#[derive(Debug)]
pub(super) struct Progress {
    /// `None`: it runs.
    pub(super) status: Option<ExecutionStatus>,
    pub(super) stop: Option<Timestamp>,
    pub(super) input: Option<Arc<str>>,
    pub(super) output: Option<Arc<str>>,
    pub(super) error: Option<String>,
    pub(super) cause: Option<String>,
    pub(super) events: EventLog,
    /// ARNs of its Map Runs in the order of their start.
    pub(super) map_runs: Vec<String>,
    /// The state that was entered last, for executions without a history.
    pub(super) last_state: Option<String>,
    pub(super) redrives: u64,
    pub(super) redriven: Option<Timestamp>,
    /// Stops it; that of a redrive is another one. A child is stopped with its parent.
    cancel: Option<CancellationToken>,
    /// How it had ended before a redrive that is not yet accepted.
    before: Option<Before>,
    bytes: u64,
}

/// How an execution had ended: status, time, error and cause.
type Before = (ExecutionStatus, Option<Timestamp>, Option<String>, Option<String>);

/// What an execution is made of.
pub(super) struct NewExecution {
    pub(super) arn: Arc<str>,
    pub(super) name: String,
    pub(super) execution_type: ExecutionType,
    pub(super) machine_arn: Arc<str>,
    pub(super) machine: Arc<Machine>,
    pub(super) parent: Option<(Arc<str>, u64)>,
    pub(super) input: Option<Arc<str>>,
    pub(super) trace_header: Option<String>,
    pub(super) cancel: Option<CancellationToken>,
}

impl Execution {
    pub(super) fn new(new: NewExecution, budget: &Arc<Budget>) -> Self {
        let bytes = RECORD_BYTES + new.input.as_ref().map_or(0, |input| input.len() as u64);
        budget.add(bytes);
        Self {
            arn: new.arn,
            name: new.name,
            execution_type: new.execution_type,
            machine_arn: new.machine_arn,
            machine: new.machine,
            start: Timestamp::now(),
            parent: new.parent,
            trace_header: new.trace_header,
            ended: new.cancel.is_some().then(|| watch::Sender::new(false)),
            progress: Mutex::new(Progress {
                status: None,
                stop: None,
                input: new.input,
                output: None,
                error: None,
                cause: None,
                events: EventLog::new(Arc::clone(budget)),
                map_runs: Vec::new(),
                last_state: None,
                redrives: 0,
                redriven: None,
                cancel: new.cancel,
                before: None,
                bytes,
            }),
            budget: Arc::clone(budget),
        }
    }

    pub(super) fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops it.
    pub(super) fn cancel(&self) {
        if let Some(cancel) = &self.progress().cancel {
            cancel.cancel();
        }
    }

    /// The token that stops it; a child has one that nothing cancels.
    pub(super) fn cancel_token(&self) -> CancellationToken {
        self.progress().cancel.clone().unwrap_or_default()
    }

    /// Waits for the end of a top execution.
    pub(super) async fn ended(&self) {
        if let Some(ended) = &self.ended {
            // The sender lives as long as the execution, so waiting cannot fail.
            let _ = ended.subscribe().wait_for(|ended| *ended).await;
        }
    }

    fn tell_ended(&self, has_ended: bool) {
        if let Some(ended) = &self.ended {
            ended.send_replace(has_ended);
        }
    }

    /// Runs again from now on, until `cancel` stops it.
    pub(super) fn reopen(&self, cancel: Option<CancellationToken>) -> Timestamp {
        let now = Timestamp::now();
        let mut progress = self.progress();
        let status = progress.status.take();
        let (stop, error, cause) = (progress.stop.take(), progress.error.take(), progress.cause.take());
        progress.before = status.map(|status| (status, stop, error, cause));
        progress.redrives += 1;
        progress.redriven = Some(now);
        progress.cancel = cancel;
        drop(progress);
        self.tell_ended(false);
        now
    }

    /// The redrive was refused: everything is as it was.
    pub(super) fn take_redrive_back(&self) {
        let mut progress = self.progress();
        if let Some((status, stop, error, cause)) = progress.before.take() {
            progress.status = Some(status);
            progress.stop = stop;
            progress.error = error;
            progress.cause = cause;
        }
        progress.redrives = progress.redrives.saturating_sub(1);
        if progress.redrives == 0 {
            progress.redriven = None;
        }
        drop(progress);
        self.tell_ended(true);
    }

    /// Keeps the input of a child, which is known only when it begins.
    pub(super) fn set_input(&self, input: &Value) {
        let mut progress = self.progress();
        if progress.input.is_none() && !self.budget.is_exceeded() {
            let input = input.to_string();
            progress.input = Some(input.as_str().into());
            progress.bytes += input.len() as u64;
            self.budget.add(input.len() as u64);
        }
    }

    /// Notes the end.
    pub(super) fn end(
        &self,
        status: ExecutionStatus,
        output: Option<&str>,
        error: Option<&str>,
        cause: Option<&str>,
        stop: Timestamp,
    ) {
        let mut progress = self.progress();
        progress.status = Some(status);
        progress.stop = Some(stop);
        if let Some(output) = output
            && !self.budget.is_exceeded()
        {
            progress.output = Some(output.into());
            progress.bytes += output.len() as u64;
            self.budget.add(output.len() as u64);
        }
        // StopExecution has said why already.
        progress.error = progress.error.take().or_else(|| error.map(str::to_owned));
        progress.cause = progress.cause.take().or_else(|| cause.map(str::to_owned));
        drop(progress);
        self.tell_ended(true);
    }

    pub(super) fn status(&self) -> &'static str {
        self.progress().status.map_or("RUNNING", ExecutionStatus::as_str)
    }

    /// The entry of ListExecutions.
    pub(super) fn listed(&self) -> Value {
        let progress = self.progress();
        let mut listed = json!({
            "executionArn": &*self.arn,
            "stateMachineArn": &*self.machine_arn,
            "name": self.name,
            "status": progress.status.map_or("RUNNING", ExecutionStatus::as_str),
            "startDate": seconds(self.start),
            "redriveCount": progress.redrives,
        });
        if let Value::Object(fields) = &mut listed {
            put(fields, "stopDate", progress.stop.map(seconds));
            put(fields, "redriveDate", progress.redriven.map(seconds));
            if let Some((map_run, items)) = &self.parent {
                fields.insert("mapRunArn".to_owned(), json!(&**map_run));
                fields.insert("itemCount".to_owned(), json!(items));
            }
        }
        listed
    }

    /// The answer of DescribeExecution.
    pub(super) fn described(&self, with_data: bool) -> Value {
        let mut described = self.listed();
        let progress = self.progress();
        let Value::Object(fields) = &mut described else { return described };
        fields.remove("itemCount");
        let (redrivable, reason) = self.redrivable(&progress);
        fields.insert("redriveStatus".to_owned(), json!(redrivable));
        put(fields, "redriveStatusReason", reason);
        put(fields, "traceHeader", self.trace_header.as_deref());
        put(fields, "error", progress.error.as_deref());
        put(fields, "cause", progress.cause.as_deref());
        if self.execution_type == ExecutionType::Express && progress.status != Some(ExecutionStatus::Succeeded) {
            // Not of the service; clients leave members alone that they do not know.
            put(fields, "failedState", progress.last_state.as_deref());
        }
        for (name, data, is_known) in [
            ("input", &progress.input, true),
            ("output", &progress.output, progress.status == Some(ExecutionStatus::Succeeded)),
        ] {
            if is_known {
                let included = with_data && data.is_some();
                fields.insert(format!("{name}Details"), json!({"included": included}));
                put(fields, name, data.as_deref().filter(|_| included));
            }
        }
        described
    }

    /// Whether the execution can be redriven, and why not.
    pub(super) fn redrivable(&self, progress: &Progress) -> (&'static str, Option<&'static str>) {
        match (progress.status, &self.parent, self.execution_type) {
            (None, ..) => ("NOT_REDRIVABLE", Some("Execution is RUNNING and cannot be redriven")),
            (Some(ExecutionStatus::Succeeded), ..) => {
                ("NOT_REDRIVABLE", Some("Execution is SUCCEEDED and cannot be redriven"))
            }
            (Some(_), Some(_), _) => ("REDRIVABLE_BY_MAP_RUN", None),
            (Some(_), None, ExecutionType::Standard) => ("REDRIVABLE", None),
            (Some(_), None, ExecutionType::Express) => {
                ("NOT_REDRIVABLE", Some("Execution is EXPRESS and cannot be redriven"))
            }
        }
    }
}

impl Drop for Execution {
    fn drop(&mut self) {
        self.budget.release(self.progress.get_mut().unwrap_or_else(PoisonError::into_inner).bytes);
    }
}

/// Puts a member in where there is something.
pub(super) fn put<T: serde::Serialize>(fields: &mut Map<String, Value>, name: &str, value: Option<T>) {
    if let Some(value) = value {
        fields.insert(name.to_owned(), json!(value));
    }
}
