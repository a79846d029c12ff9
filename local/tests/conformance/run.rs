//! Runs one scenario.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use local::asl::{Definition, DefinitionError, Engine, EngineOptions, ExecutionResult, HistoryEvent, parse_input};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use crate::compare::compare;
use crate::matching::Placeholders;
use crate::report::Outcome;
use crate::world::{ACCOUNT, REGION, Watcher, World};

const MACHINE: &str = "conformance-machine";
const EXECUTION: &str = "conformance-execution";

/// Runs a scenario and compares it.
pub(crate) fn scenario(scenario: &Value) -> Outcome {
    let tokens = tokens(scenario);
    let filled = filled(scenario, &tokens);
    let placeholders = Placeholders::of(scenario, &tokens);
    let text = match filled.get("definitionText") {
        Some(text) => text.as_str().unwrap().to_owned(),
        None => filled["definition"].to_string(),
    };
    let expected = &scenario["expected"];
    let definition = match Definition::parse(&text) {
        Ok(definition) => definition,
        Err(error) if expected.get("createStateMachine").is_some() => {
            let found =
                json!({"createStateMachine": {"error": "InvalidDefinition", "message": error.service_message()}});
            return Outcome::Compared(compare(scenario, &found, placeholders));
        }
        Err(error) if expected.get("validateStateMachineDefinition").is_some() => {
            let found = json!({"validateStateMachineDefinition": validation(Some(&error))});
            return Outcome::Compared(compare(scenario, &found, placeholders));
        }
        Err(error) => return Outcome::Refused(error.to_string()),
    };
    let found = if expected.get("createStateMachine").is_some() {
        json!({})
    } else if expected.get("validateStateMachineDefinition").is_some() {
        json!({"validateStateMachineDefinition": validation(None)})
    } else if expected.get("describeStateMachine").is_some() {
        json!({"describeStateMachine": {"variableReferences": definition.variable_references()}})
    } else {
        let input = match filled.get("inputText") {
            Some(text) => parse_input(text.as_str().unwrap()),
            None => Ok(filled["input"].clone()),
        };
        match input {
            Ok(input) => executed(&filled, &tokens, &definition, input),
            Err(error) => json!({"startExecution": {"error": "InvalidExecutionInput", "message": error.to_string()}}),
        }
    };
    Outcome::Compared(compare(scenario, &found, placeholders))
}

/// Runs the execution. Time is paused, so that waits and timeouts take none.
fn executed(filled: &Value, tokens: &BTreeMap<String, String>, definition: &Definition, input: Value) -> Value {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let options = EngineOptions {
            state_machine_name: MACHINE.to_owned(),
            region: REGION.to_owned(),
            account: ACCOUNT.to_owned(),
            ..EngineOptions::default()
        };
        let cancel = CancellationToken::new();
        let watcher = Arc::new(Watcher {
            execution: format!("arn:aws:states:{REGION}:{ACCOUNT}:execution:{MACHINE}:{EXECUTION}"),
            actions: filled["actions"].as_array().cloned().unwrap_or_default(),
            cancel: cancel.clone(),
            events: Mutex::default(),
        });
        let world = Arc::new(World::of(filled, tokens).await);
        let engine = Engine::new(world, options, Arc::clone(&watcher) as Arc<dyn local::observer::Observer>);
        let result: ExecutionResult = engine.run(definition, EXECUTION, input, cancel).await;
        let told = watcher.events.lock().unwrap();
        if let Some(folder) = std::env::var_os("CONFORMANCE_DUMP") {
            let events: Vec<_> = told.iter().map(HistoryEvent::to_json).collect();
            let output = result.output.as_ref().map(Value::to_string);
            let actual = json!({"status": result.status.as_str(), "output": output, "error": result.error,
                "cause": result.cause, "events": events});
            let dump = json!({"name": filled["name"], "actual": actual, "tokens": tokens});
            let file = format!("{}.json", filled["name"].as_str().unwrap());
            std::fs::write(std::path::Path::new(&folder).join(file), dump.to_string()).unwrap();
        }
        let events: Vec<_> = told.iter().map(event).collect();
        let mut found = json!({"status": result.status.as_str(), "output": result.output, "events": events});
        for (name, text) in [("error", result.error), ("cause", result.cause)] {
            if let Some(text) = text {
                found[name] = json!(text);
            }
        }
        found
    })
}

/// An event with its inputs and outputs as values.
fn event(event: &HistoryEvent) -> Value {
    let mut found = json!({"id": event.id, "previousEventId": event.previous_event_id, "type": event.kind});
    if let Some((name, details)) = &event.details {
        found[*name] = Value::Object(details.clone());
    }
    found
}

fn validation(error: Option<&DefinitionError>) -> Value {
    let diagnostics: Vec<_> = error
        .into_iter()
        .map(|error| {
            let diagnostic = error.diagnostic();
            let (code, location, message) = (diagnostic.code, diagnostic.location, diagnostic.message);
            json!({"code": code, "location": location, "message": message, "severity": "ERROR"})
        })
        .collect();
    let result = if diagnostics.is_empty() { "OK" } else { "FAIL" };
    json!({"diagnostics": diagnostics, "result": result, "truncated": false})
}

/// What every token stands for.
fn tokens(scenario: &Value) -> BTreeMap<String, String> {
    let text = scenario.to_string();
    let mut tokens = BTreeMap::new();
    for (at, _) in text.match_indices("${") {
        let Some(end) = text[at..].find('}') else { continue };
        let token = &text[at..=at + end];
        let inside = &token[2..token.len() - 1];
        let name = |name: &str| format!("conformance-{}", name.replace('_', "-"));
        let value = match inside.split_once(':') {
            Some(("Function", function)) => format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{}", name(function)),
            Some(("FunctionName", function)) => name(function),
            _ => match inside {
                "QueueUrl" => format!("https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/conformance-queue"),
                "QueueName" => "conformance-queue".to_owned(),
                "TopicArn" => format!("arn:aws:sns:{REGION}:{ACCOUNT}:conformance-topic"),
                "TopicName" => "conformance-topic".to_owned(),
                other => format!("conformance-{}", other.to_lowercase()),
            },
        };
        tokens.insert(token.to_owned(), value);
        if let Some(("Function", function)) = inside.split_once(':') {
            tokens.insert(format!("${{FunctionName:{function}}}"), name(function));
        }
    }
    for name in scenario["functions"].as_object().into_iter().flatten().map(|(name, _)| name) {
        tokens
            .entry(format!("${{FunctionName:{name}}}"))
            .or_insert_with(|| format!("conformance-{}", name.replace('_', "-")));
    }
    tokens
}

/// The scenario with its tokens filled in; what is expected stays as it is.
fn filled(scenario: &Value, tokens: &BTreeMap<String, String>) -> Value {
    fn fill(value: &Value, tokens: &BTreeMap<String, String>) -> Value {
        let text = |text: &str| tokens.iter().fold(text.to_owned(), |text, (token, value)| text.replace(token, value));
        match value {
            Value::String(found) => Value::String(text(found)),
            Value::Array(elements) => elements.iter().map(|element| fill(element, tokens)).collect(),
            Value::Object(fields) => {
                Value::Object(fields.iter().map(|(name, field)| (text(name), fill(field, tokens))).collect())
            }
            other => other.clone(),
        }
    }
    let fields = scenario.as_object().unwrap().iter().filter(|(name, _)| *name != "expected");
    Value::Object(fields.map(|(name, field)| (name.clone(), fill(field, tokens))).collect::<Map<_, _>>())
}
