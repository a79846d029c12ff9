//! Batches through the worker on a store in memory: every item ends once, and a bad one harms no other.
#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

mod support;

use batch::{BatchError, Budget, Deadline, LedgerLine, MAX_OUTCOME_BYTES, Outcome, Status, Worker};
use object_store::fakes::{BodyFault, FaultyStore, MemoryStore, WriteStep};
use object_store::{Compressor, ErrorClass, ObjectStore, OutputCompression};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use support::{address, job, places};

struct Bench {
    store: MemoryStore,
    items: Vec<Value>,
}

impl Bench {
    fn new() -> Self {
        Self { store: MemoryStore::with_buckets(&["raw", "clean"]), items: Vec::new() }
    }

    fn with(mut self, key: &str, body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let etag = self.store.insert(&address("raw", key), body.to_vec());
        self.items.push(json!({"Key": key, "Etag": etag.quoted(), "Size": body.len(), "LastModified": 1.7e9}));
        self
    }

    fn with_item(mut self, item: Value) -> Self {
        self.items.push(item);
        self
    }

    fn event(&self, job: &Value) -> Value {
        json!({"BatchInput": {"mapmill": {"version": 1, "run_id": "r1", "job": job}}, "Items": self.items})
    }

    async fn run_on(&self, store: Arc<dyn ObjectStore>, job: Value) -> Result<Outcome, BatchError> {
        let worker = Worker::new(store, places("raw/in/,jobs"), places("clean/out/"), Budget::of_function(512));
        worker.process_batch(&self.event(&job), Deadline::UNKNOWN).await
    }

    async fn run(&self, job: Value) -> (Outcome, Vec<LedgerLine>) {
        let outcome = self.run_on(Arc::new(self.store.clone()), job).await.unwrap();
        let lines = self.ledger(&outcome);
        assert_eq!(lines.len(), self.items.len(), "one line for every item");
        assert_eq!(self.store.open_uploads(), 0, "no upload is left open");
        (outcome, lines)
    }

    fn ledger(&self, outcome: &Outcome) -> Vec<LedgerLine> {
        let text = self.text(&outcome.ledger.bucket, &outcome.ledger.key).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn text(&self, bucket: &str, key: &str) -> Option<String> {
        let bytes = self.store.get(&address(bucket, key))?;
        Some(String::from_utf8(bytes.to_vec()).unwrap())
    }

    fn outputs(&self) -> Vec<String> {
        let keys = self.store.addresses().into_iter().filter(|address| address.bucket.as_str() == "clean");
        keys.map(|address| address.key.as_str().to_owned()).filter(|key| !key.contains("_mapmill/")).collect()
    }
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut compressor = Compressor::new(OutputCompression::Gzip, address("raw", "in/x")).unwrap();
    compressor.write(text).unwrap();
    compressor.finish().unwrap()
}

/// `a,b` and `9,1` as lines, by bzip2 1.0.8.
const BZIP2: &[u8] =
    b"\x42\x5a\x68\x39\x31\x41\x59\x26\x53\x59\x34\x86\x87\xa6\x00\x00\x03\x59\x00\x00\x10\x00\x04\x20\
    \x20\x30\x00\x20\x00\x22\x18\x68\x30\x02\x50\x39\x61\x77\x24\x53\x85\x09\x03\x48\x68\x7a\x60";

/// `a,b` and `10,1` as lines, by xz 5.4.1.
const XZ: &[u8] = b"\xfd\x37\x7a\x58\x5a\x00\x00\x04\xe6\xd6\xb4\x46\x02\x00\x21\x01\x16\x00\x00\x00\x74\x2f\xe5\xa3\
    \x01\x00\x08\x61\x2c\x62\x0a\x31\x30\x2c\x31\x0a\x00\x00\x00\x00\xc5\x4e\x63\x96\x7a\x1e\xd8\x4f\
    \x00\x01\x21\x09\x6c\x18\xc5\xd5\x1f\xb6\xf3\x7d\x01\x00\x00\x00\x00\x04\x59\x5a";

#[tokio::test]
async fn every_format_becomes_lines_and_every_item_a_ledger_line() {
    let gzip = gzip(b"a,b\n5,6\n");
    let bench = Bench::new()
        .with("in/1.csv", "a,b\n1,2\n")
        .with("in/2.json", "[{\"a\":\"3\"},\n{\"a\":\"4\"}]")
        .with("in/3.csv.gz", gzip)
        .with("in/4.ndjson", "{\"a\":\"7\"}\n")
        .with("in/deep/5", "{\"a\":\"8\"}")
        .with("in/6.csv.bz2", BZIP2)
        .with("in/7.csv", XZ);
    let (outcome, lines) = bench.run(job(json!({"record": {"select": ["a"]}}))).await;
    assert_eq!(outcome.items.succeeded, 7);
    assert_eq!(outcome.records.written, 8);
    assert_eq!(outcome.records.read, 8);
    let check = |key: &str, expected: &str| assert_eq!(bench.text("clean", key).as_deref(), Some(expected), "{key}");
    check("out/1.csv.ndjson", "{\"a\":\"1\"}\n");
    check("out/2.json.ndjson", "{\"a\":\"3\"}\n{\"a\":\"4\"}\n");
    check("out/3.csv.gz.ndjson", "{\"a\":\"5\"}\n");
    check("out/4.ndjson.ndjson", "{\"a\":\"7\"}\n");
    check("out/deep/5.ndjson", "{\"a\":\"8\"}\n");
    check("out/6.csv.bz2.ndjson", "{\"a\":\"9\"}\n");
    check("out/7.csv.ndjson", "{\"a\":\"10\"}\n");
    assert!(outcome.ledger.key.starts_with("out/_mapmill/r1/ledger/"), "{}", outcome.ledger.key);
    assert_eq!(lines[0].outputs[0].key, "out/1.csv.ndjson");
    assert_eq!(lines[0].outputs[0].bytes, 10);
    assert_eq!(lines[2].bytes.expanded, 8);
    assert_eq!(outcome.bytes.written, lines.iter().map(|line| line.bytes.written).sum::<u64>());
}

/// An item with a key and body, among two good ones, fails or is skipped; the good ones come through.
async fn check_bad(job_parts: Value, key: &str, body: &[u8], status: Status, code: &str, message: &str) {
    let bench = Bench::new().with("in/a.ndjson", "{\"n\":1}\n").with(key, body).with("in/z.ndjson", "{\"n\":2}\n");
    let (outcome, lines) = bench.run(job(job_parts)).await;
    assert_eq!(outcome.items.succeeded, 2, "{key}: the others come through");
    let line = &lines[1];
    assert_eq!(line.status, status, "{key}: {line:?}");
    let found = line.code.as_deref().or(line.reason.as_deref()).unwrap();
    assert_eq!(found, code, "{key}: {line:?}");
    let shown = line.message.as_deref().unwrap_or_default();
    assert!(shown.contains(message), "{key}: {shown}");
    assert_eq!(bench.outputs(), ["out/a.ndjson.ndjson", "out/z.ndjson.ndjson"], "{key}: nothing half-written");
    if status == Status::Failed {
        assert_eq!(outcome.failures[0].code, code);
        assert!(line.class.is_some());
    }
}

#[tokio::test]
async fn bad_objects_fail_alone_with_the_place_and_the_limit() {
    let failed = Status::Failed;
    let none = || json!({});
    let truncated = gzip("x,y\n1,2\n".repeat(5000).as_bytes());
    check_bad(none(), "in/t.csv.gz", &truncated[..truncated.len() / 2], failed, "truncated_gzip", "in/t.csv.gz").await;
    check_bad(none(), "in/t.csv.bz2", &BZIP2[..20], failed, "truncated_bzip2", "at compressed byte 20").await;
    check_bad(none(), "in/t.csv.xz", &XZ[..40], failed, "truncated_xz", "at compressed byte 40").await;
    check_bad(none(), "in/no.csv.xz", b"a,b\n1,2\n3,4\n", failed, "corrupt_xz", "expected xz data").await;
    check_bad(none(), "in/a.csv.zip", b"PK\x03\x04", failed, "unsupported_compression", "found zip").await;
    check_bad(none(), "in/q.csv", b"a\n1\n\"x\n", failed, "csv_unclosed_quote", "record 2 (line 3, byte 4)").await;
    check_bad(none(), "in/d.csv", b"a,a\n", failed, "csv_duplicate_header", "columns 1 and 2").await;
    check_bad(none(), "in/u.json", b"[{\"a\":1},", failed, "unexpected_end", "").await;
    check_bad(none(), "in/unknown", b"one line", failed, "unknown_format", "source.format").await;
    check_bad(
        json!({"source": {"json": {"pointer": "/x"}}}),
        "in/p.json",
        b"{}",
        failed,
        "pointer_not_found",
        "source.json.pointer",
    )
    .await;
    let bomb = gzip(&vec![b' '; 40 << 20]);
    check_bad(none(), "in/b.json.gz", &bomb, failed, "expansion_ratio_exceeded", "expansion_ratio").await;
    check_bad(
        json!({"limits": {"expanded_bytes": "1MiB"}}),
        "in/e.json",
        &vec![b' '; 2 << 20],
        failed,
        "expanded_bytes_exceeded",
        "1048576",
    )
    .await;
    check_bad(
        json!({"rejects": {"policy": "fail"}}),
        "in/f.ndjson",
        b"{}\n{\n",
        failed,
        "invalid_json",
        "record 2 (line 2, byte 3)",
    )
    .await;
    check_bad(
        json!({"rejects": {"max_per_object": 1}}),
        "in/m.ndjson",
        b"{\n{\n",
        failed,
        "too_many_rejects",
        "max_per_object (1)",
    )
    .await;
    let half = "{}\n{\n".repeat(60);
    check_bad(none(), "in/r.ndjson", half.as_bytes(), failed, "too_many_rejects", "60 of 120").await;
}

#[tokio::test]
async fn items_that_are_not_to_be_read_are_skipped_with_a_reason() {
    let include = json!({"source": {"include": ["*.ndjson"]}});
    check_bad(json!({}), "in/folder/", b"", Status::Skipped, "folder_marker", "").await;
    check_bad(json!({}), "in/empty.csv", b"", Status::Skipped, "empty_object", "").await;
    check_bad(json!({}), "in/_mapmill/r0/ledger/x.jsonl", b"{}\n", Status::Skipped, "written_by_mapmill", "").await;
    check_bad(include, "in/other.csv", b"a\n", Status::Skipped, "not_included", "").await;
}

#[tokio::test]
async fn items_with_bad_names_fail_alone() {
    let bench = Bench::new()
        .with("in/a.ndjson", "{}\n")
        .with_item(json!({"Key": "in/../secret.csv", "Size": 1}))
        .with_item(json!({"Key": "in//x.csv"}))
        .with_item(json!({"Key": "in/\u{7}.csv"}))
        .with_item(json!({"Key": "elsewhere/x.csv"}))
        .with_item(json!({"Key": "in/x.csv", "Bucket": "other"}))
        .with_item(json!({"Key": "in/missing.csv"}))
        .with_item(json!({"Key": "in/a.ndjson", "Etag": "\"0000\""}))
        .with_item(json!(17));
    let (outcome, lines) = bench.run(job(json!({}))).await;
    let found: Vec<(&str, &str)> =
        lines[1..].iter().map(|line| (line.class.as_deref().unwrap(), line.code.as_deref().unwrap())).collect();
    let expected = [
        ("bad_data", "invalid_key"),
        ("bad_data", "invalid_key"),
        ("bad_data", "invalid_key"),
        ("configuration", "outside_prefix"),
        ("configuration", "unexpected_bucket"),
        ("not_found", "no_such_key"),
        ("changed", "object_changed"),
        ("bad_data", "invalid_item"),
    ];
    assert_eq!(found, expected);
    assert_eq!((outcome.items.succeeded, outcome.items.failed, outcome.items.total), (1, 8, 9));
}

#[tokio::test]
async fn a_line_of_a_hundred_megabytes_is_one_reject() {
    let mut body = b"{\"n\":1}\n\"".to_vec();
    body.resize(100 << 20, b'x');
    body.extend_from_slice(b"\"\n{\"n\":2}\n");
    let (outcome, lines) = Bench::new().with("in/long.ndjson", body).run(job(json!({}))).await;
    assert_eq!((outcome.records.written, outcome.records.rejected), (2, 1));
    assert_eq!(lines[0].rejects.as_ref().unwrap().records, 1);
}

#[tokio::test]
async fn rejects_are_set_aside_with_place_and_reason() {
    let deep = "[".repeat(10_000);
    let body = [b"{\"n\":1}\n\xFF\n".as_slice(), deep.as_bytes(), b"\n{\"n\":}\n"].concat();
    let bench = Bench::new().with("in/x.ndjson", body);
    let (_, lines) = bench.run(job(json!({}))).await;
    let rejects = lines[0].rejects.clone().unwrap();
    assert_eq!(rejects.key, "out/_mapmill/r1/rejects/x.ndjson.rejects.ndjson");
    let text = bench.text("clean", &rejects.key).unwrap();
    let quarantined: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let codes: Vec<&str> = quarantined.iter().map(|line| line["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["invalid_utf8", "too_deep", "invalid_json"]);
    assert_eq!(quarantined[0]["raw_base64"], "/w==");
    assert_eq!(
        (&quarantined[0]["byte"], &quarantined[0]["line"], &quarantined[0]["record"]),
        (&json!(8), &json!(2), &json!(2))
    );
    assert!(quarantined[1]["message"].as_str().unwrap().contains("limits.depth (64 levels)"));
    assert_eq!(quarantined[2]["raw"], "{\"n\":}");
}

#[tokio::test]
async fn dropped_rejects_are_only_counted() {
    let bench = Bench::new().with("in/x.ndjson", "{}\n{\n");
    let (outcome, lines) = bench.run(job(json!({"rejects": {"policy": "drop"}}))).await;
    assert_eq!(outcome.records.rejected, 1);
    assert_eq!(lines[0].rejects, None);
}

#[tokio::test]
async fn running_a_batch_twice_gives_the_same_bytes() {
    let bench = Bench::new().with("in/a.csv", "a\n1\n").with("in/b.ndjson", "{}\n{\n");
    let job = || job(json!({"output": {"compression": "gzip"}}));
    let (first, _) = bench.run(job()).await;
    let contents = |bench: &Bench| -> Vec<_> {
        let objects = bench.store.addresses().into_iter().filter(|address| !address.key.as_str().contains("/ledger/"));
        objects.map(|address| (address.clone(), bench.store.get(&address))).collect()
    };
    let before = contents(&bench);
    let (second, _) = bench.run(job()).await;
    assert_eq!(before, contents(&bench));
    assert_eq!(first.ledger, second.ledger, "the retry replaces the ledger");
}

#[tokio::test(start_paused = true)]
async fn broken_bodies_are_resumed_and_what_cannot_be_read_fails_alone() {
    let body = "{\"n\":12345}\n".repeat(2000);
    let bench = Bench::new().with("in/a.ndjson", &body).with("in/b.ndjson", &body);
    let faults = [BodyFault::Break(1000), BodyFault::None, BodyFault::End(500), BodyFault::Stall(7), BodyFault::None];
    let faulty = FaultyStore::new(Arc::new(bench.store.clone())).with_bodies(faults);
    let outcome = bench.run_on(Arc::new(faulty), job(json!({}))).await.unwrap();
    assert_eq!(outcome.items.succeeded, 2);
    assert_eq!(bench.text("clean", "out/a.ndjson.ndjson").unwrap(), body);
    assert_eq!(bench.text("clean", "out/b.ndjson.ndjson").unwrap(), body);

    let bench = Bench::new().with("in/a.ndjson", &body).with("in/b.ndjson", &body);
    let denied = FaultyStore::new(Arc::new(bench.store.clone())).with_bodies([BodyFault::Open(ErrorClass::Denied)]);
    let outcome = bench.run_on(Arc::new(denied), job(json!({}))).await.unwrap();
    assert_eq!((outcome.items.succeeded, outcome.items.failed), (1, 1));
    assert_eq!(outcome.failures[0].class, "denied");
}

#[tokio::test]
async fn a_failed_upload_leaves_nothing_and_fails_its_item() {
    let body = "{\"n\":12345}\n".repeat(1_000_000);
    for step in [WriteStep::Begin, WriteStep::Part(1), WriteStep::Part(2), WriteStep::Complete] {
        let bench = Bench::new().with("in/a.ndjson", &body);
        let faulty = FaultyStore::new(Arc::new(bench.store.clone())).with_write(step, ErrorClass::Transient);
        let outcome = bench.run_on(Arc::new(faulty), job(json!({}))).await.unwrap();
        assert_eq!(outcome.items.failed, 1, "{step:?}");
        assert_eq!(bench.outputs(), Vec::<String>::new(), "{step:?}");
        // What only waits to be completed is kept for the next attempt.
        let is_kept = step == WriteStep::Complete;
        assert_eq!(bench.store.open_uploads(), usize::from(is_kept), "{step:?}");
        let parts = bench.store.parts();
        let (outcome, _) = bench.run(job(json!({}))).await;
        assert_eq!((outcome.items.succeeded, outcome.records.written), (1, 1_000_000), "{step:?}");
        assert_eq!(bench.store.parts() == parts, is_kept, "{step:?}: no part is uploaded twice");
        assert_eq!(bench.text("clean", "out/a.ndjson.ndjson").unwrap(), body);
    }
}

#[tokio::test]
async fn errors_of_the_whole_batch_have_their_names() {
    let check = |result: Result<Outcome, BatchError>, name: &str, message: &str| {
        let error = result.unwrap_err();
        assert_eq!(error.name(), name, "{error}");
        assert!(error.to_string().contains(message), "{error}");
    };
    let bench = Bench::new().with("in/a.ndjson", "{\n").with("in/b.ndjson", "{}\n");
    let store = || Arc::new(bench.store.clone());
    let worker = Worker::new(store(), places("raw"), places("clean"), Budget::of_function(128));
    let invalid = worker.process_batch(&json!({"Records": []}), Deadline::UNKNOWN).await;
    check(invalid, "Mapmill.InvalidEvent", "BatchInput");
    check(bench.run_on(store(), job(json!({"recrd": {}}))).await, "Mapmill.InvalidJob", "recrd");
    check(bench.run_on(store(), json!("s3://jobs/none.yaml")).await, "Mapmill.InvalidJob", "s3://jobs/none.yaml");
    check(bench.run_on(store(), json!("s3://secret/job.yaml")).await, "Mapmill.AccessDenied", "MAPMILL_READ");
    check(bench.run_on(store(), json!("job.yaml")).await, "Mapmill.InvalidJob", "s3://bucket/key");
    let elsewhere = job(json!({"output": {"prefix": "private/"}}));
    check(bench.run_on(store(), elsewhere).await, "Mapmill.AccessDenied", "MAPMILL_WRITE");
    let failing = job(json!({"on_failure": "fail", "rejects": {"policy": "fail"}}));
    check(bench.run_on(store(), failing).await, "Mapmill.BatchFailed", "1 of 2 items failed");
    for (class, name) in [(ErrorClass::Transient, "Mapmill.Transient"), (ErrorClass::Throttled, "Mapmill.Throttled")] {
        // The first put is the output, the second the ledger; with nothing to process the ledger is the only one.
        let empty = Bench::new();
        let faulty = FaultyStore::new(Arc::new(empty.store.clone())).with_write(WriteStep::Put, class);
        check(empty.run_on(Arc::new(faulty), job(json!({}))).await, name, "ledger");
    }
}

#[tokio::test]
async fn a_bucket_that_is_missing_is_named() {
    let bench = Bench::new().with("in/a.ndjson", "{}\n");
    let no_source = job(json!({"source": {"bucket": "gone"}}));
    let worker = Worker::new(Arc::new(bench.store.clone()), places("gone"), places("clean"), Budget::of_function(128));
    let outcome = worker.process_batch(&bench.event(&no_source), Deadline::UNKNOWN).await.unwrap();
    assert_eq!((outcome.items.failed, outcome.failures[0].code.as_str()), (1, "no_such_bucket"));
    assert!(outcome.failures[0].message.contains("s3://gone/"), "{:?}", outcome.failures);

    let no_output = job(json!({"output": {"bucket": "gone"}}));
    let worker = Worker::new(Arc::new(bench.store.clone()), places("raw"), places("gone"), Budget::of_function(128));
    let error = worker.process_batch(&bench.event(&no_output), Deadline::UNKNOWN).await.unwrap_err();
    assert!(error.to_string().contains("s3://gone/out/_mapmill/r1/ledger/"), "{error}");
}

#[tokio::test]
async fn the_job_may_lie_in_the_store() {
    let bench = Bench::new().with("in/a.ndjson", "{}\n");
    let store = MemoryStore::clone(&bench.store);
    store.insert(&address("raw", "in/job.yaml"), job(json!({})).to_string());
    let outcome = bench.run_on(Arc::new(store), json!("s3://raw/in/job.yaml")).await.unwrap();
    assert_eq!(outcome.items.succeeded, 1);
}

#[tokio::test(start_paused = true)]
async fn what_time_does_not_allow_is_handed_back() {
    let mut bench = Bench::new();
    for number in 0..100 {
        bench = bench.with(&format!("in/{number}.ndjson"), "{}\n");
    }
    // Memory for four at a time: each wave stalls once and is then read.
    let wave = [[BodyFault::Stall(0); 4], [BodyFault::None; 4]].concat();
    let slow = FaultyStore::new(Arc::new(bench.store.clone())).with_bodies(wave.repeat(25));
    let worker = Worker::new(Arc::new(slow), places("raw"), places("clean"), Budget::of_function(64));
    let deadline = Deadline::after(Duration::from_secs(90));
    let outcome = worker.process_batch(&bench.event(&job(json!({}))), deadline).await.unwrap();
    assert!(outcome.items.unprocessed > 0 && outcome.items.succeeded > 0, "{outcome:?}");
    assert_eq!(outcome.items.total, 100);
    let unprocessed = bench.ledger(&outcome).iter().filter(|line| line.status == Status::Unprocessed).count();
    assert_eq!(unprocessed as u64, outcome.items.unprocessed);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_end_in_time_is_given_up_and_the_ledger_is_written() {
    let big = "{\"n\":12345}\n".repeat(1_000_000);
    let bench = Bench::new().with("in/a.ndjson", "{}\n").with("in/stalls.ndjson", &big).with("in/z.ndjson", "{}\n");
    // The second object stalls after its first part was uploaded, again and again.
    let faults = [vec![BodyFault::None, BodyFault::Stall(9 << 20)], vec![BodyFault::Stall(0); 100]].concat();
    let stalling = FaultyStore::new(Arc::new(bench.store.clone())).with_bodies(faults);
    let worker = Worker::new(Arc::new(stalling), places("raw"), places("clean"), Budget::of_function(64));
    let job = job(json!({}));
    let outcome = worker.process_batch(&bench.event(&job), Deadline::after(Duration::from_secs(60))).await.unwrap();
    let lines = bench.ledger(&outcome);
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0].status, Status::Succeeded);
    assert_eq!((lines[1].status, lines[1].reason.as_deref()), (Status::Unprocessed, Some("out_of_time")));
    assert!(outcome.items.unprocessed >= 1);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(bench.store.open_uploads(), 0, "the upload that had begun is given up");
    assert!(!bench.outputs().contains(&"out/stalls.ndjson.ndjson".to_owned()));
}

#[tokio::test]
async fn a_prefix_may_end_within_a_name() {
    let bench = Bench::new().with("in/2026-a.ndjson", "{}\n").with("in/2026-b.ndjson", "{}\n");
    let (outcome, _) = bench.run(job(json!({"source": {"prefix": "in/2026"}}))).await;
    assert_eq!(outcome.items.succeeded, 2, "{outcome:?}");
    assert_eq!(bench.outputs(), ["out/2026-a.ndjson.ndjson", "out/2026-b.ndjson.ndjson"]);
}

#[tokio::test]
async fn names_of_rejects_are_shortened_when_they_would_be_too_long() {
    let key = format!("in/{}/x.ndjson", ["y".repeat(200).as_str(); 4].join("/"));
    let long = format!("{key}{}", "z".repeat(1000 - key.len()));
    let bench = Bench::new().with(&long, "{}\n{\n");
    let (_, lines) = bench.run(job(json!({"source": {"format": "ndjson"}}))).await;
    assert_eq!(lines[0].status, Status::Succeeded, "{:?}", lines[0]);
    let rejects = lines[0].rejects.as_ref().unwrap();
    assert_eq!(rejects.key.len(), "out/_mapmill/r1/rejects/".len() + 64 + ".rejects.ndjson".len());
    assert!(bench.text("clean", &rejects.key).unwrap().contains(&long));
}

#[tokio::test]
async fn the_answer_stays_small_whatever_happens() {
    let mut bench = Bench::new();
    for number in 0..1_000 {
        let key = format!("in/{}{number}/../", "\u{1}\"\\é".repeat(150));
        bench = bench.with_item(json!({"Key": key}));
    }
    let (outcome, lines) = bench.run(job(json!({}))).await;
    assert_eq!(outcome.items.failed, 1_000);
    assert_eq!(lines.len(), 1_000);
    let size = serde_json::to_vec(&outcome).unwrap().len();
    assert!(size < MAX_OUTCOME_BYTES, "{size} bytes");
}

#[tokio::test]
async fn what_csv_cannot_have_is_a_fault_of_the_job() {
    let bench = Bench::new().with("in/a.ndjson", "{\"n\":[1,2]}\n").with("in/b.csv", "n\n1\n");
    let (outcome, lines) = bench.run(job(json!({"record": {"explode": "n"}}))).await;
    assert_eq!((outcome.items.succeeded, outcome.items.failed, outcome.records.written), (1, 1, 2));
    let found = (lines[1].class.as_deref(), lines[1].code.as_deref());
    assert_eq!(found, (Some("configuration"), Some("not_for_csv")));
    assert_eq!(outcome.failures[0].class, "configuration");
}
