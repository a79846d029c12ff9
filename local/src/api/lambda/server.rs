//! Serves `POST /2015-03-31/functions/NAME/invocations`.
//!
//! NAME is a name, a name with a qualifier or an ARN. A function that fails is answered with 200 and
//! `X-Amz-Function-Error`, as in the service; what the service itself refuses has its status and error name.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request, Response};
use percent_encoding::percent_decode_str;
use serde_json::json;
use tokio::sync::{Semaphore, oneshot};
use tokio_util::task::TaskTracker;

use super::{FUNCTION_ERROR, PATH_AFTER, PATH_BEFORE};
use crate::api::{answer, limited_body};
use crate::lambda_host::{HostError, InvokeContext, InvokeOutcome, LambdaHost, PAYLOAD_BYTES_MAX};
use crate::loopback::{Loopback, ServerError};

/// Most asynchronous invocations that wait or run at a time.
const EVENTS_MAX: usize = 10_000;
/// Largest payload of an asynchronous invocation, as in the service.
const EVENT_BYTES_MAX: usize = 1_024 * 1_024;

/// A running Invoke API. Dropping it ends it at once.
pub struct LambdaServer {
    loopback: Loopback,
    api: Arc<Api>,
}

struct Api {
    host: Arc<LambdaHost>,
    events: Arc<Semaphore>,
    tasks: TaskTracker,
}

/// How a function is to be invoked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum InvocationType {
    RequestResponse,
    Event,
    DryRun,
}

/// A refusal in the words of the service.
struct Refusal {
    status: u16,
    kind: &'static str,
    message: String,
    reason: Option<&'static str>,
}

impl Refusal {
    fn new(status: u16, kind: &'static str, message: impl Into<String>) -> Self {
        Self { status, kind, message: message.into(), reason: None }
    }
}

impl From<HostError> for Refusal {
    fn from(error: HostError) -> Self {
        let message = error.to_string();
        match error {
            HostError::UnknownFunction { .. } => Self::new(404, "ResourceNotFoundException", message),
            HostError::EventTooLarge { .. } => Self::new(413, "RequestTooLargeException", message),
            HostError::Throttled { .. } => Self {
                reason: Some("ReservedFunctionConcurrentInvocationLimitExceeded"),
                ..Self::new(429, "TooManyRequestsException", message)
            },
            HostError::ShutDown
            | HostError::InvalidSetting { .. }
            | HostError::MissingCommand { .. }
            | HostError::AlreadyRegistered(_) => Self::new(500, "ServiceException", message),
        }
    }
}

impl LambdaServer {
    /// Starts to serve the functions of a host on 127.0.0.1. Port 0 takes any free port. Needs a Tokio runtime.
    ///
    /// # Errors
    /// [`ServerError::Bind`].
    pub async fn start(host: Arc<LambdaHost>, port: u16) -> Result<Self, ServerError> {
        let api = Arc::new(Api { host, events: Arc::new(Semaphore::new(EVENTS_MAX)), tasks: TaskTracker::new() });
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

    /// Ends the server. The host is to be shut down before, so that no invocation is waited for.
    pub async fn shutdown(self) {
        self.api.tasks.close();
        self.api.tasks.wait().await;
        self.loopback.shutdown().await;
    }
}

impl Api {
    async fn serve(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        self.take(request).await.unwrap_or_else(|refusal| {
            let mut body = json!({"Type": if refusal.status < 500 { "User" } else { "Service" }});
            if let Some(fields) = body.as_object_mut() {
                // The service's model calls it so for throttling, and with a capital letter for the rest.
                let name = if refusal.kind == "TooManyRequestsException" { "message" } else { "Message" };
                fields.insert(name.to_owned(), json!(refusal.message));
                fields.extend(refusal.reason.map(|reason| ("Reason".to_owned(), json!(reason))));
            }
            let headers = [("content-type", "application/json"), ("x-amzn-errortype", refusal.kind)];
            answer(refusal.status, &headers, body.to_string())
        })
    }

    async fn take(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Refusal> {
        let (function, mut context) = target(&request)?;
        let kind = invocation_type(request.headers())?;
        context.wants_log = header(request.headers(), "x-amz-log-type") == Some("Tail");
        context.client_context = client_context(request.headers())?;
        context.trace_id = header(request.headers(), "x-amzn-trace-id").map(str::to_owned);
        let too_large = || HostError::EventTooLarge { bytes: PAYLOAD_BYTES_MAX + 1 };
        let body = limited_body(request.into_body(), PAYLOAD_BYTES_MAX).await.ok_or_else(too_large)?;
        let event = checked_event(body)?;
        // What does not exist is told before anything is done, also for asynchronous invocations.
        self.host.check_function(&function)?;
        let (begun, _) = oneshot::channel();
        match kind {
            InvocationType::DryRun => Ok(answer(204, &[], Bytes::new())),
            InvocationType::RequestResponse => {
                let outcome = self.host.invoke_in_context(&function, event, context, begun).await?;
                Ok(completed(outcome))
            }
            InvocationType::Event => {
                if event.len() > EVENT_BYTES_MAX {
                    let message = format!("{} byte payload is too large for the Event invocation type", event.len());
                    return Err(Refusal::new(413, "RequestTooLargeException", message));
                }
                let place = Arc::clone(&self.events).try_acquire_owned();
                let place = place.map_err(|_| HostError::Throttled { environments: EVENTS_MAX })?;
                let host = Arc::clone(&self.host);
                self.tasks.spawn(async move {
                    // Nobody waits for the outcome; the log of the host tells it. A failed event is not tried again.
                    let _ = host.invoke_in_context(&function, event, context, begun).await;
                    drop(place);
                });
                Ok(answer(202, &[], Bytes::new()))
            }
        }
    }
}

/// The function that a request names, and the qualifier.
fn target(request: &Request<Incoming>) -> Result<(String, InvokeContext), Refusal> {
    let path = request.uri().path();
    let name = path.strip_prefix(PATH_BEFORE).and_then(|rest| rest.strip_suffix(PATH_AFTER));
    let name = name.filter(|_| request.method() == Method::POST).ok_or_else(|| {
        let message = format!("expected POST {PATH_BEFORE}NAME{PATH_AFTER}");
        Refusal::new(404, "UnknownOperationException", message)
    })?;
    let name = percent_decode_str(name).decode_utf8_lossy().into_owned();
    let query = request.uri().query().unwrap_or_default();
    let asked = query.split('&').find_map(|pair| pair.strip_prefix("Qualifier="));
    let asked = asked.map(|text| percent_decode_str(text).decode_utf8_lossy().into_owned());
    let qualifier = asked.or_else(|| qualifier_in(&name)).filter(|qualifier| qualifier != "$LATEST");
    Ok((name, InvokeContext { qualifier, ..InvokeContext::default() }))
}

/// The qualifier in `name:qualifier` or in an ARN.
fn qualifier_in(name: &str) -> Option<String> {
    let parts: Vec<_> = name.split(':').collect();
    match parts.as_slice() {
        ["arn", _, "lambda", _, _, "function", _, qualifier] => Some((*qualifier).to_owned()),
        [first, qualifier] if *first != "arn" => Some((*qualifier).to_owned()),
        _ => None,
    }
}

fn invocation_type(headers: &HeaderMap) -> Result<InvocationType, Refusal> {
    match header(headers, "x-amz-invocation-type") {
        None | Some("RequestResponse") => Ok(InvocationType::RequestResponse),
        Some("Event") => Ok(InvocationType::Event),
        Some("DryRun") => Ok(InvocationType::DryRun),
        Some(other) => {
            let message = format!("the invocation type is {other:?}: expected RequestResponse, Event or DryRun");
            Err(Refusal::new(400, "InvalidParameterValueException", message))
        }
    }
}

fn client_context(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let Some(text) = header(headers, "x-amz-client-context") else { return Ok(None) };
    let decoded = STANDARD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    // It becomes a header again, which has no room for line breaks.
    let decoded = decoded.filter(|text| !text.contains(['\r', '\n', '\0']));
    let message = "the client context is not the base64 of a line of JSON";
    decoded.map(Some).ok_or_else(|| Refusal::new(400, "InvalidRequestContentException", message))
}

/// The event as JSON text; without a body it is an empty object.
fn checked_event(body: Bytes) -> Result<Bytes, Refusal> {
    if body.is_empty() {
        return Ok(Bytes::from_static(b"{}"));
    }
    serde_json::from_slice::<serde::de::IgnoredAny>(&body).map_err(|error| {
        let message = format!("Could not parse request body into json: {error}");
        Refusal::new(400, "InvalidRequestContentException", message)
    })?;
    Ok(body)
}

fn completed(outcome: InvokeOutcome) -> Response<Full<Bytes>> {
    let log = STANDARD.encode(&outcome.log_tail);
    let mut headers = vec![
        ("content-type", "application/json"),
        ("x-amz-executed-version", "$LATEST"),
        ("x-amzn-requestid", outcome.request_id.as_str()),
    ];
    if !log.is_empty() {
        headers.push(("x-amz-log-result", &log));
    }
    match outcome.result {
        Ok(body) => answer(200, &headers, body),
        Err(error) => {
            headers.push((FUNCTION_ERROR, "Unhandled"));
            answer(200, &headers, error.payload)
        }
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
