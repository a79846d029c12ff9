//! Refused records of one object: counted, limited and, if the job says so, set aside in a quarantine object.

use crate::item_error::ItemError;
use crate::ledger::{LinePosition, WrittenObject};
use crate::progress::{Buffered, RejectsState};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use job::{RejectPolicy, Rejects};
use object_store::{ErrorClass, ObjectAddress, ObjectStore, ObjectWriter, WriteRequest, WriterOptions};
use record_stream::{Flow, RecordCounts, Reject};
use serde::Serialize;
use std::sync::Arc;

/// Most bytes of a refused record that are kept; the position leads to the rest.
const MAX_RAW_BYTES: usize = 64 * 1024;

/// Objects with fewer records are not judged by `rejects.max_ratio`: one bad record of three says little.
const LEAST_RECORDS_FOR_RATIO: u64 = 100;

/// A line of a quarantine object.
#[derive(Debug, Serialize)]
struct QuarantineLine<'a> {
    version: u32,
    bucket: &'a str,
    key: &'a str,
    #[serde(flatten)]
    position: LinePosition,
    code: &'a str,
    message: String,
    /// The record, if it is text.
    #[serde(skip_serializing_if = "Option::is_none")]
    raw: Option<&'a str>,
    /// The record in Base64, if it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    raw_base64: Option<String>,
    /// The record is longer than what is kept of it.
    raw_is_cut: bool,
}

/// The rejects of one object.
pub(crate) struct RejectHandler {
    rules: Rejects,
    source: ObjectAddress,
    count: u64,
    pending: Vec<u8>,
    stopped: Option<ItemError>,
    writer: Option<ObjectWriter>,
    store: Arc<dyn ObjectStore>,
    target: ObjectAddress,
}

impl RejectHandler {
    pub(crate) fn new(
        rules: &Rejects,
        source: &ObjectAddress,
        target: ObjectAddress,
        store: Arc<dyn ObjectStore>,
    ) -> Self {
        let (rules, source) = (rules.clone(), source.clone());
        Self { rules, source, count: 0, pending: Vec::new(), stopped: None, writer: None, store, target }
    }

    /// Goes on as another invocation left them.
    pub(crate) async fn resume(mut self, left: RejectsState) -> Result<Self, ItemError> {
        self.count = left.count;
        if let Some(Buffered { writer, buffer, .. }) = left.writer {
            let (store, options) = (self.store.clone(), WriterOptions::default());
            self.writer = Some(ObjectWriter::resume(store, self.request(), options, writer, buffer).await?);
        }
        Ok(self)
    }

    /// What another invocation needs to go on; to be asked when all that was set aside is written.
    pub(crate) fn checkpoint(&mut self) -> RejectsState {
        let writer = self.writer.as_mut().map(|writer| {
            let (state, buffer) = writer.checkpoint();
            Buffered::new(state, buffer.to_vec())
        });
        RejectsState { count: self.count, writer }
    }

    fn request(&self) -> WriteRequest {
        WriteRequest { content_type: Some("application/x-ndjson".to_owned()), ..WriteRequest::new(self.target.clone()) }
    }

    /// Takes one reject; stops the stream when the job's rules say that the object has failed.
    pub(crate) fn take(&mut self, reject: &Reject<'_>) -> Flow {
        if self.rules.policy == RejectPolicy::Fail {
            self.stopped = Some(ItemError::of_record(reject.problem, reject.position));
            return Flow::Stop;
        }
        if self.count >= self.rules.max_per_object {
            let message = format!(
                "more than rejects.max_per_object ({}) records were refused; the last one was {}: {}",
                self.rules.max_per_object, reject.position, reject.problem
            );
            let error = ItemError::new(ErrorClass::BadData, "too_many_rejects", message);
            self.stopped = Some(ItemError { position: Some(reject.position), ..error });
            return Flow::Stop;
        }
        self.count += 1;
        if self.rules.policy == RejectPolicy::Quarantine {
            self.quarantine(reject);
        }
        Flow::Continue
    }

    fn quarantine(&mut self, reject: &Reject<'_>) {
        let kept = &reject.bytes[..reject.bytes.len().min(MAX_RAW_BYTES)];
        // A cut in the middle of a character does not make text binary.
        let text = match std::str::from_utf8(kept) {
            Ok(text) => Some(text),
            Err(error) if error.error_len().is_none() && kept.len() < reject.bytes.len() => {
                std::str::from_utf8(&kept[..error.valid_up_to()]).ok()
            }
            Err(_) => None,
        };
        let line = QuarantineLine {
            version: 1,
            bucket: self.source.bucket.as_str(),
            key: self.source.key.as_str(),
            position: reject.position.into(),
            code: reject.problem.code(),
            message: reject.problem.to_string(),
            raw: text,
            raw_base64: text.is_none().then(|| STANDARD.encode(kept)),
            raw_is_cut: kept.len() < reject.bytes.len() || reject.problem.code() == "record_too_large",
        };
        // A line of texts and numbers always becomes JSON.
        if serde_json::to_writer(&mut self.pending, &line).is_ok() {
            self.pending.push(b'\n');
        }
    }

    /// Bytes waiting to be written; the stream must not run on while there are many.
    pub(crate) fn pending_bytes(&self) -> usize {
        self.pending.len()
    }

    /// Writes what was set aside, and fails when the rules were broken.
    pub(crate) async fn flush(&mut self) -> Result<(), ItemError> {
        if !self.pending.is_empty() {
            let (store, request) = (self.store.clone(), self.request());
            let writer = self.writer.get_or_insert_with(|| ObjectWriter::new(store, request, WriterOptions::default()));
            writer.write(&self.pending).await?;
            self.pending.clear();
        }
        self.stopped.take().map_or(Ok(()), Err)
    }

    /// Judges the share of refused records once all are read.
    pub(crate) fn judge(&self, counts: RecordCounts) -> Result<(), ItemError> {
        let most = self.rules.max_ratio * counts.read as f64;
        if counts.read < LEAST_RECORDS_FOR_RATIO || counts.rejected as f64 <= most {
            return Ok(());
        }
        let message = format!(
            "{} of {} records were refused, more than rejects.max_ratio ({}) allows",
            counts.rejected, counts.read, self.rules.max_ratio
        );
        Err(ItemError::new(ErrorClass::BadData, "too_many_rejects", message))
    }

    /// Makes the quarantine object visible, if there is one; also when the object fails, to show why.
    pub(crate) async fn finish(self) -> Result<Option<WrittenObject>, ItemError> {
        let Some(writer) = self.writer else { return Ok(None) };
        let written = writer.finish().await?;
        Ok(Some(WrittenObject::new(&self.target, &written, self.count)))
    }
}
