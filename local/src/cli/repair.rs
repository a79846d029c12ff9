//! `mapmill repair`: what an earlier run left undone, through the state machine `repair`.

use clap::Args;

use super::run::{self, checked_run_id};
use super::{CommandError, Exit, Terminal};

/// Processes the objects that an earlier run of the same job left without output, and no others, through the state machine
/// `repair`. The report of the repair is that of both runs together.
///
/// DIR of --data is the source bucket, and DIR of --out the folder that the earlier run wrote to.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  mapmill repair --run weather-20261122T133342-518Z --job examples/jobs/weather.yaml \\\n    \
                        --data examples/data --out out\n\n\
                        Exit code 0 only when every object of the repair was processed."
)]
pub(super) struct Arguments {
    /// The run that is to be repaired
    #[arg(long, value_name = "NAME")]
    run: String,

    #[command(flatten)]
    options: run::Options,
}

pub(super) fn run(arguments: &Arguments, terminal: &Terminal) -> Result<Exit, CommandError> {
    checked_run_id("--run", &arguments.run)?;
    run::repair(&arguments.options, &arguments.run, terminal)
}
