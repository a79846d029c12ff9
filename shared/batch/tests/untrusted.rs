//! Events and objects of the store may be anything: what cannot be is refused, and never costs more than it concerns.
#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

mod support;

use batch::{Answer, Budget, Deadline, LedgerLine, MAX_OUTCOME_BYTES, Outcome, Status, Worker, answer};
use bytes::Bytes;
use futures::StreamExt;
use object_store::fakes::{BodyFault, FaultyStore, MemoryStore, OpeningStore};
use object_store::{ErrorClass, ObjectAddress, ObjectReader, ObjectStore};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use support::{address, job, places};

fn worker(store: Arc<dyn ObjectStore>, writable: &str) -> Worker {
    Worker::new(store, places("raw/in/,jobs"), places(writable), Budget::of_function(512))
}

fn event(job: &Value, items: &Value) -> Value {
    json!({"BatchInput": {"mapmill": {"version": 1, "run_id": "r1", "job": job}}, "Items": items})
}

/// The ledger of a batch, line by line.
fn lines(memory: &MemoryStore, outcome: &Outcome) -> Vec<LedgerLine> {
    let text = memory.get(&address("clean", &outcome.ledger.key)).unwrap();
    text.split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}

/// Puts other bytes where an object lies, with the metadata that it has.
async fn forge(memory: &MemoryStore, address: &ObjectAddress, body: Vec<u8>) {
    let request = memory.request(address).unwrap();
    memory.put(&request, Bytes::from(body)).await.unwrap();
}

/// Processes an event as it comes from Lambda.
async fn process(memory: &MemoryStore, event: &str) -> Outcome {
    let event: Box<RawValue> = serde_json::from_str(event).unwrap();
    let worker = worker(Arc::new(memory.clone()), "clean/out/");
    match answer(&worker, &event, None, Deadline::UNKNOWN).await.unwrap() {
        Answer::Batch(outcome) => outcome,
        Answer::Tasks(tasks) => unreachable!("{tasks:?}"),
    }
}

/// Items that are JSON and cannot be read.
fn unreadable() -> Vec<String> {
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    vec![
        r#""\ud800""#.to_owned(),
        r#"{"Key": "in/\udc00.ndjson"}"#.to_owned(),
        r#"{"\ud800": 1, "Key": "in/a.ndjson"}"#.to_owned(),
        r#"{"Key": "in/a.ndjson", "LastModified": 1e999}"#.to_owned(),
        format!(r#"{{"Key": "in/a.ndjson", "Owner": {deep}}}"#),
    ]
}

#[tokio::test]
async fn an_item_that_cannot_be_read_fails_alone() {
    for item in unreadable() {
        let memory = MemoryStore::with_buckets(&["raw", "clean"]);
        memory.insert(&address("raw", "in/good.ndjson"), "{}\n");
        memory.insert(&address("raw", "in/other.ndjson"), "{}\n");
        let text = event(&job(json!({})), &json!(["in/good.ndjson", "@", "in/other.ndjson"])).to_string();
        let outcome = process(&memory, &text.replace("\"@\"", &item)).await;
        assert_eq!((outcome.items.total, outcome.items.succeeded, outcome.items.failed), (3, 2, 1), "{item}");
        let line = &lines(&memory, &outcome)[1];
        assert_eq!((line.class.as_deref(), line.code.as_deref()), (Some("bad_data"), Some("invalid_item")), "{item}");
        assert!(line.message.as_ref().unwrap().contains("expected an item that can be read"), "{line:?}");
    }
}

#[tokio::test]
async fn an_item_without_a_batch_that_cannot_be_read_fails_alone() {
    let memory = MemoryStore::with_buckets(&["raw", "clean"]);
    let mapmill = json!({"version": 1, "run_id": "r1", "job": job(json!({}))});
    let outcome = process(&memory, &format!(r#"{{"mapmill": {mapmill}, "Key": "in/a", "LastModified": 1e999}}"#)).await;
    assert_eq!((outcome.items.total, outcome.items.failed), (1, 1));
    assert_eq!(lines(&memory, &outcome)[0].code.as_deref(), Some("invalid_item"));
}

#[tokio::test]
async fn an_event_that_cannot_be_read_is_refused_by_its_position() {
    let check = async |event: &str, expected: &str| {
        let event: Box<RawValue> = serde_json::from_str(event).unwrap();
        let worker = worker(Arc::new(MemoryStore::default()), "clean/out/");
        let error = answer(&worker, &event, None, Deadline::UNKNOWN).await.unwrap_err();
        let message = error.to_string();
        assert_eq!(error.name(), "Mapmill.InvalidEvent", "{message}");
        assert!(message.contains(expected) && !message.contains("secret"), "{message}");
    };
    check(r#"{"secret\ud800": 1}"#, "in the event, found").await;
    check(r#"{"BatchInput": {"secret": "\ud800"}, "Items": []}"#, "in BatchInput, found").await;
    check(r#"{"BatchInput": {"secret": "\ud800"}, "Items": []}"#, "at line 1 column ").await;
    check(r#"{"BatchInput": {"secret": 1e999}, "Items": []}"#, "in BatchInput, found").await;
    check(r#"{"mapmill": ["secret\ud800"]}"#, "in mapmill, found").await;
    check(r#"{"invocationSchemaVersion": "2.0", "tasks": ["secret\ud800"]}"#, "in the event, found").await;
    check(r#""secret""#, "expected an object as the event, found a text").await;
    let deep = format!("{}\"secret\"{}", "[".repeat(200), "]".repeat(200));
    check(&deep, "expected an object as the event, found a list").await;
    check(&format!(r#"{{"BatchInput": {deep}}}"#), "in BatchInput, found").await;
}

/// Source objects that take a second of the test's clock for every chunk.
fn slow(memory: &MemoryStore) -> Arc<dyn ObjectStore> {
    Arc::new(OpeningStore::new(Arc::new(memory.clone()), |request, opened| {
        let reader = opened?;
        let is_source = request.address.bucket.as_str() == "raw";
        let body = reader.body.then(move |chunk| async move {
            tokio::time::sleep(Duration::from_secs(u64::from(is_source))).await;
            chunk
        });
        Ok(ObjectReader { body: body.boxed(), ..reader })
    }))
}

#[tokio::test(start_paused = true)]
async fn a_forged_state_of_an_object_is_not_taken_up() {
    let part = json!({"etag": "e", "crc32": null, "bytes": 8 << 20});
    let upload = json!({"id": "u", "parts": vec![part; 10_001]});
    for (edits, buffer) in [
        (vec![("buffer_bytes", json!(20 << 20)), ("writer", json!({"upload": null, "bytes": 20 << 20}))], 20 << 20),
        (vec![("buffer_bytes", json!(0)), ("writer", json!({"upload": upload, "bytes": 10_001_u64 << 23}))], 0),
    ] {
        let memory = MemoryStore::with_buckets(&["raw", "clean"]);
        memory.set_chunk_bytes(64 << 10);
        let source = address("raw", "in/a.ndjson");
        let text: String = (0..200_000).map(|number| format!("{{\"n\":{number}}}\n")).collect();
        memory.insert(&source, text.clone());
        let job = job(json!({"limits": {"checkpoint_bytes": 1 << 20}}));
        let etag = memory.etag(&source).unwrap();
        let event = event(&job, &json!([{"Key": "in/a.ndjson", "Etag": etag.quoted(), "Size": text.len()}]));
        let worker = worker(slow(&memory), "clean/out/");
        let first = worker.process_batch(&event, Deadline::after(Duration::from_secs(40))).await.unwrap();
        assert_eq!((first.items.unprocessed, first.continues), (1, true));

        let progress =
            memory.addresses().into_iter().find(|address| address.key.as_str().contains("/progress/")).unwrap();
        let left = memory.get(&progress).unwrap();
        let end = left.iter().position(|byte| *byte == b'\n').unwrap();
        let mut head: Value = serde_json::from_slice(&left[..end]).unwrap();
        for (name, value) in edits {
            head["state"]["reading"]["output"][name] = value;
        }
        forge(&memory, &progress, [head.to_string().as_bytes(), b"\n", &vec![b'z'; buffer]].concat()).await;

        let second = worker.process_batch(&event, Deadline::UNKNOWN).await.unwrap();
        assert_eq!(second.items.succeeded, 1, "{second:?}");
        assert_eq!(memory.get(&address("clean", "out/a.ndjson.ndjson")).unwrap(), text, "as if it had never been left");
    }
}

#[tokio::test]
async fn a_forged_ledger_gives_no_long_answer_and_no_long_wait() {
    let memory = MemoryStore::with_buckets(&["raw", "clean"]);
    let keys: Vec<String> = (0..12).map(|number| format!("in/{number:02}{}.ndjson", "\u{1f600}".repeat(200))).collect();
    let items: Vec<Value> = keys.iter().map(|key| json!({"Key": key, "Etag": "e"})).collect();
    let event = event(&job(json!({})), &json!(items)).to_string();
    let first = process(&memory, &event).await;
    assert_eq!(first.items.failed, 12);
    let ledger = address("clean", &first.ledger.key);
    let forged = |code: &str, message: &str| {
        let line = |line: LedgerLine| LedgerLine {
            class: Some("bad_data".into()),
            code: Some(code.into()),
            message: Some(message.into()),
            ..line
        };
        lines(&memory, &first).into_iter().map(line).collect::<Vec<_>>()
    };
    let text =
        |lines: &[LedgerLine]| lines.iter().map(|line| serde_json::to_string(line).unwrap() + "\n").collect::<String>();

    // Such failures are final, so these lines are taken over; the answer is cut to size.
    let control = "\u{1}".repeat(300);
    forge(&memory, &ledger, text(&forged(&control[..64], &control)).into_bytes()).await;
    let outcome = process(&memory, &event).await;
    let length = serde_json::to_string(&outcome).unwrap().len();
    assert_eq!((outcome.items.failed, outcome.failures[0].code.len()), (12, 64));
    assert!(length <= MAX_OUTCOME_BYTES && !outcome.failures.is_empty(), "{length} bytes");

    // A code that no error has: nothing is taken over, and the objects are found missing again.
    forge(&memory, &ledger, text(&forged(&control[..65], &control)).into_bytes()).await;
    let outcome = process(&memory, &event).await;
    assert_eq!((outcome.items.failed, outcome.failures[0].class.as_str()), (12, "not_found"));

    // More lines than items, and no more is read of them than those items could have.
    let many = text(&forged("code", "message")).repeat(100);
    forge(&memory, &ledger, many.into_bytes()).await;
    let outcome = process(&memory, &event).await;
    assert_eq!((outcome.items.failed, outcome.failures[0].class.as_str()), (12, "not_found"));
}

#[tokio::test]
async fn counts_of_a_forged_ledger_do_not_pass_the_largest_number() {
    let memory = MemoryStore::with_buckets(&["raw", "clean"]);
    let items = json!([{"Key": "in/a.ndjson", "Etag": "e"}, {"Key": "in/b.ndjson", "Etag": "e"}]);
    let event = event(&job(json!({})), &items).to_string();
    let first = process(&memory, &event).await;
    let mut text = String::new();
    for mut line in lines(&memory, &first) {
        (line.status, line.class) = (Status::Failed, Some("bad_data".into()));
        (line.records.read, line.bytes.expanded, line.retries) = (u64::MAX, u64::MAX, u64::MAX);
        text += &(serde_json::to_string(&line).unwrap() + "\n");
    }
    forge(&memory, &address("clean", &first.ledger.key), text.into_bytes()).await;
    let outcome = process(&memory, &event).await;
    assert_eq!((outcome.records.read, outcome.bytes.expanded, outcome.retries), (u64::MAX, u64::MAX, u64::MAX));
}

#[tokio::test]
async fn a_job_file_that_is_replaced_while_it_is_read_is_read_again_by_another_attempt() {
    let memory = MemoryStore::with_buckets(&["jobs", "clean"]);
    memory.insert(&address("jobs", "job.json"), job(json!({})).to_string());
    let store = FaultyStore::new(Arc::new(memory)).with_bodies([BodyFault::Open(ErrorClass::Changed)]);
    let event = event(&json!("s3://jobs/job.json"), &json!([]));
    let worker = worker(Arc::new(store), "clean/out/");
    let error = worker.process_batch(&event, Deadline::UNKNOWN).await.unwrap_err();
    assert_eq!(error.name(), "Mapmill.Transient", "{error}");
    worker.process_batch(&event, Deadline::UNKNOWN).await.unwrap();
}

#[tokio::test]
async fn an_object_is_not_begun_where_its_state_may_not_be_written() {
    let check = async |writable: &str, succeeded: u64| {
        let memory = MemoryStore::with_buckets(&["raw", "clean"]);
        memory.insert(&address("raw", "in/a.ndjson"), "{}\n");
        let worker = worker(Arc::new(memory.clone()), writable);
        let event = event(&job(json!({})), &json!(["in/a.ndjson"]));
        let outcome = worker.process_batch(&event, Deadline::UNKNOWN).await.unwrap();
        assert_eq!(outcome.items.succeeded, succeeded, "{outcome:?}");
        if succeeded == 0 {
            let failure = &outcome.failures[0];
            assert_eq!((failure.class.as_str(), failure.code.as_str()), ("denied", "place_not_allowed"));
            assert!(failure.message.contains("/progress/"), "{failure:?}");
        }
    };
    let all_but = "clean/out/a,clean/out/_mapmill/r1/ledger/,clean/out/_mapmill/r1/rejects/";
    check(all_but, 0).await;
    check(&format!("{all_but},clean/out/_mapmill/r1/progress/"), 1).await;
}
