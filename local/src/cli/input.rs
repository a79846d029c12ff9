//! `mapmill input`: the input of an execution in the cloud.

use std::path::PathBuf;

use clap::Args;
use clap::value_parser;

use super::job_file::{self, Batching, DEFAULT_MAX_CONCURRENCY, DEFAULT_MAX_ITEMS, MAX_CONCURRENCY};
use super::{CommandError, Exit, Terminal};

/// Prints the input that the deployed state machine expects: the job with all defaults filled in, and how to batch.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  mapmill input --job job.yaml > input.json\n  \
                        aws stepfunctions start-execution --state-machine-arn ARN --input file://input.json")]
pub(super) struct Arguments {
    /// The job file, YAML or JSON
    #[arg(long, value_name = "FILE")]
    job: PathBuf,

    /// The most objects that one batch, and so one call of the function, gets
    #[arg(long, value_name = "N", default_value_t = DEFAULT_MAX_ITEMS, value_parser = value_parser!(u32).range(1..))]
    max_items: u32,

    /// The most batches at the same time
    #[arg(long, value_name = "N", default_value_t = DEFAULT_MAX_CONCURRENCY,
          value_parser = value_parser!(u32).range(1..=i64::from(MAX_CONCURRENCY)))]
    max_concurrency: u32,

    /// The share of objects in failed batches, in percent, that the state machine tolerates
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = value_parser!(u8).range(0..=100))]
    tolerated_failures: u8,
}

pub(super) fn run(arguments: &Arguments, terminal: &Terminal) -> Result<Exit, CommandError> {
    let job = job_file::read(&arguments.job).map_err(CommandError::usage)?;
    let batching = Batching {
        max_items: arguments.max_items,
        max_concurrency: arguments.max_concurrency,
        tolerated_failures: arguments.tolerated_failures,
    };
    let input = job_file::execution_input(&job, batching).map_err(CommandError::usage)?;
    terminal.json(&input);
    Ok(Exit::Success)
}
