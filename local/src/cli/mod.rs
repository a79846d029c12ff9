//! The `mapmill` command: one file a subcommand.
//!
//! To add one: a file with `pub(super) struct Arguments` (derive `clap::Args`) and
//! `pub(super) fn run(arguments, &Terminal) -> Result<Exit, CommandError>`, a variant of [`Command`], an arm in
//! [`dispatch`]. Everything that is printed goes through [`Terminal`].
//!
//! Exit codes: 0 the work succeeded; 1 it failed; 2 the command line, the job file or a folder is wrong; 130 Ctrl-C, and
//! 128 and the number of any other signal that stopped it.

mod bench;
mod check;
mod error;
mod failures;
mod history;
mod input;
pub mod job_file;
mod messages;
mod plan;
mod repair;
mod report;
mod run;
mod run_folder;
mod sample;
mod schema;
mod serve;
pub mod signals;
mod step_functions_client;
pub mod terminal;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use error::{CommandError, Exit};
pub use terminal::Terminal;

/// Reshape millions of JSON and CSV objects in S3 with Step Functions and Lambda, or right here.
#[derive(Debug, Parser)]
#[command(
    name = "mapmill",
    version,
    arg_required_else_help = true,
    after_help = "Exit codes: 0 success, 1 the work failed, 2 wrong command line, job file or folder, 130 Ctrl-C.\n\
                  `mapmill help COMMAND` shows an example for each command."
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure the record engine or the state machine engine on this machine
    Bench(bench::Arguments),
    /// Check a job file and say what it would do
    Check(check::Arguments),
    /// Show what failed in an execution or a finished run, and why
    Failures(failures::Arguments),
    /// Show what happened in an execution or a finished run
    History(history::Arguments),
    /// Print the input for an execution of the state machine
    Input(input::Arguments),
    /// Show what was sent to queues, topics, event buses and tables
    Messages(messages::Arguments),
    /// Work out what a run will take and cost, before anything runs
    Plan(plan::Arguments),
    /// Process what an earlier run left without output
    Repair(repair::Arguments),
    /// Make the report of a finished run again
    Report(report::Arguments),
    /// Run a job on this machine: its whole state machine over a folder of objects
    Run(run::Arguments),
    /// Make many distinct objects from the records of one file
    Sample(sample::Arguments),
    /// Print the JSON Schema of a file that Mapmill reads
    Schema(schema::Arguments),
    /// Serve the APIs of S3, Step Functions and Lambda on this machine until Ctrl-C
    Serve(serve::Arguments),
}

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    let terminal = Terminal::new();
    // Help and wrong usage end here, with 0 and 2.
    let cli = Cli::parse();
    let ended = dispatch(cli.command, &terminal);
    match ended.and_then(|exit| terminal.finish().map(|()| exit)) {
        Ok(exit) => exit.code(),
        Err(error) => {
            Terminal::new().error(&error);
            error.exit_code()
        }
    }
}

fn dispatch(command: Command, terminal: &Terminal) -> Result<Exit, CommandError> {
    match command {
        Command::Bench(arguments) => bench::run(arguments, terminal),
        Command::Check(arguments) => check::run(&arguments, terminal),
        Command::Failures(arguments) => failures::run(&arguments, terminal),
        Command::History(arguments) => history::run(&arguments, terminal),
        Command::Input(arguments) => input::run(&arguments, terminal),
        Command::Messages(arguments) => messages::run(&arguments, terminal),
        Command::Plan(arguments) => plan::run(&arguments, terminal),
        Command::Repair(arguments) => repair::run(&arguments, terminal),
        Command::Report(arguments) => report::run(&arguments, terminal),
        Command::Run(arguments) => run::run(&arguments, terminal),
        Command::Sample(arguments) => sample::run(arguments, terminal),
        Command::Schema(arguments) => schema::run(&arguments, terminal),
        Command::Serve(arguments) => serve::run(&arguments, terminal),
    }
}

/// Runs `work` on a new Tokio runtime with a thread for every core.
///
/// # Errors
/// [`CommandError::Failed`] when the system has no threads to give; otherwise what `work` returns.
pub fn block_on<T>(work: impl Future<Output = Result<T, CommandError>>) -> Result<T, CommandError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(CommandError::failed)?;
    runtime.block_on(work)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent_and_every_command_has_an_example() {
        let mut command = Cli::command();
        command.build();
        command.clone().debug_assert();
        for subcommand in command.get_subcommands_mut().filter(|subcommand| subcommand.get_name() != "help") {
            let help = subcommand.render_long_help().to_string();
            assert!(help.contains("Example"), "{}: {help}", subcommand.get_name());
        }
    }

    #[test]
    fn command_lines_are_accepted_or_refused() {
        let check = |line: &str, accepted: bool| {
            let outcome = Cli::try_parse_from(std::iter::once("mapmill").chain(line.split_whitespace()));
            assert_eq!(outcome.is_ok(), accepted, "{line}: {:?}", outcome.err().map(|error| error.to_string()));
        };
        check("bench --size 64MB --only csv-typed memcpy --repeat 9 --json", true);
        check("bench --list", true);
        check("bench --list --json", false);
        check("bench --repeat 0", false);
        check("bench --size huge", false);
        check("bench engine --items 100000 --children express --max-concurrency 0 --batch 10 --json", true);
        check("bench engine --only objects --objects 10 --size 200KB --functions target/debug", true);
        check("bench engine --items 0", false);
        check("bench engine --size 17MB", false);
        check("bench --list engine", false);
        check("bench start --beside hello --repeat 5 --functions target/debug --json", true);
        check("bench start --repeat 0", false);
        check("check --job j.yaml", true);
        check("check", false);
        check("input --job j.yaml --max-items 10 --max-concurrency 2", true);
        check("input --job j.yaml --max-items 0", false);
        check("input --job j.yaml --max-concurrency 10001", false);
        check("history arn:x --endpoint http://127.0.0.1:1 --json", true);
        check("history", false);
        check("failures out/run --limit 5", true);
        check("failures out/run --limit 0", false);
        check("messages --endpoint http://127.0.0.1:1 --service sns --json", true);
        check("messages out/run --limit 5", true);
        check("messages --service s3", false);
        check("plan --job j.yaml --source d", true);
        check("plan --job j.yaml --source s3://b/p --strategy packed --prices p.json --json", true);
        check("plan --job j.yaml --objects 65000 --mean-size 200KB --compare", true);
        check("plan --job j.yaml --inventory s3://b/manifest.json --max-items 5 --max-concurrency 20", true);
        check("plan --job j.yaml", false);
        check("plan --job j.yaml --objects 5", false);
        check("plan --job j.yaml --source d --objects 5 --mean-size 1KB", false);
        check("plan --job j.yaml --source d --strategy repair", false);
        check("plan --job j.yaml --source d --strategy simple --compare", false);
        check("repair --run r --job j.yaml --data d --out o --max-concurrency 2", true);
        check("repair --job j.yaml --data d --out o", false);
        check("repair --run r --job j.yaml --data d --out o --strategy packed", false);
        check("report --run r --job j.yaml --out o --memory 128 --timeout 60", true);
        check("report --job j.yaml --out o", false);
        check("run --job j.yaml --data d --out o", true);
        check("run --job j.yaml --data d --out o --strategy nested", true);
        check("run --job j.yaml --data d --out o --strategy fast", false);
        check("run --job j.yaml --data d --out o --strategy packed --state-machine m.json", false);
        check("run --job j.yaml --data d --out o --max-items 5 --max-concurrency 2 --memory 128 --timeout 10", true);
        check("run --job j.yaml --data d", false);
        check("run --job j.yaml --data d --out o --memory 64", false);
        check("schema job", true);
        check("schema event", false);
        check("serve", true);
        check("serve --data d", true);
        check("serve --bucket raw", false);
        check("serve --data d --slow-down raw=5 --slow-down other=0.5", true);
        check("serve --slow-down raw=101", false);
        check("serve --port-sfn 1 --port-lambda 2 --function f=p --env A=b --concurrency 3 --no-quotas", true);
        check("serve --lambda-endpoint http://127.0.0.1:9000", true);
        check("serve --lambda-endpoint http://127.0.0.1:9000 --function f=p", false);
        check("serve --function f", false);
        check("serve --endpoint sqs=http://127.0.0.1:1 --endpoint events=http://127.0.0.1:2", true);
        check("serve --endpoint s3=http://127.0.0.1:1", false);
        check("serve --table orders=id --table lines=order,line", true);
        check("serve --table orders", false);
        check("serve --concurrency 0", false);
        check("serve --data d --bucket raw --out o --out-bucket clean --port-s3 9000", true);
        check("serve --data d --out-bucket clean", false);
        check("serve --data d --port-s3 70000", false);
        check("sample --from a.csv --objects 10 --size 200KB --seed 1 --out o", true);
        check("sample --from a.csv --objects 10 --size 1MiB --seed 1 --out o --compression zstd --force", true);
        check("sample --from a.csv --objects 10 --size huge --seed 1 --out o", false);
        check("sample --from a.csv --objects 0 --size 1KB --seed 1 --out o", false);
        check("sample --from a.csv --objects 10 --size 1KB --seed 1 --out o --delimiter ;", true);
        check("sample --from a.csv --objects 10 --size 1KB --seed 1 --out o --delimiter ;;", false);
        check("run-away", false);
    }
}
