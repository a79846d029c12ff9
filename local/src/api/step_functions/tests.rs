//! The API over real HTTP, with scripted functions behind it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::api::test_client::exchange;
use crate::services::fake::{FakeServices, Reply};

const ROLE: &str = "arn:aws:iam::000000000000:role/any";
const WORK: &str = "arn:aws:lambda:us-east-1:000000000000:function:work";

struct Client(StepFunctionsServer);

fn options() -> StepFunctionsOptions {
    StepFunctionsOptions {
        region: "us-east-1".to_owned(),
        account: "000000000000".to_owned(),
        quotas: Quotas::default(),
    }
}

impl Client {
    async fn start(services: FakeServices) -> Self {
        Self(StepFunctionsServer::start(Arc::new(services), options(), 0).await.unwrap())
    }

    async fn send(&self, operation: &str, input: &Value) -> (u16, Value) {
        let target = format!("{TARGET}{operation}");
        let headers = [("x-amz-target", target.as_str()), ("content-type", CONTENT_TYPE)];
        let answer = exchange(self.0.address(), Method::POST, "/", &headers, input.to_string()).await;
        let body = answer.json();
        if answer.status != 200 {
            assert_eq!(answer.header("x-amzn-errortype"), body["__type"].as_str().unwrap(), "{operation}: {body}");
        }
        (answer.status, body)
    }

    async fn call(&self, operation: &str, input: Value) -> Value {
        let (status, answer) = self.send(operation, &input).await;
        assert_eq!(status, 200, "{operation} {input}: {answer}");
        answer
    }

    async fn refused(&self, operation: &str, input: Value, kind: &str, part: &str) {
        let (status, answer) = self.send(operation, &input).await;
        assert_eq!((status, answer["__type"].as_str()), (400, Some(kind)), "{operation} {input}: {answer}");
        assert!(answer["message"].as_str().unwrap().contains(part), "{operation} {input}: {answer}");
    }

    async fn create(&self, name: &str, definition: &Value, kind: &str) -> String {
        let input = json!({"name": name, "definition": definition.to_string(), "roleArn": ROLE, "type": kind});
        self.call("CreateStateMachine", input).await["stateMachineArn"].as_str().unwrap().to_owned()
    }

    async fn begin(&self, machine: &str, input: &Value) -> String {
        let input = json!({"stateMachineArn": machine, "input": input.to_string()});
        self.call("StartExecution", input).await["executionArn"].as_str().unwrap().to_owned()
    }

    /// Waits for the end of an execution and describes it.
    async fn ended(&self, execution: &str) -> Value {
        for _ in 0..1_000 {
            let described = self.call("DescribeExecution", json!({"executionArn": execution})).await;
            if described["status"] != "RUNNING" {
                return described;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("{execution} does not end");
    }

    async fn kinds(&self, execution: &str) -> Vec<String> {
        let history = self.call("GetExecutionHistory", json!({"executionArn": execution, "maxResults": 1_000})).await;
        let kinds = history["events"].as_array().unwrap().iter();
        kinds.map(|event| event["type"].as_str().unwrap().to_owned()).collect()
    }
}

fn pass() -> Value {
    json!({"StartAt": "P", "States": {"P": {"Type": "Pass", "Result": {"done": true}, "End": true}}})
}

fn wait() -> Value {
    json!({"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 600, "End": true}}})
}

/// One child for each item; a child of an item `"bad"` fails.
fn distributed(kind: &str) -> Value {
    let task = json!({"Type": "Task", "Resource": WORK, "End": true});
    let processor = json!({"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": kind},
        "StartAt": "C", "States": {"C": task}});
    let map = json!({"Type": "Map", "Label": "each", "ItemProcessor": processor, "MaxConcurrency": 2,
        "ToleratedFailureCount": 1, "End": true});
    json!({"StartAt": "M", "States": {"M": map}})
}

fn worker() -> FakeServices {
    FakeServices::new().function("work", |event, _| match event.as_str().or_else(|| event[0].as_str()) {
        Some("bad") => Reply::Fail("Mine", "{\"errorMessage\":\"bad item\"}"),
        _ => Reply::Answer(json!({"seen": event})),
    })
}

#[tokio::test]
async fn state_machines_live_and_die() {
    let client = Client::start(FakeServices::new()).await;
    let arn = client.create("first", &pass(), "STANDARD").await;
    assert_eq!(arn, "arn:aws:states:us-east-1:000000000000:stateMachine:first");
    assert_eq!(client.create("first", &pass(), "STANDARD").await, arn, "the same request again");
    let other = json!({"name": "first", "definition": wait().to_string(), "roleArn": ROLE});
    client.refused("CreateStateMachine", other, "StateMachineAlreadyExists", &arn).await;
    client.create("second", &pass(), "EXPRESS").await;
    let described = client.call("DescribeStateMachine", json!({"stateMachineArn": arn})).await;
    assert_eq!(described["definition"], pass().to_string());
    assert_eq!((&described["status"], &described["type"]), (&json!("ACTIVE"), &json!("STANDARD")));
    let first = client.call("ListStateMachines", json!({"maxResults": 1})).await;
    assert_eq!(first["stateMachines"][0]["name"], "first");
    let next = json!({"maxResults": 1, "nextToken": first["nextToken"]});
    let second = client.call("ListStateMachines", next).await;
    assert_eq!((&second["stateMachines"][0]["type"], second.get("nextToken")), (&json!("EXPRESS"), None));
    let updated = json!({"stateMachineArn": arn, "definition": wait().to_string()});
    let revision = client.call("UpdateStateMachine", updated).await["revisionId"].clone();
    let described = client.call("DescribeStateMachine", json!({"stateMachineArn": arn})).await;
    assert_eq!((&described["definition"], &described["revisionId"]), (&json!(wait().to_string()), &revision));
    client.refused("UpdateStateMachine", json!({"stateMachineArn": arn}), "MissingRequiredParameter", "").await;
    client.call("DeleteStateMachine", json!({"stateMachineArn": arn})).await;
    let gone = json!({"stateMachineArn": arn});
    client.refused("DescribeStateMachine", gone, "StateMachineDoesNotExist", &format!("'{arn}'")).await;
}

#[tokio::test]
async fn what_is_wrong_is_refused_by_name() {
    let client = Client::start(FakeServices::new()).await;
    let create = |name: &str, definition: &str| json!({"name": name, "definition": definition, "roleArn": ROLE});
    let no_states = "{\"StartAt\": \"A\"}";
    client.refused("CreateStateMachine", create("a", no_states), "InvalidDefinition", "SCHEMA_VALIDATION_FAILED").await;
    client.refused("CreateStateMachine", create("a b", &pass().to_string()), "InvalidName", "'a b'").await;
    client.refused("CreateStateMachine", json!({"name": "a"}), "ValidationException", "'definition'").await;
    let large = create("a", &"x".repeat(DEFINITION_BYTES_MAX + 1));
    client.refused("CreateStateMachine", large, "ValidationException", "less than or equal to 1048576").await;
    client.refused("Nonsense", json!({}), "UnknownOperationException", "Nonsense").await;
    client.refused("DescribeExecution", json!({"executionArn": "x"}), "InvalidArn", "Invalid Arn: 'x'").await;
    let machine = client.create("m", &pass(), "STANDARD").await;
    let start = |input: &str| json!({"stateMachineArn": machine, "input": input});
    client.refused("StartExecution", start("not"), "InvalidExecutionInput", "Unrecognized token 'not'").await;
    client.refused("StartExecution", start(&" ".repeat(262_145)), "ValidationException", "262144").await;
    let sync = json!({"stateMachineArn": machine});
    client.refused("StartSyncExecution", sync, "StateMachineTypeNotSupported", "not supported by this type").await;
    let unknown = "arn:aws:states:us-east-1:000000000000:execution:m:none";
    for operation in ["DescribeExecution", "GetExecutionHistory", "StopExecution", "RedriveExecution", "ListMapRuns"] {
        client.refused(operation, json!({"executionArn": unknown}), "ExecutionDoesNotExist", unknown).await;
    }
    let map_run = "arn:aws:states:us-east-1:000000000000:mapRun:m/l:none";
    client.refused("DescribeMapRun", json!({"mapRunArn": map_run}), "ResourceNotFound", map_run).await;
    client.refused("ListExecutions", json!({}), "ValidationException", "either").await;
    let validated = client.call("ValidateStateMachineDefinition", json!({"definition": "{}"})).await;
    assert_eq!((&validated["result"], &validated["diagnostics"][0]["severity"]), (&json!("FAIL"), &json!("ERROR")));
    let validated = client.call("ValidateStateMachineDefinition", json!({"definition": pass().to_string()})).await;
    assert_eq!(validated, json!({"result": "OK", "diagnostics": [], "truncated": false}));
}

#[tokio::test]
async fn executions_run_and_tell_their_history() {
    let client = Client::start(worker()).await;
    let task = json!({"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": "work", "Payload.$": "$"}, "OutputPath": "$.Payload", "End": true});
    let machine = client.create("m", &json!({"StartAt": "T", "States": {"T": task}}), "STANDARD").await;
    let execution = client.begin(&machine, &json!(["hello"])).await;
    let described = client.ended(&execution).await;
    assert_eq!((&described["status"], &described["output"]), (&json!("SUCCEEDED"), &json!("{\"seen\":[\"hello\"]}")));
    assert_eq!((&described["input"], &described["redriveStatus"]), (&json!("[\"hello\"]"), &json!("NOT_REDRIVABLE")));
    assert!(described["stopDate"].as_f64().unwrap() >= described["startDate"].as_f64().unwrap());
    let bare = json!({"executionArn": execution, "includedData": "METADATA_ONLY"});
    let bare = client.call("DescribeExecution", bare).await;
    assert_eq!((bare.get("input"), &bare["inputDetails"]), (None, &json!({"included": false})));
    let kinds = client.kinds(&execution).await;
    assert_eq!(
        kinds,
        [
            "ExecutionStarted",
            "TaskStateEntered",
            "TaskScheduled",
            "TaskStarted",
            "TaskSucceeded",
            "TaskStateExited",
            "ExecutionSucceeded"
        ]
    );
    let page = json!({"executionArn": execution, "maxResults": 4});
    let page = client.call("GetExecutionHistory", page).await;
    let links: Vec<_> = page["events"].as_array().unwrap().iter().map(|event| &event["previousEventId"]).collect();
    assert_eq!(links, [0, 0, 2, 3]);
    let scheduled = &page["events"][2]["taskScheduledEventDetails"];
    assert_eq!((&scheduled["resource"], &scheduled["resourceType"]), (&json!("invoke"), &json!("lambda")));
    assert!(scheduled["parameters"].as_str().unwrap().contains("hello"));
    let next = json!({"executionArn": execution, "maxResults": 4, "nextToken": page["nextToken"]});
    let next = client.call("GetExecutionHistory", next).await;
    assert_eq!((next["events"].as_array().unwrap().len(), next.get("nextToken")), (3, None));
    let backwards = json!({"executionArn": execution, "reverseOrder": true, "includeExecutionData": false});
    let backwards = client.call("GetExecutionHistory", backwards).await;
    assert_eq!(backwards["events"][0]["type"], "ExecutionSucceeded");
    assert_eq!(backwards["events"][0]["executionSucceededEventDetails"], json!({}));

    let failed = client.begin(&machine, &json!(["bad"])).await;
    let described = client.ended(&failed).await;
    assert_eq!((&described["status"], &described["error"]), (&json!("FAILED"), &json!("Mine")));
    assert_eq!(described["redriveStatus"], "REDRIVABLE");
    let failures = json!({"stateMachineArn": machine, "statusFilter": "FAILED"});
    let failures = client.call("ListExecutions", failures).await;
    assert_eq!(failures["executions"].as_array().unwrap().len(), 1);
    let all = client.call("ListExecutions", json!({"stateMachineArn": machine, "maxResults": 1})).await;
    assert_eq!((&all["executions"][0]["executionArn"], all.get("nextToken").is_some()), (&json!(failed), true));
}

#[tokio::test]
async fn names_are_idempotent_and_executions_can_be_stopped() {
    let client = Client::start(FakeServices::new()).await;
    let machine = client.create("m", &wait(), "STANDARD").await;
    let start = |input: &str| json!({"stateMachineArn": machine, "name": "one", "input": input});
    let first = client.call("StartExecution", start("{}")).await;
    assert_eq!(client.call("StartExecution", start("{}")).await, first);
    client.refused("StartExecution", start("[]"), "ExecutionAlreadyExists", "Execution Already Exists: 'arn:").await;
    let execution = first["executionArn"].as_str().unwrap().to_owned();
    assert_eq!(execution, "arn:aws:states:us-east-1:000000000000:execution:m:one");
    let stop = json!({"executionArn": execution, "error": "Enough", "cause": "it was enough"});
    client.call("StopExecution", stop).await;
    let described = client.ended(&execution).await;
    assert_eq!(
        [&described["status"], &described["error"], &described["cause"]],
        [&json!("ABORTED"), &json!("Enough"), &json!("it was enough")]
    );
    client.refused("StartExecution", start("{}"), "ExecutionAlreadyExists", "one").await;
    let last = json!({"executionArn": execution, "reverseOrder": true, "maxResults": 1});
    let last = client.call("GetExecutionHistory", last).await;
    assert_eq!(last["events"][0]["executionAbortedEventDetails"], json!({"error": "Enough", "cause": "it was enough"}));
}

#[tokio::test]
async fn express_executions_answer_at_once() {
    let client = Client::start(FakeServices::new()).await;
    let machine = client.create("m", &pass(), "EXPRESS").await;
    let answer = client.call("StartSyncExecution", json!({"stateMachineArn": machine, "name": "n"})).await;
    assert_eq!((&answer["status"], &answer["output"]), (&json!("SUCCEEDED"), &json!("{\"done\":true}")));
    assert!(answer["executionArn"].as_str().unwrap().starts_with("arn:aws:states:us-east-1:000000000000:express:m:n:"));
    assert_eq!(answer["billingDetails"]["billedMemoryUsedInMB"], 64);
    client.refused("ListExecutions", json!({"stateMachineArn": machine}), "StateMachineTypeNotSupported", "").await;
    let history = json!({"executionArn": answer["executionArn"]});
    client.refused("GetExecutionHistory", history, "InvalidArn", "express").await;
}

#[tokio::test]
async fn map_runs_and_their_children_are_listed() {
    let client = Client::start(worker()).await;
    let machine = client.create("m", &distributed("STANDARD"), "STANDARD").await;
    let execution = client.begin(&machine, &json!([1, "bad", 3, 4])).await;
    assert_eq!(client.ended(&execution).await["status"], "SUCCEEDED");
    assert_eq!(
        client.kinds(&execution).await,
        [
            "ExecutionStarted",
            "MapStateEntered",
            "MapStateStarted",
            "MapRunStarted",
            "MapRunSucceeded",
            "MapStateSucceeded",
            "MapStateExited",
            "ExecutionSucceeded"
        ]
    );
    let map_runs = client.call("ListMapRuns", json!({"executionArn": execution})).await;
    let map_run = &map_runs["mapRuns"][0];
    assert_eq!(map_run["stateMachineArn"], format!("{machine}/each"));
    let described = client.call("DescribeMapRun", json!({"mapRunArn": map_run["mapRunArn"]})).await;
    assert_eq!((&described["status"], &described["maxConcurrency"]), (&json!("SUCCEEDED"), &json!(2)));
    assert_eq!((&described["toleratedFailureCount"], &described["executionArn"]), (&json!(1), &json!(execution)));
    let counts = &described["itemCounts"];
    assert_eq!([&counts["succeeded"], &counts["failed"], &counts["total"]], [3, 1, 4]);
    let children = json!({"mapRunArn": map_run["mapRunArn"], "maxResults": 3});
    let children = client.call("ListExecutions", children).await;
    assert_eq!(children["executions"].as_array().unwrap().len(), 3);
    assert!(children["nextToken"].is_string());
    let failed = json!({"mapRunArn": map_run["mapRunArn"], "statusFilter": "FAILED"});
    let failed = client.call("ListExecutions", failed).await["executions"][0].clone();
    assert_eq!((&failed["itemCount"], &failed["mapRunArn"]), (&json!(1), &map_run["mapRunArn"]));
    let child = failed["executionArn"].as_str().unwrap();
    assert!(child.starts_with("arn:aws:states:us-east-1:000000000000:execution:m/each:"), "{child}");
    let described = client.call("DescribeExecution", json!({"executionArn": child})).await;
    assert_eq!((&described["input"], &described["error"]), (&json!("\"bad\""), &json!("Mine")));
    assert_eq!(described["redriveStatus"], "REDRIVABLE_BY_MAP_RUN");
    let kinds = client.kinds(child).await;
    assert_eq!(kinds[2..5], ["LambdaFunctionScheduled", "LambdaFunctionStarted", "LambdaFunctionFailed"]);
    client
        .refused("StopExecution", json!({"executionArn": child}), "ValidationException", "cannot be stopped alone")
        .await;
    let own = client.call("ListExecutions", json!({"stateMachineArn": machine})).await;
    assert_eq!(own["executions"].as_array().unwrap().len(), 1, "children belong to their Map Run");
    let update = json!({"mapRunArn": map_run["mapRunArn"], "maxConcurrency": 5});
    client.refused("UpdateMapRun", update, "ValidationException", "has ended").await;
}

#[tokio::test]
async fn updates_and_redrives_reach_the_engine() {
    let is_quick = Arc::new(AtomicBool::new(false));
    let quick = Arc::clone(&is_quick);
    let services = FakeServices::new().function("work", move |event, _| match quick.load(Ordering::SeqCst) {
        true => Reply::Answer(event.clone()),
        false => Reply::AnswerAfter(Duration::from_secs(600), json!("late")),
    });
    let client = Client::start(services).await;
    let machine = client.create("m", &distributed("STANDARD"), "STANDARD").await;
    let execution = client.begin(&machine, &json!([1, 2, 3])).await;
    let mut map_run = Value::Null;
    while map_run.is_null() {
        map_run =
            client.call("ListMapRuns", json!({"executionArn": execution})).await["mapRuns"][0]["mapRunArn"].clone();
    }
    let describe = json!({"mapRunArn": map_run});
    assert_eq!(client.call("DescribeMapRun", describe.clone()).await["maxConcurrency"], 2);
    let update = json!({"mapRunArn": map_run, "maxConcurrency": 7, "toleratedFailurePercentage": 12.5});
    client.call("UpdateMapRun", update).await;
    let described = client.call("DescribeMapRun", describe.clone()).await;
    assert_eq!([&described["maxConcurrency"], &described["toleratedFailureCount"]], [7, 1]);
    assert_eq!(described["toleratedFailurePercentage"], 12.5);
    let children = json!({"mapRunArn": map_run, "statusFilter": "RUNNING"});
    while client.call("ListExecutions", children.clone()).await["executions"].as_array().unwrap().len() < 3 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let again = json!({"executionArn": execution});
    client.refused("RedriveExecution", again.clone(), "ExecutionNotRedrivable", "Execution is RUNNING").await;
    client.call("StopExecution", again.clone()).await;
    assert_eq!(client.call("DescribeMapRun", describe.clone()).await["status"], "ABORTED");
    is_quick.store(true, Ordering::SeqCst);
    client.call("RedriveExecution", again.clone()).await;
    let described = client.ended(&execution).await;
    assert_eq!([&described["status"], &described["output"]], [&json!("SUCCEEDED"), &json!("[1,2,3]")]);
    assert_eq!(described["redriveCount"], 1);
    let described = client.call("DescribeMapRun", describe).await;
    assert_eq!([&described["status"], &described["redriveCount"]], [&json!("SUCCEEDED"), &json!(1)]);
    client.refused("RedriveExecution", again.clone(), "ExecutionNotRedrivable", "SUCCEEDED").await;
    let kinds = client.kinds(&execution).await;
    let aborted = kinds.iter().position(|kind| kind == "ExecutionAborted").unwrap();
    let rest = ["ExecutionRedriven", "MapStateEntered", "MapStateStarted", "MapRunRedriven", "MapRunSucceeded"];
    assert_eq!(kinds[aborted + 1..aborted + 6], rest, "the history goes on where it ended");
    let history = client.call("GetExecutionHistory", json!({"executionArn": execution, "maxResults": 1_000})).await;
    let numbers = history["events"].as_array().unwrap().iter().map(|event| event["id"].as_u64().unwrap());
    assert!(numbers.eq(1..=kinds.len() as u64), "every event has a number of its own");
}

#[tokio::test]
async fn tokens_end_tasks() {
    let handed = Arc::new(Mutex::new(Vec::new()));
    let tokens = Arc::clone(&handed);
    let services = FakeServices::new().function("take", move |event, _| {
        tokens.lock().unwrap().push(event["token"].as_str().unwrap().to_owned());
        Reply::Answer(json!({}))
    });
    let client = Client::start(services).await;
    let task = json!({"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken", "End": true,
        "Parameters": {"FunctionName": "take", "Payload": {"token.$": "$$.Task.Token"}}});
    let machine = client.create("m", &json!({"StartAt": "T", "States": {"T": task}}), "STANDARD").await;
    let next_token = async |number: usize| loop {
        if let Some(token) = handed.lock().unwrap().get(number) {
            return token.clone();
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    let execution = client.begin(&machine, &json!({})).await;
    let token = next_token(0).await;
    client.call("SendTaskHeartbeat", json!({"taskToken": token})).await;
    let bad = json!({"taskToken": token, "output": "{"});
    client.refused("SendTaskSuccess", bad, "InvalidOutput", "Invalid Output").await;
    let success = json!({"taskToken": token, "output": "{\"a\":1}"});
    client.call("SendTaskSuccess", success.clone()).await;
    assert_eq!(client.ended(&execution).await["output"], "{\"a\":1}");
    client.refused("SendTaskSuccess", success, "TaskTimedOut", "does not exist anymore").await;
    client.refused("SendTaskHeartbeat", json!({"taskToken": "no token"}), "InvalidToken", "Invalid Token").await;

    // A task waits on when its state machine is deleted.
    let execution = client.begin(&machine, &json!({})).await;
    let token = next_token(1).await;
    client.call("DeleteStateMachine", json!({"stateMachineArn": machine})).await;
    client.call("SendTaskFailure", json!({"taskToken": token, "error": "Mine", "cause": "so"})).await;
    let described = client.ended(&execution).await;
    assert_eq!([&described["status"], &described["error"]], [&json!("FAILED"), &json!("Mine")]);
}

#[tokio::test]
async fn shutting_down_ends_executions() {
    let client = Client::start(FakeServices::new()).await;
    let machine = client.create("m", &wait(), "STANDARD").await;
    client.begin(&machine, &json!({})).await;
    let ended = tokio::time::timeout(Duration::from_secs(60), client.0.shutdown()).await;
    assert!(ended.is_ok());
}
