//! What the real function process sends to the X-Ray daemon beside it.
#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

use lambda_shell::testsuite::Invocation;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::UdpSocket;
use tests::function::{Workshop, batch, trace_header};

/// Runs a batch with a trace header and answers the documents that reach a daemon until the function has ended.
fn documents(header: Option<String>) -> Vec<Value> {
    let daemon = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = daemon.local_addr().unwrap().to_string();
    let workshop = Workshop::empty();
    let keys: Vec<String> = (0..30).map(|number| format!("{number}.ndjson")).collect();
    keys.iter().for_each(|key| workshop.put(key, "{}\n"));
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let event = batch("run-1", "traced", &json!({}), &keys);
    let invocation = Invocation { trace_header: header, ..Invocation::new("request-1", event) };
    // The level of the log does not take traces away.
    let variables = [("AWS_XRAY_DAEMON_ADDRESS", address.as_str()), ("AWS_LAMBDA_LOG_LEVEL", "ERROR")];
    let ended = workshop.run(vec![invocation], 1, &variables);
    assert_eq!(ended.answers[0].body["items"]["succeeded"], 30, "{:?}", ended.answers);
    // Datagrams on loopback have arrived when they are sent.
    daemon.set_nonblocking(true).unwrap();
    let mut documents = Vec::new();
    let mut datagram = vec![0; 1 << 16];
    while let Ok(length) = daemon.recv(&mut datagram) {
        let text = std::str::from_utf8(&datagram[..length]).unwrap();
        let (header, document) = text.split_once('\n').unwrap();
        assert_eq!(serde_json::from_str::<Value>(header).unwrap(), json!({"format": "json", "version": 1}));
        documents.push(serde_json::from_str(document).unwrap());
    }
    documents
}

#[test]
fn the_stages_of_a_batch_are_subsegments_of_lambdas_segment() {
    let header = trace_header(7);
    let trace_id = header.split(['=', ';']).nth(1).unwrap().to_owned();
    let documents = documents(Some(header));
    let by_name: BTreeMap<&str, &Value> =
        documents.iter().map(|document| (document["name"].as_str().unwrap(), document)).collect();
    let names: Vec<&str> = by_name.keys().copied().collect();
    assert_eq!(names, ["batch", "process_items", "read_job", "write_ledger"]);
    assert_eq!(documents.len(), 4, "as many for thirty objects as for one: {documents:#?}");
    let batch = by_name["batch"];
    assert_eq!(batch["parent_id"], "53995c3f42cd8ad8", "{batch}");
    assert_eq!((&batch["annotations"]["run_id"], &batch["annotations"]["job"]), (&json!("run-1"), &json!("traced")));
    for document in &documents {
        assert_eq!(document["type"], "subsegment", "{document}");
        assert_eq!(document["trace_id"], trace_id, "{document}");
        assert!(document["start_time"].as_f64().unwrap() <= document["end_time"].as_f64().unwrap(), "{document}");
        if document["name"] != "batch" {
            assert_eq!(document["parent_id"], batch["id"], "{document}");
        }
    }
}

#[test]
fn nothing_is_sent_of_an_invocation_that_lambda_does_not_trace() {
    assert_eq!(documents(None), Vec::<Value>::new());
    assert_eq!(documents(Some(trace_header(7).replace("Sampled=1", "Sampled=0"))), Vec::<Value>::new());
    assert_eq!(documents(Some("no trace header; at = all".to_owned())), Vec::<Value>::new());
}
