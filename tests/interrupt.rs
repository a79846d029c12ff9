//! Ctrl-C ends a run in order: exit code 130, no process left, nothing half-written.
#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tests::{files_below, programs};

/// Processes whose environment holds a text.
fn processes_with(text: &str) -> Vec<String> {
    let entries = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let ids = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let has_text = |id: &String| {
        let environment = std::fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
        String::from_utf8_lossy(&environment).contains(text)
    };
    ids.filter(|id| id.bytes().all(|byte| byte.is_ascii_digit())).filter(has_text).collect()
}

#[test]
fn ctrl_c_stops_everything_that_was_started() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let line = format!("{{\"text\":\"{}\"}}\n", "x".repeat(1000));
    for number in 0..8 {
        std::fs::write(data.join(format!("{number}.ndjson")), line.repeat(200_000)).unwrap();
    }
    // The bucket's name is in the environment of the function processes.
    let bucket = format!("interrupted-{}", std::process::id());
    let job = folder.path().join("job.yaml");
    std::fs::write(&job, format!("{{version: 1, name: j, source: {{bucket: raw}}, output: {{bucket: {bucket}}}}}"))
        .unwrap();
    let out = folder.path().join("out");
    let mut run = Command::new(programs().join("mapmill"))
        .args(["run", "--max-items", "1", "--job"])
        .arg(&job)
        .arg("--data")
        .arg(&data)
        .arg("--out")
        .arg(&out)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while processes_with(&bucket).is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(60), "no function process was started");
        std::thread::sleep(Duration::from_millis(5));
    }
    let killed = Command::new("kill").args(["-INT", &run.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let stopped = Instant::now();
    let status = loop {
        if let Some(status) = run.try_wait().unwrap() {
            break status;
        }
        assert!(stopped.elapsed() < Duration::from_secs(30), "mapmill does not stop");
        std::thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(status.code(), Some(130));
    assert_eq!(processes_with(&bucket), Vec::<String>::new(), "function processes are left");
    let half_written: Vec<_> =
        files_below(&out).into_iter().filter(|path| path.starts_with(".mapmill/staging")).collect();
    assert!(half_written.is_empty(), "{half_written:?}");
}
