//! Reports of whole runs, from a store in memory: counts, names, verdicts, and repairs upon repairs.
#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

mod support;

use batch::{BatchError, Deadline, ItemRange, LedgerLine, Status, error_name};
use object_store::fakes::{BodyFault, FaultyStore, WriteStep};
use object_store::{ErrorClass, ObjectAddress};
use serde_json::{Value, json};
use std::sync::Arc;
use support::{Runs, child, failed, item, line, payload, succeeded, waiting};

#[tokio::test]
async fn a_good_run_is_counted_and_every_output_named() {
    let runs = Runs::new();
    runs.plan("r", 5, None);
    runs.ledger("r", &[succeeded("in/a"), succeeded("in/b")]);
    let part = LedgerLine { range: Some("0..50".into()), ..succeeded("in/c") };
    let skipped = LedgerLine { reason: Some("folder_marker".into()), ..line("in/", Status::Skipped) };
    runs.ledger("r", &[part, LedgerLine { range: Some("50..100".into()), ..succeeded("in/c") }, skipped]);
    let children = [
        ("SUCCEEDED", child("one", 0, 4, &["in/a", "in/b"], None)),
        ("SUCCEEDED", child("two", 2, 8, &["in/c"], None)),
    ];
    runs.map_run("r", "Objects", &children);
    let answer = runs.report("r").await;
    assert_eq!((&answer["verdict"], &answer["reasons"]), (&json!("succeeded"), &json!([])));
    let items = json!({"total": 5, "succeeded": 4, "failed": 0, "skipped": 1, "unprocessed": 0, "missing": 0, "missing_named": 0});
    assert_eq!(answer["items"], items);
    assert_eq!((&answer["records"]["read"], &answer["records"]["rejected"]), (&json!(40), &json!(4)));
    assert_eq!(answer["bytes"], json!({"read": 400, "expanded": 800, "written": 200}));
    assert_eq!(answer["report"], "s3://clean/out/_mapmill/r/report/report.html");
    let named: Vec<String> = runs.outputs("r").into_iter().map(|(key, _)| key).collect();
    assert_eq!(named, ["in/a", "in/b", "in/c", "in/c"]);
    assert_eq!(runs.get("r/report/failed.jsonl"), "");
    let figures = runs.figures("r");
    assert_eq!((&figures["skipped"], &figures["batches"]["total"]), (&json!({"folder_marker": 1}), &json!(2)));
    assert_eq!((&figures["outputs"]["bytes"], &figures["durations"]["count"]), (&json!(200), &json!(4)));
    let timeline = &figures["timeline"];
    assert_eq!(timeline["ended"].as_i64().unwrap() - timeline["started"].as_i64().unwrap(), 8000);
    assert!(runs.get("r/report/report.html").contains("Succeeded"));
    assert_eq!(runs.store.open_uploads(), 0);
}

#[tokio::test]
async fn a_report_is_the_same_again() {
    let runs = Runs::new();
    runs.plan("r", 61, None);
    for batch in 0..30 {
        runs.ledger(
            "r",
            &[succeeded(&format!("in/{batch}-a")), failed(&format!("in/{batch}-b"), "transient", "timeout")],
        );
    }
    runs.report("r").await;
    let files = ["manifest.json", "failed.jsonl"].map(|name| runs.get(&format!("r/report/{name}")));
    runs.report("r").await;
    assert_eq!(["manifest.json", "failed.jsonl"].map(|name| runs.get(&format!("r/report/{name}"))), files);
}

/// What failed is named with its version, part and place; what nobody processed is named by the batches.
#[tokio::test]
async fn every_item_without_output_is_named() {
    let runs = Runs::new();
    runs.plan("r", 12, None);
    runs.ledger("r", &[succeeded("in/a"), failed("in/b", "bad_data", "invalid_json")]);
    let begun = |key: &str| LedgerLine { reason: Some("begun".into()), ..line(key, Status::Unprocessed) };
    runs.ledger("r", &[begun("in/c"), begun("in/d")]);
    let batches = [
        ("SUCCEEDED", child("one", 0, 4, &["in/a", "in/b"], None)),
        // It wrote its ledger before it died: nothing of it is missing.
        ("FAILED", child("two", 0, 9, &["in/c", "in/d"], Some("Sandbox.Timedout"))),
        ("FAILED", child("three", 3, 5, &["in/e", "in/f"], Some("Lambda.TooManyRequestsException"))),
        ("PENDING", waiting("four", &["in/g", "in/h", "in/i"])),
    ];
    runs.map_run("r", "Objects", &batches);
    let event = &mut runs.event("r");
    event["failure"] = json!({"Error": "States.ExceedToleratedFailureThreshold", "Cause": "too many"});
    let answer = runs.report_of(event).await;
    assert_eq!(answer["verdict"], "failed");
    let items = json!({"total": 12, "succeeded": 1, "failed": 1, "skipped": 0, "unprocessed": 2, "missing": 8, "missing_named": 5});
    assert_eq!(answer["items"], items);
    let reasons = answer["reasons"].to_string();
    for words in [
        "ExceedToleratedFailureThreshold: too many",
        "8 of 12 items have no line in any ledger (5 of them known by name, 3 not)",
        "3 items have no output (1 failed, 2 unprocessed); 0 are tolerated",
    ] {
        assert!(reasons.contains(words), "{words}: {reasons}");
    }
    let lines = runs.failed("r");
    let told: Vec<(&str, &str, &str)> = lines
        .iter()
        .map(|line| {
            let text = |name: &str| line[name].as_str().unwrap_or("");
            assert_eq!(line["etag"], format!("etag-of-{}", text("key")), "{line}");
            assert_eq!((&line["bucket"], &line["size"]), (&json!("raw"), &json!(100)), "{line}");
            (text("key"), text("status"), if line["code"].is_string() { text("code") } else { text("reason") })
        })
        .collect();
    let missing = |key, reason| (key, "missing", reason);
    assert_eq!(
        told,
        [
            ("in/b", "failed", "invalid_json"),
            ("in/c", "unprocessed", "begun"),
            ("in/d", "unprocessed", "begun"),
            missing("in/e", "batch_failed"),
            missing("in/f", "batch_failed"),
            missing("in/g", "batch_never_started"),
            missing("in/h", "batch_never_started"),
            missing("in/i", "batch_never_started"),
        ]
    );
    let figures = runs.figures("r");
    let batches = &figures["batches"];
    assert_eq!((&batches["total"], &batches["failed"], &batches["never_started"]), (&json!(4), &json!(2), &json!(1)));
    let kinds: Vec<&str> =
        figures["failures"].as_array().unwrap().iter().map(|kind| kind["class"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["missing", "missing", "unprocessed", "bad_data"].map(|kind| kind), "{figures}");
}

/// In a nested run a group names its items, and so do its batches: each is missing once, or not at all.
#[tokio::test]
async fn items_of_groups_are_held_against_the_ledgers_of_their_batches() {
    let runs = Runs::new();
    runs.plan("r", 6, None);
    let all = ["in/a", "in/b", "in/c", "in/d", "in/e", "in/f"];
    runs.map_run(
        "r",
        "Groups",
        &[("FAILED", child("group", 0, 9, &all, Some("States.ExceedToleratedFailureThreshold")))],
    );
    let batches = [
        ("SUCCEEDED", child("one", 0, 4, &["in/a", "in/b"], None)),
        ("FAILED", child("two", 0, 5, &["in/c"], Some("Lambda.Unknown"))),
        ("PENDING", waiting("three", &["in/d"])),
    ];
    runs.map_run("r", "Objects", &batches);
    runs.ledger("r", &[succeeded("in/a"), succeeded("in/b")]);
    let answer = runs.report("r").await;
    assert_eq!((&answer["items"]["missing"], &answer["items"]["missing_named"]), (&json!(4), &json!(4)));
    let keys: Vec<String> = runs.failed("r").iter().map(|line| line["key"].as_str().unwrap().to_owned()).collect();
    assert_eq!(keys, ["in/c", "in/d", "in/e", "in/f"]);
    assert_eq!(runs.figures("r")["batches"]["total"], 3, "a group is no batch");
}

#[tokio::test]
async fn the_tolerance_of_the_job_decides() {
    let check = async |tolerance: Value, verdict: &str| {
        let mut runs = Runs::new();
        runs.job["tolerance"] = tolerance.clone();
        runs.plan("r", 4, None);
        runs.ledger("r", &[succeeded("in/a"), succeeded("in/b"), succeeded("in/c"), failed("in/d", "bad_data", "x")]);
        assert_eq!(runs.report("r").await["verdict"], verdict, "{tolerance}");
        assert_eq!(runs.failed("r").len(), 1, "{tolerance}");
    };
    check(json!({}), "failed").await;
    check(json!({"failed_items": 1}), "succeeded").await;
    check(json!({"failed_items_ratio": 0.25}), "succeeded").await;
    check(json!({"failed_items_ratio": 0.24}), "failed").await;
    check(json!({"failed_items": 1, "rejected_records_ratio": 0.1}), "succeeded").await;
    check(json!({"failed_items": 1, "rejected_records_ratio": 0.09}), "failed").await;
}

#[tokio::test]
async fn totals_that_do_not_add_up_fail_a_run() {
    let check = async |planned: Option<u64>, verdict: &str, words: &str| {
        let runs = Runs::new();
        planned.iter().for_each(|items| runs.plan("r", *items, None));
        runs.ledger("r", &[succeeded("in/a"), succeeded("in/b")]);
        let event = &mut runs.event("r");
        if planned.is_none() {
            event["plan"] = Value::Null;
        }
        let answer = runs.report_of(event).await;
        assert_eq!(answer["verdict"], verdict, "{planned:?}");
        let told = format!("{} {}", answer["reasons"], runs.figures("r")["remarks"]);
        assert!(told.contains(words), "{planned:?}: {told}");
    };
    check(Some(2), "succeeded", "").await;
    check(Some(3), "failed", "1 of 3 items have no line in any ledger (0 of them known by name, 1 not)").await;
    check(Some(1), "failed", "1 items more than the 1 that were planned").await;
    check(None, "succeeded", "There is no plan").await;
}

#[tokio::test]
async fn an_empty_run_is_a_good_run() {
    let runs = Runs::new();
    runs.plan("r", 0, None);
    let answer = runs.report("r").await;
    assert_eq!((&answer["verdict"], &answer["items"]["total"]), (&json!("succeeded"), &json!(0)));
    assert!(runs.outputs("r").is_empty());
    assert!(runs.get("r/report/report.html").contains("There was nothing to do."));
}

/// Each repair takes what is left, and its report is that of all runs together.
#[tokio::test]
async fn repairs_merge_until_nothing_is_left() {
    let runs = Runs::new();
    runs.plan("r1", 6, None);
    runs.ledger(
        "r1",
        &[succeeded("in/a"), failed("in/b", "transient", "timeout"), failed("in/c", "transient", "timeout")],
    );
    let skipped = LedgerLine { reason: Some("not_included".into()), ..line("in/x", Status::Skipped) };
    runs.ledger("r1", &[skipped]);
    runs.map_run("r1", "Objects", &[("PENDING", waiting("two", &["in/d", "in/e"]))]);
    assert_eq!(runs.report("r1").await["verdict"], "failed");
    assert_eq!(runs.failed("r1").len(), 4);

    // The second run repairs one item; one fails again, and of two there is no line at all.
    runs.plan("r2", 4, Some("r1"));
    runs.ledger("r2", &[succeeded("in/b"), failed("in/c", "changed", "object_changed")]);
    let answer = runs.report("r2").await;
    let items = json!({"total": 6, "succeeded": 2, "failed": 1, "skipped": 1, "unprocessed": 0, "missing": 2, "missing_named": 2});
    assert_eq!((&answer["verdict"], &answer["items"], &answer["repairs"]), (&json!("failed"), &items, &json!("r1")));
    let left: Vec<String> =
        runs.failed("r2").iter().map(|line| format!("{} {}", line["key"], line["status"])).collect();
    assert_eq!(left, ["\"in/c\" \"failed\"", "\"in/d\" \"missing\"", "\"in/e\" \"missing\""]);
    let named = |run: &str| runs.outputs(run).into_iter().map(|(key, run)| format!("{key} {run}")).collect::<Vec<_>>();
    assert_eq!(named("r2"), ["in/a r1", "in/b r2"]);

    runs.plan("r3", 3, Some("r2"));
    runs.ledger("r3", &[succeeded("in/c"), succeeded("in/d"), succeeded("in/e")]);
    let answer = runs.report("r3").await;
    let items = json!({"total": 6, "succeeded": 5, "failed": 0, "skipped": 1, "unprocessed": 0, "missing": 0, "missing_named": 0});
    assert_eq!((&answer["verdict"], &answer["items"]), (&json!("succeeded"), &items));
    assert_eq!(answer["records"]["read"], 50, "as of a run without failures");
    assert_eq!(named("r3"), ["in/a r1", "in/b r2", "in/c r3", "in/d r3", "in/e r3"]);
    assert_eq!(runs.get("r3/report/failed.jsonl"), "");
    let told: Vec<(String, u64)> = runs.figures("r3")["runs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| (run["run_id"].as_str().unwrap().to_owned(), run["left"].as_u64().unwrap()))
        .collect();
    assert_eq!(told, [("r1".to_owned(), 4), ("r2".to_owned(), 3), ("r3".to_owned(), 0)]);
}

/// An item that the repair left out stays in the list of what is to be repaired, and fails the run.
#[tokio::test]
async fn a_repair_loses_no_item() {
    let runs = Runs::new();
    runs.plan("r1", 2, None);
    runs.ledger("r1", &[failed("in/a", "transient", "timeout"), failed("in/b", "transient", "timeout")]);
    runs.report("r1").await;
    runs.plan("r2", 1, Some("r1"));
    runs.ledger("r2", &[succeeded("in/a")]);
    let answer = runs.report("r2").await;
    assert_eq!((&answer["verdict"], &answer["items"]["missing_named"]), (&json!("failed"), &json!(1)));
    let left = &runs.failed("r2")[0];
    assert_eq!(
        (&left["key"], &left["status"], &left["reason"], &left["code"]),
        (&json!("in/b"), &json!("missing"), &json!("not_repaired"), &json!("timeout"))
    );
}

#[tokio::test]
async fn what_cannot_be_read_is_told_and_fails_the_run() {
    let mut runs = Runs::new();
    runs.job["tolerance"] = json!({"failed_items_ratio": 1.0});
    runs.plan("r", 2, None);
    let good = serde_json::to_string(&succeeded("in/a")).unwrap();
    let later = serde_json::to_string(&LedgerLine { version: 2, ..succeeded("in/b") }).unwrap();
    runs.put(
        "r/ledger/0.jsonl",
        format!("{good}\n{later}\n{{\"version\":1,\"bucket\":\"raw\"}}\nno json\n{}", &good[..40]),
    );
    runs.map_run("r", "Objects", &[("SUCCEEDED", json!([1]))]);
    let outside = json!({"DestinationBucket": "clean", "ResultFiles": {"FAILED": [{"Key": "out/_mapmill/other/map-run/FAILED_0.json"}]}});
    runs.put("r/map-run/x/manifest.json", outside.to_string());
    runs.put("r/map-run/y/manifest.json", "{");
    let answer = runs.report("r").await;
    let reasons = answer["reasons"].to_string();
    assert_eq!((&answer["verdict"], &answer["items"]["succeeded"]), (&json!("failed"), &json!(1)));
    for words in [
        "ledger/0.jsonl has 4 lines that cannot be read",
        "SUCCEEDED_0.jsonl has 1 lines",
        "outside of the run's folder",
        "the manifest of a Map Run (s3://clean/out/_mapmill/r/map-run/y/manifest.json) is not what",
    ] {
        assert!(reasons.contains(words), "{words}: {reasons}");
    }
}

async fn error(runs: &Runs, store: Arc<dyn object_store::ObjectStore>, event: &Value) -> BatchError {
    let unknown = Deadline::after(std::time::Duration::from_secs(900));
    report::handle(runs.worker_on(store), payload(event), unknown).await.unwrap_err()
}

#[tokio::test(start_paused = true)]
async fn errors_have_the_names_that_state_machines_know() {
    let runs = Runs::new();
    runs.ledger("r", &[succeeded("in/a")]);
    runs.plan("r", 1, None);
    let store = || Arc::new(runs.store.clone());
    let check = async |error: BatchError, name: &str, words: &str| {
        assert_eq!(error.name(), name, "{error}");
        assert!(error.to_string().contains(words), "{error}");
    };
    let mut event = runs.event("r");
    event["plan"] = json!("s3://clean/out/_mapmill/r/other.json");
    check(error(&runs, store(), &event).await, error_name::ACCESS_DENIED, "MAPMILL_READ").await;
    event["plan"] = json!("https://clean");
    check(error(&runs, store(), &event).await, error_name::INVALID_EVENT, "s3://bucket/key").await;
    let mut event = runs.event("r");
    event["mapmill"]["job"]["output"]["prefix"] = json!("elsewhere/");
    check(error(&runs, store(), &event).await, error_name::ACCESS_DENIED, "MAPMILL_WRITE").await;
    let event = runs.event("r");
    let faulty = |faults: Vec<BodyFault>| Arc::new(FaultyStore::new(store()).with_bodies(faults));
    let five = vec![BodyFault::Open(ErrorClass::Throttled); 5];
    check(error(&runs, faulty(five), &event).await, error_name::THROTTLED, "the plan cannot be read").await;
    let denied = vec![BodyFault::None, BodyFault::Open(ErrorClass::Denied)];
    check(error(&runs, faulty(denied), &event).await, error_name::ACCESS_DENIED, "a file of the run").await;
    // An EXPRESS child that still runs replaces its ledger.
    let changed = vec![BodyFault::None, BodyFault::Open(ErrorClass::Changed)];
    check(error(&runs, faulty(changed), &event).await, error_name::TRANSIENT, "a batch may still run").await;
    let unwritable = Arc::new(FaultyStore::new(store()).with_write(WriteStep::Put, ErrorClass::Transient));
    check(error(&runs, unwritable, &event).await, error_name::TRANSIENT, "the report cannot be written").await;
    let unlisted = FaultyStore::new(store()).with_write(WriteStep::List, ErrorClass::Denied);
    check(error(&runs, Arc::new(unlisted), &event).await, error_name::ACCESS_DENIED, "cannot be listed").await;
    runs.plan("r", 1, Some("never"));
    check(error(&runs, store(), &event).await, error_name::INVALID_JOB, "the run that is repaired").await;
    runs.put("r/plan.json", "{}");
    check(error(&runs, store(), &event).await, error_name::INVALID_EVENT, "items").await;
}

#[tokio::test(start_paused = true)]
async fn a_report_that_is_not_ready_in_time_says_so() {
    let runs = Runs::new();
    runs.plan("r", 1, None);
    runs.ledger("r", &[succeeded("in/a")]);
    let stalled = FaultyStore::new(Arc::new(runs.store.clone())).with_bodies([BodyFault::Stall(3)]);
    let deadline = Deadline::after(std::time::Duration::from_secs(10));
    let error =
        report::handle(runs.worker_on(Arc::new(stalled)), payload(&runs.event("r")), deadline).await.unwrap_err();
    assert_eq!(error.name(), error_name::INTERNAL);
    assert!(error.to_string().contains("more time"), "{error}");
}

/// The name of a batch follows from its items, so a range counts in it; here it is only held that parts are items.
#[tokio::test]
async fn parts_of_an_object_are_items_of_their_own() {
    let runs = Runs::new();
    runs.plan("r", 2, None);
    let range = Some(ItemRange { start: 0, end: Some(50) }.to_string());
    runs.ledger("r", &[LedgerLine { range, ..succeeded("in/a") }]);
    let mut batch = child("one", 0, 4, &["in/a", "in/a"], Some("Lambda.Unknown"));
    let ranges = [json!({"Start": 0, "End": 50}), json!({"Start": 50, "End": 100})];
    let mut input: Value = serde_json::from_str(batch["Input"].as_str().unwrap()).unwrap();
    ranges.into_iter().enumerate().for_each(|(index, range)| input["Items"][index]["Range"] = range);
    batch["Input"] = json!(input.to_string());
    runs.map_run("r", "Objects", &[("FAILED", batch)]);
    runs.report("r").await;
    let left = runs.failed("r");
    assert_eq!((left.len(), &left[0]["range"]), (1, &json!("50..100")));
    assert_eq!(item("in/a").range, None);
}

#[tokio::test]
async fn ledgers_of_other_runs_do_not_count() {
    let runs = Runs::new();
    runs.plan("r", 1, None);
    runs.ledger("r", &[succeeded("in/a")]);
    runs.ledger("r-other", &[succeeded("in/b")]);
    runs.put("r/ledger/readme.txt", "no ledger");
    assert_eq!(runs.report("r").await["items"]["total"], 1);
    assert!(
        runs.store.get(&ObjectAddress::parse("clean", "out/_mapmill/r-other/report/report.json").unwrap()).is_none()
    );
}
