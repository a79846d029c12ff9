//! Watching and changing a run.

use std::time::Duration;

use super::*;
use crate::services::fake::Reply;

/// Runs sixty items of ten seconds each, and `during` after one second.
async fn with_run(extra: Value, during: impl AsyncFnOnce(&MapRunHandle, &FakeServices)) -> (Engine, ExecutionResult) {
    let work = FakeServices::new().objects(60).function("work", |event, _| {
        if event["Size"] == 50 {
            return Reply::Fail("Bad", "fifty");
        }
        Reply::AnswerAfter(Duration::from_secs(10), json!(1))
    });
    let services = Arc::new(work);
    let engine = engine(&services, &Arc::default(), EngineOptions::default());
    let definition = parsed(&machine(Some("work"), listing(extra)));
    let watch = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let runs = engine.map_runs().of_execution("arn:aws:states:us-east-1:000000000000:execution:mapmill:one");
        let handle = engine.map_runs().get(runs[0].arn()).unwrap();
        during(&handle, &services).await;
    };
    let run = engine.run(&definition, "one", json!({"prefix": ""}), CancellationToken::new());
    let (result, ()) = tokio::join!(run, watch);
    (engine, result)
}

#[tokio::test(start_paused = true)]
async fn a_run_shows_its_counts() {
    let extra =
        json!({"MaxConcurrency": 7, "ToleratedFailurePercentage": 12.5, "ItemBatcher": {"MaxItemsPerBatch": 2}});
    let (engine, result) = with_run(extra, async |handle, _| {
        let now = handle.describe();
        assert_eq!((now.status, now.stop), (MapRunStatus::Running, None));
        assert_eq!((now.execution_counts.running, now.item_counts.running), (7, 14));
        assert!((1..=6).contains(&now.execution_counts.pending), "{now:?}");
        assert_eq!((now.max_concurrency, now.tolerated_failure_percentage, now.tolerated_failure_count), (7, 12.5, 0));
        assert_eq!(now.state_machine_arn, "arn:aws:states:us-east-1:000000000000:stateMachine:mapmill/L");
    })
    .await;
    assert_eq!(result.status, ExecutionStatus::Succeeded);
    let ended = engine.map_runs().of_execution(&result.execution_arn)[0].describe();
    assert_eq!(ended.status, MapRunStatus::Succeeded);
    assert!(ended.stop.is_some());
    let counts = |items: u64| Counts { succeeded: 30 * items, results_written: 30 * items, ..Counts::default() };
    assert_eq!((ended.execution_counts, ended.item_counts), (counts(1), counts(2)));
    assert!(engine.map_runs().get("none").is_none());
}

#[tokio::test(start_paused = true)]
async fn limits_change_while_it_runs() {
    let update = |most: u64| MapRunUpdate { max_concurrency: Some(most), ..MapRunUpdate::default() };
    let extra = json!({"MaxConcurrency": 2, "ToleratedFailureCount": 1});
    let (engine, result) = with_run(extra, async |handle, services| {
        handle.update(update(20)).unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(services.most_running("work"), 20);
        handle.update(update(1)).unwrap();
        tokio::time::sleep(Duration::from_secs(12)).await;
        assert_eq!(handle.describe().execution_counts.running, 1);
        handle.update(update(0)).unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(handle.describe().execution_counts.running > 20);
        let wrong = MapRunUpdate { tolerated_failure_percentage: Some(101.0), ..MapRunUpdate::default() };
        assert_eq!(handle.update(wrong), Err(UpdateError::Percentage(101.0)));
    })
    .await;
    assert_eq!(result.status, ExecutionStatus::Succeeded);
    let handle = engine.map_runs().of_execution(&result.execution_arn).remove(0);
    assert_eq!(handle.update(update(5)), Err(UpdateError::Ended));
}

#[tokio::test(start_paused = true)]
async fn a_lowered_tolerance_fails_the_run_at_once() {
    let extra = json!({"ToleratedFailureCount": 1});
    let start = tokio::time::Instant::now();
    let (_, result) = with_run(extra, async |handle, _| {
        assert_eq!(handle.describe().item_counts.failed, 1);
        handle.update(MapRunUpdate { tolerated_failure_count: Some(0), ..MapRunUpdate::default() }).unwrap();
    })
    .await;
    assert_eq!(result.error.as_deref(), Some("States.ExceedToleratedFailureThreshold"));
    assert_eq!(start.elapsed().as_secs(), 1);
}
