//! The workload `items`: how many children a second does the state machine engine run?
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

use serde::Serialize;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::Arguments;
use crate::asl::{Definition, Engine, EngineOptions, ExecutionResult, ExecutionStatus};
use crate::cli::run::services::LocalServices;
use crate::cli::terminal::{human_bytes, human_count};
use crate::cli::{CommandError, Terminal};
use crate::lambda_host::{HostOptions, LambdaHost, forget_peak_memory, peak_memory_bytes};
use crate::observer::{Notice, Observer};
use crate::s3::{ObjectStore, StoreOptions};

const SOURCE: &str = "items";
const KEY: &str = "items.jsonl";
const OUTPUT: &str = "results";
/// Time between two looks at how far the run is.
const SHOWN_EVERY: Duration = Duration::from_millis(200);

/// What was measured.
#[derive(Debug, Serialize)]
pub(super) struct Figures {
    pub(super) items: u64,
    pub(super) children: u64,
    seconds: f64,
    pub(super) items_per_second: f64,
    /// Of the whole process, in bytes; absent where the system does not tell.
    pub(super) peak_memory_bytes: Option<u64>,
}

impl Figures {
    /// The figures in a line.
    pub(super) fn line(&self) -> String {
        let Self { items, children, seconds, items_per_second, peak_memory_bytes } = self;
        let memory =
            peak_memory_bytes.map_or_else(String::new, |bytes| format!(", {} at most in memory", human_bytes(bytes)));
        format!(
            "{} items in {} children: {seconds:.1} s, {} items a second{memory}",
            human_count(*items),
            human_count(*children),
            human_count(items_per_second.round() as u64),
        )
    }
}

pub(super) async fn measure(arguments: &Arguments, terminal: &Terminal) -> Result<Figures, CommandError> {
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
    forget_peak_memory();
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
