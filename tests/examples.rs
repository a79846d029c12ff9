//! Every example does what its page says.
#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

use serde_json::Value;
use tests::{Run, files_below, outputs, root, run_job, shown};

fn run_example(name: &str) -> (Run, tempfile::TempDir) {
    let out = tempfile::tempdir().unwrap();
    let job = root().join("examples/jobs").join(name);
    (run_job(&job, &root().join("examples/data"), out.path(), &[]), out)
}

/// Expects exit code, objects by status as [succeeded, failed, skipped], and records as [read, written, rejected].
fn check(name: &str, exit: i32, items: [u64; 3], records: [u64; 3]) -> tempfile::TempDir {
    let (run, out) = run_example(name);
    let shown = shown(&run.output);
    assert_eq!(run.output.status.code(), Some(exit), "{name}: {shown}");
    let number = |pointer: &str| run.summary.pointer(pointer).and_then(Value::as_u64).unwrap();
    assert_eq!(["/items/succeeded", "/items/failed", "/items/skipped"].map(number), items, "{name}: {shown}");
    assert_eq!(["/records/read", "/records/written", "/records/rejected"].map(number), records, "{name}: {shown}");
    let [found, gone] =
        [&["/records/read", "/records/exploded"][..], &["/records/written", "/records/filtered", "/records/rejected"]]
            .map(|pointers| pointers.iter().map(|pointer| number(pointer)).sum::<u64>());
    assert_eq!(found, gone, "{name}: every record is accounted for: {shown}");
    assert_eq!(run.ledger.len() as u64, items.iter().sum::<u64>(), "{name}: one ledger line for every object");
    assert_eq!(outputs(out.path()).len() as u64, items[0], "{name}: one output for every object that succeeded");
    out
}

#[test]
fn every_job_has_a_test_here() {
    let this_file = std::fs::read_to_string(root().join("tests/examples.rs")).unwrap();
    for job in files_below(&root().join("examples/jobs")) {
        assert!(this_file.contains(&format!("\"{}\"", job.display())), "{} is not tested", job.display());
    }
}

#[test]
fn four_formats_become_one() {
    let out = check("weather.yaml", 0, [4, 0, 0], [1461, 623, 0]);
    let outputs = outputs(out.path());
    let line = |file: &str| String::from_utf8(outputs[file].clone()).unwrap().lines().next().unwrap().to_owned();
    let expected =
        r#"{"date":"2012/01/02","weather":"rain","rain_mm":10.9,"max_celsius":10.6,"wind":4.5,"city":"Seattle"}"#;
    assert_eq!(line("weather/2012.csv.ndjson"), expected);
    for file in ["2013.csv.gz", "2014.ndjson.zst", "2015.json"] {
        let line: Value = serde_json::from_str(&line(&format!("weather/{file}.ndjson"))).unwrap();
        assert_eq!(line.as_object().unwrap().len(), 6, "{file}");
        assert!(line["rain_mm"].as_f64().unwrap() > 0.0, "{file}");
    }
}

#[test]
fn compressed_and_nested_sources() {
    check("airports.yaml", 0, [1, 0, 0], [3376, 277, 0]);
    check("cars.yaml", 0, [1, 0, 0], [406, 69, 0]);
    check("countries.yaml", 0, [1, 0, 0], [249, 249, 0]);
    check("penguins.yaml", 0, [1, 0, 0], [344, 344, 0]);
}

#[test]
fn months_become_days() {
    let out = check("months.yaml", 0, [2, 0, 0], [24, 63, 0]);
    let outputs = outputs(out.path());
    let lines = |file: &str| String::from_utf8(outputs[file].clone()).unwrap().lines().map(str::to_owned).collect();
    let first: Vec<String> = lines("months/2012.json.xz.ndjson");
    let second: Vec<String> = lines("months/2013.ndjson.bz2.ndjson");
    assert_eq!((first.len(), second.len()), (42, 21));
    // Midnight of Seattle, in winter and in summer.
    assert_eq!(
        first[0],
        r#"{"month":"2012-01","begins_at":"2012-01-02T08:00:00Z","rain_mm":"10.9","max_celsius":10.6,"weather":"rain","city":"Seattle"}"#
    );
    let summer = second.iter().find(|line| line.contains(r#""month":"2013-09""#)).unwrap();
    assert!(summer.contains(r#"T07:00:00Z","rain_mm":""#), "{summer}");
}

#[test]
fn damaged_objects_fail_alone() {
    check("damaged.yaml", 1, [3, 3, 1], [761, 755, 6]);
}
