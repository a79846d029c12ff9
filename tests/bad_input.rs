//! What a user sees who gets something wrong: an exit code, and a message that says what, where and what to do.
#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tests::{files_below, mapmill, outputs, programs, root, run_job, shown};

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

    /// Writes a state machine and answers the option that names it.
    fn machine(&self, states: &str) -> [String; 2] {
        let path = self.write("machine.json", states);
        ["--state-machine".to_owned(), path.to_str().unwrap().to_owned()]
    }
}

/// A state machine whose children have these states, the first of them `Transform`.
fn around(states: &str) -> String {
    let reader = r#"{"Resource": "arn:aws:states:::s3:listObjectsV2",
        "Parameters": {"Bucket.$": "$.job.source.bucket", "Prefix.$": "$.job.source.prefix"}}"#;
    let batch = r#"{"mapmill": {"version": 1, "run_id.$": "$$.Execution.Name", "correlation_id.$": "$$.Execution.Id",
        "job.$": "$.job"}}"#;
    format!(
        r#"{{"StartAt": "Objects", "States": {{"Objects": {{"Type": "Map", "ItemReader": {reader},
            "ItemBatcher": {{"MaxItemsPerBatch": 10, "BatchInput": {batch}}},
            "ItemProcessor": {{"ProcessorConfig": {{"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"}},
                "StartAt": "Transform", "States": {{{states}}}}},
            "End": true}}}}}}"#
    )
}

/// The state `Transform` with these fields.
fn transform(fields: &str) -> String {
    format!(
        r#""Transform": {{"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke",
            "Parameters": {{"FunctionName": "${{TransformFunctionArn}}", "Payload.$": "$"}}, {fields}}}"#
    )
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
    workshop.check(&job, &["--functions", empty.to_str().unwrap()], 2, &["--functions", "plan", "does not exist"]);
    for name in ["plan", "transform", "report"] {
        workshop.write(&format!("empty/{name}"), "");
    }
    workshop.check(&job, &["--functions", empty.to_str().unwrap()], 2, &["--functions", "is not executable"]);
    assert!(!workshop.path("out").exists(), "nothing is written before everything is checked");
    for (data, out, option) in [
        ("job.yaml", "out", "--data"),
        ("job.yaml/x", "out", "--data"),
        ("data", "job.yaml", "--out"),
        ("data", "job.yaml/x", "--out"),
    ] {
        let run = run_job(&job, &workshop.path(data), &workshop.path(out), &[]);
        let shown = shown(&run.output);
        assert_eq!(run.output.status.code(), Some(2), "{data} {out}: {shown}");
        assert!(shown.contains(&format!("error: {option}: ")) && shown.contains("job.yaml"), "{shown}");
    }
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
    check(change("3.json", "\"StartAt\": \"Plan\"", "\"StartAt\": \"Nowhere\""), &["Nowhere"]);
    check(change("4.json", "${TransformFunctionArn}", "${Something}"), &["Something"]);
    check(workshop.write("5.json", "{"), &["JSON"]);
    assert_eq!(files_below(&workshop.path("out")), Vec::<PathBuf>::new(), "a refused state machine leaves nothing");
}

#[test]
fn an_event_that_is_no_batch_fails_its_batch_by_name() {
    let workshop = Workshop::new();
    let text = std::fs::read_to_string(root().join("statemachine/simple.asl.json")).unwrap();
    let (before, worker) = text.split_once("\"BatchInput\": {").unwrap();
    let worker = worker.replacen("\"version\": 1,", "\"version\": 99,", 1);
    let machine = workshop.write("machine.json", format!("{before}\"BatchInput\": {{{worker}"));
    let words = ["Mapmill.InvalidEvent", "mapmill.version", "States.ExceedToleratedFailureThreshold"];
    workshop.check(&workshop.path("job.yaml"), &["--state-machine", machine.to_str().unwrap()], 1, &words);
}

#[test]
fn a_state_machine_that_hides_the_workers_answers_is_no_success() {
    let check = |states: &str, words: &[&str]| {
        let workshop = Workshop::new();
        let bad = "{version: 1, name: j, source: {bucket: raw}, output: {bucket: clean}, on_failure: fail}";
        let job = workshop.write("fail.yaml", bad);
        workshop.write("data/bad.csv", "a,a\n1,2\n");
        let [option, machine] = workshop.machine(&around(states));
        workshop.check(&job, &[&option, &machine], 1, words);
    };
    let unknown = ["unknown: the state machine hides the workers' answers", "2 in batches without a worker's answer"];
    let caught = r#""Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Swallow"}], "End": true"#;
    check(&format!("{}, \"Swallow\": {{\"Type\": \"Pass\", \"End\": true}}", transform(caught)), &unknown);
    let caught = r#""ResultSelector": {"done": true}, "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Swallow"}], "End": true"#;
    check(&format!("{}, \"Swallow\": {{\"Type\": \"Succeed\"}}", transform(caught)), &unknown);
    check(&transform(r#""OutputPath": "$.Payload", "End": true"#), &["failed in", "Mapmill.BatchFailed"]);
}

#[test]
fn without_a_map_only_what_is_there_is_told() {
    let workshop = Workshop::new();
    let [option, machine] = workshop.machine(r#"{"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}}"#);
    let run = run_job(&workshop.path("job.yaml"), &workshop.path("data"), &workshop.path("out"), &[&option, &machine]);
    let shown = shown(&run.output);
    assert_eq!(run.output.status.code(), Some(0), "{shown}");
    assert!(shown.contains("objects   not known") && shown.contains("  summary   "), "{shown}");
    for absent in ["0 in all", "  records ", "  ledger ", "  results "] {
        assert!(!shown.contains(absent), "{absent}: {shown}");
    }
    assert_eq!(run.summary["items"], serde_json::Value::Null);
}

#[test]
fn objects_that_were_never_started_are_counted() {
    let workshop = Workshop::new();
    for number in 0..40 {
        workshop.write(&format!("data/in/{number}.csv"), "a,a\n1,2\n");
    }
    let bad = "{version: 1, name: j, source: {bucket: raw, prefix: in/}, output: {bucket: clean}, on_failure: fail}";
    let job = workshop.write("fail.yaml", bad);
    let more = ["--max-items", "1", "--max-concurrency", "1"];
    let run = run_job(&job, &workshop.path("data"), &workshop.path("out"), &more);
    let shown = shown(&run.output);
    assert_eq!(run.output.status.code(), Some(1), "{shown}");
    let items = &run.summary["items"];
    let number = |name: &str| items[name].as_u64().unwrap();
    assert!(number("never_started") > 30, "{items}");
    assert_eq!(number("total") + number("in_failed_batches") + number("never_started"), 41, "{items}");
    assert!(
        shown.contains("41 in all") && shown.contains(&format!("{} never started", number("never_started"))),
        "{shown}"
    );
}

#[test]
fn a_run_id_is_accepted_once() {
    let workshop = Workshop::new();
    let job = workshop.path("job.yaml");
    workshop.check(&job, &[], 0, &["succeeded"]);
    let before = files_below(&workshop.path("out"));
    workshop.check(&job, &[], 2, &["_mapmill/test exists", "choose another --run-id"]);
    assert_eq!(files_below(&workshop.path("out")), before);
}

#[test]
fn folders_may_be_relative() {
    let workshop = Workshop::new();
    std::fs::create_dir(workshop.path("functions")).unwrap();
    for name in ["plan", "transform", "report"] {
        std::os::unix::fs::symlink(programs().join(name), workshop.path(&format!("functions/{name}"))).unwrap();
    }
    let line = "run --job job.yaml --data data --out out --functions functions";
    let run =
        Command::new(programs().join("mapmill")).args(line.split(' ')).current_dir(workshop.path("")).output().unwrap();
    assert_eq!(run.status.code(), Some(0), "{}", shown(&run));
    assert_eq!(outputs(&workshop.path("out")).len(), 1);
}

#[test]
fn a_result_that_cannot_be_written_is_a_failure() {
    let workshop = Workshop::new();
    for line in ["check --job job.yaml", "input --job job.yaml", "schema job"] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let run = Command::new(programs().join("mapmill"))
            .args(line.split(' '))
            .current_dir(workshop.path(""))
            .stdout(Stdio::from(full))
            .output()
            .unwrap();
        assert_eq!(run.status.code(), Some(1), "{line}: {}", shown(&run));
        assert!(shown(&run).contains("cannot write to standard output"), "{line}: {}", shown(&run));
    }
}

#[test]
fn a_batch_that_is_too_slow_for_its_function_fails_and_says_what_to_do() {
    let workshop = Workshop::new();
    workshop.write("data/in/big.ndjson", "{\"a\":1}\n".repeat(20 << 20));
    let job = workshop.write(
        "steps.yaml",
        "version: 1\nname: j\nsource: {bucket: raw, prefix: in/}\noutput: {bucket: clean}\nlimits: {checkpoint_bytes: 1GiB}\n",
    );
    let words = ["Mapmill.BatchFailed", "time ran out", "longer function timeout"];
    workshop.check(&job, &["--timeout", "1"], 1, &words);
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
