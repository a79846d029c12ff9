//! The real program over the real Lambda Runtime API, as far as it needs no store.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed expectation is a failed test")]

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;

/// A Runtime API that hands out one event and takes one answer.
struct RuntimeApi {
    listener: TcpListener,
}

/// What the function posted: the path it chose, and its body.
struct Answer {
    path: String,
    body: Value,
}

impl RuntimeApi {
    fn start() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").unwrap() }
    }

    /// Serves connections until the function has answered the event. Each has a thread: a client may open one and ask on
    /// another.
    fn invoke(&self, event: &Value) -> Answer {
        let (answers, answer) = mpsc::channel();
        let (listener, event) = (self.listener.try_clone().unwrap(), event.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answers, event) = (answers.clone(), event.clone());
                thread::spawn(move || {
                    if let Some(answer) = serve(&stream, &event) {
                        drop(answers.send(answer));
                    }
                });
            }
        });
        answer.recv().unwrap()
    }
}

/// Serves the requests of one connection.
fn serve(stream: &TcpStream, event: &Value) -> Option<Answer> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut request = String::new();
        if reader.read_line(&mut request).unwrap_or(0) == 0 {
            return None;
        }
        let path = request.split(' ').nth(1).unwrap().to_owned();
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
        if path.ends_with("/invocation/next") {
            let event = event.to_string();
            let headers = "lambda-runtime-aws-request-id: 1\r\nlambda-runtime-deadline-ms: 99999999999999\r\n\
                           lambda-runtime-invoked-function-arn: arn:aws:lambda:x:0:function:transform";
            write!(&*stream, "HTTP/1.1 200 OK\r\n{headers}\r\ncontent-length: {}\r\n\r\n{event}", event.len()).unwrap();
        } else {
            write!(&*stream, "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n").unwrap();
            return Some(Answer { path, body: serde_json::from_slice(&body).unwrap() });
        }
    }
}

/// A function process that ends with the test.
struct Function(Child);

impl Drop for Function {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Starts the program with these variables and answers what it posts for an event.
fn invoke(variables: &[(&str, &str)], event: &Value) -> Answer {
    let api = RuntimeApi::start();
    let address = api.listener.local_addr().unwrap().to_string();
    let lambda = [
        ("AWS_LAMBDA_RUNTIME_API", address.as_str()),
        ("AWS_LAMBDA_FUNCTION_NAME", "transform"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "s"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "g"),
    ];
    let process = Command::new(env!("CARGO_BIN_EXE_transform"))
        .env_clear()
        .envs(lambda)
        .envs(variables.iter().copied())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("the function does not start: {error}"));
    let _function = Function(process);
    api.invoke(event)
}

/// Expects an error with this name and these words.
fn check(variables: &[(&str, &str)], event: &Value, name: &str, words: &[&str]) {
    let answer = invoke(variables, event);
    assert!(answer.path.ends_with("/invocation/1/error"), "{} {}", answer.path, answer.body);
    assert_eq!(answer.body["errorType"], name, "{}", answer.body);
    let message = answer.body["errorMessage"].as_str().unwrap();
    for word in words {
        assert!(message.contains(word), "{word:?} is missing in {message:?}");
    }
}

const REGION: (&str, &str) = ("AWS_REGION", "us-east-1");

#[test]
fn an_event_that_is_no_batch_is_refused_by_name() {
    check(&[REGION], &json!({"Records": []}), "Mapmill.InvalidEvent", &["expected BatchInput in the event"]);
    check(&[REGION], &json!("text"), "Mapmill.InvalidEvent", &["found a text"]);
}

#[test]
fn a_faulty_environment_is_told_to_whoever_invokes_the_function() {
    check(&[REGION, ("MAPMILL_READ", "Bad Bucket")], &json!({}), "Mapmill.AccessDenied", &["MAPMILL_READ", "entry 1"]);
    check(&[], &json!({}), "Mapmill.AccessDenied", &["AWS_REGION"]);
}

#[test]
fn places_that_are_not_listed_are_refused_whatever_the_event_says() {
    let job = json!({"version": 1, "name": "j", "source": {"bucket": "raw"}, "output": {"bucket": "clean"}});
    let event = json!({"BatchInput": {"mapmill": {"version": 1, "run_id": "r", "job": job}}, "Items": []});
    check(&[REGION], &event, "Mapmill.AccessDenied", &["MAPMILL_WRITE", "allowed no places"]);
    let event =
        json!({"BatchInput": {"mapmill": {"version": 1, "run_id": "r", "job": "s3://raw/job.yaml"}}, "Items": []});
    check(&[REGION, ("MAPMILL_READ", "other")], &event, "Mapmill.AccessDenied", &["MAPMILL_READ", "other/"]);
}

/// S3 Batch Operations wants an answer for every task, also where the job cannot be read.
#[test]
fn tasks_of_s3_batch_operations_are_answered_one_by_one() {
    let check = |variables: &[(&str, &str)], event: &Value, words: &str| {
        let answer = invoke(&[&[REGION], variables].concat(), event);
        assert!(answer.path.ends_with("/invocation/1/response"), "{} {}", answer.path, answer.body);
        let text = answer.body["results"][0]["resultString"].as_str().unwrap();
        assert!(text.contains(words), "{text}");
        let results = json!([{"taskId": "task", "resultCode": "PermanentFailure", "resultString": text}]);
        let expected = json!({
            "invocationSchemaVersion": event["invocationSchemaVersion"],
            "treatMissingKeysAs": "PermanentFailure",
            "invocationId": "invocation",
            "results": results,
        });
        assert_eq!(answer.body, expected);
    };
    let first = json!({
        "invocationSchemaVersion": "1.0",
        "invocationId": "invocation",
        "job": {"id": "f3cc4f60"},
        "tasks": [{"taskId": "task", "s3Key": "a.csv", "s3VersionId": null, "s3BucketArn": "arn:aws:s3:::raw"}],
    });
    check(&[], &first, "MAPMILL_JOB; found none");
    let variables = [("MAPMILL_JOB", "s3://jobs/job.yaml"), ("MAPMILL_READ", "raw")];
    check(&variables, &first, "s3://jobs/job.yaml");
    let second = json!({
        "invocationSchemaVersion": "2.0",
        "invocationId": "invocation",
        "job": {"id": "f3cc4f60", "userArguments": {"mapmill_job": "s3://jobs/other.yaml"}},
        "tasks": [{"taskId": "task", "s3Key": "a.csv", "s3VersionId": null, "s3Bucket": "raw"}],
    });
    check(&variables, &second, "s3://jobs/other.yaml");
}
