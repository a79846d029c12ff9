//! The two files that can be as long as the run: `manifest.json` and `failed.jsonl`. They are written while ledgers are
//! read, and become visible whole when the report is done.

use batch::{BatchError, LedgerLine, LinePosition, Status, WrittenObject};
use object_store::{ObjectAddress, ObjectStore, ObjectWriter, WriteRequest, WriterOptions};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Bytes that are gathered before they are handed to the writer.
const BUFFER_BYTES: usize = 256 << 10;

/// A file that is being written.
pub(crate) struct Sink {
    writer: ObjectWriter,
    buffer: Vec<u8>,
}

impl Sink {
    pub(crate) fn new(store: &Arc<dyn ObjectStore>, address: ObjectAddress, content_type: &str) -> Self {
        let request = WriteRequest { content_type: Some(content_type.to_owned()), ..WriteRequest::new(address) };
        let writer = ObjectWriter::new(Arc::clone(store), request, WriterOptions::default());
        Self { writer, buffer: Vec::new() }
    }

    /// Hands on what was gathered, if it is much.
    pub(crate) async fn flush(&mut self) -> Result<(), BatchError> {
        if self.buffer.len() >= BUFFER_BYTES { self.hand_on().await } else { Ok(()) }
    }

    async fn hand_on(&mut self) -> Result<(), BatchError> {
        let written = self.writer.write(&self.buffer).await;
        self.buffer.clear();
        written.map_err(|error| BatchError::from_store("the report cannot be written", &error))
    }

    async fn finish(mut self) -> Result<(), BatchError> {
        self.hand_on().await?;
        let finished = self.writer.finish().await;
        finished.map(drop).map_err(|error| BatchError::from_store("the report cannot be written", &error))
    }
}

/// `manifest.json`: every output of the run.
pub(crate) struct Manifest {
    pub(crate) sink: Sink,
    is_first: bool,
}

/// An entry of the manifest.
#[derive(Serialize)]
struct Entry<'a> {
    #[serde(flatten)]
    output: &'a WrittenObject,
    source: Source<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rejects: Option<&'a WrittenObject>,
    run_id: &'a str,
}

/// The object, or part of one, that an output was made of.
#[derive(Serialize)]
struct Source<'a> {
    bucket: &'a str,
    key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    etag: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    range: Option<&'a str>,
}

impl Manifest {
    pub(crate) fn new(mut sink: Sink, run_id: &str, job: &str, repairs: Option<&str>) -> Self {
        let head = serde_json::json!({"version": 1, "run_id": run_id, "job": job, "repairs": repairs}).to_string();
        let open = head.strip_suffix('}').unwrap_or(&head);
        sink.buffer.extend_from_slice(format!("{open},\"outputs\":[").as_bytes());
        Self { sink, is_first: true }
    }

    /// Adds the outputs of an item.
    pub(crate) fn add(&mut self, line: &LedgerLine, run_id: &str) {
        let (etag, range) = (line.etag.as_deref(), line.range.as_deref());
        let source = || Source { bucket: &line.bucket, key: &line.key, etag, range };
        for (index, output) in line.outputs.iter().enumerate() {
            // The refused records of an item are one object, however many outputs it has.
            let rejects = line.rejects.as_ref().filter(|_| index == 0);
            let entry = Entry { output, source: source(), rejects, run_id };
            if let Ok(text) = serde_json::to_vec(&entry) {
                self.entry(&text);
            }
        }
    }

    /// Adds an entry of an earlier manifest as it is.
    pub(crate) fn entry(&mut self, text: &[u8]) {
        let between: &[u8] = if self.is_first { b"\n" } else { b",\n" };
        self.is_first = false;
        self.sink.buffer.extend_from_slice(between);
        self.sink.buffer.extend_from_slice(text);
    }

    pub(crate) async fn finish(mut self, objects: &crate::figures::Objects) -> Result<(), BatchError> {
        let end = format!(
            "\n],\"objects\":{},\"bytes\":{},\"records\":{}}}\n",
            objects.objects, objects.bytes, objects.records
        );
        self.sink.buffer.extend_from_slice(end.as_bytes());
        self.sink.finish().await
    }
}

/// `failed.jsonl`: every item that a repair takes up.
pub(crate) struct Failed {
    pub(crate) sink: Sink,
}

/// A line of `failed.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FailedLine {
    /// Version of this shape, 1.
    pub version: u32,
    /// Bucket of the object.
    pub bucket: String,
    /// Key of the object.
    pub key: String,
    /// ETag of the version that was to be read, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// Size in bytes, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// The part of the object, as in `0..1048576`; none means all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<String>,
    /// `failed`, `unprocessed`, or `missing`: without a line in any ledger.
    pub status: String,
    /// Why it is unprocessed or missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Class of the error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// Stable name of the error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The record in which the error was found, or before which the object was left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<LinePosition>,
}

impl FailedLine {
    /// The line of an item that a ledger has, if a repair is to take it up.
    pub(crate) fn of(line: &LedgerLine) -> Option<Self> {
        matches!(line.status, Status::Failed | Status::Unprocessed)
            .then(|| Self::with(line, line.status.name(), line.reason.clone()))
    }

    /// The line of an item without one in any ledger.
    pub(crate) fn missing(line: &LedgerLine, reason: &str) -> Self {
        Self::with(line, "missing", Some(reason.to_owned()))
    }

    fn with(line: &LedgerLine, status: &str, reason: Option<String>) -> Self {
        Self {
            version: 1,
            bucket: line.bucket.clone(),
            key: line.key.clone(),
            etag: line.etag.clone(),
            size: line.size,
            range: line.range.clone(),
            status: status.to_owned(),
            reason,
            class: line.class.clone(),
            code: line.code.clone(),
            position: line.position,
        }
    }
}

impl Failed {
    pub(crate) fn add(&mut self, line: &FailedLine) {
        if serde_json::to_writer(&mut self.sink.buffer, line).is_ok() {
            self.sink.buffer.push(b'\n');
        }
    }

    pub(crate) async fn finish(self) -> Result<(), BatchError> {
        self.sink.finish().await
    }
}

/// Writes a small file.
pub(crate) async fn write(
    store: &Arc<dyn ObjectStore>,
    address: ObjectAddress,
    content_type: &str,
    body: Vec<u8>,
) -> Result<(), BatchError> {
    let mut sink = Sink::new(store, address, content_type);
    sink.buffer = body;
    sink.finish().await
}
