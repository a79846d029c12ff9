//! CSV objects in a stream.

use super::{StreamOptions, Work, check_utf8};
use crate::csv::{CsvDialect, CsvHeader, CsvScanner, RaggedRows, Scan, column_names, numbered};
use crate::error::{Problem, StreamError};
use crate::frame::Flow;
use crate::limits::RecordLimits;
use crate::reshape::{CsvShaper, Fate, Reshape, Row};

#[derive(Debug)]
pub(super) struct CsvSource {
    scanner: CsvScanner,
    dialect: CsvDialect,
    limits: RecordLimits,
    reshape: Reshape,
    /// Compiled once the columns are known.
    shaper: Option<CsvShaper>,
}

impl CsvSource {
    pub(super) fn new(dialect: &CsvDialect, options: &StreamOptions) -> Self {
        let limits = options.limits;
        let first_limit = match dialect.header {
            CsvHeader::FirstRow => limits.header_bytes,
            CsvHeader::None | CsvHeader::Given(_) => limits.record_bytes,
        };
        Self {
            scanner: CsvScanner::new(dialect, first_limit, limits.fields),
            dialect: dialect.clone(),
            limits,
            reshape: options.reshape.clone(),
            shaper: None,
        }
    }

    /// Works through the input; answers the bytes consumed.
    pub(super) fn process(&mut self, work: &mut Work<'_>) -> (usize, Result<(), StreamError>) {
        let mut at = 0;
        loop {
            let flow = match self.scanner.scan(&work.input[at..], work.end_of_input) {
                Scan::NeedMore => return (at, Ok(())),
                Scan::Nothing { next } => {
                    at += next;
                    continue;
                }
                Scan::Record { length, next } => {
                    let start = at;
                    at += next;
                    self.record(work, start, start + length)
                }
                Scan::TooLong { .. } | Scan::OpenQuoteTooLong if self.expects_header() => {
                    Err(Problem::HeaderTooLarge { limit: self.limits.header_bytes }).map_err(|problem| (at, problem))
                }
                Scan::TooLong { next } => {
                    let start = at;
                    at += next;
                    let problem = Problem::RecordTooLarge { limit: self.limits.record_bytes };
                    Ok(work.settle(start, at, Err(problem)))
                }
                Scan::OpenQuoteTooLong => Err((at, Problem::OpenQuoteTooLarge { limit: self.limits.record_bytes })),
                Scan::UnclosedQuote => Err((at, Problem::UnclosedQuote)),
            };
            match flow {
                Ok(Flow::Continue) => {}
                Ok(Flow::Stop) => return (at, Ok(())),
                Err((start, problem)) => return (at, Err(work.error(start, problem))),
            }
        }
    }

    fn expects_header(&self) -> bool {
        self.shaper.is_none() && self.dialect.header == CsvHeader::FirstRow
    }

    /// A record lies at `start..end` of the input: the header, or a row.
    fn record(&mut self, work: &mut Work<'_>, start: usize, end: usize) -> Result<Flow, (usize, Problem)> {
        let bytes = &work.input[start..end];
        let expects_header = self.expects_header();
        if self.shaper.is_none() {
            let columns = self.columns(bytes).map_err(|problem| (start, problem))?;
            let shaper = CsvShaper::new(&self.reshape, &columns, self.dialect.quote, self.limits);
            self.shaper = Some(shaper.map_err(|problem| (start, problem))?);
            self.scanner.set_limit(self.limits.record_bytes);
        }
        if expects_header {
            return Ok(Flow::Continue);
        }
        match self.row(bytes, work.output) {
            Err(problem @ Problem::RaggedRow { .. }) if self.dialect.ragged == RaggedRows::Fail => {
                Err((start, problem))
            }
            result => Ok(work.settle(start, end, result)),
        }
    }

    fn columns(&self, first_record: &[u8]) -> Result<Vec<Vec<u8>>, Problem> {
        let count = self.scanner.field_count();
        if count > self.limits.fields {
            return Err(Problem::TooManyFields { limit: self.limits.fields });
        }
        match &self.dialect.header {
            CsvHeader::FirstRow => {
                check_utf8(first_record)?;
                column_names(first_record, self.scanner.fields(), self.dialect.quote)
            }
            CsvHeader::None => Ok((0..count).map(numbered).collect()),
            CsvHeader::Given(names) => Ok(names.iter().map(|name| name.clone().into_bytes()).collect()),
        }
    }

    fn row(&mut self, bytes: &[u8], output: &mut Vec<u8>) -> Result<Fate, Problem> {
        check_utf8(bytes)?;
        let found = self.scanner.field_count();
        if found > self.limits.fields {
            return Err(Problem::TooManyFields { limit: self.limits.fields });
        }
        let Some(shaper) = &mut self.shaper else { return Ok(Fate::Filtered) };
        let expected = shaper.columns();
        let is_padded = found < expected && self.dialect.ragged == RaggedRows::Pad;
        if found != expected && !is_padded {
            return Err(Problem::RaggedRow { expected, found });
        }
        shaper.shape(Row { bytes, fields: self.scanner.fields() }, output)
    }
}
