//! The rows of a CSV file: the `csv` crate finds where they begin, the bytes are used as they are.

use std::path::Path;

use super::{Found, Span};
use crate::sample::error::SampleError;

/// The header row with a line feed behind, and the rows.
pub(super) fn find(path: &Path, bytes: &[u8], delimiter: u8) -> Result<(Vec<u8>, Vec<Span>), SampleError> {
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).from_reader(bytes);
    let mut record = csv::ByteRecord::new();
    let mut found = Found::new(path);
    let mut header = None;
    let mut start = None;
    loop {
        let more = reader.read_byte_record(&mut record).map_err(|error| SampleError::Malformed {
            path: path.to_owned(),
            format: "CSV",
            reason: error.to_string(),
        })?;
        let next = match record.position().filter(|_| more) {
            Some(position) => usize::try_from(position.byte()).unwrap_or(bytes.len()),
            None => bytes.len(),
        };
        if let Some(begun) = start {
            let (from, to) = trim_line_ends(bytes, begun, next);
            let row = bytes.get(from..to).unwrap_or_default();
            if !more && has_open_quote(row) {
                return Err(SampleError::Malformed {
                    path: path.to_owned(),
                    format: "CSV",
                    reason: format!("a quote in the row that begins at byte {from} is never closed"),
                });
            }
            match &header {
                None => header = Some([row, b"\n"].concat()),
                Some(_) => found.add(from, to)?,
            }
        }
        if !more {
            break;
        }
        start = Some(next);
    }
    let rows = found.finish("expected a header row and at least one row below it")?;
    Ok((header.unwrap_or_default(), rows))
}

/// Leaves out the line ends around a row. Those inside of quotes are within the row, never at its edge.
fn trim_line_ends(bytes: &[u8], mut from: usize, mut to: usize) -> (usize, usize) {
    let is_line_end = |position: usize| matches!(bytes.get(position), Some(b'\r' | b'\n'));
    while from < to && is_line_end(from) {
        from += 1;
    }
    while from < to && is_line_end(to - 1) {
        to -= 1;
    }
    (from, to)
}

/// Whether the last row swallowed the rest of the file: it goes over several lines and its quotes do not pair up.
fn has_open_quote(row: &[u8]) -> bool {
    row.contains(&b'\n') && row.iter().filter(|byte| **byte == b'"').count() % 2 == 1
}
