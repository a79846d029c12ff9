//! The quotas of the service, and the experiment that shows why a worker function takes whole batches.
//!
//! The experiment: a Distributed Map gives each child a batch of small items. A child that works on its items by states
//! (read the object, Pass, publish a message, inside an inline Map) writes 14 events an item, so 25,000 events are
//! reached at 1,785 items. Nesting a second Distributed Map with small batches keeps every history short; so does one
//! task that takes the batch as a whole, however large it is.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::asl::PAYLOAD_BYTES_MAX;
use crate::distributed_map::Counts;
use crate::observer::Unobserved;
use crate::services::fake::{FakeServices, Reply};

fn services() -> FakeServices {
    let answer = |_: &Value, _| Reply::Answer(json!({"ok": true}));
    FakeServices::new().function("read", answer).function("publish", answer).function("worker", answer)
}

async fn run(definition: &Value, input: Value, quotas: Quotas) -> (ExecutionResult, Arc<FakeServices>) {
    let services = Arc::new(services());
    let options = EngineOptions { quotas, ..EngineOptions::default() };
    let engine = Engine::new(services.clone(), options, Arc::new(Unobserved));
    let definition = Definition::parse(&definition.to_string()).unwrap();
    (engine.run(&definition, "one", input, CancellationToken::new()).await, services)
}

fn machine(name: &str, state: Value) -> Value {
    json!({"StartAt": name, "States": {name: state}})
}

fn call(function: &str) -> Value {
    let parameters = json!({"FunctionName": function, "Payload.$": "$"});
    json!({"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": parameters, "ResultPath": null})
}

/// Read, Pass and publish for every item of `$.Items`, inside an inline Map.
fn states_for_each_item() -> Value {
    let next = |mut state: Value, name: &str, value: Value| {
        state[name] = value;
        state
    };
    let states = json!({
        "Read": next(call("read"), "Next", json!("Shape")),
        "Shape": {"Type": "Pass", "Next": "Publish"},
        "Publish": next(call("publish"), "End", json!(true)),
    });
    let processor = json!({"ProcessorConfig": {"Mode": "INLINE"}, "StartAt": "Read", "States": states});
    let map =
        json!({"Type": "Map", "ItemsPath": "$.Items", "ItemProcessor": processor, "ResultPath": null, "End": true});
    machine("EachItem", map)
}

/// One task for the whole batch.
fn one_task() -> Value {
    let mut task = call("worker");
    task["End"] = json!(true);
    machine("Batch", task)
}

/// A Distributed Map over the array at `path`, in batches; the outputs of the children are small.
fn distributed(path: &str, batch: u64, child: Value) -> Value {
    let mut processor = child;
    processor["ProcessorConfig"] = json!({"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"});
    let map = json!({"Type": "Map", "ItemsPath": path, "ItemBatcher": {"MaxItemsPerBatch": batch},
        "ItemProcessor": processor, "ResultPath": null, "End": true});
    machine("Distributed", map)
}

/// A child that ends with nothing, so that the results of many children fit into a payload.
fn with_small_output(mut child: Value) -> Value {
    let name = child["StartAt"].as_str().unwrap().to_owned();
    let state = &mut child["States"][&name];
    state.as_object_mut().unwrap().remove("End");
    state["Next"] = json!("Done");
    child["States"]["Done"] = json!({"Type": "Pass", "Result": {}, "End": true});
    child
}

async fn experiment(definition: Value, quotas: Quotas) -> (ExecutionStatus, Counts, Arc<FakeServices>) {
    let items: Vec<u64> = (0..3_600).collect();
    let (result, services) = run(&definition, json!({"Items": items}), quotas).await;
    (result.status, result.map_runs[0].executions, services)
}

#[tokio::test]
async fn states_for_each_item_reach_the_event_quota_with_large_batches() {
    let child = || with_small_output(states_for_each_item());
    let (status, _, _) = experiment(distributed("$.Items", 1_800, child()), Quotas::default()).await;
    assert_eq!(status, ExecutionStatus::Failed);
    let (status, children, services) = experiment(distributed("$.Items", 1_700, child()), Quotas::default()).await;
    assert_eq!((status, children.succeeded), (ExecutionStatus::Succeeded, 3));
    assert_eq!(services.calls("publish"), 3_600);
    let (status, children, _) = experiment(distributed("$.Items", 1_800, child()), Quotas::off()).await;
    assert_eq!((status, children.succeeded), (ExecutionStatus::Succeeded, 2), "without quotas it passes");
}

#[tokio::test]
async fn the_failed_child_says_that_its_history_is_full() {
    let (result, _) =
        run(&states_for_each_item(), json!({"Items": (0..1_800).collect::<Vec<_>>()}), Quotas::default()).await;
    assert_eq!((result.status, result.error.as_deref()), (ExecutionStatus::Failed, Some("States.Runtime")));
    let cause = result.cause.unwrap();
    assert_eq!(cause, "The execution reached the maximum number of history events (25000).");
}

#[tokio::test]
async fn nested_maps_and_one_task_for_a_batch_pass() {
    let inner = || distributed("$.Items", 50, with_small_output(states_for_each_item()));
    let nested = distributed("$.Items", 1_800, with_small_output(inner()));
    let (status, children, services) = experiment(nested, Quotas::default()).await;
    assert_eq!((status, children.succeeded), (ExecutionStatus::Succeeded, 2));
    assert_eq!((services.calls("read"), services.calls("publish")), (3_600, 3_600));
    let (status, _, services) =
        experiment(distributed("$.Items", 1_800, with_small_output(one_task())), Quotas::default()).await;
    assert_eq!((status, services.calls("worker")), (ExecutionStatus::Succeeded, 2));
    let inner = distributed("$.Items", 50, with_small_output(one_task()));
    let (status, _, services) =
        experiment(distributed("$.Items", 1_800, with_small_output(inner)), Quotas::default()).await;
    assert_eq!((status, services.calls("worker")), (ExecutionStatus::Succeeded, 72));
}

#[tokio::test]
async fn payloads_and_inline_iterations_are_limited_unless_the_quotas_are_off() {
    let pass = machine("P", json!({"Type": "Pass", "End": true}));
    let large = || json!("x".repeat(PAYLOAD_BYTES_MAX));
    let (result, _) = run(&pass, large(), Quotas::default()).await;
    assert_eq!(result.error.as_deref(), Some("States.DataLimitExceeded"));
    let (result, _) = run(&pass, large(), Quotas::off()).await;
    assert_eq!(result.status, ExecutionStatus::Succeeded);
    let definition = states_for_each_item();
    for (quotas, most) in [(Quotas::default(), 40), (Quotas::off(), 100)] {
        let slow = |_: &Value, _| Reply::AnswerAfter(Duration::from_millis(20), json!({}));
        let services = Arc::new(FakeServices::new().function("read", slow).function("publish", slow));
        let options = EngineOptions { quotas, ..EngineOptions::default() };
        let engine = Engine::new(services.clone(), options, Arc::new(Unobserved));
        let parsed = Definition::parse(&definition.to_string()).unwrap();
        let input = json!({"Items": (0..100).collect::<Vec<_>>()});
        engine.run(&parsed, "one", input, CancellationToken::new()).await;
        assert_eq!(services.most_running("read"), most);
    }
}
