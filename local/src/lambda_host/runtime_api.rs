//! The Lambda Runtime API of one environment.
//!
//! The function's process asks for an invocation (`next`), works, and posts a response or an error. At most one
//! invocation is with the process at a time; an answer to any other is refused.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use super::PAYLOAD_BYTES_MAX;
use super::outcome::FunctionError;

const VERSION: &str = "/2018-06-01/runtime";
const ERROR_TYPE_HEADER: &str = "lambda-runtime-function-error-type";

/// An invocation on its way to the process.
pub(super) struct Invocation {
    pub(super) request_id: String,
    pub(super) event: Bytes,
    /// When the function will be stopped.
    pub(super) deadline: Duration,
    pub(super) function_arn: String,
    pub(super) trace_id: String,
    /// JSON that the caller hands to the function.
    pub(super) client_context: Option<String>,
    pub(super) reply: oneshot::Sender<Reply>,
}

/// What the process posts for an invocation.
pub(super) enum Reply {
    Response(Bytes),
    Error(FunctionError),
    /// A response or error larger than allowed.
    TooLarge,
}

/// How far the process has come.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum InitState {
    Starting,
    /// It asked for its first invocation.
    Ready,
    /// It posted an error instead.
    Failed(FunctionError),
}

/// The listener of one environment; dropping it closes the listener.
pub(super) struct RuntimeApi {
    pub(super) address: SocketAddr,
    invocations: mpsc::Sender<Invocation>,
    init: watch::Receiver<InitState>,
    server: JoinHandle<()>,
}

struct Shared {
    invocations: tokio::sync::Mutex<mpsc::Receiver<Invocation>>,
    current: Mutex<Option<(String, oneshot::Sender<Reply>)>>,
    init: watch::Sender<InitState>,
}

impl RuntimeApi {
    /// Opens a listener on a free port of the loopback.
    pub(super) async fn open() -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let (invocations, receiver) = mpsc::channel(1);
        let (init_sender, init) = watch::channel(InitState::Starting);
        let shared = Arc::new(Shared {
            invocations: tokio::sync::Mutex::new(receiver),
            current: Mutex::new(None),
            init: init_sender,
        });
        let router = Router::new()
            .route(&format!("{VERSION}/invocation/next"), get(next))
            .route(&format!("{VERSION}/invocation/{{id}}/response"), post(response))
            .route(&format!("{VERSION}/invocation/{{id}}/error"), post(error))
            .route(&format!("{VERSION}/init/error"), post(init_error))
            .with_state(shared);
        let server = tokio::spawn(async move {
            // Serving ends only with the task; an error of one connection stays with that connection.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, invocations, init, server })
    }

    /// Waits until the process asks for its first invocation or reports that it cannot.
    pub(super) async fn initialised(&self) -> Result<(), FunctionError> {
        let mut init = self.init.clone();
        let state = init.wait_for(|state| *state != InitState::Starting).await.map(|state| state.clone());
        match state {
            Ok(InitState::Failed(error)) => Err(error),
            Ok(_) => Ok(()),
            // The listener is gone, so the environment is, and whoever watches the process will say why.
            Err(_) => std::future::pending().await,
        }
    }

    /// Hands an invocation to the process when it next asks.
    pub(super) async fn hand_out(&self, invocation: Invocation) {
        // The reply's sender is dropped with an invocation that nobody takes, which tells the one who waits.
        let _ = self.invocations.send(invocation).await;
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn next(State(shared): State<Arc<Shared>>) -> Response {
    shared.init.send_if_modified(|state| {
        let starting = *state == InitState::Starting;
        if starting {
            *state = InitState::Ready;
        }
        starting
    });
    let Some(invocation) = shared.invocations.lock().await.recv().await else {
        return refuse(StatusCode::GONE, "Container.Closed", "the environment is shut down");
    };
    let mut headers = vec![
        ("lambda-runtime-aws-request-id", invocation.request_id.clone()),
        ("lambda-runtime-deadline-ms", invocation.deadline.as_millis().to_string()),
        ("lambda-runtime-invoked-function-arn", invocation.function_arn),
        ("lambda-runtime-trace-id", invocation.trace_id),
        ("content-type", "application/json".to_owned()),
    ];
    headers.extend(invocation.client_context.map(|context| ("lambda-runtime-client-context", context)));
    let mut current = shared.current.lock().unwrap_or_else(PoisonError::into_inner);
    *current = Some((invocation.request_id, invocation.reply));
    (AppendHeaders(headers), invocation.event).into_response()
}

async fn response(State(shared): State<Arc<Shared>>, Path(id): Path<String>, body: Body) -> Response {
    let reply = match limited(body).await {
        Some(body) => Reply::Response(body),
        None => Reply::TooLarge,
    };
    answer(&shared, &id, reply)
}

async fn error(State(shared): State<Arc<Shared>>, Path(id): Path<String>, headers: HeaderMap, body: Body) -> Response {
    let reply = match limited(body).await {
        Some(body) => Reply::Error(FunctionError::posted(&body, error_type(&headers))),
        None => Reply::TooLarge,
    };
    answer(&shared, &id, reply)
}

async fn init_error(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Body) -> Response {
    let body = limited(body).await.unwrap_or_default();
    let error = FunctionError::posted(&body, error_type(&headers));
    let accepted = shared.init.send_if_modified(|state| {
        let starting = *state == InitState::Starting;
        if starting {
            *state = InitState::Failed(error);
        }
        starting
    });
    if accepted { accept() } else { refuse(StatusCode::FORBIDDEN, "InvalidStateTransition", "not initialising") }
}

/// Gives a reply to the one who waits for it.
fn answer(shared: &Shared, id: &str, reply: Reply) -> Response {
    let mut current = shared.current.lock().unwrap_or_else(PoisonError::into_inner);
    match current.take() {
        Some((request_id, sender)) if request_id == id => {
            let too_large = matches!(reply, Reply::TooLarge);
            // Nobody waits any more after a timeout; the process is about to be killed then.
            let _ = sender.send(reply);
            if too_large {
                let message = format!("exceeded the maximum allowed payload size ({PAYLOAD_BYTES_MAX} bytes)");
                return refuse(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", &message);
            }
            accept()
        }
        other => {
            *current = other;
            refuse(StatusCode::BAD_REQUEST, "InvalidRequestID", "this invocation is not with this environment")
        }
    }
}

/// The body, unless it is larger than an answer may be.
async fn limited(body: Body) -> Option<Bytes> {
    to_bytes(body, PAYLOAD_BYTES_MAX).await.ok()
}

fn error_type(headers: &HeaderMap) -> Option<&str> {
    headers.get(ERROR_TYPE_HEADER).and_then(|value| value.to_str().ok())
}

fn accept() -> Response {
    json_response(StatusCode::ACCEPTED, &json!({"status": "OK"}))
}

fn refuse(status: StatusCode, error_type: &str, message: &str) -> Response {
    json_response(status, &json!({"errorType": error_type, "errorMessage": message}))
}

fn json_response(status: StatusCode, value: &serde_json::Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}
