//! `mapmill history`: what happened in an execution, event by event, or in a finished run, batch by batch.

use clap::Args;
use serde_json::{Value, json};

use super::run_folder::RunFolder;
use super::step_functions_client::{Endpoint, StepFunctions};
use super::terminal::cut;
use super::{CommandError, Exit, Terminal, block_on};

/// What is shown of an input, output or cause, in characters.
const SHOWN_CHARACTERS: usize = 160;

/// Shows what happened in an execution of `mapmill serve`, event by event: its number, the seconds since its start, its
/// type, the state, and what went in or came out, cut to size. Of a finished `mapmill run` it shows what became of every
/// batch.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  mapmill history arn:aws:states:us-east-1:000000000000:execution:orders:first\n  \
                  mapmill history out/weather/_mapmill/weather-20261122T133342-518Z")]
pub(super) struct Arguments {
    /// The ARN of an execution, top or child, or the folder of a finished run that has its summary.json
    #[arg(value_name = "EXECUTION")]
    execution: String,

    #[command(flatten)]
    endpoint: Endpoint,

    /// Print one JSON object a line, nothing cut
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, terminal: &Terminal) -> Result<Exit, CommandError> {
    if !arguments.execution.starts_with("arn:") {
        let folder = RunFolder::open(arguments.execution.as_ref())?;
        return of_run(&folder, arguments.json, terminal);
    }
    let client = StepFunctions::new(&arguments.endpoint)?;
    block_on(async {
        let input = json!({"executionArn": arguments.execution, "maxResults": 1_000});
        let mut start = None;
        let listed = client.list("GetExecutionHistory", input, "events", |event| {
            if arguments.json {
                terminal.line(event.to_string());
            } else {
                let time = event["timestamp"].as_f64().unwrap_or_default();
                terminal.line(line(event, time - *start.get_or_insert(time)));
            }
            true
        });
        listed.await.map_err(CommandError::failed)?;
        Ok(Exit::Success)
    })
}

/// One event in a line.
fn line(event: &Value, seconds: f64) -> String {
    let text = |value: &Value| value.as_str().map(|text| cut(text, SHOWN_CHARACTERS));
    let details = event.as_object().into_iter().flatten().find(|(name, _)| name.ends_with("EventDetails"));
    let mut line = format!(
        "{:>6} {seconds:>9.3} s  {}",
        event["id"].as_u64().unwrap_or_default(),
        event["type"].as_str().unwrap_or_default()
    );
    let Some((_, details)) = details else { return line };
    if let Some(name) = text(&details["name"]) {
        line.push_str(&format!("  {name}"));
    }
    if let Some(index) = details["index"].as_u64() {
        line.push_str(&format!("  [{index}]"));
    }
    for field in ["resource", "mapRunArn", "error", "cause", "input", "parameters", "output"] {
        if let Some(shown) = text(&details[field]) {
            line.push_str(&format!("  {field}: {shown}"));
        }
    }
    line
}

fn of_run(folder: &RunFolder, as_json: bool, terminal: &Terminal) -> Result<Exit, CommandError> {
    let summary = &folder.summary;
    if as_json {
        terminal.json(summary);
    } else {
        let text = |name: &str| summary[name].as_str().unwrap_or_default();
        terminal.line(format!("{}  {}  {} s", text("run_id"), text("status"), summary["seconds"]));
        if let Some(error) = summary["error"].as_str() {
            terminal.line(format!("error: {error}  {}", cut(text("cause"), SHOWN_CHARACTERS)));
        }
    }
    for batch in folder.batches()? {
        let batch = batch?;
        if as_json {
            terminal.json(&batch.to_json());
        } else {
            terminal.line(batch.line());
        }
    }
    Ok(Exit::Success)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_told_in_a_line() {
        let check = |event: Value, expected: &str| assert_eq!(line(&event, 1.5), expected);
        check(
            json!({"id": 2, "type": "PassStateEntered", "stateEnteredEventDetails": {"name": "P", "input": "{}"}}),
            "     2     1.500 s  PassStateEntered  P  input: {}",
        );
        check(json!({"id": 30, "type": "MapStateSucceeded"}), "    30     1.500 s  MapStateSucceeded");
        let failed = json!({"error": "Mine", "cause": "x".repeat(200)});
        let found = line(&json!({"id": 4, "type": "TaskFailed", "taskFailedEventDetails": failed}), 0.0);
        assert!(found.ends_with(&format!("error: Mine  cause: {}…", "x".repeat(160))), "{found}");
    }
}
