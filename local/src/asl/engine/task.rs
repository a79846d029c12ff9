//! Task states: calls of functions.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::numbers;
use super::states::Visit;
use crate::asl::context::{Context, Scope};
use crate::asl::definition::{TaskResource, TaskState};
use crate::asl::error::{StateError, Stop, names};
use crate::asl::size::PAYLOAD_BYTES_MAX;
use crate::services::{LambdaAnswer, LambdaRequest};

/// A call that is ready to be made.
struct Call {
    function: String,
    payload: Bytes,
}

impl Visit<'_> {
    /// Calls the function once and returns the task's result.
    pub(super) async fn task(&self, task: &TaskState, raw: &Value, retries: u64) -> Result<Value, Stop> {
        let (call, timeout) = {
            let context = self.context(Some(retries));
            let effective = self.effective_input(task.parameters.as_ref(), raw, &context)?;
            (self.call(task, effective)?, self.timeout(task, raw, &context)?)
        };
        // Scheduled and started now, succeeded or failed later.
        self.execution.history.record(2)?;
        let (begun, has_begun) = oneshot::channel();
        let request = LambdaRequest { function: &call.function, payload: call.payload, begun };
        let waiting = self.execution.clock.hold();
        let timed_out = async move {
            let _ = has_begun.await;
            drop(waiting);
            sleep(timeout).await;
        };
        let services = &self.execution.core.services;
        let answered = tokio::select! {
            biased;
            () = self.execution.cancel.cancelled() => return Err(Stop::Aborted),
            answered = services.invoke_lambda(request) => answered,
            () = timed_out => {
                self.execution.history.record(1)?;
                return Err(StateError::stated(Some(names::TIMEOUT.to_owned()), None).into());
            }
        };
        self.execution.history.record(1)?;
        let answer = answered.map_err(|failure| StateError::new(failure.error, failure.cause))?;
        Ok(result(task, &answer)?)
    }

    fn call(&self, task: &TaskState, effective: Value) -> Result<Call, StateError> {
        let mut parameters = match (&task.resource, effective) {
            (TaskResource::LambdaFunction(arn), payload) => {
                return Ok(Call { function: arn.clone(), payload: Bytes::from(payload.to_string()) });
            }
            (TaskResource::LambdaInvoke, Value::Object(parameters)) => parameters,
            (TaskResource::LambdaInvoke, _) => {
                return Err(self.located(StateError::runtime("The parameters must be an object.")));
            }
        };
        let Some(Value::String(function)) = parameters.remove("FunctionName") else {
            return Err(self.located(StateError::runtime("The parameter 'FunctionName' must be a string.")));
        };
        let payload = match parameters.remove("Payload") {
            None | Some(Value::Null) => "{}".to_owned(),
            // A text is taken as the event's own JSON text, not quoted once more.
            Some(Value::String(text)) => {
                if serde_json::from_str::<serde::de::IgnoredAny>(&text).is_err() {
                    return Err(StateError::new(
                        "Lambda.InvalidRequestContentException",
                        "Could not parse request body into json: the payload is not valid JSON",
                    ));
                }
                text
            }
            Some(value) => value.to_string(),
        };
        Ok(Call { function, payload: Bytes::from(payload) })
    }

    fn timeout(&self, task: &TaskState, raw: &Value, context: &Context<'_>) -> Result<Option<Duration>, StateError> {
        let Some(given) = &task.timeout else { return Ok(None) };
        let selected = self.select(&self.state.input_path, Scope { input: raw, context })?;
        let scope = Scope { input: &selected, context };
        let seconds = numbers::count(given, "TimeoutSeconds", scope).map_err(|error| self.located(error))?;
        if seconds == 0 {
            return Err(self.located(StateError::runtime("TimeoutSeconds must be positive.")));
        }
        Ok(Some(Duration::from_secs(seconds)))
    }
}

async fn sleep(duration: Option<Duration>) {
    match duration {
        Some(duration) => tokio::time::sleep(duration).await,
        None => std::future::pending().await,
    }
}

/// The result that the state sees: the answer itself, or in the envelope of lambda:invoke.
fn result(task: &TaskState, answer: &LambdaAnswer) -> Result<Value, StateError> {
    let resource = match &task.resource {
        TaskResource::LambdaInvoke => "lambda",
        TaskResource::LambdaFunction(arn) => arn,
    };
    if answer.payload.len() > PAYLOAD_BYTES_MAX {
        // Unlike the limit on a state's own payloads, wildcards match this one: it is a failure of the task.
        return Err(StateError::new(
            names::DATA_LIMIT_EXCEEDED,
            format!(
                "The state/task '{resource}' returned a result with a size exceeding the maximum number of bytes \
                 service limit."
            ),
        ));
    }
    let payload: Value = serde_json::from_slice(&answer.payload)
        .map_err(|_| StateError::new("Lambda.Unknown", format!("The state/task '{resource}' returned no JSON.")))?;
    Ok(match task.resource {
        TaskResource::LambdaFunction(_) => payload,
        TaskResource::LambdaInvoke => envelope(answer, payload),
    })
}

/// What lambda:invoke returns, with the metadata of the call as the service shows it.
fn envelope(answer: &LambdaAnswer, payload: Value) -> Value {
    let date = jiff::Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let length = answer.payload.len().to_string();
    let headers = [
        ("Connection", "keep-alive"),
        ("Content-Length", length.as_str()),
        ("Content-Type", "application/json"),
        ("Date", date.as_str()),
        ("X-Amz-Executed-Version", answer.executed_version.as_str()),
        ("x-amzn-Remapped-Content-Length", "0"),
        ("x-amzn-RequestId", answer.request_id.as_str()),
    ];
    let single: serde_json::Map<_, _> =
        headers.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    let all: serde_json::Map<_, _> = headers.iter().map(|(name, value)| ((*name).to_owned(), json!([value]))).collect();
    json!({
        "ExecutedVersion": answer.executed_version,
        "Payload": payload,
        "SdkHttpMetadata": {"AllHttpHeaders": all, "HttpHeaders": single, "HttpStatusCode": 200},
        "SdkResponseMetadata": {"RequestId": answer.request_id},
        "StatusCode": 200,
    })
}
