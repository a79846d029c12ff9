//! `mapmill serve`: the embedded S3 alone.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::signals::{StopSignal, StopSignals};
use super::terminal::{human_bytes, human_count, shorten};
use super::{CommandError, Exit, Terminal, block_on};
use crate::s3::{MountReport, ObjectStore, S3Server, StoreError, StoreOptions};

/// Objects without a path that are listed at the end; more are only counted.
const LISTED_UNMAPPED: usize = 20;

/// Serves the files of a folder as the objects of an S3 bucket on this machine, for the aws command and any SDK.
/// Nothing is copied, and the files are never changed. With --out, objects written to a second bucket become files.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  mapmill serve --data examples/data --bucket raw --out out --out-bucket clean\n\n\
                  Set the variables it prints in another terminal; then `aws s3 ls s3://raw/` lists the files.")]
pub(super) struct Arguments {
    /// The folder whose files are served
    #[arg(long, value_name = "DIR")]
    data: PathBuf,

    /// The bucket to serve them in
    #[arg(long, value_name = "NAME", default_value = "data")]
    bucket: String,

    /// The folder in which objects become files that are written to the second bucket
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// The second bucket; may be the first one as well
    #[arg(long, value_name = "NAME", default_value = "out", requires = "out")]
    out_bucket: String,

    /// The port on 127.0.0.1; 0 takes a free one
    #[arg(long, value_name = "N", default_value_t = 0)]
    port_s3: u16,
}

pub(super) fn run(arguments: &Arguments, terminal: &Terminal) -> Result<Exit, CommandError> {
    let store = Arc::new(ObjectStore::new(StoreOptions::default()).map_err(CommandError::failed)?);
    let report = store.mount(&arguments.bucket, &arguments.data).map_err(|error| classify("--data", error))?;
    if let Some(out) = &arguments.out {
        store.materialise(&arguments.out_bucket, out).map_err(|error| classify("--out", error))?;
    }
    block_on(async {
        let mut signals = StopSignals::listen()?;
        let server = S3Server::start(Arc::clone(&store), arguments.port_s3).await.map_err(CommandError::usage)?;
        greet(arguments, &report, &server, terminal);
        // SIGTERM is the ordinary way to end a service.
        let exit = match signals.stopped().await {
            StopSignal::Terminate => Exit::Success,
            signal => Exit::Stopped(signal),
        };
        server.shutdown().await;
        if arguments.out.is_some() {
            tell_unmapped(&store, &arguments.out_bucket, terminal);
        }
        Ok(exit)
    })
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

fn greet(arguments: &Arguments, report: &MountReport, server: &S3Server, terminal: &Terminal) {
    terminal.note(format!(
        "s3://{} has {} objects, {}, from {}",
        arguments.bucket,
        human_count(report.files),
        human_bytes(report.bytes),
        arguments.data.display()
    ));
    warn_of_skipped(report, terminal);
    if let Some(out) = &arguments.out {
        terminal.note(format!("what is written to s3://{} becomes files in {}", arguments.out_bucket, out.display()));
    }
    for (name, value) in server.environment() {
        terminal.line(format!("export {name}={value}"));
    }
    terminal.note(format!("serving on {} until Ctrl-C", server.endpoint()));
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
