//! Plans of sources in memory: what is counted, what is packed, what is answered and written down.
#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

mod support;

use batch::Deadline;
use object_store::ObjectStore;
use object_store::fakes::{FaultyStore, MemoryStore};
use planner::{Kind, Rates, Worker as Model};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use support::{Listed, SyntheticStore, address, job, json_at, payload, plan_with, units};

const GIBIBYTE: u64 = 1 << 30;

fn store(objects: &[(&str, usize)]) -> MemoryStore {
    let store = MemoryStore::with_buckets(&["raw", "clean", "lists"]);
    for (key, size) in objects {
        store.insert(&address("raw", key), vec![b'x'; *size]);
    }
    store
}

const MIXED: [(&str, usize); 8] = [
    ("in/", 0),
    ("in/a.csv", 10),
    ("in/b.ndjson", 20),
    ("in/c.txt", 30),
    ("in/empty.csv", 0),
    ("in/_mapmill/x/ledger/y.csv", 40),
    ("in/sub/d.csv.gz", 50),
    ("on/e.csv", 60),
];

fn only_data() -> Value {
    job(json!({"include": ["**/*.csv", "**/*.csv.gz", "**/*.ndjson"]}))
}

#[tokio::test]
async fn a_listing_is_counted_as_workers_will_treat_it() {
    for (strategy, items) in [("simple", 7), ("nested", 7), ("packed", 3)] {
        let store = store(&MIXED);
        let answer = plan_with(Arc::new(store.clone()), &payload(strategy, &only_data(), json!({})), Deadline::UNKNOWN);
        let answer = answer.await.unwrap();
        assert_eq!(
            (answer.items, answer.bytes, answer.continues, answer.is_empty),
            (items, 80, false, false),
            "{strategy}"
        );
        let plan = json_at(&store, "clean", "out/_mapmill/run-1/plan.json");
        assert_eq!(answer.plan, "s3://clean/out/_mapmill/run-1/plan.json");
        let left_out = json!({
            "not_included": 1, "folder_marker": 1, "empty_object": 1, "written_by_mapmill": 1, "not_present": 0
        });
        assert_eq!(plan["survey"]["left_out"], left_out, "{strategy}");
        assert_eq!((&plan["items"], &plan["bytes"]), (&json!(items), &json!(80)));
        assert_eq!(plan["job"]["name"], "test");
        assert_eq!((&plan["repair"], &plan["prices"]["currency"]), (&Value::Null, &json!("USD")));
        let answer = serde_json::to_value(&answer).unwrap();
        assert_eq!(answer["source"], json!({"bucket": "raw", "prefix": "in/"}));
        assert_eq!(answer["results"], json!({"bucket": "clean", "prefix": "out/_mapmill/run-1/map-run"}));
        assert!(answer["batch"]["max_items"].as_u64().unwrap() >= 1);
        assert_eq!(answer["batch"]["group_items"].is_u64(), strategy == "nested", "{answer}");
        let expected = json!({"bucket": "clean", "key": "out/_mapmill/run-1/units/units.jsonl", "lines": 1});
        assert_eq!(answer["units"], if strategy == "packed" { expected } else { Value::Null });
    }
}

#[tokio::test]
async fn units_hold_the_items_of_the_listing() {
    let store = store(&MIXED);
    plan_with(Arc::new(store.clone()), &payload("packed", &only_data(), json!({})), Deadline::UNKNOWN).await.unwrap();
    let etag = |key: &str| format!("\"{}\"", store.etag(&address("raw", key)).unwrap());
    let item = |key: &str, size: u64| json!({"Key": key, "Size": size, "Etag": etag(key)});
    let expected = json!({"Items": [item("in/a.csv", 10), item("in/b.ndjson", 20), item("in/sub/d.csv.gz", 50)]});
    assert_eq!(units(&store), [expected]);
    let wish = json!({"batch": {"max_items": 1}});
    plan_with(Arc::new(store.clone()), &payload("packed", &only_data(), wish), Deadline::UNKNOWN).await.unwrap();
    assert_eq!(units(&store).len(), 3);
}

#[tokio::test]
async fn a_survey_writes_nothing() {
    let store = store(&MIXED);
    let objects = store.addresses().len();
    let payload = payload("packed", &only_data(), json!({"survey": {}}));
    let worker = support::worker(Arc::new(store.clone()));
    let reply = plan::plan(&worker, &payload, &Rates::built_in().unwrap(), Deadline::UNKNOWN).await.unwrap();
    let reply = serde_json::to_value(reply).unwrap();
    assert_eq!((&reply["version"], &reply["survey"]["keys"]["longest"]), (&json!(1), &json!(15)));
    assert_eq!(reply["survey"]["largest"][0], json!({"key": "in/sub/d.csv.gz", "bytes": 50, "kind": "compressed"}));
    assert_eq!(store.addresses().len(), objects);
}

#[tokio::test(start_paused = true)]
async fn a_long_survey_goes_on_where_it_was_left() {
    let object: fn(u64) -> Listed = |number| Listed { key: format!("in/{number:07}.ndjson"), size: number + 1 };
    let memory = store(&[]);
    let slow = Arc::new(SyntheticStore { page: Duration::from_secs(2), ..synthetic(&memory, 60_500, object) });
    let (worker, rates) = (support::worker(slow), Rates::built_in().unwrap());
    let (mut so_far, mut invocations) = (json!({}), 0);
    let survey = loop {
        invocations += 1;
        let payload = payload("packed", &job(json!({})), json!({"survey": so_far}));
        let reply = plan::plan(&worker, &payload, &rates, Deadline::after(Duration::from_secs(60))).await.unwrap();
        let reply = serde_json::to_value(reply).unwrap();
        if reply["continues"] == false {
            break reply["survey"].clone();
        }
        so_far = json!({"after": reply["after"], "counted": reply["survey"]});
    };
    let survey: planner::Survey = serde_json::from_value(survey).unwrap();
    assert_eq!((survey.objects(), survey.bytes()), (60_500, (1..=60_500).sum()));
    assert!(invocations > 2 && memory.addresses().is_empty(), "{invocations}");
}

#[tokio::test]
async fn nothing_to_do_is_said() {
    for strategy in ["simple", "nested", "packed"] {
        let store = store(&[]);
        let answer = plan_with(Arc::new(store.clone()), &payload(strategy, &only_data(), json!({})), Deadline::UNKNOWN);
        let answer = answer.await.unwrap();
        assert!(answer.is_empty && answer.items == 0 && answer.units.is_none(), "{answer:?}");
        assert_eq!(json_at(&store, "clean", "out/_mapmill/run-1/plan.json")["items"], 0);
    }
}

/// Ten thousand small objects, and in the middle one of 2 GiB.
fn skewed(number: u64) -> Listed {
    match number {
        5000 => Listed { key: "in/05000-huge.ndjson".into(), size: 2 * GIBIBYTE },
        _ => Listed { key: format!("in/{number:05}.ndjson"), size: 150_000 + number * 7919 % 100_000 },
    }
}

fn synthetic(memory: &MemoryStore, objects: u64, object: fn(u64) -> Listed) -> SyntheticStore {
    SyntheticStore { inner: Arc::new(memory.clone()), objects, object, page: Duration::ZERO }
}

/// The weight of every batch by the planner's model, and the bytes that its items cover.
fn weights(units: &[Value], job: &Value) -> (Vec<f64>, u64) {
    let job = job::Job::from_value(job.clone()).unwrap();
    let model = Model::new(&job, &Rates::built_in().unwrap());
    let mut covered = 0;
    let weights = units.iter().map(|unit| {
        let item = |item: &Value| {
            let size = item["Size"].as_u64().unwrap();
            let range = item.get("Range").map(|range| [&range["Start"], &range["End"]].map(|at| at.as_u64().unwrap()));
            let bytes = range.map_or(size, |[start, end]| end - start);
            covered += bytes;
            model.weight(Kind::Lines, bytes as f64)
        };
        unit["Items"].as_array().unwrap().iter().map(item).sum()
    });
    (weights.collect(), covered)
}

#[tokio::test]
async fn one_huge_object_among_ten_thousand_holds_nothing_up() {
    let memory = store(&[]);
    let job = job(json!({}));
    let store = synthetic(&memory, 10_001, skewed);
    let answer = plan_with(Arc::new(store), &payload("packed", &job, json!({})), Deadline::UNKNOWN).await.unwrap();
    let units = units(&memory);
    let (mut weights, covered) = weights(&units, &job);
    assert_eq!(covered, answer.bytes);
    weights.sort_by(f64::total_cmp);
    let (middle, longest) = (weights[weights.len() / 2], weights[weights.len() - 1]);
    assert!(longest <= 2.0 * middle, "the longest batch {longest} s, the middle one {middle} s of {}", weights.len());
    let items: Vec<&Value> = units.iter().flat_map(|unit| unit["Items"].as_array().unwrap()).collect();
    assert_eq!(items.len() as u64, answer.items);
    let mut ranges: Vec<[u64; 2]> = items
        .iter()
        .filter_map(|item| Some([item.get("Range")?["Start"].as_u64()?, item["Range"]["End"].as_u64()?]))
        .collect();
    ranges.sort_unstable();
    assert!(ranges.len() > 2 && ranges[0][0] == 0 && ranges[ranges.len() - 1][1] == 2 * GIBIBYTE, "{ranges:?}");
    assert!(ranges.windows(2).all(|pair| pair[0][1] == pair[1][0]), "{ranges:?}");
    let parts = items.iter().filter(|item| item["Key"] == "in/05000-huge.ndjson");
    assert!(parts.clone().all(|part| part["Size"] == 2 * GIBIBYTE), "the size is that of the whole object");
    assert_eq!(parts.count(), ranges.len());
}

#[tokio::test]
async fn what_cannot_be_cut_stays_whole_and_is_named() {
    let check = async |source: Value, key: &'static str, object: fn(u64) -> Listed, words: &str| {
        let memory = store(&[]);
        let answer = plan_with(
            Arc::new(synthetic(&memory, 10_001, object)),
            &payload("packed", &job(source), json!({})),
            Deadline::UNKNOWN,
        );
        let answer = answer.await.unwrap();
        assert!(answer.warnings.iter().any(|warning| warning.contains(key) && warning.contains(words)), "{answer:?}");
        let text = units(&memory).iter().map(Value::to_string).collect::<String>();
        assert!(text.contains(key) && !text.contains("Range"), "{key}");
    };
    let csv: fn(u64) -> Listed = |number| Listed { key: skewed(number).key.replace("ndjson", "csv"), ..skewed(number) };
    check(json!({}), "in/05000-huge.csv", csv, "source.csv.multiline").await;
    let gzip: fn(u64) -> Listed = |number| Listed { key: format!("{}.gz", skewed(number).key), ..skewed(number) };
    check(json!({}), "in/05000-huge.ndjson.gz", gzip, "compressed").await;
    check(json!({"encoding": "latin-1"}), "in/05000-huge.ndjson", skewed, "UTF-8").await;
}

#[tokio::test]
async fn csv_whose_lines_are_rows_is_cut() {
    let csv: fn(u64) -> Listed = |number| Listed { key: skewed(number).key.replace("ndjson", "csv"), ..skewed(number) };
    let memory = store(&[]);
    let job = job(json!({"csv": {"multiline": false}}));
    let store = synthetic(&memory, 10_001, csv);
    let answer = plan_with(Arc::new(store), &payload("packed", &job, json!({})), Deadline::UNKNOWN).await.unwrap();
    assert!(answer.items > 10_001 && answer.warnings.is_empty(), "{answer:?}");
}

#[tokio::test]
async fn no_line_is_longer_than_the_input_of_a_child() {
    let long: fn(u64) -> Listed =
        |number| Listed { key: format!("in/{}/{number:05}.ndjson", "long-name/".repeat(60)), size: 100 };
    let memory = store(&[]);
    let mut job = job(json!({}));
    job["record"] = json!({"set": {"note": "n".repeat(100_000)}});
    let store = synthetic(&memory, 3000, long);
    let answer = plan_with(Arc::new(store), &payload("packed", &job, json!({})), Deadline::UNKNOWN).await.unwrap();
    let batch_input =
        json!({"mapmill": {"version": 1, "run_id": "r".repeat(80), "correlation_id": "c".repeat(200), "job": job}});
    let units = units(&memory);
    assert!(units.len() > 10, "{}", units.len());
    for unit in &units {
        let input = json!({"BatchInput": batch_input, "Items": unit["Items"]}).to_string();
        assert!(input.len() <= 225_280, "{}", input.len());
    }
    assert_eq!(answer.items, 3000);
}

#[tokio::test(start_paused = true)]
async fn a_long_listing_goes_on_in_other_invocations() {
    let object: fn(u64) -> Listed =
        |number| Listed { key: format!("in/{number:07}.ndjson"), size: 200_000 + number % 1000 };
    let at_once = store(&[]);
    let payload = payload("packed", &job(json!({})), json!({}));
    let whole = plan_with(Arc::new(synthetic(&at_once, 60_500, object)), &payload, Deadline::UNKNOWN).await.unwrap();
    let memory = store(&[]);
    let slow = Arc::new(SyntheticStore { page: Duration::from_secs(2), ..synthetic(&memory, 60_500, object) });
    let (mut invocations, mut seen) = (0, 0);
    let answer = loop {
        invocations += 1;
        let answer = plan_with(slow.clone(), &payload, Deadline::after(Duration::from_secs(60))).await.unwrap();
        if !answer.continues {
            break answer;
        }
        assert!(answer.items > seen && answer.units.is_none() && answer.batch.is_none(), "{answer:?}");
        seen = answer.items;
        // One that dies does not count.
        let dies = Arc::new(
            FaultyStore::new(slow.clone())
                .with_write(object_store::fakes::WriteStep::List, object_store::ErrorClass::Denied),
        );
        plan_with(dies, &payload, Deadline::after(Duration::from_secs(60))).await.unwrap_err();
    };
    assert!((3..6).contains(&invocations), "{invocations}");
    assert_eq!((answer.items, answer.bytes, &answer.units), (whole.items, whole.bytes, &whole.units));
    assert_eq!(units(&memory), units(&at_once));
    // The last invocation again, as when its answer was lost.
    let again = plan_with(slow, &payload, Deadline::after(Duration::from_secs(60))).await.unwrap();
    assert_eq!((again.items, again.continues, units(&memory)), (60_500, false, units(&at_once)));
}

#[tokio::test]
async fn plans_that_must_fail_are_refused_by_the_name_of_the_quota() {
    let refused = async |payload: Value, words: &str| {
        let store: Arc<dyn ObjectStore> = Arc::new(synthetic(&store(&[]), 3, skewed));
        let error = plan_with(store, &payload, Deadline::UNKNOWN).await.unwrap_err();
        assert!(error.name() == "Mapmill.PlanRefused" && error.to_string().contains(words), "{error}");
    };
    let wish = |name: &str, value: u64| payload("simple", &job(json!({})), json!({"batch": {name: value}}));
    refused(wish("max_concurrency", 10_001), "children of a Map Run at the same time (MaxConcurrency)").await;
    refused(wish("max_items", 10_001), "items of a batch").await;
    let mut large = job(json!({}));
    large["record"] = json!({"set": {"note": "n".repeat(230_000)}});
    refused(payload("packed", &large, json!({})), "MaxInputBytesPerBatch").await;
}

#[tokio::test]
async fn places_that_are_not_listed_are_refused() {
    let memory = store(&[("other/a.csv", 1)]);
    let check = async |change: fn(&mut Value), words: &str| {
        let mut job = job(json!({}));
        change(&mut job);
        let error = plan_with(Arc::new(memory.clone()), &payload("packed", &job, json!({})), Deadline::UNKNOWN);
        let error = error.await.unwrap_err();
        assert!(error.name() == "Mapmill.AccessDenied" && error.to_string().contains(words), "{error}");
    };
    check(|job| job["source"]["bucket"] = json!("elsewhere"), "MAPMILL_READ").await;
    check(|job| job["output"]["prefix"] = json!("elsewhere/"), "MAPMILL_WRITE").await;
}

#[tokio::test]
async fn a_repair_takes_what_failed_in_its_present_version_and_the_rest_as_it_was() {
    let store = store(&[("in/changed.csv", 33), ("in/no-etag.csv", 44)]);
    let failures = [
        json!({"bucket": "raw", "key": "in/a.csv", "etag": "1", "size": 7, "status": "failed", "class": "transient"}),
        json!({"key": "in/big.ndjson", "etag": "2", "size": 99, "range": "10..60", "status": "unprocessed"}),
        json!({"key": "in/big.ndjson", "etag": "2", "size": 99, "range": "60..", "status": "missing"}),
        json!({"key": "in/changed.csv", "etag": "3", "size": 8, "status": "failed", "class": "bad_data"}),
        json!({"key": "in/no-etag.csv", "etag": null, "size": null, "status": "failed", "class": "transient"}),
        json!({"key": "in/gone.csv", "etag": null, "size": null, "status": "failed", "class": "not_found"}),
        json!({"key": "in/cut.ndjson", "etag": "4", "size": 99, "range": "0..50", "status": "failed", "class": "changed"}),
    ];
    let text: String = failures.iter().map(|line| format!("{line}\n")).collect();
    store.insert(&address("clean", "out/_mapmill/before/report/failed.jsonl"), text);
    let payload = payload("repair", &only_data(), json!({"repair": {"run": "before"}}));
    let answer = plan_with(Arc::new(store.clone()), &payload, Deadline::UNKNOWN).await.unwrap();
    assert_eq!(answer.items, 7);
    assert!(answer.warnings[0].contains("1 ranges of objects that were changed"), "{:?}", answer.warnings);
    let etag = |key: &str| format!("\"{}\"", store.etag(&address("raw", key)).unwrap());
    let items = json!([
        {"Key": "in/a.csv", "Size": 7, "Etag": "\"1\""},
        {"Key": "in/big.ndjson", "Size": 99, "Etag": "\"2\"", "Range": {"Start": 10, "End": 60}},
        {"Key": "in/big.ndjson", "Size": 99, "Etag": "\"2\"", "Range": {"Start": 60}},
        {"Key": "in/changed.csv", "Size": 33, "Etag": etag("in/changed.csv")},
        {"Key": "in/no-etag.csv", "Size": 44, "Etag": etag("in/no-etag.csv")},
        {"Key": "in/gone.csv"},
        {"Key": "in/cut.ndjson", "Size": 99, "Etag": "\"4\"", "Range": {"Start": 0, "End": 50}},
    ]);
    assert_eq!(units(&store), [json!({"Items": items})]);
    let plan = json_at(&store, "clean", "out/_mapmill/run-1/plan.json");
    assert_eq!(plan["repair"], json!({"run": "before"}));
}

#[tokio::test]
async fn a_repair_without_a_report_says_so() {
    let payload = payload("repair", &only_data(), json!({"repair": {"run": "before"}}));
    let error = plan_with(Arc::new(store(&[])), &payload, Deadline::UNKNOWN).await.unwrap_err().to_string();
    assert!(error.contains("its report writes them") && error.contains("before/report/failed.jsonl"), "{error}");
}

#[tokio::test]
async fn the_answer_is_always_small() {
    let long: fn(u64) -> Listed =
        |number| Listed { key: format!("in/{}{number:03}.csv.gz", "ä\"".repeat(330)), size: 40 * GIBIBYTE };
    let memory = store(&[]);
    let store = synthetic(&memory, 100, long);
    let answer =
        plan_with(Arc::new(store), &payload("packed", &job(json!({})), json!({})), Deadline::UNKNOWN).await.unwrap();
    let text = serde_json::to_string(&answer).unwrap();
    assert!(!answer.warnings.is_empty() && text.len() < 32 * 1024, "{} bytes: {text}", text.len());
}

/// The planner cannot ask the worker how many objects overlap; here both are asked.
#[test]
fn the_model_overlaps_objects_as_the_worker_does() {
    let job = job::Job::from_value(job(json!({}))).unwrap();
    for memory in [128, 256, 512, 1024, 1769, 4096, 10_240] {
        let rates = Rates::with_overrides(&json!({"worker": {"memory_mb": memory}}).to_string()).unwrap();
        let (model, budget) = (Model::new(&job, &rates), batch::Budget::of_function(memory));
        for (key, kind, size) in [
            ("a.ndjson", Kind::Lines, 1000),
            ("a.ndjson", Kind::Lines, 1 << 30),
            ("a.csv.gz", Kind::Compressed, 1 << 30),
        ] {
            let of_worker = budget.mebibytes() / budget.weight(&job, key, Some(size));
            let of_model = model.in_flight(kind, size as f64);
            let differ = of_worker.abs_diff(of_model);
            assert!(
                differ * 10 <= of_worker.max(of_model) + 9,
                "{memory} MB, {key} of {size}: {of_worker} and {of_model}"
            );
        }
    }
}
