//! What crosses a wall has one name on both sides.
#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

use batch::error_name;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use tests::{files_below, root};

fn state_machines() -> BTreeMap<String, Value> {
    let folder = root().join("statemachine");
    let files = files_below(&folder);
    let machines: BTreeMap<String, Value> = files
        .iter()
        .filter(|path| path.to_str().unwrap().ends_with(".asl.json"))
        .map(|path| {
            let text = std::fs::read_to_string(folder.join(path)).unwrap();
            (path.display().to_string(), serde_json::from_str(&text).unwrap())
        })
        .collect();
    assert!(!machines.is_empty());
    machines
}

/// Every text under a member of this name, at any depth.
fn texts_under(name: &str, value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                if key == name {
                    let list = member.as_array().cloned().unwrap_or_else(|| vec![member.clone()]);
                    found.extend(list.iter().filter_map(Value::as_str).map(str::to_owned));
                }
                texts_under(name, member, found);
            }
        }
        Value::Array(elements) => elements.iter().for_each(|element| texts_under(name, element, found)),
        _ => {}
    }
}

#[test]
fn state_machines_and_functions_agree_on_error_names() {
    let known: BTreeSet<&str> = error_name::ALL.into_iter().collect();
    let mut matched = BTreeSet::new();
    for (file, machine) in state_machines() {
        let mut names = BTreeSet::new();
        texts_under("ErrorEquals", &machine, &mut names);
        for name in names.iter().filter(|name| name.starts_with("Mapmill.")) {
            assert!(known.contains(name.as_str()), "{file} matches {name}, which no function raises");
        }
        matched.extend(names);
        let mut raised = BTreeSet::new();
        texts_under("Error", &machine, &mut raised);
        for name in raised.iter().filter(|name| name.starts_with("Mapmill.")) {
            assert!(known.contains(name.as_str()), "{file} raises {name}, which is no name of ours");
        }
    }
    for name in known {
        assert!(matched.contains(name), "{name} is raised but matched by no state machine");
    }
}

#[test]
fn every_function_task_is_retried_and_caught_and_no_map_is_retried() {
    fn visit(file: &str, name: &str, state: &Value) {
        match state["Type"].as_str().unwrap_or_default() {
            "Task" => {
                assert!(state["Retry"].is_array(), "{file}: {name} has no Retry");
                assert!(state["Catch"].is_array(), "{file}: {name} has no Catch");
                for retry in state["Retry"].as_array().unwrap() {
                    assert_eq!(retry["JitterStrategy"], "FULL", "{file}: {name} retries without jitter");
                }
            }
            "Map" => {
                assert!(state["Retry"].is_null(), "{file}: a Retry of the Map {name} would run every item again");
                assert!(state["Label"].is_string(), "{file}: {name} has no Label");
                assert!(state["ResultWriter"].is_object(), "{file}: {name} has no ResultWriter");
                let mut caught = BTreeSet::new();
                texts_under("ErrorEquals", &state["Catch"], &mut caught);
                for error in ["ItemReaderFailed", "ResultWriterFailed", "ExceedToleratedFailureThreshold"] {
                    assert!(caught.contains(&format!("States.{error}")), "{file}: {name} does not catch {error}");
                }
                visit_all(file, &state["ItemProcessor"]);
            }
            _ => {}
        }
    }
    fn visit_all(file: &str, machine: &Value) {
        for (name, state) in machine["States"].as_object().unwrap() {
            visit(file, name, state);
        }
    }
    for (file, machine) in state_machines() {
        visit_all(&file, &machine);
    }
}

#[test]
fn state_machines_hold_no_arn_of_an_account() {
    for (file, machine) in state_machines() {
        let text = machine.to_string();
        for part in text.split("arn:").skip(1) {
            let service = part.split(['"', '\\']).next().unwrap();
            assert!(service.starts_with("aws:states:::"), "{file} holds arn:{service}");
        }
    }
}
