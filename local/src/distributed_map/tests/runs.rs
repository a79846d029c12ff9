//! Items, children and results.

use std::collections::BTreeSet;
use std::time::Duration;

use super::*;
use crate::services::fake::Reply;

#[tokio::test(start_paused = true)]
async fn lists_every_page_in_the_shape_of_the_service() {
    let definition = machine(
        None,
        listing(json!({"ItemBatcher": {"MaxItemsPerBatch": 400, "BatchInput": {"run.$": "$$.Execution.Name"}},
        "ResultWriter": writer(json!({"Transformation": "COMPACT"}))})),
    );
    let ran = run(FakeServices::new().objects(1_006), definition, json!({"prefix": "p/"})).await;
    assert_eq!(ran.result.status, ExecutionStatus::Succeeded, "{:?}", failure(&ran));
    assert_eq!(ran.services.pages.load(Ordering::SeqCst), 2);
    let stored = ran.services.stored_text("/SUCCEEDED_0.json");
    assert!(stored.contains(
        "{\"Etag\":\"\\\"00000000000000000000000000000005\\\"\",\"Key\":\"p/0000005.json\",\
         \"LastModified\":1789180622.0,\"Size\":5,\"StorageClass\":\"STANDARD\"}"
    ));
    let batches: Vec<Value> = serde_json::from_str(&stored).unwrap();
    let mut sizes: Vec<_> = batches.iter().map(|batch| batch["Items"].as_array().unwrap().len()).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [206, 400, 400]);
    assert!(batches.iter().all(|batch| batch["BatchInput"] == json!({"run": "one"})));
    assert_eq!(ran.counting.listed.load(Ordering::SeqCst), 1_006);
}

#[tokio::test(start_paused = true)]
async fn arrays_selectors_and_order() {
    let members =
        json!({"ItemsPath": "$.list", "ItemSelector": {"k.$": "$$.Map.Item.Key", "v.$": "$$.Map.Item.Value"}});
    let object = json!({"list": {"x": 1, "y": [2]}});
    let ran = run(FakeServices::new(), machine(None, members), object.clone()).await;
    assert_eq!(ran.result.output, Some(json!([{"k": "x", "v": 1}, {"k": "y", "v": [2]}])));
    let ran = run(FakeServices::new(), machine(None, json!({"ItemsPath": "$.list"})), object).await;
    assert_eq!(ran.result.output, Some(json!([{"Key": "x", "Value": 1}, {"Key": "y", "Value": [2]}])));
    let selector = json!({"ItemsPath": "$.list", "ItemSelector": {"i.$": "$$.Map.Item.Index", "v.$": "$$.Map.Item.Value",
        "s.$": "$$.Map.Item.Source", "all.$": "$.other"}});
    let ran = run(FakeServices::new(), machine(None, selector), json!({"list": ["a", "b"], "other": 9})).await;
    let item = |index: u64, value: &str| json!({"i": index, "v": value, "s": "STATE_DATA", "all": 9});
    assert_eq!(ran.result.output, Some(json!([item(0, "a"), item(1, "b")])));
    let slow_first = FakeServices::new().function("work", |event, _| {
        Reply::AnswerAfter(Duration::from_secs(10 - event.as_u64().unwrap()), event.clone())
    });
    let ran = run(slow_first, machine(Some("work"), json!({})), json!([0, 1, 2, 3])).await;
    assert_eq!(ran.result.output, Some(json!([0, 1, 2, 3])));
    let source = listing(json!({"ItemSelector": {"s.$": "$$.Map.Item.Source", "k.$": "$$.Map.Item.Value.Key"}}));
    let ran = run(FakeServices::new().objects(1), machine(None, source), json!({"prefix": ""})).await;
    assert_eq!(ran.result.output, Some(json!([{"s": "S3://raw", "k": "0000000.json"}])));
    let ran = run(FakeServices::new(), machine(None, listing(json!({}))), json!({"prefix": "none/"})).await;
    assert_eq!(ran.result.output, Some(json!([])), "an empty listing is a success without children");
    let limited = json!({"ItemReader": {"Resource": "arn:aws:states:::s3:listObjectsV2", "Parameters": {"Bucket": "raw"},
        "ReaderConfig": {"MaxItemsPath": "$.n"}}});
    for (most, expected) in [(json!(2), 2), (json!(0), 5), (json!("3"), 3)] {
        let ran = run(FakeServices::new().objects(5), machine(None, limited.clone()), json!({"n": most})).await;
        assert_eq!(ran.result.output.unwrap().as_array().unwrap().len(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn numbers_given_by_path() {
    let cases = [
        (json!({"ToleratedFailureCountPath": "$.n"}), json!(-1), "ToleratedFailureCount cannot be negative."),
        (
            json!({"ToleratedFailureCountPath": "$.n"}),
            json!("NoNumber"),
            "The ToleratedFailureCountPath field refers to value \"NoNumber\" which is not a valid integer: $.n",
        ),
        (
            json!({"ToleratedFailurePercentagePath": "$.n"}),
            json!(-1.1),
            "ToleratedFailurePercentage must be between 0 and 100.",
        ),
        (
            json!({"ToleratedFailurePercentagePath": "$.n"}),
            json!({}),
            "The ToleratedFailurePercentagePath field refers to value \"{}\" which is not a valid float: $.n",
        ),
        (json!({"MaxConcurrencyPath": "$.n"}), json!({}), "The MaxConcurrencyPath field refers to value \"{}\""),
        (json!({"ItemBatcher": {"MaxItemsPerBatchPath": "$.n"}}), json!(0), "MaxItemsPerBatch must be between 1 and"),
        (json!({"ItemBatcher": {"MaxInputBytesPerBatchPath": "$.n"}}), json!(300_000), "must be between 1 and 262144."),
        (json!({"ItemBatcher": {"MaxItemsPerBatchPath": "$.none"}}), json!(0), "No results for path: $['none']"),
        (json!({"ItemsPath": "$.n"}), json!(0), "Reference path \"$.n\" must point to array."),
    ];
    for (mut extra, number, part) in cases {
        if extra.get("ItemsPath").is_none() {
            extra["ItemsPath"] = json!("$.list");
        }
        let ran = run(FakeServices::new(), machine(None, extra), json!({"list": [0], "n": number})).await;
        let (error, cause) = failure(&ran);
        assert_eq!(error, "States.Runtime", "{cause}");
        assert!(cause.contains(part), "{cause}");
        assert_eq!(cause.matches("An error occurred while executing the state 'M'").count(), 1, "{cause}");
        assert!(ran.result.map_runs.is_empty(), "no Map Run starts");
    }
    let reader = json!({"ItemReader": {"Resource": "arn:aws:states:::s3:listObjectsV2", "Parameters": {"Bucket": "raw"},
        "ReaderConfig": {"MaxItemsPath": "$.n"}}});
    let ran = run(FakeServices::new(), machine(None, reader.clone()), json!({"n": -1})).await;
    assert_eq!(failure(&ran), ("States.ItemReaderFailed", "field MaxItems must be positive"));
    assert_eq!(ran.result.map_runs.len(), 1);
    let ran = run(FakeServices::new(), machine(None, reader), json!({"n": 1.5})).await;
    let (error, cause) = failure(&ran);
    assert_eq!((error, ran.result.map_runs.len()), ("States.Runtime", 0), "before the Map Run starts");
    assert!(
        cause.contains("The MaxItemsPath field refers to value \"1.5\" which is not a valid integer: $.n"),
        "{cause}"
    );
}

#[tokio::test(start_paused = true)]
async fn concurrency_is_bounded() {
    let work = || {
        FakeServices::new().objects(60).function("work", |_, _| Reply::AnswerAfter(Duration::from_secs(1), json!(1)))
    };
    for (given, expected) in [(json!({"MaxConcurrency": 7}), 7), (json!({"MaxConcurrency": 0}), 60), (json!({}), 60)] {
        let ran = run(work(), machine(Some("work"), listing(given)), json!({"prefix": ""})).await;
        assert_eq!(ran.services.most_running("work"), expected);
        assert_eq!(ran.result.status, ExecutionStatus::Succeeded);
    }
}

#[tokio::test(start_paused = true)]
async fn failures_are_counted_in_items() {
    let failing = || {
        FakeServices::new().function("work", |event, _| {
            let bad = event["Items"].as_array().unwrap().iter().any(|item| item == 0 || item == 4);
            if bad { Reply::Fail("Bad", "zero or four") } else { Reply::Answer(json!("fine")) }
        })
    };
    let items = || json!([0, 1, 2, 3, 4, 5, 6, 7]);
    let batched = |extra: Value| {
        let mut fields = json!({"ItemBatcher": {"MaxItemsPerBatch": 2}, "MaxConcurrency": 1});
        fields.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        machine(Some("work"), fields)
    };
    let exceeded = ("States.ExceedToleratedFailureThreshold", "The specified tolerated failure threshold was exceeded");
    for extra in [json!({}), json!({"ToleratedFailureCount": 3}), json!({"ToleratedFailurePercentage": 49.9})] {
        let ran = run(failing(), batched(extra.clone()), items()).await;
        assert_eq!(failure(&ran), exceeded, "{extra}");
        let summary = &ran.result.map_runs[0];
        assert_eq!(summary.status, ExecutionStatus::Failed);
        assert!(summary.items.failed > 0);
    }
    for extra in [json!({"ToleratedFailureCount": 4}), json!({"ToleratedFailurePercentage": 50})] {
        let ran = run(failing(), batched(extra.clone()), items()).await;
        let output = ran.result.output.unwrap();
        assert_eq!((&output[1], &output[3]), (&json!("fine"), &json!("fine")), "{extra}");
        assert_eq!((&output[0]["Status"], &output[0]["Error"]), (&json!("FAILED"), &json!("Bad")));
        assert_eq!(
            ran.result.map_runs[0].items,
            Counts { succeeded: 4, failed: 4, results_written: 8, ..Counts::default() }
        );
        assert_eq!(ran.result.map_runs[0].executions.total(), 4);
    }
}

#[tokio::test(start_paused = true)]
async fn result_files_in_the_layout_of_the_service() {
    let work = || {
        FakeServices::new().function("work", |event, _| match event.as_u64() {
            Some(1) => Reply::Fail("Bad", "one"),
            _ => Reply::Answer(json!([event, event])),
        })
    };
    let definition = |config: Value| {
        machine(Some("work"), json!({"ResultWriter": writer(config), "ToleratedFailureCount": 1, "MaxConcurrency": 1}))
    };
    let ran = run(work(), definition(json!({})), json!([0, 1, 2])).await;
    let output = ran.result.output.unwrap();
    let summary = &ran.result.map_runs[0];
    let id = summary.map_run_arn.rsplit(':').next().unwrap();
    assert_eq!(output["MapRunArn"], json!(summary.map_run_arn));
    assert!(summary.map_run_arn.starts_with("arn:aws:states:us-east-1:000000000000:mapRun:mapmill/L:"));
    let key = format!("runs/{id}/manifest.json");
    assert_eq!(output["ResultWriterDetails"], json!({"Bucket": "out", "Key": key}));
    assert_eq!(summary.manifest, Some(("out".to_owned(), key.clone())));
    let put = ran.services.put_keys();
    assert_eq!((&put[0], &put[put.len() - 1]), (&key, &key), "a manifest first, to try the bucket, and one last");
    let succeeded = ran.services.stored("/SUCCEEDED_0.json");
    let failed = ran.services.stored("/FAILED_0.json");
    let size = |suffix: &str| ran.services.stored_text(suffix).len();
    assert_eq!(
        ran.services.stored("/manifest.json"),
        json!({
            "DestinationBucket": "out",
            "MapRunArn": summary.map_run_arn,
            "ResultFiles": {
                "FAILED": [{"Key": format!("runs/{id}/FAILED_0.json"), "Size": size("/FAILED_0.json")}],
                "PENDING": [],
                "SUCCEEDED": [{"Key": format!("runs/{id}/SUCCEEDED_0.json"), "Size": size("/SUCCEEDED_0.json")}],
            },
        })
    );
    let record = &succeeded[0];
    let names: BTreeSet<_> = record.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        names,
        BTreeSet::from([
            "ExecutionArn",
            "Input",
            "InputDetails",
            "Name",
            "Output",
            "OutputDetails",
            "RedriveCount",
            "RedriveStatus",
            "RedriveStatusReason",
            "StartDate",
            "StateMachineArn",
            "Status",
            "StopDate"
        ])
    );
    assert_eq!((&record["Input"], &record["Output"]), (&json!("0"), &json!("[0,0]")));
    assert_eq!(record["StateMachineArn"], "arn:aws:states:us-east-1:000000000000:stateMachine:mapmill/L");
    assert_eq!(failed.as_array().unwrap().len(), 1);
    assert_eq!(
        (&failed[0]["Error"], &failed[0]["Cause"], &failed[0]["Status"]),
        (&json!("Bad"), &json!("one"), &json!("FAILED"))
    );
    assert!(failed[0].get("Output").is_none());

    let ran =
        run(work(), definition(json!({"Transformation": "COMPACT", "OutputType": "JSONL"})), json!([0, 1, 2])).await;
    assert_eq!(ran.services.stored_text("/SUCCEEDED_0.jsonl"), "[0,0]\n[2,2]\n");
    assert_eq!(ran.services.stored("/FAILED_0.jsonl")["Error"], "Bad");
    let ran = run(work(), definition(json!({"Transformation": "FLATTEN"})), json!([0, 1, 2])).await;
    assert_eq!(ran.services.stored_text("/SUCCEEDED_0.json"), "[0,0,2,2]");
    let without_files = machine(Some("work"), json!({"ResultWriter": {"WriterConfig": {"Transformation": "FLATTEN"}}}));
    let ran = run(work(), without_files, json!([0, 2])).await;
    assert_eq!(ran.result.output, Some(json!([0, 0, 2, 2])));
}

#[tokio::test(start_paused = true)]
async fn pending_batches_are_listed_when_the_run_fails() {
    let failing = FakeServices::new().objects(5_000).function("work", |_, _| Reply::Fail("Bad", "always"));
    let definition = machine(
        Some("work"),
        listing(json!({"MaxConcurrency": 1, "ResultWriter": writer(json!({"Transformation": "COMPACT"}))})),
    );
    let ran = run(failing, definition, json!({"prefix": ""})).await;
    assert_eq!(failure(&ran).0, "States.ExceedToleratedFailureThreshold");
    let summary = &ran.result.map_runs[0];
    assert_eq!(summary.executions.failed, 1, "no child starts after the threshold");
    assert!((1..=10).contains(&summary.executions.pending), "{summary:?}");
    assert_eq!(ran.services.stored("/PENDING_0.json")[0]["Status"], "PENDING");
    assert_eq!(ran.services.stored("/manifest.json")["ResultFiles"]["PENDING"].as_array().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn faults_of_buckets() {
    let mut services = FakeServices::new().objects(5_000);
    services.fail_listing_after = Some(2);
    let ran = run(services, machine(None, listing(json!({}))), json!({"prefix": ""})).await;
    assert_eq!(failure(&ran), ("States.ItemReaderFailed", "bucket \"raw\" does not exist"));
    for (file, children) in [("manifest.json", 0), ("SUCCEEDED_0.json", 3)] {
        let mut services = FakeServices::new().function("work", |_, _| Reply::Answer(json!(1)));
        services.fail_put_of = Some(file);
        let definition = machine(Some("work"), json!({"ResultWriter": writer(json!({}))}));
        let ran = run(services, definition, json!([1, 2, 3])).await;
        assert_eq!(failure(&ran), ("States.ResultWriterFailed", "bucket \"out\" does not exist"));
        assert_eq!(ran.services.calls("work"), children, "{file}");
    }
}

#[tokio::test(start_paused = true)]
async fn outputs_must_fit_a_payload_without_files() {
    let large = || FakeServices::new().function("work", |_, _| Reply::Answer(json!("x".repeat(100_000))));
    let mut definition =
        machine(Some("work"), json!({"ResultPath": null, "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "H"}]}));
    definition["States"]["H"] = json!({"Type": "Pass", "End": true});
    let ran = run(large(), definition.clone(), json!([1, 2])).await;
    assert_eq!(ran.result.status, ExecutionStatus::Succeeded);
    let ran = run(large(), definition, json!([1, 2, 3])).await;
    assert_eq!(failure(&ran).0, "States.DataLimitExceeded", "no wildcard catches it");
    assert_eq!(ran.services.calls("work"), 3);
}

#[tokio::test(start_paused = true)]
async fn retry_of_the_map_starts_a_new_run() {
    let flaky = FakeServices::new().function("work", |_, calls| match calls {
        0 => Reply::Fail("Bad", "first"),
        _ => Reply::Answer(json!("fine")),
    });
    let retry = json!({"Retry": [{"ErrorEquals": ["States.ExceedToleratedFailureThreshold"]}], "MaxConcurrency": 1});
    let ran = run(flaky, machine(Some("work"), retry), json!([1, 2])).await;
    assert_eq!(ran.result.output, Some(json!(["fine", "fine"])));
    assert_eq!(ran.result.map_runs.len(), 2);
    assert_eq!(ran.services.calls("work"), 3);
}

#[tokio::test(start_paused = true)]
async fn express_children_end_after_five_minutes_and_are_not_stopped() {
    let services = || {
        FakeServices::new().function("work", |event, _| match event.as_str() {
            Some("fail") => Reply::Fail("Bad", "at once"),
            Some("short") => Reply::AnswerAfter(Duration::from_secs(60), json!("done")),
            _ => Reply::AnswerAfter(Duration::from_secs(3_600), json!("late")),
        })
    };
    for (kind, aborted, succeeded) in [("EXPRESS", 0, 1), ("STANDARD", 1, 0)] {
        let mut definition = machine(Some("work"), json!({}));
        definition["States"]["M"]["ItemProcessor"]["ProcessorConfig"]["ExecutionType"] = json!(kind);
        let ran = run(services(), definition.clone(), json!(["short", "fail"])).await;
        let executions = ran.result.map_runs[0].executions;
        assert_eq!((executions.aborted, executions.succeeded, executions.failed), (aborted, succeeded, 1), "{kind}");
        let start = tokio::time::Instant::now();
        let ran = run(services(), definition, json!(["long"])).await;
        let executions = ran.result.map_runs[0].executions;
        if kind == "EXPRESS" {
            assert_eq!((executions.timed_out, start.elapsed().as_secs()), (1, 300));
            assert_eq!(failure(&ran).0, "States.ExceedToleratedFailureThreshold");
        } else {
            assert_eq!((executions.succeeded, start.elapsed().as_secs()), (1, 3_600));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn cancellation_stops_listing_aborts_children_and_writes_what_there_is() {
    let work = FakeServices::new().objects(1_000_000).function("work", |event, _| {
        let number = event["Size"].as_u64().unwrap();
        if number < 3 { Reply::Answer(json!("done")) } else { Reply::AnswerAfter(Duration::from_secs(600), json!(1)) }
    });
    let definition = machine(Some("work"), listing(json!({"MaxConcurrency": 5, "ResultWriter": writer(json!({}))})));
    let cancel = CancellationToken::new();
    let canceller = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        cancel.cancel();
    };
    let (ran, ()) = tokio::join!(run_until(work, definition, json!({"prefix": ""}), cancel.clone()), canceller);
    assert_eq!(ran.result.status, ExecutionStatus::Aborted);
    let summary = &ran.result.map_runs[0];
    assert_eq!(summary.status, ExecutionStatus::Aborted);
    assert_eq!((summary.executions.succeeded, summary.executions.aborted), (3, 5));
    assert_eq!(ran.services.most_running("work"), 5);
    assert_eq!(ran.services.pages.load(Ordering::SeqCst), 1, "listing does not run ahead of the children");
    assert_eq!(ran.services.stored("/SUCCEEDED_0.json").as_array().unwrap().len(), 3);
    assert_eq!(ran.services.stored("/FAILED_0.json")[0]["Status"], "ABORTED");
}

#[tokio::test(start_paused = true)]
async fn nested_runs() {
    let mut definition = machine(None, json!({}));
    let mut inner = machine(None, json!({"Label": "Inner"}))["States"]["M"].take();
    inner["ItemsPath"] = json!("$");
    definition["States"]["M"]["ItemProcessor"]["States"]["C"] = inner;
    let ran = run(FakeServices::new(), definition, json!([[1, 2], [3]])).await;
    assert_eq!(ran.result.output, Some(json!([[1, 2], [3]])));
    assert_eq!(ran.counting.summaries.lock().unwrap().len(), 3);
    assert_eq!(ran.result.map_runs.len(), 1, "only its own runs are the execution's");
}

/// Two hundred thousand children in a row: nothing may grow with them, and it must not take long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_many_items() {
    let count = 200_000;
    let definition = machine(
        None,
        listing(json!({"MaxConcurrency": 50,
        "ResultWriter": writer(json!({"Transformation": "COMPACT", "OutputType": "JSONL"}))})),
    );
    let ran = run(FakeServices::new().objects(count), definition, json!({"prefix": "many/"})).await;
    assert_eq!(ran.result.status, ExecutionStatus::Succeeded, "{:?}", failure(&ran));
    assert_eq!(ran.counting.items_done.load(Ordering::SeqCst), count);
    assert!(ran.counting.most_running.load(Ordering::SeqCst) <= 50);
    assert_eq!(ran.services.pages.load(Ordering::SeqCst), count / 1_000);
    assert_eq!(ran.services.stored_text("/SUCCEEDED_0.jsonl").lines().count() as u64, count);
}

#[tokio::test(start_paused = true)]
async fn result_files_rotate() {
    let definition = machine(
        None,
        json!({"ResultWriter": writer(json!({"Transformation": "COMPACT"})),
        "MaxConcurrency": 1}),
    );
    let (services, counting) = (Arc::new(FakeServices::new()), Arc::new(Counting::default()));
    let options = EngineOptions { result_file_bytes_max: 20, ..EngineOptions::default() };
    let items = json!(vec!["seven77"; 10]);
    let result =
        engine(&services, &counting, options).run(&parsed(&definition), "one", items, CancellationToken::new()).await;
    let key = result.output.unwrap()["ResultWriterDetails"]["Key"].as_str().unwrap().to_owned();
    let folder = key.strip_suffix("/manifest.json").unwrap();
    let written = services.stored("/manifest.json")["ResultFiles"]["SUCCEEDED"].as_array().unwrap().clone();
    assert_eq!(written.len(), 5);
    assert_eq!(written[4], json!({"Key": format!("{folder}/SUCCEEDED_4.json"), "Size": 21}));
    for number in 0..5 {
        assert_eq!(services.stored(&format!("/SUCCEEDED_{number}.json")), json!(["seven77", "seven77"]));
    }
    assert_eq!(counting.files.load(Ordering::SeqCst), 7, "and the manifest twice");
}
