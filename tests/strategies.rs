//! The strategies through their real state machines, with the real programs.
#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tests::{Run, files_below, outputs, run_job_as, shown};

const JOB: &str = "
version: 1
name: strategies
source: {bucket: raw, prefix: in/, include: ['**/*.ndjson', '**/*.csv']}
output: {bucket: clean, prefix: out/, compression: none}
";

struct Case {
    folder: tempfile::TempDir,
    job: PathBuf,
    data: PathBuf,
}

impl Case {
    fn new(job: &str, objects: &[(String, String)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (path, data) = (folder.path().join("job.yaml"), folder.path().join("data"));
        std::fs::write(&path, job).unwrap();
        std::fs::create_dir(&data).unwrap();
        for (key, text) in objects {
            let path = data.join(key);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Self { folder, job: path, data }
    }

    fn out(&self, strategy: &str) -> PathBuf {
        self.folder.path().join(format!("out-{strategy}"))
    }

    fn run(&self, strategy: &str, more: &[&str]) -> Run {
        let arguments = [&["--strategy", strategy], more].concat();
        run_job_as("test", &self.job, &self.data, &self.out(strategy), &arguments)
    }

    /// `plan.json`, and the lines of `units.jsonl` if there are any.
    fn plan(&self, strategy: &str) -> (Value, Vec<Value>) {
        let folder = self.out(strategy).join("out/_mapmill/test");
        let plan = serde_json::from_slice(&std::fs::read(folder.join("plan.json")).unwrap()).unwrap();
        let units = std::fs::read_to_string(folder.join("units/units.jsonl")).unwrap_or_default();
        (plan, units.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
    }
}

fn records(first: u64, count: u64, width: usize) -> String {
    (first..first + count).map(|number| format!("{{\"id\":{number},\"note\":\"{}\"}}\n", "n".repeat(width))).collect()
}

/// Outputs of objects by key; those of ranges are put together in their order.
fn whole_outputs(out: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut whole: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for (name, bytes) in outputs(out) {
        let key = name.split(".bytes-").next().unwrap().trim_end_matches(".ndjson").to_owned();
        whole.entry(key).or_default().extend(bytes);
    }
    whole
}

#[test]
fn every_strategy_gives_the_same_records() {
    let mut objects: Vec<(String, String)> =
        (0..60).map(|number| (format!("in/{number:03}.ndjson"), records(number * 10, 10, 20))).collect();
    objects.push(("in/huge.ndjson".to_owned(), records(1000, 60_000, 600)));
    objects.push(("in/left-out.txt".to_owned(), "text".to_owned()));
    objects.push(("in/empty.csv".to_owned(), String::new()));
    let case = Case::new(JOB, &objects);
    for (strategy, more) in
        [("simple", ["--max-items", "7"]), ("nested", ["--max-items", "7"]), ("packed", ["--max-items", "30"])]
    {
        let run = case.run(strategy, &more);
        let shown = shown(&run.output);
        assert_eq!(run.output.status.code(), Some(0), "{strategy}: {shown}");
        assert_eq!(run.summary["records"]["written"], 60_600, "{strategy}: {shown}");
        let (plan, units) = case.plan(strategy);
        let items: u64 = ["succeeded", "skipped"].iter().map(|name| run.summary["items"][name].as_u64().unwrap()).sum();
        assert_eq!(plan["items"], items, "{strategy}: the plan counts what workers answer for");
        assert_eq!(plan["survey"]["left_out"]["not_included"], 1);
        if strategy == "packed" {
            assert!(units.len() > 3, "{} batches", units.len());
            assert_eq!(plan["units"]["lines"], units.len());
            assert_eq!(run.summary["batches"]["total"], units.len());
            let parts = files_below(&case.out(strategy))
                .iter()
                .filter(|path| path.to_str().unwrap().contains("huge.ndjson.bytes-"))
                .count();
            assert!(parts > 1, "the huge object is cut into {parts} ranges");
        } else {
            assert_eq!((items, units.len()), (63, 0), "{strategy}");
        }
    }
    let simple = whole_outputs(&case.out("simple"));
    assert_eq!(simple.len(), 61);
    for strategy in ["nested", "packed"] {
        assert!(whole_outputs(&case.out(strategy)) == simple, "{strategy} gives other outputs than simple");
    }
}

#[test]
fn a_source_without_objects_is_reported_on() {
    let case = Case::new(JOB, &[("other/a.csv".to_owned(), "a\n1\n".to_owned())]);
    for strategy in ["simple", "nested", "packed"] {
        let run = case.run(strategy, &[]);
        assert_eq!(run.summary["status"], "SUCCEEDED", "{strategy}: {}", shown(&run.output));
        assert_eq!(case.plan(strategy).0["items"], 0);
    }
}

#[test]
fn a_run_that_must_fail_ends_before_it_begins() {
    let job = format!("{JOB}record: {{set: {{note: {}}}}}\n", "n".repeat(230_000));
    let case = Case::new(&job, &[("in/a.csv".to_owned(), "a\n1\n".to_owned())]);
    for strategy in ["simple", "nested", "packed"] {
        let run = case.run(strategy, &[]);
        assert_eq!(run.output.status.code(), Some(1), "{}", shown(&run.output));
        assert_eq!(run.summary["error"], "Mapmill.PlanRefused", "{}", shown(&run.output));
        let cause = run.summary["cause"].as_str().unwrap();
        assert!(cause.contains("MaxInputBytesPerBatch") && cause.contains("s3:// address"), "{cause}");
        assert!(outputs(&case.out(strategy)).is_empty());
    }
}

#[test]
fn a_batch_that_fails_is_recorded_and_fails_the_map() {
    let job = format!("{JOB}on_failure: fail\n");
    let case = Case::new(&job, &[("in/bad.csv".to_owned(), "a,a\n1,2\n".to_owned())]);
    let run = case.run("simple", &[]);
    let failures = &run.summary["batch_failures"];
    assert_eq!(failures[0]["error"], "Mapmill.BatchFailed", "{}", shown(&run.output));
    assert_eq!(run.summary["batches"]["failed"], 1);
}

#[test]
fn the_command_plan_looks_at_a_folder_with_the_function() {
    let objects: Vec<(String, String)> =
        (0..20).map(|number| (format!("in/{number:02}.ndjson"), records(0, 10, 20))).collect();
    let case = Case::new(JOB, &objects);
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let (job, data) = (text(&case.job), text(&case.data));
    let output = tests::mapmill(&["plan", "--job", &job, "--source", &data, "--json"]);
    assert!(output.status.success(), "{}", shown(&output));
    let plan: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&plan["recommended"], &plan["plans"][0]["forecast"]["items"]), (&json!("simple"), &json!(20)));
    assert_eq!(plan["survey"]["largest"][0]["key"], "in/00.ndjson");
    let table = tests::mapmill(&["plan", "--job", &job, "--source", &data, "--compare"]);
    assert!(table.status.success() && shown(&table).contains("recommended: simple"), "{}", shown(&table));
    let refused = tests::mapmill(&["plan", "--job", &job, "--source", &data, "--max-items", "10001"]);
    assert!(refused.status.code() == Some(1) && shown(&refused).contains("items of a batch"), "{}", shown(&refused));
    let missing = tests::mapmill(&["plan", "--job", &job, "--source", "no-such-folder"]);
    assert_eq!(missing.status.code(), Some(2), "{}", shown(&missing));
}
