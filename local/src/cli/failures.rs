//! `mapmill failures`: what failed in an execution and the children of its Map Runs, with the state and the input that
//! caused it; or in a finished run, object by object.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use clap::{Args, value_parser};
use serde_json::{Value, json};

use super::run_folder::RunFolder;
use super::step_functions_client::{CallError, Endpoint, StepFunctions};
use super::terminal::{cut, human_count};
use super::{CommandError, Exit, Terminal, block_on};

/// What is shown of an input or a cause, in characters.
const SHOWN_CHARACTERS: usize = 1_000;
/// Most events that are looked back at to find the state that failed.
const EVENTS_MAX: usize = 25_000;

/// Shows what failed in an execution of `mapmill serve` and in the children of its Map Runs: the error, the state, and the
/// input that caused it, cut to size. Of a finished `mapmill run` it shows every object and batch that failed.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  mapmill failures arn:aws:states:us-east-1:000000000000:execution:orders:first\n  \
                  mapmill failures out/weather/_mapmill/weather-20261122T133342-518Z\n\n\
                  Exit code 0 when nothing failed, 1 when something did.")]
pub(super) struct Arguments {
    /// The ARN of an execution, top or child, or the folder of a finished run that has its summary.json
    #[arg(value_name = "EXECUTION")]
    execution: String,

    #[command(flatten)]
    endpoint: Endpoint,

    /// The most failures to show
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = value_parser!(u32).range(1..=1_000_000))]
    limit: u32,

    /// Print one JSON object a line, nothing cut
    #[arg(long)]
    json: bool,
}

/// One thing that failed.
struct Failure {
    what: String,
    status: String,
    state: Option<String>,
    error: String,
    cause: String,
    input: String,
}

impl Failure {
    fn show(&self, as_json: bool, terminal: &Terminal) {
        let Self { what, status, state, error, cause, input } = self;
        if as_json {
            terminal.line(
                json!({"what": what, "status": status, "state": state, "error": error, "cause": cause, "input": input})
                    .to_string(),
            );
            return;
        }
        terminal.line(format!("{status} {what}"));
        let state = state.clone().unwrap_or_default();
        for (name, text) in [("state", &state), ("error", error), ("cause", cause), ("input", input)] {
            if !text.is_empty() {
                terminal.line(format!("  {name}  {}", cut(text, SHOWN_CHARACTERS)));
            }
        }
    }
}

pub(super) fn run(arguments: &Arguments, terminal: &Terminal) -> Result<Exit, CommandError> {
    let limit = arguments.limit as usize;
    if !arguments.execution.starts_with("arn:") {
        let folder = RunFolder::open(arguments.execution.as_ref())?;
        return of_run(&folder, limit, arguments.json, terminal);
    }
    let client = StepFunctions::new(&arguments.endpoint)?;
    block_on(async {
        let failures = Failures { client, limit };
        let (failures, more) = failures.of_execution(&arguments.execution).await.map_err(CommandError::failed)?;
        for failure in &failures {
            failure.show(arguments.json, terminal);
        }
        if more {
            terminal.note("there are more failures: raise --limit to see them");
        }
        Ok(if failures.is_empty() { Exit::Success } else { Exit::Failure })
    })
}

struct Failures {
    client: StepFunctions,
    limit: usize,
}

impl Failures {
    /// The failures of an execution and of all children of its Map Runs, and whether there are more.
    async fn of_execution(&self, arn: &str) -> Result<(Vec<Failure>, bool), CallError> {
        let mut failures = Vec::new();
        let mut open = vec![arn.to_owned()];
        while let Some(execution) = open.pop() {
            if failures.len() >= self.limit {
                return Ok((failures, true));
            }
            let described = self.client.call("DescribeExecution", json!({"executionArn": execution})).await?;
            if matches!(described["status"].as_str(), Some("FAILED" | "TIMED_OUT" | "ABORTED")) {
                failures.push(self.failure(&execution, &described).await?);
            }
            // Later ones are taken first, so they are put there in reverse.
            let mut children = self.failed_children(&execution).await?;
            children.reverse();
            open.extend(children);
        }
        Ok((failures, false))
    }

    /// Children that did not succeed, at most one more than is to be shown.
    async fn failed_children(&self, execution: &str) -> Result<Vec<String>, CallError> {
        let mut map_runs = Vec::new();
        let listed = self.client.list("ListMapRuns", json!({"executionArn": execution}), "mapRuns", |map_run| {
            map_runs.extend(map_run["mapRunArn"].as_str().map(str::to_owned));
            true
        });
        match listed.await {
            // Express children have no Map Runs, and the API says so by refusing their ARN.
            Err(CallError::Refused { .. }) => return Ok(Vec::new()),
            listed => listed?,
        }
        let mut children = Vec::new();
        for map_run in map_runs {
            for status in ["FAILED", "TIMED_OUT", "ABORTED"] {
                let input = json!({"mapRunArn": map_run, "statusFilter": status, "maxResults": 1_000});
                let take = |child: &Value| {
                    children.extend(child["executionArn"].as_str().map(str::to_owned));
                    children.len() <= self.limit
                };
                self.client.list("ListExecutions", input, "executions", take).await?;
            }
        }
        Ok(children)
    }

    async fn failure(&self, execution: &str, described: &Value) -> Result<Failure, CallError> {
        let text = |name: &str| described[name].as_str().unwrap_or_default().to_owned();
        let (state, input) = match self.failed_state(execution).await {
            Ok(Some((state, input))) => (Some(state), input),
            Ok(None) | Err(CallError::Refused { .. }) => (described["failedState"].as_str().map(str::to_owned), None),
            Err(error) => return Err(error),
        };
        Ok(Failure {
            what: execution.to_owned(),
            status: text("status"),
            state,
            error: text("error"),
            cause: text("cause"),
            input: input.unwrap_or_else(|| text("input")),
        })
    }

    /// The state in which an execution failed and what went into it: from the last event back along the events that led
    /// to it, until one that entered a state.
    async fn failed_state(&self, execution: &str) -> Result<Option<(String, Option<String>)>, CallError> {
        let input = json!({"executionArn": execution, "reverseOrder": true, "maxResults": 200});
        let mut wanted = None;
        let mut found = None;
        let mut looked_at = 0;
        let look = |event: &Value| {
            looked_at += 1;
            let id = event["id"].as_u64();
            let previous = event["previousEventId"].as_u64();
            if wanted.is_none() || wanted == id {
                let details = &event["stateEnteredEventDetails"];
                if let Some(name) = details["name"].as_str() {
                    found = Some((name.to_owned(), details["input"].as_str().map(str::to_owned)));
                    return false;
                }
                // Nothing led to a stop from outside; then the state entered last was going on.
                wanted = previous.filter(|previous| *previous > 0);
            }
            looked_at < EVENTS_MAX
        };
        self.client.list("GetExecutionHistory", input, "events", look).await?;
        Ok(found)
    }
}

fn of_run(folder: &RunFolder, limit: usize, as_json: bool, terminal: &Terminal) -> Result<Exit, CommandError> {
    let shown = Cell::new(0);
    let left_out: RefCell<BTreeMap<&str, u64>> = RefCell::default();
    let leave_out = |kind: &'static str, number: u64| *left_out.borrow_mut().entry(kind).or_default() += number;
    let show = |kind: &'static str, failure: Failure| {
        if shown.get() < limit {
            failure.show(as_json, terminal);
            shown.set(shown.get() + 1);
        } else {
            leave_out(kind, 1);
        }
    };
    let text = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
    if folder.summary["error"].is_string() {
        let summary = &folder.summary;
        show(
            "run",
            Failure {
                what: text(summary, "run_id"),
                status: text(summary, "status"),
                state: None,
                error: text(summary, "error"),
                cause: text(summary, "cause"),
                input: String::new(),
            },
        );
    }
    folder.for_each_failed_batch(|batch| {
        show(
            "batches",
            Failure {
                what: format!("batch {}", text(&batch, "Name")),
                status: text(&batch, "Status"),
                state: None,
                error: text(&batch, "Error"),
                cause: text(&batch, "Cause"),
                input: text(&batch, "Input"),
            },
        );
    })?;
    for batch in folder.batches()? {
        let batch = batch?;
        let not_kept = batch.unfinished_total - batch.unfinished.len() as u64;
        for item in batch.unfinished {
            let place = format!("s3://{}/{}", text(&item, "bucket"), text(&item, "key"));
            let position = item.get("position").filter(|position| !position.is_null());
            show(
                "objects",
                Failure {
                    what: place,
                    status: text(&item, "status"),
                    state: None,
                    error: [text(&item, "class"), text(&item, "code"), text(&item, "reason")]
                        .join(" ")
                        .trim()
                        .to_owned(),
                    cause: text(&item, "message"),
                    input: position.map_or_else(String::new, |position| format!("at {position}")),
                },
            );
        }
        if not_kept > 0 {
            leave_out("objects", not_kept);
        }
    }
    for (kind, number) in left_out.borrow().iter() {
        terminal.note(format!("{} more {kind}: raise --limit to see them", human_count(*number)));
    }
    Ok(if shown.get() == 0 { Exit::Success } else { Exit::Failure })
}
