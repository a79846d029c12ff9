//! What a user sees who gets something wrong: an exit code, and a message that says what, where and what to do.
#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

use std::path::{Path, PathBuf};
use tests::{mapmill, outputs, root, run_job, shown};

struct Workshop {
    folder: tempfile::TempDir,
}

impl Workshop {
    /// A data folder with one good object, and a job that reads it.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let workshop = Self { folder };
        workshop.write("data/in/a.ndjson", "{\"a\":1}\n");
        workshop
            .write("job.yaml", "version: 1\nname: j\nsource: {bucket: raw, prefix: in/}\noutput: {bucket: clean}\n");
        workshop
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Expects an exit code and all of these words.
    fn check(&self, job: &Path, more: &[&str], exit: i32, words: &[&str]) {
        let run = run_job(job, &self.path("data"), &self.path("out"), more);
        let shown = shown(&run.output);
        assert_eq!(run.output.status.code(), Some(exit), "{shown}");
        for word in words {
            assert!(shown.contains(word), "{word:?} is missing in: {shown}");
        }
        assert!(!shown.contains("panicked"), "{shown}");
    }
}

#[test]
fn a_faulty_job_file_is_exit_2_with_every_mistake_and_its_place() {
    let workshop = Workshop::new();
    let job = workshop.write(
        "faulty.yaml",
        "version: 1\nname: j\nsource: {bucket: raw, fromat: csv}\nrecord: {types: {a: money}}\noutput: {bucket: clean}\n",
    );
    let words = ["source.fromat", "did you mean `format`", "record.types.a", "\"money\"", "integer"];
    workshop.check(&job, &[], 2, &words);
    workshop.check(&workshop.path("none.yaml"), &[], 2, &["none.yaml"]);
    let binary = workshop.write("binary.yaml", b"\xff\xfe\x00");
    workshop.check(&binary, &[], 2, &["binary.yaml", "UTF-8"]);
}

#[test]
fn a_missing_folder_or_function_is_exit_2_with_its_path() {
    let workshop = Workshop::new();
    let job = workshop.path("job.yaml");
    let run = run_job(&job, &workshop.path("nowhere"), &workshop.path("out"), &[]);
    assert_eq!(run.output.status.code(), Some(2), "{}", shown(&run.output));
    assert!(shown(&run.output).contains("nowhere"), "{}", shown(&run.output));
    let empty = workshop.path("empty");
    std::fs::create_dir(&empty).unwrap();
    workshop.check(&job, &["--functions", empty.to_str().unwrap()], 2, &["transform", "does not exist"]);
    // Output inside the data would be read as input by the next run.
    let run = run_job(&job, &workshop.path("data"), &workshop.path("data/out"), &[]);
    assert_eq!(run.output.status.code(), Some(2), "{}", shown(&run.output));
}

#[test]
fn an_unsupported_state_machine_is_refused_by_field() {
    let workshop = Workshop::new();
    let text = std::fs::read_to_string(root().join("statemachine/simple.asl.json")).unwrap();
    let change = |name: &str, from: &str, to: &str| {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from} is in the state machine");
        workshop.write(name, changed)
    };
    let check = |machine: PathBuf, words: &[&str]| {
        workshop.check(&workshop.path("job.yaml"), &["--state-machine", machine.to_str().unwrap()], 2, words);
    };
    check(change("1.json", "\"Label\"", "\"Lable\""), &["Lable", "ProcessObjects"]);
    check(change("2.json", "listObjectsV2", "listObjectsV3"), &["listObjectsV3"]);
    check(change("3.json", "\"StartAt\": \"ProcessObjects\"", "\"StartAt\": \"Nowhere\""), &["Nowhere"]);
    check(change("4.json", "${TransformFunctionArn}", "${Something}"), &["Something"]);
    check(workshop.write("5.json", "{"), &["JSON"]);
}

#[test]
fn an_event_that_is_no_batch_fails_its_batch_by_name() {
    let workshop = Workshop::new();
    let text = std::fs::read_to_string(root().join("statemachine/simple.asl.json")).unwrap();
    let machine = workshop.write("machine.json", text.replacen("\"mapmill\": {", "\"mapmlil\": {", 1));
    let words = ["Mapmill.InvalidEvent", "expected mapmill in BatchInput", "States.ExceedToleratedFailureThreshold"];
    workshop.check(&workshop.path("job.yaml"), &["--state-machine", machine.to_str().unwrap()], 1, &words);
}

#[test]
fn a_batch_that_is_too_slow_for_its_function_times_out_by_name() {
    let workshop = Workshop::new();
    workshop.write("data/in/big.ndjson", "{\"a\":1}\n".repeat(20 << 20));
    workshop.check(
        &workshop.path("job.yaml"),
        &["--timeout", "1"],
        1,
        &["Sandbox.Timedout", "timed out after 1.00 seconds"],
    );
}

#[test]
fn objects_that_cannot_be_processed_do_not_harm_the_others() {
    let workshop = Workshop::new();
    workshop.write("data/in/long.ndjson", [b"{}\n\"".to_vec(), vec![b'x'; 100_000_000], b"\"\n{}\n".to_vec()].concat());
    workshop.write("data/in/deep.ndjson", format!("{}\n{{}}\n", "[".repeat(10_000)));
    workshop.write("data/in/latin.csv", b"a\n\xE9\nb\n");
    workshop.write("data/in/empty.csv", "");
    workshop.write("data/in/odd \u{202e}name.ndjson", "{}\n");
    workshop.write("data/in/unknown.bin", b"\x00\x01\x02");
    let run = run_job(&workshop.path("job.yaml"), &workshop.path("data"), &workshop.path("out"), &[]);
    let shown = shown(&run.output);
    assert_eq!(run.output.status.code(), Some(1), "{shown}");
    let status = |key: &str| run.ledger[key]["status"].as_str().unwrap().to_owned();
    assert_eq!(run.ledger.len(), 7, "{shown}");
    assert_eq!(status("in/empty.csv"), "skipped");
    assert_eq!(status("in/unknown.bin"), "failed");
    assert_eq!(outputs(&workshop.path("out")).len(), 5, "{shown}");
    for key in ["in/long.ndjson", "in/deep.ndjson", "in/latin.csv"] {
        assert_eq!(run.ledger[key]["records"]["rejected"], 1, "{key}: {shown}");
    }
    let peak = run.summary["invocations"]["peak_memory_bytes"].as_u64().unwrap();
    assert!(peak < 128 << 20, "{peak} bytes for a line of 100 MB");
}

#[test]
fn nothing_to_do_is_a_success_with_a_warning() {
    let workshop = Workshop::new();
    let job = workshop
        .write("other.yaml", "{version: 1, name: j, source: {bucket: raw, prefix: none/}, output: {bucket: clean}}");
    workshop.check(&job, &[], 0, &["warning: no file below --data"]);
}

#[test]
fn help_is_there_and_wrong_usage_is_exit_2() {
    for (arguments, exit, word) in [
        (vec!["--help"], 0, "run"),
        (vec!["run", "--help"], 0, "Example"),
        (vec!["run"], 2, "--job"),
        (vec!["rnu"], 2, "rnu"),
        (vec!["run", "--job", "j", "--data", "d", "--out", "o", "--run-id", "a/b"], 2, "j"),
    ] {
        let output = mapmill(&arguments);
        assert_eq!(output.status.code(), Some(exit), "{}", shown(&output));
        assert!(shown(&output).contains(word), "{}", shown(&output));
    }
}
