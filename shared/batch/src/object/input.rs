//! The way in: the expanded bytes of an object, in chunks, and the stream of records that reads them.
//!
//! A chunk is filled whatever the network brings at a time, so that what comes of an object does not depend on it. What
//! came before an error is handed on before the error.
//!
//! With overlap a [`Stage`] reads ahead. A fixed number of buffers goes round between it and the records: empty ones to the
//! stage, full ones back. That bounds how far it can be ahead, and nothing is allocated on the way. Every chunk carries how
//! far the object was read when it was filled, so that the counts are those of the records that were reached, not of the
//! bytes that were read ahead.

use super::Run;
use super::stage::Stage;
use crate::item_error::ItemError;
use futures::StreamExt;
use object_store::{
    ByteRange, Compression, ErrorClass, Expander, ExpansionLimits, ObjectAddress, ObjectError, OpenRequest,
    ResumingReader, detect_compression, peek,
};
use record_stream::{Checkpoint, RecordStream, StreamOptions};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use tokio::sync::mpsc;

/// Expanded bytes that are handed on at a time.
pub(super) const CHUNK_BYTES: usize = 128 * 1024;

/// Chunks that go round when reading goes ahead: one being filled, one being read, two between.
pub(super) const CHUNKS_AHEAD: usize = 4;

/// First bytes of an object that decide about compression and format.
const PEEK_BYTES: usize = 4 * 1024;

/// An opened object.
pub(super) struct Input {
    /// Reads the records.
    pub(super) stream: RecordStream,
    /// The first bytes that the stream reads, if some were looked at to tell the format; the other chunks come after them.
    pub(super) first: Vec<u8>,
    /// Where they begin in the expanded object.
    pub(super) first_byte: u64,
    /// The rest of the bytes.
    pub(super) chunks: Chunks,
}

impl Input {
    /// Finds out how the object is compressed and what it holds. `overlaps` lets the rest be read ahead; `left` says
    /// where an earlier invocation left the object.
    pub(super) async fn open(
        run: &Run,
        source: &ObjectAddress,
        reader: ResumingReader,
        overlaps: bool,
        left: Option<&Checkpoint>,
        retries: &Arc<AtomicU64>,
    ) -> Result<Self, ItemError> {
        let job = &run.job;
        let content_type = reader.content_type().map(str::to_owned);
        let content_encoding = reader.content_encoding().map(str::to_owned);
        let (etag, size) = (reader.etag().clone(), reader.size());
        let (first, body) = peek(reader.into_body(), PEEK_BYTES).await?;
        let compression = compression(job.source.compression, source, content_encoding.as_deref(), &first)?;
        let limits = ExpansionLimits {
            expanded_bytes: job.limits.expanded_bytes.bytes(),
            expansion_ratio: job.limits.expansion_ratio,
            xz_memory_bytes: run.budget.xz_memory_bytes(),
            ..ExpansionLimits::default()
        };
        let expander = Expander::new(body, compression, limits, source.clone());
        let mut reader = Reader { expander, failure: None, passed_over: 0 };
        let Chunk { mut buffer, filled, compressed, expanded } = reader.fill(vec![0; PEEK_BYTES]).await;
        let length = filled?;
        buffer.truncate(length);
        let Some(options) = run.plan.for_object(job, source.key.as_str(), content_type.as_deref(), &buffer) else {
            // An object that breaks at once is broken before it is unknown.
            if let Some(failure) = reader.failure {
                return Err(failure.into());
            }
            let message = "the format cannot be told from the extension, the content type or the first bytes; \
                           say it in source.format";
            return Err(ItemError::new(ErrorClass::Configuration, "unknown_format", message));
        };
        let stream = stream(&options, left)?;
        let first_byte = left.map_or(0, |left| RecordStream::first_byte(options.encoding, left));
        if first_byte >= PEEK_BYTES as u64 && compression == Compression::None {
            // What lies before is not read again.
            let range = Some(ByteRange { start: first_byte, end: None });
            let request = OpenRequest { address: source.clone(), range, if_match: Some(etag) };
            let limits = ExpansionLimits { expanded_bytes: limits.expanded_bytes.saturating_sub(first_byte), ..limits };
            let body = if first_byte < size {
                {
                    let reader = ResumingReader::open(run.store.clone(), request, run.reading).await?;
                    reader.counting_in(retries.clone()).into_body()
                }
            } else {
                futures::stream::empty().boxed()
            };
            let expander = Expander::new(body, compression, limits, source.clone());
            reader = Reader { expander, failure: None, passed_over: first_byte };
            buffer.clear();
        } else {
            let passed = usize::try_from(first_byte).unwrap_or(usize::MAX).min(buffer.len());
            buffer.drain(..passed);
            reader.pass_over(first_byte - passed as u64).await?;
        }
        // What ended within the first bytes has nothing to read ahead.
        let way = if overlaps && length == PEEK_BYTES {
            Way::Ahead(Ahead::start(reader))
        } else {
            Way::Here(Box::new(reader))
        };
        let chunks = Chunks { way, buffer: Vec::new(), compressed, expanded };
        Ok(Self { stream, first: buffer, first_byte, chunks })
    }
}

/// A stream at the start of the object, or where an earlier invocation left it.
fn stream(options: &StreamOptions, left: Option<&Checkpoint>) -> Result<RecordStream, ItemError> {
    let Some(left) = left else { return Ok(RecordStream::new(options)) };
    RecordStream::resume(options, left)
        .map_err(|problem| ItemError::new(ErrorClass::Changed, problem.code(), problem.to_string()))
}

fn compression(
    of_job: job::Compression,
    source: &ObjectAddress,
    content_encoding: Option<&str>,
    first: &[u8],
) -> Result<Compression, ItemError> {
    Ok(match of_job {
        job::Compression::Auto => {
            detect_compression(source.key.as_str(), content_encoding, first).map_err(|unsupported| {
                ItemError::new(ErrorClass::Configuration, "unsupported_compression", unsupported.to_string())
            })?
        }
        job::Compression::None => Compression::None,
        job::Compression::Gzip => Compression::Gzip,
        job::Compression::Zstd => Compression::Zstd,
        job::Compression::Bzip2 => Compression::Bzip2,
        job::Compression::Xz => Compression::Xz,
    })
}

/// The chunks of an object after the first bytes.
pub(super) struct Chunks {
    way: Way,
    /// The chunk that was handed out last.
    buffer: Vec<u8>,
    compressed: u64,
    expanded: u64,
}

enum Way {
    Here(Box<Reader>),
    Ahead(Ahead),
}

impl Chunks {
    /// The next bytes; none at the end. After an error there are no more to be had.
    pub(super) async fn next(&mut self) -> Result<&[u8], ItemError> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let chunk = match &mut self.way {
            Way::Here(reader) => {
                buffer.resize(CHUNK_BYTES, 0);
                reader.fill(buffer).await
            }
            Way::Ahead(ahead) => ahead.next(buffer).await?,
        };
        (self.buffer, self.compressed, self.expanded) = (chunk.buffer, chunk.compressed, chunk.expanded);
        let length = chunk.filled?;
        Ok(&self.buffer[..length])
    }

    /// Bytes of the object that were used for what was handed out.
    pub(super) fn compressed_bytes(&self) -> u64 {
        self.compressed
    }

    /// Bytes that were handed out, the first ones included.
    pub(super) fn expanded_bytes(&self) -> u64 {
        self.expanded
    }
}

/// A buffer with what it was filled with, and how far the object was read then.
struct Chunk {
    buffer: Vec<u8>,
    /// How many bytes, 0 at the end, or why there are none.
    filled: Result<usize, ObjectError>,
    compressed: u64,
    expanded: u64,
}

/// Reads whole chunks.
struct Reader {
    expander: Expander,
    /// An error that came after bytes, for the next call.
    failure: Option<ObjectError>,
    /// Bytes of the object before those that are read, because an earlier invocation read them.
    passed_over: u64,
}

impl Reader {
    /// Fills the buffer as far as the object goes.
    async fn fill(&mut self, mut buffer: Vec<u8>) -> Chunk {
        let mut length = 0;
        let filled = loop {
            if let Some(failure) = self.failure.take() {
                break Err(failure);
            }
            match self.expander.read_chunk(&mut buffer[length..]).await {
                Ok(0) => break Ok(length),
                Ok(more) => length += more,
                Err(failure) if length == 0 => break Err(failure),
                Err(failure) => {
                    self.failure = Some(failure);
                    break Ok(length);
                }
            }
        };
        let compressed = self.passed_over + self.expander.compressed_bytes();
        let expanded = self.passed_over + self.expander.expanded_bytes();
        Chunk { buffer, filled, compressed, expanded }
    }

    /// Reads so many bytes for nothing: what is compressed cannot be entered in the middle.
    async fn pass_over(&mut self, mut bytes: u64) -> Result<(), ItemError> {
        let mut buffer = vec![0; if bytes > 0 { CHUNK_BYTES } else { 0 }];
        while bytes > 0 {
            let most = usize::try_from(bytes).unwrap_or(usize::MAX).min(buffer.len());
            match self.expander.read_chunk(&mut buffer[..most]).await? {
                0 => break,
                read => bytes -= read as u64,
            }
        }
        Ok(())
    }
}

/// A reader that is ahead, and the buffers between.
struct Ahead {
    full: mpsc::Receiver<Chunk>,
    empty: mpsc::Sender<Vec<u8>>,
    /// None once it was joined.
    stage: Option<Stage<()>>,
}

impl Ahead {
    fn start(mut reader: Reader) -> Self {
        let (fill, full) = mpsc::channel(CHUNKS_AHEAD);
        let (empty, mut to_fill) = mpsc::channel(CHUNKS_AHEAD);
        for _ in 0..CHUNKS_AHEAD {
            // There is room for all of them.
            drop(empty.try_send(vec![0; CHUNK_BYTES]));
        }
        let stage = Stage::start(async move {
            while let Some(buffer) = to_fill.recv().await {
                let chunk = reader.fill(buffer).await;
                let is_last = !matches!(chunk.filled, Ok(length) if length > 0);
                if fill.send(chunk).await.is_err() || is_last {
                    break;
                }
            }
        });
        Self { full, empty, stage: Some(stage) }
    }

    /// Gives a buffer back, which is none at first, and waits for the next chunk.
    async fn next(&mut self, buffer: Vec<u8>) -> Result<Chunk, ItemError> {
        if !buffer.is_empty() {
            // There is room for all of them, and a reader that is done needs none.
            drop(self.empty.try_send(buffer));
        }
        if let Some(chunk) = self.full.recv().await {
            return Ok(chunk);
        }
        if let Some(stage) = self.stage.take() {
            stage.join().await;
        }
        let message = "the reader ended before the object; this is a fault in Mapmill";
        Err(ItemError::new(ErrorClass::BadData, "worker_panic", message))
    }
}
