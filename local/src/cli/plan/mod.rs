//! `mapmill plan`: what a run will take and cost, before anything runs.
//!
//! The arithmetic is that of the crate `planner`, with which the function `plan` plans a run in the cloud. What it needs of
//! the source is asked of that function itself (`source`): it lists a folder through the embedded S3, or a bucket in AWS with
//! the credentials of the environment. Without a source, a number of objects and their size will do.

mod show;
mod source;

use std::path::PathBuf;

use clap::{ArgGroup, Args, value_parser};
use job::{ByteSize, Job};
use planner::{Forecast, Kind, Overrides, Rates, Refused, Strategy, Survey, compare, forecast, kind, recommend};
use serde_json::{Value, json};

use super::job_file::{self, MAX_CONCURRENCY};
use super::{CommandError, Exit, Terminal, block_on};
use crate::bounded_file;

/// The largest file of prices.
const PRICES_BYTES_MAX: u64 = 64 * 1024;

/// Works out how a job is best run over a source: batches, time, money, and every number beside its quota.
///
/// Prices and speeds are built in, with their date; a file laid over them says what is different for you.
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("of").required(true).args(["source", "inventory", "objects"]),
    after_help = "Examples:\n  mapmill plan --job job.yaml --objects 65000 --mean-size 200KB --compare\n  \
                  mapmill plan --job job.yaml --source s3://raw/orders/ --strategy packed\n  \
                  mapmill plan --job job.yaml --source data-folder --json\n\n\
                  Exit code 1 when the run would fail at a quota; the message names it."
)]
pub(super) struct Arguments {
    /// The job file, YAML or JSON
    #[arg(long, value_name = "FILE")]
    job: PathBuf,

    /// The source: a folder whose files are the objects, or s3://bucket/prefix
    #[arg(long, value_name = "DIR-OR-S3")]
    source: Option<String>,

    /// The manifest.json of an S3 Inventory in CSV or Parquet, on disk with its data files or as s3://bucket/key
    #[arg(long, value_name = "FILE-OR-S3")]
    inventory: Option<String>,

    /// A number of objects, when there is no source to look at
    #[arg(long, value_name = "N", requires = "mean_size", value_parser = value_parser!(u64).range(1..=1_000_000_000))]
    objects: Option<u64>,

    /// Their average size, such as 200KB
    #[arg(long, value_name = "BYTES", requires = "objects", value_parser = ByteSize::parse)]
    mean_size: Option<ByteSize>,

    /// Show the strategies side by side
    #[arg(long, conflicts_with = "strategy")]
    compare: bool,

    /// simple, nested or packed; without it the one that suits the source
    #[arg(long, value_name = "NAME", value_parser = strategy)]
    strategy: Option<Strategy>,

    /// The most objects of a batch; without it what is worked out
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..))]
    max_items: Option<u64>,

    /// The most batches at the same time; without it nine tenths of the account's concurrency
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..))]
    max_concurrency: Option<u64>,

    /// Prices, speeds and limits that differ from the built-in ones, as JSON
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,

    /// The folder of the function programs; without it the folder of this program
    #[arg(long, value_name = "DIR")]
    functions: Option<PathBuf>,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A strategy that can be planned without an earlier run.
pub(super) fn strategy(text: &str) -> Result<Strategy, String> {
    match text.parse::<Strategy>() {
        Ok(strategy) if Strategy::COMPARED.contains(&strategy) => Ok(strategy),
        _ => Err("expected simple, nested or packed".to_owned()),
    }
}

pub(super) fn run(arguments: &Arguments, terminal: &Terminal) -> Result<Exit, CommandError> {
    let mut job = job_file::read(&arguments.job).map_err(CommandError::usage)?;
    let rates = rates(arguments)?;
    if arguments.max_concurrency.is_some_and(|asked| asked > u64::from(MAX_CONCURRENCY)) {
        terminal.note("more batches at the same time are asked for than a Map Run may have");
    }
    let survey = match (&arguments.source, &arguments.inventory) {
        (Some(source), _) => block_on(source::list(arguments, source, &mut job, terminal))?,
        (None, Some(manifest)) => block_on(source::inventory(arguments, manifest, &job))?,
        (None, None) => assumed(arguments, &job, terminal),
    };
    let overrides = Overrides {
        max_items: arguments.max_items,
        max_concurrency: arguments.max_concurrency,
        tolerated_failure_percentage: None,
    };
    let job_bytes = json!(job).to_string().len() as u64;
    let compared = compare(&job, &survey, &rates, &overrides, job_bytes);
    let best = recommend(&compared);
    if arguments.compare {
        if arguments.json {
            terminal.json(&document(&survey, &rates, &compared, best));
        } else {
            show::comparison(&survey, &rates, &compared, best, terminal);
        }
        let all_fail = compared.iter().all(|(_, planned)| planned.is_err());
        return Ok(if all_fail { Exit::Failure } else { Exit::Success });
    }
    let strategy = arguments.strategy.unwrap_or(best);
    let planned = forecast(strategy, &job, &survey, &rates, &overrides, job_bytes);
    let is_possible = planned.is_ok();
    if arguments.json {
        terminal.json(&document(&survey, &rates, &[(strategy, planned)], best));
    } else {
        match planned {
            Ok(planned) => show::plan(&survey, &rates, &planned, best, terminal),
            Err(refused) => terminal.error(&refused),
        }
    }
    Ok(if is_possible { Exit::Success } else { Exit::Failure })
}

fn rates(arguments: &Arguments) -> Result<Rates, CommandError> {
    let Some(path) = &arguments.prices else { return Rates::built_in().map_err(CommandError::failed) };
    let bytes = bounded_file::read(path, PRICES_BYTES_MAX).map_err(CommandError::usage)?;
    let text = String::from_utf8(bytes).map_err(|_| CommandError::usage(format!("{} is not UTF-8", path.display())))?;
    Rates::with_overrides(&text).map_err(|error| CommandError::usage(format!("{}: {error}", path.display())))
}

/// Objects as the command line says, of the kind that the job's first glob names.
fn assumed(arguments: &Arguments, job: &Job, terminal: &Terminal) -> Survey {
    let size = arguments.mean_size.map_or(0, ByteSize::bytes);
    let glob = job.source.include.patterns().first().map_or("", String::as_str);
    let is_told = job.source.compression != job::Compression::Auto || glob.contains('.');
    let kind = if is_told { kind(job, glob) } else { Kind::Whole };
    let key_bytes = job.source.prefix.as_str().len() as u64 + 30;
    terminal.note(format!("assumed: {}, keys of {key_bytes} bytes", show::kind(kind)));
    Survey::uniform(arguments.objects.unwrap_or(0), size, key_bytes, kind)
}

fn document(
    survey: &Survey,
    rates: &Rates,
    planned: &[(Strategy, Result<Forecast, Refused>)],
    best: Strategy,
) -> Value {
    let plans = planned.iter().map(|(strategy, planned)| match planned {
        Ok(planned) => json!({"strategy": strategy.name(), "forecast": planned, "refused": null}),
        Err(Refused { quota, found, advice }) => {
            let refused = json!({"quota": quota, "found": found, "advice": advice});
            json!({"strategy": strategy.name(), "forecast": null, "refused": refused})
        }
    });
    let plans: Vec<Value> = plans.collect();
    json!({"version": 1, "recommended": best.name(), "plans": plans, "survey": survey, "rates": rates})
}
