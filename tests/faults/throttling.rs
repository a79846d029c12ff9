//! Many objects, and a service that asks to slow down. How long requests wait is held by tests with a clock of their own,
//! in `s3-store`.

use crate::bench::{Bench, ending, job};
use tests::fault_proxy::{Operation, Plan};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_is_throttled_slows_down_and_ends_well() {
    // Every object is refused once, many at the same time: for each the attempts are its own.
    let mut bench = Bench::start(Plan::parse(&["get * 1 503", "put clean/out/*.ndjson 1-2 503+1"]).unwrap()).await;
    for number in 0..100 {
        bench = bench.with(&format!("in/{number:03}.ndjson"), format!("{{\"number\":{number}}}\n")).await;
    }
    let outcome = bench.run(&job()).await.unwrap();
    assert_eq!(outcome.items.succeeded, 100, "{:?}", outcome.failures);
    assert_eq!(bench.count(Operation::Get), 200);
    assert_eq!(
        bench.count(Operation::Put),
        302,
        "three for each object, and the ledger at the beginning and at the end"
    );
    assert_eq!(bench.outputs().await.len(), 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_refuses_everything_is_asked_five_times_for_each_object() {
    let mut bench = Bench::start(Plan::parse(&["get * * 503"]).unwrap()).await;
    for number in 0..70 {
        bench = bench.with(&format!("in/{number:03}.ndjson"), "{}\n").await;
    }
    let outcome = bench.run(&job()).await.unwrap();
    let ledger = bench.ledger(&outcome).await;
    assert!(ledger.iter().all(|line| ending(line) == "throttled slow_down"));
    assert_eq!((outcome.items.failed, bench.count(Operation::Get)), (70, 350));
}
