//! A stream of records from bytes to bytes.
//!
//! [`RecordStream`] joins the rooms of this crate: chunks go into one bounded buffer, a framer finds records in it, a
//! shaper checks and rewrites each, and lines of NDJSON come out. It does no input or output of its own: the caller
//! fills it, drains its output, and hears of every reject.
//!
//! ```
//! use record_stream::{Flow, Progress, RecordFormat, RecordStream, StreamOptions};
//!
//! let mut stream = RecordStream::new(&StreamOptions::new(RecordFormat::NdJson));
//! let mut output = Vec::new();
//! stream.fill(b"{\"id\":1}\n{\"id\":");
//! assert_eq!(stream.process(false, &mut output, 1 << 20, &mut |_| Flow::Continue)?, Progress::NeedInput);
//! stream.fill(b"2}\n");
//! assert_eq!(stream.process(true, &mut output, 1 << 20, &mut |_| Flow::Continue)?, Progress::Finished);
//! assert_eq!(output, b"{\"id\":1}\n{\"id\":2}\n");
//! # Ok::<(), record_stream::StreamError>(())
//! ```

mod csv;
mod json;

use crate::buffer::InputBuffer;
use crate::checkpoint::Checkpoint;
use crate::csv::CsvDialect;
use crate::encoding::{TextEncoding, Transcoder};
use crate::error::{Problem, StreamError};
pub use crate::frame::{Flow, JsonLayout, JsonMode};
use crate::limits::RecordLimits;
use crate::lines::{LineCounter, LineEnd};
use crate::position::Position;
use crate::reshape::{Fate, Reshape};
use csv::CsvSource;
use json::JsonSource;
use serde::{Deserialize, Serialize};

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// How records lie in an object, with everything needed to find them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordFormat {
    /// One JSON value a line; blank lines are no records.
    NdJson,
    /// JSON that spans lines: an array, a document, or values one after another.
    Json(JsonLayout),
    /// CSV.
    Csv(CsvDialect),
}

/// What happens to a record with an object in which a name comes twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DuplicateKeys {
    /// The last one counts wherever a rule reads the field. What no rule touches is copied with both.
    #[default]
    Last,
    /// The record is a reject.
    Reject,
}

/// What a stream reads and what it does with the records.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamOptions {
    /// Where the records are.
    pub format: RecordFormat,
    /// How their text is encoded.
    pub encoding: TextEncoding,
    /// What happens to JSON objects in which a name comes twice.
    pub duplicate_keys: DuplicateKeys,
    /// What a record may cost.
    pub limits: RecordLimits,
    /// What becomes of a record.
    pub reshape: Reshape,
}

impl StreamOptions {
    /// Options that pass records unchanged, within the default limits.
    #[must_use]
    pub fn new(format: RecordFormat) -> Self {
        Self {
            format,
            encoding: TextEncoding::default(),
            duplicate_keys: DuplicateKeys::default(),
            limits: RecordLimits::default(),
            reshape: Reshape::default(),
        }
    }
}

/// Why [`RecordStream::process`] returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Everything filled in is used up as far as it can be.
    NeedInput,
    /// The output has reached its target; drain it and call again.
    OutputFull,
    /// The caller's reject handler asked to stop.
    Stopped,
    /// The input has ended and every record is done.
    Finished,
}

/// A record that was refused.
#[derive(Debug)]
pub struct Reject<'a> {
    /// What is wrong with it.
    pub problem: &'a Problem,
    /// Where it begins.
    pub position: Position,
    /// Its bytes; the first ones only if it was too long to be read whole.
    pub bytes: &'a [u8],
}

/// How many records went where: `read` and `exploded` together are `written`, `filtered` and `rejected` together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RecordCounts {
    /// Records found.
    pub read: u64,
    /// Records that came in addition, because an array was exploded into more than one.
    pub exploded: u64,
    /// Records written to the output.
    pub written: u64,
    /// Records left out by the condition.
    pub filtered: u64,
    /// Records refused.
    pub rejected: u64,
    /// Of the records found, those with a JSON object in which a name comes twice.
    pub duplicate_keys: u64,
}

/// A push parser and rewriter. See the module for how to use it.
#[derive(Debug)]
pub struct RecordStream {
    buffer: InputBuffer,
    transcoder: Option<Transcoder>,
    source: Source,
    counts: RecordCounts,
    mark_checked: bool,
    /// Bytes of the text that an earlier stream read, and that are still to be passed over.
    passed_over: u64,
}

#[derive(Debug)]
enum Source {
    Json(Box<JsonSource>),
    Csv(Box<CsvSource>),
}

impl RecordStream {
    /// A stream at the start of an object.
    #[must_use]
    pub fn new(options: &StreamOptions) -> Self {
        let (source, line_end) = match &options.format {
            RecordFormat::Csv(dialect) => (Source::Csv(Box::new(CsvSource::new(dialect, options))), LineEnd::Any),
            _ => (Source::Json(Box::new(JsonSource::new(options))), LineEnd::LineFeed),
        };
        Self {
            buffer: InputBuffer::new(LineCounter::new(line_end)),
            transcoder: Transcoder::new(options.encoding),
            source,
            counts: RecordCounts::default(),
            // A transcoder has taken its own mark.
            mark_checked: options.encoding != TextEncoding::Utf8,
            passed_over: 0,
        }
    }

    /// A stream that goes on where another one with the same options made a checkpoint. It is filled with the bytes of
    /// the object from [`RecordStream::first_byte`] on.
    ///
    /// # Errors
    /// The checkpoint cannot be one of a stream with these options.
    pub fn resume(options: &StreamOptions, checkpoint: &Checkpoint) -> Result<Self, Problem> {
        checkpoint.check(&options.limits)?;
        let (source, line_end) = match &options.format {
            RecordFormat::Csv(dialect) => {
                let source = CsvSource::resume(dialect, options, &checkpoint.framing)?;
                (Source::Csv(Box::new(source)), LineEnd::Any)
            }
            _ => (Source::Json(Box::new(JsonSource::resume(options, checkpoint)?)), LineEnd::LineFeed),
        };
        let lines = LineCounter::at(line_end, checkpoint.line, checkpoint.after_return);
        Ok(Self {
            buffer: InputBuffer::at(checkpoint.byte, lines),
            transcoder: Transcoder::new(options.encoding),
            source,
            counts: checkpoint.counts,
            mark_checked: true,
            passed_over: checkpoint.byte - Self::first_byte(options.encoding, checkpoint),
        })
    }

    /// The byte of the object (after decompression) from which a stream that goes on must be filled: that of the
    /// checkpoint, or the first one if the text must be transcoded up to there.
    #[must_use]
    pub fn first_byte(encoding: TextEncoding, checkpoint: &Checkpoint) -> u64 {
        if encoding == TextEncoding::Utf8 { checkpoint.byte } else { 0 }
    }

    /// Where the stream stands, for another one to go on from there. Ask after [`Progress::NeedInput`]: the checkpoint
    /// then stands before the record that has begun, if one has. There is none before the first record can begin (in a
    /// CSV header, in the JSON text in front of the records), in the rest of a record that was too long, in a JSON
    /// document that is one record, and behind the array of records.
    #[must_use]
    pub fn checkpoint(&self) -> Option<Checkpoint> {
        let framing = match &self.source {
            _ if !self.mark_checked || self.passed_over > 0 => None,
            Source::Json(source) => source.checkpoint(),
            Source::Csv(source) => source.checkpoint(),
        };
        let lines = self.buffer.lines();
        Some(Checkpoint {
            byte: self.buffer.offset(),
            line: lines.line(),
            after_return: lines.is_after_return(),
            counts: self.counts,
            framing: framing?,
        })
    }

    /// Appends a chunk of the object. Call it only after [`Progress::NeedInput`]: the buffer then holds at most one
    /// unfinished record, so it never exceeds the record limit by more than one chunk.
    pub fn fill(&mut self, chunk: &[u8]) {
        match &mut self.transcoder {
            Some(transcoder) => transcoder.transcode(chunk, false, &mut self.buffer),
            None => self.buffer.fill(chunk),
        }
        self.pass_over();
    }

    fn pass_over(&mut self) {
        if self.passed_over > 0 {
            self.passed_over -= self.buffer.drop_front(self.passed_over);
        }
    }

    /// Works through what was filled in, appending lines to `output` until it holds `output_target` bytes.
    /// `end_of_input` says that nothing more will be filled in.
    ///
    /// # Errors
    /// A problem after which the rest of the object cannot be read. The stream must not be used further.
    pub fn process(
        &mut self,
        end_of_input: bool,
        output: &mut Vec<u8>,
        output_target: usize,
        on_reject: &mut dyn FnMut(Reject<'_>) -> Flow,
    ) -> Result<Progress, StreamError> {
        if end_of_input && let Some(transcoder) = &mut self.transcoder {
            transcoder.transcode(&[], true, &mut self.buffer);
            self.pass_over();
        }
        if !self.mark_checked && !self.check_mark(end_of_input) {
            return Ok(Progress::NeedInput);
        }
        let mut work = Work {
            input: self.buffer.unread(),
            end_of_input,
            offset: self.buffer.offset(),
            lines: self.buffer.lines(),
            lines_counted_to: 0,
            counts: &mut self.counts,
            output,
            output_target,
            on_reject,
            stopped: None,
        };
        let (consumed, result) = match &mut self.source {
            Source::Json(source) => source.process(&mut work),
            Source::Csv(source) => source.process(&mut work),
        };
        let stopped = work.stopped;
        self.buffer.consume(consumed);
        result?;
        Ok(stopped.unwrap_or(if end_of_input { Progress::Finished } else { Progress::NeedInput }))
    }

    /// How many records went where so far.
    #[must_use]
    pub fn counts(&self) -> RecordCounts {
        self.counts
    }

    /// Bytes of the object that are done with.
    #[must_use]
    pub fn consumed(&self) -> u64 {
        self.buffer.offset()
    }

    /// Skips a byte order mark; false while too little is there to tell.
    fn check_mark(&mut self, end_of_input: bool) -> bool {
        let unread = self.buffer.unread();
        if unread.starts_with(BYTE_ORDER_MARK) {
            self.buffer.consume(BYTE_ORDER_MARK.len());
            if let Source::Json(source) = &mut self.source {
                source.skip(BYTE_ORDER_MARK.len());
            }
        } else if !end_of_input && BYTE_ORDER_MARK.starts_with(unread) {
            return false;
        }
        self.mark_checked = true;
        true
    }
}

/// One call of `process`: the input it looks at, where its results go, and where it stands.
struct Work<'a> {
    input: &'a [u8],
    end_of_input: bool,
    offset: u64,
    lines: LineCounter,
    lines_counted_to: usize,
    counts: &'a mut RecordCounts,
    output: &'a mut Vec<u8>,
    output_target: usize,
    on_reject: &'a mut dyn FnMut(Reject<'_>) -> Flow,
    stopped: Option<Progress>,
}

impl Work<'_> {
    /// The position of a record that begins at an offset of the input. Lines are counted only when somebody asks.
    fn position(&mut self, start: usize, record: u64) -> Position {
        if start > self.lines_counted_to {
            self.lines.count(&self.input[self.lines_counted_to..start]);
            self.lines_counted_to = start;
        }
        Position { byte: self.offset + start as u64, line: self.lines.line(), record }
    }

    /// Accounts for a record that was shaped or refused.
    fn settle(&mut self, start: usize, end: usize, result: Result<Fate, Problem>) -> Flow {
        self.counts.read += 1;
        match result {
            Ok(Fate::Written) => {
                self.output.push(b'\n');
                self.counts.written += 1;
                self.go_on()
            }
            Ok(Fate::Exploded { written, filtered }) => {
                self.counts.exploded += (written + filtered).saturating_sub(1);
                self.counts.written += written;
                self.counts.filtered += filtered;
                self.go_on()
            }
            Ok(Fate::Filtered) => {
                self.counts.filtered += 1;
                Flow::Continue
            }
            Err(problem) => {
                self.counts.rejected += 1;
                let position = self.position(start, self.counts.read);
                let bytes = &self.input[start..end.min(self.input.len())];
                let flow = (self.on_reject)(Reject { problem: &problem, position, bytes });
                if flow == Flow::Stop {
                    self.stopped = Some(Progress::Stopped);
                }
                flow
            }
        }
    }

    /// Stops when the output has reached its target.
    #[inline]
    fn go_on(&mut self) -> Flow {
        if self.output.len() < self.output_target {
            return Flow::Continue;
        }
        self.stopped = Some(Progress::OutputFull);
        Flow::Stop
    }

    /// The error for a problem in the record, or between records, that begins at an offset of the input.
    fn error(&mut self, start: usize, problem: Problem) -> StreamError {
        let record = self.counts.read + 1;
        StreamError { problem, position: self.position(start.min(self.input.len()), record) }
    }
}

/// Refuses bytes that are not UTF-8.
fn check_utf8(record: &[u8]) -> Result<(), Problem> {
    if simdutf8::basic::from_utf8(record).is_ok() {
        return Ok(());
    }
    let offset = std::str::from_utf8(record).map_or_else(|error| error.valid_up_to(), str::len);
    Err(Problem::InvalidUtf8 { offset })
}
