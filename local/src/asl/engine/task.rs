//! Task states: calls of functions and services.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Map, Value, json};
use tokio::sync::oneshot;

use super::failures::fields;
use super::history::{Details, details};
use super::numbers;
use super::states::Visit;
use super::tokens::{Signal, Waiting};
use crate::asl::context::{Context, Scope};
use crate::asl::definition::{Given, Integration, Language, TaskResource, TaskState};
use crate::asl::error::{StateError, Stop, names};
use crate::asl::size::exceeds;
use crate::services::{LambdaAnswer, LambdaRequest, ServiceRequest};

/// A call that is ready to be made.
struct Call<'t> {
    target: Target<'t>,
    /// What the history says was given to it.
    shown: Value,
    timeout: Option<Duration>,
    heartbeat: Option<Duration>,
}

enum Target<'t> {
    Function(FunctionCall),
    Service { integration: &'t Integration, parameters: Map<String, Value> },
}

/// What a function is called with.
#[derive(Default)]
struct FunctionCall {
    name: String,
    payload: Bytes,
    client_context: Option<String>,
    wants_log: bool,
}

impl Visit<'_> {
    /// Makes the call once and returns the task's result.
    pub(super) async fn task(&self, task: &TaskState, raw: &Value, retries: u64) -> Result<Value, Stop> {
        let waits = match &task.resource {
            TaskResource::LambdaInvoke(integration) | TaskResource::Service(integration) => integration.wait_for_token,
            TaskResource::LambdaFunction(_) => false,
        };
        let waiting = match waits {
            true => Some(self.execution.core.tokens.issue().ok_or_else(|| {
                self.located(StateError::runtime("Too many tasks wait for their token at the same time."))
            })?),
            false => None,
        };
        let call = {
            let context =
                self.context(Some(retries)).with_token(waiting.as_ref().map(|waiting| waiting.token.as_str()));
            self.prepared(task, raw, &context)?
        };
        let events = Events::of(&task.resource);
        self.record(events.scheduled, || events.scheduled_details(&call, &self.execution.core.options.region))?;
        self.record(events.started, || events.details("taskStartedEventDetails", []))?;
        let (timeout, heartbeat) = (call.timeout, call.heartbeat);
        match self.answer(task, call, waiting, &events).await {
            Ok(result) => {
                let name = if events.service.is_some() {
                    "taskSucceededEventDetails"
                } else {
                    "lambdaFunctionSucceededEventDetails"
                };
                self.record(events.succeeded, || events.always(name, [("output", Some(result.clone()))]))?;
                Ok(result)
            }
            Err(Stop::Failed(error)) => {
                let timed_out = (error.name == names::TIMEOUT && timeout.is_some())
                    || (error.name == names::HEARTBEAT_TIMEOUT && heartbeat.is_some());
                let (kind, name) = if timed_out && error.cause.is_none() {
                    (events.timed_out, events.timed_out_details)
                } else {
                    (events.failed, events.failed_details)
                };
                self.record(kind, || events.always(name, fields(&error)))?;
                Err(error.into())
            }
            Err(stop) => Err(stop),
        }
    }

    /// The answer of the function or service, or what somebody with the token says.
    async fn answer(
        &self,
        task: &TaskState,
        call: Call<'_>,
        waiting: Option<Waiting<'_>>,
        events: &Events<'_>,
    ) -> Result<Value, Stop> {
        let (begun, has_begun) = oneshot::channel();
        let held = self.execution.clock.hold();
        let timeout = call.timeout;
        let timed_out = async move {
            let _ = has_begun.await;
            drop(held);
            sleep(timeout).await;
        };
        let heartbeat = call.heartbeat;
        let work = async {
            let result = self.called(task, call.target, begun).await?;
            let Some(mut waiting) = waiting else { return Ok(result) };
            self.record("TaskSubmitted", || events.always("taskSubmittedEventDetails", [("output", Some(result))]))?;
            self.token_used(&mut waiting, heartbeat).await.map_err(Stop::from)
        };
        tokio::select! {
            biased;
            () = self.execution.cancel.cancelled() => Err(Stop::Aborted),
            answered = work => answered,
            () = timed_out => Err(StateError::stated(Some(names::TIMEOUT.to_owned()), None).into()),
        }
    }

    async fn called(&self, task: &TaskState, target: Target<'_>, begun: oneshot::Sender<()>) -> Result<Value, Stop> {
        let services = &self.execution.core.services;
        let most = self.execution.core.options.quotas.payload_bytes;
        match target {
            Target::Function(FunctionCall { name, payload, client_context, wants_log }) => {
                let (function, client_context) = (name.as_str(), client_context.as_deref());
                let request = LambdaRequest { function, payload, client_context, wants_log, begun };
                let answered = services.invoke_lambda(request).await;
                let answer = answered.map_err(|failure| StateError::new(failure.error, failure.cause))?;
                Ok(result(task, &answer, most)?)
            }
            Target::Service { integration, parameters } => {
                let _ = begun.send(());
                let (resource_type, action) = (integration.resource_type.as_str(), integration.action.as_str());
                let request = ServiceRequest { resource_type, action, parameters };
                let answered = services.call_service(request).await;
                let answer = answered.map_err(|failure| StateError::new(failure.error, failure.cause))?;
                if exceeds(&answer, most) {
                    return Err(too_large(resource_type).into());
                }
                Ok(answer)
            }
        }
    }

    /// Waits until somebody ends the task; a silence longer than the heartbeat is a failure.
    async fn token_used(&self, waiting: &mut Waiting<'_>, heartbeat: Option<Duration>) -> Result<Value, StateError> {
        loop {
            let signal = tokio::select! {
                signal = waiting.signal() => signal,
                () = sleep(heartbeat) => {
                    return Err(StateError::stated(Some(names::HEARTBEAT_TIMEOUT.to_owned()), None));
                }
            };
            match signal {
                Some(Signal::Heartbeat) => {}
                Some(Signal::Success(output)) => return Ok(output),
                Some(Signal::Failure { error, cause }) => return Err(StateError::stated(error, cause)),
                None => return Err(self.located(StateError::runtime("The token of the task was lost."))),
            }
        }
    }

    /// Computes everything that the call needs.
    fn prepared<'t>(&self, task: &'t TaskState, raw: &Value, context: &Context<'_>) -> Result<Call<'t>, StateError> {
        let effective = self.effective_input(task.parameters.as_ref(), raw, context)?;
        let timeout = self.seconds(task.timeout.as_ref(), "TimeoutSeconds", raw, context)?;
        let heartbeat = self.seconds(task.heartbeat.as_ref(), "HeartbeatSeconds", raw, context)?;
        let shown = effective.clone();
        let target = match (&task.resource, effective) {
            (TaskResource::LambdaFunction(arn), payload) => {
                let payload = Bytes::from(payload.to_string());
                Target::Function(FunctionCall { name: arn.clone(), payload, ..FunctionCall::default() })
            }
            (TaskResource::LambdaInvoke(_), Value::Object(parameters)) => self.invocation(parameters)?,
            (TaskResource::Service(integration), Value::Object(parameters)) => {
                Target::Service { integration, parameters }
            }
            (TaskResource::LambdaInvoke(_) | TaskResource::Service(_), _) => {
                return Err(self.located(StateError::runtime("The parameters must be an object.")));
            }
        };
        Ok(Call { target, shown, timeout, heartbeat })
    }

    fn invocation(&self, mut parameters: Map<String, Value>) -> Result<Target<'static>, StateError> {
        let Some(Value::String(mut name)) = parameters.shift_remove("FunctionName") else {
            return Err(self.located(StateError::runtime("The parameter 'FunctionName' must be a string.")));
        };
        if let Some(Value::String(qualifier)) = parameters.shift_remove("Qualifier") {
            name = format!("{name}:{qualifier}");
        }
        let refused = |message: &str| self.located(StateError::runtime(message));
        if parameters.get("InvocationType").is_some_and(|kind| kind != "RequestResponse") {
            return Err(refused("The local engine invokes functions with the InvocationType 'RequestResponse' only."));
        }
        let wants_log = match parameters.get("LogType").map(|kind| kind.as_str()) {
            None | Some(Some("None")) => false,
            Some(Some("Tail")) => true,
            Some(_) => return Err(refused("The parameter 'LogType' must be 'None' or 'Tail'.")),
        };
        let client_context = match parameters.shift_remove("ClientContext") {
            None | Some(Value::Null) => None,
            Some(Value::String(context)) => Some(context),
            Some(_) => return Err(refused("The parameter 'ClientContext' must be a string.")),
        };
        let payload = match parameters.shift_remove("Payload") {
            None | Some(Value::Null) => "{}".to_owned(),
            // A text is taken as the event's own JSON text, not quoted once more.
            Some(Value::String(text)) if self.state.language == Language::JsonPath => {
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
        Ok(Target::Function(FunctionCall { name, payload: Bytes::from(payload), client_context, wants_log }))
    }

    fn seconds(
        &self,
        given: Option<&Given<u64>>,
        field: &str,
        raw: &Value,
        context: &Context<'_>,
    ) -> Result<Option<Duration>, StateError> {
        let Some(given) = given else { return Ok(None) };
        let selected = self.select(&self.state.input_path, Scope { input: raw, context })?;
        let scope = Scope { input: &selected, context };
        let seconds = numbers::count(given, field, scope).map_err(|error| self.located(error))?;
        if seconds == 0 {
            return Err(self.located(StateError::runtime(format!("{field} must be positive."))));
        }
        Ok(Some(Duration::from_secs(seconds)))
    }
}

/// The names of a task's events, which differ between functions by ARN and services.
struct Events<'t> {
    service: Option<&'t Integration>,
    function: &'t str,
    scheduled: &'static str,
    started: &'static str,
    succeeded: &'static str,
    failed: &'static str,
    failed_details: &'static str,
    timed_out: &'static str,
    timed_out_details: &'static str,
}

impl<'t> Events<'t> {
    fn of(resource: &'t TaskResource) -> Self {
        match resource {
            TaskResource::LambdaFunction(arn) => Self {
                service: None,
                function: arn,
                scheduled: "LambdaFunctionScheduled",
                started: "LambdaFunctionStarted",
                succeeded: "LambdaFunctionSucceeded",
                failed: "LambdaFunctionFailed",
                failed_details: "lambdaFunctionFailedEventDetails",
                timed_out: "LambdaFunctionTimedOut",
                timed_out_details: "lambdaFunctionTimedOutEventDetails",
            },
            TaskResource::LambdaInvoke(integration) | TaskResource::Service(integration) => Self {
                service: Some(integration),
                function: "",
                scheduled: "TaskScheduled",
                started: "TaskStarted",
                succeeded: "TaskSucceeded",
                failed: "TaskFailed",
                failed_details: "taskFailedEventDetails",
                timed_out: "TaskTimedOut",
                timed_out_details: "taskTimedOutEventDetails",
            },
        }
    }

    fn scheduled_details(&self, call: &Call<'_>, region: &str) -> Option<Details> {
        let seconds = |duration: Option<Duration>| duration.map(|duration| Value::from(duration.as_secs()));
        let (timeout, heartbeat) = (seconds(call.timeout), seconds(call.heartbeat));
        if self.service.is_none() {
            return details(
                "lambdaFunctionScheduledEventDetails",
                [
                    ("input", Some(call.shown.clone())),
                    ("resource", Some(self.function.into())),
                    ("timeoutInSeconds", timeout),
                ],
            );
        }
        self.details(
            "taskScheduledEventDetails",
            [
                ("parameters", Some(call.shown.clone())),
                ("region", Some(region.into())),
                ("timeoutInSeconds", timeout),
                ("heartbeatInSeconds", heartbeat),
            ],
        )
    }

    /// Details that also say which service it is; functions by ARN have none.
    fn details<const N: usize>(&self, name: &'static str, fields: [(&str, Option<Value>); N]) -> Option<Details> {
        self.service?;
        self.always(name, fields)
    }

    fn always<const N: usize>(&self, name: &'static str, fields: [(&str, Option<Value>); N]) -> Option<Details> {
        let (name, mut all) = details(name, fields)?;
        if let (Some(Integration { resource_type, action, wait_for_token }), Value::Object(all)) =
            (self.service, &mut all)
        {
            let suffix = if *wait_for_token { ".waitForTaskToken" } else { "" };
            all.insert("resource".to_owned(), format!("{action}{suffix}").into());
            all.insert("resourceType".to_owned(), resource_type.as_str().into());
        }
        Some((name, all))
    }
}

async fn sleep(duration: Option<Duration>) {
    match duration {
        Some(duration) => tokio::time::sleep(duration).await,
        None => std::future::pending().await,
    }
}

/// Unlike the limit on a state's own payloads, wildcards match this one: it is a failure of the task.
fn too_large(resource: &str) -> StateError {
    let cause = format!(
        "The state/task '{resource}' returned a result with a size exceeding the maximum number of bytes service limit."
    );
    StateError::new(names::DATA_LIMIT_EXCEEDED, cause)
}

/// The result that the state sees: the answer itself, or in the envelope of lambda:invoke.
fn result(task: &TaskState, answer: &LambdaAnswer, most_bytes: usize) -> Result<Value, StateError> {
    let resource = match &task.resource {
        TaskResource::LambdaInvoke(_) | TaskResource::Service(_) => "lambda",
        TaskResource::LambdaFunction(arn) => arn,
    };
    if answer.payload.len() > most_bytes {
        return Err(too_large(resource));
    }
    let payload: Value = serde_json::from_slice(&answer.payload)
        .map_err(|_| StateError::new("Lambda.Unknown", format!("The state/task '{resource}' returned no JSON.")))?;
    Ok(match task.resource {
        TaskResource::LambdaFunction(_) => payload,
        TaskResource::LambdaInvoke(_) | TaskResource::Service(_) => envelope(answer, payload),
    })
}

/// What lambda:invoke returns, with the metadata of the call as the service shows it.
fn envelope(answer: &LambdaAnswer, payload: Value) -> Value {
    let length = answer.payload.len().to_string();
    let mut extra =
        vec![("X-Amz-Executed-Version", answer.executed_version.as_str()), ("x-amzn-Remapped-Content-Length", "0")];
    extra.extend(answer.log_result.as_deref().map(|log| ("X-Amz-Log-Result", log)));
    let metadata = crate::services::metadata(&answer.request_id, "application/json", &length, &extra);
    let mut result = Map::new();
    result.insert("ExecutedVersion".to_owned(), json!(answer.executed_version));
    if let Some(log) = &answer.log_result {
        result.insert("LogResult".to_owned(), json!(log));
    }
    result.insert("Payload".to_owned(), payload);
    result.extend(metadata);
    result.insert("StatusCode".to_owned(), json!(200));
    Value::Object(result)
}
