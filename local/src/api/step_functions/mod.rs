//! The Step Functions API over HTTP, in the protocol awsJson1_0: every request is a POST whose `X-Amz-Target` names the
//! operation and whose body is its input as JSON.
//!
//! `fields` and `pages` check requests, `error` words refusals, `machines`, `records`, `map_runs` and `event_log` are what
//! is remembered, `store` holds it all and forgets the oldest, and one file for each group of operations does the work:
//! `machine_operations`, `execution_operations`, `listing_operations`, `map_run_operations`, `token_operations`.
//!
//! Everything is in memory and gone with the process. Of what the service has, these are missing and refused by name:
//! versions and aliases, activities, TestState, tags after the creation.

mod error;
mod event_log;
mod execution_input;
mod execution_operations;
mod fields;
mod listing_operations;
mod machine_operations;
mod machines;
mod map_run_operations;
mod map_runs;
mod pages;
mod records;
mod store;
#[cfg(test)]
mod tests;
mod token_operations;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{answer, limited_body};
use crate::asl::{DEFINITION_BYTES_MAX, Quotas};
use crate::loopback::{Loopback, ServerError};
use crate::services::Services;
use error::ApiError;
use fields::Fields;
use store::Store;

pub use machines::MACHINES_MAX;
pub use store::{CHILDREN_KEPT_MAX, DATA_BYTES_MAX, EXECUTIONS_KEPT_MAX, EXECUTIONS_OPEN_MAX};

/// Largest body of a request: a definition of 1 MB, which JSON may write with six bytes for one.
const BODY_BYTES_MAX: usize = 6 * DEFINITION_BYTES_MAX + 64 * 1_024;
/// What stands before the operation in `X-Amz-Target`.
const TARGET: &str = "AWSStepFunctions.";
/// The one operation that is Mapmill's own: what was sent to the services that are played here.
const LIST_MESSAGES: &str = "Mapmill.ListMessages";
const CONTENT_TYPE: &str = "application/x-amz-json-1.0";

/// Where state machines pretend to be, and what they may use.
#[derive(Clone)]
pub struct StepFunctionsOptions {
    /// Region in ARNs.
    pub region: String,
    /// Account number in ARNs.
    pub account: String,
    /// What executions may use.
    pub quotas: Quotas,
}

/// A running Step Functions API. Dropping it ends it at once, with every execution.
pub struct StepFunctionsServer {
    loopback: Loopback,
    api: Arc<Api>,
}

/// The API behind the protocol.
struct Api {
    options: StepFunctionsOptions,
    services: Arc<dyn Services>,
    store: Arc<Store>,
    /// Ends every execution.
    stop: CancellationToken,
    /// The executions that run.
    tasks: TaskTracker,
}

impl StepFunctionsServer {
    /// Starts to serve on 127.0.0.1. Port 0 takes any free port. Needs a Tokio runtime.
    ///
    /// # Errors
    /// [`ServerError::Bind`].
    pub async fn start(
        services: Arc<dyn Services>,
        options: StepFunctionsOptions,
        port: u16,
    ) -> Result<Self, ServerError> {
        let api = Arc::new(Api {
            options,
            services,
            store: Store::new(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        });
        let shared = Arc::clone(&api);
        let service = service_fn(move |request: Request<Incoming>| {
            let api = Arc::clone(&shared);
            async move { Ok::<_, Infallible>(api.serve(request).await) }
        });
        Ok(Self { loopback: Loopback::start(port, service).await?, api })
    }

    /// The address the server listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.loopback.address()
    }

    /// The endpoint to give to a client.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.loopback.endpoint()
    }

    /// Stops every execution, waits until they have ended, lets requests in flight finish and ends the server.
    pub async fn shutdown(self) {
        self.api.stop.cancel();
        self.api.tasks.close();
        self.api.tasks.wait().await;
        self.loopback.shutdown().await;
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Api {
    async fn serve(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let request_id = uuid::Uuid::new_v4().to_string();
        let answered = self.take(request).await;
        let (status, kind, body) = match &answered {
            Ok(output) => (200, None, output.to_string()),
            Err(error) => (error.status, Some(error.kind), error.body().to_string()),
        };
        let mut headers = vec![("content-type", CONTENT_TYPE), ("x-amzn-requestid", request_id.as_str())];
        headers.extend(kind.map(|kind| ("x-amzn-errortype", kind)));
        answer(status, &headers, body)
    }

    async fn take(&self, request: Request<Incoming>) -> Result<Value, ApiError> {
        if request.method() != Method::POST {
            return Err(ApiError::new("UnknownOperationException", "expected a POST with the header X-Amz-Target"));
        }
        let target = request.headers().get("x-amz-target").and_then(|target| target.to_str().ok());
        let operation = match target {
            Some(LIST_MESSAGES) => LIST_MESSAGES,
            target => target.and_then(|target| target.strip_prefix(TARGET)).unwrap_or_default(),
        };
        let operation = operation.to_owned();
        let body = limited_body(request.into_body(), BODY_BYTES_MAX).await.ok_or_else(|| ApiError {
            status: 413,
            ..ApiError::new(
                "RequestEntityTooLargeException",
                format!("the body of the request has more than {BODY_BYTES_MAX} bytes, or broke off"),
            )
        })?;
        self.dispatch(&operation, Fields::parse(&body)?).await
    }

    async fn dispatch(&self, operation: &str, fields: Fields) -> Result<Value, ApiError> {
        match operation {
            "CreateStateMachine" => self.create_state_machine(fields),
            "DescribeStateMachine" => self.describe_state_machine(fields),
            "DescribeStateMachineForExecution" => self.describe_state_machine_for_execution(fields),
            "ListStateMachines" => self.list_state_machines(fields),
            "ListTagsForResource" => self.list_tags(fields),
            "UpdateStateMachine" => self.update_state_machine(fields),
            "DeleteStateMachine" => self.delete_state_machine(fields),
            "ValidateStateMachineDefinition" => machine_operations::validate(fields),
            "StartExecution" => self.start_execution(fields),
            "StartSyncExecution" => self.start_sync_execution(fields).await,
            "StopExecution" => self.stop_execution(fields).await,
            "RedriveExecution" => self.redrive_execution(fields),
            "DescribeExecution" => self.describe_execution(fields),
            "GetExecutionHistory" => self.get_execution_history(fields),
            "ListExecutions" => self.list_executions(fields),
            "ListMapRuns" => self.list_map_runs(fields),
            "DescribeMapRun" => self.describe_map_run(fields),
            "UpdateMapRun" => self.update_map_run(fields),
            "SendTaskSuccess" => self.send_task_success(fields),
            "SendTaskFailure" => self.send_task_failure(fields),
            "SendTaskHeartbeat" => self.send_task_heartbeat(fields),
            LIST_MESSAGES => self.list_messages(fields),
            "" => Err(ApiError::new("UnknownOperationException", "the header X-Amz-Target names no operation")),
            other => {
                let message = format!("the operation {other} is not supported here");
                Err(ApiError::new("UnknownOperationException", message))
            }
        }
    }
}

/// A time as the protocol has it: seconds since 1970 with a fraction of three digits.
fn seconds(time: Timestamp) -> Value {
    json!(time.as_millisecond() as f64 / 1_000.0)
}
