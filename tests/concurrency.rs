//! Several invocations at the same time in one process, as Lambda Managed Instances run a function.

use lambda_shell::testsuite::Invocation;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tests::function::{Workshop, batch, trace_header};

const INVOCATIONS: usize = 8;
const OBJECTS: usize = 25;

fn key(invocation: usize, object: usize) -> String {
    format!("{invocation}/{object}.ndjson")
}

fn record(invocation: usize, object: usize) -> String {
    format!("{{\"invocation\":{invocation},\"object\":{object}}}\n")
}

#[test]
fn eight_invocations_in_one_process_stay_apart() {
    let workshop = Workshop::empty();
    let invocation = |number: usize| {
        let keys: Vec<String> = (0..OBJECTS).map(|object| key(number, object)).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        (0..OBJECTS).for_each(|object| workshop.put(&key(number, object), &record(number, object)));
        // Each job is another: what one invocation knows of its job must not reach the others.
        let parts = json!({"record": {"set": {"by": number}}});
        let event = batch(&format!("run-{number}"), &format!("job-{number}"), &parts, &keys);
        let trace_header = Some(trace_header(number));
        Invocation { trace_header, ..Invocation::new(&format!("request-{number}"), event) }
    };
    let invocations = (0..INVOCATIONS).map(invocation).collect();
    let variables = [("AWS_LAMBDA_MAX_CONCURRENCY", "8"), ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "2048")];
    let ended = workshop.run(invocations, INVOCATIONS, &variables);
    assert_eq!(ended.most_at_once, INVOCATIONS);

    let answered: BTreeSet<&str> = ended.answers.iter().map(|answer| answer.request_id.as_str()).collect();
    assert_eq!(answered.len(), INVOCATIONS, "each is answered once: {answered:?}");
    for answer in &ended.answers {
        let number: usize = answer.request_id.strip_prefix("request-").unwrap().parse().unwrap();
        assert!(!answer.is_error, "{answer:?}");
        assert_eq!(answer.body["run_id"], format!("run-{number}"), "{answer:?}");
        assert_eq!(answer.body["items"]["succeeded"], OBJECTS, "{answer:?}");
        for object in 0..OBJECTS {
            let expected = format!("{{\"invocation\":{number},\"object\":{object},\"by\":{number}}}\n");
            assert_eq!(workshop.read(&format!("{}.ndjson", key(number, object))), expected);
        }
    }

    let own = |number: usize| -> Vec<&Value> {
        ended.log.iter().filter(|line| line["request_id"] == format!("request-{number}")).collect()
    };
    for number in 0..INVOCATIONS {
        let (metrics, lines): (Vec<_>, Vec<_>) = own(number).into_iter().partition(|line| line.get("_aws").is_some());
        assert_eq!(lines.len(), OBJECTS + 1, "a line for each item and one for the batch: {lines:#?}");
        for line in lines {
            assert_eq!(line["run_id"], format!("run-{number}"), "{line}");
            assert_eq!(line["job"], format!("job-{number}"), "{line}");
            assert_eq!(line["correlation_id"], format!("arn:run-{number}"), "{line}");
            assert!(line["xray_trace_id"].as_str().unwrap().ends_with(&format!("-{number:024x}")), "{line}");
            let is_own = line["file_name"].as_str().is_none_or(|key| key.starts_with(&format!("{number}/")));
            assert!(is_own, "{line}");
        }
        let [metrics] = metrics.as_slice() else { panic!("one line of metrics: {metrics:#?}") };
        assert_eq!((&metrics["job"], &metrics["ItemsSucceeded"]), (&json!(format!("job-{number}")), &json!(OBJECTS)));
    }
    let of_invocations: usize = (0..INVOCATIONS).map(|number| own(number).len()).sum();
    assert_eq!(ended.log.len(), of_invocations, "no line is without an invocation");
    let cold = ended.log.iter().filter(|line| line["cold_start"] == true && line["message"] == "batch finished");
    assert_eq!(cold.count(), 1, "one invocation was the first of the process");
}
