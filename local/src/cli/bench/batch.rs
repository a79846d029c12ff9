//! `mapmill bench batch`: how fast does one invocation of the worker take a batch of small objects?
//!
//! The real `transform` program, started as Lambda starts it, gets one batch of JSON documents in the embedded S3 and writes
//! each with one field more. Both share the cores of this machine, so the time is that of both; the CPU time is that of the
//! function alone, and the requests are those that the S3 was sent.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clap::{Args, value_parser};
use job::ByteSize;
use serde::Serialize;
use serde_json::{Value, json};

use crate::cli::signals::StopSignals;
use crate::cli::terminal::{human_bytes, human_count};
use crate::cli::{CommandError, Exit, Terminal, block_on};
use crate::lambda_host::{FunctionConfig, HostOptions, LambdaHost, WhenBusy};
use crate::s3::{ListRequest, ObjectStore, S3Server, StoreOptions};

const FUNCTION: &str = "transform";
const SOURCE: &str = "raw";
const OUTPUT: &str = "clean";

/// Time that one invocation may take.
const TIMEOUT: Duration = Duration::from_secs(900);

/// Measures one invocation of the function `transform` with a batch of JSON documents in the embedded S3. The objects and
/// outputs lie in a temporary folder.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  mapmill bench batch\n  mapmill bench batch --objects 5000 --size 20KB --json")]
pub(super) struct Arguments {
    /// How many objects are in the batch
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = value_parser!(u32).range(1..=10_000))]
    objects: u32,

    /// How large each is, 100B to 100MB
    #[arg(long, value_name = "BYTES", value_parser = ByteSize::parse, default_value = "200KB")]
    size: ByteSize,

    /// Memory that the function is told it has, in MB
    #[arg(long, value_name = "MB", default_value_t = 1_769, value_parser = value_parser!(u32).range(128..=10_240))]
    memory: u32,

    /// How often the batch is processed after a first time that starts the function; the median is told
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = value_parser!(u32).range(1..=100))]
    repeat: u32,

    /// The folder of the function program; without it the folder of this program
    #[arg(long, value_name = "DIR")]
    functions: Option<PathBuf>,

    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

/// What was measured; sums are those of the median round.
#[derive(Debug, Serialize)]
struct Figures {
    objects: u32,
    bytes: u64,
    seconds: f64,
    objects_per_second: f64,
    megabytes_per_second: f64,
    /// Of the function, all rounds together; absent where the system does not tell.
    cpu_seconds_per_gigabyte: Option<f64>,
    requests_per_object: f64,
    /// How often each operation was asked for in a round.
    requests: BTreeMap<String, u64>,
    peak_memory_bytes: Option<u64>,
}

pub(super) fn run(arguments: &Arguments, terminal: &Terminal) -> Result<Exit, CommandError> {
    if cfg!(debug_assertions) {
        terminal.warning("this mapmill was built without full optimisation: the figures are too low");
    }
    if !(100..=100_000_000).contains(&arguments.size.bytes()) {
        return Err(CommandError::usage("--size: expected 100B to 100MB"));
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
    let operations: Vec<_> =
        figures.requests.iter().map(|(name, count)| format!("{} {name}", human_count(*count))).collect();
    let cpu = figures.cpu_seconds_per_gigabyte.map(|seconds| format!("  CPU time   {seconds:.2} s for each GB read"));
    let memory = figures.peak_memory_bytes.map(|bytes| format!("  memory     {} at most", human_bytes(bytes)));
    terminal.line(format!(
        "{} objects of {} in one invocation: {:.2} s\n  speed      {} objects a second, {:.0} MB/s",
        human_count(figures.objects.into()),
        human_bytes(figures.bytes / u64::from(figures.objects)),
        figures.seconds,
        human_count(figures.objects_per_second.round() as u64),
        figures.megabytes_per_second,
    ));
    for line in cpu.into_iter().chain(memory) {
        terminal.line(line);
    }
    terminal.line(format!(
        "  requests   {:.2} for each object: {}",
        figures.requests_per_object,
        operations.join(", ")
    ));
    Ok(())
}

async fn measure(arguments: &Arguments, terminal: &Terminal) -> Result<Figures, CommandError> {
    let folder = tempfile::tempdir().map_err(CommandError::failed)?;
    let data = folder.path().join("data");
    let objects = u64::from(arguments.objects);
    terminal.note(format!("writing {} objects ...", human_count(objects)));
    write_objects(&data, arguments.objects, arguments.size.bytes()).map_err(CommandError::failed)?;
    let store = Arc::new(ObjectStore::new(StoreOptions::default()).map_err(CommandError::failed)?);
    store.mount(SOURCE, &data).map_err(CommandError::failed)?;
    store.materialise(OUTPUT, &folder.path().join("out")).map_err(CommandError::failed)?;
    let (items, bytes) = items(&store)?;
    let server = S3Server::start(Arc::clone(&store), 0).await.map_err(CommandError::failed)?;
    let host = LambdaHost::new(HostOptions::default());
    host.register(function(arguments, &server)?).map_err(CommandError::usage)?;

    let mut rounds = Vec::new();
    let (mut cpu, mut peak) = (Some(Duration::ZERO), None);
    let mut progress = terminal.progress(u64::from(arguments.repeat), "rounds");
    for round in 0..=arguments.repeat {
        let before = server.requests();
        let event = Bytes::from(event(&format!("round-{round}"), &items).to_string());
        let outcome = host.invoke(FUNCTION, event).await.map_err(CommandError::failed)?;
        let answer = outcome.result.map_err(|error| failed(&error.payload))?;
        check(&answer, objects)?;
        peak = outcome.peak_memory_bytes.or(peak);
        // The first round starts the function and fills the caches of the system.
        if round > 0 {
            cpu = cpu.zip(outcome.cpu_time).map(|(sum, time)| sum + time);
            rounds.push((outcome.duration, difference(&server.requests(), &before)));
            progress.set(u64::from(round));
        }
    }
    progress.finish();
    host.shutdown().await;
    server.shutdown().await;
    rounds.sort_by_key(|(duration, _)| *duration);
    let (duration, requests) = rounds.swap_remove(rounds.len() / 2);
    let seconds = duration.as_secs_f64();
    let gigabytes = bytes as f64 / 1e9 * f64::from(arguments.repeat);
    Ok(Figures {
        objects: arguments.objects,
        bytes,
        seconds,
        objects_per_second: objects as f64 / seconds,
        megabytes_per_second: bytes as f64 / 1e6 / seconds,
        cpu_seconds_per_gigabyte: cpu.map(|time| time.as_secs_f64() / gigabytes),
        requests_per_object: requests.values().sum::<u64>() as f64 / objects as f64,
        requests,
        peak_memory_bytes: peak,
    })
}

fn function(arguments: &Arguments, server: &S3Server) -> Result<FunctionConfig, CommandError> {
    let folder = crate::cli::run::program_folder(arguments.functions.as_deref())?;
    let own = [("MAPMILL_READ", format!("{SOURCE}/")), ("MAPMILL_WRITE", format!("{OUTPUT}/"))];
    let environment = server.environment().into_iter().chain(own);
    Ok(FunctionConfig {
        name: FUNCTION.to_owned(),
        command: folder.join(FUNCTION),
        arguments: Vec::new(),
        memory_mb: arguments.memory,
        limit_memory: false,
        timeout: TIMEOUT,
        environment: environment.map(|(name, value)| (name.to_owned(), value)).collect(),
        max_environments: Some(1),
        when_busy: WhenBusy::Wait,
    })
}

/// Documents that are all of one size and all different.
fn write_objects(folder: &Path, objects: u32, size: u64) -> std::io::Result<()> {
    std::fs::create_dir(folder)?;
    let line =
        |number: u32| json!({"id": number, "name": format!("customer {number}"), "total": 12.5, "tags": ["a", "b"]});
    let (mut lines, mut number) = (String::new(), 0);
    // What follows the number of the object in every document.
    while (lines.len() as u64) < size.saturating_sub(60) {
        lines.push_str(if number == 0 { "" } else { "," });
        lines.push_str(&line(number).to_string());
        number += 1;
    }
    for object in 0..objects {
        let document = format!("{{\"number\":{},\"lines\":[{lines}]}}", 10_000_000 + object);
        std::fs::write(folder.join(format!("{object:06}.json")), document)?;
    }
    Ok(())
}

/// The items of a listing, and their bytes together.
fn items(store: &ObjectStore) -> Result<(Vec<Value>, u64), CommandError> {
    let (mut items, mut bytes) = (Vec::new(), 0);
    let mut request = ListRequest::default();
    loop {
        let page = store.list(SOURCE, &request).map_err(CommandError::failed)?;
        for object in page.objects {
            bytes += object.size;
            items.push(json!({"Key": object.key, "Size": object.size, "Etag": format!("\"{}\"", object.tag)}));
        }
        match page.continuation {
            Some(continuation) => request.continuation = Some(continuation),
            None => return Ok((items, bytes)),
        }
    }
}

fn event(run: &str, items: &[Value]) -> Value {
    let job = json!({
        "version": 1,
        "name": "bench-batch",
        "source": {"bucket": SOURCE},
        "record": {"set": {"NewField": "MyValue"}},
        "output": {"bucket": OUTPUT, "compression": "zstd"},
    });
    json!({"BatchInput": {"mapmill": {"version": 1, "run_id": run, "job": job}}, "Items": items})
}

/// All objects must have become outputs, or nothing was measured.
fn check(answer: &[u8], objects: u64) -> Result<(), CommandError> {
    let answer: Value = serde_json::from_slice(answer).map_err(CommandError::failed)?;
    if answer["items"]["succeeded"] == objects && answer["records"]["written"] == objects {
        return Ok(());
    }
    Err(failed(&answer.to_string()))
}

fn failed(answer: &str) -> CommandError {
    CommandError::failed(std::io::Error::other(format!("the function did not process every object: {answer}")))
}

/// What was added to each count.
fn difference(after: &BTreeMap<String, u64>, before: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let added = after.iter().map(|(name, count)| (name.clone(), count - before.get(name).copied().unwrap_or(0)));
    added.filter(|(_, count)| *count > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_have_the_size_asked_for_and_are_json() {
        let check = |size: u64| {
            let folder = tempfile::tempdir().unwrap();
            write_objects(&folder.path().join("data"), 3, size).unwrap();
            let mut texts = Vec::new();
            for number in 0..3 {
                let text = std::fs::read_to_string(folder.path().join(format!("data/{number:06}.json"))).unwrap();
                serde_json::from_str::<Value>(&text).unwrap();
                assert!((text.len() as i64 - size as i64).abs() < 120, "{size}: {} bytes", text.len());
                texts.push(text);
            }
            texts.dedup();
            assert_eq!(texts.len(), 3, "{size}: all are different");
        };
        check(100);
        check(200_000);
    }

    #[test]
    fn an_answer_that_leaves_an_object_out_is_no_measurement() {
        let answer = |succeeded: u64| json!({"items": {"succeeded": succeeded}, "records": {"written": 2}}).to_string();
        assert!(check(answer(2).as_bytes(), 2).is_ok());
        assert!(check(answer(1).as_bytes(), 2).is_err());
    }
}
