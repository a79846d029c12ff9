//! `mapmill input`: the input of an execution in the cloud.

use std::path::PathBuf;

use clap::Args;
use clap::value_parser;

use super::job_file::{self, Batching, MAX_CONCURRENCY};
use super::{CommandError, Exit, Terminal};

/// Prints the input that the deployed state machines expect: the job with all defaults filled in, and what the plan of the run is
/// to do otherwise than it would.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  mapmill input --job job.yaml > input.json\n  \
                        aws stepfunctions start-execution --state-machine-arn ARN --input file://input.json")]
pub(super) struct Arguments {
    /// The job file, YAML or JSON
    #[arg(long, value_name = "FILE")]
    job: PathBuf,

    /// The most objects that one batch, and so one call of the function, gets; without it the plan decides
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..))]
    max_items: Option<u32>,

    /// The most batches at the same time; without it the plan decides
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=i64::from(MAX_CONCURRENCY)))]
    max_concurrency: Option<u32>,

    /// The share of objects in failed batches, in percent, that the state machine tolerates
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = value_parser!(u8).range(0..=100))]
    tolerated_failures: u8,

    /// The manifest.json of an S3 Inventory, which `packed` reads in place of a listing
    #[arg(long, value_name = "S3-URI")]
    inventory: Option<String>,

    /// The run that the state machine `repair` is to repair
    #[arg(long, value_name = "RUN")]
    repair: Option<String>,
}

pub(super) fn run(arguments: &Arguments, terminal: &Terminal) -> Result<Exit, CommandError> {
    let job = job_file::read(&arguments.job).map_err(CommandError::usage)?;
    let batching = Batching {
        max_items: arguments.max_items,
        max_concurrency: arguments.max_concurrency,
        tolerated_failures: arguments.tolerated_failures,
        inventory: arguments.inventory.clone(),
    };
    let input = job_file::execution_input(&job, &batching, arguments.repair.as_deref()).map_err(CommandError::usage)?;
    terminal.json(&input);
    Ok(Exit::Success)
}
