//! CSV: RFC 4180 and its usual bends.
//!
//! The scanner frames a record and finds its fields in the same pass, byte by byte. It agrees with the `csv` crate on
//! what a record is; where that crate reads on silently (a quote that is never closed, a record without end) it reports a
//! problem. The index finds many well-formed rows at once and leaves everything odd to the scanner.

mod dialect;
mod field;
mod header;
mod index;
mod scanner;

pub use dialect::{CsvDialect, CsvHeader, DuplicateNames, EmptyNames, RaggedRows};

pub(crate) use field::{FieldSpan, Form, Quoting};
pub(crate) use header::{column_names, numbered};
pub(crate) use index::{CsvIndex, IndexedRow};
pub(crate) use scanner::{CsvScanner, Scan};
