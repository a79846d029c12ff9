//! The books of a batch: whatever fails, every item has one line in the ledger, and the answer is the sum of the lines.
#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

use batch::{
    BatchError, Budget, Bytes, Deadline, ItemCounts, LedgerLine, MAX_ITEMS, MAX_OUTCOME_BYTES, Outcome, Records,
    Status, Worker,
};
use object_store::fakes::{BodyFault, FaultyStore, MemoryStore, WriteStep};
use object_store::{ErrorClass, ObjectAddress, Places};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

fn address(bucket: &str, key: &str) -> ObjectAddress {
    ObjectAddress::parse(bucket, key).unwrap()
}

fn store() -> MemoryStore {
    MemoryStore::with_buckets(&["raw", "clean"])
}

/// Everything that happens to a batch.
#[derive(Debug, Clone)]
struct Case {
    items: Vec<Value>,
    /// Key and contents; an item may name an object that is not there.
    objects: Vec<(String, String)>,
    job: Value,
    bodies: Vec<BodyFault>,
    writes: Vec<(WriteStep, ErrorClass)>,
    memory_mib: u64,
    deadline: Option<u64>,
}

/// What a batch left behind.
struct Books {
    result: Result<Outcome, BatchError>,
    lines: Option<Vec<LedgerLine>>,
}

impl Case {
    async fn run(&self) -> Books {
        let store = store();
        for (key, contents) in &self.objects {
            store.insert(&address("raw", key), contents.clone());
        }
        let mut faulty = FaultyStore::new(Arc::new(store.clone())).with_bodies(self.bodies.iter().copied());
        for (step, class) in &self.writes {
            faulty = faulty.with_write(*step, *class);
        }
        let places = |text: &str| text.parse::<Places>().unwrap();
        let budget = Budget::of_function(self.memory_mib);
        let worker = Worker::new(Arc::new(faulty), places("raw/in/"), places("clean/out/"), budget);
        let event = json!({
            "BatchInput": {"mapmill": {"version": 1, "run_id": "r1", "job": self.job}},
            "Items": self.items,
        });
        let deadline = self.deadline.map_or(Deadline::UNKNOWN, |seconds| Deadline::after(Duration::from_secs(seconds)));
        let result = worker.process_batch(&event, deadline).await;
        let is_ledger = |address: &ObjectAddress| address.key.as_str().contains("/ledger/");
        let mut ledgers = store.addresses().into_iter().filter(is_ledger);
        let lines = ledgers.next().map(|ledger| {
            let text = String::from_utf8(store.get(&ledger).unwrap().to_vec()).unwrap();
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        });
        assert_eq!(ledgers.next(), None, "one ledger for a batch");
        Books { result, lines }
    }

    fn run_in_paused_time(&self) -> Books {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(self.run())
    }
}

/// The sums of a ledger.
#[derive(Debug, Default, PartialEq)]
struct Sums {
    items: ItemCounts,
    records: Records,
    bytes: Bytes,
}

fn sums(lines: &[LedgerLine]) -> Sums {
    let mut sums = Sums::default();
    for line in lines {
        sums.items.total += 1;
        *match line.status {
            Status::Succeeded => &mut sums.items.succeeded,
            Status::Failed => &mut sums.items.failed,
            Status::Skipped => &mut sums.items.skipped,
            Status::Unprocessed => &mut sums.items.unprocessed,
        } += 1;
        let (sum, part) = (&mut sums.records, &line.records);
        sum.read += part.read;
        sum.exploded += part.exploded;
        sum.written += part.written;
        sum.filtered += part.filtered;
        sum.rejected += part.rejected;
        sum.duplicate_keys += part.duplicate_keys;
        let (sum, part) = (&mut sums.bytes, &line.bytes);
        sum.read += part.read;
        sum.expanded += part.expanded;
        sum.written += part.written;
    }
    sums
}

/// A line says all that belongs to its status, and its own counts add up.
fn check_line(line: &LedgerLine) {
    let records = line.records;
    assert_eq!(records.read + records.exploded, records.written + records.filtered + records.rejected, "{line:?}");
    let (is_failed, has_reason) = (line.status == Status::Failed, line.reason.is_some());
    assert_eq!((line.class.is_some(), line.code.is_some(), line.message.is_some()), (is_failed, is_failed, is_failed));
    assert_eq!(has_reason, matches!(line.status, Status::Skipped | Status::Unprocessed), "{line:?}");
    if line.status == Status::Succeeded {
        let written: u64 = line.outputs.iter().map(|output| output.records).sum();
        assert_eq!(written, records.written, "{line:?}");
    } else {
        assert_eq!((records, line.outputs.len()), (Records::default(), 0), "{line:?}");
    }
}

fn check(case: &Case) {
    let books = case.run_in_paused_time();
    let Some(lines) = books.lines else {
        // Only a ledger that cannot be written fails a batch without one.
        let name = books.result.unwrap_err().name();
        assert!(matches!(name, "Mapmill.Transient" | "Mapmill.Throttled" | "Mapmill.AccessDenied"), "{name}");
        assert!(!case.writes.is_empty());
        return;
    };
    let keys = |item: &Value| item["Key"].as_str().unwrap_or_default().to_owned();
    let expected: Vec<String> = case.items.iter().map(keys).collect();
    assert_eq!(
        lines.iter().map(|line| line.key.clone()).collect::<Vec<_>>(),
        expected,
        "a line for every item, in order"
    );
    lines.iter().for_each(check_line);
    let sums = sums(&lines);
    match books.result {
        Ok(outcome) => {
            let size = serde_json::to_vec(&outcome).unwrap().len();
            assert!(size < MAX_OUTCOME_BYTES, "{size} bytes");
            assert_eq!(outcome.failures.len() as u64, outcome.items.failed.min(10));
            assert_eq!(Sums { items: outcome.items, records: outcome.records, bytes: outcome.bytes }, sums);
            assert!(case.job["on_failure"] == "ledger" || sums.items.failed == 0);
        }
        Err(error) => {
            assert_eq!((error.name(), &case.job["on_failure"]), ("Mapmill.BatchFailed", &json!("fail")));
            let items = sums.items;
            let counts = format!(
                "{} of {} items failed ({} succeeded, {} skipped, {} unprocessed); the ledger is s3://clean/out/_mapmill/r1/ledger/",
                items.failed, items.total, items.succeeded, items.skipped, items.unprocessed
            );
            assert!(items.failed > 0 && error.to_string().starts_with(&counts), "{error}");
            assert!(error.to_string().len() < MAX_OUTCOME_BYTES);
        }
    }
}

/// Contents of an object: lines that are good, filtered, exploded or refused, or something that breaks the object.
fn contents() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        4 => (0_u32..9, 0_usize..4).prop_map(|(n, length)| format!("{{\"n\":{n},\"a\":{:?}}}", vec![1; length])),
        1 => Just("{\"n\":1,\"n\":2,\"a\":[]}".to_owned()),
        1 => Just("{\"n\":".to_owned()),
        1 => Just("\u{1}\"\\".to_owned()),
    ];
    let lines = prop::collection::vec(line, 0..12).prop_map(|lines| lines.join("\n"));
    prop_oneof![
        8 => lines,
        1 => Just("{\"n\":12345,\"a\":[1,2]}\n".repeat(8_000)),
        1 => Just("{\"n\":1}\n{\n".repeat(80)),
    ]
}

fn items() -> impl Strategy<Value = (Vec<Value>, Vec<(String, String)>)> {
    // An object may be there or not, in the format that its name says or another, and the item may be wrong about it.
    let object = (contents(), prop::sample::select(vec!["ndjson", "csv", "json", "gz", "x"]), 0_u8..12);
    prop::collection::vec(object, 0..12).prop_map(|objects| {
        let (mut items, mut stored) = (Vec::new(), Vec::new());
        for (number, (contents, extension, kind)) in objects.into_iter().enumerate() {
            let key = format!("in/{number}.{extension}");
            items.push(match kind {
                0 => json!({"Key": "in/../x"}),
                1 => json!({"Key": format!("in/{number}/"), "Size": 0}),
                2 => json!({"Key": key, "Etag": "\"0000\""}),
                3 => json!({"Size": 5}),
                4 => json!({"Key": key, "IsDeleteMarker": "true"}),
                5 => json!({"Key": "elsewhere/x"}),
                _ => json!({"Key": key, "Size": contents.len()}),
            });
            if kind != 6 {
                stored.push((key, contents));
            }
        }
        (items, stored)
    })
}

fn job() -> impl Strategy<Value = Value> {
    let policy = prop::sample::select(vec!["quarantine", "drop", "fail"]);
    let on_failure = prop::sample::select(vec!["ledger", "ledger", "fail"]);
    let compression = prop::sample::select(vec!["none", "gzip"]);
    (policy, on_failure, compression, any::<bool>(), any::<bool>()).prop_map(
        |(policy, on_failure, compression, explodes, filters)| {
            let mut record = json!({});
            if explodes {
                record["explode"] = json!("a");
            }
            if filters {
                record["where"] = json!({"field": "n", "gt": 4});
                record["types"] = json!({"n": "integer"});
            }
            json!({
                "version": 1, "name": "j",
                "source": {"bucket": "raw", "prefix": "in/"},
                "record": record,
                "output": {"bucket": "clean", "prefix": "out/", "compression": compression},
                "rejects": {"policy": policy},
                "on_failure": on_failure,
            })
        },
    )
}

fn class() -> impl Strategy<Value = ErrorClass> {
    prop::sample::select(vec![ErrorClass::Transient, ErrorClass::Throttled, ErrorClass::Denied])
}

fn case() -> impl Strategy<Value = Case> {
    let body = prop_oneof![
        4 => Just(BodyFault::None),
        2 => class().prop_map(BodyFault::Open),
        2 => (0_u64..100_000).prop_map(BodyFault::Break),
        1 => (0_u64..100_000).prop_map(BodyFault::End),
        1 => (0_u64..100_000).prop_map(BodyFault::Stall),
        1 => Just(BodyFault::Mismatch),
    ];
    let step = prop::sample::select(vec![WriteStep::Put, WriteStep::Begin, WriteStep::Part(1), WriteStep::Complete]);
    let bodies = prop::collection::vec(body, 0..30);
    let writes = prop::collection::vec((step, class()), 0..4);
    let memory = prop::sample::select(vec![64, 128, 512]);
    let deadline = prop::option::weighted(0.3, 4_u64..200);
    (items(), job(), bodies, writes, memory, deadline).prop_map(
        |((items, objects), job, bodies, writes, memory_mib, deadline)| Case {
            items,
            objects,
            job,
            bodies,
            writes,
            memory_mib,
            deadline,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_books_always_balance(case in case()) {
        check(&case);
    }
}

/// The largest batch, all of it failing, under names in which every character takes six bytes as JSON.
#[test]
fn the_answer_of_the_worst_batch_is_small() {
    let job = json!({
        "version": 1, "name": "j",
        "source": {"bucket": "raw", "prefix": "in/"},
        "output": {"bucket": "clean", "prefix": "out/"},
        "on_failure": "ledger",
    });
    for filler in ["\u{1}", "\"", "\\", "\u{7f}", "é", "\u{1f600}"] {
        let items = (0..MAX_ITEMS).map(|number| {
            let mut key = format!("in/{number}");
            while key.len() + filler.len() <= 1024 {
                key.push_str(filler);
            }
            json!({"Key": key})
        });
        check(&Case {
            items: items.collect(),
            objects: Vec::new(),
            job: job.clone(),
            bodies: Vec::new(),
            writes: Vec::new(),
            memory_mib: 128,
            deadline: None,
        });
    }
}

#[test]
fn a_job_may_fail_the_batch_and_the_ledger_is_written_first() {
    let case = Case {
        items: vec![json!({"Key": "in/a.ndjson"}), json!({"Key": "in/none.csv"}), json!({"Key": "in/b/", "Size": 0})],
        objects: vec![("in/a.ndjson".to_owned(), "{}\n".to_owned())],
        job: json!({
            "version": 1, "name": "j", "on_failure": "fail",
            "source": {"bucket": "raw", "prefix": "in/"}, "output": {"bucket": "clean", "prefix": "out/"},
        }),
        bodies: Vec::new(),
        writes: Vec::new(),
        memory_mib: 128,
        deadline: None,
    };
    let books = case.run_in_paused_time();
    assert_eq!(books.lines.map(|lines| lines.len()), Some(3));
    let error = books.result.unwrap_err();
    assert_eq!(error.name(), "Mapmill.BatchFailed");
    let message = error.to_string();
    let expected =
        "1 of 3 items failed (1 succeeded, 1 skipped, 0 unprocessed); the ledger is s3://clean/out/_mapmill/r1/ledger/";
    assert!(message.starts_with(expected) && message.ends_with(".jsonl"), "{message}");
    check(&case);
}
