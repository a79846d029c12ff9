//! A handler that panics, in a real process: Step Functions sees a constant name, and the next invocation works.
//!
//! The product has no way to panic on demand. So this program is two: started by the test it is a function with a handler
//! of its own, served by the same `lambda_shell::serve` as every function.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed expectation is a failed test")]

use batch::{BatchError, Deadline, Worker};
use lambda_shell::testsuite::{FunctionProcess, Invocation, RuntimeApi};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tests::root;

/// Panics where the event says so; else answers the event.
async fn handle(_: Worker, event: Box<RawValue>, _: Deadline) -> Result<Value, BatchError> {
    let event: Value = serde_json::from_str(event.get()).unwrap();
    match event["panic"].as_str() {
        Some("in the middle") => {
            tokio::task::yield_now().await;
            panic!("secret record contents")
        }
        Some("in the error") => Err(BatchError::InvalidEvent(event["absent"].as_str().unwrap().to_owned())),
        _ => Ok(event),
    }
}

fn main() {
    if std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_some() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(lambda_shell::serve(handle)).unwrap();
    } else {
        // As many at the same time as the environment allows, and one after the other.
        check("1");
        check("4");
    }
}

fn check(concurrency: &str) {
    let events = [
        json!({"panic": "in the middle"}),
        json!({"number": 1}),
        json!({"panic": "in the error"}),
        json!({"panic": "in the middle"}),
        json!({"number": 2}),
    ];
    let invocation = |(number, event): (usize, &Value)| Invocation::new(&number.to_string(), event.clone());
    let api = RuntimeApi::start(events.iter().enumerate().map(invocation).collect(), 1);
    let variables = [
        ("AWS_LAMBDA_MAX_CONCURRENCY", concurrency),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
        ("AWS_REGION", "us-east-1"),
    ];
    let function = FunctionProcess::start(&std::env::current_exe().unwrap(), &api, &variables);
    let answers = api.answers(events.len());
    for answer in &answers {
        let event = &events[answer.request_id.parse::<usize>().unwrap()];
        if event["panic"].is_null() {
            assert_eq!((answer.is_error, &answer.body), (false, event), "{answer:?}");
        } else {
            assert!(answer.is_error, "{answer:?}");
            assert_eq!(answer.body["errorType"], "Mapmill.Internal", "{answer:?}");
            assert!(answer.body["errorMessage"].as_str().unwrap().contains("panicked"), "{answer:?}");
        }
    }
    // Every line is JSON, names the place, and has the ids of its invocation and nothing of the message.
    let log = function.end();
    assert!(!Value::from(log.clone()).to_string().contains("secret"), "{log:#?}");
    let panics: Vec<&Value> = log.iter().filter(|line| line["message"] == "the function panicked").collect();
    assert_eq!(panics.len(), 3, "{log:#?}");
    for line in panics {
        assert!(line["panic_location"].as_str().unwrap().contains("panics.rs:"), "{line}");
        assert!(line["request_id"].is_string(), "{line}");
    }
    let documented = std::fs::read_to_string(root().join("docs/logging.md")).unwrap();
    assert!(documented.contains("| `panic_location` |"));
    let failed = log.iter().filter(|line| line["error_name"] == "Mapmill.Internal" && line["level"] == "ERROR");
    assert_eq!(failed.filter(|line| line["message"] == "invocation failed").count(), 3, "{log:#?}");
}
