//! What the tests of the whole share: where things are, and running the real programs.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed expectation is a failed test")]

pub mod fault_proxy;
pub mod function;

use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The checkout.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in the checkout").to_path_buf()
}

/// The folder of the built programs: `cargo test --workspace` builds them beside the tests.
#[must_use]
pub fn programs() -> PathBuf {
    let test_program = std::env::current_exe().unwrap();
    let deps = test_program.ancestors().find(|folder| folder.ends_with("deps"));
    let folder = deps.and_then(Path::parent).expect("test programs lie in target/<profile>/deps").to_path_buf();
    for program in ["mapmill", "plan", "report", "transform"] {
        assert!(folder.join(program).is_file(), "{program} is not built; run `make test` or `cargo test --workspace`");
    }
    folder
}

/// Runs `mapmill` with arguments and waits for its end.
#[must_use]
pub fn mapmill(arguments: &[&str]) -> Output {
    let output = Command::new(programs().join("mapmill")).args(arguments).current_dir(root()).output();
    output.unwrap_or_else(|error| panic!("mapmill cannot be started: {error}"))
}

/// A run of `mapmill run` that has ended.
#[derive(Debug)]
pub struct Run {
    /// Exit code and outputs of the command.
    pub output: Output,
    /// `summary.json`, if it came so far.
    pub summary: Value,
    /// All lines of the ledger, by key.
    pub ledger: BTreeMap<String, Value>,
}

/// Runs a job over a data folder into an output folder, with more arguments. The run's id is `test`.
#[must_use]
pub fn run_job(job: &Path, data: &Path, out: &Path, more: &[&str]) -> Run {
    run_job_as("test", job, data, out, more)
}

/// Like [`run_job`], with a run id of one's own: no id is accepted twice for one output folder.
#[must_use]
pub fn run_job_as(run_id: &str, job: &Path, data: &Path, out: &Path, more: &[&str]) -> Run {
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let (job, data, output_folder) = (text(job), text(data), text(out));
    let mut arguments = vec!["run", "--job", &job, "--data", &data, "--out", &output_folder, "--run-id", run_id];
    arguments.extend(more);
    let output = mapmill(&arguments);
    let files = files_below(out);
    let read = |path: &PathBuf| std::fs::read_to_string(out.join(path)).unwrap();
    let summary = files.iter().find(|path| path.ends_with(format!("_mapmill/{run_id}/summary.json"))).map(read);
    let ledger_folder = format!("_mapmill/{run_id}/ledger/");
    let mut ledger = BTreeMap::new();
    for path in files.iter().filter(|path| path.to_str().unwrap().contains(&ledger_folder)) {
        for line in read(path).lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            let mut key = line["key"].as_str().unwrap().to_owned();
            if let Some(range) = line["range"].as_str() {
                key = format!("{key} {range}");
            }
            assert!(ledger.insert(key.clone(), line).is_none(), "{key} is in the ledger twice");
        }
    }
    let summary = summary.map_or(Value::Null, |text| serde_json::from_str(&text).unwrap());
    Run { output, summary, ledger }
}

/// All files below a folder, as paths relative to it, in order.
#[must_use]
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut waiting = vec![folder.to_path_buf()];
    while let Some(next) = waiting.pop() {
        for entry in std::fs::read_dir(&next).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                files.push(path.strip_prefix(folder).unwrap().to_path_buf());
            }
        }
    }
    files.sort();
    files
}

/// The clean outputs of a run: files of the output folder outside `_mapmill` and `.mapmill`, by path.
#[must_use]
pub fn outputs(out: &Path) -> BTreeMap<String, Vec<u8>> {
    let paths = files_below(out).into_iter().map(|path| path.to_str().unwrap().to_owned());
    let clean = paths.filter(|path| !path.contains("_mapmill/") && !path.starts_with(".mapmill/"));
    clean.map(|path| (path.clone(), std::fs::read(out.join(&path)).unwrap())).collect()
}

/// Both outputs of a program as text, for messages.
#[must_use]
pub fn shown(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!(
        "exit {:?}\n--- stdout\n{}\n--- stderr\n{}",
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr)
    )
}
