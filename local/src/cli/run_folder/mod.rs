//! The folder that a finished `mapmill run` leaves: `summary.json`, the ledger, the result files of its Map Run, and what
//! was sent to services that were played in the run.

mod records;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::CommandError;
use crate::bounded_file;

/// Largest `summary.json`.
const SUMMARY_BYTES_MAX: u64 = 1024 * 1024;
/// The file of a run with what was sent to services that were played in it.
pub(super) const MESSAGES_FILE: &str = "messages.jsonl";
/// Objects of a batch that were not done and are kept to be shown: all of a batch of `mapmill run`.
const UNFINISHED_KEPT_MAX: usize = 10_000;

/// The folder of a finished run.
pub(super) struct RunFolder {
    folder: PathBuf,
    pub(super) summary: Value,
}

/// What the ledger says of one batch.
pub(super) struct Batch {
    name: String,
    succeeded: u64,
    skipped: u64,
    duration_ms: u64,
    /// Lines of objects that failed or were not processed, the first of them.
    pub(super) unfinished: Vec<Value>,
    /// How many there are.
    pub(super) unfinished_total: u64,
}

impl RunFolder {
    /// Opens the folder.
    pub(super) fn open(folder: &Path) -> Result<Self, CommandError> {
        let path = folder.join("summary.json");
        let text = bounded_file::read(&path, SUMMARY_BYTES_MAX).map_err(|error| {
            let message = "expected the ARN of an execution or the folder of a finished run";
            CommandError::usage(format!("{message}: {}", crate::explain::explain(&error)))
        })?;
        let summary = serde_json::from_slice(&text)
            .map_err(|error| CommandError::usage(format!("{} is not JSON: {error}", path.display())))?;
        Ok(Self { folder: folder.to_path_buf(), summary })
    }

    /// The batches of the ledger, in the order of their names; each file is read when it is asked for.
    pub(super) fn batches(&self) -> Result<impl Iterator<Item = Result<Batch, CommandError>> + use<>, CommandError> {
        let files = files(&self.folder.join("ledger"), |name| name.ends_with(".jsonl"))?;
        Ok(files.into_iter().map(|path| Batch::read(&path)))
    }

    /// Hands what was sent to the services played in the run to `take`.
    pub(super) fn for_each_message(&self, take: impl FnMut(Value)) -> Result<(), CommandError> {
        let path = self.folder.join(MESSAGES_FILE);
        if path.exists() { records::for_each(&path, take) } else { Ok(()) }
    }

    /// Hands the records of batches that failed as a whole to `take`, as Step Functions keeps them.
    pub(super) fn for_each_failed_batch(&self, mut take: impl FnMut(Value)) -> Result<(), CommandError> {
        for map_run in files(&self.folder.join("map-run"), |_| true)? {
            if map_run.is_dir() {
                let failed = files(&map_run, |name| name.starts_with("FAILED_"))?;
                failed.iter().try_for_each(|path| records::for_each(path, &mut take))?;
            }
        }
        Ok(())
    }
}

impl Batch {
    fn read(path: &Path) -> Result<Self, CommandError> {
        let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let mut batch =
            Self { name, succeeded: 0, skipped: 0, duration_ms: 0, unfinished: Vec::new(), unfinished_total: 0 };
        records::for_each(path, |line| {
            batch.duration_ms += line["duration_ms"].as_u64().unwrap_or(0);
            match line["status"].as_str() {
                Some("succeeded") => batch.succeeded += 1,
                Some("skipped") => batch.skipped += 1,
                _ => {
                    batch.unfinished_total += 1;
                    if batch.unfinished.len() < UNFINISHED_KEPT_MAX {
                        batch.unfinished.push(line);
                    }
                }
            }
        })?;
        Ok(batch)
    }

    /// The batch in a line.
    pub(super) fn line(&self) -> String {
        let Self { name, succeeded, skipped, duration_ms, unfinished_total, .. } = self;
        format!(
            "batch {name}  {succeeded} succeeded · {skipped} skipped · {unfinished_total} not done · {duration_ms} ms of work"
        )
    }

    pub(super) fn to_json(&self) -> Value {
        let Self { name, succeeded, skipped, duration_ms, unfinished, unfinished_total } = self;
        json!({"batch": name, "succeeded": succeeded, "skipped": skipped, "duration_ms": duration_ms,
            "unfinished": unfinished, "unfinished_total": unfinished_total})
    }
}

/// The paths in a folder whose names fit, sorted; a folder that is not there has none.
fn files(folder: &Path, fits: impl Fn(&str) -> bool) -> Result<Vec<PathBuf>, CommandError> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(CommandError::failed(format!("cannot read {}: {error}", folder.display()))),
    };
    let paths = entries.flatten().filter(|entry| entry.file_name().to_str().is_some_and(&fits));
    let mut paths: Vec<_> = paths.map(|entry| entry.path()).collect();
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_read() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(RunFolder::open(folder.path()), Err(CommandError::Usage(_))));
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("summary.json", "{\"run_id\":\"r\",\"status\":\"SUCCEEDED\"}");
        assert_eq!(RunFolder::open(folder.path()).unwrap().batches().unwrap().count(), 0);
        write(
            "ledger/b1.jsonl",
            "{\"status\":\"succeeded\",\"duration_ms\":3}\n{\"status\":\"failed\",\"key\":\"k\"}\n",
        );
        write("map-run/id/FAILED_0.json", "[{\"Name\":\"c\",\"Error\":\"Mine\"}]");
        write("map-run/id/SUCCEEDED_0.json", "[]");
        let run = RunFolder::open(folder.path()).unwrap();
        let batches: Vec<_> = run.batches().unwrap().map(|batch| batch.unwrap()).collect();
        assert_eq!(batches[0].line(), "batch b1  1 succeeded · 0 skipped · 1 not done · 3 ms of work");
        assert_eq!((&batches[0].unfinished[0]["key"], batches[0].unfinished_total), (&json!("k"), 1));
        let mut failed = Vec::new();
        run.for_each_failed_batch(|batch| failed.push(batch)).unwrap();
        assert_eq!(failed, [json!({"Name": "c", "Error": "Mine"})]);
        write("ledger/b2.jsonl", "no JSON\n");
        assert!(run.batches().unwrap().nth(1).unwrap().is_err());
    }
}
