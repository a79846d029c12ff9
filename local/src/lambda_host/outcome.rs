//! What became of an invocation, and how a state machine sees it.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::json;

use super::HostError;
use crate::services::{LambdaAnswer, TaskFailure, refused_by_lambda};

/// An invocation that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvokeOutcome {
    /// Id of the invocation.
    pub request_id: String,
    /// What the function answered, or how it failed.
    pub result: Result<Bytes, FunctionError>,
    /// Time from handing the event out to the answer, without waiting and starting.
    pub duration: Duration,
    /// Time to start the environment, when this invocation started one (a cold start).
    pub init_duration: Option<Duration>,
    /// Time that the invocation waited for a free environment.
    pub wait_duration: Duration,
    /// CPU time that the process used for it, in steps of 10 ms, where the system tells.
    pub cpu_time: Option<Duration>,
    /// Largest resident memory of the process so far, in bytes, where the system tells.
    pub peak_memory_bytes: Option<u64>,
    /// Number of the environment, from 1 in order of start.
    pub environment: u64,
    /// The end of what the function wrote during the invocation, with `START`, `END` and `REPORT`; at most
    /// [`LOG_TAIL_BYTES_MAX`](super::LOG_TAIL_BYTES_MAX) bytes. Empty when nobody asked for it or the environment did not start.
    pub log_tail: String,
}

impl InvokeOutcome {
    /// True when the invocation had to start an environment.
    pub fn cold_start(&self) -> bool {
        self.init_duration.is_some()
    }

    /// What the service would bill: the duration and the time to start, in whole milliseconds.
    pub fn billed_duration(&self) -> Duration {
        super::report::billed(self.duration, self.init_duration)
    }

    /// The outcome as a task of a state machine sees it.
    pub fn into_answer(self) -> Result<LambdaAnswer, TaskFailure> {
        match self.result {
            Ok(payload) => Ok(LambdaAnswer {
                payload,
                executed_version: "$LATEST".to_owned(),
                request_id: self.request_id,
                log_result: (!self.log_tail.is_empty()).then(|| STANDARD.encode(&self.log_tail)),
            }),
            Err(error) => Err(error.into()),
        }
    }
}

/// A function that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionError {
    /// The error's name: the function's own `errorType`, or for instance `Sandbox.Timedout`, `Runtime.ExitError`.
    pub error_type: String,
    /// The error as JSON text, with `errorType` and `errorMessage`.
    pub payload: String,
}

impl FunctionError {
    /// An error that the host itself reports, worded as the service does.
    pub(super) fn reported(error_type: &str, request_id: &str, message: &str) -> Self {
        let message = format!("RequestId: {request_id} Error: {message}");
        let payload = json!({"errorType": error_type, "errorMessage": message}).to_string();
        Self { error_type: error_type.to_owned(), payload }
    }

    /// An error that the function's runtime posted.
    pub(super) fn posted(body: &[u8], header: Option<&str>) -> Self {
        let parsed: Option<serde_json::Value> = serde_json::from_slice(body).ok();
        let error_type = parsed.as_ref().and_then(|error| error.get("errorType")).and_then(|name| name.as_str());
        let error_type = error_type.or(header).filter(|name| !name.is_empty()).unwrap_or("Lambda.Unknown").to_owned();
        let payload = match parsed {
            Some(error) => error.to_string(),
            None => json!({"errorType": error_type, "errorMessage": "the runtime posted no JSON"}).to_string(),
        };
        Self { error_type, payload }
    }
}

impl From<FunctionError> for TaskFailure {
    fn from(error: FunctionError) -> Self {
        Self { error: error.error_type, cause: error.payload }
    }
}

/// Failures of the host in the words of the service.
impl From<HostError> for TaskFailure {
    fn from(error: HostError) -> Self {
        let (code, status) = match &error {
            HostError::UnknownFunction { .. } => ("ResourceNotFoundException", 404),
            HostError::EventTooLarge { .. } => ("RequestTooLargeException", 413),
            HostError::Throttled { .. } => ("TooManyRequestsException", 429),
            HostError::ShutDown => {
                return Self { error: "Lambda.SdkClientException".to_owned(), cause: error.to_string() };
            }
            HostError::InvalidSetting { .. } | HostError::MissingCommand { .. } | HostError::AlreadyRegistered(_) => {
                ("InvalidParameterValueException", 400)
            }
        };
        let message = match &error {
            HostError::UnknownFunction { arn, .. } => format!("Function not found: {arn}:$LATEST"),
            error => error.to_string(),
        };
        refused_by_lambda(code, status, &message)
    }
}
