//! Where a stream stands between two records, so that another stream can go on from there.
//!
//! A checkpoint is small: the offset of the next record, the line, the counts so far, and what the framing must remember
//! (the column names of a CSV object, the brackets that are open around an array of records). It holds nothing of a
//! record. A stream that begins from it gives exactly the records, positions, problems and counts that the first stream
//! would have given from there on.

use crate::error::Problem;
use crate::limits::RecordLimits;
use crate::stream::RecordCounts;
use serde::{Deserialize, Serialize};

/// The state of a [`crate::RecordStream`] between two records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Offset of the next record in the text of the object, as in [`crate::Position::byte`].
    pub byte: u64,
    /// The line at that offset, from 1.
    pub line: u64,
    /// The byte before it was `\r`, whose line a `\n` would belong to.
    pub(crate) after_return: bool,
    /// The records before it.
    pub counts: RecordCounts,
    pub(crate) framing: Framing,
}

impl Checkpoint {
    /// The same framing at another place, which must be the beginning of a line: for reading a part of an object on its
    /// own. Lines and records are counted from there.
    #[must_use]
    pub fn moved_to(self, byte: u64) -> Self {
        Self { byte, line: 1, after_return: false, counts: RecordCounts::default(), ..self }
    }

    /// Refuses what no stream with these limits can have written.
    pub(crate) fn check(&self, limits: &RecordLimits) -> Result<(), Problem> {
        let is_possible = match &self.framing {
            Framing::Lines | Framing::Values => true,
            Framing::Array(place) => place.levels.len() <= limits.depth && place.matched <= place.levels.len(),
            Framing::Csv { columns, .. } => columns.len() <= limits.fields,
        };
        if is_possible { Ok(()) } else { Err(Problem::CheckpointMismatch) }
    }
}

/// What a framing remembers between two records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Framing {
    /// NDJSON: nothing.
    Lines,
    /// JSON values one after another: nothing.
    Values,
    /// Inside the array that holds the records.
    Array(ArrayPlace),
    /// Rows of CSV.
    Csv {
        /// The names of the columns.
        columns: Vec<String>,
        /// A comment was begun and its line has not ended yet.
        in_comment: bool,
    },
}

/// A place between two elements of the array that holds the records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ArrayPlace {
    pub(crate) expects: ArrayExpects,
    /// The brackets around the elements, outermost first.
    pub(crate) levels: Vec<ArrayLevel>,
    /// How many of them stand at the entry that the pointer names.
    pub(crate) matched: usize,
}

/// What may come next in the array.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ArrayExpects {
    FirstElementOrEnd,
    Element,
    CommaOrEnd,
}

/// An open bracket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ArrayLevel {
    pub(crate) is_object: bool,
    /// Index of the element being read.
    pub(crate) index: usize,
}
