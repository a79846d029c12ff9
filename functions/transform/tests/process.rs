//! The real program over the real Lambda Runtime API, as far as it needs no store.
#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

use lambda_shell::testsuite::{Answer, FunctionProcess, Invocation, RuntimeApi};
use serde_json::{Value, json};
use std::path::Path;

/// Starts the program with these variables and answers what it posts for an event, and its log.
fn invoke(variables: &[(&str, &str)], event: &Value) -> (Answer, Vec<Value>) {
    invoke_text(variables, &event.to_string())
}

/// The same with an event as a text.
fn invoke_text(variables: &[(&str, &str)], event: &str) -> (Answer, Vec<Value>) {
    let api = RuntimeApi::start(vec![Invocation::of_text("request-1", event)], 1);
    let function = FunctionProcess::start(Path::new(env!("CARGO_BIN_EXE_transform")), &api, variables);
    let answer = api.answers(1).remove(0);
    (answer, function.end())
}

/// Starts the program with these variables and expects an error with this name and these words.
fn check(variables: &[(&str, &str)], event: &Value, name: &str, words: &[&str]) {
    let (answer, log) = invoke(variables, event);
    assert!(answer.is_error, "{answer:?}");
    assert_eq!(answer.request_id, "request-1", "{answer:?}");
    let body = &answer.body;
    assert_eq!(body["errorType"], name, "{body}");
    let message = body["errorMessage"].as_str().unwrap();
    for word in words {
        assert!(message.contains(word), "{word:?} is missing in {message:?}");
    }
    let line = log.iter().find(|line| line["message"] == "invocation failed").unwrap();
    assert_eq!(
        (&line["error_name"], &line["error"], &line["request_id"]),
        (&json!(name), &json!(message), &json!("request-1"))
    );
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
    let concurrency = [("AWS_LAMBDA_MAX_CONCURRENCY", "8"), ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512")];
    check(&concurrency, &json!({}), "Mapmill.AccessDenied", &["AWS_LAMBDA_MAX_CONCURRENCY", "at most 4 invocations"]);
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
        let (answer, _) = invoke(&[&[REGION], variables].concat(), event);
        assert!(!answer.is_error, "{answer:?}");
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

/// Everything about an event that is JSON but cannot be read goes the way of every other failure: a name, a line with the
/// ids, metrics, and no contents.
#[test]
fn an_event_that_cannot_be_read_is_refused_like_any_other() {
    let deep = format!("{}{}", "[".repeat(300), "]".repeat(300));
    for bad in [r#""secret\ud800""#, "1e999", &deep] {
        let event = format!(r#"{{"BatchInput": {{"mapmill": {{"version": 1, "secret": {bad}}}}}, "Items": []}}"#);
        let (answer, log) = invoke_text(&[REGION], &event);
        let body = &answer.body;
        assert_eq!((answer.is_error, &body["errorType"]), (true, &json!("Mapmill.InvalidEvent")), "{body}");
        let message = body["errorMessage"].as_str().unwrap();
        assert!(message.contains("in BatchInput, found") && message.contains("line 1 column"), "{message}");
        assert!(!json!([body, log]).to_string().contains("secret"), "{log:?}");
        let line = log.iter().find(|line| line["message"] == "invocation failed").unwrap();
        assert_eq!((&line["request_id"], &line["error"]), (&json!("request-1"), &json!(message)));
        let metrics = log.iter().find(|line| line.get("_aws").is_some()).unwrap();
        assert_eq!((&metrics["FailedBatches"], &metrics["request_id"]), (&json!(1), &json!("request-1")));
    }
}

#[test]
fn an_item_that_cannot_be_read_does_not_fail_the_event() {
    // The event is read, so that the first thing that is wrong is where the ledger would lie.
    let job = r#"{"version": 1, "name": "j", "source": {"bucket": "raw"}, "output": {"bucket": "clean"}}"#;
    let mapmill = format!(r#"{{"version": 1, "run_id": "r", "job": {job}}}"#);
    for item in [r#"{"Key": "\ud800"}"#, r#"{"Key": "a", "LastModified": 1e999}"#] {
        let event = format!(r#"{{"BatchInput": {{"mapmill": {mapmill}}}, "Items": ["a", {item}]}}"#);
        let (answer, _) = invoke_text(&[REGION], &event);
        assert_eq!(answer.body["errorType"], "Mapmill.AccessDenied", "{item}: {answer:?}");
    }
}
