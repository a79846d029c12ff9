//! `mapmill bench`: how fast is the record engine on this machine? `mapmill bench engine` asks that of the state machine
//! engine, `mapmill bench batch` that of a worker with a batch of small objects, `mapmill bench start` how soon functions
//! are ready.
//!
//! The measurement fills one core and cannot wait for anything, so it has a thread of its own. That thread tells each
//! step; the command shows them and listens for signals. When a signal ends the command, the next step finds nobody
//! listening, and the measurement ends there.

mod batch;
mod engine;
mod start;

use std::ops::ControlFlow;

use clap::{Args, Subcommand, value_parser};
use engine_benches::workloads;
use engine_benches::{BenchError, DEFAULT_ROUNDS, MOST_ROUNDS, Options, Report, Step};
use job::ByteSize;
use tokio::sync::{mpsc, oneshot};

use super::signals::StopSignals;
use super::terminal::{Progress, human_bytes};
use super::{CommandError, Exit, Terminal, block_on};

/// The default size of an input, as the user would write it.
const DEFAULT_SIZE: &str = "64MB";

/// Steps that may wait to be shown. When nobody shows them in time, the measurement waits.
const MOST_STEPS_WAITING: usize = 64;

/// Measures the record engine on this machine, beside the crates that one would use instead. Data is generated; all
/// ways of doing a job must give the same records before any of them is measured. Needs about five times the size of an
/// input in memory and, with the defaults, about a minute.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  mapmill bench\n  mapmill bench --only csv-typed ndjson-reshape --size 256MB --json\n  \
                  mapmill bench batch\n  mapmill bench engine\n  mapmill bench start"
)]
pub(super) struct Arguments {
    /// What to measure instead
    #[command(subcommand)]
    other: Option<Other>,

    /// How large each input is, 1MB to 1GB
    #[arg(long, value_name = "BYTES", value_parser = ByteSize::parse, default_value = DEFAULT_SIZE)]
    size: ByteSize,

    /// Measure only these, and what they are compared with; see --list
    #[arg(long, value_name = "NAME", num_args = 1..)]
    only: Vec<String>,

    /// In how many rounds each is measured
    #[arg(long, value_name = "N", default_value_t = DEFAULT_ROUNDS,
          value_parser = value_parser!(u32).range(1..=i64::from(MOST_ROUNDS)))]
    repeat: u32,

    /// Print the figures as JSON
    #[arg(long)]
    json: bool,

    /// Name what can be measured, and measure nothing
    #[arg(long, conflicts_with_all = ["only", "json"])]
    list: bool,
}

#[derive(Debug, Subcommand)]
enum Other {
    /// Measure the state machine engine: very many tiny items, and many documents through the whole of a run
    Engine(engine::Arguments),
    /// Measure a function: one invocation with a batch of small objects
    Batch(batch::Arguments),
    /// Measure how long the functions take until they are ready for an event
    Start(start::Arguments),
}

pub(super) fn run(arguments: Arguments, terminal: &Terminal) -> Result<Exit, CommandError> {
    match &arguments.other {
        Some(Other::Engine(arguments)) => return engine::run(arguments, terminal),
        Some(Other::Batch(arguments)) => return batch::run(arguments, terminal),
        Some(Other::Start(arguments)) => return start::run(arguments, terminal),
        None => {}
    }
    if arguments.list {
        for line in engine_benches::list(&workloads::all()) {
            terminal.line(line);
        }
        return Ok(Exit::Success);
    }
    if cfg!(debug_assertions) {
        terminal.warning(
            "this mapmill was built without full optimisation: the figures are too low, most of all those of the other \
             crates; `make bench` measures a build like the deployed one",
        );
    }
    let options = Options { bytes: arguments.size.bytes(), rounds: arguments.repeat, only: arguments.only };
    let rounds = if options.rounds == 1 { "one round".to_owned() } else { format!("{} rounds", options.rounds) };
    terminal.note(format!("inputs of {}, {rounds}", human_bytes(options.bytes)));
    block_on(async {
        let mut signals = StopSignals::listen()?;
        let (steps, ended) = begin(options)?;
        tokio::select! {
            signal = signals.stopped() => Ok(Exit::Stopped(signal)),
            report = watch(steps, ended, terminal) => {
                let report = report?;
                if arguments.json {
                    terminal.json(&serde_json::to_value(&report).map_err(CommandError::failed)?);
                } else {
                    terminal.line(report.to_string());
                }
                Ok(Exit::Success)
            }
        }
    })
}

type Ended = Result<Report, BenchError>;

/// Starts the measurement on a thread; answers where its steps and its end can be heard.
fn begin(options: Options) -> Result<(mpsc::Receiver<Step>, oneshot::Receiver<Ended>), CommandError> {
    let (tell_step, steps) = mpsc::channel(MOST_STEPS_WAITING);
    let (tell_end, ended) = oneshot::channel();
    let work = move || {
        let report =
            engine_benches::run(&options, &workloads::all(), &mut |step| match tell_step.blocking_send(step) {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            });
        // Nobody listens any more when a signal has ended the command.
        let _ = tell_end.send(report);
    };
    std::thread::Builder::new().name("bench".to_owned()).spawn(work).map_err(CommandError::failed)?;
    Ok((steps, ended))
}

/// Shows the steps until the measurement ends.
async fn watch(
    mut steps: mpsc::Receiver<Step>,
    ended: oneshot::Receiver<Ended>,
    terminal: &Terminal,
) -> Result<Report, CommandError> {
    let mut progress: Option<Progress> = None;
    while let Some(step) = steps.recv().await {
        match step {
            Step::Checking => terminal.note("comparing the answers ..."),
            Step::Generating => terminal.note("making the inputs ..."),
            Step::Measuring { done: 0, total } => {
                terminal.note("measuring ...");
                progress = Some(terminal.progress(total as u64, "turns"));
            }
            Step::Measuring { done, .. } => {
                if let Some(progress) = &mut progress {
                    progress.set(done as u64);
                }
            }
        }
    }
    if let Some(progress) = progress {
        progress.finish();
    }
    // A thread that panicked has said so on standard error, and sends nothing.
    ended.await.map_err(CommandError::failed)?.map_err(classify)
}

/// What was asked for wrongly is the user's to put right; the rest is a failure.
fn classify(error: BenchError) -> CommandError {
    match error {
        BenchError::UnknownWorkload { .. } | BenchError::Size { .. } | BenchError::Rounds { .. } => {
            CommandError::usage(error)
        }
        _ => CommandError::failed(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine_benches::DEFAULT_BYTES;

    #[test]
    fn the_default_size_is_that_of_the_measurements() {
        assert_eq!(ByteSize::parse(DEFAULT_SIZE), Ok(ByteSize::from_bytes(DEFAULT_BYTES)));
    }

    fn asked(bytes: u64, only: &str) -> Options {
        Options { bytes, rounds: 1, only: vec![only.to_owned()] }
    }

    fn watched(options: Options) -> Result<Report, CommandError> {
        block_on(async {
            let (steps, ended) = begin(options)?;
            watch(steps, ended, &Terminal::new()).await
        })
    }

    #[test]
    fn what_cannot_be_measured_is_wrong_usage() {
        let check = |options: Options, expected: &str| {
            let error = watched(options).unwrap_err();
            assert!(matches!(error, CommandError::Usage(_)), "{error}");
            assert!(error.to_string().contains(expected), "{error}");
        };
        check(asked(DEFAULT_BYTES, "quick-sort"), "no workload is called \"quick-sort\"");
        check(asked(10, "utf8"), "inputs of 10 bytes");
    }

    #[test]
    fn the_measurement_ends_when_nobody_listens() {
        block_on(async {
            let (steps, ended) = begin(asked(1_000_000, "utf8"))?;
            drop(steps);
            let report = ended.await.map_err(CommandError::failed)?;
            assert!(matches!(report, Err(BenchError::Stopped)), "{report:?}");
            Ok(())
        })
        .unwrap();
    }
}
