//! Faults while outputs, rejects and ledgers are written.

use crate::bench::{Bench, ending, job};
use serde_json::json;
use tests::fault_proxy::{Operation, Plan};

/// Requests that wrote the output, by operation.
#[derive(Debug, PartialEq, Eq)]
struct Writes {
    put: usize,
    create: usize,
    part: usize,
    complete: usize,
    head: usize,
    abort: usize,
}

/// What becomes of an output of one request that meets these faults, after so many attempts.
async fn check_small(rule: &str, expected: &str, puts: usize, is_visible: bool) {
    let lines = "{\"number\":1}\n".repeat(100);
    let bench = Bench::start(Plan::parse(&[rule]).unwrap()).await.with("in/a.ndjson", lines.as_str()).await;
    let outcome = bench.run(&job()).await.unwrap();
    let ledger = bench.ledger(&outcome).await;
    assert_eq!(ending(&ledger[0]), expected, "{rule}: {:?}", ledger[0].message);
    let output = "clean/out/a.ndjson.ndjson";
    assert_eq!(bench.proxy.requests_of(Operation::Put, output).len(), puts, "{rule}");
    let outputs = bench.outputs().await;
    assert_eq!(outputs.len(), usize::from(is_visible), "{rule}");
    assert!(outputs.values().all(|output| *output == lines.as_bytes()), "{rule}: an output is not whole");
}

#[tokio::test]
async fn small_outputs() {
    let output = "clean/out/a.*";
    check_small(&format!("put {output} 1 500"), "succeeded", 2, true).await;
    check_small(&format!("put {output} 1-4 503,reset,500"), "succeeded", 5, true).await;
    check_small(&format!("put {output} 1 upload-reset@600"), "succeeded", 2, true).await;
    check_small(&format!("put {output} * 500"), "transient service_error", 5, false).await;
    check_small(&format!("put {output} * 503"), "throttled slow_down", 5, false).await;
    check_small(&format!("put {output} * 403"), "denied access_denied", 1, false).await;
    check_small(&format!("put {output} 1 lost"), "succeeded", 2, true).await;
    // It is there, and nobody can know: the item is failed and its output is whole.
    check_small(&format!("put {output} * lost"), "transient connection_failed", 5, true).await;
}

/// What becomes of an output of three parts.
async fn check_large(rules: &[&str], expected: &str, writes: Writes) {
    let line = format!("{{\"text\":\"{}\"}}\n", "y".repeat(1000));
    let lines = line.repeat(18_000);
    let bench = Bench::start(Plan::parse(rules).unwrap()).await.with("in/a.ndjson", lines.as_str()).await;
    let outcome = bench.run(&job()).await.unwrap();
    let ledger = bench.ledger(&outcome).await;
    assert_eq!(ending(&ledger[0]), expected, "{rules:?}: {:?}", ledger[0].message);
    let output = "clean/out/a.ndjson.ndjson";
    let count = |operation| bench.proxy.requests_of(operation, output).len();
    let seen = Writes {
        put: count(Operation::Put),
        create: count(Operation::Create),
        part: count(Operation::Part),
        complete: count(Operation::Complete),
        head: count(Operation::Head),
        abort: count(Operation::Abort),
    };
    assert_eq!(seen, writes, "{rules:?}");
    let outputs = bench.outputs().await;
    assert_eq!(outputs.len(), usize::from(expected == "succeeded"), "{rules:?}");
    assert!(outputs.values().all(|output| *output == lines.as_bytes()), "{rules:?}: an output is not whole");
}

#[tokio::test]
async fn large_outputs() {
    let well = Writes { put: 0, create: 1, part: 3, complete: 1, head: 0, abort: 0 };
    check_large(&[], "succeeded", Writes { ..well }).await;
    check_large(&["create * 1 500"], "succeeded", Writes { create: 2, ..well }).await;
    // The first upload is left to the lifecycle rule of the bucket.
    check_large(&["create * 1 lost"], "succeeded", Writes { create: 2, ..well }).await;
    let rules = ["part * 1-3 upload-reset@1000000,500,lost"];
    check_large(&rules, "succeeded", Writes { part: 12, ..well }).await;
    check_large(&["complete * 1-2 500"], "succeeded", Writes { complete: 3, ..well }).await;
    check_large(&["complete * 1 lost"], "succeeded", Writes { complete: 2, head: 1, ..well }).await;
    check_large(&["complete * * lost"], "succeeded", Writes { complete: 5, head: 1, ..well }).await;
    // No part is sent twice because another one fails, and what was begun is given up.
    let failed = Writes { part: 5, complete: 0, abort: 1, ..well };
    check_large(&["part * * 500"], "transient service_error", failed).await;
    // What only waits to be completed is kept for the next attempt at the batch.
    let failed = Writes { complete: 5, head: 1, ..well };
    check_large(&["complete * * 500"], "transient service_error", failed).await;
    let failed = Writes { complete: 1, abort: 1, ..well };
    check_large(&["complete * * 403"], "denied access_denied", failed).await;
}

#[tokio::test]
async fn rejects_come_before_their_output_or_there_is_none() {
    let body = "{\"number\":1}\nno record\n";
    let rejects = "clean/out/_mapmill/*/rejects/*";
    let observe = async |which: &str| {
        let rule = format!("put {rejects} {which} 500");
        let bench = Bench::start(Plan::parse(&[&rule]).unwrap()).await.with("in/a.ndjson", body).await;
        let outcome = bench.run(&job()).await.unwrap();
        (ending(&bench.ledger(&outcome).await[0]), bench.outputs().await.len())
    };
    assert_eq!(observe("1-4").await, ("succeeded".to_owned(), 1));
    assert_eq!(observe("*").await, ("transient service_error".to_owned(), 0));
}

#[tokio::test]
async fn a_batch_without_its_ledger_fails_by_name() {
    let observe = async |faults: &str| {
        let rule = format!("put clean/out/_mapmill/*/ledger/* {faults}");
        let bench = Bench::start(Plan::parse(&[&rule]).unwrap()).await.with("in/a.ndjson", "{\"a\":1}\n").await;
        let result = bench.run(&job()).await.map(|outcome| outcome.items.succeeded);
        let is_ledger = |object: &str| object.contains("/ledger/");
        let requests = bench.proxy.requests().into_iter();
        let puts = requests.filter(|put| put.operation == Operation::Put && is_ledger(&put.object)).count();
        (result.map_err(|error| error.name()), puts)
    };
    // It is written when the batch begins, and again when it ends.
    assert_eq!(observe("1-4 500,503,lost").await, (Ok(1), 6));
    assert_eq!(observe("* 500").await, (Err("Mapmill.Transient"), 5));
    assert_eq!(observe("* 503").await, (Err("Mapmill.Throttled"), 5));
    assert_eq!(observe("* 403").await, (Err("Mapmill.AccessDenied"), 1));
}

#[tokio::test]
async fn a_job_file_is_read_through_the_same_trouble() {
    let observe = async |rules: &[&str]| {
        let job_file = serde_json::to_vec(&job()).unwrap();
        let bench = Bench::start(Plan::parse(rules).unwrap()).await.with("in/job.json", job_file).await;
        let result = bench.run(&json!("s3://raw/in/job.json")).await;
        let gets = bench.proxy.requests_of(Operation::Get, "raw/in/job.json").len();
        (result.map(|outcome| outcome.items.total).map_err(|error| error.name()), gets)
    };
    // The job file is also the only item, and read once more as that.
    assert_eq!(observe(&["get * 1 500", "get * 2 truncate@20"]).await, (Ok(1), 4));
    assert_eq!(observe(&["get * * 500"]).await, (Err("Mapmill.Transient"), 5));
    assert_eq!(observe(&["get * * 503"]).await, (Err("Mapmill.Throttled"), 5));
    assert_eq!(observe(&["get * * 404"]).await, (Err("Mapmill.InvalidJob"), 1));
}
