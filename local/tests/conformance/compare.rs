//! The comparison rules of the recordings.

use std::fmt;

use serde_json::{Map, Value, json};

use crate::matching::Placeholders;

/// What a difference weighs, heaviest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    Outcome,
    Cause,
    Events,
    Links,
}

/// Something that is not as recorded.
#[derive(Debug, Clone)]
pub(crate) struct Difference {
    pub(crate) level: Level,
    pub(crate) path: String,
    expected: String,
    found: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cut = |text: &str| text.chars().take(400).collect::<String>();
        write!(formatter, "{}: expected {}, found {}", self.path, cut(&self.expected), cut(&self.found))
    }
}

/// Keys that never count: headers and request ids of a service's answer.
const IGNORED: [&str; 2] = ["SdkHttpMetadata", "SdkResponseMetadata"];
/// Keys that may be missing on one side.
const OPTIONAL: [&str; 1] = ["RedriveCount"];
/// Keys of a function's error that never count.
const IGNORED_IN_CAUSE: [&str; 2] = ["requestId", "stackTrace"];
const DROPPED_DETAILS: [&str; 4] = ["inputDetails", "outputDetails", "assignedVariablesDetails", "roleArn"];
/// Calls whose answers are compared as they are.
const CALLS: [&str; 4] =
    ["createStateMachine", "startExecution", "validateStateMachineDefinition", "describeStateMachine"];
/// Events that the recorder lost in Parallel states.
const LOST: [&str; 3] = ["ParallelStateSucceeded", "ParallelStateFailed", "ParallelStateExited"];

struct Comparison {
    placeholders: Placeholders,
    differences: Vec<Difference>,
    level: Level,
}

/// Compares what was found with what was recorded. `found` has the keys of `expected`, events with values for texts.
pub(crate) fn compare(scenario: &Value, found: &Value, placeholders: Placeholders) -> Vec<Difference> {
    let expected = &scenario["expected"];
    let mut comparison = Comparison { placeholders, differences: Vec::new(), level: Level::Outcome };
    for call in CALLS {
        match (expected.get(call), found.get(call)) {
            (Some(expected), Some(found)) => comparison.value(expected, found, call, false),
            (Some(wanted), None) if expected.get("status").is_none() => {
                comparison.differ(call, wanted, &json!("nothing"));
            }
            (None, Some(found)) => comparison.differ(call, &json!("nothing"), found),
            _ => {}
        }
    }
    if expected.get("status").is_none() {
        return comparison.differences;
    }
    let events = expected.get("events").and_then(Value::as_array).filter(|events| !events.is_empty());
    for key in ["status", "output", "error"] {
        let compared =
            key != "output" || events.is_some() || (expected["status"] == "SUCCEEDED" && !expected["output"].is_null());
        if compared {
            comparison.value(&expected[key], &found[key], key, false);
        }
    }
    comparison.level = Level::Cause;
    comparison.value(&expected["cause"], &found["cause"], "cause", true);
    if let Some(events) = events {
        let found = found["events"].as_array().cloned().unwrap_or_default();
        comparison.level = Level::Events;
        let events = as_of_today(events, scenario["recorded"].as_str().unwrap_or_default());
        match scenario["eventOrder"].as_str() {
            Some("exact") | None => comparison.in_order(&events, &found),
            order => comparison.as_a_bag(&events, &found, order == Some("parallel-normalised")),
        }
    }
    comparison.differences
}

impl Comparison {
    fn differ(&mut self, path: &str, expected: &Value, found: &Value) {
        let (expected, found) = (expected.to_string(), found.to_string());
        self.differences.push(Difference { level: self.level, path: path.to_owned(), expected, found });
    }

    fn in_order(&mut self, expected: &[Value], found: &[Value]) {
        let kinds = |events: &[Value]| -> Value { events.iter().map(|event| event["type"].clone()).collect() };
        if kinds(expected) != kinds(found) {
            self.differ("types", &kinds(expected), &kinds(found));
            return;
        }
        for (index, (expected, found)) in expected.iter().zip(found).enumerate() {
            self.level = Level::Events;
            let path = format!("events[{index}]");
            self.value(&without_links(expected), &without_links(found), &path, false);
            self.level = Level::Links;
            for key in ["id", "previousEventId"] {
                if expected[key] != found[key] {
                    self.differ(&format!("{path}.{key} of {}", expected["type"]), &expected[key], &found[key]);
                }
            }
        }
    }

    fn as_a_bag(&mut self, expected: &[Value], found: &[Value], lossy: bool) {
        let counts = |event: &&Value| !lossy || !LOST.iter().any(|lost| event["type"] == *lost);
        let mut rest: Vec<_> = found.iter().filter(counts).map(without_links).collect();
        for (index, event) in expected.iter().enumerate().filter(|(_, event)| counts(event)) {
            let event = without_links(event);
            let position = rest.iter().position(|candidate| {
                let mut tried =
                    Self { placeholders: self.placeholders.clone(), differences: Vec::new(), level: self.level };
                tried.value(&event, candidate, "", false);
                let same = tried.differences.is_empty();
                if same {
                    self.placeholders = tried.placeholders;
                }
                same
            });
            match position {
                Some(position) => drop(rest.remove(position)),
                None => self.differ(&format!("events[{index}]"), &event, &json!("no such event")),
            }
        }
        for event in rest {
            self.differ("events", &json!("no such event"), &event);
        }
    }

    fn value(&mut self, expected: &Value, found: &Value, path: &str, cause: bool) {
        match (expected, found) {
            (Value::String(word), _) if self.placeholders.is_any_value(word) => {}
            (Value::String(word), Value::Number(_)) if word == "date" && self.placeholders.masks_dates() => {}
            (Value::Object(_), Value::String(text)) if cause => match object_of(text) {
                Some(parsed) => self.value(expected, &parsed, path, cause),
                None => self.differ(path, expected, found),
            },
            (Value::Object(expected), Value::Object(found)) => self.object(expected, found, path, cause),
            (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
                for (index, (expected, found)) in left.iter().zip(right).enumerate() {
                    self.value(expected, found, &format!("{path}[{index}]"), cause);
                }
            }
            (Value::String(left), Value::String(right)) => {
                let objects = if cause { object_of(left).zip(object_of(right)) } else { None };
                match objects {
                    Some((left, right)) => self.value(&left, &right, path, true),
                    None if self.placeholders.matches(left, right) => {}
                    None => self.differ(path, expected, found),
                }
            }
            (Value::Number(left), Value::Number(right)) if left.as_f64() == right.as_f64() => {}
            _ if expected == found => {}
            _ => self.differ(path, expected, found),
        }
    }

    fn object(&mut self, expected: &Map<String, Value>, found: &Map<String, Value>, path: &str, cause: bool) {
        let mut keys: Vec<_> = expected.keys().chain(found.keys()).map(String::as_str).collect();
        keys.sort_unstable();
        keys.dedup();
        for key in keys {
            if IGNORED.contains(&key) || (cause && IGNORED_IN_CAUSE.contains(&key)) {
                continue;
            }
            let path = format!("{path}.{key}");
            match (expected.get(key), found.get(key)) {
                (Some(expected), Some(found)) => {
                    self.value(expected, found, &path, cause || matches!(key, "cause" | "Cause"));
                }
                _ if OPTIONAL.contains(&key) => {}
                (expected, found) => {
                    let absent = json!("nothing");
                    self.differ(&path, expected.unwrap_or(&absent), found.unwrap_or(&absent));
                }
            }
        }
    }
}

/// Since November 2024 the service links the end of a Distributed Map to the start of its Map Run, before to its success:
/// older recordings are read as they would be made today.
fn as_of_today(events: &[Value], recorded: &str) -> Vec<Value> {
    let mut events = events.to_vec();
    if recorded < "2024-11" {
        let numbers = |kind: &str| -> Vec<Value> {
            events.iter().filter(|event| event["type"] == kind).map(|event| event["id"].clone()).collect()
        };
        let moved: Vec<_> = numbers("MapRunSucceeded").into_iter().zip(numbers("MapRunStarted")).collect();
        for event in events.iter_mut().filter(|event| event["type"] == "MapStateExited") {
            if let Some((_, started)) = moved.iter().find(|(succeeded, _)| event["previousEventId"] == *succeeded) {
                event["previousEventId"] = started.clone();
            }
        }
    }
    events
}

fn object_of(text: &str) -> Option<Value> {
    serde_json::from_str::<Value>(text).ok().filter(Value::is_object)
}

/// An event without its number, its link, empty details and what never counts.
fn without_links(event: &Value) -> Value {
    let mut kept = Map::new();
    for (key, value) in event.as_object().into_iter().flatten() {
        match value {
            _ if matches!(key.as_str(), "id" | "previousEventId" | "timestamp") => {}
            Value::Object(details) => {
                let counts = |name: &&String| !DROPPED_DETAILS.contains(&name.as_str()) && !name.ends_with("Text");
                let details: Map<_, _> = details
                    .iter()
                    .filter(|(name, _)| counts(name))
                    .map(|(name, value)| (name.clone(), value.clone()))
                    .collect();
                if !details.is_empty() {
                    kept.insert(key.clone(), Value::Object(details));
                }
            }
            other => drop(kept.insert(key.clone(), other.clone())),
        }
    }
    Value::Object(kept)
}

#[test]
fn rules() {
    let scenario = json!({
        "placeholders": {"<id>": {"any": "an id"}, "v": {"anyValue": "x"}},
        "eventOrder": "exact",
        "expected": {
            "status": "SUCCEEDED", "output": {"a": 1, "id": "x-<id>", "any": "v", "Cause": "{\"requestId\": \"1\", \"e\": 2}"},
            "events": [{"id": 1, "previousEventId": 0, "type": "ExecutionStarted", "executionStartedEventDetails": {"input": {}}}],
        },
    });
    let output =
        json!({"a": 1.0, "id": "x-7", "any": [1], "Cause": "{\"e\":2,\"requestId\":\"9\"}", "SdkHttpMetadata": 1});
    let event = json!({"id": 1, "previousEventId": 0, "type": "ExecutionStarted",
        "executionStartedEventDetails": {"input": {}, "roleArn": "r"}});
    let check = |change: &dyn Fn(&mut Value), expected: &[Level]| {
        let mut found = json!({"status": "SUCCEEDED", "output": output, "events": [event]});
        change(&mut found);
        let placeholders = Placeholders::of(&scenario, &std::collections::BTreeMap::new());
        let levels: Vec<_> =
            compare(&scenario, &found, placeholders).iter().map(|difference| difference.level).collect();
        assert_eq!(levels, expected, "{found}");
    };
    check(&|_| {}, &[]);
    check(&|found| found["status"] = json!("FAILED"), &[Level::Outcome]);
    check(&|found| found["output"]["a"] = json!(true), &[Level::Outcome]);
    check(&|found| found["output"]["id"] = json!("y-7"), &[Level::Outcome]);
    check(&|found| found["output"]["extra"] = json!(null), &[Level::Outcome]);
    check(&|found| found["output"]["Cause"] = json!("{\"e\": 3}"), &[Level::Outcome]);
    check(&|found| found["cause"] = json!("why"), &[Level::Cause]);
    check(&|found| found["events"][0]["type"] = json!("Other"), &[Level::Events]);
    check(&|found| found["events"][0]["executionStartedEventDetails"]["input"] = json!(1), &[Level::Events]);
    check(&|found| found["events"][0]["previousEventId"] = json!(1), &[Level::Links]);
}
