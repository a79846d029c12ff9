//! How far the work on one object has come, kept beside the ledger.
//!
//! An object may take longer than one invocation, and an invocation may end at any moment. So the worker writes down, in
//! one object of its own, all that another invocation needs to go on: where the stream of records stands, and what was
//! written of the output and of the rejects. Parts that are uploaded stay in their uploads, invisible; what is still in a
//! writer's buffer is kept here. When an output that was uploaded in parts is about to become visible, its counts are
//! written here as well, because the metadata of such an object are fixed before they are known.
//!
//! The text is one line of JSON, followed by the bytes of the two buffers. One that was damaged, or that no worker wrote,
//! counts as none: nothing in it is believed that could not have been so.

use crate::ledger::WrittenObject;
use crate::outcome::{Bytes, Records};
use object_store::{
    ErrorClass, ObjectAddress, ObjectError, ObjectStore, OpenRequest, ResumeOptions, ResumingReader, UploadState,
    WriteRequest, WriterOptions, WriterState,
};
use record_stream::{Checkpoint, RecordCounts};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Most bytes of such an object: two full buffers of 8 MiB, and the names of 10,000 parts for each.
const MAX_BYTES: usize = 24 << 20;

/// Largest number that counts something of an object: 8 PiB, far over what an object expands to.
const MAX_COUNT: u64 = 1 << 53;

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

    /// Takes the buffer from the front of the bytes; `None` when no writer can have had it.
    fn take_buffer(&mut self, bytes: &mut &[u8]) -> Option<()> {
        self.writer.is_possible(self.buffer_bytes, WriterOptions::default()).then_some(())?;
        let (buffer, rest) = bytes.split_at_checked(self.buffer_bytes)?;
        self.buffer = buffer.to_vec();
        *bytes = rest;
        Some(())
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
        match &mut progress.state {
            State::Reading(reading) => {
                is_possible(&reading.checkpoint).then_some(())?;
                let mut rest = &text[end + 1..];
                reading.output.take_buffer(&mut rest)?;
                if let Some(writer) = reading.rejects.as_mut().and_then(|rejects| rejects.writer.as_mut()) {
                    writer.take_buffer(&mut rest)?;
                }
                rest.is_empty().then_some(())?;
            }
            State::Forgotten => {}
            State::Written(finished) => {
                finished.upload.bytes(WriterOptions::default())?;
            }
        }
        Some(progress)
    }
}

/// False when the numbers are such that counting on would pass the largest number.
fn is_possible(checkpoint: &Checkpoint) -> bool {
    let RecordCounts { read, exploded, written, filtered, rejected, duplicate_keys } = checkpoint.counts;
    let counts = [checkpoint.byte, checkpoint.line, read, exploded, written, filtered, rejected, duplicate_keys];
    counts.iter().all(|count| *count <= MAX_COUNT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::fakes::MemoryStore;
    use record_stream::{Progress as StreamProgress, RecordFormat, RecordStream, StreamOptions};
    use serde_json::{Value, json};

    fn checkpoint() -> Checkpoint {
        let mut stream = RecordStream::new(&StreamOptions::new(RecordFormat::NdJson));
        stream.fill(b"1\n2\n");
        let progress = stream.process(false, &mut Vec::new(), 100, &mut |_| record_stream::Flow::Continue);
        assert_eq!(progress, Ok(StreamProgress::NeedInput));
        stream.checkpoint().unwrap()
    }

    fn buffered(bytes: &[u8]) -> Buffered {
        Buffered::new(WriterState { upload: None, bytes: bytes.len() as u64 }, bytes.to_vec())
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

    #[test]
    fn what_no_worker_wrote_is_none() {
        let source = ObjectAddress::parse("clean", "s").unwrap();
        let part = json!({"etag": "e", "crc32": null, "bytes": 8 << 20});
        let mut output = buffered(b"out");
        let check = |state: State, rest: &[u8], edits: &[(&str, Value)], is_read: bool| {
            let mut head = serde_json::to_value(Progress::new("job", &source, "etag", state)).unwrap();
            for (pointer, value) in edits {
                *head.pointer_mut(pointer).unwrap() = value.clone();
            }
            let text = [head.to_string().as_bytes(), b"\n", rest].concat();
            assert_eq!(Progress::parse(&text).is_some(), is_read, "{edits:?}");
        };
        let reading = |output: &Buffered| {
            let rejects = Some(RejectsState { count: 3, writer: Some(buffered(b"no")) });
            State::Reading(Reading { checkpoint: checkpoint(), next_step: 7, output: output.clone(), rejects })
        };
        let counts = |bytes: usize| ("/state/reading/output/buffer_bytes", json!(bytes));
        let bytes = |bytes: u64| ("/state/reading/output/writer/bytes", json!(bytes));
        check(reading(&output), b"outno", &[], true);
        // Another length of a buffer than the bytes behind it, or the counts, say.
        check(reading(&output), b"outno", &[counts(4)], false);
        check(reading(&output), b"outno", &[counts(4), bytes(4)], false);
        check(reading(&output), b"outno", &[bytes(4)], false);
        check(reading(&output), b"outno", &[bytes(u64::MAX)], false);
        check(reading(&output), b"outno", &[("/state/reading/rejects/writer/buffer_bytes", json!(u64::MAX))], false);
        // More than a buffer ever holds.
        let full = [&vec![0; 8 << 20][..], b"no"].concat();
        check(reading(&output), &full, &[counts(8 << 20), bytes(8 << 20)], true);
        let over = [&vec![0; (8 << 20) + 1][..], b"no"].concat();
        check(reading(&output), &over, &[counts((8 << 20) + 1), bytes((8 << 20) + 1)], false);
        // More parts than an upload has, or longer ones.
        output.writer.upload = Some(UploadState { id: "u".into(), parts: Vec::new() });
        let parts = |parts: usize| ("/state/reading/output/writer/upload/parts", json!(vec![part.clone(); parts]));
        check(reading(&output), b"outno", &[parts(2), bytes((16 << 20) + 3)], true);
        check(reading(&output), b"outno", &[parts(10_000), bytes((10_000 << 23) + 3)], true);
        check(reading(&output), b"outno", &[parts(10_001), bytes((10_001 << 23) + 3)], false);
        // Numbers behind which nothing can be counted.
        for name in ["byte", "line", "counts/read", "counts/duplicate_keys"] {
            let pointer = format!("/state/reading/checkpoint/{name}");
            check(reading(&buffered(b"out")), b"outno", &[(&pointer, json!(u64::MAX))], false);
        }
        let upload = UploadState { id: "u".into(), parts: Vec::new() };
        let finished = Finished { upload, records: Records::default(), bytes: Bytes::default(), rejects: None };
        let parts = |parts: usize| ("/state/written/upload/parts", json!(vec![part.clone(); parts]));
        check(State::Written(finished.clone()), b"", &[parts(10_000)], true);
        check(State::Written(finished), b"", &[parts(10_001)], false);
    }

    #[tokio::test]
    async fn nothing_is_there_at_first() {
        let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::with_buckets(&["clean"]));
        let address = ObjectAddress::parse("clean", "p").unwrap();
        assert_eq!(Progress::read(&store, &address, ResumeOptions::default()).await.unwrap(), None);
    }
}
