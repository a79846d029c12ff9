//! The ledger: one line for every item, saying how it ended.

use crate::event::Item;
use crate::outcome::{Address, Bytes, Records};
use object_store::{ObjectAddress, Written};
use record_stream::Position;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// How an item ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Its output is written whole.
    Succeeded,
    /// It has no output; class, code, message and position say why.
    Failed,
    /// It is not to be processed; `reason` says why.
    Skipped,
    /// It was not begun or not ended, because time ran out.
    Unprocessed,
}

impl Status {
    /// The name as it stands in the ledger.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Unprocessed => "unprocessed",
        }
    }
}

/// A line of the ledger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LedgerLine {
    /// Version of this shape, 1.
    pub version: u32,
    /// Bucket of the object.
    pub bucket: String,
    /// Key of the object, as the item had it.
    pub key: String,
    /// ETag of the object that was read, else the one of the item.
    pub etag: Option<String>,
    /// Size in bytes of the item.
    pub size: Option<u64>,
    /// The part of the object that the item is, as in `0..1048576` or `1048576..`; none means all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<String>,
    /// How the item ended.
    pub status: Status,
    /// Why it was skipped (`folder_marker`, `empty_object`, `not_included`, `written_by_mapmill`, `delete_marker`,
    /// `not_latest`) or is unprocessed (`out_of_time`; `begun` while the invocation runs, and after it if it died);
    /// `done_before` when an earlier attempt at the batch had written its output.
    pub reason: Option<String>,
    /// Class of the error.
    pub class: Option<String>,
    /// Stable name of the error.
    pub code: Option<String>,
    /// What was expected and what was found.
    pub message: Option<String>,
    /// The record in which the error was found, or before which an object was left for another invocation.
    pub position: Option<LinePosition>,
    /// Records; all zero unless the item succeeded.
    pub records: Records,
    /// Bytes; of an item that failed, what was read before.
    pub bytes: Bytes,
    /// The objects written.
    pub outputs: Vec<WrittenObject>,
    /// The object with the refused records, if there are any.
    pub rejects: Option<WrittenObject>,
    /// Requests for this item that were sent again, because the one before failed in a way that usually passes.
    #[serde(default)]
    pub retries: u64,
    /// Time taken in milliseconds.
    pub duration_ms: u64,
}

/// The reason of an item whose invocation runs, or died.
pub(crate) const BEGUN: &str = "begun";

/// The reason of an item that is handed on.
pub(crate) const OUT_OF_TIME: &str = "out_of_time";

/// A position in an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinePosition {
    /// Byte from 0, after decompression.
    pub byte: u64,
    /// Line from 1.
    pub line: u64,
    /// Record from 1.
    pub record: u64,
}

impl From<Position> for LinePosition {
    fn from(position: Position) -> Self {
        Self { byte: position.byte, line: position.line, record: position.record }
    }
}

/// An object that the worker wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrittenObject {
    /// Bucket.
    pub bucket: String,
    /// Key.
    pub key: String,
    /// Size in bytes.
    pub bytes: u64,
    /// Records in it.
    pub records: u64,
    /// Its ETag.
    pub etag: Option<String>,
}

impl WrittenObject {
    /// An object as the store said that it was written.
    pub(crate) fn new(address: &ObjectAddress, written: &Written, records: u64) -> Self {
        Self {
            bucket: address.bucket.as_str().to_owned(),
            key: address.key.as_str().to_owned(),
            bytes: written.bytes,
            records,
            etag: Some(written.etag.as_str().to_owned()),
        }
    }
}

impl LedgerLine {
    /// The line of an item of which nothing is known yet.
    #[must_use]
    pub fn new(bucket: &str, item: &Item, status: Status) -> Self {
        Self {
            version: 1,
            bucket: item.bucket.clone().unwrap_or_else(|| bucket.to_owned()),
            key: item.key.clone(),
            etag: item.etag.as_deref().map(|etag| etag.trim_matches('"').to_owned()),
            size: item.size,
            range: item.range.map(|range| range.to_string()),
            status,
            reason: None,
            class: None,
            code: None,
            message: None,
            position: None,
            records: Records::default(),
            bytes: Bytes::default(),
            outputs: Vec::new(),
            rejects: None,
            retries: 0,
            duration_ms: 0,
        }
    }
}

/// Names a batch after its items, so that a retry of the batch writes the same ledger object and no second one.
#[must_use]
pub fn batch_id(items: &[Item]) -> String {
    let mut digest = Sha256::new();
    for item in items {
        let [bucket, etag] = [&item.bucket, &item.etag].map(|part| part.as_deref().unwrap_or_default());
        let range = item.range.map(|range| range.to_string()).unwrap_or_default();
        let mut parts = vec![bucket, &item.key, etag, &range];
        // Items of which little is known are told apart by all that came.
        parts.extend(item.skip.into_iter().chain(item.defect_digest.as_deref()));
        for part in parts {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part.as_bytes());
        }
    }
    hex::encode(&digest.finalize()[..16])
}

/// The ledger as JSON Lines.
pub(crate) fn to_json_lines(lines: &[LedgerLine]) -> Result<Vec<u8>, serde_json::Error> {
    let mut text = Vec::new();
    for line in lines {
        serde_json::to_writer(&mut text, line)?;
        text.push(b'\n');
    }
    Ok(text)
}

/// Where the ledger of a batch lies.
#[must_use]
pub fn ledger_address(bucket: &str, prefix: &str, run_id: &str, batch_id: &str) -> Address {
    Address { bucket: bucket.to_owned(), key: format!("{prefix}_mapmill/{run_id}/ledger/{batch_id}.jsonl") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::ItemRange;

    #[test]
    fn a_batch_is_named_after_its_items_and_their_versions() {
        let item = |key: &str, etag: &str| Item { key: key.into(), etag: Some(etag.into()), ..Item::default() };
        let one = batch_id(&[item("a", "1"), item("b", "2")]);
        assert_eq!(one, batch_id(&[item("a", "1"), item("b", "2")]));
        assert_eq!(one.len(), 32);
        let part = |start, end| Item { range: Some(ItemRange { start, end }), ..item("a", "1") };
        let parts = [batch_id(&[part(0, None)]), batch_id(&[part(0, Some(1))]), batch_id(&[part(1, None)])];
        assert!(parts[0] != parts[1] && parts[1] != parts[2] && parts[0] != parts[2], "{parts:?}");
        assert!(!parts.contains(&batch_id(&[item("a", "1")])));
        for other in [vec![item("a", "1")], vec![item("a", "1"), item("b", "3")], vec![item("a1", ""), item("b", "2")]]
        {
            assert_ne!(one, batch_id(&other));
        }
    }
}
