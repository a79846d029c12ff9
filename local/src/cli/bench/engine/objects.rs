//! The workload `objects`: many JSON documents through the whole of a local run.
//!
//! ```text
//! documents ── embedded S3 ── HTTP ──► transform (a process for every core) ── HTTP ──► embedded S3 ── temporary folder
//!                   ▲                      ▲
//!                 listing ── engine ── Lambda host          state machine: the built-in `simple`
//! ```
//!
//! Each document is one record: it is checked, gets a field, and is written as a line of NDJSON with zstd. The measured time
//! is that of the execution, from its start to its end. Documents are generated when they are read, which costs a copy;
//! everything else is as in `mapmill run`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use job::Job;
use planner::Strategy;
use serde::Serialize;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::Arguments;
use super::documents::{Documents, PREFIX};
use crate::asl::{Engine, EngineOptions, ExecutionStatus};
use crate::cli::job_file::{Batching, execution_input};
use crate::cli::run::machine::Machine;
use crate::cli::run::progress::Watcher;
use crate::cli::run::services::LocalServices;
use crate::cli::run::{cores, program_folder};
use crate::cli::terminal::{human_bytes, human_count};
use crate::cli::{CommandError, Terminal};
use crate::lambda_host::{FunctionConfig, HostOptions, LambdaHost, WhenBusy, forget_peak_memory, peak_memory_bytes};
use crate::s3::{Generator as _, ObjectStore, REGION, S3Server, StoreOptions};

const SOURCE: &str = "raw";
const OUTPUT: &str = "clean";
const OUTPUT_PREFIX: &str = "out/";
/// Memory that the function is told it has, in MB.
const FUNCTION_MEMORY_MB: u32 = 512;
const FUNCTION_TIMEOUT: Duration = Duration::from_secs(270);
/// Most objects of a batch, and batches for each core, as `mapmill run` chooses them.
const BATCH_OBJECTS_MAX: u64 = 1_000;
const BATCHES_PER_CORE: u64 = 4;

/// What was measured.
#[derive(Debug, Serialize)]
pub(super) struct Figures {
    pub(super) objects: u64,
    /// Bytes of all documents.
    bytes_read: u64,
    bytes_written: u64,
    invocations: u64,
    seconds: f64,
    objects_per_second: f64,
    bytes_read_per_second: f64,
    /// Of this process, which is engine, S3 and Lambda host; absent where the system does not tell.
    peak_memory_bytes: Option<u64>,
    /// The most of any function process.
    function_peak_memory_bytes: u64,
}

impl Figures {
    /// The figures in a line.
    pub(super) fn line(&self) -> String {
        let memory = self
            .peak_memory_bytes
            .map_or_else(String::new, |bytes| format!(", {} at most in memory", human_bytes(bytes)));
        format!(
            "{} objects of {} in {} invocations: {:.1} s, {} objects and {} a second, {} written{memory}, {} in a function",
            human_count(self.objects),
            human_bytes(self.bytes_read / self.objects.max(1)),
            human_count(self.invocations),
            self.seconds,
            human_count(self.objects_per_second.round() as u64),
            human_bytes(self.bytes_read_per_second as u64),
            human_bytes(self.bytes_written),
            human_bytes(self.function_peak_memory_bytes),
        )
    }
}

/// Everything that the measured execution needs. Dropping it ends the processes and deletes what was written.
struct Bench {
    _folder: tempfile::TempDir,
    server: S3Server,
    host: Arc<LambdaHost>,
    store: Arc<ObjectStore>,
    host_options: HostOptions,
}

pub(super) async fn measure(arguments: &Arguments, terminal: &Terminal) -> Result<Figures, CommandError> {
    let documents = Documents::new(arguments.objects, arguments.size.bytes()).map_err(CommandError::failed)?;
    let (objects, bytes) = (documents.objects(), documents.total_bytes());
    let machine = Machine::load(Strategy::Simple, None)?;
    let bench = Bench::start(documents, &machine, program_folder(arguments.functions.as_deref())?).await?;
    let definition = machine.definition(|function| bench.host_options.function_arn(function))?;
    let concurrency = cores();
    let batch = objects.div_ceil(u64::from(concurrency) * BATCHES_PER_CORE).clamp(1, BATCH_OBJECTS_MAX);
    let batching = Batching {
        max_items: Some(u32::try_from(batch).unwrap_or(u32::MAX)),
        max_concurrency: Some(concurrency),
        ..Batching::default()
    };
    let input = execution_input(&job()?, &batching, None).map_err(CommandError::failed)?;
    let services = Arc::new(LocalServices::new(Arc::clone(&bench.store), Arc::clone(&bench.host)));
    let watcher = Arc::new(Watcher::new(terminal, objects, machine.outer_maps()));
    let engine = Engine::new(services.clone(), EngineOptions::default(), watcher.clone());

    terminal.note(format!("running {} objects, {} ...", human_count(objects), human_bytes(bytes)));
    forget_peak_memory();
    let start = Instant::now();
    let result = engine.run(&definition, "bench", input, CancellationToken::new()).await;
    let seconds = start.elapsed().as_secs_f64();
    let peak_memory_bytes = peak_memory_bytes(Some(std::process::id()));
    watcher.finish();
    let (tally, invocations) = (watcher.tally(), services.invocations());
    let written = bench.store.totals(OUTPUT).map_err(CommandError::failed)?;
    bench.end().await;
    if result.status != ExecutionStatus::Succeeded || tally.items.succeeded != objects || tally.bytes.read != bytes {
        let cause = result.cause.as_deref().unwrap_or("not all objects were read and written");
        let (status, done) = (result.status, tally.items.succeeded);
        let message = format!("the measured run ended as {status} with {done} of {objects} objects: {cause}");
        return Err(CommandError::failed(message));
    }
    Ok(Figures {
        objects,
        bytes_read: bytes,
        bytes_written: written.bytes,
        invocations: invocations.count,
        seconds,
        objects_per_second: objects as f64 / seconds,
        bytes_read_per_second: bytes as f64 / seconds,
        peak_memory_bytes,
        function_peak_memory_bytes: invocations.peak_memory_bytes,
    })
}

/// Each document is a record, gets a field and goes out as a line.
fn job() -> Result<Job, CommandError> {
    let job = json!({
        "version": 1,
        "name": "bench",
        "source": {"bucket": SOURCE, "prefix": PREFIX, "format": "json", "json": {"mode": "document"}},
        "record": {"set": {"NewField": "MyValue"}},
        "output": {"bucket": OUTPUT, "prefix": OUTPUT_PREFIX, "compression": "zstd"},
    });
    Job::from_value(job).map_err(CommandError::failed)
}

impl Bench {
    async fn start(documents: Documents, machine: &Machine, functions: PathBuf) -> Result<Self, CommandError> {
        let folder = tempfile::tempdir().map_err(CommandError::failed)?;
        let store = Arc::new(ObjectStore::new(StoreOptions::default()).map_err(CommandError::failed)?);
        store.generate(SOURCE, Arc::new(documents)).map_err(CommandError::failed)?;
        store.materialise(OUTPUT, &folder.path().join("out")).map_err(CommandError::failed)?;
        let server = S3Server::start(Arc::clone(&store), 0).await.map_err(CommandError::failed)?;
        let host_options = HostOptions { region: REGION.to_owned(), ..HostOptions::default() };
        let host = Arc::new(LambdaHost::new(host_options.clone()));
        for name in machine.functions() {
            host.register(function(name, &functions, &server)).map_err(|error| {
                let message = "build it (`cargo build --package {name}`, same profile) or use --functions DIR";
                CommandError::usage(format!("{error}; {}", message.replace("{name}", name)))
            })?;
        }
        Ok(Self { _folder: folder, server, host, store, host_options })
    }

    async fn end(self) {
        self.host.shutdown().await;
        self.server.shutdown().await;
    }
}

fn function(name: &str, folder: &Path, server: &S3Server) -> FunctionConfig {
    let mut environment: BTreeMap<String, String> =
        server.environment().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    environment.insert("MAPMILL_READ".to_owned(), format!("{SOURCE}/{PREFIX}"));
    environment.insert("MAPMILL_WRITE".to_owned(), format!("{OUTPUT}/{OUTPUT_PREFIX}"));
    FunctionConfig {
        name: name.to_owned(),
        command: folder.join(name),
        arguments: Vec::new(),
        memory_mb: FUNCTION_MEMORY_MB,
        limit_memory: false,
        timeout: FUNCTION_TIMEOUT,
        environment,
        max_environments: None,
        when_busy: WhenBusy::Wait,
    }
}
