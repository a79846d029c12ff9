//! Failed runs that go on.

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::asl::RedriveError;
use crate::services::fake::Reply;

/// An engine whose functions fail for the items in `bad` until these are taken away.
struct Flaky {
    engine: Engine,
    services: Arc<FakeServices>,
    bad: Arc<Mutex<Vec<u64>>>,
    /// Calls by item.
    calls: Arc<Mutex<BTreeMap<u64, u64>>>,
}

impl Flaky {
    fn new(bad: &[u64], services: FakeServices, options: EngineOptions) -> Self {
        let bad = Arc::new(Mutex::new(bad.to_vec()));
        let calls: Arc<Mutex<BTreeMap<u64, u64>>> = Arc::default();
        let (is_bad, counted) = (Arc::clone(&bad), Arc::clone(&calls));
        let services = Arc::new(services.function("work", move |event, _| {
            let items = event["Items"].as_array().cloned().unwrap_or_else(|| vec![event.clone()]);
            let numbers: Vec<_> = items.iter().map(|item| item["n"].as_u64().or(item.as_u64()).unwrap()).collect();
            for number in &numbers {
                *counted.lock().unwrap().entry(*number).or_default() += 1;
            }
            if numbers.iter().any(|number| is_bad.lock().unwrap().contains(number)) {
                return Reply::Fail("Bad", "this time");
            }
            Reply::Answer(json!(numbers))
        }));
        let engine = engine(&services, &Arc::default(), options);
        Self { engine, services, bad, calls }
    }

    async fn run(&self, definition: &Value, input: Value) -> ExecutionResult {
        self.engine.run(&parsed(definition), "one", input, CancellationToken::new()).await
    }

    async fn redrive(&self, result: &ExecutionResult) -> ExecutionResult {
        self.engine.redrive(&result.execution_arn, CancellationToken::new()).await.unwrap()
    }

    fn repair(&self) {
        self.bad.lock().unwrap().clear();
    }

    fn calls(&self) -> Vec<u64> {
        self.calls.lock().unwrap().values().copied().collect()
    }

    fn run_of(&self, result: &ExecutionResult) -> MapRunDescription {
        let runs = self.engine.map_runs().of_execution(&result.execution_arn);
        runs.last().unwrap().describe()
    }
}

fn numbers(count: u64) -> Value {
    json!((0..count).collect::<Vec<_>>())
}

#[tokio::test(start_paused = true)]
async fn only_what_did_not_succeed_runs_again() {
    let definition = machine(Some("work"), json!({"MaxConcurrency": 1, "ToleratedFailureCount": 1}));
    for kind in ["STANDARD", "EXPRESS"] {
        let mut definition = definition.clone();
        definition["States"]["M"]["ItemProcessor"]["ProcessorConfig"]["ExecutionType"] = json!(kind);
        let flaky = Flaky::new(&[1, 3], FakeServices::new(), EngineOptions::default());
        let failed = flaky.run(&definition, numbers(40)).await;
        assert_eq!(failed.error.as_deref(), Some("States.ExceedToleratedFailureThreshold"));
        let first = flaky.run_of(&failed);
        assert_eq!((first.status, first.redrive_count), (MapRunStatus::Failed, 0));
        let counts = first.execution_counts;
        assert_eq!((counts.succeeded, counts.failed, counts.running), (2, 2, 0), "{kind}");
        flaky.repair();
        let mended = flaky.redrive(&failed).await;
        assert_eq!(mended.output, Some(json!((0..40).map(|number| [number]).collect::<Vec<_>>())), "{kind}");
        assert_eq!(mended.execution_arn, failed.execution_arn);
        let again = flaky.run_of(&mended);
        assert_eq!((again.status, again.redrive_count), (MapRunStatus::Succeeded, 1));
        assert_eq!((again.map_run_arn, again.start), (first.map_run_arn, first.start), "the same run");
        let expected = Counts { succeeded: 40, results_written: 40, ..Counts::default() };
        assert_eq!((again.execution_counts, again.item_counts), (expected, expected), "{kind}");
        let calls = flaky.calls();
        assert_eq!((calls.len(), calls[0], calls[1], calls[2], calls[3], calls[39]), (40, 1, 2, 1, 2, 1));
        let error = flaky.engine.redrive(&mended.execution_arn, CancellationToken::new()).await.unwrap_err();
        assert_eq!(error, RedriveError::NotRedrivable(mended.execution_arn));
    }
}

#[tokio::test(start_paused = true)]
async fn it_can_fail_again_and_again() {
    let definition = machine(Some("work"), json!({"ItemBatcher": {"MaxItemsPerBatch": 2}, "MaxConcurrency": 1}));
    let flaky = Flaky::new(&[2, 5], FakeServices::new(), EngineOptions::default());
    let mut result = flaky.run(&definition, numbers(7)).await;
    for attempt in 1..=3 {
        result = flaky.redrive(&result).await;
        assert_eq!(result.status, ExecutionStatus::Failed);
        let run = flaky.run_of(&result);
        assert_eq!((run.redrive_count, run.item_counts.failed, run.item_counts.succeeded), (attempt, 2, 2));
    }
    flaky.bad.lock().unwrap().retain(|number| *number == 5);
    result = flaky.redrive(&result).await;
    let run = flaky.run_of(&result);
    assert_eq!((run.item_counts.succeeded, run.item_counts.failed), (4, 2));
    flaky.repair();
    result = flaky.redrive(&result).await;
    assert_eq!(result.output, Some(json!([[0, 1], [2, 3], [4, 5], [6]])));
    assert_eq!(flaky.calls(), [1, 1, 5, 5, 2, 2, 1]);
}

#[tokio::test(start_paused = true)]
async fn the_manifest_names_all_successes_and_the_last_failures() {
    let text: String = (0..30).map(|number| format!("{{\"n\":{number}}}\n")).collect();
    let reader = json!({"Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": {"InputType": "JSONL", "MaxItems": 25},
        "Parameters": {"Bucket": "raw", "Key": "l"}});
    let definition = machine(
        Some("work"),
        json!({"ItemReader": reader, "MaxConcurrency": 1, "ToleratedFailureCount": 1,
            "ResultWriter": writer(json!({"Transformation": "COMPACT", "OutputType": "JSONL"}))}),
    );
    let flaky = Flaky::new(&[3, 4], FakeServices::new().file("raw", "l", text), EngineOptions::default());
    let failed = flaky.run(&definition, json!({})).await;
    let files = |kind: &str| {
        let manifest = flaky.services.stored("/manifest.json");
        let keys = manifest["ResultFiles"][kind].as_array().unwrap().clone();
        keys.iter().map(|file| file["Key"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        (files("SUCCEEDED"), files("FAILED")),
        (vec!["SUCCEEDED_0.jsonl".to_owned()], vec!["FAILED_0.jsonl".to_owned()])
    );
    assert_eq!(flaky.services.stored_text("/FAILED_0.jsonl").lines().count(), 2);
    flaky.bad.lock().unwrap().retain(|number| *number == 4);
    let mended = flaky.redrive(&failed).await;
    assert_eq!(mended.status, ExecutionStatus::Succeeded, "one failure is tolerated");
    assert_eq!(files("SUCCEEDED"), ["SUCCEEDED_0.jsonl", "SUCCEEDED_1.jsonl"]);
    assert_eq!((files("FAILED"), files("PENDING")), (vec!["FAILED_1.jsonl".to_owned()], Vec::new()));
    let record: Value = serde_json::from_str(flaky.services.stored_text("/FAILED_1.jsonl").trim()).unwrap();
    assert_eq!((&record["RedriveCount"], &record["Input"]), (&json!(1), &json!("{\"n\":4}")));
    let both = flaky.services.stored_text("/SUCCEEDED_0.jsonl") + &flaky.services.stored_text("/SUCCEEDED_1.jsonl");
    let mut lines: Vec<_> = both.lines().collect();
    lines.sort_unstable();
    lines.dedup();
    assert_eq!(lines.len(), 24, "MaxItems counts what was read before");
}

#[tokio::test(start_paused = true)]
async fn an_object_that_changed_meanwhile_is_refused() {
    let reader = json!({"Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": {"InputType": "JSONL"},
        "Parameters": {"Bucket": "raw", "Key": "l"}});
    let definition = machine(Some("work"), json!({"ItemReader": reader, "MaxConcurrency": 1}));
    let text: String = (0..30).map(|number| format!("{{\"n\":{number}}}\n")).collect();
    let flaky = Flaky::new(&[1], FakeServices::new().file("raw", "l", text.clone()), EngineOptions::default());
    let failed = flaky.run(&definition, json!({})).await;
    flaky.repair();
    flaky.services.put_file("raw", "l", format!("{{\"n\":77}}\n{text}"));
    let refused = flaky.redrive(&failed).await;
    assert_eq!(refused.error.as_deref(), Some("States.ItemReaderFailed"));
    assert!(refused.cause.unwrap().contains("has changed"));
    flaky.services.put_file("raw", "l", text);
    let mended = flaky.redrive(&failed).await;
    assert_eq!(mended.output.unwrap().as_array().unwrap().len(), 30);
}

#[tokio::test(start_paused = true)]
async fn listings_go_on_behind_the_last_key() {
    // More than the feed reads ahead of the children.
    let services = (1..=12).fold(FakeServices::new(), |services, size: usize| {
        services.file("raw", &format!("k{size:02}"), "x".repeat(size))
    });
    let reader = json!({"Resource": "arn:aws:states:::s3:listObjectsV2", "Parameters": {"Bucket": "raw"}});
    let definition = machine(
        Some("work"),
        json!({"ItemReader": reader, "MaxConcurrency": 1, "ItemSelector": {"n.$": "$$.Map.Item.Value.Size"}}),
    );
    let flaky = Flaky::new(&[1], services, EngineOptions::default());
    let failed = flaky.run(&definition, json!({})).await;
    flaky.repair();
    flaky.services.put_file("raw", "A", "x".repeat(30));
    flaky.services.put_file("raw", "z", "x".repeat(50));
    let mended = flaky.redrive(&failed).await;
    let expected: Vec<_> = (1..=12).chain([50]).map(|size| [size]).collect();
    assert_eq!(mended.output, Some(json!(expected)));
}

#[tokio::test(start_paused = true)]
async fn where_no_child_started_the_items_are_read_anew() {
    let reader = json!({"Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": {"InputType": "JSON"},
        "Parameters": {"Bucket": "raw", "Key": "l"}});
    let definition = machine(Some("work"), json!({"ItemReader": reader}));
    let flaky = Flaky::new(&[], FakeServices::new().file("raw", "l", "[broken"), EngineOptions::default());
    let failed = flaky.run(&definition, json!({})).await;
    assert_eq!(failed.error.as_deref(), Some("States.ItemReaderFailed"));
    flaky.services.put_file("raw", "l", "[7]");
    let mended = flaky.redrive(&failed).await;
    assert_eq!(mended.output, Some(json!([[7]])));
    let run = flaky.run_of(&mended);
    assert_eq!((run.redrive_count, run.execution_counts.total()), (1, 1));
    assert_eq!(flaky.engine.map_runs().of_execution(&mended.execution_arn).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn too_much_data_starts_a_new_run() {
    let definition = machine(Some("work"), json!({}));
    let flaky = Flaky::new(&[], FakeServices::new(), EngineOptions::default());
    let items: Vec<_> = (0..30_000).map(|_| json!(123_456)).collect();
    let failed = flaky.run(&definition, json!(items)).await;
    assert_eq!(failed.error.as_deref(), Some("States.DataLimitExceeded"));
    let again = flaky.redrive(&failed).await;
    assert_eq!(again.error.as_deref(), Some("States.DataLimitExceeded"));
    assert_eq!(flaky.engine.map_runs().of_execution(&again.execution_arn).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn standard_children_go_on_where_they_failed_and_express_ones_begin_anew() {
    let child = json!({"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "First",
        "States": {
            "First": {"Type": "Task", "Resource": format!("{ARN}first"), "ResultPath": "$.first", "Next": "Second"},
            "Second": {"Type": "Task", "Resource": format!("{ARN}second"), "Parameters": {"n.$": "$.n", "first.$": "$.first",
                "redrives.$": "$$.Execution.RedriveCount"}, "End": true}}});
    for (kind, first_calls, redrives) in [("STANDARD", 1, 1), ("EXPRESS", 2, 1)] {
        let services = FakeServices::new().function("first", |_, calls| Reply::Answer(json!(calls))).function(
            "second",
            |event, calls| match calls {
                0 => Reply::Fail("Bad", "first time"),
                _ => Reply::Answer(event.clone()),
            },
        );
        let mut definition = machine(None, json!({"ItemProcessor": child}));
        definition["States"]["M"]["ItemProcessor"]["ProcessorConfig"]["ExecutionType"] = json!(kind);
        let flaky = Flaky::new(&[], services, EngineOptions::default());
        let failed = flaky.run(&definition, json!([{"n": 5}])).await;
        let mended = flaky.redrive(&failed).await;
        let expected = json!([{"n": 5, "first": first_calls - 1, "redrives": redrives}]);
        assert_eq!(mended.output, Some(expected), "{kind}");
        assert_eq!(flaky.services.calls("first"), first_calls, "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn nested_runs_go_on_too() {
    let mut inner = machine(Some("work"), json!({"Label": "Inner", "MaxConcurrency": 1}))["States"]["M"].take();
    inner["ItemsPath"] = json!("$");
    let mut definition = machine(None, json!({"MaxConcurrency": 1}));
    definition["States"]["M"]["ItemProcessor"]["States"]["C"] = inner;
    let flaky = Flaky::new(&[4], FakeServices::new(), EngineOptions::default());
    let failed = flaky.run(&definition, json!([[1, 2], [3, 4, 5]])).await;
    assert_eq!(failed.status, ExecutionStatus::Failed);
    flaky.repair();
    let mended = flaky.redrive(&failed).await;
    assert_eq!(mended.output, Some(json!([[[1], [2]], [[3], [4], [5]]])));
    assert_eq!(flaky.calls(), [1, 1, 1, 2, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_stopped_execution_goes_on() {
    let services = FakeServices::new().function("slow", |event, calls| match calls {
        0..3 => Reply::Answer(event.clone()),
        3..6 => Reply::AnswerAfter(Duration::from_secs(600), json!("late")),
        _ => Reply::Answer(event.clone()),
    });
    let flaky = Flaky::new(&[], services, EngineOptions::default());
    let definition = parsed(&machine(Some("slow"), json!({"MaxConcurrency": 3})));
    let cancel = CancellationToken::new();
    let stop = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        cancel.cancel();
    };
    let (stopped, ()) = tokio::join!(flaky.engine.run(&definition, "one", numbers(9), cancel.clone()), stop);
    assert_eq!(stopped.status, ExecutionStatus::Aborted);
    let counts = flaky.run_of(&stopped).execution_counts;
    assert_eq!((counts.succeeded, counts.aborted), (3, 3));
    let done = flaky.redrive(&stopped).await;
    assert_eq!(done.output, Some(numbers(9)));
    assert_eq!(flaky.services.calls("slow"), 12);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_fit_the_spool_is_not_run_again() {
    let options = EngineOptions { redrive_bytes_max: 200, ..EngineOptions::default() };
    let definition = machine(Some("work"), json!({"ToleratedFailureCount": 2}));
    let flaky = Flaky::new(&[0, 1, 2], FakeServices::new(), options);
    let failed = flaky.run(&definition, numbers(3)).await;
    let counts = flaky.run_of(&failed).execution_counts;
    assert_eq!((counts.failed, counts.failures_not_redrivable), (3, 2));
    flaky.repair();
    let mended = flaky.redrive(&failed).await;
    assert_eq!(mended.status, ExecutionStatus::Succeeded);
    let counts = flaky.run_of(&mended).execution_counts;
    assert_eq!((counts.succeeded, counts.failed), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn an_execution_goes_on_at_the_state_that_failed() {
    let task = |name: &str, next: Value| {
        let mut state = json!({"Type": "Task", "Resource": format!("{ARN}{name}"), "ResultPath": format!("$.{name}")});
        state.as_object_mut().unwrap().extend(next.as_object().unwrap().clone());
        state
    };
    let definition = json!({"StartAt": "First", "States": {
        "First": task("first", json!({"Next": "Second", "Assign": {"kept.$": "$"}})),
        "Second": task("second", json!({"Next": "Last"})),
        "Last": {"Type": "Pass", "End": true,
            "Parameters": {"all.$": "$", "kept.$": "$kept", "redrives.$": "$$.Execution.RedriveCount"}}}});
    let services =
        FakeServices::new().function("first", |_, calls| Reply::Answer(json!(calls))).function("second", |_, calls| {
            if calls < 2 { Reply::Fail("Bad", "not yet") } else { Reply::Answer(json!(calls)) }
        });
    let flaky = Flaky::new(&[], services, EngineOptions::default());
    let mut result = flaky.run(&definition, json!({})).await;
    for _ in 0..2 {
        assert_eq!(result.error.as_deref(), Some("Bad"));
        result = flaky.redrive(&result).await;
    }
    assert_eq!(result.output, Some(json!({"all": {"first": 0, "second": 2}, "kept": 0, "redrives": 2})));
    assert_eq!(flaky.services.calls("first"), 1);
}
