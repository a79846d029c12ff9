//! The benches that run real function programs, at a size at which they measure nothing but that they work.
#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

use serde_json::Value;
use tests::{mapmill, programs, shown};

fn figures(line: &str) -> Value {
    let ended = mapmill(&line.split(' ').collect::<Vec<_>>());
    assert_eq!(ended.status.code(), Some(0), "{line}: {}", shown(&ended));
    serde_json::from_slice(&ended.stdout).unwrap()
}

#[test]
fn the_start_of_functions_is_measured() {
    let beside = programs().join("report");
    let found = figures(&format!("bench start --repeat 2 --json --beside {}", beside.display()));
    let names: Vec<&str> = found.as_array().unwrap().iter().map(|row| row["program"].as_str().unwrap()).collect();
    assert_eq!(names, ["report", "plan", "transform", "report"]);
    assert!(found.as_array().unwrap().iter().all(|row| row["median_ms"].as_f64().unwrap() > 0.0), "{found}");
}

#[test]
fn what_is_no_function_is_told_from_one() {
    for (program, words) in [("/bin/true", "it ended before it asked"), ("/nowhere/hello", "/nowhere/hello: ")] {
        let ended = mapmill(&["bench", "start", "--repeat", "1", "--beside", program]);
        assert_eq!(ended.status.code(), Some(2), "{}", shown(&ended));
        assert!(shown(&ended).contains(words), "{words}: {}", shown(&ended));
    }
}

#[test]
fn batches_and_whole_runs_are_measured() {
    let found = figures("bench batch --objects 5 --size 10KB --repeat 1 --json");
    assert_eq!(found["objects"], 5, "{found}");
    let found = figures("bench engine --items 100 --objects 5 --size 10KB --json");
    assert_eq!((&found["items"]["items"], &found["objects"]["objects"]), (&100.into(), &5.into()), "{found}");
}
