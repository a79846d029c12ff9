//! The way in for a range of an object's bytes: the records that begin in it, and no others.
//!
//! A range can be processed on its own where every record is a line: NDJSON, and CSV that says so
//! (`source.csv.multiline: false`). What stands in front of the records, the header of a CSV object above all, is read from
//! the object's beginning; then reading goes on at the range, where [`LineRange`] tells which lines belong to it.

use super::Run;
use super::beginning::{Beginning, PEEK_BYTES, stream};
use super::input::{Chunks, Input, Reader};
use crate::event::ItemRange;
use crate::item_error::ItemError;
use futures::{StreamExt, TryStreamExt};
use object_store::{Body, Compression, ErrorClass, Expander, ObjectAddress, ResumingReader};
use record_stream::{
    Checkpoint, CsvHeader, Flow, LineEnds, LineRange, Progress, RecordFormat, RecordStream, StreamOptions, TextEncoding,
};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Opens the range of an object that was opened at its beginning; `left` says where an earlier invocation left the range.
pub(super) async fn open(
    run: &Run,
    source: &ObjectAddress,
    reader: ResumingReader,
    overlaps: bool,
    range: ItemRange,
    left: Option<&Checkpoint>,
    retries: &Arc<AtomicU64>,
) -> Result<Input, ItemError> {
    let (beginning, body) = Beginning::look(run, source, reader).await?;
    if beginning.compression != Compression::None {
        return Err(impossible("an object that is not compressed"));
    }
    let options = beginning.options(&beginning.first)?;
    let line_ends = line_ends(&options)?;
    let has_mark = beginning.first.starts_with(BYTE_ORDER_MARK);
    let front = Front::read(&options, body).await?;
    let begin = range.start.max(front.records_begin);
    let lines = LineRange::new(left.map_or(begin, |left| left.byte), range.end, line_ends);
    let body = if lines.is_done() {
        futures::stream::empty().boxed()
    } else {
        beginning.body_from(lines.read_from(), retries).await?
    };
    let expander = Expander::new(body, Compression::None, beginning.expansion_limits(), source.clone());
    let mut reader = Reader::of_lines(expander, lines, begin);
    let chunk = reader.fill(vec![0; PEEK_BYTES]).await;
    let counts = (chunk.compressed, chunk.expanded);
    let (mut first, length) = (chunk.buffer, chunk.filled?);
    first.truncate(length);
    let mut first_byte = reader.first_line().unwrap_or(begin);
    if first_byte == 0 && has_mark {
        first.drain(..BYTE_ORDER_MARK.len().min(length));
        first_byte = BYTE_ORDER_MARK.len() as u64;
    }
    let checkpoint = left.cloned().or_else(|| front.checkpoint.map(|checkpoint| checkpoint.moved_to(first_byte)));
    // Without a checkpoint there is nothing in the object that could be a record.
    let stream = stream(&options, checkpoint.as_ref())?;
    let chunks = Chunks::new(reader, overlaps && length > 0, counts);
    Ok(Input { stream, first, first_byte, chunks })
}

/// What ends the lines that are the records.
fn line_ends(options: &StreamOptions) -> Result<LineEnds, ItemError> {
    if options.encoding != TextEncoding::Utf8 {
        return Err(impossible("source.encoding: utf-8"));
    }
    match &options.format {
        RecordFormat::NdJson => Ok(LineEnds::LineFeed),
        RecordFormat::Csv(dialect) if !dialect.multiline => Ok(LineEnds::Any),
        RecordFormat::Csv(_) => Err(impossible("source.csv.multiline: false")),
        RecordFormat::Json(_) => Err(impossible("NDJSON or CSV, with one record a line")),
    }
}

fn impossible(expected: &str) -> ItemError {
    let message = format!("expected {expected} for an item with a Range; give the whole object as an item");
    ItemError::new(ErrorClass::Configuration, "range_not_possible", message)
}

/// What stands in front of the records.
struct Front {
    /// The framing behind it; none if the object ends before a record could begin.
    checkpoint: Option<Checkpoint>,
    /// Where the first record may begin.
    records_begin: u64,
}

impl Front {
    /// Reads lines from the beginning of the object until its framing is known. The header's own limit ends a long search.
    async fn read(options: &StreamOptions, mut body: Body) -> Result<Self, ItemError> {
        let has_header = matches!(&options.format, RecordFormat::Csv(dialect) if dialect.header == CsvHeader::FirstRow);
        let mut stream = RecordStream::new(options);
        let mut position = 0;
        while let Some(chunk) = body.try_next().await? {
            for line in chunk.split_inclusive(|byte| matches!(byte, b'\n' | b'\r')) {
                stream.fill(line);
                Self::process(&mut stream, false)?;
                if let Some(checkpoint) = stream.checkpoint() {
                    let records_begin = if has_header { checkpoint.byte } else { position };
                    return Ok(Self { checkpoint: Some(checkpoint), records_begin });
                }
                position += line.len() as u64;
            }
        }
        Self::process(&mut stream, true)?;
        let records_begin = if has_header { stream.consumed() } else { 0 };
        Ok(Self { checkpoint: stream.checkpoint(), records_begin })
    }

    /// What comes of records here is thrown away: those of the range are read again.
    fn process(stream: &mut RecordStream, is_end: bool) -> Result<(), ItemError> {
        let mut lines = Vec::new();
        loop {
            lines.clear();
            match stream.process(is_end, &mut lines, 1, &mut |_| Flow::Continue)? {
                Progress::NeedInput | Progress::Finished => return Ok(()),
                Progress::OutputFull | Progress::Stopped => {}
            }
        }
    }
}
