//! CSV objects in a stream.
//!
//! Two ways lead to a row. The index (`csv::index`) finds all well-formed rows of a window at once; the scanner
//! (`csv::scanner`) takes one record at a time and knows everything: headers, comments, odd quotes, records that are too
//! long, records that end in a later chunk. The index is asked first wherever a record begins.

use super::{StreamOptions, Work, check_utf8};
use crate::checkpoint::Framing;
use crate::csv::{
    CsvDialect, CsvHeader, CsvIndex, CsvScanner, FieldSpan, IndexedRow, Quoting, RaggedRows, Scan, column_names,
    numbered,
};
use crate::error::{Problem, StreamError};
use crate::frame::Flow;
use crate::limits::RecordLimits;
use crate::reshape::{CsvShaper, Fate, Reshape, Row};

#[derive(Debug)]
pub(super) struct CsvSource {
    scanner: CsvScanner,
    index: Option<Indexed>,
    dialect: CsvDialect,
    limits: RecordLimits,
    reshape: Reshape,
    /// Known from the first record on.
    columns: Vec<Vec<u8>>,
    /// Compiled once the columns are known.
    shaper: Option<CsvShaper>,
}

/// The index, and what its window is.
#[derive(Debug)]
struct Indexed {
    rows: CsvIndex,
    fields: Vec<FieldSpan>,
    /// Offset in the object of the next row that the index knows of.
    next_row: u64,
    /// Offset in the object up to which the window is known to be UTF-8.
    utf8_until: u64,
}

/// A problem that ends the object, and where the record begins in the input.
type Failure = (usize, Problem);

impl CsvSource {
    pub(super) fn new(dialect: &CsvDialect, options: &StreamOptions) -> Self {
        let limits = options.limits;
        let first_limit = match dialect.header {
            CsvHeader::FirstRow => limits.header_bytes,
            CsvHeader::None | CsvHeader::Given(_) => limits.record_bytes,
        };
        let index = CsvIndex::new(dialect, limits.fields);
        Self {
            scanner: CsvScanner::new(dialect, first_limit, limits.fields),
            index: index.map(|rows| Indexed { rows, fields: Vec::new(), next_row: u64::MAX, utf8_until: 0 }),
            dialect: dialect.clone(),
            limits,
            reshape: options.reshape.clone(),
            columns: Vec::new(),
            shaper: None,
        }
    }

    /// A source that goes on between two rows.
    pub(super) fn resume(dialect: &CsvDialect, options: &StreamOptions, framing: &Framing) -> Result<Self, Problem> {
        let Framing::Csv { columns, in_comment } = framing else { return Err(Problem::CheckpointMismatch) };
        let mut source = Self::new(dialect, options);
        source.begin_rows(columns.iter().map(|name| name.clone().into_bytes()).collect())?;
        source.scanner.resume(*in_comment);
        Ok(source)
    }

    pub(super) fn checkpoint(&self) -> Option<Framing> {
        let columns = self.columns.iter().map(|name| String::from_utf8(name.clone()).ok());
        let columns = columns.collect::<Option<Vec<String>>>()?;
        let in_comment = self.scanner.checkpoint()?;
        self.shaper.is_some().then_some(Framing::Csv { columns, in_comment })
    }

    /// Compiles the rules for these columns.
    fn begin_rows(&mut self, columns: Vec<Vec<u8>>) -> Result<(), Problem> {
        let quoting = Quoting { quote: self.dialect.quote, escape: self.dialect.escape };
        self.shaper = Some(CsvShaper::new(&self.reshape, &columns, quoting, self.limits)?);
        self.columns = columns;
        self.scanner.set_limit(self.limits.record_bytes);
        Ok(())
    }

    /// Works through the input; answers the bytes consumed.
    pub(super) fn process(&mut self, work: &mut Work<'_>) -> (usize, Result<(), StreamError>) {
        let mut at = 0;
        loop {
            let flow = match self.indexed_rows(work, &mut at) {
                Ok(Flow::Continue) => self.scanned_record(work, &mut at),
                stopped => stopped.map(Some),
            };
            match flow {
                Ok(Some(Flow::Continue)) => {}
                Ok(Some(Flow::Stop) | None) => return (at, Ok(())),
                Err((start, problem)) => return (at, Err(work.error(start, problem))),
            }
        }
    }

    /// Takes rows from the index as long as it has some, where a record begins.
    fn indexed_rows(&mut self, work: &mut Work<'_>, at: &mut usize) -> Result<Flow, Failure> {
        let (Some(index), Some(shaper)) = (&mut self.index, &mut self.shaper) else { return Ok(Flow::Continue) };
        if !self.scanner.is_between_records() {
            return Ok(Flow::Continue);
        }
        if index.next_row != work.offset + *at as u64 {
            index.begin_window(work, *at);
        }
        loop {
            match index.rows.next(work.input, *at, self.limits.record_bytes, &mut index.fields) {
                IndexedRow::Row { start, end } => {
                    *at = end + 1;
                    index.next_row = work.offset + *at as u64;
                    let is_utf8 = index.next_row <= index.utf8_until;
                    let row = Row { text: &work.input[start..], length: end - start, fields: &index.fields };
                    let result = shape(shaper, self.dialect.ragged, row, is_utf8, work.output);
                    if settle(work, self.dialect.ragged, start, end, result)? == Flow::Stop {
                        return Ok(Flow::Stop);
                    }
                }
                IndexedRow::End { next, look_on: true } => {
                    *at = next;
                    index.begin_window(work, next);
                }
                IndexedRow::End { next, look_on: false } => {
                    *at = next;
                    index.next_row = u64::MAX;
                    return Ok(Flow::Continue);
                }
            }
        }
    }

    /// Lets the scanner look for one record; `None` when it needs more input.
    fn scanned_record(&mut self, work: &mut Work<'_>, at: &mut usize) -> Result<Option<Flow>, Failure> {
        let start = *at;
        let flow = match self.scanner.scan(&work.input[start..], work.end_of_input) {
            Scan::NeedMore => return Ok(None),
            Scan::Nothing { next } => {
                *at += next;
                Flow::Continue
            }
            Scan::Record { length, next } => {
                *at += next;
                self.record(work, start, start + length)?
            }
            Scan::TooLong { .. } | Scan::OpenQuoteTooLong if self.expects_header() => {
                return Err((start, Problem::HeaderTooLarge { limit: self.limits.header_bytes }));
            }
            Scan::TooLong { next } => {
                *at += next;
                work.settle(start, *at, Err(Problem::RecordTooLarge { limit: self.limits.record_bytes }))
            }
            Scan::OpenQuote { .. } if self.expects_header() => return Err((start, Problem::QuoteOpenAtLineEnd)),
            Scan::OpenQuote { length, next } => {
                *at += next;
                work.settle(start, start + length, Err(Problem::QuoteOpenAtLineEnd))
            }
            Scan::OpenQuoteTooLong => {
                return Err((start, Problem::OpenQuoteTooLarge { limit: self.limits.record_bytes }));
            }
            Scan::UnclosedQuote => return Err((start, Problem::UnclosedQuote)),
        };
        Ok(Some(flow))
    }

    fn expects_header(&self) -> bool {
        self.shaper.is_none() && self.dialect.header == CsvHeader::FirstRow
    }

    /// A record of the scanner lies at `start..end` of the input: the header, or a row.
    fn record(&mut self, work: &mut Work<'_>, start: usize, end: usize) -> Result<Flow, Failure> {
        let bytes = &work.input[start..end];
        let expects_header = self.expects_header();
        if self.shaper.is_none() {
            let begun = self.column_names(bytes).and_then(|columns| self.begin_rows(columns));
            begun.map_err(|problem| (start, problem))?;
        }
        let Some(shaper) = self.shaper.as_mut().filter(|_| !expects_header) else { return Ok(Flow::Continue) };
        let row = Row { text: &work.input[start..], length: end - start, fields: self.scanner.fields() };
        let result = if self.scanner.field_count() > self.limits.fields {
            check_utf8(bytes).and(Err(Problem::TooManyFields { limit: self.limits.fields }))
        } else {
            shape(shaper, self.dialect.ragged, row, false, work.output)
        };
        settle(work, self.dialect.ragged, start, end, result)
    }

    fn column_names(&self, first_record: &[u8]) -> Result<Vec<Vec<u8>>, Problem> {
        let count = self.scanner.field_count();
        let gives_names = matches!(self.dialect.header, CsvHeader::Given(_));
        if count > self.limits.fields && !gives_names {
            return Err(Problem::TooManyFields { limit: self.limits.fields });
        }
        match &self.dialect.header {
            CsvHeader::FirstRow => {
                check_utf8(first_record)?;
                column_names(first_record, self.scanner.fields(), &self.dialect)
            }
            CsvHeader::None => Ok((0..count).map(numbered).collect()),
            CsvHeader::Given(names) => Ok(names.iter().map(|name| name.clone().into_bytes()).collect()),
        }
    }
}

impl Indexed {
    /// Indexes the input from `at` on, and checks once whether all of it is UTF-8.
    fn begin_window(&mut self, work: &Work<'_>, at: usize) {
        let length = self.rows.build(&work.input[at..]);
        self.next_row = work.offset + at as u64;
        // The window may cut a character, but no record ends behind its last line break.
        let lines = memchr::memrchr2(b'\n', b'\r', &work.input[at..at + length]).map_or(0, |end| end + 1);
        let is_utf8 = simdutf8::basic::from_utf8(&work.input[at..at + lines]).is_ok();
        self.utf8_until = self.next_row + if is_utf8 { lines as u64 } else { 0 };
    }
}

/// Checks and shapes a row.
#[inline]
fn shape(
    shaper: &mut CsvShaper,
    ragged: RaggedRows,
    row: Row<'_>,
    is_utf8: bool,
    output: &mut Vec<u8>,
) -> Result<Fate, Problem> {
    if !is_utf8 {
        check_utf8(row.bytes())?;
    }
    let (expected, found) = (shaper.columns(), row.fields.len());
    let is_padded = found < expected && ragged == RaggedRows::Pad;
    if found != expected && !is_padded {
        return Err(Problem::RaggedRow { expected, found });
    }
    shaper.shape(row, output)
}

/// Accounts for a row; a ragged one may end the object.
#[inline]
fn settle(
    work: &mut Work<'_>,
    ragged: RaggedRows,
    start: usize,
    end: usize,
    result: Result<Fate, Problem>,
) -> Result<Flow, Failure> {
    match result {
        Err(problem @ Problem::RaggedRow { .. }) if ragged == RaggedRows::Fail => Err((start, problem)),
        result => Ok(work.settle(start, end, result)),
    }
}
