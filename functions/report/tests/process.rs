//! The real program over the real Lambda Runtime API, as far as it needs no store.
#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

use lambda_shell::testsuite::{FunctionProcess, Invocation, RuntimeApi};
use serde_json::{Value, json};
use std::path::Path;

/// Starts the program with these variables and expects an error with this name and these words.
fn check(variables: &[(&str, &str)], event: &Value, name: &str, words: &str) {
    let api = RuntimeApi::start(vec![Invocation::new("request-1", event.clone())], 1);
    let variables = [&[("AWS_REGION", "us-east-1")], variables].concat();
    let function = FunctionProcess::start(Path::new(env!("CARGO_BIN_EXE_report")), &api, &variables);
    let answer = api.answers(1).remove(0);
    assert!(answer.is_error, "{answer:?}");
    assert_eq!(answer.body["errorType"], name, "{answer:?}");
    assert!(answer.body["errorMessage"].as_str().unwrap().contains(words), "{answer:?}");
    let log = function.end();
    let line = log.iter().find(|line| line["message"] == "invocation failed").unwrap();
    assert_eq!((&line["error_name"], &line["request_id"]), (&json!(name), &json!("request-1")));
}

#[test]
fn what_is_no_request_is_refused_by_name() {
    check(&[], &json!({"Records": []}), "Mapmill.InvalidEvent", "expected BatchInput in the event");
    let mapmill = json!({"version": 1, "run_id": "r", "job": "s3://jobs/job.yaml"});
    check(&[], &json!({"mapmill": mapmill, "plan": 5}), "Mapmill.InvalidEvent", "not a request for a report");
}

#[test]
fn places_that_are_not_listed_are_refused_whatever_the_event_says() {
    let job = json!({"version": 1, "name": "j", "source": {"bucket": "raw"}, "output": {"bucket": "clean"}});
    let event = json!({"mapmill": {"version": 1, "run_id": "r", "job": job}});
    check(&[], &event, "Mapmill.AccessDenied", "MAPMILL_WRITE");
    check(&[("MAPMILL_WRITE", "other")], &event, "Mapmill.AccessDenied", "MAPMILL_WRITE");
}
