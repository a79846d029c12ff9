//! Machines and states other than Map.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::fields::{Fields, unsupported};
use super::structure;
use super::{
    Body, ChoiceState, DefinitionError, FailState, FailText, Given, ParallelState, PassState, ResultHandling,
    Selection, State, StateMachine, TaskResource, TaskState, Transition, WaitState, WaitUntil,
};
use super::{handlers, map, rules, transport};
use crate::asl::intrinsic::Expression;
use crate::asl::path::Path;

/// Longest state name, in characters, as in the service.
const STATE_NAME_CHARACTERS_MAX: usize = 80;
/// Longest time that a definition may name, in seconds, as in the service.
const SECONDS_MAX: u64 = 99_999_999;

/// Parses a whole definition, or a branch of a Parallel state.
pub(super) fn machine(value: Value, path: &str) -> Result<StateMachine, DefinitionError> {
    let mut fields = Fields::of(value, path)?;
    if let Some(version) = fields.string("Version")?
        && version != "1.0"
    {
        return Err(fields.error("Version", unsupported(&version, ["1.0"].into_iter())));
    }
    let timeout = fields.whole("TimeoutSeconds", 1, SECONDS_MAX)?.map(Duration::from_secs);
    let machine = machine_of(&mut fields, timeout)?;
    fields.finish("Comment, QueryLanguage, StartAt, States, TimeoutSeconds, Version")?;
    Ok(machine)
}

/// Parses the fields that every machine has; the caller finishes the rest.
pub(super) fn machine_of(fields: &mut Fields, timeout: Option<Duration>) -> Result<StateMachine, DefinitionError> {
    let comment = fields.string("Comment")?;
    query_language(fields)?;
    let path = fields.at("States");
    let start_at = fields.required_string("StartAt")?;
    let start_path = fields.at("StartAt");
    let states = match fields.require("States")? {
        Value::Object(states) => states
            .into_iter()
            .map(|(name, value)| {
                let state = state(&name, value, &format!("{path}.{name}"))?;
                Ok((name, state))
            })
            .collect::<Result<BTreeMap<_, _>, DefinitionError>>()?,
        other => {
            Err(DefinitionError::new(&path, format!("expected an object, found {}", super::fields::kind(&other))))?
        }
    };
    let machine = StateMachine { comment, start_at, timeout, states };
    structure::check(&machine, &path, &start_path)?;
    Ok(machine)
}

/// `QueryLanguage` may only say what is the default anyway.
pub(super) fn query_language(fields: &mut Fields) -> Result<(), DefinitionError> {
    fields.one_of("QueryLanguage", &[("JSONPath", ())]).map(|_| ())
}

fn state(name: &str, value: Value, path: &str) -> Result<State, DefinitionError> {
    if name.is_empty() || name.chars().count() > STATE_NAME_CHARACTERS_MAX {
        let message = format!("a state name must have 1 to {STATE_NAME_CHARACTERS_MAX} characters");
        return Err(DefinitionError::new(path, message));
    }
    let mut fields = Fields::of(value, path)?;
    let kind = fields.required_string("Type")?;
    fields.string("Comment")?;
    query_language(&mut fields)?;
    // A Fail state selects nothing: left unread, the two fields are refused below.
    let (input_path, output_path) = if kind == "Fail" {
        (Selection::Part(Path::input()), Selection::Part(Path::input()))
    } else {
        (fields.selection("InputPath")?, fields.selection("OutputPath")?)
    };
    let (body, supported) = match kind.as_str() {
        "Pass" => (pass(&mut fields)?, "InputPath, OutputPath, Parameters, Result, ResultPath, Next, End"),
        "Task" => (
            task(&mut fields)?,
            "Resource, InputPath, Parameters, ResultSelector, ResultPath, OutputPath, TimeoutSeconds, \
             TimeoutSecondsPath, Retry, Catch, Next, End",
        ),
        "Choice" => (choice(&mut fields)?, "InputPath, OutputPath, Choices, Default"),
        "Wait" => {
            (wait(&mut fields)?, "InputPath, OutputPath, Seconds, SecondsPath, Timestamp, TimestampPath, Next, End")
        }
        "Succeed" => (Body::Succeed, "InputPath, OutputPath"),
        "Fail" => (fail(&mut fields)?, "Error, ErrorPath, Cause, CausePath"),
        "Map" => (Body::Map(Box::new(map::state(&mut fields)?)), map::SUPPORTED),
        "Parallel" => (
            parallel(&mut fields)?,
            "Branches, InputPath, Parameters, ResultSelector, ResultPath, OutputPath, Retry, Catch, Next, End",
        ),
        other => {
            let known = ["Pass", "Task", "Choice", "Wait", "Succeed", "Fail", "Map", "Parallel"];
            return Err(fields.error("Type", unsupported(other, known.into_iter())));
        }
    };
    fields.finish(&format!("Type, Comment, QueryLanguage, {supported}"))?;
    Ok(State { name: name.to_owned(), input_path, output_path, body })
}

/// `Next` or `End`.
pub(super) fn transition(fields: &mut Fields) -> Result<Transition, DefinitionError> {
    fields.at_most_one(&["Next", "End"])?;
    match (fields.string("Next")?, fields.boolean("End")?) {
        (Some(next), _) => Ok(Transition::Next(next)),
        (None, Some(true)) => Ok(Transition::End),
        _ => Err(fields.error("Next", "the state leads nowhere: give \"Next\" or \"End\": true")),
    }
}

pub(super) fn result_handling(fields: &mut Fields) -> Result<ResultHandling, DefinitionError> {
    Ok(ResultHandling { selector: fields.template("ResultSelector")?, path: fields.result_path()? })
}

fn pass(fields: &mut Fields) -> Result<Body, DefinitionError> {
    Ok(Body::Pass(PassState {
        parameters: fields.template("Parameters")?,
        result: fields.take("Result"),
        result_path: fields.result_path()?,
        transition: transition(fields)?,
    }))
}

fn task(fields: &mut Fields) -> Result<Body, DefinitionError> {
    let resource = transport::task_resource(fields)?;
    if resource == TaskResource::LambdaInvoke {
        transport::check_invoke_parameters(fields)?;
    }
    Ok(Body::Task(Box::new(TaskState {
        resource,
        parameters: fields.template("Parameters")?,
        timeout: fields.given_whole("TimeoutSeconds", 1, SECONDS_MAX)?,
        result: result_handling(fields)?,
        handlers: handlers::parse(fields)?,
        transition: transition(fields)?,
    })))
}

fn choice(fields: &mut Fields) -> Result<Body, DefinitionError> {
    let choices = fields.array("Choices")?.unwrap_or_default();
    if choices.is_empty() {
        return Err(fields.error("Choices", "at least one rule is required"));
    }
    let choices = choices.into_iter().map(|(path, rule)| rules::top(rule, &path)).collect::<Result<Vec<_>, _>>()?;
    Ok(Body::Choice(ChoiceState { choices, default: fields.string("Default")? }))
}

fn wait(fields: &mut Fields) -> Result<Body, DefinitionError> {
    fields.at_most_one(&["Seconds", "SecondsPath", "Timestamp", "TimestampPath"])?;
    let until = if fields.has("Seconds") || fields.has("SecondsPath") {
        fields.given_whole("Seconds", 0, SECONDS_MAX)?.map(WaitUntil::Seconds)
    } else if let Some(text) = fields.string("Timestamp")? {
        let timestamp = crate::asl::time::parse(&text).ok_or_else(|| {
            fields.error("Timestamp", format!("expected a time such as 2026-01-31T12:00:00Z, found \"{text}\""))
        })?;
        Some(WaitUntil::Timestamp(Given::Fixed(timestamp)))
    } else {
        fields.path("TimestampPath")?.map(|path| WaitUntil::Timestamp(Given::At(path)))
    };
    let until = until.ok_or_else(|| {
        fields.error("Seconds", "one of Seconds, SecondsPath, Timestamp and TimestampPath is required")
    })?;
    Ok(Body::Wait(WaitState { until, transition: transition(fields)? }))
}

fn fail(fields: &mut Fields) -> Result<Body, DefinitionError> {
    Ok(Body::Fail(FailState {
        error: fail_text(fields, "Error", "ErrorPath")?,
        cause: fail_text(fields, "Cause", "CausePath")?,
    }))
}

fn fail_text(
    fields: &mut Fields,
    name: &'static str,
    path_name: &'static str,
) -> Result<Option<FailText>, DefinitionError> {
    fields.at_most_one(&[name, path_name])?;
    if let Some(text) = fields.string(name)? {
        return Ok(Some(FailText::Fixed(text)));
    }
    let Some(text) = fields.string(path_name)? else { return Ok(None) };
    let expression = Expression::parse(&text).map_err(|error| fields.error(path_name, error.to_string()))?;
    Ok(Some(FailText::Computed { field: path_name, expression }))
}

fn parallel(fields: &mut Fields) -> Result<Body, DefinitionError> {
    let branches = fields.array("Branches")?.unwrap_or_default();
    if branches.is_empty() {
        return Err(fields.error("Branches", "at least one branch is required"));
    }
    let branches = branches.into_iter().map(|(path, branch)| {
        let mut branch = Fields::of(branch, &path)?;
        let machine = machine_of(&mut branch, None)?;
        branch.finish("Comment, QueryLanguage, StartAt, States")?;
        Ok(machine)
    });
    Ok(Body::Parallel(Box::new(ParallelState {
        branches: branches.collect::<Result<Vec<_>, DefinitionError>>()?,
        parameters: fields.template("Parameters")?,
        result: result_handling(fields)?,
        handlers: handlers::parse(fields)?,
        transition: transition(fields)?,
    })))
}
