//! Results that are written to a bucket: files of records by status, and a manifest that names them.
//!
//! Three buffers fill at the same time (succeeded, failed, pending). When together they reach
//! [`RESULT_FILE_BYTES_MAX`], the fullest becomes a file, so memory holds one file's worth however many children there
//! are. The manifest is also written, without files, before the first child starts: a bucket that cannot be written to
//! fails the run before any work is done.

use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value, json};

use super::child::{Child, Finished};
use super::records::Record;
use super::settings::Place;
use crate::asl::{Core, ExecutionStatus, OutputType, StateError, Transformation, names};
use crate::observer::Notice;

/// Bytes of results that are held before a file is written. The service writes files of 5 GB; smaller ones keep the
/// memory of one machine small, and readers follow the manifest anyway.
pub const RESULT_FILE_BYTES_MAX: usize = 64 * 1_024 * 1_024;

const SUCCEEDED: usize = 0;
const FAILED: usize = 1;
const PENDING: usize = 2;
const KINDS: [&str; 3] = ["SUCCEEDED", "FAILED", "PENDING"];

/// Writes the results of one Map Run.
pub(super) struct ResultFiles {
    core: Arc<Core>,
    map_run: String,
    place: Place,
    transformation: Transformation,
    output_type: OutputType,
    buffered_bytes_max: usize,
    kinds: [KindOfFile; 3],
}

#[derive(Default)]
struct KindOfFile {
    buffer: Vec<u8>,
    written: Vec<WrittenFile>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
struct WrittenFile {
    key: String,
    size: u64,
}

impl ResultFiles {
    /// Prepares the files of a Map Run and writes the first manifest. `place` names the user's prefix, the files lie in
    /// a folder of the Map Run's id below it.
    pub(super) async fn open(
        core: Arc<Core>,
        map_run: String,
        map_run_id: &str,
        place: &Place,
        transformation: Transformation,
        output_type: OutputType,
    ) -> Result<Self, StateError> {
        let prefix = place.prefix.strip_suffix('/').unwrap_or(&place.prefix);
        let folder = if prefix.is_empty() { map_run_id.to_owned() } else { format!("{prefix}/{map_run_id}") };
        let files = Self {
            core,
            map_run,
            place: Place { bucket: place.bucket.clone(), prefix: folder },
            transformation,
            output_type,
            buffered_bytes_max: RESULT_FILE_BYTES_MAX,
            kinds: Default::default(),
        };
        files.write_manifest().await?;
        Ok(files)
    }

    /// Bucket and key of the manifest.
    pub(super) fn manifest(&self) -> (String, String) {
        (self.place.bucket.clone(), format!("{}/manifest.json", self.place.prefix))
    }

    /// What the state sees instead of the results.
    pub(super) fn reference(&self) -> Value {
        let (bucket, key) = self.manifest();
        json!({"MapRunArn": self.map_run, "ResultWriterDetails": {"Bucket": bucket, "Key": key}})
    }

    /// Adds the result of a child that has ended.
    pub(super) async fn add(&mut self, finished: &Finished) -> Result<(), StateError> {
        let succeeded = finished.status == ExecutionStatus::Succeeded;
        let kind = if succeeded { SUCCEEDED } else { FAILED };
        if !succeeded || self.transformation == Transformation::None {
            return self.append(kind, &Record::of(finished)).await;
        }
        match &finished.output {
            Some(Value::Array(elements)) if self.transformation == Transformation::Flatten => {
                for element in elements {
                    self.append(kind, element).await?;
                }
                Ok(())
            }
            output => self.append(kind, &output).await,
        }
    }

    /// Adds a child that was never started.
    pub(super) async fn add_pending(&mut self, child: &Child) -> Result<(), StateError> {
        self.append(PENDING, &Record::pending(child)).await
    }

    /// Writes what is still held, and the manifest.
    pub(super) async fn finish(&mut self) -> Result<(), StateError> {
        for kind in [SUCCEEDED, FAILED, PENDING] {
            if !self.kinds[kind].buffer.is_empty() {
                self.write_file(kind).await?;
            }
        }
        self.write_manifest().await
    }

    async fn append(&mut self, kind: usize, value: &impl Serialize) -> Result<(), StateError> {
        let buffer = &mut self.kinds[kind].buffer;
        match (self.output_type, buffer.is_empty()) {
            (OutputType::Json, true) => buffer.push(b'['),
            (OutputType::Json, false) => buffer.push(b','),
            (OutputType::JsonLines, _) => {}
        }
        serde_json::to_writer(&mut *buffer, value).map_err(|error| failed(format!("a result has no JSON: {error}")))?;
        if self.output_type == OutputType::JsonLines {
            buffer.push(b'\n');
        }
        let held: usize = self.kinds.iter().map(|kind| kind.buffer.len()).sum();
        if held >= self.buffered_bytes_max {
            let fullest = (0..self.kinds.len()).max_by_key(|kind| self.kinds[*kind].buffer.len()).unwrap_or(kind);
            self.write_file(fullest).await?;
        }
        Ok(())
    }

    async fn write_file(&mut self, kind: usize) -> Result<(), StateError> {
        let mut body = std::mem::take(&mut self.kinds[kind].buffer);
        let ending = match self.output_type {
            OutputType::Json => {
                body.push(b']');
                "json"
            }
            OutputType::JsonLines => "jsonl",
        };
        let number = self.kinds[kind].written.len();
        let key = format!("{}/{}_{number}.{ending}", self.place.prefix, KINDS[kind]);
        let size = body.len() as u64;
        self.put(&key, Bytes::from(body)).await?;
        self.kinds[kind].written.push(WrittenFile { key, size });
        Ok(())
    }

    async fn write_manifest(&self) -> Result<(), StateError> {
        let manifest = json!({
            "DestinationBucket": self.place.bucket,
            "MapRunArn": self.map_run,
            "ResultFiles": {
                "FAILED": self.kinds[FAILED].written,
                "PENDING": self.kinds[PENDING].written,
                "SUCCEEDED": self.kinds[SUCCEEDED].written,
            },
        });
        let (_, key) = self.manifest();
        self.put(&key, Bytes::from(manifest.to_string())).await
    }

    async fn put(&self, key: &str, body: Bytes) -> Result<(), StateError> {
        let size = body.len() as u64;
        let bucket = &self.place.bucket;
        self.core.services.put_object(bucket, key, body).await.map_err(|error| failed(error.message))?;
        self.core.observer.notice(Notice::ResultFileWritten { map_run: &self.map_run, bucket, key, size });
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn hold_at_most(&mut self, bytes: usize) {
        self.buffered_bytes_max = bytes;
    }
}

fn failed(message: String) -> StateError {
    StateError::new(names::RESULT_WRITER_FAILED, message)
}
