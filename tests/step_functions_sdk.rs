//! `mapmill serve` driven by the AWS SDK for Rust: the deployed state machine `simple` with the real functions, from its creation
//! to the counts of its Map Run.
#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

use aws_sdk_sfn::Client;
use aws_sdk_sfn::config::{BehaviorVersion, Credentials, Region, retry::RetryConfig};
use aws_sdk_sfn::types::{ExecutionStatus, HistoryEventType, MapRunStatus, StateMachineType};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tests::{outputs, programs, root};

const OBJECTS: usize = 7;
const JOB: &str = "{version: 1, name: sdk, source: {bucket: raw}, record: {set: {seen: true}},
    output: {bucket: clean, prefix: out/, compression: none}}";
const FUNCTIONS: [&str; 3] = ["plan", "transform", "report"];
/// The other placeholders of the definition, with what stands for them.
const RESOURCES: [(&str, &str); 3] = [
    ("${NotificationTopicArn}", "arn:aws:sns:us-east-1:000000000000:mapmill"),
    ("${DeadLetterQueueUrl}", "https://sqs.us-east-1.amazonaws.com/000000000000/mapmill"),
    ("${FailureTableName}", "failures"),
];

/// A running `mapmill serve`; killed when it is dropped.
struct Served {
    process: Child,
    variables: BTreeMap<String, String>,
}

impl Served {
    fn start(data: &Path, out: &Path) -> Self {
        let mut command = Command::new(programs().join("mapmill"));
        command
            .arg("serve")
            .arg("--data")
            .arg(data)
            .args(["--bucket", "raw", "--out-bucket", "clean", "--out"])
            .arg(out);
        for name in FUNCTIONS {
            command.arg("--function").arg(format!("{name}={}", programs().join(name).display()));
        }
        command.args(["--env", "MAPMILL_READ=raw", "--env", "MAPMILL_WRITE=clean"]);
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines().take(7);
        let variables = lines.map(|line| {
            let line = line.unwrap();
            let (name, value) = line.strip_prefix("export ").unwrap().split_once('=').unwrap();
            (name.to_owned(), value.to_owned())
        });
        let variables = variables.collect();
        Self { process, variables }
    }

    fn client(&self) -> Client {
        let variable = |name: &str| self.variables[name].clone();
        let credentials =
            Credentials::new(variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY"), None, None, "printed");
        let config = aws_sdk_sfn::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .region(Region::new(variable("AWS_REGION")))
            .endpoint_url(variable("AWS_ENDPOINT_URL_SFN"))
            .credentials_provider(credentials)
            .retry_config(RetryConfig::disabled());
        Client::from_conf(config.build())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The input that `mapmill input` prints for the job.
fn input(folder: &Path) -> Value {
    let job = folder.join("job.yaml");
    std::fs::write(&job, JOB).unwrap();
    let printed = tests::mapmill(&["input", "--job", job.to_str().unwrap(), "--max-items", "3"]);
    serde_json::from_slice(&printed.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sdk_runs_simple_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let (data, out) = (folder.path().join("data"), folder.path().join("written"));
    std::fs::create_dir(&data).unwrap();
    for number in 0..OBJECTS {
        std::fs::write(data.join(format!("{number}.json")), json!({"id": number}).to_string()).unwrap();
    }
    let served = Served::start(&data, &out);
    let client = served.client();
    let simple = std::fs::read_to_string(root().join("statemachine/simple.asl.json")).unwrap();
    let mut definition = simple;
    for name in FUNCTIONS {
        let token = format!("${{{}{}FunctionArn}}", name[..1].to_uppercase(), &name[1..]);
        definition = definition.replace(&token, &format!("arn:aws:lambda:us-east-1:000000000000:function:{name}"));
    }
    for (token, value) in RESOURCES {
        definition = definition.replace(token, value);
    }

    let checked = client.validate_state_machine_definition().definition(&definition).send().await.unwrap();
    assert_eq!(checked.result().as_str(), "OK", "{checked:?}");
    let create = client.create_state_machine().name("simple").definition(definition);
    let create = create.role_arn("arn:aws:iam::000000000000:role/any").r#type(StateMachineType::Standard);
    let machine = create.send().await.unwrap().state_machine_arn;
    let start = client.start_execution().state_machine_arn(&machine).name("first");
    let execution = start.input(input(folder.path()).to_string()).send().await.unwrap().execution_arn;

    let described = loop {
        let described = client.describe_execution().execution_arn(&execution).send().await.unwrap();
        if *described.status() != ExecutionStatus::Running {
            break described;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(*described.status(), ExecutionStatus::Succeeded, "{described:?}");
    let mut pages =
        client.get_execution_history().execution_arn(&execution).max_results(3).into_paginator().items().send();
    let mut kinds = Vec::new();
    while let Some(event) = pages.next().await {
        kinds.push(event.unwrap().r#type);
    }
    assert_eq!(kinds.first(), Some(&HistoryEventType::ExecutionStarted));
    assert!(kinds.contains(&HistoryEventType::MapRunSucceeded), "{kinds:?}");
    assert_eq!(kinds.last(), Some(&HistoryEventType::ExecutionSucceeded));
    let map_runs = client.list_map_runs().execution_arn(&execution).send().await.unwrap().map_runs;
    let [map_run] = map_runs.as_slice() else { panic!("{map_runs:?}") };
    let map_run = client.describe_map_run().map_run_arn(map_run.map_run_arn()).send().await.unwrap();
    assert_eq!(*map_run.status(), MapRunStatus::Succeeded);
    let (items, children) = (map_run.item_counts().unwrap(), map_run.execution_counts().unwrap());
    assert_eq!((items.total(), items.succeeded(), children.succeeded()), (7, 7, 3));

    let again = client.start_execution().state_machine_arn(&machine).name("first").input("{}").send().await;
    assert!(again.unwrap_err().into_service_error().is_execution_already_exists());
    let written = outputs(&out);
    assert_eq!(written.len(), OBJECTS, "{:?}", written.keys());
    assert_eq!(written["out/4.json.ndjson"], b"{\"id\":4,\"seen\":true}\n");
}
