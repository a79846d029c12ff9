//! What an output says of itself, by which a later attempt recognises it.
//!
//! Every output carries in its metadata the digest of the job that made it and the ETag of the object that it was made
//! from. One that was written by a single request also carries the counts of its ledger line. So a batch that is run again
//! finds the items that were done before, and does them no second time.

use crate::ledger::{LedgerLine, Status, WrittenObject};
use crate::outcome::{Bytes, Records};
use job::Job;
use object_store::{ObjectAddress, ObjectHead, Written};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of what the engine makes of an object under a job: raised when the same job gives other bytes, so that outputs
/// of an older Mapmill are made again.
const OUTPUT_VERSION: u32 = 1;

const JOB: &str = "mapmill-job";
const SOURCE_ETAG: &str = "mapmill-source-etag";
const COUNTS: &str = "mapmill-counts";

/// Names a job as outputs and ledgers do.
pub(crate) fn job_mark(job: &Job) -> String {
    format!("{}.{OUTPUT_VERSION}", job.digest())
}

/// The metadata of a ledger.
pub(crate) fn ledger_metadata(job_mark: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(JOB.to_owned(), job_mark.to_owned())])
}

/// True for a ledger of this job.
pub(crate) fn is_ledger_of(job_mark: &str, head: &ObjectHead) -> bool {
    head.metadata.get(JOB).is_some_and(|job| job == job_mark)
}

/// What makes an output that of this job and this version of its object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) job: String,
    pub(crate) etag: String,
}

/// The counts of an output, as its metadata carry them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Counts {
    pub(crate) records: Records,
    pub(crate) bytes: Bytes,
    rejects: Option<RejectsMark>,
}

/// The quarantine object; its name follows from that of the object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct RejectsMark {
    bytes: u64,
    records: u64,
    etag: Option<String>,
}

impl RejectsMark {
    fn at(self, address: &ObjectAddress) -> WrittenObject {
        let Self { bytes, records, etag } = self;
        WrittenObject {
            bucket: address.bucket.as_str().to_owned(),
            key: address.key.as_str().to_owned(),
            bytes,
            records,
            etag,
        }
    }
}

impl Counts {
    /// The version of the rejects, if there are any; `Some(None)` when it is not known.
    pub(crate) fn rejects_etag(&self) -> Option<Option<&str>> {
        self.rejects.as_ref().map(|rejects| rejects.etag.as_deref())
    }

    pub(crate) fn new(records: Records, bytes: Bytes, rejects: Option<&WrittenObject>) -> Self {
        let mark = |object: &WrittenObject| RejectsMark {
            bytes: object.bytes,
            records: object.records,
            etag: object.etag.clone(),
        };
        Self { records, bytes, rejects: rejects.map(mark) }
    }
}

impl Identity {
    /// Metadata for an output of this identity; with counts where they are known.
    pub(crate) fn metadata(&self, counts: Option<&Counts>) -> BTreeMap<String, String> {
        let mut metadata = ledger_metadata(&self.job);
        metadata.insert(SOURCE_ETAG.to_owned(), self.etag.clone());
        if let Some(text) = counts.and_then(|counts| serde_json::to_string(counts).ok()) {
            metadata.insert(COUNTS.to_owned(), text);
        }
        metadata
    }

    /// True when the object is an output of this identity.
    pub(crate) fn is_of(&self, head: &ObjectHead) -> bool {
        is_ledger_of(&self.job, head) && head.metadata.get(SOURCE_ETAG).is_some_and(|etag| *etag == self.etag)
    }
}

/// The counts that an output carries.
pub(crate) fn counts(head: &ObjectHead) -> Option<Counts> {
    serde_json::from_str(head.metadata.get(COUNTS)?).ok()
}

/// Makes a ledger line say that the item was done before, with these counts.
pub(crate) fn note(
    line: &mut LedgerLine,
    head: &ObjectHead,
    output: &ObjectAddress,
    rejects: &ObjectAddress,
    counts: Counts,
) {
    line.status = Status::Succeeded;
    line.reason = Some("done_before".to_owned());
    (line.records, line.bytes) = (counts.records, counts.bytes);
    let written = Written { etag: head.etag.clone(), bytes: head.size };
    line.outputs = vec![WrittenObject::new(output, &written, counts.records.written)];
    line.rejects = counts.rejects.map(|mark| mark.at(rejects));
}
