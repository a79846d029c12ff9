//! Where a record lies in its object.

use std::fmt;

/// The start of a record in the expanded bytes of an object; where it is not UTF-8, in the UTF-8 that it becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Position {
    /// Offset of the first byte, from 0, after decompression.
    pub byte: u64,
    /// Line of the first byte, from 1; lines end with `\n`, in CSV also with `\r\n` or `\r`.
    pub line: u64,
    /// Number of the record, from 1; header rows, comments and blank lines are not records.
    pub record: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "record {} (line {}, byte {})", self.record, self.line, self.byte)
    }
}
