//! A run in which much goes wrong, and repairs upon repairs, until nothing is left: the outputs are then, byte for byte,
//! those of a run without faults.
//!
//! The functions are the real ones, over HTTP. What Step Functions does in between is done here: it hands the batches of
//! the plan to workers, invokes again those that continue, keeps result files, and gives a run up in which too many
//! batches failed.

use crate::bench::{Bench, REQUESTS, bodies};
use batch::{BatchError, Budget, Deadline, Worker};
use local::s3::{ACCESS_KEY_ID, Attributes, REGION, SECRET_ACCESS_KEY, WriteCondition};
use object_store::ObjectStore;
use s3_store::{S3Options, S3Store};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::sync::Arc;
use tests::fault_proxy::Plan;

const OBJECTS: usize = 90;

/// Repairs after which something must be wrong.
const MAX_REPAIRS: usize = 25;

fn job() -> Value {
    json!({
        "version": 1,
        "name": "repairs",
        "source": {"bucket": "raw", "prefix": "in/", "csv": {"multiline": false}},
        "record": {"where": {"field": "price", "ge": 5}, "types": {"price": "integer"}},
        "output": {"bucket": "clean", "prefix": "out/", "compression": "none"},
        "rejects": {"max_ratio": 1.0},
    })
}

/// Objects of all sizes, the same for every bench.
async fn filled(plan: Plan) -> Bench {
    let mut bench = Bench::start(plan).await;
    for number in 0..OBJECTS {
        let mut body = String::from("id,price,name\n");
        for record in 0..(1 + number * number % 400) {
            let price = (number + record * 7) % 20;
            let price = if record % 50 == 49 { "many".to_owned() } else { price.to_string() };
            writeln!(body, "{record},{price},name {number}").unwrap();
        }
        bench = bench.with(&format!("in/{:02}/{number:03}.csv", number % 7), body).await;
    }
    bench
}

/// A store that reaches the S3 through the proxy, or past it.
fn store(endpoint: &str, requests: S3Options) -> Arc<dyn ObjectStore> {
    Arc::new(S3Store::for_endpoint_with(endpoint, REGION, ACCESS_KEY_ID, SECRET_ACCESS_KEY, requests))
}

fn worker(store: Arc<dyn ObjectStore>) -> Worker {
    let places = |text: &str| text.parse().unwrap();
    Worker::new(store, places("raw/in/,clean/out/"), places("clean/out/"), Budget::of_function(512))
        .with_reading(bodies())
}

/// Runs a strategy as its state machine does, and answers what the report says.
async fn run(bench: &Bench, run: &str, strategy: Value, gives_up_after: usize) -> Value {
    let mapmill = json!({"version": 1, "run_id": run, "correlation_id": run, "job": job()});
    let direct = worker(store(&bench.direct_endpoint(), REQUESTS));
    let mut payload = json!({"mapmill": mapmill, "batch": {"max_items": 7}});
    payload.as_object_mut().unwrap().extend(strategy.as_object().unwrap().clone());
    let plan = plan::handle(direct.clone(), raw(&payload), Deadline::UNKNOWN).await.unwrap();
    let plan = serde_json::to_value(plan).unwrap();
    let mut children: [Vec<String>; 3] = Default::default();
    let place = |value: &Value, name: &str| value[name].as_str().unwrap().to_owned();
    if let Some(units) = plan.get("units").filter(|units| !units.is_null()) {
        let text = bench.embedded.get(&place(units, "bucket"), &place(units, "key"), 64 << 20).await.unwrap();
        let through = worker(store(&bench.proxy.endpoint(), S3Options { attempts: 2, ..REQUESTS }));
        for (number, line) in String::from_utf8(text.to_vec()).unwrap().lines().enumerate() {
            let line: Value = serde_json::from_str(line).unwrap();
            let event = json!({"BatchInput": {"mapmill": mapmill}, "Items": line["Items"]});
            let mut record = json!({"Name": format!("{run}-{number}"), "Input": event.to_string()});
            if children[1].len() >= gives_up_after {
                children[2].push(record.to_string());
                continue;
            }
            record["StartDate"] = json!("2026-11-22T10:00:00Z");
            record["StopDate"] = json!("2026-11-22T10:00:01Z");
            match invoke(&through, &event).await {
                Ok(answer) => {
                    record["Output"] = json!(answer.to_string());
                    children[0].push(record.to_string());
                }
                Err(error) => {
                    (record["Error"], record["Cause"]) = (json!(error.name()), json!(error.to_string()));
                    children[1].push(record.to_string());
                }
            }
        }
    }
    let results = &plan["results"];
    let (bucket, prefix) = (place(results, "bucket"), place(results, "prefix"));
    let folder = format!("{}/1b2c", prefix.trim_end_matches('/'));
    let mut files = json!({});
    for (kind, records) in ["SUCCEEDED", "FAILED", "PENDING"].into_iter().zip(&children) {
        files[kind] = json!([]);
        if !records.is_empty() {
            let key = format!("{folder}/{kind}_0.jsonl");
            put(bench, &bucket, &key, &records.join("\n")).await;
            files[kind] = json!([{"Key": key, "Size": 1}]);
        }
    }
    let arn = "arn:aws:states:us-east-1:000000000000:mapRun:packed/Objects:1b2c";
    let manifest = json!({"DestinationBucket": bucket, "MapRunArn": arn, "ResultFiles": files});
    put(bench, &bucket, &format!("{folder}/manifest.json"), &manifest.to_string()).await;
    let failure =
        (!children[1].is_empty()).then(|| json!({"Error": "States.ExceedToleratedFailureThreshold", "Cause": "c"}));
    let payload = json!({"mapmill": mapmill, "plan": plan["plan"], "map_run": null, "failure": failure});
    let report = report::handle(direct, raw(&payload), Deadline::UNKNOWN).await.unwrap();
    serde_json::to_value(report).unwrap()
}

/// A payload as the runtime hands it over.
fn raw(payload: &Value) -> Box<RawValue> {
    to_raw_value(payload).unwrap()
}

/// Invokes a worker until its batch is done or fails; what usually passes is tried twice.
async fn invoke(worker: &Worker, event: &Value) -> Result<Value, BatchError> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        match worker.process_batch(event, Deadline::UNKNOWN).await {
            Ok(outcome) if outcome.continues => {}
            Ok(outcome) => return Ok(serde_json::to_value(outcome).unwrap()),
            Err(error) if attempts < 2 && error.name() == "Mapmill.Transient" => {}
            Err(error) => return Err(error),
        }
    }
}

async fn put(bench: &Bench, bucket: &str, key: &str, text: &str) {
    let put = bench.embedded.put(bucket, key, text.as_bytes(), Attributes::default(), WriteCondition::default());
    put.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repairs_until_nothing_is_left_give_the_outputs_of_a_run_without_faults() {
    let faultless = filled(Plan::default()).await;
    let answer = run(&faultless, "r", json!({"strategy": "packed"}), usize::MAX).await;
    assert_eq!((&answer["verdict"], &answer["items"]["succeeded"]), (&json!("succeeded"), &json!(OBJECTS)), "{answer}");
    let expected = faultless.outputs().await;
    assert_eq!(expected.len(), OBJECTS);

    // Four of ten requests of workers go wrong, and the run is given up when a fifth of its batches has failed.
    let faults = Plan::parse(&["* * 40%11 500,reset@0,503"]).unwrap();
    let bench = filled(faults).await;
    let mut answer = run(&bench, "r0", json!({"strategy": "packed"}), 3).await;
    assert_eq!(answer["verdict"], "failed", "{answer}");
    let mut rounds = Vec::new();
    while answer["verdict"] == "failed" {
        let items = answer["items"].clone();
        assert_eq!(items["total"], OBJECTS, "no item is ever lost: {items}");
        assert_eq!(items["missing"], items["missing_named"], "every missing item has a name: {items}");
        rounds.push(items);
        assert!(rounds.len() <= MAX_REPAIRS, "{rounds:?}");
        let repair = json!({"strategy": "repair", "repair": {"run": format!("r{}", rounds.len() - 1)}});
        answer = run(&bench, &format!("r{}", rounds.len()), repair, 3).await;
    }
    assert!(rounds.iter().any(|items| items["failed"] != 0), "objects failed: {rounds:?}");
    assert!(
        rounds.iter().any(|items| items["missing"] != 0 || items["unprocessed"] != 0),
        "batches failed or were never started: {rounds:?}"
    );
    assert!(rounds.len() > 1, "one repair was not enough: {rounds:?}");
    assert_eq!(bench.outputs().await, expected);

    // The manifest of the last repair is that of all runs together.
    let manifest = |bench: &Bench, run: String| {
        let (embedded, key) = (Arc::clone(&bench.embedded), format!("out/_mapmill/{run}/report/manifest.json"));
        async move {
            let text = embedded.get("clean", &key, 64 << 20).await.unwrap();
            let manifest: Value = serde_json::from_slice(&text).unwrap();
            let outputs = manifest["outputs"].as_array().unwrap();
            let mut named: Vec<String> = outputs
                .iter()
                .map(|output| format!("{} {} {} {}", output["key"], output["etag"], output["bytes"], output["records"]))
                .collect();
            named.sort();
            (named, [manifest["objects"].clone(), manifest["bytes"].clone(), manifest["records"].clone()])
        }
    };
    assert_eq!(manifest(&bench, format!("r{}", rounds.len())).await, manifest(&faultless, "r".to_owned()).await);
}
