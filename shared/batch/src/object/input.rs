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
use super::beginning::{Beginning, PEEK_BYTES, stream};
use super::stage::Stage;
use crate::item_error::{ItemError, WORKER_PANIC};
use object_store::{Compression, ErrorClass, Expander, ExpansionLimits, ObjectAddress, ObjectError, ResumingReader};
use record_stream::{Checkpoint, LineRange, RecordStream};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use tokio::sync::mpsc;

/// Expanded bytes that are handed on at a time.
pub(super) const CHUNK_BYTES: usize = 128 * 1024;

/// Chunks that go round when reading goes ahead: one being filled, one being read, two between.
pub(super) const CHUNKS_AHEAD: usize = 4;

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
        let (beginning, body) = Beginning::look(run, source, reader).await?;
        let (compression, limits) = (beginning.compression, beginning.expansion_limits());
        let expander = Expander::new(body, compression, limits, source.clone());
        let mut reader = Reader::new(expander, 0);
        let Chunk { mut buffer, filled, compressed, expanded } = reader.fill(vec![0; PEEK_BYTES]).await;
        let length = filled?;
        buffer.truncate(length);
        let options = match (beginning.options(&buffer), reader.failure.take()) {
            // An object that breaks at once is broken before it is unknown.
            (Err(_), Some(failure)) => return Err(failure.into()),
            (options, failure) => {
                reader.failure = failure;
                options?
            }
        };
        let stream = stream(&options, left)?;
        let first_byte = left.map_or(0, |left| RecordStream::first_byte(options.encoding, left));
        if first_byte >= PEEK_BYTES as u64 && compression == Compression::None {
            // What lies before is not read again.
            let limits = ExpansionLimits { expanded_bytes: limits.expanded_bytes.saturating_sub(first_byte), ..limits };
            let body = beginning.body_from(first_byte, retries).await?;
            reader = Reader::new(Expander::new(body, compression, limits, source.clone()), first_byte);
            buffer.clear();
        } else {
            let passed = usize::try_from(first_byte).unwrap_or(usize::MAX).min(buffer.len());
            buffer.drain(..passed);
            reader.pass_over(first_byte - passed as u64).await?;
        }
        // What ended within the first bytes has nothing to read ahead.
        let chunks = Chunks::new(reader, overlaps && length == PEEK_BYTES, (compressed, expanded));
        Ok(Self { stream, first: buffer, first_byte, chunks })
    }
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
    /// The chunks that a reader fills, ahead of those who need them or when they are needed, after so many compressed and
    /// expanded bytes.
    pub(super) fn new(reader: Reader, is_ahead: bool, (compressed, expanded): (u64, u64)) -> Self {
        let way = if is_ahead { Way::Ahead(Ahead::start(reader)) } else { Way::Here(Box::new(reader)) };
        Self { way, buffer: Vec::new(), compressed, expanded }
    }

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
pub(super) struct Chunk {
    pub(super) buffer: Vec<u8>,
    /// How many bytes, 0 at the end, or why there are none.
    pub(super) filled: Result<usize, ObjectError>,
    pub(super) compressed: u64,
    pub(super) expanded: u64,
}

/// Reads whole chunks.
pub(super) struct Reader {
    expander: Expander,
    /// An error that came after bytes, for the next call.
    failure: Option<ObjectError>,
    /// Bytes of the object before those that are read, because an earlier invocation read them.
    passed_over: u64,
    /// For a range of the object: which of the bytes belong to it, and where the range begins.
    lines: Option<(LineRange, u64)>,
    /// Bytes of the range that were given out.
    given: u64,
}

impl Reader {
    fn new(expander: Expander, passed_over: u64) -> Self {
        Self { expander, failure: None, passed_over, lines: None, given: 0 }
    }

    /// Reads the lines of a range that begins at this byte. The expander begins where the lines want to be read from.
    pub(super) fn of_lines(expander: Expander, lines: LineRange, begin: u64) -> Self {
        Self { lines: Some((lines, begin)), ..Self::new(expander, 0) }
    }

    /// Where the first line of the range begins, once it is known.
    pub(super) fn first_line(&self) -> Option<u64> {
        self.lines.as_ref()?.0.first_line()
    }

    /// Fills the buffer with what belongs to the item, as far as that goes.
    pub(super) async fn fill(&mut self, mut buffer: Vec<u8>) -> Chunk {
        loop {
            if self.lines.as_ref().is_some_and(|(lines, _)| lines.is_done()) {
                let (compressed, expanded) = self.counts();
                return Chunk { buffer, filled: Ok(0), compressed, expanded };
            }
            let mut chunk = self.fill_all(buffer).await;
            let (Some((lines, _)), Ok(length)) = (&mut self.lines, &mut chunk.filled) else { return chunk };
            if *length == 0 {
                return chunk;
            }
            let part = lines.part(&chunk.buffer[..*length]);
            *length = part.len();
            self.given += part.len() as u64;
            if !part.is_empty() {
                chunk.buffer.copy_within(part, 0);
                (chunk.compressed, chunk.expanded) = self.counts();
                return chunk;
            }
            buffer = chunk.buffer;
        }
    }

    /// Bytes of the item that were read so far, as they lie there and expanded.
    fn counts(&self) -> (u64, u64) {
        if let Some((lines, begin)) = &self.lines {
            let bytes = lines.first_line().map_or(0, |first| first + self.given - begin);
            return (bytes, bytes);
        }
        let (compressed, expanded) = (self.expander.compressed_bytes(), self.expander.expanded_bytes());
        (self.passed_over + compressed, self.passed_over + expanded)
    }

    /// Fills the buffer as far as the object goes.
    async fn fill_all(&mut self, mut buffer: Vec<u8>) -> Chunk {
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
        let (compressed, expanded) = self.counts();
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
        Err(ItemError::new(ErrorClass::BadData, WORKER_PANIC, message))
    }
}
