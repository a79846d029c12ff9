//! The way out: lines are compressed and written.
//!
//! With overlap a [`Stage`] does this. Buffers go round as on the way in: full ones to the stage, empty ones back. A line
//! may be as long as a record, and so may a buffer: a long one is waited for before the next is filled, so that there is
//! one of them at most. When writing fails, the records learn it with the next buffer or at the end; it is still the
//! first error, because it concerns lines before those that were read meanwhile.
//!
//! At places that follow from the object alone the compressed frame ends ([`Lines::end_frame`]). There, and only there, an
//! output can be taken up by another invocation ([`Lines::checkpoint`]), so that its bytes are the same whether it was
//! or not.

use super::stage::Stage;
use super::{LINES_TARGET, Run};
use crate::done::{Counts, Identity};
use crate::item_error::{ItemError, WORKER_PANIC};
use crate::ledger::WrittenObject;
use crate::progress::Buffered;
use object_store::{
    Compressor, ErrorClass, ObjectAddress, ObjectWriter, OutputCompression, UploadState, WriteRequest, WriterOptions,
};
use tokio::sync::{mpsc, oneshot};

/// Buffers of lines that go round when writing goes on behind: one being filled, one being compressed, one between.
pub(super) const LINES_BEHIND: usize = 3;

/// A buffer that grew larger than this is long: it is waited for and does not go round again. Records of some hundred
/// kilobytes still overlap.
const LONG_LINES: usize = 8 * LINES_TARGET;

/// The compressed output of an object.
pub(super) struct Output {
    compressor: Compressor,
    writer: ObjectWriter,
    target: ObjectAddress,
    identity: Identity,
}

impl Output {
    /// An output that begins, or goes on as it was left.
    pub(super) async fn new(
        run: &Run,
        target: ObjectAddress,
        identity: Identity,
        left: Option<Buffered>,
    ) -> Result<Self, ItemError> {
        let compression = match run.job.output.compression {
            job::OutputCompression::None => OutputCompression::None,
            job::OutputCompression::Gzip => OutputCompression::Gzip,
            job::OutputCompression::Zstd => OutputCompression::Zstd,
        };
        let request = WriteRequest {
            content_type: Some("application/x-ndjson".to_owned()),
            metadata: identity.metadata(None),
            ..WriteRequest::new(target.clone())
        };
        let mut compressor = Compressor::new(compression, target.clone())?;
        let (store, options) = (run.store.clone(), WriterOptions::default());
        let writer = match left {
            None => ObjectWriter::new(store, request, options),
            Some(Buffered { writer, buffer, .. }) => {
                if writer.bytes > 0 {
                    compressor = compressor.behind_a_frame();
                }
                ObjectWriter::resume(store, request, options, writer, buffer).await?
            }
        };
        Ok(Self { compressor, writer, target, identity })
    }

    async fn write(&mut self, lines: &[u8]) -> Result<(), ItemError> {
        self.compressor.write(lines)?;
        self.send().await
    }

    async fn send(&mut self) -> Result<(), ItemError> {
        let compressed = self.compressor.output();
        self.writer.write(compressed).await?;
        compressed.clear();
        Ok(())
    }

    fn end_frame(&mut self) -> Result<(), ItemError> {
        Ok(self.compressor.end_frame()?)
    }

    /// What another invocation needs to go on behind the frame that ended.
    async fn checkpoint(&mut self) -> Result<Buffered, ItemError> {
        self.send().await?;
        let (writer, buffer) = self.writer.checkpoint();
        Ok(Buffered::new(writer, buffer.to_vec()))
    }

    /// Ends the text and uploads all of it. Answers its size, and the upload if there is one to be completed.
    pub(super) async fn end(&mut self) -> Result<(u64, Option<UploadState>), ItemError> {
        let compressor = Compressor::new(OutputCompression::None, self.target.clone())?;
        let compressed = std::mem::replace(&mut self.compressor, compressor).finish()?;
        self.writer.write(&compressed).await?;
        self.writer.upload_rest().await?;
        let (state, _) = self.writer.checkpoint();
        Ok((state.bytes, state.upload))
    }

    /// Makes the output visible.
    pub(super) async fn finish(mut self, counts: &Counts) -> Result<WrittenObject, ItemError> {
        if !self.writer.is_upload() {
            self.writer.set_metadata(self.identity.metadata(Some(counts)));
        }
        let written = self.writer.finish().await?;
        Ok(WrittenObject::new(&self.target, &written, counts.records.written))
    }

    /// Gives the output up and hands the error back that is to blame. What another attempt can use is left.
    pub(super) async fn abort(self, error: ItemError) -> ItemError {
        if error.class.is_retriable() && self.writer.has_checkpoint() {
            return error;
        }
        if let Err(left_over) = self.writer.abort().await {
            tracing::warn!(error = %left_over, "an unfinished upload could not be removed");
        }
        error
    }
}

/// Where lines go.
pub(super) enum Lines {
    /// They are compressed and written at once.
    Here(Box<Output>),
    /// A stage does it.
    Behind(Behind),
}

impl Lines {
    /// Lines for an output. `overlaps` lets them be written behind.
    pub(super) fn new(output: Output, overlaps: bool) -> Self {
        if overlaps { Self::Behind(Behind::start(output)) } else { Self::Here(Box::new(output)) }
    }

    /// Takes the lines and leaves the buffer empty.
    pub(super) async fn write(&mut self, lines: &mut Vec<u8>) -> Result<(), ItemError> {
        if lines.is_empty() {
            return Ok(());
        }
        match self {
            Self::Here(output) => {
                let written = output.write(lines).await;
                lines.clear();
                written
            }
            Self::Behind(behind) => behind.write(lines).await,
        }
    }

    /// Bytes of the output that were made so far, where they are kept in memory that was not taken for a large object.
    pub(super) fn bytes_kept(&self) -> u64 {
        match self {
            Self::Here(output) => output.writer.bytes(),
            Self::Behind(_) => 0,
        }
    }

    /// Ends the compressed frame behind the lines so far.
    pub(super) async fn end_frame(&mut self) -> Result<(), ItemError> {
        match self {
            Self::Here(output) => output.end_frame(),
            Self::Behind(behind) => behind.full.send(Message::EndFrame).await.map_err(|_| given_up()),
        }
    }

    /// What another invocation needs to go on behind the lines so far; to be asked behind the end of a frame.
    pub(super) async fn checkpoint(&mut self) -> Result<Buffered, ItemError> {
        match self {
            Self::Here(output) => output.checkpoint().await,
            Self::Behind(behind) => {
                let (answer, checkpoint) = oneshot::channel();
                behind.full.send(Message::Checkpoint(answer)).await.map_err(|_| given_up())?;
                checkpoint.await.map_err(|_| given_up())
            }
        }
    }

    /// Waits until all lines are compressed and handed to the writer; gives the output back and says whether that went
    /// well.
    pub(super) async fn end(self) -> (Output, Result<(), ItemError>) {
        match self {
            Self::Here(output) => (*output, Ok(())),
            Self::Behind(Behind { full, stage, .. }) => {
                drop(full);
                stage.join().await
            }
        }
    }
}

/// What the stage is told.
enum Message {
    Lines(Vec<u8>),
    EndFrame,
    Checkpoint(oneshot::Sender<Buffered>),
}

/// A writer that is behind, and the buffers between.
pub(super) struct Behind {
    full: mpsc::Sender<Message>,
    empty: mpsc::Receiver<Vec<u8>>,
    /// Empty buffers at hand.
    spare: Vec<Vec<u8>>,
    /// How many buffers the stage has.
    away: usize,
    stage: Stage<(Output, Result<(), ItemError>)>,
}

impl Behind {
    fn start(mut output: Output) -> Self {
        let (full, mut told) = mpsc::channel(LINES_BEHIND);
        let (give_back, empty) = mpsc::channel(LINES_BEHIND);
        let stage = Stage::start(async move {
            while let Some(message) = told.recv().await {
                if let Err(error) = output.obey(message, &give_back).await {
                    return (output, Err(error));
                }
            }
            (output, Ok(()))
        });
        // The last one is with the records.
        let spare = vec![Vec::new(); LINES_BEHIND - 1];
        Self { full, empty, spare, away: 0, stage }
    }

    /// Exchanges the lines for an empty buffer. Fails when the stage has; its error comes with [`Lines::end`].
    async fn write(&mut self, lines: &mut Vec<u8>) -> Result<(), ItemError> {
        let is_long = lines.capacity() > LONG_LINES;
        if self.spare.is_empty() {
            self.take_back().await?;
        }
        let full = std::mem::replace(lines, self.spare.pop().unwrap_or_default());
        self.full.send(Message::Lines(full)).await.map_err(|_| given_up())?;
        self.away += 1;
        while is_long && self.away > 0 {
            self.take_back().await?;
        }
        Ok(())
    }

    async fn take_back(&mut self) -> Result<(), ItemError> {
        self.spare.push(self.empty.recv().await.ok_or_else(given_up)?);
        self.away -= 1;
        Ok(())
    }
}

impl Output {
    /// Does what the stage was told.
    async fn obey(&mut self, message: Message, give_back: &mpsc::Sender<Vec<u8>>) -> Result<(), ItemError> {
        match message {
            Message::Lines(mut lines) => {
                self.write(&lines).await?;
                lines.clear();
                if lines.capacity() > LONG_LINES {
                    lines = Vec::new();
                }
                // There is room for all of them, and nobody takes them back once the records have ended.
                drop(give_back.try_send(lines));
            }
            Message::EndFrame => self.end_frame()?,
            // Who asked may have been given up meanwhile.
            Message::Checkpoint(answer) => drop(answer.send(self.checkpoint().await?)),
        }
        Ok(())
    }
}

/// Stands for the error of the stage until that is known.
fn given_up() -> ItemError {
    ItemError::new(ErrorClass::BadData, WORKER_PANIC, "the writer ended before the lines; this is a fault in Mapmill")
}
