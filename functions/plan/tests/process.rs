//! The real program over the real Lambda Runtime API, as far as it needs no store.
#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

use lambda_shell::testsuite::{FunctionProcess, Invocation, RuntimeApi};
use serde_json::{Value, json};
use std::path::Path;

/// Starts the program with these variables and expects an error with this name and these words.
fn check(variables: &[(&str, &str)], event: &Value, name: &str, words: &str) {
    let api = RuntimeApi::start(vec![Invocation::new("request-1", event.clone())], 1);
    let function = FunctionProcess::start(Path::new(env!("CARGO_BIN_EXE_plan")), &api, variables);
    let answer = api.answers(1).remove(0);
    let log = function.end();
    assert!(answer.is_error && answer.body["errorType"] == name, "{answer:?}");
    assert!(answer.body["errorMessage"].as_str().unwrap().contains(words), "{words:?} is missing in {answer:?}");
    assert!(log.iter().any(|line| line["message"] == "invocation failed" && line["error_name"] == name), "{log:?}");
}

const REGION: (&str, &str) = ("AWS_REGION", "us-east-1");

fn request() -> Value {
    let job = json!({"version": 1, "name": "j", "source": {"bucket": "raw"}, "output": {"bucket": "clean"}});
    json!({"mapmill": {"version": 1, "run_id": "r", "job": job}, "strategy": "packed", "batch": null})
}

#[test]
fn what_is_no_request_is_refused_by_name() {
    check(&[REGION], &json!({"Records": []}), "Mapmill.InvalidEvent", "expected BatchInput in the event");
    let mut event = request();
    event["strategy"] = json!("fast");
    check(&[REGION], &event, "Mapmill.InvalidEvent", "expected simple, nested, packed or repair");
    event = request();
    event["mapmill"]["job"]["name"] = json!("");
    check(&[REGION], &event, "Mapmill.InvalidJob", "name");
}

#[test]
fn rates_that_make_no_sense_are_told() {
    let rates = ("MAPMILL_RATES", r#"{"prices": {"s3": {"delete": 1}}}"#);
    check(&[REGION, rates], &request(), "Mapmill.AccessDenied", "there is no prices.s3.delete");
}
