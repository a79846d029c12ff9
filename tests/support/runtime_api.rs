//! A stand-in for the Lambda Runtime API: hands out one event to a function process and takes its answer.

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};

/// The largest answer of a function, as Lambda has it.
const MAX_ANSWER_BYTES: usize = 6 << 20;

/// Answers that may wait to be taken.
const MAX_ANSWERS: usize = 4;

/// What a function posted.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The path it chose: ends in `/response` or `/error`.
    pub path: String,
    /// The body.
    pub body: Value,
}

/// The Runtime API of one function process. Dropping it ends it.
#[derive(Debug)]
pub struct RuntimeApi {
    address: SocketAddr,
    answers: mpsc::Receiver<Answer>,
    task: JoinHandle<()>,
}

struct State {
    event: Bytes,
    is_handed_out: AtomicBool,
    answers: mpsc::Sender<Answer>,
}

impl RuntimeApi {
    /// Starts to serve one event.
    pub async fn start(event: &Value) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, answers) = mpsc::channel(MAX_ANSWERS);
        let event = Bytes::from(event.to_string());
        let state = Arc::new(State { event, is_handed_out: AtomicBool::new(false), answers: sender });
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let state = Arc::clone(&state);
                connections.spawn(async move {
                    let service = service_fn(|request| handle(request, &state));
                    // A function that is killed breaks its connections.
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { address, answers, task }
    }

    /// Waits for the function's answer.
    pub async fn answer(&mut self) -> Answer {
        self.answers.recv().await.unwrap()
    }

    /// Starts a function program that takes its event from here, with these variables more.
    ///
    /// Its output is thrown away.
    #[must_use]
    pub fn spawn(&self, program: &Path, memory_mib: u32, variables: &[(&str, String)]) -> Child {
        let lambda = [
            ("AWS_LAMBDA_RUNTIME_API", self.address.to_string()),
            ("AWS_LAMBDA_FUNCTION_NAME", "transform".to_owned()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", memory_mib.to_string()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "1".to_owned()),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "stream".to_owned()),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "group".to_owned()),
        ];
        Command::new(program)
            .env_clear()
            .envs(lambda)
            .envs(variables.iter().map(|(name, value)| (*name, value.as_str())))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("the function does not start: {error}"))
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn handle(request: Request<Incoming>, state: &State) -> Result<Response<Full<Bytes>>, Infallible> {
    if request.method() == Method::GET {
        if state.is_handed_out.swap(true, Ordering::SeqCst) {
            // There is no second event.
            return std::future::pending().await;
        }
        let answer = Response::builder()
            .header("lambda-runtime-aws-request-id", "1")
            .header("lambda-runtime-deadline-ms", "99999999999999")
            .header("lambda-runtime-invoked-function-arn", "arn:aws:lambda:x:0:function:transform");
        return Ok(answer.body(Full::new(state.event.clone())).unwrap());
    }
    let path = request.uri().path().to_owned();
    #[expect(clippy::disallowed_methods, reason = "limited")]
    let body = Limited::new(request.into_body(), MAX_ANSWER_BYTES).collect().await;
    if let Ok(body) = body {
        let body = serde_json::from_slice(&body.to_bytes()).unwrap_or(Value::Null);
        // Nobody may wait for the answer any more.
        let _ = state.answers.send(Answer { path, body }).await;
    }
    Ok(Response::builder().status(StatusCode::ACCEPTED).body(Full::default()).unwrap())
}
