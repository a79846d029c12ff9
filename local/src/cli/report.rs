//! `mapmill report`: the report of a finished run, made again.
//!
//! The folder of `--out` becomes the output bucket as the run left it, and the function `report` is invoked once, as the
//! state machine does it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, value_parser};
use job::Job;
use serde_json::{Value, json};

use super::job_file;
use super::run::{checked_run_id, program_folder};
use super::serve;
use super::terminal::human_count;
use super::{CommandError, Exit, Terminal, block_on};
use crate::lambda_host::{FunctionConfig, HostOptions, LambdaHost, LogFile, WhenBusy};
use crate::s3::{ObjectStore, REGION, S3Server, StoreOptions};

/// The function, and the name of its program.
const FUNCTION: &str = "report";

/// Makes the report of a finished run again: the page, the figures, and the lists of every output and of every object
/// without one.
///
/// It reads only what the run left in DIR of --out, and replaces the report that is there.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  mapmill report --run weather-20261122T133342-518Z --job examples/jobs/weather.yaml --out out\n\n\
                  Exit code 0 when the run succeeded by its report, 1 when it failed."
)]
pub(super) struct Arguments {
    /// The run
    #[arg(long, value_name = "NAME")]
    run: String,

    /// The job file of the run, YAML or JSON
    #[arg(long, value_name = "FILE")]
    job: PathBuf,

    /// The folder that the run wrote to
    #[arg(long, value_name = "DIR")]
    out: PathBuf,

    /// The folder of the function programs; without it the folder of this program
    #[arg(long, value_name = "DIR")]
    functions: Option<PathBuf>,

    /// Memory that the function is told it has, in MB
    #[arg(long, value_name = "MB", default_value_t = 512, value_parser = value_parser!(u32).range(128..=10_240))]
    memory: u32,

    /// Longest time of the invocation in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 900, value_parser = value_parser!(u32).range(1..=900))]
    timeout: u32,
}

pub(super) fn run(arguments: &Arguments, terminal: &Terminal) -> Result<Exit, CommandError> {
    let job = job_file::read(&arguments.job).map_err(CommandError::usage)?;
    checked_run_id("--run", &arguments.run)?;
    let folder = arguments.out.join(job.output.prefix.as_str()).join("_mapmill").join(&arguments.run);
    if !folder.is_dir() {
        let message = "is not there: expected the folder of a finished run; check --run, --job and --out";
        return Err(CommandError::usage(format!("{} {message}", folder.display())));
    }
    let answer = block_on(make(arguments, &job))?;
    Ok(show(&answer, &folder, terminal))
}

/// Invokes the function and answers what it answers.
async fn make(arguments: &Arguments, job: &Job) -> Result<Value, CommandError> {
    let config = FunctionConfig {
        name: FUNCTION.to_owned(),
        command: program_folder(arguments.functions.as_deref())?.join(FUNCTION),
        arguments: Vec::new(),
        memory_mb: arguments.memory,
        timeout: Duration::from_secs(u64::from(arguments.timeout)),
        environment: BTreeMap::new(),
        max_environments: Some(1),
        when_busy: WhenBusy::Wait,
        limit_memory: false,
    };
    config.check().map_err(CommandError::usage)?;
    let store = Arc::new(ObjectStore::new(StoreOptions::default()).map_err(CommandError::failed)?);
    let output = job.output.bucket.as_str();
    store.reopen(output, &arguments.out).map_err(|error| serve::classify("--out", error))?;
    let log = arguments.out.join(".mapmill").join(format!("{}.report.log", arguments.run));
    let logs = Arc::new(LogFile::create(&log).map_err(CommandError::failed)?);
    let server = S3Server::start(store, 0).await.map_err(CommandError::failed)?;
    let host = LambdaHost::new(HostOptions { region: REGION.to_owned(), logs, ..HostOptions::default() });
    let own = [("MAPMILL_WRITE", format!("{output}/{}", job.output.prefix.as_str()))];
    let environment = server.environment().into_iter().chain(own).map(|(name, value)| (name.to_owned(), value));
    let registered = host.register(FunctionConfig { environment: environment.collect(), ..config });
    registered.map_err(CommandError::usage)?;
    let mapmill = json!({"version": 1, "run_id": arguments.run, "correlation_id": arguments.run, "job": job});
    let event = json!({"mapmill": mapmill, "plan": null, "map_run": null, "failure": null});
    let outcome = host.invoke(FUNCTION, event.to_string().into()).await;
    host.shutdown().await;
    server.shutdown().await;
    let answer = outcome.map_err(CommandError::failed)?.result.map_err(|error| {
        let body: Value = serde_json::from_str(&error.payload).unwrap_or_default();
        let message = body["errorMessage"].as_str().unwrap_or("the function told no reason").to_owned();
        CommandError::failed(format!("{}: {message}", error.error_type))
    })?;
    serde_json::from_slice(&answer).map_err(CommandError::failed)
}

/// Prints what the report says.
fn show(answer: &Value, folder: &Path, terminal: &Terminal) -> Exit {
    let count = |name: &str| human_count(answer["items"][name].as_u64().unwrap_or_default());
    terminal.line(format!(
        "{} {}",
        answer["run_id"].as_str().unwrap_or_default(),
        answer["verdict"].as_str().unwrap_or_default()
    ));
    for reason in answer["reasons"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        terminal.line(format!("  {reason}"));
    }
    terminal.line("");
    terminal.line(format!(
        "  items     {} in all · {} succeeded · {} failed · {} skipped · {} unprocessed · {} missing",
        count("total"),
        count("succeeded"),
        count("failed"),
        count("skipped"),
        count("unprocessed"),
        count("missing")
    ));
    let places =
        [("page", "report.html"), ("figures", "report.json"), ("outputs", "manifest.json"), ("failed", "failed.jsonl")];
    for (what, name) in places {
        terminal.line(format!("  {what:<9} {}", folder.join("report").join(name).display()));
    }
    if answer["verdict"] == "succeeded" { Exit::Success } else { Exit::Failure }
}
