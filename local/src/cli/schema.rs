//! `mapmill schema`: the JSON Schema of a file that Mapmill reads.

use clap::{Args, ValueEnum};

use super::{CommandError, Exit, Terminal};

/// Prints the JSON Schema of a file that Mapmill reads, for editors and for checking files elsewhere.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  mapmill schema job > job.schema.json")]
pub(super) struct Arguments {
    /// Which file
    #[arg(value_enum)]
    file: File,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum File {
    /// The job file
    Job,
}

pub(super) fn run(arguments: &Arguments, terminal: &Terminal) -> Result<Exit, CommandError> {
    match arguments.file {
        File::Job => terminal.json(&job::json_schema()),
    }
    Ok(Exit::Success)
}
