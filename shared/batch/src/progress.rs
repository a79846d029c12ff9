//! How far the work on one object has come, kept beside the ledger.
//!
//! An object may take longer than one invocation, and an invocation may end at any moment. So the worker writes down, in
//! one object of its own, all that another invocation needs to go on: where the stream of records stands, and what was
//! written of the output and of the rejects. Parts that are uploaded stay in their uploads, invisible; what is still in a
//! writer's buffer is kept here. When an output that was uploaded in parts is about to become visible, its counts are
//! written here as well, because the metadata of such an object are fixed before they are known.
//!
//! The text is one line of JSON, followed by the bytes of the two buffers.

use crate::ledger::WrittenObject;
use crate::outcome::{Bytes, Records};
use object_store::{
    ErrorClass, ObjectAddress, ObjectError, ObjectStore, OpenRequest, ResumeOptions, ResumingReader, UploadState,
    WriteRequest, WriterState,
};
use record_stream::Checkpoint;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Most bytes of such an object: two full buffers of 8 MiB, and the names of 10,000 parts for each.
const MAX_BYTES: usize = 24 << 20;

/// What the work on an object left behind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Progress {
    version: u32,
    /// The job that did it, as in the metadata of outputs.
    pub(crate) job: String,
    /// The object.
    pub(crate) source: String,
    /// The version of the object.
    pub(crate) etag: String,
    pub(crate) state: State,
}

/// How far it has come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// Records are still to come.
    Reading(Reading),
    /// Nothing that can be used.
    Forgotten,
    /// Everything is written; the output becomes visible when its upload is completed.
    Written(Finished),
}

/// The state between two records.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Reading {
    pub(crate) checkpoint: Checkpoint,
    /// The end of the next step, in expanded bytes.
    pub(crate) next_step: u64,
    pub(crate) output: Buffered,
    pub(crate) rejects: Option<RejectsState>,
}

/// The rejects before the checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RejectsState {
    pub(crate) count: u64,
    /// None while nothing was set aside.
    pub(crate) writer: Option<Buffered>,
}

/// A writer, and the bytes in its buffer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Buffered {
    pub(crate) writer: WriterState,
    buffer_bytes: usize,
    #[serde(skip)]
    pub(crate) buffer: Vec<u8>,
}

impl Buffered {
    pub(crate) fn new(writer: WriterState, buffer: Vec<u8>) -> Self {
        Self { writer, buffer_bytes: buffer.len(), buffer }
    }
}

/// An output that is written whole, with what its ledger line says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Finished {
    pub(crate) upload: UploadState,
    pub(crate) records: Records,
    pub(crate) bytes: Bytes,
    pub(crate) rejects: Option<WrittenObject>,
}

impl Progress {
    pub(crate) fn new(job: &str, source: &ObjectAddress, etag: &str, state: State) -> Self {
        Self { version: 1, job: job.to_owned(), source: source.to_string(), etag: etag.to_owned(), state }
    }

    /// True when it was left by this job at this version of this object.
    pub(crate) fn belongs_to(&self, job: &str, source: &ObjectAddress, etag: &str) -> bool {
        self.version == 1 && self.job == job && self.source == source.to_string() && self.etag == etag
    }

    /// Writes it down.
    pub(crate) async fn write(&self, store: &dyn ObjectStore, address: &ObjectAddress) -> Result<(), ObjectError> {
        let mut text = serde_json::to_vec(self).map_err(|error| {
            let message = "the state of the work could not be written as JSON";
            ObjectError::new(ErrorClass::Configuration, "progress_not_written", "put", address, message)
                .with_source(error)
        })?;
        text.push(b'\n');
        if let State::Reading(reading) = &self.state {
            let rejects = reading.rejects.as_ref().and_then(|rejects| rejects.writer.as_ref());
            text.extend_from_slice(&reading.output.buffer);
            text.extend_from_slice(rejects.map_or(&[][..], |rejects| &rejects.buffer));
        }
        let request = WriteRequest::new(address.clone());
        store.put(&request, text.into()).await.map(drop)
    }

    /// Reads it; `None` when there is none, or one that makes no sense, for the work then begins anew.
    pub(crate) async fn read(
        store: &Arc<dyn ObjectStore>,
        address: &ObjectAddress,
        options: ResumeOptions,
    ) -> Result<Option<Self>, ObjectError> {
        let opened = ResumingReader::open(store.clone(), OpenRequest::whole(address.clone()), options).await;
        let mut reader = match opened {
            Ok(reader) => reader,
            // S3 says `denied` of a missing object to whom may not list the bucket.
            Err(error) if matches!(error.class, ErrorClass::NotFound | ErrorClass::Denied) => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut text = Vec::new();
        while let Some(chunk) = reader.next().await? {
            if text.len() + chunk.len() > MAX_BYTES {
                return Ok(None);
            }
            text.extend_from_slice(&chunk);
        }
        Ok(Self::parse(&text))
    }

    fn parse(text: &[u8]) -> Option<Self> {
        let end = text.iter().position(|byte| *byte == b'\n')?;
        let mut progress: Self = serde_json::from_slice(&text[..end]).ok()?;
        if let State::Reading(reading) = &mut progress.state {
            let rest = &text[end + 1..];
            let (output, rest) = rest.split_at_checked(reading.output.buffer_bytes)?;
            reading.output.buffer = output.to_vec();
            let mut left = rest.len();
            if let Some(writer) = reading.rejects.as_mut().and_then(|rejects| rejects.writer.as_mut()) {
                writer.buffer = rest.get(..writer.buffer_bytes)?.to_vec();
                left -= writer.buffer_bytes;
            }
            (left == 0).then_some(())?;
        }
        Some(progress)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::fakes::MemoryStore;
    use record_stream::{Progress as StreamProgress, RecordFormat, RecordStream, StreamOptions};

    fn checkpoint() -> Checkpoint {
        let mut stream = RecordStream::new(&StreamOptions::new(RecordFormat::NdJson));
        stream.fill(b"1\n2\n");
        let progress = stream.process(false, &mut Vec::new(), 100, &mut |_| record_stream::Flow::Continue);
        assert_eq!(progress, Ok(StreamProgress::NeedInput));
        stream.checkpoint().unwrap()
    }

    fn buffered(bytes: &[u8]) -> Buffered {
        Buffered::new(WriterState { upload: None, bytes: 100 }, bytes.to_vec())
    }

    async fn check(state: State) {
        let memory = MemoryStore::with_buckets(&["clean"]);
        let store: Arc<dyn ObjectStore> = Arc::new(memory.clone());
        let [address, source] = ["p", "s"].map(|key| ObjectAddress::parse("clean", key).unwrap());
        let progress = Progress::new("job", &source, "etag", state);
        progress.write(store.as_ref(), &address).await.unwrap();
        let read = Progress::read(&store, &address, ResumeOptions::default()).await.unwrap().unwrap();
        assert_eq!(read, progress);
        assert!(read.belongs_to("job", &source, "etag") && !read.belongs_to("job", &source, "other"));

        // Cut anywhere, or with more behind it, it is none.
        let text = memory.get(&address).unwrap();
        for length in 0..text.len() - 1 {
            assert_ne!(Progress::parse(&text[..length]), Some(progress.clone()), "{length} bytes");
        }
        let longer = Progress::parse(&[&text[..], b"x"].concat());
        assert!(longer.is_none() || matches!(progress.state, State::Written(_)));
    }

    #[tokio::test]
    async fn what_is_written_down_is_read_again() {
        let rejects = |writer| Some(RejectsState { count: 3, writer });
        let reading =
            |rejects| Reading { checkpoint: checkpoint(), next_step: 7, output: buffered(b"\n\0out"), rejects };
        check(State::Reading(reading(None))).await;
        check(State::Reading(reading(rejects(None)))).await;
        check(State::Reading(reading(rejects(Some(buffered(b"rejected\n")))))).await;
        let upload = UploadState { id: "u".into(), parts: Vec::new() };
        let finished = Finished { upload, records: Records::default(), bytes: Bytes::default(), rejects: None };
        check(State::Written(finished)).await;
    }

    #[tokio::test]
    async fn nothing_is_there_at_first() {
        let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::with_buckets(&["clean"]));
        let address = ObjectAddress::parse("clean", "p").unwrap();
        assert_eq!(Progress::read(&store, &address, ResumeOptions::default()).await.unwrap(), None);
    }
}
