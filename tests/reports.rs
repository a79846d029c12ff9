//! Reports by the real program, of what the real worker left behind, over HTTP.

use lambda_shell::testsuite::Invocation;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tests::function::{Workshop, batch};
use tests::{outputs, root, run_job_as, shown};

const GOOD: &str = "folder/good & <b>bold</b>.ndjson";
const BAD: &str = "folder/bad.ndjson.gz";
const NEVER: &str = "folder/never.ndjson";

/// A run of two objects in one batch, and another batch that was never started. Answers the payload of its report.
fn run(workshop: &Workshop) -> Value {
    workshop.put(GOOD, "{\"a\":1}\n{\"a\":2}\nno JSON\n");
    workshop.put(BAD, "no gzip");
    workshop.put(NEVER, "{\"a\":1}\n");
    let parts = json!({"rejects": {"max_ratio": 1.0}, "source": {"bucket": "raw", "prefix": "folder/"}});
    let event = batch("run-1", "reported", &parts, &[GOOD, BAD]);
    let ended = workshop.run(vec![Invocation::new("request-1", event.clone())], 1, &[]);
    let answer = &ended.answers[0].body;
    assert_eq!(answer["items"]["total"], 2, "{answer}");
    let waiting = batch("run-1", "reported", &parts, &[NEVER]);
    let time = |second: u32| format!("2026-11-22T10:00:{second:02}.000Z");
    let child = json!({"Name": "one", "Input": event.to_string(), "Output": answer.to_string(),
        "StartDate": time(1), "StopDate": time(4), "Status": "SUCCEEDED"});
    let files = "_mapmill/run-1/map-run/1b2c";
    workshop.leave(&format!("{files}/SUCCEEDED_0.json"), &json!([child]).to_string());
    workshop
        .leave(&format!("{files}/PENDING_0.json"), &json!([{"Name": "two", "Input": waiting.to_string()}]).to_string());
    let file = |kind: &str| json!([{"Key": format!("{files}/{kind}_0.json"), "Size": 1}]);
    let files_of = json!({"SUCCEEDED": file("SUCCEEDED"), "PENDING": file("PENDING"), "FAILED": []});
    let arn = "arn:aws:states:us-east-1:000000000000:mapRun:simple/Objects:1b2c";
    let manifest = json!({"DestinationBucket": "clean", "MapRunArn": arn, "ResultFiles": files_of});
    workshop.leave(&format!("{files}/manifest.json"), &manifest.to_string());
    workshop.leave("_mapmill/run-1/plan.json", &json!({"version": 1, "strategy": "simple", "items": 3}).to_string());
    json!({"mapmill": event["BatchInput"]["mapmill"], "plan": "s3://clean/_mapmill/run-1/plan.json",
        "map_run": {"bucket": "clean", "key": format!("{files}/manifest.json")}, "failure": null})
}

#[test]
fn the_report_of_a_run_of_the_real_worker() {
    let workshop = Workshop::empty();
    let payload = run(&workshop);
    let ended = workshop.run_program("report", vec![Invocation::new("request-2", payload)], 1, &[]);
    let answer = &ended.answers[0];
    assert!(!answer.is_error, "{answer:?}");
    let answer = &answer.body;
    let items = json!({"total": 3, "succeeded": 1, "failed": 1, "skipped": 0, "unprocessed": 0, "missing": 1, "missing_named": 1});
    assert_eq!((&answer["verdict"], &answer["items"]), (&json!("failed"), &items), "{answer}");
    let file = |name: &str| workshop.read(&format!("_mapmill/run-1/report/{name}"));
    let manifest: Value = serde_json::from_str(&file("manifest.json")).unwrap();
    let output = &manifest["outputs"][0];
    assert_eq!((&output["source"]["key"], &output["records"]), (&json!(GOOD), &json!(2)), "{manifest}");
    assert_eq!(output["rejects"]["records"], 1, "{output}");
    let written = workshop.read(output["key"].as_str().unwrap());
    assert_eq!(output["bytes"], written.len(), "{output}");
    let left: BTreeSet<(String, String)> = file("failed.jsonl")
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|line| (line["key"].as_str().unwrap().to_owned(), line["status"].as_str().unwrap().to_owned()))
        .collect();
    assert_eq!(left, BTreeSet::from([(BAD.to_owned(), "failed".to_owned()), (NEVER.to_owned(), "missing".to_owned())]));
    let figures: Value = serde_json::from_str(&file("report.json")).unwrap();
    assert_eq!((&figures["batches"]["succeeded"], &figures["batches"]["never_started"]), (&json!(1), &json!(1)));
    let page = file("report.html");
    assert!(page.contains("folder/good &amp; &lt;b&gt;bold&lt;/b&gt;.ndjson") && !page.contains("<b>"), "{page}");

    let line = ended.log.iter().find(|line| line["message"] == "report written").unwrap();
    assert_eq!(
        (&line["run_id"], &line["job"], &line["verdict"]),
        (&json!("run-1"), &json!("reported"), &json!("failed"))
    );
    let text = std::fs::read_to_string(root().join("docs/logging.md")).unwrap();
    let section = text.split("\n## Fields of a report\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let documented: BTreeSet<&str> = section
        .lines()
        .filter(|row| row.starts_with("| `"))
        .flat_map(|row| row[1..].split('|').next().unwrap().split('`').skip(1).step_by(2))
        .collect();
    let own = line.as_object().unwrap().keys().map(String::as_str).filter(|name| documented.contains(name));
    assert_eq!(own.collect::<BTreeSet<&str>>(), documented, "{line}");
}

/// The command makes the same report again, from the files of the run alone.
#[test]
fn the_command_makes_a_report_again() {
    let workshop = Workshop::empty();
    let payload = run(&workshop);
    let job = workshop.leave("../job.json", &payload["mapmill"]["job"].to_string());
    let out = workshop.folder("clean");
    let report = |run: &str| {
        let arguments = ["report", "--run", run, "--job", job.to_str().unwrap(), "--out", out.to_str().unwrap()];
        tests::mapmill(&arguments)
    };
    let made = report("run-1");
    let shown = shown(&made);
    assert_eq!(made.status.code(), Some(1), "{shown}");
    for words in
        ["run-1 failed", "3 in all · 1 succeeded · 1 failed · 0 skipped · 0 unprocessed · 1 missing", "report.html"]
    {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    let first = workshop.read("_mapmill/run-1/report/failed.jsonl");
    assert_eq!(first.lines().count(), 2, "{first}");
    assert_eq!(report("run-1").status.code(), Some(1));
    assert_eq!(workshop.read("_mapmill/run-1/report/failed.jsonl"), first);
    assert_eq!(report("never").status.code(), Some(2));
    assert_eq!(report("../run-1").status.code(), Some(2));
}

/// A run in which an object fails, the object mended, and a repair: for every strategy the outputs are
/// those of a run over the mended objects.
#[test]
fn the_command_repairs_until_nothing_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let (data, job) = (folder.path().join("data"), folder.path().join("job.yaml"));
    std::fs::create_dir(&data).unwrap();
    let text = "version: 1\nname: mended\nsource: {bucket: raw}\nrejects: {policy: fail}\noutput: {bucket: clean, prefix: o/, compression: none}\n";
    std::fs::write(&job, text).unwrap();
    for number in 0..12 {
        std::fs::write(
            data.join(format!("{number:02}.ndjson")),
            format!("{{\"number\":{number}}}\n").repeat(number + 1),
        )
        .unwrap();
    }
    let faultless = folder.path().join("faultless");
    let run = run_job_as("first", &job, &data, &faultless, &[]);
    assert_eq!(run.output.status.code(), Some(0), "{}", shown(&run.output));
    assert!(shown(&run.output).contains("report.html"), "{}", shown(&run.output));
    let (whole, expected) = (std::fs::read(data.join("05.ndjson")).unwrap(), outputs(&faultless));
    for strategy in ["simple", "nested", "packed"] {
        let out = folder.path().join(strategy);
        std::fs::write(data.join("05.ndjson"), "[1").unwrap();
        let run = run_job_as("first", &job, &data, &out, &["--strategy", strategy, "--max-items", "3"]);
        assert_eq!(run.output.status.code(), Some(1), "{strategy}: {}", shown(&run.output));
        assert_eq!(outputs(&out).len(), 11, "{strategy}");
        std::fs::write(data.join("05.ndjson"), &whole).unwrap();
        let repair = |of: &str, run: &str| {
            let place = |path: &std::path::Path| path.to_str().unwrap().to_owned();
            let (job, data, out) = (place(&job), place(&data), place(&out));
            let arguments = ["repair", "--run", of, "--run-id", run, "--job", &job, "--data", &data, "--out", &out];
            tests::mapmill(&arguments)
        };
        let report = |run: &str| -> Value {
            let path = out.join(format!("o/_mapmill/{run}/report/report.json"));
            serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
        };
        let second = repair("first", "second");
        assert_eq!(second.status.code(), Some(0), "{strategy}: {}", shown(&second));
        let figures = report("second");
        assert_eq!(
            (&figures["verdict"], &figures["items"]["succeeded"]),
            (&json!("succeeded"), &json!(12)),
            "{figures}"
        );
        assert_eq!(figures["runs"].as_array().unwrap().len(), 2, "{figures}");
        assert_eq!(outputs(&out), expected, "{strategy}");
        assert_eq!(repair("never", "fourth").status.code(), Some(2), "{strategy}");
    }
}
