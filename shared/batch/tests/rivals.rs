//! Attempts at one batch that know little of each other: items without a version, batches that come no further, an attempt
//! that outlives the next one, outputs of another run.
#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

#[path = "support/long.rs"]
mod long;
mod support;

use batch::{Budget, Deadline, LedgerLine, Observer, Outcome, Status, Worker};
use long::{CHUNK_BYTES, STEP_BYTES, ndjson, slow};
use object_store::fakes::{MemoryStore, OpeningStore};
use object_store::{ErrorClass, ObjectStore};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::{address, job, places};

/// A bucket with these objects.
fn store(objects: &[(&str, Vec<u8>)]) -> MemoryStore {
    let memory = MemoryStore::with_buckets(&["raw", "clean"]);
    memory.set_chunk_bytes(CHUNK_BYTES);
    for (key, body) in objects {
        memory.insert(&address("raw", key), body.clone());
    }
    memory
}

/// The event of a batch under a run.
fn event(run: &str, items: &[Value]) -> Value {
    let job = job(
        json!({"limits": {"checkpoint_bytes": STEP_BYTES}, "rejects": {"max_ratio": 1, "max_per_object": 100_000}}),
    );
    json!({"BatchInput": {"mapmill": {"version": 1, "run_id": run, "job": job}}, "Items": items})
}

/// An item as a listing has it.
fn listed(memory: &MemoryStore, key: &str) -> Value {
    let etag = memory.etag(&address("raw", key)).unwrap();
    json!({"Key": key, "Etag": etag.quoted(), "Size": memory.get(&address("raw", key)).unwrap().len()})
}

fn worker(store: Arc<dyn ObjectStore>) -> Worker {
    Worker::new(store, places("raw/in/"), places("clean/out/"), Budget::of_function(3008))
}

/// One attempt with so many seconds; each chunk of an object takes one.
async fn attempt(memory: &MemoryStore, event: &Value, seconds: u64) -> Outcome {
    let deadline = Deadline::after(Duration::from_secs(seconds));
    worker(slow(memory.clone())).process_batch(event, deadline).await.unwrap()
}

fn ledger(memory: &MemoryStore, outcome: &Outcome) -> Vec<LedgerLine> {
    let text = memory.get(&address("clean", &outcome.ledger.key)).unwrap();
    text.split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn items_without_a_version_end_too() {
    let long = ndjson(4 * STEP_BYTES);
    let objects = [("in/1.ndjson", ndjson(STEP_BYTES)), ("in/2.ndjson", long.clone()), ("in/3.ndjson", ndjson(900))];
    let memory = store(&objects);
    let event = event("r1", &["in/1.ndjson", "in/2.ndjson", "in/3.ndjson"].map(Value::from));
    let mut attempts = 1;
    let outcome = loop {
        let outcome = attempt(&memory, &event, 50).await;
        if !outcome.continues {
            break outcome;
        }
        attempts += 1;
        assert!(attempts < 20, "it does not end");
    };
    assert_eq!((outcome.items.succeeded, outcome.items.unprocessed), (3, 0), "after {attempts} attempts");
    assert!(attempts > 1);
    let output = memory.get(&address("clean", "out/2.ndjson.ndjson")).unwrap();
    let good = long.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"}\n"));
    assert!(output == good.flatten().copied().collect::<Vec<u8>>(), "no record is lost or doubled");
}

#[tokio::test(start_paused = true)]
async fn an_object_that_was_mended_is_processed_again_though_nobody_names_its_version() {
    let memory = store(&[("in/a.csv", b"a,a\n1,2\n".to_vec()), ("in/b.csv", b"a,b\n1,2\n".to_vec())]);
    let event = event("r1", &["in/a.csv", "in/b.csv"].map(Value::from));
    let first = attempt(&memory, &event, 0).await;
    assert_eq!((first.items.failed, first.items.succeeded), (1, 1));
    let opens = memory.opens();
    assert_eq!(attempt(&memory, &event, 0).await.items, first.items);
    assert_eq!(memory.opens() - opens, 1, "what is there now was processed before: only the ledger is read");
    memory.insert(&address("raw", "in/a.csv"), b"a,b\n1,2\n".to_vec());
    assert_eq!(attempt(&memory, &event, 0).await.items.succeeded, 2);
}

#[tokio::test(start_paused = true)]
async fn neighbours_that_end_again_and_again_are_no_progress() {
    let memory = store(&[("in/a.ndjson", ndjson(3 * STEP_BYTES))]);
    let missing = json!({"Key": "in/missing.csv", "Size": 5, "Etag": "\"e\""});
    let items = [json!({"Key": "in/folder/", "Size": 0}), missing, listed(&memory, "in/a.ndjson")];
    let event = event("r1", &items);
    // Not one step fits. The others ended for the first time, so another attempt is worth while, and a third is not.
    let continues: Vec<bool> =
        [attempt(&memory, &event, 10).await, attempt(&memory, &event, 10).await].map(|o| o.continues).into();
    assert_eq!(continues, [true, false]);
    let line = &ledger(&memory, &attempt(&memory, &event, 40).await)[2];
    assert!(line.position.is_some_and(|position| position.byte > 0), "a longer one comes further: {line:?}");
    let given_up = &ledger(&memory, &attempt(&memory, &event, 10).await)[2];
    assert_eq!(given_up.position, line.position, "how far it came is not forgotten");
}

#[tokio::test(start_paused = true)]
async fn a_ledger_that_may_not_be_read_is_no_reason_to_begin_anew_for_ever() {
    let memory = store(&[("in/a.ndjson", ndjson(900))]);
    let event = event("r1", &[listed(&memory, "in/a.ndjson")]);
    attempt(&memory, &event, 0).await;
    let blind = OpeningStore::new(Arc::new(memory), |_, opened| opened).with_failing_heads(ErrorClass::Denied);
    let error = worker(Arc::new(blind)).process_batch(&event, Deadline::UNKNOWN).await.unwrap_err();
    assert_eq!(error.name(), "Mapmill.AccessDenied");
    assert!(error.to_string().contains("s3:GetObject"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_ends_late_undoes_nothing() {
    let memory = store(&[("in/a.ndjson", ndjson(2 * STEP_BYTES)), ("in/b.ndjson", ndjson(900))]);
    let event = event("r1", &["in/a.ndjson", "in/b.ndjson"].map(|key| listed(&memory, key)));
    // The first attempt has no time for the large object and ends long after the second one, which was faster.
    let late = attempt(&memory, &event, 20);
    let fast = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        worker(Arc::new(memory.clone())).process_batch(&event, Deadline::UNKNOWN).await.unwrap()
    };
    let (late, fast) = tokio::join!(late, fast);
    assert_eq!(fast.items.succeeded, 2);
    assert_eq!((late.items.succeeded, late.continues), (2, false), "its answer is that of the ledger");
    assert!(ledger(&memory, &fast).iter().all(|line| line.status == Status::Succeeded));
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_another_attempt_completed_is_no_failure() {
    let body = ndjson(20 << 20);
    let memory = store(&[("in/a.ndjson", body)]);
    let event = event("r1", &[listed(&memory, "in/a.ndjson")]);
    let slow_one = worker(slow(memory.clone())).with_notes_every(Duration::ZERO);
    let slow_one = slow_one.process_batch(&event, Deadline::UNKNOWN);
    let fast = async {
        // Parts are uploaded and their upload is noted by now.
        tokio::time::sleep(Duration::from_secs(200)).await;
        worker(Arc::new(memory.clone())).process_batch(&event, Deadline::UNKNOWN).await.unwrap()
    };
    let (slow_one, fast) = tokio::join!(slow_one, fast);
    assert_eq!((slow_one.unwrap().items.succeeded, fast.items.succeeded), (1, 1));
    assert_eq!(ledger(&memory, &fast)[0].status, Status::Succeeded);
    assert_eq!(memory.open_uploads(), 0);
}

#[tokio::test(start_paused = true)]
async fn rejects_that_a_ledger_names_are_there() {
    let memory = store(&[("in/a.ndjson", b"{\"n\":1}\n{\n".to_vec())]);
    let items = [listed(&memory, "in/a.ndjson")];
    let of_run_a = attempt(&memory, &event("a", &items), 0).await;
    // The second run dies when its ledger is begun; its second attempt finds the output of the first run.
    let died = worker(slow(memory.clone()));
    let event = event("b", &items);
    drop(tokio::time::timeout(Duration::from_millis(500), died.process_batch(&event, Deadline::UNKNOWN)).await);
    let of_run_b = attempt(&memory, &event, 0).await;
    for outcome in [of_run_a, of_run_b] {
        let line = ledger(&memory, &outcome).remove(0);
        let rejects = line.rejects.unwrap();
        let there = memory.etag(&address("clean", &rejects.key)).unwrap();
        assert_eq!(Some(there.as_str()), rejects.etag.as_deref(), "{}", rejects.key);
    }
}

#[tokio::test(start_paused = true)]
async fn batches_of_items_that_make_no_sense_have_ledgers_of_their_own() {
    let memory = store(&[]);
    let mut ledgers = Vec::new();
    for item in [json!({}), json!(17), json!({"nokey": 1}), json!({"Key": 5})] {
        let outcome = attempt(&memory, &event("r1", std::slice::from_ref(&item)), 0).await;
        assert_eq!((outcome.items.total, outcome.items.failed), (1, 1), "{item}");
        let again = attempt(&memory, &event("r1", &[item]), 0).await;
        assert_eq!(again.ledger, outcome.ledger);
        ledgers.push(outcome.ledger.key);
    }
    ledgers.sort();
    ledgers.dedup();
    assert_eq!(ledgers.len(), 4);
}

/// Adds up what it is told.
#[derive(Default)]
struct Sums(Mutex<(u64, u64)>);

impl Observer for Sums {
    fn batch_finished(&self, _: &str, outcome: &Outcome) {
        let mut sums = self.0.lock().unwrap();
        *sums = (sums.0 + outcome.items.succeeded, sums.1 + outcome.records.read);
    }
}

#[tokio::test(start_paused = true)]
async fn every_item_is_told_once_however_many_invocations_there_are() {
    let keys = ["in/1.ndjson", "in/2.ndjson", "in/3.ndjson"];
    let objects = keys.map(|key| (key, ndjson(3 * STEP_BYTES)));
    let memory = store(&objects);
    let event = event("r1", &keys.map(|key| listed(&memory, key)));
    let sums = Arc::new(Sums::default());
    let mut attempts = 0;
    let outcome = loop {
        attempts += 1;
        let worker = worker(slow(memory.clone())).with_observer(sums.clone());
        let outcome = worker.process_batch(&event, Deadline::after(Duration::from_secs(50))).await.unwrap();
        if !outcome.continues {
            break outcome;
        }
    };
    assert!(attempts > 1);
    assert_eq!((outcome.items.total, outcome.items.succeeded), (3, 3));
    assert_eq!(*sums.0.lock().unwrap(), (3, outcome.records.read), "after {attempts} invocations");
}
