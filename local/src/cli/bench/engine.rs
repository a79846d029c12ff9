//! `mapmill bench engine`: how many children a second does the state machine engine run, and in how much memory?
//!
//! One Distributed Map over a JSON Lines file of tiny items, each handed to a child of its own, which is one Pass state.
//! The results go to JSON Lines files. Nothing is called, so what is measured is the engine: reading items, starting and
//! ending children, writing results.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum, value_parser};
use serde::Serialize;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::asl::{Definition, Engine, EngineOptions, ExecutionResult, ExecutionStatus};
use crate::cli::run::services::LocalServices;
use crate::cli::signals::StopSignals;
use crate::cli::terminal::{human_bytes, human_count};
use crate::cli::{CommandError, Exit, Terminal, block_on};
use crate::lambda_host::{HostOptions, LambdaHost, peak_memory_bytes};
use crate::observer::{Notice, Observer};
use crate::s3::{ObjectStore, StoreOptions};

const SOURCE: &str = "items";
const KEY: &str = "items.jsonl";
const OUTPUT: &str = "results";
/// Time between two looks at how far the run is.
const SHOWN_EVERY: Duration = Duration::from_millis(200);

/// Measures the state machine engine: a Distributed Map over many tiny items, each with a child of one Pass state. Writes
/// about forty bytes for each item to a temporary folder.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mapmill bench engine\n  mapmill bench engine --items 100000 --children express --json"
)]
pub(super) struct Arguments {
    /// How many items
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = value_parser!(u64).range(1..=100_000_000))]
    items: u64,

    /// What kind of executions the children are
    #[arg(long, value_enum, default_value_t = Children::Standard)]
    children: Children,

    /// Most children at a time; 0 for as many as there may be
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = value_parser!(u32).range(0..=10_000))]
    max_concurrency: u32,

    /// Items in a child's input
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u64).range(1..=100_000))]
    batch: u64,

    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Children {
    Standard,
    Express,
}

impl Children {
    fn name(self) -> &'static str {
        match self {
            Self::Standard => "STANDARD",
            Self::Express => "EXPRESS",
        }
    }
}

/// What was measured.
#[derive(Debug, Serialize)]
struct Figures {
    items: u64,
    children: u64,
    seconds: f64,
    items_per_second: f64,
    /// Of the whole process, in bytes; absent where the system does not tell.
    peak_memory_bytes: Option<u64>,
}

pub(super) fn run(arguments: &Arguments, terminal: &Terminal) -> Result<Exit, CommandError> {
    if cfg!(debug_assertions) {
        terminal.warning("this mapmill was built without full optimisation: the figures are too low");
    }
    block_on(async {
        let mut signals = StopSignals::listen()?;
        tokio::select! {
            signal = signals.stopped() => Ok(Exit::Stopped(signal)),
            figures = measure(arguments, terminal) => {
                show(&figures?, arguments.json, terminal)?;
                Ok(Exit::Success)
            }
        }
    })
}

fn show(figures: &Figures, as_json: bool, terminal: &Terminal) -> Result<(), CommandError> {
    if as_json {
        terminal.json(&serde_json::to_value(figures).map_err(CommandError::failed)?);
        return Ok(());
    }
    let Figures { items, children, seconds, items_per_second, peak_memory_bytes } = figures;
    let memory =
        peak_memory_bytes.map_or_else(String::new, |bytes| format!(", {} at most in memory", human_bytes(bytes)));
    terminal.line(format!(
        "{} items in {} children: {seconds:.1} s, {} items a second{memory}",
        human_count(*items),
        human_count(*children),
        human_count(items_per_second.round() as u64),
    ));
    Ok(())
}

async fn measure(arguments: &Arguments, terminal: &Terminal) -> Result<Figures, CommandError> {
    let folder = tempfile::tempdir().map_err(CommandError::failed)?;
    let data = folder.path().join("data");
    terminal.note(format!("writing {} items ...", human_count(arguments.items)));
    write_items(&data, arguments.items).map_err(CommandError::failed)?;
    let store = Arc::new(ObjectStore::new(StoreOptions::default()).map_err(CommandError::failed)?);
    store.mount(SOURCE, &data).map_err(CommandError::failed)?;
    store.materialise(OUTPUT, &folder.path().join("out")).map_err(CommandError::failed)?;
    let host = Arc::new(LambdaHost::new(HostOptions::default()));
    let services = Arc::new(LocalServices::new(store, host));
    let ended = Arc::new(Ended::default());
    let engine = Engine::new(services, EngineOptions::default(), Arc::clone(&ended) as Arc<dyn Observer>);
    let definition = definition(arguments);
    let definition = Definition::parse(&definition.to_string()).map_err(CommandError::failed)?;

    terminal.note("running ...");
    let start = Instant::now();
    let result = {
        let mut progress = terminal.progress(arguments.items, "items");
        let run = engine.run(&definition, "bench", json!({}), CancellationToken::new());
        tokio::pin!(run);
        let mut tick = tokio::time::interval(SHOWN_EVERY);
        let result = loop {
            tokio::select! {
                result = &mut run => break result,
                _ = tick.tick() => progress.set(ended.0.load(Ordering::Relaxed)),
            }
        };
        progress.finish();
        result
    };
    let seconds = start.elapsed().as_secs_f64();
    let children = checked(&result, arguments.items)?;
    Ok(Figures {
        items: arguments.items,
        children,
        seconds,
        items_per_second: arguments.items as f64 / seconds,
        peak_memory_bytes: peak_memory_bytes(Some(std::process::id())),
    })
}

/// The number of children, when all items have succeeded.
fn checked(result: &ExecutionResult, items: u64) -> Result<u64, CommandError> {
    let counts = result.map_runs.first().map(|run| (run.executions.succeeded, run.items.succeeded));
    match (result.status, counts) {
        (ExecutionStatus::Succeeded, Some((children, succeeded))) if succeeded == items => Ok(children),
        (status, _) => {
            let cause = result.cause.as_deref().unwrap_or("not all items have succeeded");
            Err(CommandError::failed(std::io::Error::other(format!("the measured run ended as {status}: {cause}"))))
        }
    }
}

fn write_items(folder: &Path, items: u64) -> std::io::Result<()> {
    std::fs::create_dir(folder)?;
    let mut file = BufWriter::new(File::create(folder.join(KEY))?);
    for number in 0..items {
        writeln!(file, "{{\"n\":{number}}}")?;
    }
    file.flush()
}

fn definition(arguments: &Arguments) -> Value {
    let mut map = json!({
        "Type": "Map",
        "Label": "Bench",
        "ItemReader": {
            "Resource": "arn:aws:states:::s3:getObject",
            "ReaderConfig": {"InputType": "JSONL"},
            "Parameters": {"Bucket": SOURCE, "Key": KEY},
        },
        "MaxConcurrency": arguments.max_concurrency,
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": arguments.children.name()},
            "StartAt": "Pass",
            "States": {"Pass": {"Type": "Pass", "End": true}},
        },
        "ResultWriter": {
            "Resource": "arn:aws:states:::s3:putObject",
            "Parameters": {"Bucket": OUTPUT, "Prefix": "bench"},
            "WriterConfig": {"Transformation": "COMPACT", "OutputType": "JSONL"},
        },
        "End": true,
    });
    if arguments.batch > 1
        && let Value::Object(fields) = &mut map
    {
        fields.insert("ItemBatcher".to_owned(), json!({"MaxItemsPerBatch": arguments.batch}));
    }
    json!({"StartAt": "Bench", "States": {"Bench": map}})
}

/// Counts the items of children that have ended.
#[derive(Default)]
struct Ended(AtomicU64);

impl Observer for Ended {
    fn notice(&self, notice: Notice<'_>) {
        if let Notice::ChildFinished { items, .. } = notice {
            self.0.fetch_add(items, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_items_go_through_children() {
        let check = |items: u64, batch: u64, children: Children, expected: u64| {
            let arguments = Arguments { items, children, max_concurrency: 10, batch, json: false };
            let figures = block_on(measure(&arguments, &Terminal::new())).unwrap();
            assert_eq!((figures.items, figures.children), (items, expected));
            assert!(figures.items_per_second > 0.0 && figures.peak_memory_bytes != Some(0));
        };
        check(1, 1, Children::Standard, 1);
        check(1_000, 1, Children::Express, 1_000);
        check(1_001, 100, Children::Standard, 11);
    }
}
