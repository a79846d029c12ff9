//! What the real function programs send to S3 is what the template's roles allow: every request, and no allowance is left
//! that no request needs.
//!
//! A proxy between the function and an embedded S3 keeps the requests. Their paths and queries are turned into the calls
//! that IAM sees, and those are held against the role of the function, resolved out of `template.yaml`.
#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

use deployment::policy::{Call, Statement, allows, unused};
use deployment::{cases, s3};
use flate2::Compression;
use flate2::write::GzEncoder;
use lambda_shell::testsuite::{FunctionProcess, Invocation, RuntimeApi};
use local::s3::{Attributes, ObjectStore, S3Server, StoreOptions, WriteCondition};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::Write;
use std::sync::Arc;
use tests::fault_proxy::{FaultProxy, Plan};
use tests::programs;
use tokio::runtime::Runtime;

/// The buckets of the stack `cases::full`.
const BUCKETS: [&str; 3] = ["raw", "clean", "jobs"];

/// Runs a function over events, one after another, with the variables that the template gives it; its calls.
fn calls(function: &str, objects: &[(&str, &str, Vec<u8>)], events: Vec<Value>, is_fine: impl Fn(&Value)) -> Vec<Call> {
    let runtime = Runtime::new().unwrap();
    let store = Arc::new(ObjectStore::new(StoreOptions::default()).unwrap());
    for bucket in BUCKETS {
        store.create_bucket(bucket).unwrap();
    }
    for (bucket, key, body) in objects {
        runtime
            .block_on(store.put(bucket, key, body.as_slice(), Attributes::default(), WriteCondition::default()))
            .unwrap();
    }
    let server = runtime.block_on(S3Server::start(store, 0)).unwrap();
    let proxy = runtime.block_on(FaultProxy::start(server.address(), 0, Plan::parse(&[]).unwrap())).unwrap();

    let properties =
        cases::full().properties(&format!("{}{}Function", function[..1].to_uppercase(), &function[1..])).unwrap();
    let environment = server.environment();
    let endpoint = proxy.endpoint();
    let mut variables: Vec<(&str, &str)> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
    variables.push(("AWS_ENDPOINT_URL_S3", &endpoint));
    for (name, value) in properties["Environment"]["Variables"].as_object().unwrap() {
        variables.push((name, value.as_str().unwrap()));
    }
    let count = events.len();
    let invocations = events.into_iter().enumerate().map(|(number, event)| Invocation::new(&number.to_string(), event));
    let api = RuntimeApi::start(invocations.collect(), 1);
    let process = FunctionProcess::start(&programs().join(function), &api, &variables);
    let answers = api.answers(count);
    let log = process.end();
    assert!(!log.is_empty(), "{function} wrote nothing");
    answers.iter().for_each(|answer| is_fine(&answer.body));
    let requests = proxy.requests();
    runtime.block_on(server.shutdown());
    assert!(requests.len() > 10, "{requests:?}");
    requests
        .iter()
        .map(|record| {
            let (method, address) = record.line.split_once(' ').unwrap();
            let (path, query) = address.split_once('?').unwrap_or((address, ""));
            let path = percent_decode_str(path).decode_utf8().unwrap();
            s3::call(method, &path, query)
                .ok_or_else(|| format!("{} is no request that a role can allow", record.line))
                .unwrap()
        })
        .collect()
}

/// The role's statements about S3.
fn about_s3(role: &str) -> Vec<Statement> {
    let statements = cases::full().statements(role).unwrap();
    let own =
        statements.into_iter().filter(|statement| statement.actions.iter().all(|action| action.starts_with("s3:")));
    own.collect()
}

fn check(role: &str, calls: &[Call]) {
    let statements = about_s3(role);
    for call in calls {
        assert!(allows(&statements, call), "{role} does not allow {call:?}");
    }
    let unused = unused(&statements, calls);
    let seen: BTreeSet<&str> = calls.iter().map(|call| call.action.as_str()).collect();
    assert!(unused.is_empty(), "{role} allows what was not needed:\n{}\nneeded: {seen:?}", unused.join("\n"));
}

/// Lines of different digits, so that they do not get small.
fn lines(megabytes: u64) -> Vec<u8> {
    let mut text = Vec::new();
    let mut number: u64 = 1;
    while (text.len() as u64) < megabytes << 20 {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        writeln!(text, "{{\"id\":{number},\"text\":\"{number:064x}\"}}").unwrap();
    }
    text
}

#[test]
fn transform_sends_what_its_role_allows_and_needs_all_of_it() {
    let job = json!({
        "version": 1,
        "name": "permissions",
        "source": {"bucket": "raw", "prefix": "in/"},
        "record": {"types": {"id": "integer"}},
        "output": {"bucket": "clean", "prefix": "out/2026/", "compression": "none"},
    });
    // A gzip stream that breaks at its end: parts of the output are uploaded by then, and the upload is aborted.
    let mut broken = GzEncoder::new(Vec::new(), Compression::fast());
    broken.write_all(&lines(20)).unwrap();
    let mut broken = broken.finish().unwrap();
    let end = broken.len() - 8;
    broken[end..].fill(0);
    let objects = [
        ("jobs", "daily/clean.json", serde_json::to_vec(&job).unwrap()),
        ("raw", "in/small.ndjson", b"{\"id\":1}\n".to_vec()),
        ("raw", "in/with rejects.ndjson", b"{\"id\":1}\n{\"id\":\"x\"}\n".to_vec()),
        ("raw", "in/large.ndjson", lines(20)),
        ("raw", "in/broken.ndjson.gz", broken),
    ];
    let items: Vec<Value> = objects
        .iter()
        .filter(|(bucket, ..)| *bucket == "raw")
        .map(|(_, key, body)| json!({"Key": key, "Size": body.len()}))
        .collect();
    let event =
        |job: &Value| json!({"BatchInput": {"mapmill": {"version": 1, "run_id": "run-1", "job": job}}, "Items": items});
    // The second attempt at the same batch looks at what the first one left.
    let events = vec![event(&job), event(&job), event(&json!("s3://jobs/daily/clean.json"))];
    let calls = calls("transform", &objects, events, |answer| {
        assert_eq!((&answer["items"]["succeeded"], &answer["items"]["failed"]), (&json!(3), &json!(1)), "{answer}");
    });
    check("TransformRole", &calls);
}
