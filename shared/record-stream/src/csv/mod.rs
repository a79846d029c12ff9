//! CSV: RFC 4180 and its usual bends.
//!
//! One scanner frames a record and finds its fields in the same pass. It agrees with the `csv` crate on what a record
//! is; where that crate reads on silently (a quote that is never closed, a record without end) it reports a problem.

mod dialect;
mod header;
mod scanner;

pub use dialect::{CsvDialect, CsvHeader, RaggedRows};

pub(crate) use header::{column_names, numbered};
pub(crate) use scanner::{CsvScanner, FieldSpan, Scan};
