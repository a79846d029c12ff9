//! Memory does not grow with the object: a gibibyte through the real function process.
//!
//! The objects are made when the test runs and removed after it. What is measured is the peak resident size of the
//! function process (`VmHWM`), as `mapmill run` reports it.
#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

use std::io::Write;
use tests::{run_job, shown};

const GIBIBYTE: u64 = 1 << 30;

/// Most resident memory of the function process.
const MOST_MEMORY: u64 = 96 << 20;

#[expect(clippy::print_stdout, reason = "the figure is what a reader of the test's output looks for")]
fn tell(name: &str, records: u64, peak: u64) {
    println!("{name}: {records} records, peak {} MiB", peak >> 20);
}

/// Sends `header` and then `GIBIBYTE` bytes of records through the function and expects all of them back in the counts.
fn check(name: &str, header: &str, record: impl Fn(u64) -> String, job_part: &str) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let mut file = std::io::BufWriter::with_capacity(1 << 20, std::fs::File::create(data.join(name)).unwrap());
    let (mut bytes, mut records) = (0, 0);
    file.write_all(header.as_bytes()).unwrap();
    // A block of distinct records, written again and again: making each record anew would take longer than the run.
    let block: String = (0..10_000).map(&record).collect();
    while bytes < GIBIBYTE {
        file.write_all(block.as_bytes()).unwrap();
        bytes += block.len() as u64;
        records += 10_000;
    }
    file.into_inner().unwrap().sync_all().unwrap();
    let job = folder.path().join("job.yaml");
    let text = format!(
        "version: 1\nname: large\nsource: {{bucket: raw}}\noutput: {{bucket: clean, compression: none}}\n{job_part}"
    );
    std::fs::write(&job, text).unwrap();
    let run = run_job(&job, &data, &folder.path().join("out"), &["--memory", "128"]);
    let shown = shown(&run.output);
    assert_eq!(run.output.status.code(), Some(0), "{shown}");
    assert_eq!(run.summary["records"]["read"], records, "{shown}");
    assert_eq!(run.summary["records"]["written"], records, "{shown}");
    assert!(run.summary["bytes"]["written"].as_u64().unwrap() > GIBIBYTE / 2, "{shown}");
    let peak = run.summary["invocations"]["peak_memory_bytes"].as_u64().unwrap();
    tell(name, records, peak);
    assert!(peak > 0 && peak < MOST_MEMORY, "{} MiB resident, at most {} MiB: {shown}", peak >> 20, MOST_MEMORY >> 20);
}

#[test]
fn a_gibibyte_of_ndjson() {
    let record = |n: u64| {
        format!(
            "{{\"id\":{n},\"name\":\"customer {n}\",\"tags\":[\"a\",\"b\",{{\"c\":null}}],\"note\":\"{}\"}}\n",
            "text ".repeat(60)
        )
    };
    check("large.ndjson", "", record, "record: {types: {id: integer}, set: {seen: true}}\n");
}

#[test]
fn a_gibibyte_of_csv() {
    let record = |n: u64| format!("{n},customer {n},\"quoted, with \"\"quotes\"\"\",{},plain\n", "text ".repeat(20));
    check("large.csv", "id,name,quoted,text,plain\n", record, "record: {types: {id: integer}}\n");
}

/// Most resident memory of a function that is told it has 128 MB.
const SMALLEST_FUNCTION: u64 = 128 << 20;

/// Runs a job over these objects in one batch by a function of 128 MB and holds its peak against that.
fn check_small_function(name: &str, objects: impl Iterator<Item = (String, String)>, job_part: &str) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let mut count = 0;
    for (key, body) in objects {
        std::fs::write(data.join(key), body).unwrap();
        count += 1;
    }
    let job = folder.path().join("job.yaml");
    std::fs::write(&job, format!("version: 1\nname: small\nsource: {{bucket: raw}}\n{job_part}")).unwrap();
    let arguments = ["--memory", "128", "--max-items", "1000"];
    let run = run_job(&job, &data, &folder.path().join("out"), &arguments);
    let shown = shown(&run.output);
    assert_eq!(run.output.status.code(), Some(0), "{shown}");
    assert_eq!(run.summary["items"]["succeeded"], count, "{shown}");
    assert_eq!(run.summary["invocations"]["total"], 3, "plan, transform, report: {shown}");
    let peak = run.summary["invocations"]["peak_memory_bytes"].as_u64().unwrap();
    tell(name, count, peak);
    assert!(peak > 0 && peak < SMALLEST_FUNCTION, "{} MiB resident: {shown}", peak >> 20);
}

#[test]
fn a_thousand_small_objects_in_one_batch() {
    let document = |number| format!("{{\"number\":{number},\"text\":[\"{}\"]}}", "text ".repeat(40_000));
    let objects = (0..1000).map(|number| (format!("{number:04}.json"), document(number)));
    check_small_function("1000 objects", objects, "output: {bucket: clean}\nrecord: {set: {seen: true}}\n");
}

#[test]
fn small_objects_that_become_large_outputs() {
    // 60 times 180 KB, of which each becomes some 8 MB.
    let lines: String = (0..15_000).map(|number| format!("{{\"n\":{number}}}\n")).collect();
    let objects = (0..60).map(|number| (format!("{number:02}.ndjson"), lines.clone()));
    let job =
        format!("output: {{bucket: clean, compression: none}}\nrecord: {{set: {{constant: {}}}}}\n", "x".repeat(500));
    check_small_function("60 objects that grow", objects, &job);
}

#[test]
fn small_objects_that_are_exploded() {
    let elements: Vec<String> = (0..200).map(|number| number.to_string()).collect();
    let record = format!("{{\"id\":\"{}\",\"items\":[{}]}}\n", "y".repeat(20_000), elements.join(","));
    let objects = (0..30).map(|number| (format!("{number:02}.ndjson"), record.repeat(8)));
    let job = "output: {bucket: clean, compression: none}\nrecord: {explode: items}\n";
    check_small_function("30 objects that are exploded", objects, job);
}
