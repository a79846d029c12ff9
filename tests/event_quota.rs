//! Why a worker function takes whole batches: the same 3,600 small objects, once handled by states, once by a function.
//!
//! A child execution of a Distributed Map that reads each object of its batch, passes it on and publishes it, by three states
//! inside an inline Map, writes 14 events for an object. A history has room for 25,000, so a batch of 1,800 does not fit.
//! Nested in a second Distributed Map with batches of 50, the same states fit. A function that takes the batch as a whole
//! makes 7 events however large the batch is, so it fits both ways. All of it goes through `mapmill run`, with its S3, its
//! queues and topics, and the real function.
#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

use serde_json::{Value, json};
use std::path::Path;
use tests::{Run, mapmill, outputs, run_job, shown};

const OBJECTS: usize = 3_600;
const LARGE_BATCH: u64 = 1_800;
const SMALL_BATCH: u64 = 50;
const TOPIC: &str = "arn:aws:sns:us-east-1:000000000000:records";
const JOB: &str = "
version: 1
name: quota
source: {bucket: raw, prefix: in/}
record: {set: {seen: true}}
output: {bucket: clean, prefix: out/, compression: none}
";

/// Reads, passes and publishes every object of `$.Items`, inside an inline Map.
fn three_states_an_object() -> Value {
    let states = json!({
        "Read": {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:s3:getObject", "Next": "Shape",
            "Parameters": {"Bucket": "raw", "Key.$": "$.Key"}, "ResultSelector": {"body.$": "$.Body"}},
        "Shape": {"Type": "Pass", "Parameters": {"record.$": "States.StringToJson($.body)"}, "Next": "Publish"},
        "Publish": {"Type": "Task", "Resource": "arn:aws:states:::sns:publish", "End": true,
            "Parameters": {"TopicArn": TOPIC, "Message.$": "$.record"}},
    });
    let each = json!({"Type": "Map", "ItemsPath": "$.Items", "ResultPath": null, "Next": "Done",
        "ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, "StartAt": "Read", "States": states}});
    json!({"StartAt": "Each", "States": {"Each": each, "Done": {"Type": "Pass", "Result": {}, "End": true}}})
}

/// One task for all of `$.Items`.
fn one_function() -> Value {
    let task = json!({"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "OutputPath": "$.Payload", "End": true,
        "Parameters": {"FunctionName": "${TransformFunctionArn}",
            "Payload": {"Items.$": "$.Items", "BatchInput.$": "$.BatchInput"}}});
    json!({"StartAt": "Work", "States": {"Work": task}})
}

/// A Distributed Map over the objects of the source, in batches of small items, with this child.
fn over_the_source(batch: u64, child: Value) -> Value {
    let job = json!({"version": 1, "run_id.$": "$$.Execution.Name", "correlation_id.$": "$$.Execution.Id",
        "job.$": "$.job"});
    distributed(
        "Objects",
        json!({
            "ItemReader": {"Resource": "arn:aws:states:::s3:listObjectsV2",
                "Parameters": {"Bucket": "raw", "Prefix": "in/"}},
            "ItemSelector": {"Key.$": "$$.Map.Item.Value.Key"},
            "ItemBatcher": {"MaxItemsPerBatch": batch, "BatchInput": {"mapmill": job}},
        }),
        child,
    )
}

/// A Distributed Map over the batch that a child was given, in smaller batches.
fn over_the_batch(child: Value) -> Value {
    let batcher = json!({"MaxItemsPerBatch": SMALL_BATCH, "BatchInput": {"mapmill.$": "$.BatchInput.mapmill"}});
    distributed("Groups", json!({"ItemsPath": "$.Items", "ItemBatcher": batcher}), child)
}

fn distributed(name: &str, mut map: Value, mut child: Value) -> Value {
    child["ProcessorConfig"] = json!({"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"});
    let more = json!({"Type": "Map", "ItemProcessor": child, "MaxConcurrency": 4, "ResultPath": null, "End": true});
    map.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"StartAt": name, "States": {name: map}})
}

/// Runs a state machine over the objects; returns the run and how many messages were published.
fn run(folder: &Path, name: &str, machine: &Value) -> (Run, usize) {
    let (job, definition, out) = (folder.join("job.yaml"), folder.join("machine.asl.json"), folder.join(name));
    std::fs::write(&job, JOB).unwrap();
    std::fs::write(&definition, machine.to_string()).unwrap();
    let run = run_job(&job, &folder.join("data"), &out, &["--state-machine", definition.to_str().unwrap()]);
    let recorded = out.join("out/_mapmill/test");
    let messages = mapmill(&["messages", recorded.to_str().unwrap(), "--json", "--limit", "10000"]);
    assert!(messages.status.success(), "{}", shown(&messages));
    let messages = String::from_utf8(messages.stdout).unwrap();
    for line in messages.lines() {
        let message: Value = serde_json::from_str(line).unwrap();
        assert_eq!((&message["service"], &message["target"]), (&json!("sns"), &json!(TOPIC)));
        assert!(message["content"]["Message"].as_str().unwrap().starts_with("{\"id\":"), "{message}");
    }
    (run, messages.lines().count())
}

#[test]
fn states_for_each_object_fit_only_small_batches_and_a_function_fits_both() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("data/in");
    std::fs::create_dir_all(&source).unwrap();
    for number in 0..OBJECTS {
        std::fs::write(source.join(format!("{number:04}.json")), format!("{{\"id\":{number}}}")).unwrap();
    }
    let check = |name: &str, machine: Value, status: &str, published: std::ops::RangeInclusive<usize>| {
        let (run, messages) = run(folder.path(), name, &machine);
        assert_eq!(run.summary["status"], status, "{name}: {}", shown(&run.output));
        assert!(published.contains(&messages), "{name}: {messages} messages");
        run
    };
    let large = check("states", over_the_source(LARGE_BATCH, three_states_an_object()), "FAILED", 0..=OBJECTS - 1);
    assert_eq!(large.summary["error"], "States.ExceedToleratedFailureThreshold");
    let shown_failures = shown(&large.output);
    assert!(shown_failures.contains("maximum number of history events (25000)"), "{shown_failures}");
    let nested = over_the_source(LARGE_BATCH, over_the_batch(three_states_an_object()));
    check("nested-states", nested, "SUCCEEDED", OBJECTS..=OBJECTS);

    for (name, child) in [("function", one_function()), ("nested-function", over_the_batch(one_function()))] {
        check(name, over_the_source(LARGE_BATCH, child), "SUCCEEDED", 0..=0);
        let written = outputs(&folder.path().join(name));
        assert_eq!(written.len(), OBJECTS, "{name}");
        assert_eq!(written["out/0007.json.ndjson"], b"{\"id\":7,\"seen\":true}\n", "{name}");
    }
}
