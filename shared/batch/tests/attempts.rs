//! A batch that takes several attempts, because time runs out or an invocation dies, ends as if one had done it all.
#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

#[path = "support/long.rs"]
mod long;
mod support;

use batch::{Budget, Deadline, LedgerLine, Outcome, Status, Worker};
use bytes::Bytes;
use long::{CHUNK_BYTES, STEP_BYTES, mixed, ndjson, repeat, slow};
use object_store::fakes::{BodyFault, FaultyStore, MemoryStore};
use object_store::{Compressor, ErrorClass, ObjectStore, OutputCompression, WriteRequest};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use support::{address, job, places};

/// A bucket with objects, and the event of their batch.
struct Case {
    objects: Vec<(&'static str, Vec<u8>)>,
    /// Bytes at which objects are cut into ranges, each an item of its own.
    cuts: Vec<usize>,
    job: Value,
}

/// What a batch leaves behind.
#[derive(Debug, PartialEq)]
struct Left {
    /// Outputs and rejects.
    objects: BTreeMap<String, Bytes>,
    /// Every line without the time that it took and without the remark that an earlier attempt did it.
    lines: Vec<LedgerLine>,
}

impl Case {
    fn new(objects: Vec<(&'static str, Vec<u8>)>, parts: Value) -> Self {
        let mut job = job(parts);
        job["limits"] = json!({"checkpoint_bytes": STEP_BYTES, "expansion_ratio": 100_000});
        job["rejects"] = json!({"max_per_object": 1_000_000});
        Self { objects, cuts: Vec::new(), job }
    }

    fn cut_at(self, cuts: &[usize]) -> Self {
        Self { cuts: cuts.to_vec(), ..self }
    }

    fn store(&self) -> MemoryStore {
        let memory = MemoryStore::with_buckets(&["raw", "clean"]);
        memory.set_chunk_bytes(CHUNK_BYTES);
        for (key, body) in &self.objects {
            memory.insert(&address("raw", key), body.clone());
        }
        memory
    }

    fn event(&self, memory: &MemoryStore) -> Value {
        let items = self.objects.iter().flat_map(|(key, body)| {
            let etag = memory.etag(&address("raw", key)).unwrap();
            let whole = json!({"Key": key, "Etag": etag.quoted(), "Size": body.len()});
            let starts = [0].into_iter().chain(self.cuts.iter().copied());
            let ends = self.cuts.iter().map(|cut| Some(*cut)).chain([None]);
            starts.zip(ends).map(move |(start, end)| {
                let mut item = whole.clone();
                if (start, end) != (0, None) {
                    item["Range"] = json!({"Start": start, "End": end});
                }
                item
            })
        });
        let items: Vec<Value> = items.collect();
        json!({"BatchInput": {"mapmill": {"version": 1, "run_id": "r1", "job": self.job}}, "Items": items})
    }

    /// One attempt with so many seconds.
    async fn attempt(&self, memory: &MemoryStore, seconds: u64) -> Outcome {
        let deadline = Deadline::after(Duration::from_secs(seconds));
        self.worker(memory).process_batch(&self.event(memory), deadline).await.unwrap()
    }

    fn worker(&self, memory: &MemoryStore) -> Worker {
        let store = slow(memory.clone());
        Worker::new(store, places("raw/in/"), places("clean/out/"), Budget::of_function(3008))
    }

    /// What one attempt with all the time leaves.
    async fn at_once(&self) -> Left {
        let memory = self.store();
        let outcome = self.attempt(&memory, 0).await;
        assert_eq!((outcome.items.unprocessed, outcome.continues), (0, false));
        left(&memory)
    }

    /// Attempts of so many seconds until the batch does not go on; answers how many it took.
    async fn check(&self, seconds: u64) -> usize {
        let expected = self.at_once().await;
        let memory = self.store();
        let mut attempts = 0;
        loop {
            attempts += 1;
            assert!(attempts < 100, "it does not end");
            let outcome = self.attempt(&memory, seconds).await;
            if !outcome.continues {
                assert_eq!(outcome.items.unprocessed, 0, "every item ended");
                break;
            }
            assert!(outcome.items.unprocessed > 0);
            let visible = left(&memory).objects;
            for (key, body) in visible.iter().filter(|(key, _)| !key.contains("rejects")) {
                assert_eq!(Some(body), expected.objects.get(key), "{key} is visible before it is whole");
            }
        }
        assert_same(&left(&memory), &expected);
        assert_eq!(memory.open_uploads(), 0);
        attempts
    }
}

#[track_caller]
fn assert_same(found: &Left, expected: &Left) {
    assert_eq!(found.lines, expected.lines);
    let keys = |left: &Left| left.objects.keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(found), keys(expected));
    for (key, body) in &expected.objects {
        assert!(found.objects[key] == body, "{key} has other bytes");
    }
}

fn left(memory: &MemoryStore) -> Left {
    let mut left = Left { objects: BTreeMap::new(), lines: Vec::new() };
    for address in memory.addresses().into_iter().filter(|address| address.bucket.as_str() == "clean") {
        let (key, body) = (address.key.as_str().to_owned(), memory.get(&address).unwrap());
        if key.contains("/ledger/") {
            let text = String::from_utf8(body.to_vec()).unwrap();
            left.lines.extend(text.lines().map(|line| {
                let line: LedgerLine = serde_json::from_str(line).unwrap();
                let reason = line.reason.filter(|reason| reason != "done_before");
                LedgerLine { duration_ms: 0, reason, ..line }
            }));
        } else if !key.contains("/progress/") {
            left.objects.insert(key, body);
        }
    }
    left
}

fn csv(bytes: usize) -> Vec<u8> {
    let mut text = b"n,\"te\nxt\",x\n".to_vec();
    text.extend(repeat(bytes, |number| format!("{number},\"a\n,\"\"{number}\"\"\",{}\r\n", mixed(number))));
    text
}

fn array(bytes: usize) -> Vec<u8> {
    let mut text = b"{\"before\":[{}],\"rows\":[0".to_vec();
    text.extend(repeat(bytes, |number| format!(",\n {{\"n\":{number},\"x\":[\"{}\"]}}", mixed(number))));
    text.extend_from_slice(b"],\"after\":1}");
    text
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut compressor = Compressor::new(OutputCompression::Gzip, address("raw", "x")).unwrap();
    compressor.write(text).unwrap();
    compressor.finish().unwrap()
}

fn latin1(bytes: usize) -> Vec<u8> {
    let line = |number: u64| format!("{{\"n\":{number},\"x\":\"é{}\"}}\n", mixed(number));
    String::from_utf8(repeat(bytes, line)).unwrap().chars().map(|letter| letter as u8).collect()
}

#[tokio::test(start_paused = true)]
async fn an_object_takes_as_many_invocations_as_it_needs() {
    const FOUR: usize = 4 * STEP_BYTES + 12_345;
    let output = |compression: &str| json!({"output": {"compression": compression}});
    let array_rules = json!({"source": {"json": {"pointer": "/rows"}}, "output": {"compression": "zstd"}});
    // A step takes 16 seconds, and 50 leave no time for two more; the last invocation does what is left. Text that is
    // not UTF-8 is read from its beginning every time.
    for (name, object, parts, seconds) in [
        ("in/a.ndjson", ndjson(FOUR), output("none"), 50),
        ("in/a.ndjson", ndjson(FOUR), output("zstd"), 50),
        ("in/a.csv", csv(FOUR), output("gzip"), 50),
        ("in/a.json", array(FOUR), array_rules, 50),
        ("in/a.ndjson", latin1(3 * STEP_BYTES), json!({"source": {"encoding": "latin-1"}}), 60),
    ] {
        let attempts = Case::new(vec![(name, object)], parts).check(seconds).await;
        assert!((2..=6).contains(&attempts), "{name}: {attempts} attempts");
    }
}

#[tokio::test(start_paused = true)]
async fn parts_of_an_object_take_as_many_invocations_as_they_need() {
    const FOUR: usize = 4 * STEP_BYTES + 12_345;
    let parts = |rules: Value| json!({"source": rules, "output": {"compression": "none"}});
    let rows = |number: u64| format!("{number},{}\r\n", mixed(number));
    let csv = [b"n,x\r\n".to_vec(), repeat(FOUR, rows)].concat();
    for (name, object, rules) in
        [("in/a.ndjson", ndjson(FOUR), json!({})), ("in/a.csv", csv, json!({"csv": {"multiline": false}}))]
    {
        // The first range ends in a record, takes several steps, and the second one is begun behind it.
        let case = Case::new(vec![(name, object)], parts(rules)).cut_at(&[3 * STEP_BYTES - 5]);
        let attempts = case.check(50).await;
        assert!((2..=6).contains(&attempts), "{name}: {attempts} attempts");
        let left = case.at_once().await;
        assert!(left.lines.iter().all(|line| line.status == Status::Succeeded && line.range.is_some()), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_compressed_is_read_again_up_to_where_it_was_left() {
    // Digits are about half as long when compressed, so a step takes about 7 seconds.
    let object = gzip(&csv(12 * STEP_BYTES));
    let case = Case::new(vec![("in/a.csv.gz", object)], json!({"output": {"compression": "zstd"}}));
    let attempts = case.check(90).await;
    assert!((2..=6).contains(&attempts), "{attempts} attempts");
}

#[tokio::test(start_paused = true)]
async fn large_outputs_and_rejects_go_on_in_their_uploads() {
    let bad = |number: u64| format!("{{\"n\":{number},\"x\":\"{}\"\n", mixed(number));
    let mut object =
        repeat(9 << 20, |number| if number % 2 == 0 { bad(number) } else { bad(number).replace('\n', "}\n") });
    object.extend(ndjson(10 << 20));
    let case = Case::new(
        vec![("in/a.ndjson", object)],
        json!({"rejects": {"max_ratio": 1}, "output": {"compression": "none"}}),
    );
    let attempts = case.check(120).await;
    assert!(attempts > 3, "{attempts} attempts");
}

#[tokio::test(start_paused = true)]
async fn items_that_were_not_begun_are_begun_by_the_next_invocation() {
    let objects = vec![
        ("in/1.ndjson", ndjson(STEP_BYTES)),
        ("in/2.ndjson", b"{\"n\":1}\n{\"n\":\n".to_vec()),
        ("in/3.ndjson", ndjson(3 * STEP_BYTES)),
        ("in/4.csv", b"a,a\n".to_vec()),
        ("in/5.ndjson", ndjson(STEP_BYTES / 2)),
    ];
    assert!(Case::new(objects, json!({})).check(50).await > 1);
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_comes_no_further_says_so() {
    let case = Case::new(vec![("in/a.ndjson", ndjson(3 * STEP_BYTES))], json!({}));
    let memory = case.store();
    // Not one step fits.
    let outcome = case.attempt(&memory, 10).await;
    assert_eq!((outcome.items.unprocessed, outcome.continues), (1, false));
    let lines = left(&memory).lines;
    assert_eq!((lines[0].status, lines[0].reason.as_deref()), (Status::Unprocessed, Some("out_of_time")));
    // A longer invocation of the same batch does it.
    assert_eq!(case.attempt(&memory, 0).await.items.succeeded, 1);
}

#[tokio::test(start_paused = true)]
async fn an_object_that_was_left_says_where() {
    let case = Case::new(vec![("in/a.ndjson", ndjson(3 * STEP_BYTES))], json!({}));
    let memory = case.store();
    assert!(case.attempt(&memory, 40).await.continues);
    let line = left(&memory).lines.remove(0);
    let position = line.position.unwrap();
    assert!(position.byte > (STEP_BYTES - 100) as u64 && position.byte <= 2 * STEP_BYTES as u64, "{position:?}");
    assert_eq!((line.outputs.len(), line.records.read), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn an_invocation_may_die_at_any_moment() {
    let objects = vec![
        ("in/1.ndjson", ndjson(10 << 20)),
        ("in/2.csv", csv(2 * STEP_BYTES)),
        ("in/3.ndjson", b"{\"n\":1}\n".to_vec()),
        ("in/4.csv", b"a,a\n".to_vec()),
    ];
    let case = Case::new(objects, json!({"output": {"compression": "none"}}));
    let expected = case.at_once().await;
    for first in [0, 1, 2, 10, 33, 40, 64, 100, 127, 150, 159, 160, 161, 170] {
        let memory = case.store();
        for seconds in [first, 7, 40] {
            let worker = case.worker(&memory).with_notes_every(Duration::ZERO);
            let event = case.event(&memory);
            let attempt = worker.process_batch(&event, Deadline::UNKNOWN);
            drop(tokio::time::timeout(Duration::from_secs(seconds), attempt).await);
            let visible = left(&memory);
            for (key, body) in visible.objects.iter().filter(|(key, _)| !key.contains("rejects")) {
                assert!(expected.objects[key] == body, "{key} after {first} s is not whole");
            }
            if seconds > 0 {
                assert_eq!(visible.lines.len(), case.objects.len(), "one line for every item, from the beginning");
            }
        }
        case.attempt(&memory, 0).await;
        assert_same(&left(&memory), &expected);
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_done_is_not_done_again() {
    let objects = vec![
        ("in/1.ndjson", ndjson(3000)),
        ("in/2.ndjson", ndjson(9 << 20)),
        ("in/3.csv", b"a,a\n".to_vec()),
        ("in/", Vec::new()),
    ];
    let case = Case::new(objects, json!({"output": {"compression": "none"}}));
    let memory = case.store();
    let first = case.attempt(&memory, 0).await;
    assert_eq!(memory.heads(), 1, "the first attempt asks for its ledger and for nothing else");
    let ledger = address("clean", &first.ledger.key);
    let before = memory.get(&ledger).unwrap();

    let (opens, puts) = (memory.opens(), memory.puts());
    let second = case.attempt(&memory, 0).await;
    assert_eq!((second.items, second.records), (first.items, first.records));
    assert_eq!(memory.get(&ledger).unwrap(), before, "the ledger is the same");
    assert_eq!(memory.opens() - opens, 1, "only the ledger is read");
    assert_eq!(memory.puts() - puts, 1, "only the ledger is written");

    // Without the lines of the ledger, the outputs say what they are.
    let begun: String = String::from_utf8(before.to_vec()).unwrap().replace("\"succeeded\"", "\"unprocessed\"");
    let request = WriteRequest { ..memory.request(&ledger).unwrap() };
    memory.put(&request, begun.into()).await.unwrap();
    let puts = memory.puts();
    let third = case.attempt(&memory, 0).await;
    assert_eq!((third.items, third.records, third.bytes), (first.items, first.records, first.bytes));
    assert_eq!(memory.puts() - puts, 1, "only the ledger is written");

    // Outputs that are gone, or of another job, are made again.
    let output = address("clean", "out/1.ndjson.ndjson");
    let body = memory.get(&output).unwrap();
    memory.remove(&output);
    case.attempt(&memory, 0).await;
    assert_eq!(memory.get(&output).unwrap(), body);
    let mut other = Case::new(case.objects.clone(), json!({"output": {"compression": "none"}}));
    other.job["record"] = json!({"set": {"new": 1}});
    other.attempt(&memory, 0).await;
    assert_ne!(memory.get(&output).unwrap(), body);
}

#[tokio::test(start_paused = true)]
async fn what_may_have_passed_is_tried_again_and_what_will_not_is_not() {
    let memory = MemoryStore::with_buckets(&["raw", "clean"]);
    let case = Case::new(vec![("in/1.ndjson", ndjson(3000)), ("in/2.ndjson", ndjson(3000))], json!({}));
    for (key, body) in &case.objects {
        memory.insert(&address("raw", key), body.clone());
    }
    let event = case.event(&memory);
    let run = async |faults: &[BodyFault]| {
        let store = FaultyStore::new(Arc::new(memory.clone())).with_bodies(faults.iter().copied());
        let worker = Worker::new(Arc::new(store), places("raw/in/"), places("clean/out/"), Budget::of_function(512));
        worker.process_batch(&event, Deadline::UNKNOWN).await.unwrap()
    };
    let outcome = run(&[BodyFault::Open(ErrorClass::Denied), BodyFault::Open(ErrorClass::Changed)]).await;
    assert_eq!((outcome.items.failed, outcome.items.succeeded), (2, 0));
    // The ledger is the first that the second attempt opens.
    let outcome = run(&[BodyFault::None]).await;
    assert_eq!((outcome.items.failed, outcome.items.succeeded), (1, 1));
    assert_eq!(left(&memory).lines[1].class.as_deref(), Some("changed"));
}
