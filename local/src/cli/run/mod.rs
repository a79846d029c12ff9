//! `mapmill run`: a job through its whole state machine on this machine.
//!
//! The data folder becomes the source bucket of an embedded S3, the output folder its output bucket, and the functions of
//! the state machine become processes that a Lambda host invokes over the Runtime API. The engine then runs the state
//! machine as Step Functions would. `mapmill repair` does the same with what an earlier run left. Everything that was started
//! ends with the command, also on Ctrl-C.

pub(super) mod endpoints;
mod functions;
pub(super) mod machine;
mod map_runs;
mod objects;
pub(super) mod progress;
mod repaired;
pub(super) mod services;
mod summary;
mod table;
mod tally;

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, value_parser};
use jiff::Timestamp;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::job_file::{self, Batching, MAX_CONCURRENCY};
use super::run_folder::MESSAGES_FILE;
use super::serve::{self, tell_unmapped};
use super::signals::{StopSignal, StopSignals};
use super::{CommandError, Exit, Terminal, block_on};
use crate::asl::{Definition, Engine, EngineOptions, ExecutionResult, ExecutionStatus};
use crate::lambda_host::{HostOptions, LambdaHost, LogFile};
use crate::s3::{ListRequest, ObjectStore, REGION, S3Server, StoreOptions, Upload};
use crate::services::{Recorder, Services as _};
use endpoints::ServiceOptions;
pub(super) use functions::program_folder;
use job::Job;
use machine::Machine;
use planner::Strategy;
use progress::Watcher;
use services::LocalServices;
use summary::{Places, Summary};

/// Batches per parallel invocation, when the user does not say how large batches are: enough for an even end.
const BATCHES_PER_SLOT: u64 = 4;

/// Recorded messages that are copied at once to be written: so many, or about so many bytes.
const MESSAGES_AT_ONCE: usize = 1_000;
const MESSAGES_BYTES_AT_ONCE: usize = 1024 * 1024;

/// The longest name of an execution, in bytes.
const LONGEST_RUN_ID: usize = 80;

/// The largest batch that is chosen here.
const LARGEST_CHOSEN_BATCH: u64 = 1_000;

/// Runs a job on this machine: the same state machine and the same function programs as in the cloud, with an embedded
/// S3 in place of the buckets. No AWS account, no network.
///
/// DIR of --data is the source bucket: the file DIR/a/b.csv is the object a/b.csv. What the functions write to the output
/// bucket becomes files in DIR of --out.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  mapmill run --job examples/jobs/weather.yaml --data examples/data --out out\n\n\
                  Exit code 0 only when the state machine succeeded and no object failed or was left unprocessed.")]
pub(super) struct Arguments {
    #[command(flatten)]
    options: Options,

    /// Which of the built-in state machines: simple, nested or packed
    #[arg(long, value_name = "NAME", default_value_t = Strategy::Simple, value_parser = super::plan::strategy)]
    strategy: Strategy,

    /// A state machine of your own, in Amazon States Language
    #[arg(long, value_name = "FILE", conflicts_with = "strategy")]
    state_machine: Option<PathBuf>,
}

// What a run and a repair have in common. No doc comment: clap would show it as the help of both commands.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// The job file, YAML or JSON
    #[arg(long, value_name = "FILE")]
    job: PathBuf,

    /// The folder whose files are the objects of the source bucket
    #[arg(long, value_name = "DIR")]
    data: PathBuf,

    /// The folder in which the objects of the output bucket become files
    #[arg(long, value_name = "DIR")]
    out: PathBuf,

    /// The folder of the function programs; without it the folder of this program
    #[arg(long, value_name = "DIR")]
    functions: Option<PathBuf>,

    /// Name of the run, which is in the names of its ledger and results; without it the job's name and the time
    #[arg(long, value_name = "NAME")]
    run_id: Option<String>,

    /// The most objects of a batch; without it as many as give every slot four batches, at most 1,000, and by weight with packed
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=10_000))]
    max_items: Option<u32>,

    /// The most batches at a time; without it as many as there are cores
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=i64::from(MAX_CONCURRENCY)))]
    max_concurrency: Option<u32>,

    /// The share of objects in failed batches, in percent, that the state machine tolerates
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = value_parser!(u8).range(0..=100))]
    tolerated_failures: u8,

    /// Memory that functions are told they have, in MB
    #[arg(long, value_name = "MB", default_value_t = 512, value_parser = value_parser!(u32).range(128..=10_240))]
    memory: u32,

    /// Kill a function process that has more resident memory than that, as Lambda does
    #[arg(long)]
    limit_memory: bool,

    /// Longest time of one invocation in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 270, value_parser = value_parser!(u32).range(1..=900))]
    timeout: u32,

    #[command(flatten)]
    services: ServiceOptions,
}

pub(super) fn run(arguments: &Arguments, terminal: &Terminal) -> Result<Exit, CommandError> {
    let machine = Machine::load(arguments.strategy, arguments.state_machine.as_deref())?;
    begin(&arguments.options, &Work { machine, strategy: arguments.strategy, repairs: None }, terminal)
}

/// Runs the state machine `repair` for an earlier run.
pub(super) fn repair(options: &Options, repairs: &str, terminal: &Terminal) -> Result<Exit, CommandError> {
    let strategy = Strategy::Repair;
    let work = Work { machine: Machine::load(strategy, None)?, strategy, repairs: Some(repairs.to_owned()) };
    begin(options, &work, terminal)
}

/// What is to be done.
struct Work {
    machine: Machine,
    strategy: Strategy,
    /// The run that is repaired.
    repairs: Option<String>,
}

fn begin(options: &Options, work: &Work, terminal: &Terminal) -> Result<Exit, CommandError> {
    let job = job_file::read(&options.job).map_err(CommandError::usage)?;
    let run_id = match &options.run_id {
        Some(name) => checked_run_id("--run-id", name)?,
        None => default_run_id(job.name.as_str(), Timestamp::now()),
    };
    block_on(run_job(options, &job, work, &run_id, terminal))
}

/// The job's name and the time; milliseconds keep runs apart that begin in the same second.
fn default_run_id(job: &str, now: Timestamp) -> String {
    let time = now.strftime("%Y%m%dT%H%M%S-%3fZ").to_string();
    // Names of jobs are ASCII.
    let name: String = job.chars().take(LONGEST_RUN_ID - 1 - time.len()).collect();
    format!("{name}-{time}")
}

/// A run id becomes the name of an execution and part of keys.
pub(super) fn checked_run_id(option: &str, name: &str) -> Result<String, CommandError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let fits = (1..=LONGEST_RUN_ID).contains(&name.len())
        && name.bytes().all(allowed)
        && name.bytes().any(|byte| byte != b'.');
    let message = format!("{option}: expected 1 to 80 letters, digits, `-`, `_` or `.`");
    if fits { Ok(name.to_owned()) } else { Err(CommandError::usage(message)) }
}

async fn run_job(
    options: &Options,
    job: &Job,
    work: &Work,
    run_id: &str,
    terminal: &Terminal,
) -> Result<Exit, CommandError> {
    let machine = &work.machine;
    let mut signals = StopSignals::listen()?;
    // What the user can get wrong is found before anything is written.
    let mut host_options = HostOptions { region: REGION.to_owned(), ..HostOptions::default() };
    let functions = functions::configure(options, machine, terminal)?;
    let definition = machine.definition(|function| host_options.function_arn(function))?;
    // Only this run's functions write here, and a killed one leaves its upload open.
    let store_options = StoreOptions { one_upload_per_key: true, ..StoreOptions::default() };
    let store = Arc::new(ObjectStore::new(store_options).map_err(CommandError::failed)?);
    let (source, output) = (job.source.bucket.as_str(), job.output.bucket.as_str());
    let report = store.mount(source, &options.data).map_err(|error| serve::classify("--data", error))?;
    serve::warn_of_skipped(&report, terminal);
    let objects = match &work.repairs {
        None => count_objects(&store, source, job.source.prefix.as_str())?,
        Some(run) => repaired::items(&Places::new(job, run, &options.out).run)?,
    };
    let batch = batching(options, work.strategy, objects);
    let input = job_file::execution_input(job, &batch, work.repairs.as_deref()).map_err(CommandError::usage)?;
    if objects == 0 && work.repairs.is_none() {
        let message = "no file below --data has a key that begins with source.prefix; nothing will be processed";
        terminal.warning(format!("{message} (source.prefix is {:?})", job.source.prefix.as_str()));
    }

    let opened = match &work.repairs {
        None => store.materialise(output, &options.out),
        // What is repaired must be there to be read.
        Some(_) => store.reopen(output, &options.out).map(drop),
    };
    opened.map_err(|error| serve::classify("--out", error))?;
    let places = Places::new(job, run_id, &options.out);
    if places.run.exists() {
        let message = "exists: two runs of one id cannot be told apart; choose another --run-id";
        return Err(CommandError::usage(format!("{} {message}", places.run.display())));
    }
    host_options.logs = Arc::new(LogFile::create(&places.log).map_err(CommandError::failed)?);
    let server = S3Server::start(Arc::clone(&store), 0).await.map_err(CommandError::failed)?;
    let host = Arc::new(LambdaHost::new(host_options));
    let variables = functions::variables(job, &server);
    for mut function in functions {
        function.environment.clone_from(&variables);
        functions::add_variables(&mut function, options);
        host.register(function).map_err(CommandError::usage)?;
    }

    terminal.note(format!(
        "run {run_id}: {objects} objects of {} in batches of {}, {} at a time",
        work.repairs.clone().unwrap_or_else(|| format!("s3://{source}/{}", job.source.prefix.as_str())),
        batch.max_items.map_or_else(|| "equal weight".to_owned(), |items| items.to_string()),
        batch.max_concurrency.unwrap_or_else(cores)
    ));
    let watcher = Arc::new(Watcher::new(terminal, objects, machine.outer_maps()));
    let mut services = LocalServices::new(Arc::clone(&store), Arc::clone(&host));
    services.set_up(&options.services)?;
    let services = Arc::new(services);
    let engine_options = EngineOptions { state_machine_name: machine.name.clone(), ..EngineOptions::default() };
    let engine = Engine::new(services.clone(), engine_options, watcher.clone());
    let (result, stopped) = execute(&engine, &definition, run_id, input, &mut signals, terminal).await;
    host.shutdown().await;
    watcher.finish();

    let (tally, invocations) = (watcher.tally(), services.invocations());
    let summary = Summary::new(&result, objects, tally, invocations, options.memory, places);
    let stored = summary.store(&store, job, run_id).await;
    let told = store_messages(services.recorder(), &store, job, run_id).await;
    server.shutdown().await;
    table::show(&summary, terminal);
    tell_unmapped(&store, output, terminal);
    stored.and(told)?;
    Ok(match stopped {
        Some(signal) => Exit::Stopped(signal),
        None if summary.is_success() => Exit::Success,
        None => Exit::Failure,
    })
}

/// Writes what was sent to the services played here beside the ledger, if anything was.
async fn store_messages(
    recorder: Option<&Recorder>,
    store: &Arc<ObjectStore>,
    job: &Job,
    run_id: &str,
) -> Result<(), CommandError> {
    let Some(recorder) = recorder.filter(|recorder| recorder.total() > 0) else { return Ok(()) };
    let key = format!("{}_mapmill/{run_id}/{MESSAGES_FILE}", job.output.prefix.as_str());
    let mut upload = Upload::begin(store, job.output.bucket.as_str(), &key).map_err(CommandError::failed)?;
    let mut last = 0;
    loop {
        let messages = recorder.messages_after(last, MESSAGES_AT_ONCE, MESSAGES_BYTES_AT_ONCE);
        let Some((number, _)) = messages.last() else { break };
        last = *number;
        for (number, message) in &messages {
            let line = format!("{}\n", message.to_json(*number));
            upload.write(line.as_bytes()).await.map_err(CommandError::failed)?;
        }
    }
    upload.finish().await.map(|_| ()).map_err(CommandError::failed)
}

/// How the objects are cut into batches: as the user said, or so that every slot gets some.
fn batching(options: &Options, strategy: Strategy, objects: u64) -> Batching {
    let max_concurrency = options.max_concurrency.unwrap_or_else(cores);
    let chosen = objects.div_ceil(u64::from(max_concurrency) * BATCHES_PER_SLOT).clamp(1, LARGEST_CHOSEN_BATCH);
    // Where the plan makes the batches, it does so by weight.
    let chosen = (!strategy.has_units()).then(|| u32::try_from(chosen).unwrap_or(u32::MAX));
    let max_items = options.max_items.or(chosen);
    let (max_concurrency, tolerated_failures) = (Some(max_concurrency), options.tolerated_failures);
    Batching { max_items, max_concurrency, tolerated_failures, inventory: None }
}

/// Runs the state machine; a signal stops it in order.
async fn execute(
    engine: &Engine,
    definition: &Definition,
    run_id: &str,
    input: Value,
    signals: &mut StopSignals,
    terminal: &Terminal,
) -> (ExecutionResult, Option<StopSignal>) {
    let cancel = CancellationToken::new();
    let work = engine.run(definition, run_id, input, cancel.clone());
    tokio::pin!(work);
    let mut stopped = None;
    loop {
        tokio::select! {
            result = &mut work => {
                // A run that ended before the signal reached it has ended as it did.
                let stopped = stopped.filter(|_| result.status == ExecutionStatus::Aborted);
                return (result, stopped);
            }
            signal = signals.stopped(), if stopped.is_none() => {
                stopped = Some(signal);
                terminal.note("stopping: batches in flight are given up, what is written stays");
                cancel.cancel();
            }
        }
    }
}

/// Objects under a prefix; the listing is in memory.
fn count_objects(store: &ObjectStore, bucket: &str, prefix: &str) -> Result<u64, CommandError> {
    let mut request = ListRequest { prefix: prefix.to_owned(), ..ListRequest::default() };
    let mut objects = 0;
    loop {
        let page = store.list(bucket, &request).map_err(CommandError::failed)?;
        objects += page.objects.len() as u64;
        match page.continuation {
            Some(continuation) => request.continuation = Some(continuation),
            None => return Ok(objects),
        }
    }
}

/// The number of cores of this machine.
pub(super) fn cores() -> u32 {
    std::thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_ids_name_job_and_time_and_always_fit() {
        let check = |job: &str, expected: &str| {
            let id = default_run_id(job, "2026-11-22T13:55:55.1234Z".parse().unwrap());
            assert_eq!(id, expected);
            assert_eq!(checked_run_id("--run-id", &id).unwrap(), id);
        };
        check("weather", "weather-20261122T135555-123Z");
        check(&"x".repeat(64), &format!("{}-20261122T135555-123Z", "x".repeat(59)));
        for wrong in ["", "..", "a/b", "ä", &"x".repeat(81)] {
            assert!(checked_run_id("--run-id", wrong).is_err(), "{wrong}");
        }
    }
}
