//! Results that are written to a bucket: files of records by status, and a manifest that names them.
//!
//! One file of each status (succeeded, failed, pending) is open at a time and written as the results come, so memory holds
//! a buffer for each and not the results. A file that has reached its size ([`EngineOptions::result_file_bytes_max`]) is
//! closed and the next one begun. The manifest is also written, without files, before the first child starts: a bucket
//! that cannot be written to fails the run before any work is done.
//!
//! After a redrive the manifest names all files of successes, and of the failed and pending ones only those of that redrive.
//!
//! [`EngineOptions::result_file_bytes_max`]: crate::asl::EngineOptions::result_file_bytes_max

use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value, json};

use super::child::{Child, Finished};
use super::records::Record;
use super::settings::Place;
use crate::asl::{Core, ExecutionStatus, OutputType, StateError, Transformation, names};
use crate::observer::Notice;
use crate::services::ObjectUpload;

/// Bytes that wait until they are handed to the store.
const BUFFER_BYTES: usize = 64 * 1_024;

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
    kinds: [KindOfFile; 3],
}

#[derive(Default)]
struct KindOfFile {
    open: Option<OpenFile>,
    /// The next file has this number; numbers are not used again in a redrive.
    number: usize,
    written: Vec<WrittenFile>,
}

struct OpenFile {
    upload: Box<dyn ObjectUpload>,
    key: String,
    buffer: Vec<u8>,
    /// Bytes handed to the store.
    sent: u64,
}

impl OpenFile {
    async fn send(&mut self) -> Result<(), StateError> {
        self.upload.write(&self.buffer).await.map_err(|error| failed(error.message))?;
        self.sent += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
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
        let prefix = place.name.strip_suffix('/').unwrap_or(&place.name);
        let folder = if prefix.is_empty() { map_run_id.to_owned() } else { format!("{prefix}/{map_run_id}") };
        let mut files = Self {
            core,
            map_run,
            place: Place { bucket: place.bucket.clone(), name: folder },
            transformation,
            output_type,
            kinds: Default::default(),
        };
        files.write_manifest().await?;
        Ok(files)
    }

    /// Prepares for a redrive, whose failures take the place of the earlier ones.
    pub(super) async fn reopen(&mut self) -> Result<(), StateError> {
        for kind in [FAILED, PENDING] {
            self.kinds[kind].written.clear();
        }
        self.write_manifest().await
    }

    /// Bucket and key of the manifest.
    pub(super) fn manifest(&self) -> (String, String) {
        (self.place.bucket.clone(), format!("{}/manifest.json", self.place.name))
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
            self.close(kind).await?;
        }
        self.write_manifest().await
    }

    async fn append(&mut self, kind: usize, value: &impl Serialize) -> Result<(), StateError> {
        let is_first = self.kinds[kind].open.is_none();
        if is_first {
            self.begin(kind).await?;
        }
        let Some(file) = &mut self.kinds[kind].open else { return Ok(()) };
        match (self.output_type, is_first) {
            (OutputType::Json, true) => file.buffer.push(b'['),
            (OutputType::Json, false) => file.buffer.push(b','),
            (OutputType::JsonLines, _) => {}
        }
        serde_json::to_writer(&mut file.buffer, value)
            .map_err(|error| failed(format!("a result has no JSON: {error}")))?;
        if self.output_type == OutputType::JsonLines {
            file.buffer.push(b'\n');
        }
        let is_full = file.sent + file.buffer.len() as u64 >= self.core.options.result_file_bytes_max;
        if file.buffer.len() >= BUFFER_BYTES {
            file.send().await?;
        }
        if is_full { self.close(kind).await } else { Ok(()) }
    }

    async fn begin(&mut self, kind: usize) -> Result<(), StateError> {
        let ending = match self.output_type {
            OutputType::Json => "json",
            OutputType::JsonLines => "jsonl",
        };
        let number = self.kinds[kind].number;
        let key = format!("{}/{}_{number}.{ending}", self.place.name, KINDS[kind]);
        let begun = self.core.services.upload_object(&self.place.bucket, &key).await;
        let upload = begun.map_err(|error| failed(error.message))?;
        self.kinds[kind].number += 1;
        self.kinds[kind].open = Some(OpenFile { upload, key, buffer: Vec::new(), sent: 0 });
        Ok(())
    }

    /// Ends the open file, if there is one.
    async fn close(&mut self, kind: usize) -> Result<(), StateError> {
        let Some(mut file) = self.kinds[kind].open.take() else { return Ok(()) };
        if self.output_type == OutputType::Json {
            file.buffer.push(b']');
        }
        file.send().await?;
        let OpenFile { upload, key, sent: size, .. } = file;
        upload.finish().await.map_err(|error| failed(error.message))?;
        let bucket = &self.place.bucket;
        self.core.observer.notice(Notice::ResultFileWritten { map_run: &self.map_run, bucket, key: &key, size });
        self.kinds[kind].written.push(WrittenFile { key, size });
        Ok(())
    }

    async fn write_manifest(&mut self) -> Result<(), StateError> {
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

    async fn put(&mut self, key: &str, body: Bytes) -> Result<(), StateError> {
        let size = body.len() as u64;
        let bucket = &self.place.bucket;
        self.core.services.put_object(bucket, key, body).await.map_err(|error| failed(error.message))?;
        self.core.observer.notice(Notice::ResultFileWritten { map_run: &self.map_run, bucket, key, size });
        Ok(())
    }
}

fn failed(message: String) -> StateError {
    StateError::new(names::RESULT_WRITER_FAILED, message)
}
