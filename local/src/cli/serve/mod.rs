//! `mapmill serve`: the APIs of S3, Step Functions and Lambda on this machine, until Ctrl-C.
//!
//! `options` reads the options that are pairs, `functions` sets the function host up. Everything listens on 127.0.0.1 and
//! ends with the command: executions are stopped, processes of functions are killed.

mod functions;
mod options;

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, value_parser};

use self::options::{FunctionProgram, SlowBucket, Variable};
use super::run::endpoints::ServiceOptions;
use super::run::services::LocalServices;
use super::signals::{StopSignal, StopSignals};
use super::terminal::{human_bytes, human_count, shorten};
use super::{CommandError, Exit, Terminal, block_on};
use crate::api::lambda::{LambdaServer, RemoteLambda};
use crate::api::step_functions::{StepFunctionsOptions, StepFunctionsServer};
use crate::asl::Quotas;
use crate::lambda_host::LambdaHost;
use crate::s3::{MountReport, ObjectStore, REGION, S3Server, StoreError, StoreOptions};

/// Objects without a path that are listed at the end; more are only counted.
const LISTED_UNMAPPED: usize = 20;

/// The account number in ARNs.
const ACCOUNT: &str = "000000000000";

/// Serves the APIs of S3, Step Functions and Lambda on this machine, for the aws command and any SDK.
///
/// With --data and --bucket, the files of a folder are the objects of a bucket. Nothing is copied, and the files are never
/// changed. With --data alone, the folder keeps all buckets for the next start. With --out, objects written to a second
/// bucket become files. State machines and executions are in memory.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  mapmill serve --data examples/data --bucket raw --out out --out-bucket clean \\\n    \
                  --function transform=target/debug/transform --env MAPMILL_READ=raw --env MAPMILL_WRITE=clean\n\n\
                  Set the variables it prints in another terminal; then `aws s3 ls s3://raw/` lists the files and \
                  `aws stepfunctions list-state-machines` the state machines."
)]
pub(super) struct Arguments {
    /// The folder in which buckets and objects survive the command; made when it is missing. With --bucket it is a folder
    /// whose files are served
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,

    /// The bucket whose objects are the files of --data
    #[arg(long, value_name = "NAME", requires = "data")]
    bucket: Option<String>,

    /// The folder in which objects become files that are written to the second bucket
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// The second bucket; may be the first one as well
    #[arg(long, value_name = "NAME", default_value = "out", requires = "out")]
    out_bucket: String,

    /// The port of S3 on 127.0.0.1; 0 takes a free one
    #[arg(long, value_name = "N", default_value_t = 0)]
    port_s3: u16,

    /// The port of Step Functions; 0 takes a free one
    #[arg(long, value_name = "N", default_value_t = 0)]
    port_sfn: u16,

    /// The port of Lambda; 0 takes a free one
    #[arg(long, value_name = "N", default_value_t = 0, conflicts_with = "lambda_endpoint")]
    port_lambda: u16,

    /// A function and its program, a Lambda bootstrap; may be given several times
    #[arg(long, value_name = "NAME=PATH", conflicts_with = "lambda_endpoint")]
    function: Vec<FunctionProgram>,

    /// A variable for all functions; may be given several times. They find the embedded S3 without
    #[arg(long, value_name = "NAME=VALUE", conflicts_with = "lambda_endpoint")]
    env: Vec<Variable>,

    /// Memory that functions are told they have, in MB
    #[arg(long, value_name = "MB", default_value_t = 512, value_parser = value_parser!(u32).range(128..=10_240))]
    memory: u32,

    /// Kill a function process that has more resident memory than that, as Lambda does
    #[arg(long)]
    limit_memory: bool,

    /// Longest time of one invocation in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 270, value_parser = value_parser!(u32).range(1..=900))]
    timeout: u32,

    /// Most invocations of a function at a time; more are refused with TooManyRequestsException. Without it as many as
    /// there are cores, and more wait
    #[arg(long, value_name = "N", value_parser = value_parser!(u16).range(1..=1_000))]
    concurrency: Option<u16>,

    /// The file for what functions write, with START, END and REPORT of every invocation
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,

    /// Invoke every function at this endpoint instead, as `cargo lambda watch` serves it
    #[arg(long, value_name = "URL")]
    lambda_endpoint: Option<String>,

    /// Refuse this share of the requests to a bucket with SlowDown; may be given several times
    #[arg(long, value_name = "BUCKET=PERCENT")]
    slow_down: Vec<SlowBucket>,

    /// Let executions be larger and longer than Step Functions allows
    #[arg(long)]
    no_quotas: bool,

    #[command(flatten)]
    services: ServiceOptions,
}

/// What runs.
struct Running {
    s3: S3Server,
    step_functions: StepFunctionsServer,
    /// `None` with --lambda-endpoint.
    lambda: Option<(LambdaServer, Arc<LambdaHost>)>,
}

pub(super) fn run(arguments: &Arguments, terminal: &Terminal) -> Result<Exit, CommandError> {
    let remote = arguments.lambda_endpoint.as_deref().map(RemoteLambda::new).transpose();
    let remote = remote.map_err(|error| CommandError::usage(format!("--lambda-endpoint: {error}")))?;
    let (mounted, kept_in) = match (&arguments.data, &arguments.bucket) {
        (Some(data), Some(bucket)) => (Some((bucket, data)), None),
        (data, _) => (None, data.clone()),
    };
    let options = StoreOptions { kept_in, ..StoreOptions::default() };
    let store = Arc::new(ObjectStore::new(options).map_err(|error| classify("--data", error))?);
    let report = match mounted {
        Some((bucket, data)) => Some(store.mount(bucket, data).map_err(|error| classify("--data", error))?),
        None => None,
    };
    for slow in &arguments.slow_down {
        store.slow_down(&slow.bucket, slow.share);
    }
    if let Some(out) = &arguments.out {
        store.materialise(&arguments.out_bucket, out).map_err(|error| classify("--out", error))?;
    }
    block_on(async {
        let mut signals = StopSignals::listen()?;
        let running = start(arguments, &store, remote).await?;
        greet(arguments, report.as_ref(), &running, terminal);
        // SIGTERM is the ordinary way to end a service.
        let exit = match signals.stopped().await {
            StopSignal::Terminate => Exit::Success,
            signal => Exit::Stopped(signal),
        };
        running.shutdown().await;
        if arguments.out.is_some() {
            tell_unmapped(&store, &arguments.out_bucket, terminal);
        }
        Ok(exit)
    })
}

async fn start(
    arguments: &Arguments,
    store: &Arc<ObjectStore>,
    remote: Option<RemoteLambda>,
) -> Result<Running, CommandError> {
    let s3 = S3Server::start(Arc::clone(store), arguments.port_s3).await.map_err(CommandError::usage)?;
    let (mut services, lambda) = match remote {
        Some(remote) => (LocalServices::with_remote(Arc::clone(store), remote), None),
        None => {
            let variables: BTreeMap<_, _> =
                s3.environment().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            let host = Arc::new(functions::host(arguments, variables)?);
            let server =
                LambdaServer::start(Arc::clone(&host), arguments.port_lambda).await.map_err(CommandError::usage)?;
            (LocalServices::new(Arc::clone(store), Arc::clone(&host)), Some((server, host)))
        }
    };
    services.set_up(&arguments.services)?;
    let options = StepFunctionsOptions {
        region: REGION.to_owned(),
        account: ACCOUNT.to_owned(),
        quotas: if arguments.no_quotas { Quotas::off() } else { Quotas::default() },
    };
    let step_functions = StepFunctionsServer::start(Arc::new(services), options, arguments.port_sfn)
        .await
        .map_err(CommandError::usage)?;
    Ok(Running { s3, step_functions, lambda })
}

impl Running {
    async fn shutdown(self) {
        let Self { s3, step_functions, lambda } = self;
        step_functions.shutdown().await;
        if let Some((server, host)) = lambda {
            // Invocations end with the host, so the server has none to wait for.
            host.shutdown().await;
            server.shutdown().await;
        }
        s3.shutdown().await;
    }

    /// The variables by which clients find everything.
    fn environment(&self, arguments: &Arguments) -> Vec<(&'static str, String)> {
        let mut variables = self.s3.environment().to_vec();
        // boto3 looks at no other.
        variables.push(("AWS_DEFAULT_REGION", REGION.to_owned()));
        variables.push(("AWS_ENDPOINT_URL_SFN", self.step_functions.endpoint()));
        let lambda = self.lambda.as_ref().map(|(server, _)| server.endpoint());
        variables
            .extend(lambda.or_else(|| arguments.lambda_endpoint.clone()).map(|url| ("AWS_ENDPOINT_URL_LAMBDA", url)));
        variables
    }
}

/// A folder that cannot be used, with the option that named it.
#[derive(Debug, thiserror::Error)]
#[error("{option}: {source}")]
struct FolderError {
    option: &'static str,
    source: StoreError,
}

/// Bad names and folders are the user's to put right; the rest is a failure of the machine. `option` named the folder.
pub(super) fn classify(option: &'static str, error: StoreError) -> CommandError {
    let is_usage = match &error {
        StoreError::InvalidBucketName { .. } | StoreError::BucketInUse { .. } => return CommandError::usage(error),
        StoreError::NotAFolder { .. }
        | StoreError::NotAStore { .. }
        | StoreError::UnreadableEntries { .. }
        | StoreError::FoldersOverlap { .. }
        | StoreError::FolderInUse { .. }
        | StoreError::TooMany { .. } => true,
        StoreError::Io { source, .. } => matches!(
            source.kind(),
            ErrorKind::NotFound
                | ErrorKind::NotADirectory
                | ErrorKind::AlreadyExists
                | ErrorKind::PermissionDenied
                | ErrorKind::ReadOnlyFilesystem
                | ErrorKind::InvalidFilename
        ),
        _ => false,
    };
    let error = FolderError { option, source: error };
    if is_usage { CommandError::usage(error) } else { CommandError::failed(error) }
}

fn greet(arguments: &Arguments, report: Option<&MountReport>, running: &Running, terminal: &Terminal) {
    if let (Some(report), Some(data), Some(bucket)) = (report, &arguments.data, &arguments.bucket) {
        terminal.note(format!(
            "s3://{bucket} has {} objects, {}, from {}",
            human_count(report.files),
            human_bytes(report.bytes),
            data.display()
        ));
        warn_of_skipped(report, terminal);
    }
    if let (None, Some(data)) = (report, &arguments.data) {
        terminal.note(format!("buckets and objects are kept in {}", data.display()));
    }
    if let Some(out) = &arguments.out {
        terminal.note(format!("what is written to s3://{} becomes files in {}", arguments.out_bucket, out.display()));
    }
    for (name, value) in running.environment(arguments) {
        terminal.line(format!("export {name}={value}"));
    }
    terminal.note(format!("serving S3 on {} until Ctrl-C", running.s3.endpoint()));
}

/// Says which files of a data folder are no objects, and why.
pub(super) fn warn_of_skipped(report: &MountReport, terminal: &Terminal) {
    for skipped in &report.skipped {
        terminal.warning(format!("{} is left out: {}", skipped.path.display(), skipped.reason));
    }
    let listed = report.skipped.len() as u64;
    if report.skipped_total > listed {
        terminal.warning(format!("{} more are left out", human_count(report.skipped_total - listed)));
    }
}

/// Says which objects of an output folder are not at the path of their key.
pub(super) fn tell_unmapped(store: &ObjectStore, bucket: &str, terminal: &Terminal) {
    let Ok((objects, total)) = store.unmapped(bucket, LISTED_UNMAPPED) else { return };
    for object in &objects {
        let (key, path) = (shorten(&object.key), object.path.display());
        terminal.warning(format!("{key:?} is at {path}: {}", object.reason.reason()));
    }
    let listed = objects.len() as u64;
    if total > listed {
        terminal.warning(format!("{} more objects are not at the path of their key", human_count(total - listed)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_user_can_put_right_is_wrong_usage_and_names_the_option() {
        let check = |kind: ErrorKind, is_usage: bool| {
            let error = classify("--out", StoreError::io("create folder", "x")(kind.into()));
            assert_eq!(matches!(error, CommandError::Usage(_)), is_usage, "{error}");
            assert!(error.to_string().starts_with("--out: cannot create folder x"), "{error}");
        };
        check(ErrorKind::NotFound, true);
        check(ErrorKind::NotADirectory, true);
        check(ErrorKind::AlreadyExists, true);
        check(ErrorKind::PermissionDenied, true);
        check(ErrorKind::ReadOnlyFilesystem, true);
        check(ErrorKind::StorageFull, false);
        check(ErrorKind::Other, false);
    }
}
