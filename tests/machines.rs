//! Every state machine, read as text: what is in it is reached, handled, known and the same everywhere.
#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

use batch::error_name;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use tests::root;

/// The state machines by name.
fn machines() -> BTreeMap<&'static str, Value> {
    let read = |name: &'static str| {
        let text = std::fs::read_to_string(root().join(format!("statemachine/{name}.asl.json"))).unwrap();
        (name, serde_json::from_str(&text).unwrap())
    };
    ["simple", "nested", "packed", "repair"].into_iter().map(read).collect()
}

/// Every machine in a machine, itself first: a Map holds another one.
fn levels(machine: &Value) -> Vec<&Value> {
    let inner = states(machine).values().filter_map(|state| state.get("ItemProcessor"));
    std::iter::once(machine).chain(inner.flat_map(levels)).collect()
}

fn states(machine: &Value) -> &Map<String, Value> {
    machine["States"].as_object().unwrap()
}

/// The states that may come behind a state.
fn next(state: &Value) -> Vec<&str> {
    let list = |name: &str| state[name].as_array().cloned().unwrap_or_default();
    let of_handlers = [list("Catch"), list("Choices")].concat();
    let named = of_handlers.iter().filter_map(|handler| handler["Next"].as_str().map(str::to_owned));
    let own = ["Next", "Default"].iter().filter_map(|name| state[*name].as_str().map(str::to_owned));
    named.chain(own).map(|name| &*name.leak()).collect()
}

#[test]
fn every_state_is_reached_and_every_way_leads_to_a_state() {
    for (name, machine) in machines() {
        for level in levels(&machine) {
            let states = states(level);
            let mut reached = BTreeSet::new();
            let mut waiting = vec![level["StartAt"].as_str().unwrap()];
            while let Some(state) = waiting.pop() {
                assert!(states.contains_key(state), "{name}: there is no state {state}");
                if reached.insert(state.to_owned()) {
                    waiting.extend(next(&states[state]));
                }
            }
            let all: BTreeSet<String> = states.keys().cloned().collect();
            assert_eq!(reached, all, "{name}: these states are reached, and these are there");
            for (title, state) in states {
                let ends =
                    state["End"] == true || ["Succeed", "Fail", "Choice"].iter().any(|kind| state["Type"] == *kind);
                assert!(ends || state["Next"].is_string(), "{name}: {title} leads nowhere");
            }
        }
    }
}

#[test]
fn every_task_is_retried_with_jitter_and_caught() {
    for (name, machine) in machines() {
        let mut tasks = 0;
        for (title, state) in levels(&machine).into_iter().flat_map(states) {
            if state["Type"] != "Task" {
                continue;
            }
            tasks += 1;
            let retriers = state["Retry"].as_array().unwrap_or_else(|| panic!("{name}: {title} has no Retry"));
            for retrier in retriers {
                assert_eq!(retrier["JitterStrategy"], "FULL", "{name}: {title}");
                assert!(retrier["MaxAttempts"].as_u64().unwrap() <= 10, "{name}: {title}");
            }
            let last = state["Catch"].as_array().and_then(|catchers| catchers.last()).unwrap();
            assert_eq!(last["ErrorEquals"], serde_json::json!(["States.ALL"]), "{name}: {title}");
            assert!(state["TimeoutSeconds"].is_u64(), "{name}: {title} has no TimeoutSeconds");
        }
        assert_eq!(tasks, 7, "{name}: plan, report, two messages; worker, table, queue");
    }
}

#[test]
fn every_map_has_a_label_a_writer_and_catches_but_no_retry() {
    for (name, machine) in machines() {
        let mut labels = Vec::new();
        for (title, state) in levels(&machine).into_iter().flat_map(states) {
            if state["Type"] != "Map" {
                continue;
            }
            assert!(state["Retry"].is_null(), "{name}: a Retry of {title} would run every item again");
            assert_eq!(state["ResultWriter"]["Resource"], "arn:aws:states:::s3:putObject", "{name}: {title}");
            assert!(state["Catch"].is_array(), "{name}: {title}");
            labels.push(state["Label"].as_str().unwrap());
            let mode = &state["ItemProcessor"]["ProcessorConfig"];
            let is_outer = labels == ["Groups"];
            assert_eq!(
                (&mode["Mode"], &mode["ExecutionType"]),
                (&"DISTRIBUTED".into(), &if is_outer { "STANDARD" } else { "EXPRESS" }.into())
            );
            for path in ["MaxConcurrencyPath", "ToleratedFailurePercentagePath"] {
                assert!(state[path].is_string(), "{name}: {title} takes {path} of the plan");
            }
        }
        let expected: &[&str] = if name == "nested" { &["Groups", "Objects"] } else { &["Objects"] };
        assert_eq!(labels, expected, "{name}");
    }
}

/// Names of errors that do not come from Mapmill (Step Functions Developer Guide, Handling errors in workflows).
const FOREIGN: [&str; 12] = [
    "Lambda.AWSLambdaException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.SdkClientException",
    "Lambda.ServiceException",
    "Lambda.TooManyRequestsException",
    "Lambda.Unknown",
    "Runtime.ExitError",
    "Sandbox.Timedout",
    "States.ALL",
    "States.ExceedToleratedFailureThreshold",
    "States.ItemReaderFailed",
    "States.ResultWriterFailed",
];

fn texts<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => found.push(text),
        Value::Array(elements) => elements.iter().for_each(|element| texts(element, found)),
        Value::Object(members) => members.values().for_each(|member| texts(member, found)),
        _ => {}
    }
}

#[test]
fn names_of_errors_are_known() {
    let ours: BTreeSet<&str> = error_name::ALL.into_iter().chain([error_name::RUN_FAILED]).collect();
    for (name, machine) in machines() {
        let mut all = Vec::new();
        texts(&machine, &mut all);
        let is_name = |text: &&str| {
            ["Mapmill.", "States.", "Lambda.", "Runtime.", "Sandbox."]
                .iter()
                .any(|beginning| text.starts_with(beginning))
                && text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '.')
        };
        for text in all.into_iter().filter(is_name) {
            let is_known = ours.contains(text)
                || FOREIGN.contains(&text)
                || ["States.TaskFailed", "States.Timeout"].contains(&text);
            assert!(is_known, "{name}: nobody raises {text}");
        }
        assert!(machine.to_string().contains(error_name::RUN_FAILED), "{name}");
    }
}

#[test]
fn states_that_machines_share_are_the_same_text() {
    let machines = machines();
    let simple = &machines["simple"];
    let own = ["Plan", "IsPlanned", "ProcessObjects", "ProcessGroups"];
    let workers = |machine: &Value| {
        let deepest = *levels(machine).last().unwrap();
        (deepest["ProcessorConfig"].to_string(), deepest["StartAt"].to_string(), deepest["States"].to_string())
    };
    for (name, machine) in &machines {
        for (title, state) in states(machine).iter().filter(|(title, _)| !own.contains(&title.as_str())) {
            assert_eq!(state.to_string(), states(simple)[title].to_string(), "{name}: {title}");
        }
        assert_eq!(workers(machine), workers(simple), "{name}: the states of a batch");
        let mut plan = states(machine)["Plan"].clone();
        let payload = &mut plan["Parameters"]["Payload"];
        assert_eq!(payload["strategy"], *name);
        payload["strategy"] = "simple".into();
        payload.as_object_mut().unwrap().remove("repair.$");
        assert_eq!(plan.to_string(), states(simple)["Plan"].to_string(), "{name}: Plan");
        let mut choice = states(machine)["IsPlanned"].clone();
        choice["Default"] = "ProcessObjects".into();
        assert_eq!(choice.to_string(), states(simple)["IsPlanned"].to_string(), "{name}: IsPlanned");
    }
    let map = |name: &str| machines[name]["States"]["ProcessObjects"].to_string();
    assert_eq!(map("repair"), map("packed"), "a repair is a packed run of another plan");
}

#[test]
fn only_known_tokens_are_to_be_filled_in() {
    let known = [
        "TransformFunctionArn",
        "PlanFunctionArn",
        "ReportFunctionArn",
        "NotificationTopicArn",
        "DeadLetterQueueUrl",
        "FailureTableName",
    ];
    for (name, machine) in machines() {
        let text = machine.to_string();
        let found: BTreeSet<&str> = text.split("${").skip(1).map(|rest| rest.split('}').next().unwrap()).collect();
        assert_eq!(found, known.into_iter().collect(), "{name}");
    }
}
