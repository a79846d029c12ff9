//! Where things go: every name follows from the source key and the run, so a retry writes the same objects again.

use crate::item_error::ItemError;
use job::{Job, OutputCompression};
use object_store::{ErrorClass, ObjectAddress, ObjectKey};

/// The clean output of an object: the output prefix, the key after the source prefix, and the format. The whole key is
/// kept, because `a.csv` and `a.json` are two objects and must not meet in one output.
pub(crate) fn output(job: &Job, key: &ObjectKey) -> Result<ObjectAddress, ItemError> {
    let compression = match job.output.compression {
        OutputCompression::None => "",
        OutputCompression::Gzip => ".gz",
        OutputCompression::Zstd => ".zst",
    };
    let rest = after_prefix(job, key);
    address(job, &format!("{}{rest}.ndjson{compression}", job.output.prefix.as_str()))
}

/// The refused records of an object.
pub(crate) fn rejects(job: &Job, key: &ObjectKey, run_id: &str) -> Result<ObjectAddress, ItemError> {
    let rest = after_prefix(job, key);
    address(job, &format!("{}_mapmill/{run_id}/rejects/{rest}.rejects.ndjson", job.output.prefix.as_str()))
}

fn after_prefix<'a>(job: &Job, key: &'a ObjectKey) -> &'a str {
    key.as_str().strip_prefix(job.source.prefix.as_str()).unwrap_or(key.as_str())
}

fn address(job: &Job, key: &str) -> Result<ObjectAddress, ItemError> {
    ObjectAddress::parse(job.output.bucket.as_str(), key).map_err(|error| {
        let message = format!("the name of an output that follows from this key is not allowed: {error}");
        ItemError::new(ErrorClass::BadData, "invalid_output_key", message)
    })
}
