//! The functions of a run: which programs they are, and what they are told.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use job::Job;
use serde_json::json;

use super::machine::Machine;
use super::{CommandError, Options, Terminal, cores};
use crate::lambda_host::{ENVIRONMENTS_MAX, FunctionConfig, HostError, WhenBusy, environments_that_fit};
use crate::s3::S3Server;

/// The function that plans a run.
const PLAN: &str = "plan";
/// The function that reports on a run.
const REPORT: &str = "report";
/// The time of the functions that are invoked once for a run, as they are deployed.
const ONCE_A_RUN_SECONDS: u64 = 900;

/// A function that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("--functions: {source}")]
struct FunctionsError {
    source: HostError,
}

/// The functions that the state machine names, checked, and still without variables.
pub(super) fn configure(
    options: &Options,
    machine: &Machine,
    terminal: &Terminal,
) -> Result<Vec<FunctionConfig>, CommandError> {
    let folder = program_folder(options.functions.as_deref())?;
    let functions = machine.functions();
    let environments = environments(options);
    let pools = functions.len().max(1);
    let fitting = (environments_that_fit(environments * pools) / pools).max(1);
    if fitting < environments {
        let message = "the limit on open files (ulimit -n) allows only";
        terminal.warning(format!("{message} {fitting} of {environments} processes of a function; the others wait"));
    }
    let configs = functions.into_iter().map(|function| {
        // What is invoked once for a run is not what is to be tried with little time.
        let is_worker = !matches!(function, PLAN | REPORT);
        let timeout = if is_worker { u64::from(options.timeout) } else { ONCE_A_RUN_SECONDS };
        let config = FunctionConfig {
            name: function.to_owned(),
            command: folder.join(function),
            arguments: Vec::new(),
            memory_mb: options.memory,
            timeout: Duration::from_secs(timeout),
            environment: BTreeMap::new(),
            max_environments: Some(if is_worker { environments.min(fitting) } else { 1 }),
            when_busy: WhenBusy::Wait,
            limit_memory: options.limit_memory,
        };
        config.check().map_err(|source| CommandError::usage(FunctionsError { source }))?;
        Ok(config)
    });
    configs.collect()
}

/// The folder of the programs: the one given with `--functions`, or that of this program. It is absolute, because a
/// function is started in a working folder of its own.
pub(in crate::cli) fn program_folder(given: Option<&Path>) -> Result<PathBuf, CommandError> {
    match given {
        Some(folder) => std::path::absolute(folder)
            .map_err(|error| CommandError::usage(format!("--functions: {}: {error}", folder.display()))),
        None => std::env::current_exe()
            .ok()
            .and_then(|program| program.parent().map(Path::to_path_buf))
            .ok_or_else(|| CommandError::usage("the folder of this program is not known; use --functions DIR")),
    }
}

/// Variables of the functions: where the embedded S3 is, and what they may reach there.
pub(super) fn variables(job: &Job, server: &S3Server) -> BTreeMap<String, String> {
    let place = |bucket: &str, prefix: &str| format!("{bucket}/{prefix}");
    let mut variables: BTreeMap<String, String> =
        server.environment().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    variables.insert("MAPMILL_READ".to_owned(), place(job.source.bucket.as_str(), job.source.prefix.as_str()));
    variables.insert("MAPMILL_WRITE".to_owned(), place(job.output.bucket.as_str(), job.output.prefix.as_str()));
    variables
}

/// Tells the plan how the worker is set up here, and that starting a batch costs little.
pub(super) fn add_variables(function: &mut FunctionConfig, options: &Options) {
    if function.name == PLAN {
        let rates = json!({"worker": {"memory_mb": options.memory, "least_batch_seconds": 0.5}}).to_string();
        function.environment.insert("MAPMILL_RATES".to_owned(), rates);
    }
}

/// Environments of a function: one for every batch at a time, if the user said how many, else one for every core.
fn environments(options: &Options) -> usize {
    let wanted = options.max_concurrency.unwrap_or_else(cores);
    usize::try_from(wanted).unwrap_or(usize::MAX).clamp(1, ENVIRONMENTS_MAX)
}
