//! Machines and states other than Map.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::fields::{Fields, unsupported};
use super::structure;
use super::{
    Body, ChoiceState, DefinitionError, FailState, FailText, Given, Language, ParallelState, PassState, ResultHandling,
    ResultPath, Selection, State, StateMachine, TaskState, Transition, WaitState, WaitUntil,
};
use super::{handlers, map, rules, transport};
use crate::asl::intrinsic::Expression;
use crate::asl::path::Path;

/// Longest state name, in characters, as in the service.
const STATE_NAME_CHARACTERS_MAX: usize = 80;
/// Longest time that a definition may name, in seconds, as in the service.
const SECONDS_MAX: u64 = 99_999_999;

/// Most levels of machines inside of machines. The JSON reader stops at 128 levels of brackets anyway.
const NESTING_MAX: usize = 32;

/// Parses a whole definition.
pub(super) fn machine(value: Value) -> Result<StateMachine, DefinitionError> {
    let mut fields = Fields::of(value, "")?;
    if let Some(version) = fields.string("Version")?
        && version != "1.0"
    {
        return Err(fields.error("Version", format!("\"{version}\" is no version of the language; expected \"1.0\"")));
    }
    let timeout = fields.whole("TimeoutSeconds", 1, SECONDS_MAX)?.map(Duration::from_secs);
    let language = query_language(&mut fields)?.unwrap_or(Language::JsonPath);
    fields.set_language(language);
    let machine = machine_of(&mut fields, timeout)?;
    fields.finish("Comment, QueryLanguage, StartAt, States, TimeoutSeconds, Version")?;
    Ok(machine)
}

/// Parses the fields that every machine has; the caller finishes the rest.
pub(super) fn machine_of(fields: &mut Fields, timeout: Option<Duration>) -> Result<StateMachine, DefinitionError> {
    let comment = fields.string("Comment")?;
    let missing: Vec<_> = ["States", "StartAt"].into_iter().filter(|name| !fields.has(name)).collect();
    if !missing.is_empty() {
        return Err(fields.missing(&missing));
    }
    let language = fields.language();
    let path = fields.at("States");
    if path.matches("States").count() > NESTING_MAX {
        return Err(DefinitionError::unsupported(path, format!("machines are nested deeper than {NESTING_MAX}")));
    }
    let start_at = fields.required_string("StartAt")?;
    let start_path = fields.at("StartAt");
    let states = match fields.require("States")? {
        Value::Object(states) => states
            .into_iter()
            .map(|(name, value)| {
                let state = state(&name, value, &format!("{path}.{name}"), language)?;
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

/// `QueryLanguage`, where it is given.
fn query_language(fields: &mut Fields) -> Result<Option<Language>, DefinitionError> {
    fields.one_of("QueryLanguage", &[("JSONPath", Language::JsonPath), ("JSONata", Language::Jsonata)])
}

fn state(name: &str, value: Value, path: &str, machine_language: Language) -> Result<State, DefinitionError> {
    if name.is_empty() || name.chars().count() > STATE_NAME_CHARACTERS_MAX {
        let message = format!("a state name must have 1 to {STATE_NAME_CHARACTERS_MAX} characters");
        return Err(DefinitionError::new(path, message));
    }
    let mut fields = Fields::of(value, path)?;
    let kind = fields.required_string("Type")?;
    fields.string("Comment")?;
    let language = query_language(&mut fields)?.unwrap_or(machine_language);
    if (machine_language, language) == (Language::Jsonata, Language::JsonPath) {
        let message = "'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine";
        return Err(fields.error("QueryLanguage", message).in_service_words(path, message));
    }
    fields.set_language(language);
    fields.set_machine_language(machine_language);
    // A Fail state passes nothing on: left unread, the fields are refused below.
    let selecting = kind != "Fail" && language == Language::JsonPath;
    let whole = || Selection::Part(Path::input());
    let (input_path, output_path) = match selecting {
        true => (fields.selection("InputPath")?, fields.selection("OutputPath")?),
        false => (whole(), whole()),
    };
    let assign = if matches!(kind.as_str(), "Fail" | "Succeed") { None } else { fields.assign()? };
    let output = if kind == "Fail" { None } else { fields.output()? };
    let (body, supported) = match kind.as_str() {
        "Pass" => (pass(&mut fields)?, "Assign, InputPath, Parameters, Result, ResultPath, OutputPath, Next, End"),
        "Task" => (
            task(&mut fields)?,
            "Resource, Assign, InputPath, Parameters, ResultSelector, ResultPath, OutputPath, TimeoutSeconds, \
             TimeoutSecondsPath, HeartbeatSeconds, HeartbeatSecondsPath, Retry, Catch, Next, End",
        ),
        "Choice" => (choice(&mut fields)?, "Assign, InputPath, OutputPath, Choices, Default"),
        "Wait" => (
            wait(&mut fields)?,
            "Assign, InputPath, OutputPath, Seconds, SecondsPath, Timestamp, TimestampPath, Next, End",
        ),
        "Succeed" => (Body::Succeed, "InputPath, OutputPath"),
        "Fail" => (fail(&mut fields)?, "Error, ErrorPath, Cause, CausePath"),
        "Map" => (Body::Map(Box::new(map::state(&mut fields)?)), map::SUPPORTED),
        "Parallel" => (
            parallel(&mut fields)?,
            "Branches, Assign, InputPath, Parameters, ResultSelector, ResultPath, OutputPath, Retry, Catch, Next, End",
        ),
        other => {
            let known = ["Pass", "Task", "Choice", "Wait", "Succeed", "Fail", "Map", "Parallel"];
            return Err(fields.error("Type", unsupported(other, known.into_iter())));
        }
    };
    match language {
        Language::JsonPath => fields.finish(&format!("Type, Comment, QueryLanguage, {supported}"))?,
        Language::Jsonata => fields.finish(
            "with JSONata: Type, Comment, QueryLanguage, Arguments, Assign, Output and what the type has, but none of \
             InputPath, Parameters, ResultSelector, ResultPath, OutputPath and the other fields that hold a path",
        )?,
    }
    Ok(State { name: name.to_owned(), language, assign, output, input_path, output_path, body })
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
    match fields.language() {
        Language::JsonPath => {
            Ok(ResultHandling { selector: fields.template("ResultSelector")?, path: fields.result_path()? })
        }
        Language::Jsonata => Ok(ResultHandling { selector: None, path: ResultPath::whole() }),
    }
}

fn pass(fields: &mut Fields) -> Result<Body, DefinitionError> {
    let jsonpath = fields.language() == Language::JsonPath;
    Ok(Body::Pass(PassState {
        parameters: if jsonpath { fields.template("Parameters")? } else { None },
        result: if jsonpath { fields.take("Result") } else { None },
        result_path: if jsonpath { fields.result_path()? } else { ResultPath::whole() },
        transition: transition(fields)?,
    }))
}

fn task(fields: &mut Fields) -> Result<Body, DefinitionError> {
    let resource = transport::task_resource(fields)?;
    transport::check_parameters(fields, &resource)?;
    Ok(Body::Task(Box::new(TaskState {
        resource,
        parameters: fields.arguments()?,
        timeout: fields.given_whole("TimeoutSeconds", 1, SECONDS_MAX)?,
        heartbeat: fields.given_whole("HeartbeatSeconds", 1, SECONDS_MAX)?,
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
    let language = fields.language();
    let choices = choices
        .into_iter()
        .enumerate()
        .map(|(index, (path, rule))| rules::top(rule, &path, language, index))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Body::Choice(ChoiceState { choices, default: fields.string("Default")? }))
}

fn wait(fields: &mut Fields) -> Result<Body, DefinitionError> {
    fields.at_most_one(&["Seconds", "SecondsPath", "Timestamp", "TimestampPath"])?;
    let until = if fields.has("Seconds") || fields.has("SecondsPath") {
        fields.given_whole("Seconds", 0, SECONDS_MAX)?.map(WaitUntil::Seconds)
    } else if let Some(query) = fields.query("Timestamp")? {
        Some(WaitUntil::Timestamp(Given::Computed(query)))
    } else if let Some(text) = fields.string("Timestamp")? {
        let timestamp = crate::asl::time::parse(&text).ok_or_else(|| {
            fields
                .error("Timestamp", format!("expected a time such as 2026-01-31T12:00:00Z, found \"{text}\""))
                .in_service_words(&fields.at("Timestamp"), "String does not match RFC3339 timestamp")
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
    if let Some(query) = fields.query(name)? {
        return Ok(Some(FailText::Queried(query)));
    }
    if let Some(text) = fields.string(name)? {
        return Ok(Some(FailText::Fixed(text)));
    }
    if fields.language() == Language::Jsonata {
        return Ok(None);
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
    let language = fields.machine_language();
    let branches = branches.into_iter().map(|(path, branch)| {
        let mut branch = Fields::of(branch, &path)?;
        branch.set_language(language);
        let machine = machine_of(&mut branch, None)?;
        branch.finish("Comment, StartAt, States")?;
        Ok(machine)
    });
    Ok(Body::Parallel(Box::new(ParallelState {
        branches: branches.collect::<Result<Vec<_>, DefinitionError>>()?,
        parameters: fields.arguments()?,
        result: result_handling(fields)?,
        handlers: handlers::parse(fields)?,
        transition: transition(fields)?,
    })))
}
