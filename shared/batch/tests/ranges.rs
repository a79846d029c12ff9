//! An object in parts: whatever its ranges, their outputs are together exactly the records of the whole, once each.
#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

mod support;

use batch::{Budget, Deadline, LedgerLine, Outcome, Status, Worker};
use object_store::fakes::MemoryStore;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::Arc;
use support::{address, job, places};

/// Runs a batch of these ranges of one object; a range without numbers is the whole object.
fn run(key: &str, body: &[u8], ranges: &[Value], parts: Value) -> (MemoryStore, Outcome, Vec<LedgerLine>) {
    let memory = MemoryStore::with_buckets(&["raw", "clean"]);
    memory.set_chunk_bytes(7);
    let etag = memory.insert(&address("raw", key), body.to_vec());
    let items: Vec<Value> = ranges
        .iter()
        .map(|range| json!({"Key": key, "Etag": etag.quoted(), "Size": body.len(), "Range": range}))
        .collect();
    let event = json!({"BatchInput": {"mapmill": {"version": 1, "run_id": "r1", "job": job(parts)}}, "Items": items});
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let worker =
        Worker::new(Arc::new(memory.clone()), places("raw/in/"), places("clean/out/"), Budget::of_function(512));
    let outcome = runtime.block_on(worker.process_batch(&event, Deadline::UNKNOWN)).unwrap();
    let ledger = memory.get(&address("clean", &outcome.ledger.key)).unwrap();
    let lines = ledger.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let lines = lines.map(|line| serde_json::from_slice(line).unwrap()).collect();
    (memory, outcome, lines)
}

/// All outputs in the order of their names, one behind the other.
fn outputs(memory: &MemoryStore) -> String {
    let keys = memory.addresses().into_iter().filter(|address| address.bucket.as_str() == "clean");
    let outputs = keys.filter(|address| !address.key.as_str().contains("_mapmill/"));
    outputs.map(|address| String::from_utf8(memory.get(&address).unwrap().to_vec()).unwrap()).collect()
}

fn sum(lines: &[LedgerLine]) -> (u64, u64, u64) {
    let sum = |count: fn(&LedgerLine) -> u64| lines.iter().map(count).sum::<u64>();
    (sum(|line| line.records.read), sum(|line| line.records.written), sum(|line| line.records.rejected))
}

/// Cuts the object at these places; the last range has no end.
fn check(key: &str, body: &[u8], cuts: &[usize], parts: &Value) {
    let (whole, _, whole_lines) = run(key, body, &[Value::Null], parts.clone());
    let mut starts = vec![0];
    starts.extend_from_slice(cuts);
    starts.sort_unstable();
    starts.dedup();
    let ends = starts[1..].iter().map(|end| Some(*end)).chain([None]);
    let ranges: Vec<Value> = starts.iter().zip(ends).map(|(start, end)| json!({"Start": start, "End": end})).collect();
    let (memory, outcome, lines) = run(key, body, &ranges, parts.clone());
    let text = String::from_utf8_lossy(body);
    assert_eq!(outcome.items.succeeded as usize, ranges.len(), "{:?}: {text}", outcome.failures);
    assert_eq!(outputs(&memory), outputs(&whole), "cut at {starts:?}: {text}");
    assert_eq!(sum(&lines), sum(&whole_lines), "cut at {starts:?}: {text}");
}

fn csv(rules: Value) -> Value {
    let mut csv = rules;
    csv["multiline"] = json!(false);
    json!({"source": {"csv": csv}, "rejects": {"max_ratio": 1}})
}

#[test]
fn lines_and_rows_belong_to_the_range_in_which_they_begin() {
    let lines = "{\"n\":1}\n\n{\"n\":2}\r\nno json\n{\"n\":3}";
    for cut in 1..lines.len() {
        check("in/a.ndjson", lines.as_bytes(), &[cut], &json!({}));
    }
    let marked = "\u{feff}{\"n\":1}\n{\"n\":2}\n";
    check("in/a.ndjson", marked.as_bytes(), &[1, 2, 3, 4, 5], &json!({}));
    let rows = "a,b\r\n1,\"x\"\r\n\r\n2,y\r3,\"z\n4,w\n5,v,u\n";
    for cut in 1..rows.len() {
        check("in/a.csv", rows.as_bytes(), &[cut], &csv(json!({})));
    }
    let marked = "\u{feff}a,b\n1,2\n3,4\n";
    check("in/a.csv", marked.as_bytes(), &[2, 5, 9], &csv(json!({})));
    let skipped = "about,this\n# more\nid\n1\n2\n3\n";
    let rules = csv(json!({"skip_lines": 1, "comment": "#"}));
    for cut in 1..skipped.len() {
        check("in/a.csv", skipped.as_bytes(), &[cut, cut + 1], &rules);
    }
    check("in/a.csv", b"1,2\n3,4\n5,6\n", &[1, 4, 7], &csv(json!({"header": "none"})));
    check("in/a.csv", b"1,2\n3,4\n5,6\n", &[1, 4, 7], &csv(json!({"header": ["x", "y"]})));
    check("in/a.csv", b"a,b\n", &[1, 4, 7], &csv(json!({})));
}

#[test]
fn every_part_has_an_output_of_its_own() {
    let (memory, _, lines) =
        run("in/a.ndjson", b"1\n2\n3\n", &[json!({"Start": 0, "End": 3}), json!("bytes=3-")], json!({}));
    let text = |key: &str| memory.get(&address("clean", key)).map(|body| String::from_utf8(body.to_vec()).unwrap());
    assert_eq!(text("out/a.ndjson.bytes-000000000000000-000000000000003.ndjson").unwrap(), "1\n2\n");
    assert_eq!(text("out/a.ndjson.bytes-000000000000003-end.ndjson").unwrap(), "3\n");
    assert_eq!(lines[0].range.as_deref(), Some("0..3"));
    // The rest of a line that began before is read, too.
    assert_eq!((lines[0].bytes.read, lines[1].bytes.read), (4, 3));
}

#[test]
fn what_cannot_be_read_in_parts_is_refused_by_name() {
    let check = |key: &str, body: &[u8], parts: Value, code: &str, words: &str| {
        let (_, _, lines) = run(key, body, &[json!({"Start": 2})], parts);
        assert_eq!((lines[0].status, lines[0].code.as_deref()), (Status::Failed, Some(code)), "{key}");
        let message = lines[0].message.as_deref().unwrap();
        assert!(message.contains(words), "{message}");
    };
    let refused = "range_not_possible";
    check("in/a.csv", b"a,b\n1,2\n", json!({}), refused, "source.csv.multiline: false");
    check("in/a.json", b"[1,2]", json!({}), refused, "one record a line");
    check("in/a.ndjson", b"1\n2\n", json!({"source": {"encoding": "latin-1"}}), refused, "source.encoding: utf-8");
    check("in/a.ndjson.gz", b"\x1f\x8b\x08\0", json!({}), refused, "not compressed");
    let part = "in/a.ndjson.bytes-000000000000000-000000000000003";
    check(part, b"1\n", json!({"source": {"format": "ndjson"}}), "invalid_output_key", "the name of a part");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_cuts_give_the_records_of_the_whole(
        text in r#"(\{"a":1\}|[a,"1 ]|\n|\r\n|\r){0,40}"#,
        cuts in prop::collection::vec(1_usize..60, 0..5),
        is_csv in any::<bool>(),
    ) {
        if is_csv {
            check("in/a.csv", format!("h\n{text}").as_bytes(), &cuts, &csv(json!({"ragged": "pad"})));
        } else {
            // An empty object is no object to process.
            let text = format!("\n{text}");
            check("in/a.ndjson", text.as_bytes(), &cuts, &json!({"rejects": {"max_ratio": 1}}));
        }
    }
}
