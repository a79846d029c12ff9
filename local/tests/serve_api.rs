//! `mapmill serve` driven by boto3, as a user would: the APIs of S3, Step Functions and Lambda together, with a real function
//! process; and the commands that look into it.
//!
//! Needs python3 and PyPI; without them each test says that it is skipped.

#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]
#![expect(clippy::print_stderr, reason = "a skipped test says so")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

const BOTO3: &str = "boto3==1.44.5";
/// Variables that `mapmill serve` prints.
const VARIABLES: usize = 7;

/// The Python of a virtual environment with boto3, or `None` where that cannot be had.
fn python() -> Option<&'static Path> {
    static PYTHON: OnceLock<Option<PathBuf>> = OnceLock::new();
    let python = PYTHON.get_or_init(|| {
        let venv = Path::new(env!("CARGO_TARGET_TMPDIR")).join(BOTO3);
        let python = venv.join("bin/python");
        let run = |program: &Path, arguments: &[&str]| {
            let command = Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
            command.is_ok_and(|status| status.success())
        };
        let usable = || run(&python, &["-c", "import boto3"]);
        let make = || {
            run(Path::new("python3"), &["-m", "venv", "--clear", venv.to_str().unwrap()])
                && run(&python, &["-m", "pip", "install", "--quiet", BOTO3])
        };
        (usable() || (make() && usable())).then_some(python)
    });
    if python.is_none() {
        eprintln!("SKIPPED: boto3 cannot be installed here, so nothing was tested");
    }
    python.as_deref()
}

/// A running command; killed when it is dropped.
struct Served {
    process: Child,
    variables: Vec<(String, String)>,
}

impl Served {
    /// Starts the command and reads the variables that it prints.
    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mapmill"));
        command.arg("serve").args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let variables = lines.take(VARIABLES).map(|line| {
            let line = line.unwrap();
            let (name, value) = line.strip_prefix("export ").unwrap().split_once('=').unwrap();
            (name.to_owned(), value.to_owned())
        });
        let variables = variables.collect();
        Self { process, variables }
    }

    fn variable(&self, wanted: &str) -> &str {
        &self.variables.iter().find(|(name, _)| name == wanted).unwrap().1
    }

    /// Runs a script against it and returns what it printed.
    fn drive(&self, python: &Path, script: &str, arguments: &[&str]) -> String {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/serve").join(script);
        let mut command = Command::new(python);
        command.arg(&script).args(arguments).envs(self.variables.iter().cloned()).env("NO_PROXY", "127.0.0.1");
        let output = command.stderr(Stdio::inherit()).output().unwrap();
        assert!(output.status.success(), "{} prints what failed", script.display());
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs another command of mapmill against it; returns its exit code and what it printed.
    fn ask(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mapmill"));
        let output = command.args(arguments).envs(self.variables.iter().cloned()).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    }

    /// Ends it as Ctrl-C does.
    fn stop(mut self) {
        let process = self.process.id().to_string();
        assert!(Command::new("kill").args(["-INT", &process]).status().unwrap().success());
        assert_eq!(self.process.wait().unwrap().code(), Some(130));
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The function of the scripts, in a folder of the test's own, as an argument of the command.
fn function(folder: &Path) -> (PathBuf, String) {
    let bootstrap = folder.join("bootstrap.py");
    std::fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/serve/bootstrap.py"), &bootstrap).unwrap();
    let argument = format!("work={}", bootstrap.display());
    (bootstrap, argument)
}

/// Ids of the processes whose command line has this text.
fn processes_with(text: &str) -> Vec<String> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let with_text = entries.filter(|entry| {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(text)
    });
    with_text.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn boto3_drives_everything_and_nothing_is_left() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (bootstrap, function) = function(folder.path());
    let arguments = ["--function", &function, "--env", "BUCKET=raw", "--memory", "256", "--limit-memory"];
    let served = Served::start(&arguments);
    served.drive(python, "drive.py", &[]);
    let script = bootstrap.display().to_string();
    assert!(!processes_with(&script).is_empty(), "a function waits for more");
    served.stop();
    assert_eq!(processes_with(&script), Vec::<String>::new());
}

#[test]
fn map_runs_are_changed_and_redriven_and_messages_are_shown() {
    let Some(python) = python() else { return };
    let served = Served::start(&[]);
    let execution = served.drive(python, "live.py", &[]);
    let execution = execution.trim();

    let (code, history) = served.ask(&["history", execution]);
    assert!(code == Some(0) && history.contains("MapRunRedriven"), "{history}");
    let (code, failures) = served.ask(&["failures", execution]);
    assert_eq!((code, failures.as_str()), (Some(0), ""), "what has failed has been redriven");

    let (code, messages) = served.ask(&["messages", "--json"]);
    let messages: Vec<serde_json::Value> = messages.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((code, messages.len()), (Some(0), 15), "{messages:?}");
    let sent = |service: &str, content: fn(&serde_json::Value) -> String| {
        let of_service = messages.iter().filter(|message| message["service"] == service);
        let mut contents: Vec<String> = of_service.map(|message| content(&message["content"])).collect();
        contents.sort();
        contents
    };
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let numbers = ["0", "1", "2", "3", "4"];
    assert_eq!(sent("sns", |content| content["Message"].as_str().unwrap().to_owned()), numbers);
    assert_eq!(sent("sqs", |content| content["MessageBody"].as_str().unwrap().to_owned()), numbers);
    assert_eq!(sent("dynamodb", |content| content["Item"]["id"]["N"].as_str().unwrap().to_owned()), numbers);
    assert_eq!(text(&messages[0]["action"]), "publish");
    let (code, shown) = served.ask(&["messages", "--service", "sqs", "--limit", "2"]);
    assert_eq!((code, shown.lines().count()), (Some(0), 2), "{shown}");
    assert!(shown.contains("sqs:sendMessage  https://sqs.us-east-1.amazonaws.com/000000000000/parts  "), "{shown}");
    served.stop();
}

#[test]
fn a_folder_keeps_all_objects_for_the_next_start() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("kept");
    let data = data.to_str().unwrap();
    for step in ["write", "read", "read"] {
        let served = Served::start(&["--data", data]);
        served.drive(python, "objects.py", &[step]);
        served.stop();
    }
}

/// Answers one SendMessage as SQS does, and returns the request.
fn queue(listener: &TcpListener) -> String {
    let (mut stream, _) = listener.accept().unwrap();
    let mut request = Vec::new();
    let mut chunk = [0; 4_096];
    while !String::from_utf8_lossy(&request).contains("MessageBody") {
        let read = stream.read(&mut chunk).unwrap();
        assert!(read > 0, "the request has a message");
        request.extend_from_slice(&chunk[..read]);
    }
    let body = r#"{"MessageId":"from-elsewhere"}"#;
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nConnection: close\r\n";
    write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    String::from_utf8_lossy(&request).into_owned()
}

#[test]
fn functions_and_queues_may_be_elsewhere() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (_bootstrap, function) = function(folder.path());
    let functions = Served::start(&["--function", &function, "--env", "BUCKET=raw"]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let queues = format!("sqs=http://{}", listener.local_addr().unwrap());
    let request = std::thread::spawn(move || queue(&listener));
    let lambda = functions.variable("AWS_ENDPOINT_URL_LAMBDA");
    let served = Served::start(&["--lambda-endpoint", lambda, "--endpoint", &queues]);
    served.drive(python, "elsewhere.py", &[]);
    let request = request.join().unwrap();
    assert!(request.to_lowercase().contains("x-amz-target: amazonsqs.sendmessage"), "{request}");
    assert_eq!(served.ask(&["messages"]), (Some(0), String::new()), "nothing is played here");
    served.stop();
    functions.stop();
}

/// The folder of the recordings of the real service, found as by the test `conformance`.
fn recordings() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let folder = std::env::var_os("MAPMILL_SHARED").map_or(beside, PathBuf::from).join("conformance");
    if !folder.is_dir() {
        eprintln!("SKIPPED: no recordings found by MAPMILL_SHARED or in ../shared beside the checkout");
        return None;
    }
    Some(folder)
}

#[test]
fn recorded_scenarios_hold_over_the_protocols() {
    let (Some(recordings), Some(python)) = (recordings(), python()) else { return };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/serve/recorded.py");
    let mut command = Command::new(python);
    command.arg(script).arg(env!("CARGO_BIN_EXE_mapmill")).arg(recordings).env("NO_PROXY", "127.0.0.1");
    let output = command.env("PYTHONDONTWRITEBYTECODE", "1").stderr(Stdio::inherit()).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{printed}");
}
