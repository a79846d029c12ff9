//! Faults while an object is read.

use crate::bench::{Bench, REQUESTS, bodies, ending, job};
use object_store::ResumeOptions;
use s3_store::S3Options;
use std::io::Write;
use std::time::Duration;
use tests::fault_proxy::{Action, Fault, Operation, Plan, Record, Rule};

const KEY: &str = "in/a.ndjson";

/// Over two hundred thousand bytes of records, which are their own output.
fn lines() -> String {
    (10_000..12_000).map(|number| format!("{{\"number\":{number},\"text\":\"{}\"}}\n", "x".repeat(80))).collect()
}

struct Seen {
    ending: String,
    message: String,
    gets: Vec<Record>,
}

/// Processes one object under these rules. An item that succeeds has the right output, one that fails has none.
async fn observe(bench: Bench, lines: &str) -> Seen {
    let outcome = bench.run(&job()).await.unwrap();
    let ledger = bench.ledger(&outcome).await;
    assert_eq!(ledger.len(), 1, "one line for one item");
    let ending = ending(&ledger[0]);
    let outputs = bench.outputs().await;
    if ending == "succeeded" {
        let (_, output) = outputs.first_key_value().unwrap();
        assert!(output == lines.as_bytes(), "the output is another one");
    } else {
        assert!(outputs.is_empty(), "{ending}, and there are outputs: {:?}", outputs.keys());
    }
    let gets = bench.proxy.requests().into_iter().filter(|record| record.operation == Operation::Get);
    Seen { ending, message: ledger[0].message.clone().unwrap_or_default(), gets: gets.collect() }
}

/// With these rules the item ends like this after so many requests.
async fn check(rules: &[&str], ending: &str, gets: usize) -> Seen {
    check_with(REQUESTS, bodies(), rules, ending, gets).await
}

async fn check_with(requests: S3Options, bodies: ResumeOptions, rules: &[&str], ending: &str, gets: usize) -> Seen {
    let lines = lines();
    let bench = Bench::start(Plan::parse(rules).unwrap()).await.with_patience(requests, bodies);
    let seen = observe(bench.with(KEY, lines.as_str()).await, &lines).await;
    assert_eq!((seen.ending.as_str(), seen.gets.len()), (ending, gets), "{rules:?}: {}", seen.message);
    seen
}

#[tokio::test]
async fn without_faults_one_request_is_enough() {
    let seen = check(&[], "succeeded", 1).await;
    assert!(seen.gets[0].if_match.is_some(), "objects are read in the version that was listed");
}

#[tokio::test]
async fn a_request_without_an_answer_is_tried_five_times() {
    check(&["get * 1 reset"], "succeeded", 2).await;
    check(&["get * 1-4 reset"], "succeeded", 5).await;
    let seen = check(&["get * * reset"], "transient connection_failed", 5).await;
    assert!(seen.message.contains("at the last of 5 attempts"), "{}", seen.message);
}

#[tokio::test]
async fn a_silent_service_is_given_up_after_its_timeout() {
    let impatient = S3Options { read_timeout: Duration::from_secs(1), ..REQUESTS };
    check_with(impatient, bodies(), &["get * 1 silence"], "succeeded", 2).await;
    check_with(impatient, bodies(), &["get * * silence"], "transient timeout", 5).await;
}

#[tokio::test]
async fn a_broken_body_is_resumed_at_the_byte_reached_and_the_version_seen() {
    for rule in ["get * 1 truncate@100000", "get * 1 reset@100000"] {
        let seen = check(&[rule], "succeeded", 2).await;
        let (first, second) = (&seen.gets[0], &seen.gets[1]);
        assert_eq!(first.range, None);
        let start = second.range.as_deref().unwrap().strip_prefix("bytes=").unwrap().strip_suffix('-').unwrap();
        let start: u64 = start.parse().unwrap();
        assert!(start > 0 && start <= 100_000, "{rule}: resumed at {start}");
        assert_eq!(second.if_match, first.if_match);
    }
    let seen = check(&["get * 1-3 truncate@40000"], "succeeded", 4).await;
    let ranges: Vec<_> = seen.gets.iter().filter_map(|get| get.range.as_deref()).collect();
    assert_eq!(ranges, ["bytes=40000-", "bytes=80000-", "bytes=120000-"]);
}

#[tokio::test]
async fn resumptions_are_bounded() {
    let seen = check(&["get * * truncate@0"], "transient body_broken", 6).await;
    assert!(seen.message.contains("given up at byte 0 after 5 attempts without progress"), "{}", seen.message);
    let seen = check(&["get * * truncate@1000"], "transient body_broken", 101).await;
    assert!(seen.message.contains("given up at byte 101000 after 100 resumptions"), "{}", seen.message);
    // The five attempts of the request to go on count.
    check(&["get * 1 truncate@1000", "get * * 500"], "transient service_error", 6).await;
}

#[tokio::test]
async fn a_body_that_stalls_or_trickles_is_resumed_on_another_connection() {
    let second = Duration::from_secs(1);
    let impatient = ResumeOptions { stall_timeout: second, least_bytes_per_second: 10_000, ..bodies() };
    check_with(REQUESTS, impatient, &["get * 1 stall@100000"], "succeeded", 2).await;
    check_with(REQUESTS, impatient, &["get * * stall@0"], "transient body_stalled", 6).await;
    check_with(REQUESTS, impatient, &["get * 1 trickle@2000"], "succeeded", 2).await;
    let seen = check_with(REQUESTS, impatient, &["get * * trickle@2000"], "transient body_stalled", 6).await;
    assert!(seen.message.contains("expected at least 10000 bytes a second"), "{}", seen.message);
}

#[tokio::test]
async fn errors_of_the_service_are_tried_five_times() {
    check(&["get * 1 500"], "succeeded", 2).await;
    check(&["get * 1-4 500,502,504"], "succeeded", 5).await;
    check(&["get * * 500"], "transient service_error", 5).await;
    check(&["get * 1-4 503"], "succeeded", 5).await;
    check(&["get * * 503"], "throttled slow_down", 5).await;
    // An hour is asked for, and 50 milliseconds are given by the options of the test.
    check(&["get * 1-4 503+3600"], "succeeded", 5).await;
    check(&["get * * 503+3600"], "throttled slow_down", 5).await;
    check(&["get * 1-4 500+3600"], "succeeded", 5).await;
}

#[tokio::test]
async fn refusals_are_final() {
    check(&["get * * 403"], "denied access_denied", 1).await;
    check(&["get * * 404"], "not_found no_such_key", 1).await;
    check(&["get * * 412"], "changed object_changed", 1).await;
    check(&["get * 1 truncate@1000", "get * 2 403"], "denied access_denied", 2).await;
}

#[tokio::test]
async fn an_object_that_is_deleted_or_replaced_between_two_requests_is_noticed() {
    let delete = async |which: &str, faults: &[&str]| {
        let bench = Bench::start_with(|embedded| {
            let embedded = embedded.clone();
            let delete = Action::new(move || {
                let embedded = embedded.clone();
                async move { embedded.delete("raw", KEY, Default::default()).await.unwrap() }
            });
            Plan::parse(faults).unwrap().with(Rule::new("get", "*", which, Fault::First(delete)).unwrap())
        });
        observe(bench.await.with(KEY, lines()).await, "").await
    };
    let seen = delete("1", &[]).await;
    assert_eq!((seen.ending.as_str(), seen.gets.len()), ("not_found no_such_key", 1));
    let seen = delete("2", &["get * 1 truncate@1000"]).await;
    assert_eq!((seen.ending.as_str(), seen.gets.len()), ("not_found no_such_key", 2));

    let replace = async |which: &str, faults: &[&str]| {
        let bench = Bench::start_with(|embedded| {
            let embedded = embedded.clone();
            let replace = Action::new(move || {
                let embedded = embedded.clone();
                async move {
                    let body = b"{\"number\":1}\n";
                    embedded.put("raw", KEY, body, Default::default(), Default::default()).await.unwrap();
                }
            });
            Plan::parse(faults).unwrap().with(Rule::new("get", "*", which, Fault::First(replace)).unwrap())
        });
        observe(bench.await.with(KEY, lines()).await, "").await
    };
    let seen = replace("1", &[]).await;
    assert_eq!((seen.ending.as_str(), seen.gets.len()), ("changed object_changed", 1));
    let seen = replace("2", &["get * 1 truncate@1000"]).await;
    assert_eq!((seen.ending.as_str(), seen.gets.len()), ("changed object_changed", 2));
}

#[tokio::test]
async fn damaged_bytes_are_read_again_and_never_written() {
    for fault in ["corrupt@50000", "corrupt@199990", "checksum"] {
        check(&[&format!("get * 1-2 {fault}")], "succeeded", 3).await;
        check(&[&format!("get * * {fault}")], "transient checksum_mismatch", 3).await;
    }
    // The checksum is compared over all pieces of a body that was resumed.
    check(&["get * 1 truncate@50000", "get * 2 corrupt@60000"], "succeeded", 3).await;
    check(&["get * 1 truncate@50000", "get * 2 reset@10", "get * 3 corrupt@0"], "succeeded", 4).await;
    check(&["get * 1-2 shorten@100000"], "succeeded", 3).await;
    let seen = check(&["get * * shorten@100000"], "transient size_mismatch", 3).await;
    assert!(seen.message.contains("the service announces 100000"), "{}", seen.message);
}

#[tokio::test]
async fn records_refused_of_damaged_bytes_leave_no_trace() {
    // Without its first brace the first record is none.
    let lines = lines();
    let bench = Bench::start(Plan::parse(&["get * 1 corrupt@0"]).unwrap()).await.with(KEY, lines.as_str()).await;
    let outcome = bench.run(&job()).await.unwrap();
    let ledger = bench.ledger(&outcome).await;
    assert_eq!((ending(&ledger[0]).as_str(), &ledger[0].rejects), ("succeeded", &None));
    assert_eq!(bench.count(Operation::Put), 3, "the output, and the ledger at the beginning and at the end");
}

#[tokio::test]
async fn objects_without_a_checksum_are_checked_by_their_size() {
    let lines = lines();
    let bench = Bench::start(Plan::parse(&["get * 1 shorten@100000"]).unwrap()).await;
    let seen = observe(bench.with_old(KEY, &lines).await, &lines).await;
    assert_eq!((seen.ending.as_str(), seen.gets.len()), ("succeeded", 2));
}

#[tokio::test]
async fn corrupt_compressed_data_fails_its_item_at_once() {
    let lines = lines();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(lines.as_bytes()).unwrap();
    let gzip = encoder.finish().unwrap();
    let observe_with = async |rule: String, body: Vec<u8>| {
        let bench = Bench::start(Plan::parse(&[&rule]).unwrap()).await;
        observe(bench.with("in/a.ndjson.gz", body).await, &lines).await
    };
    let middle = gzip.len() / 2;
    let seen = observe_with(format!("get * 1 truncate@{middle}"), gzip.clone()).await;
    assert_eq!((seen.ending.as_str(), seen.gets.len()), ("succeeded", 2), "resumed in the middle of the gzip data");
    let seen = observe_with(format!("get * * corrupt@{middle}"), gzip.clone()).await;
    assert_eq!((seen.ending.as_str(), seen.gets.len()), ("bad_data corrupt_gzip", 1), "{}", seen.message);
    let mut corrupt = gzip;
    corrupt[middle] ^= 0x55;
    let seen = observe_with("get * 1 500".to_owned(), corrupt).await;
    assert_eq!((seen.ending.as_str(), seen.gets.len()), ("bad_data corrupt_gzip", 2), "{}", seen.message);
}
