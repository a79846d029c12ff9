//! A stand-in for the Lambda service: hands out invocations over the real Runtime API and collects answers and logs.
//!
//! It is written against `std` alone and shares no code with the runtime library that it serves. Each connection has a
//! thread, because a client asks for the next invocation on one connection while it answers on another.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a failed expectation is a failed test"
)]

use serde_json::Value;
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How long a test waits for something that should come at once.
const PATIENCE: Duration = Duration::from_secs(60);

/// An invocation to hand out.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// Its id.
    pub request_id: String,
    /// The header with the trace, if it is to have one.
    pub trace_header: Option<String>,
    /// The event, a text of JSON.
    pub event: String,
}

impl Invocation {
    /// An invocation without a trace.
    #[must_use]
    pub fn new(request_id: &str, event: Value) -> Self {
        Self::of_text(request_id, &event.to_string())
    }

    /// An invocation without a trace, with an event that a [`Value`] may be unable to hold.
    #[must_use]
    pub fn of_text(request_id: &str, event: &str) -> Self {
        Self { request_id: request_id.to_owned(), trace_header: None, event: event.to_owned() }
    }
}

/// What the function answered to an invocation.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The id under which it answered.
    pub request_id: String,
    /// Whether it answered with an error.
    pub is_error: bool,
    /// The body.
    pub body: Value,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Invocation>,
    handed_out: usize,
    answers: Vec<Answer>,
    most_at_once: usize,
}

/// A Runtime API on a port of loopback.
pub struct RuntimeApi {
    address: SocketAddr,
    shared: Arc<(Mutex<State>, Condvar)>,
}

impl RuntimeApi {
    /// An API that hands out these invocations. It takes no answer before `together` of them are handed out, so that as
    /// many are certain to run at the same time; 1 takes every answer at once.
    #[must_use]
    pub fn start(invocations: Vec<Invocation>, together: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = State { waiting: invocations.into(), ..State::default() };
        let shared = Arc::new((Mutex::new(state), Condvar::new()));
        let for_connections = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&for_connections);
                thread::spawn(move || serve(&stream, &shared, together));
            }
        });
        Self { address, shared }
    }

    /// Waits until there are so many answers; they are in the order in which they came.
    #[must_use]
    pub fn answers(&self, count: usize) -> Vec<Answer> {
        let (state, changed) = &*self.shared;
        let state = state.lock().unwrap();
        let (state, waited) = changed.wait_timeout_while(state, PATIENCE, |state| state.answers.len() < count).unwrap();
        assert!(
            !waited.timed_out(),
            "{} of {count} invocations are answered: {:?}",
            state.answers.len(),
            state.answers
        );
        state.answers.clone()
    }

    /// The answers that have come so far.
    #[must_use]
    pub fn answers_so_far(&self) -> Vec<Answer> {
        self.shared.0.lock().unwrap().answers.clone()
    }

    /// The command that starts a function program as Lambda does, with these variables more. The region is not among them.
    #[must_use]
    pub fn command(&self, program: &Path, memory_mib: u32, variables: &[(&str, &str)]) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", self.address.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", "transform")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", memory_mib.to_string())
            .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "s")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "g")
            .envs(variables.iter().copied())
            .stdin(Stdio::null());
        command
    }

    /// The most invocations that were handed out and not yet answered.
    #[must_use]
    pub fn most_at_once(&self) -> usize {
        self.shared.0.lock().unwrap().most_at_once
    }
}

/// Serves the requests of one connection until the other side closes it.
fn serve(stream: &TcpStream, (state, changed): &(Mutex<State>, Condvar), together: usize) {
    let mut reader = BufReader::new(stream);
    while let Some((path, body)) = read_request(&mut reader) {
        if path.ends_with("/invocation/next") {
            let mut state = changed.wait_while(state.lock().unwrap(), |state| state.waiting.is_empty()).unwrap();
            let invocation = state.waiting.pop_front().unwrap();
            state.handed_out += 1;
            state.most_at_once = state.most_at_once.max(state.handed_out - state.answers.len());
            changed.notify_all();
            drop(state);
            hand_out(stream, &invocation);
        } else {
            let (rest, kind) = path.rsplit_once('/').unwrap();
            let request_id = rest.rsplit('/').next().unwrap().to_owned();
            let body = serde_json::from_slice(&body).unwrap();
            let waiting =
                changed.wait_timeout_while(state.lock().unwrap(), PATIENCE, |state| state.handed_out < together);
            let (mut state, waited) = waiting.unwrap();
            if waited.timed_out() {
                return;
            }
            state.answers.push(Answer { request_id, is_error: kind == "error", body });
            changed.notify_all();
            drop(state);
            write!(&*stream, "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n").unwrap();
        }
    }
}

/// Path and body of the next request, or nothing when the connection is closed.
fn read_request(reader: &mut BufReader<&TcpStream>) -> Option<(String, Vec<u8>)> {
    let mut line = String::new();
    if reader.read_line(&mut line).unwrap_or(0) == 0 {
        return None;
    }
    let path = line.split(' ').nth(1).unwrap().to_owned();
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).unwrap();
        let header = header.trim_end().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    Some((path, body))
}

fn hand_out(mut stream: &TcpStream, invocation: &Invocation) {
    let body = &invocation.event;
    let trace = invocation.trace_header.iter().map(|header| format!("lambda-runtime-trace-id: {header}\r\n"));
    let reply = format!(
        "HTTP/1.1 200 OK\r\nlambda-runtime-aws-request-id: {}\r\nlambda-runtime-deadline-ms: 99999999999999\r\n\
         lambda-runtime-invoked-function-arn: arn:aws:lambda:x:0:function:f\r\n{}content-length: {}\r\n\r\n{body}",
        invocation.request_id,
        trace.collect::<String>(),
        body.len()
    );
    // The function may be gone already.
    drop(stream.write_all(reply.as_bytes()));
}

/// A function process. It ends with the test.
pub struct FunctionProcess {
    child: Child,
    output: Option<JoinHandle<Vec<String>>>,
    errors: Option<JoinHandle<Vec<String>>>,
}

impl FunctionProcess {
    /// Starts a program as [`RuntimeApi::command`] does, with 128 MiB.
    #[must_use]
    pub fn start(program: &Path, api: &RuntimeApi, variables: &[(&str, &str)]) -> Self {
        let mut child = api
            .command(program, 128, variables)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{} does not start: {error}", program.display()));
        let output = child.stdout.take().map(collect);
        let errors = child.stderr.take().map(collect);
        Self { child, output, errors }
    }

    /// Ends the process and answers the lines of its log: standard output and standard error, each checked to be one JSON
    /// object.
    #[must_use]
    pub fn end(mut self) -> Vec<Value> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let lines = [self.output.take(), self.errors.take()].into_iter().flatten();
        let lines = lines.flat_map(|lines| lines.join().unwrap());
        lines.map(|line| serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
    }
}

impl Drop for FunctionProcess {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn collect(stream: impl Read + Send + 'static) -> JoinHandle<Vec<String>> {
    thread::spawn(move || BufReader::new(stream).lines().map_while(Result::ok).collect())
}
