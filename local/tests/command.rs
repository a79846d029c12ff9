//! The `mapmill` command as a process: what it prints, where, and how it exits.

#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

const JOB: &str = "version: 1\nname: clean\nsource: {bucket: raw, prefix: in/}\noutput: {bucket: clean}\n";

fn mapmill(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mapmill"));
    command.current_dir(folder).stdin(Stdio::null());
    command
}

fn run(folder: &Path, line: &str) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = mapmill(folder).args(line.split_whitespace()).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

#[test]
fn exit_codes_and_streams() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("job.yaml"), JOB).unwrap();
    std::fs::write(folder.path().join("bad.yaml"), "version: 1\nname: x\nsorce: {}\n").unwrap();
    std::fs::write(folder.path().join("a.csv"), "id\n1\n2\n").unwrap();
    let check = |line: &str, code: i32, in_stdout: &str, in_stderr: &str| {
        let (found, stdout, stderr) = run(folder.path(), line);
        assert_eq!(found, Some(code), "{line}\n{stdout}\n{stderr}");
        assert!(stdout.contains(in_stdout), "{line}: {stdout}");
        assert!(stderr.contains(in_stderr), "{line}: {stderr}");
    };
    check("--help", 0, "Serve the APIs", "");
    check("--version", 0, "mapmill", "");
    check("", 2, "", "Usage");
    check("nonsense", 2, "", "unrecognized subcommand");
    check("check --job job.yaml", 0, "s3://raw/in/", "");
    check("check --job bad.yaml", 2, "", "did you mean `source`?");
    check("check --job none.yaml", 2, "", "cannot read none.yaml");
    check("input --job job.yaml --max-items 7", 0, "\"max_items\": 7", "");
    check("schema job", 0, "\"$schema\"", "");
    check("sample --from a.csv --objects 2 --size 1KB --seed 1 --out s", 0, "2 objects", "");
    check("sample --from a.csv --objects 2 --size 1KB --seed 1 --out s", 2, "", "is not empty");
    check("sample --from none.csv --objects 2 --size 1KB --seed 1 --out t", 2, "", "cannot read none.csv");
    check("serve --data none --bucket raw", 2, "", "cannot open folder none");
    check("serve --data a.csv --bucket raw", 2, "", "a.csv is not a folder");
    check("serve --data . --bucket Wrong", 2, "", "not valid");
    check("serve --data s --bucket raw --out s/out", 2, "", "overlap");
    check("serve --data s", 2, "", "has files, but keeps no store");
    assert!(folder.path().join("s/000/part-000001.csv").exists());
}

#[test]
fn serve_prints_the_environment_and_stops_on_signals() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.csv"), "id\n1\n").unwrap();
    std::fs::create_dir(folder.path().join("data")).unwrap();
    let check = |signal: &str, code: i32| {
        let mut process = mapmill(folder.path())
            .args(["serve", "--data", "data", "--bucket", "raw", "--out", "out", "--out-bucket", "clean"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut next = || lines.next().unwrap().unwrap();
        let endpoint = next();
        let address = endpoint.strip_prefix("export AWS_ENDPOINT_URL_S3=http://").unwrap();
        assert!(next().starts_with("export AWS_ACCESS_KEY_ID="));
        assert!(next().starts_with("export AWS_SECRET_ACCESS_KEY="));
        assert!(next().starts_with("export AWS_REGION="));
        assert!(next().starts_with("export AWS_DEFAULT_REGION="));
        for name in ["AWS_ENDPOINT_URL_SFN", "AWS_ENDPOINT_URL_LAMBDA"] {
            let line = next();
            let address = line.strip_prefix(&format!("export {name}=http://")).unwrap();
            std::net::TcpStream::connect(address).unwrap();
        }
        std::net::TcpStream::connect(address).unwrap();
        let killed = Command::new("kill").args([signal, &process.id().to_string()]).status().unwrap();
        assert!(killed.success());
        assert_eq!(process.wait().unwrap().code(), Some(code), "{signal}");
        assert!(!folder.path().join("out/.mapmill").exists(), "the staging folder is tidied up");
    };
    check("-INT", 130);
    check("-TERM", 0);
    check("-HUP", 129);
    check("-QUIT", 131);
}
