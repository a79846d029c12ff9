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

#[test]
fn a_thousand_small_objects_in_one_batch() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    for number in 0..1000 {
        let document = format!("{{\"number\":{number},\"text\":[\"{}\"]}}", "text ".repeat(40_000));
        std::fs::write(data.join(format!("{number:04}.json")), document).unwrap();
    }
    let job = folder.path().join("job.yaml");
    let text = "version: 1\nname: small\nsource: {bucket: raw}\noutput: {bucket: clean}\nrecord: {set: {seen: true}}\n";
    std::fs::write(&job, text).unwrap();
    let arguments = ["--memory", "128", "--max-items", "1000"];
    let run = run_job(&job, &data, &folder.path().join("out"), &arguments);
    let shown = shown(&run.output);
    assert_eq!(run.output.status.code(), Some(0), "{shown}");
    assert_eq!(run.summary["records"]["written"], 1000, "{shown}");
    assert_eq!(run.summary["invocations"]["total"], 1, "{shown}");
    let peak = run.summary["invocations"]["peak_memory_bytes"].as_u64().unwrap();
    tell("1000 objects", 1000, peak);
    assert!(peak > 0 && peak < SMALLEST_FUNCTION, "{} MiB resident: {shown}", peak >> 20);
}
