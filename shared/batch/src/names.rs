//! Where things go: every name follows from the source key and the run, so a retry writes the same objects again.

use crate::event::ItemRange;
use crate::item_error::ItemError;
use job::{Job, OutputCompression};
use object_store::{ErrorClass, ObjectAddress, ObjectKey};
use sha2::{Digest, Sha256};

/// Begins what the name of a part says of its range.
const PART: &str = ".bytes-";

const REJECTS_SUFFIX: &str = ".rejects.ndjson";

/// The clean output of an object: the output prefix, the key after the folder of the source prefix, and the format. The
/// whole name is kept, because `a.csv` and `a.json` are two objects and must not meet in one output.
/// Ranges of an object have an output each, in the order of their bytes; a key that looks like the name of one is refused.
pub(crate) fn output(job: &Job, key: &ObjectKey, range: Option<ItemRange>) -> Result<ObjectAddress, ItemError> {
    let compression = match job.output.compression {
        OutputCompression::None => "",
        OutputCompression::Gzip => ".gz",
        OutputCompression::Zstd => ".zst",
    };
    let rest = after_prefix(job, key);
    if looks_like_a_part(rest) {
        let message = "a key that ends like the name of a part (`.bytes-` and two numbers) is not allowed: its output would \
                       have the name of a part of another object";
        return Err(ItemError::new(ErrorClass::BadData, "invalid_output_key", message));
    }
    address(job, &format!("{}{rest}{}.ndjson{compression}", job.output.prefix.as_str(), part(range)))
}

/// The refused records of an object.
pub(crate) fn rejects(
    job: &Job,
    key: &ObjectKey,
    range: Option<ItemRange>,
    run_id: &str,
) -> Result<ObjectAddress, ItemError> {
    let folder = format!("{}_mapmill/{run_id}/rejects/", job.output.prefix.as_str());
    let rest = format!("{}{}", after_prefix(job, key), part(range));
    let name = format!("{folder}{rest}{REJECTS_SUFFIX}");
    if name.len() <= ObjectKey::MAX_BYTES {
        return address(job, &name);
    }
    // A name that would be too long is replaced by its digest; the lines inside name the object.
    address(job, &format!("{folder}{}{REJECTS_SUFFIX}", hex::encode(Sha256::digest(rest.as_bytes()))))
}

/// What is written down of an object that takes long. The name is a digest, so it is never too long.
pub(crate) fn progress(
    job: &Job,
    key: &ObjectKey,
    range: Option<ItemRange>,
    run_id: &str,
) -> Result<ObjectAddress, ItemError> {
    let name = hex::encode(&Sha256::digest(format!("{key}{}", part(range)).as_bytes())[..16]);
    address(job, &format!("{}_mapmill/{run_id}/progress/{name}.json", job.output.prefix.as_str()))
}

/// What the name of a part says of its range. Numbers have the same width, so that parts are listed in their order.
fn part(range: Option<ItemRange>) -> String {
    match range {
        None => String::new(),
        Some(ItemRange { start, end: Some(end) }) => format!("{PART}{start:015}-{end:015}"),
        Some(ItemRange { start, end: None }) => format!("{PART}{start:015}-end"),
    }
}

fn looks_like_a_part(rest: &str) -> bool {
    let Some((start, end)) = rest.rsplit_once(PART).and_then(|(_, numbers)| numbers.split_once('-')) else {
        return false;
    };
    let is_number = |text: &str| text.len() >= 15 && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number(start) && (is_number(end) || end == "end")
}

/// The key without the folders that the source prefix names. What the prefix has after its last `/` begins names and
/// stays: without it `a1` and `b1` below the prefixes `a` and `b` would be one.
fn after_prefix<'a>(job: &Job, key: &'a ObjectKey) -> &'a str {
    let prefix = job.source.prefix.as_str();
    let folder = prefix.rfind('/').map_or("", |end| &prefix[..=end]);
    key.as_str().strip_prefix(folder).unwrap_or(key.as_str())
}

/// True for what Mapmill itself writes beside its outputs: ledgers, rejects, results. It is never input.
pub(crate) fn is_our_own(key: &ObjectKey) -> bool {
    key.as_str().split('/').any(|segment| segment == "_mapmill")
}

fn address(job: &Job, key: &str) -> Result<ObjectAddress, ItemError> {
    ObjectAddress::parse(job.output.bucket.as_str(), key).map_err(|error| {
        let message = format!("the name of an output that follows from this key is not allowed: {error}");
        ItemError::new(ErrorClass::BadData, "invalid_output_key", message)
    })
}
