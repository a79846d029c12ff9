//! A state machine's definition: its states, its placeholders, and the values of its fields in an example of a run.

use crate::{TemplateError, read};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A definition in `statemachine/`, with or without its placeholders filled in.
#[derive(Debug, Clone)]
pub struct Definition {
    /// Its path in the checkout.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// A state, wherever it stands.
#[derive(Debug, Clone)]
pub struct State {
    /// Its name.
    pub name: String,
    /// Its definition.
    pub value: Value,
    /// Whether it is inside a Distributed Map, and so runs in a child.
    pub is_in_child: bool,
}

impl Definition {
    /// Reads a definition.
    ///
    /// # Errors
    /// The file is not there.
    pub fn read(path: &str) -> Result<Self, TemplateError> {
        Ok(Self { path: path.to_owned(), text: read(path)? })
    }

    /// The names between `${` and `}`, which the template fills in.
    #[must_use]
    pub fn placeholders(&self) -> BTreeSet<String> {
        self.text.split("${").skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name.to_owned()).collect()
    }

    /// The definition with its placeholders filled in, as CloudFormation does it.
    #[must_use]
    pub fn filled(&self, substitutions: &Value) -> Self {
        let mut text = self.text.clone();
        for (name, value) in substitutions.as_object().into_iter().flatten() {
            text = text.replace(&format!("${{{name}}}"), value.as_str().unwrap_or_default());
        }
        Self { path: self.path.clone(), text }
    }

    /// All states, those inside maps and branches as well.
    ///
    /// # Errors
    /// The text is no JSON.
    pub fn states(&self) -> Result<Vec<State>, TemplateError> {
        let value: Value = serde_json::from_str(&self.text)
            .map_err(|source| TemplateError::NotJson { path: self.path.clone(), source })?;
        let mut found = Vec::new();
        gather(&value, false, &mut found);
        Ok(found)
    }

    /// The labels of its Distributed Maps.
    ///
    /// # Errors
    /// The text is no JSON.
    pub fn labels(&self) -> Result<BTreeSet<String>, TemplateError> {
        let states = self.states()?;
        Ok(states.iter().filter_map(|state| state.value["Label"].as_str()).map(str::to_owned).collect())
    }
}

impl State {
    /// Whether it is a Map whose iterations are executions of their own.
    #[must_use]
    pub fn is_distributed(&self) -> bool {
        self.value["ItemProcessor"]["ProcessorConfig"]["Mode"] == "DISTRIBUTED"
    }

    /// A text among the fields of `Parameters` or `ItemReader`: as it stands, or from the example if it is a path.
    ///
    /// # Errors
    /// It is not there, or a path that the example does not have.
    pub fn parameter(&self, parameters: &Value, name: &str) -> Result<String, TemplateError> {
        let found = match (&parameters[name], &parameters[format!("{name}.$")]) {
            (Value::String(text), _) => Some(text.clone()),
            (_, Value::String(path)) => evaluate(path),
            _ => None,
        };
        found.ok_or_else(|| {
            TemplateError::Invalid(format!(
                "the state {} has no {name} that the example gives: {parameters}",
                self.name
            ))
        })
    }
}

fn gather(machine: &Value, is_in_child: bool, found: &mut Vec<State>) {
    for (name, value) in machine["States"].as_object().into_iter().flatten() {
        let state = State { name: name.clone(), value: value.clone(), is_in_child };
        let is_distributed = state.is_distributed();
        found.push(state);
        gather(&value["ItemProcessor"], is_in_child || is_distributed, found);
        for branch in value["Branches"].as_array().into_iter().flatten() {
            gather(branch, is_in_child, found);
        }
    }
}

/// What a path or `States.Format` gives in the example of a run.
#[must_use]
pub fn evaluate(expression: &str) -> Option<String> {
    if let Some(arguments) = expression.strip_prefix("States.Format(").and_then(|rest| rest.strip_suffix(')')) {
        let mut arguments = arguments.split(',').map(str::trim);
        let mut text = arguments.next()?.trim_matches('\'').to_owned();
        for argument in arguments {
            text = text.replacen("{}", &evaluate(argument)?, 1);
        }
        return Some(text);
    }
    let (start, path) = match expression.strip_prefix("$$.") {
        Some(path) => (context(), path),
        None => (example(), expression.strip_prefix("$.")?),
    };
    let found = path.split('.').try_fold(&start, |value, name| value.get(name))?;
    found.as_str().map(str::to_owned).or_else(|| found.as_u64().map(|number| number.to_string()))
}

/// The context object in the example.
fn context() -> Value {
    json!({
        "Execution": {"Name": "run-1", "Id": "arn:aws:states:eu-central-1:111122223333:execution:mill-simple:run-1"},
        "Map": {"Item": {"Value": "x", "Index": 0}},
    })
}

/// What stands in the state in the example: the input of an execution, the plan's answer, and a batch.
fn example() -> Value {
    let places = json!({"source": {"bucket": "raw", "prefix": "in/2026/"}, "output": {"bucket": "clean", "prefix": "out/2026/"}});
    let mut plan = json!({
        "version": 1,
        "run_id": "run-1",
        "units": {"bucket": "clean", "key": "out/2026/_mapmill/run-1/units/units.jsonl", "lines": 3},
        "results": {"bucket": "clean", "prefix": "out/2026/_mapmill/run-1/map-run"},
        "plan": "s3://clean/out/2026/_mapmill/run-1/plan.json",
    });
    for (name, value) in places.as_object().into_iter().flatten() {
        plan[name] = value.clone();
    }
    let mapmill = json!({"version": 1, "run_id": "run-1", "correlation_id": "x", "job": places, "results": plan["results"], "plan": plan["plan"]});
    json!({
        "job": places,
        "plan": plan,
        "BatchInput": {"mapmill": mapmill, "results": plan["results"]},
        "mapmill": mapmill,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_looked_up_in_the_example() {
        for (expression, expected) in [
            ("$.job.source.bucket", Some("raw")),
            ("$$.Execution.Name", Some("run-1")),
            ("$.plan.units.lines", Some("3")),
            ("$.nothing.there", None),
            (
                "States.Format('{}_mapmill/{}/map-run', $.job.output.prefix, $$.Execution.Name)",
                Some("out/2026/_mapmill/run-1/map-run"),
            ),
        ] {
            assert_eq!(evaluate(expression).as_deref(), expected, "{expression}");
        }
    }
}
