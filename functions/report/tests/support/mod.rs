//! A run as its workers and Step Functions leave it behind, in a store in memory.
#![allow(dead_code, reason = "every test program uses a part of it")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed expectation is a failed test")]

use batch::{Budget, Bytes, Deadline, Item, LedgerLine, Records, Status, Worker, WrittenObject, batch_id};
use object_store::fakes::MemoryStore;
use object_store::{ObjectAddress, ObjectStore};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use std::sync::Arc;

/// The buckets `raw` and `clean`, with the results of runs in `clean/out/_mapmill/`.
pub(crate) struct Runs {
    pub(crate) store: MemoryStore,
    pub(crate) job: Value,
}

impl Runs {
    pub(crate) fn new() -> Self {
        let job = json!({"version": 1, "name": "orders", "source": {"bucket": "raw", "prefix": "in/"},
            "output": {"bucket": "clean", "prefix": "out/"}});
        Self { store: MemoryStore::with_buckets(&["raw", "clean"]), job }
    }

    pub(crate) fn put(&self, key: &str, body: impl Into<Vec<u8>>) {
        self.store.insert(&ObjectAddress::parse("clean", &format!("out/_mapmill/{key}")).unwrap(), body.into());
    }

    pub(crate) fn get(&self, key: &str) -> String {
        let address = ObjectAddress::parse("clean", &format!("out/_mapmill/{key}")).unwrap();
        let body = self.store.get(&address).unwrap_or_else(|| panic!("{key} is not there"));
        String::from_utf8(body.to_vec()).unwrap()
    }

    pub(crate) fn figures(&self, run: &str) -> Value {
        serde_json::from_str(&self.get(&format!("{run}/report/report.json"))).unwrap()
    }

    /// The outputs that the manifest names, by their source.
    pub(crate) fn outputs(&self, run: &str) -> Vec<(String, String)> {
        let manifest: Value = serde_json::from_str(&self.get(&format!("{run}/report/manifest.json"))).unwrap();
        let outputs = manifest["outputs"].as_array().unwrap();
        assert_eq!(manifest["objects"], outputs.len(), "{manifest}");
        let mut named: Vec<(String, String)> = outputs
            .iter()
            .map(|output| {
                let text = |value: &Value| value.as_str().unwrap().to_owned();
                assert!(
                    output["etag"].is_string() && output["bytes"].is_u64() && output["records"].is_u64(),
                    "{output}"
                );
                (text(&output["source"]["key"]), text(&output["run_id"]))
            })
            .collect();
        named.sort();
        named
    }

    /// The lines of `failed.jsonl`.
    pub(crate) fn failed(&self, run: &str) -> Vec<Value> {
        let text = self.get(&format!("{run}/report/failed.jsonl"));
        let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        lines.sort_by_key(|line| line["key"].as_str().unwrap().to_owned());
        lines
    }

    pub(crate) fn plan(&self, run: &str, items: u64, repairs: Option<&str>) {
        let plan = json!({"version": 1, "run_id": run, "strategy": "simple", "items": items, "bytes": 1000, "repair": repairs.map(|run| json!({"run": run}))});
        self.put(&format!("{run}/plan.json"), plan.to_string());
    }

    /// Writes the ledger of a batch.
    pub(crate) fn ledger(&self, run: &str, lines: &[LedgerLine]) {
        let items: Vec<Item> = lines.iter().map(|line| item(&line.key)).collect();
        let text: String = lines.iter().map(|line| serde_json::to_string(line).unwrap() + "\n").collect();
        self.put(&format!("{run}/ledger/{}.jsonl", batch_id(&items)), text);
    }

    /// Writes the result files of a Map Run of this label.
    pub(crate) fn map_run(&self, run: &str, label: &str, children: &[(&str, Value)]) {
        let folder = format!("{run}/map-run/{label}-{}", children.len());
        let mut files = json!({});
        for kind in ["SUCCEEDED", "FAILED", "PENDING"] {
            let of_kind: Vec<String> =
                children.iter().filter(|(of, _)| *of == kind).map(|(_, child)| child.to_string()).collect();
            files[kind] = json!([]);
            if !of_kind.is_empty() {
                // Step Functions writes arrays, or lines when it is told to.
                let (text, end) = match kind {
                    "FAILED" => (format!("[{}]", of_kind.join(",")), "json"),
                    _ => (of_kind.join("\n"), "jsonl"),
                };
                self.put(&format!("{folder}/{kind}_0.{end}"), text);
                files[kind] = json!([{"Key": format!("out/_mapmill/{folder}/{kind}_0.{end}"), "Size": 1}]);
            }
        }
        let arn = format!("arn:aws:states:us-east-1:123456789012:mapRun:simple/{label}:1b2c");
        let manifest = json!({"DestinationBucket": "clean", "MapRunArn": arn, "ResultFiles": files});
        self.put(&format!("{folder}/manifest.json"), manifest.to_string());
    }

    pub(crate) fn worker(&self) -> Worker {
        self.worker_on(Arc::new(self.store.clone()))
    }

    pub(crate) fn worker_on(&self, store: Arc<dyn ObjectStore>) -> Worker {
        Worker::new(store, "jobs".parse().unwrap(), "clean/out/".parse().unwrap(), Budget::of_function(512))
    }

    pub(crate) fn event(&self, run: &str) -> Value {
        let mapmill = json!({"version": 1, "run_id": run, "correlation_id": format!("arn:{run}"), "job": self.job});
        json!({"mapmill": mapmill, "plan": format!("s3://clean/out/_mapmill/{run}/plan.json"), "map_run": null, "failure": null})
    }

    /// Makes the report of a run and answers what the function answers.
    pub(crate) async fn report(&self, run: &str) -> Value {
        self.report_of(&self.event(run)).await
    }

    pub(crate) async fn report_of(&self, event: &Value) -> Value {
        let answer =
            report::handle(self.worker(), payload(event), Deadline::after(std::time::Duration::from_secs(900)));
        let answer = answer.await.unwrap_or_else(|error| panic!("{error}"));
        let text = serde_json::to_string(&answer).unwrap();
        assert!(text.len() < report::MAX_ANSWER_BYTES, "{} bytes", text.len());
        serde_json::from_str(&text).unwrap()
    }
}

pub(crate) fn item(key: &str) -> Item {
    Item { key: key.to_owned(), etag: Some(format!("\"etag-of-{key}\"")), size: Some(100), ..Item::default() }
}

/// A line of a ledger that says how an item ended.
pub(crate) fn line(key: &str, status: Status) -> LedgerLine {
    LedgerLine { duration_ms: 7, ..LedgerLine::new("raw", &item(key), status) }
}

pub(crate) fn succeeded(key: &str) -> LedgerLine {
    let output = WrittenObject {
        bucket: "clean".into(),
        key: format!("out/{key}.ndjson"),
        bytes: 50,
        records: 9,
        etag: Some("e".into()),
    };
    LedgerLine {
        records: Records { read: 10, written: 9, rejected: 1, ..Records::default() },
        bytes: Bytes { read: 100, expanded: 200, written: 50 },
        outputs: vec![output],
        ..line(key, Status::Succeeded)
    }
}

pub(crate) fn failed(key: &str, class: &str, code: &str) -> LedgerLine {
    LedgerLine {
        class: Some(class.into()),
        code: Some(code.into()),
        message: Some("expected one thing; found another".into()),
        ..line(key, Status::Failed)
    }
}

/// The record of a child: its batch as text within text, and what its worker answered.
pub(crate) fn child(name: &str, start: i64, end: i64, keys: &[&str], error: Option<&str>) -> Value {
    let time = |seconds: i64| format!("2026-11-22T10:{:02}:{:02}.000Z", seconds / 60, seconds % 60);
    let items: Vec<Value> =
        keys.iter().map(|key| json!({"Key": key, "Etag": format!("\"etag-of-{key}\""), "Size": 100})).collect();
    let input = json!({"BatchInput": {"mapmill": {"version": 1, "run_id": "r", "job": {}}}, "Items": items});
    let counts = json!({"total": keys.len(), "succeeded": keys.len(), "failed": 0, "skipped": 0, "unprocessed": 0});
    let output = json!({"items": counts, "duration_ms": 1000});
    let mut record = json!({"Name": name, "Input": input.to_string(), "StartDate": time(start), "StopDate": time(end)});
    match error {
        Some(error) => (record["Error"], record["Cause"]) = (json!(error), json!("the cause")),
        None => record["Output"] = json!(output.to_string()),
    }
    record
}

/// The record of a child that was never started.
pub(crate) fn waiting(name: &str, keys: &[&str]) -> Value {
    let mut record = child(name, 0, 0, keys, None);
    for member in ["StartDate", "StopDate", "Output"] {
        record.as_object_mut().unwrap().remove(member);
    }
    record
}

/// An event as the runtime hands it over.
pub(crate) fn payload(event: &Value) -> Box<RawValue> {
    to_raw_value(event).unwrap()
}
