//! `mapmill serve` driven by boto3: the APIs of S3, Step Functions and Lambda together, with a real function process.
//!
//! Needs python3 and PyPI; without them it says that it is skipped.

#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]
#![expect(clippy::print_stderr, reason = "a skipped test says so")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A virtual environment with boto3, or `None` where that cannot be had.
fn python(folder: &Path) -> Option<PathBuf> {
    let venv = folder.join("venv");
    let quiet = |command: &mut Command| command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    let made = quiet(Command::new("python3").args(["-m", "venv"]).arg(&venv)).is_ok_and(|status| status.success());
    let python = venv.join("bin/python");
    let install = ["-m", "pip", "install", "--quiet", "boto3==1.44.5"];
    let installed = made && quiet(Command::new(&python).args(install)).is_ok_and(|status| status.success());
    if !installed {
        eprintln!("skipped: boto3 cannot be installed here");
    }
    installed.then_some(python)
}

/// Starts the command and reads the variables that it prints.
fn serve(arguments: &[&str]) -> (Child, Vec<(String, String)>) {
    let mut process = Command::new(env!("CARGO_BIN_EXE_mapmill"))
        .arg("serve")
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let variables = lines.take(7).map(|line| {
        let line = line.unwrap();
        let (name, value) = line.strip_prefix("export ").unwrap().split_once('=').unwrap();
        (name.to_owned(), value.to_owned())
    });
    (process, variables.collect())
}

/// Ids of the processes whose command line has this text.
fn processes_with(text: &str) -> Vec<String> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let with_text = entries.filter(|entry| {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(text)
    });
    with_text.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn boto3_drives_everything_and_nothing_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let Some(python) = python(folder.path()) else { return };
    let bootstrap = folder.path().join("bootstrap.py");
    std::fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/serve/bootstrap.py"), &bootstrap).unwrap();
    let function = format!("work={}", bootstrap.display());
    let (mut process, variables) =
        serve(&["--function", &function, "--env", "BUCKET=raw", "--memory", "256", "--limit-memory"]);
    let driven = Command::new(python)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/serve/drive.py"))
        .envs(variables)
        .env("NO_PROXY", "127.0.0.1")
        .status()
        .unwrap();
    let script = bootstrap.display().to_string();
    assert!(driven.success(), "the script prints what failed");
    assert!(!processes_with(&script).is_empty(), "a function waits for more");
    assert!(Command::new("kill").args(["-INT", &process.id().to_string()]).status().unwrap().success());
    assert_eq!(process.wait().unwrap().code(), Some(130));
    assert_eq!(processes_with(&script), Vec::<String>::new());
}
