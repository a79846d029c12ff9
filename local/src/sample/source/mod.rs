//! The file to draw records from, in memory, with the place of every record in it.

mod csv_rows;
mod json_elements;
mod lines;

use std::path::Path;

use super::error::SampleError;
use super::{MAX_SOURCE_BYTES, MAX_SOURCE_RECORDS};
use crate::bounded_file;

/// The byte order mark that some programs put in front of UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Where a record is in the file. Files are limited to less than 4 GiB, so half the memory of a `Range` will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    start: u32,
    end: u32,
}

/// What stands around and between the records of an object.
pub(super) struct Frame<'a> {
    pub(super) before: &'a [u8],
    pub(super) between: &'static [u8],
    pub(super) after: &'static [u8],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Csv,
    Lines,
    Json,
}

/// A file and its records; there is at least one.
pub(super) struct Source {
    bytes: Vec<u8>,
    records: Vec<Span>,
    /// What every object begins with: for CSV the header row and a line feed.
    before: Vec<u8>,
    format: Format,
    extension: &'static str,
}

impl Source {
    /// Reads the file and finds its records.
    pub(super) fn open(path: &Path, delimiter: Option<u8>) -> Result<Self, SampleError> {
        let extension = path.extension().and_then(|extension| extension.to_str()).map(str::to_ascii_lowercase);
        let (format, extension) = match extension.as_deref() {
            Some("csv") => (Format::Csv, "csv"),
            Some("tsv") => (Format::Csv, "tsv"),
            Some("ndjson") => (Format::Lines, "ndjson"),
            Some("jsonl") => (Format::Lines, "jsonl"),
            Some("json") => (Format::Json, "json"),
            _ => return Err(SampleError::UnknownFormat { path: path.to_owned() }),
        };
        let mut bytes = bounded_file::read(path, MAX_SOURCE_BYTES)?;
        if bytes.starts_with(BYTE_ORDER_MARK) {
            bytes.drain(..BYTE_ORDER_MARK.len());
        }
        let (before, records) = match format {
            Format::Csv => {
                let default = if extension == "tsv" { b'\t' } else { b',' };
                csv_rows::find(path, &bytes, delimiter.unwrap_or(default))?
            }
            Format::Lines => (Vec::new(), lines::find(path, &bytes)?),
            Format::Json => (b"[\n".to_vec(), json_elements::find(path, &bytes)?),
        };
        Ok(Self { bytes, records, before, format, extension })
    }

    /// The extension objects of this format have.
    pub(super) fn extension(&self) -> &'static str {
        self.extension
    }

    /// Number of records, never zero.
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// The bytes of a record without the line end behind it.
    pub(super) fn record(&self, number: usize) -> &[u8] {
        let span = self.records.get(number);
        span.and_then(|span| self.bytes.get(span.start as usize..span.end as usize)).unwrap_or_default()
    }

    pub(super) fn frame(&self) -> Frame<'_> {
        match self.format {
            Format::Csv | Format::Lines => Frame { before: &self.before, between: b"\n", after: b"\n" },
            Format::Json => Frame { before: &self.before, between: b",\n", after: b"\n]\n" },
        }
    }
}

/// The records found so far, limited in number.
struct Found<'a> {
    path: &'a Path,
    spans: Vec<Span>,
}

impl<'a> Found<'a> {
    fn new(path: &'a Path) -> Self {
        Self { path, spans: Vec::new() }
    }

    fn add(&mut self, start: usize, end: usize) -> Result<(), SampleError> {
        let (Ok(start), Ok(end)) = (u32::try_from(start), u32::try_from(end)) else {
            return Err(SampleError::TooManyRecords { path: self.path.to_owned() });
        };
        if self.spans.len() == MAX_SOURCE_RECORDS {
            return Err(SampleError::TooManyRecords { path: self.path.to_owned() });
        }
        self.spans.push(Span { start, end });
        Ok(())
    }

    fn finish(self, expected: &'static str) -> Result<Vec<Span>, SampleError> {
        if self.spans.is_empty() {
            return Err(SampleError::NoRecords { path: self.path.to_owned(), expected });
        }
        Ok(self.spans)
    }
}

/// The text of a JSON file.
fn utf8<'a>(path: &Path, bytes: &'a [u8], format: &'static str) -> Result<&'a str, SampleError> {
    std::str::from_utf8(bytes).map_err(|error| SampleError::Malformed {
        path: path.to_owned(),
        format,
        reason: format!("byte {} is not UTF-8", error.valid_up_to()),
    })
}
