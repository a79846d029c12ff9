//! A thousand objects, and a fault in a third of all requests.

use crate::bench::{Bench, REQUESTS, bodies, ending, job};
use batch::{LedgerLine, Status};
use object_store::ResumeOptions;
use s3_store::S3Store;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;
use tests::fault_proxy::{Operation, Plan};

const OBJECTS: usize = 1000;
const BATCH: usize = 100;

/// An object and the output that belongs to it, both made from the same numbers.
fn object(number: usize) -> (String, Vec<u8>, String) {
    let (mut body, mut expected) = (String::new(), String::new());
    let records = 3 + number % 40;
    let format = ["ndjson", "csv", "json", "ndjson.gz"][number % 4];
    match format {
        "csv" => body.push_str("id,price,name\n"),
        "json" => body.push('['),
        _ => {}
    }
    for record in 0..records {
        let (id, price) = (number * 1000 + record, (number * 7 + record * 13) % 20);
        match format {
            "csv" => writeln!(body, "{id},{price},\"name, {record}\"").unwrap(),
            "json" => {
                let comma = if record == 0 { "" } else { "," };
                write!(body, "{comma}{{\"name\":\"name, {record}\",\"id\":{id},\"price\":{price}}}").unwrap();
            }
            _ => writeln!(body, "{{\"id\":{id},\"price\":{price},\"name\":\"name, {record}\"}}").unwrap(),
        }
        if price >= 10 {
            writeln!(expected, "{{\"title\":\"name, {record}\",\"id\":{id}}}").unwrap();
        }
    }
    if format == "json" {
        body.push(']');
    }
    let body = if format == "ndjson.gz" {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(body.as_bytes()).unwrap();
        encoder.finish().unwrap()
    } else {
        body.into_bytes()
    };
    (format!("in/{:02}/{number:04}.{format}", number % 10), body, expected)
}

fn many_job() -> Value {
    let mut job = job();
    job["record"] = json!({
        "types": {"id": "integer", "price": "integer"},
        "where": {"field": "price", "ge": 10},
        "select": ["name", "id"],
        "rename": {"name": "title"},
    });
    job
}

/// Compares what is visible with what was computed here.
async fn check_outputs(bench: &Bench, expected: &BTreeMap<String, String>) -> usize {
    let outputs = bench.outputs().await;
    for (key, output) in &outputs {
        let name = key.strip_prefix("out/").unwrap().strip_suffix(".ndjson").unwrap();
        let expected = &expected[&format!("in/{name}")];
        assert!(output == expected.as_bytes(), "{key}: {}", String::from_utf8_lossy(output));
    }
    outputs.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_objects_with_faults_in_a_third_of_all_requests() {
    // A byte that was changed on its way is noticed where S3 told a checksum of the whole object at the first request. See
    // the operating guide for what is not noticed.
    let everywhere = "reset,reset@50,truncate@100,truncate@0,shorten@30,stall@20,500,502,503,503+1,checksum,lost";
    let rules = [
        "get raw/in/*2.ndjson 1 corrupt@60".to_owned(),
        "get raw/in/*4.ndjson 1 corrupt@0".to_owned(),
        format!("* * 33%12 {everywhere},upload-reset@10"),
    ];
    let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
    let patience = ResumeOptions { stall_timeout: Duration::from_secs(1), ..bodies() };
    let mut bench = Bench::start(Plan::parse(&rules).unwrap()).await.with_patience(REQUESTS, patience);
    let mut expected = BTreeMap::new();
    for number in 0..OBJECTS {
        let (key, body, output) = object(number);
        bench = bench.with(&key, body).await;
        expected.insert(key, output);
    }

    let endpoint = bench.proxy.endpoint();
    let store = Arc::new(S3Store::for_endpoint_with(
        &endpoint,
        local::s3::REGION,
        local::s3::ACCESS_KEY_ID,
        local::s3::SECRET_ACCESS_KEY,
        REQUESTS,
    ));
    let mut lines: BTreeMap<String, LedgerLine> = BTreeMap::new();
    let mut failed_batches = Vec::new();
    for items in bench.items().chunks(BATCH) {
        match bench.run_items(store.clone(), &many_job(), items).await {
            Ok(outcome) => {
                let counts = outcome.items;
                assert_eq!(counts.succeeded + counts.failed, BATCH as u64, "{counts:?}");
                for line in bench.ledger(&outcome).await {
                    assert!(lines.insert(line.key.clone(), line).is_none(), "an item has two lines");
                }
            }
            // The ledger itself could not be written: the batch says so, and is run again as a whole.
            Err(error) => {
                assert!(["Mapmill.Transient", "Mapmill.Throttled"].contains(&error.name()), "{error}");
                failed_batches.extend(items.iter().cloned());
            }
        }
    }
    assert_eq!(lines.len() + failed_batches.len(), OBJECTS);

    let requests = bench.proxy.requests();
    let faults = requests.iter().filter(|request| request.fault.is_some()).count();
    assert!(faults * 10 > requests.len() * 3, "{faults} faults in {} requests", requests.len());
    let most = expected.keys().map(|key| bench_gets(&requests, key)).max().unwrap();
    assert!(most <= 3 * 30, "{most} requests for one object");

    let failed: Vec<&LedgerLine> = lines.values().filter(|line| line.status == Status::Failed).collect();
    for line in &failed {
        let class = line.class.as_deref().unwrap();
        assert!(["transient", "throttled"].contains(&class), "{}: {} {:?}", line.key, ending(line), line.message);
    }
    assert!(failed.len() * 20 < OBJECTS, "{} items failed", failed.len());
    let visible = check_outputs(&bench, &expected).await;
    let succeeded = lines.len() - failed.len();
    assert!(visible >= succeeded, "{visible} outputs of {succeeded} items");

    // Run again without faults, what failed is done as well.
    let again: Vec<Value> = failed
        .iter()
        .map(|line| json!({"Key": line.key, "Etag": format!("\"{}\"", line.etag.as_deref().unwrap()), "Size": line.size}))
        .chain(failed_batches)
        .collect();
    if !again.is_empty() {
        let outcome = bench.run_directly(&many_job(), &again).await.unwrap();
        assert_eq!(outcome.items.succeeded, again.len() as u64, "{:?}", outcome.failures);
    }
    assert_eq!(check_outputs(&bench, &expected).await, OBJECTS);
}

fn bench_gets(requests: &[tests::fault_proxy::Record], key: &str) -> usize {
    let object = format!("raw/{key}");
    requests.iter().filter(|request| request.operation == Operation::Get && request.object == object).count()
}
