//! Reading job files, and the input of an execution that follows from one.

use std::path::{Path, PathBuf};

use job::{Job, JobError};
use serde_json::{Value, json};

use crate::bounded_file::{self, BoundedFileError};

/// What Step Functions accepts as the input of an execution, in bytes.
pub const MAX_EXECUTION_INPUT_BYTES: usize = 256 << 10;

/// The most batches at the same time that Step Functions allows.
pub const MAX_CONCURRENCY: u32 = 10_000;

/// Why a job file is not usable.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JobFileError {
    /// The file cannot be read or is over 1 MiB.
    #[error(transparent)]
    File(#[from] BoundedFileError),
    /// The file is no UTF-8.
    #[error("{} is not UTF-8: byte {offset} is not valid", path.display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// Where the first bad byte is.
        offset: usize,
    },
    /// The job is wrong.
    #[error("{} is not a valid job file:\n{source}", path.display())]
    Job {
        /// The file.
        path: PathBuf,
        /// All that is wrong, one line each.
        source: JobError,
    },
    /// The job is too large to travel in the input of an execution.
    #[error(
        "the execution input has {found} bytes: Step Functions accepts {MAX_EXECUTION_INPUT_BYTES}; make the lists in \
         the job shorter"
    )]
    InputTooLarge {
        /// Bytes found.
        found: usize,
    },
}

/// Reads and checks a job file.
///
/// # Errors
/// [`JobFileError`].
pub fn read(path: &Path) -> Result<Job, JobFileError> {
    let bytes = bounded_file::read(path, job::limits::MAX_TEXT_BYTES as u64)?;
    let text = String::from_utf8(bytes)
        .map_err(|error| JobFileError::NotUtf8 { path: path.to_owned(), offset: error.utf8_error().valid_up_to() })?;
    Job::parse(&text).map_err(|source| JobFileError::Job { path: path.to_owned(), source })
}

/// What the plan of a run is to do otherwise than it would.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batching {
    /// The most items of a batch.
    pub max_items: Option<u32>,
    /// The most batches at the same time.
    pub max_concurrency: Option<u32>,
    /// The share of items in failed batches, in percent, that the state machine tolerates.
    pub tolerated_failures: u8,
    /// The manifest of an S3 Inventory to read in place of a listing.
    pub inventory: Option<String>,
}

/// The input that the state machines of Mapmill expect: the normalised job, what the plan is to do otherwise, and the run to
/// repair, if one is.
///
/// # Errors
/// [`JobFileError::InputTooLarge`].
pub fn execution_input(job: &Job, batching: &Batching, repairs: Option<&str>) -> Result<Value, JobFileError> {
    let Batching { max_items, max_concurrency, tolerated_failures, inventory } = batching;
    let mut batch = json!({"tolerated_failure_percentage": tolerated_failures});
    let wishes =
        [("max_items", json!(max_items)), ("max_concurrency", json!(max_concurrency)), ("inventory", json!(inventory))];
    for (name, wish) in wishes.into_iter().filter(|(_, wish)| !wish.is_null()) {
        batch[name] = wish;
    }
    let mut input = json!({"job": job, "batch": batch});
    if let Some(run) = repairs {
        input["repair"] = json!({"run": run});
    }
    let found = input.to_string().len();
    if found > MAX_EXECUTION_INPUT_BYTES { Err(JobFileError::InputTooLarge { found }) } else { Ok(input) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOB: &str = "version: 1\nname: j\nsource: {bucket: raw}\noutput: {bucket: clean}\n";

    #[test]
    fn the_input_holds_the_normalised_job_and_the_batch() {
        let job = Job::parse(JOB).unwrap();
        let input = execution_input(&job, &Batching::default(), None).unwrap();
        assert_eq!((&input["batch"], &input["repair"]), (&json!({"tolerated_failure_percentage": 0}), &Value::Null));
        let inventory = Some("s3://lists/manifest.json".to_owned());
        let batching = Batching { max_items: Some(10), max_concurrency: Some(2), tolerated_failures: 5, inventory };
        let input = execution_input(&job, &batching, Some("before")).unwrap();
        let mut expected = json!({"max_items": 10, "max_concurrency": 2, "tolerated_failure_percentage": 5});
        expected["inventory"] = json!("s3://lists/manifest.json");
        assert_eq!((&input["batch"], &input["repair"]), (&expected, &json!({"run": "before"})));
        assert_eq!(input["job"]["limits"]["record_bytes"], json!(8_388_608));
        assert_eq!(Job::from_value(input["job"].clone()).unwrap(), job);
    }

    #[test]
    fn a_job_that_cannot_travel_is_refused() {
        let names: Vec<String> = (0..9000).map(|number| format!("column_with_a_long_name_{number:010}")).collect();
        let job = Job::parse(&format!("{JOB}record: {{select: [{}]}}\n", names.join(", "))).unwrap();
        let input = execution_input(&job, &Batching::default(), None);
        assert!(matches!(input, Err(JobFileError::InputTooLarge { .. })));
    }

    #[test]
    fn unusable_files_say_why() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("job.yaml");
        let check = |content: &[u8], expected: &str| {
            std::fs::write(&path, content).unwrap();
            let error = read(&path).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        check(b"version: 1\nnme: x\n", "unknown key `nme`");
        check(b"name: \xff", "byte 6 is not valid");
        check(&vec![b' '; (1 << 20) + 1], "the limit for this file");
        assert!(matches!(read(&folder.path().join("none")), Err(JobFileError::File(_))));
    }
}
