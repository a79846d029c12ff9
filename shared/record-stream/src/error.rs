//! What can be wrong with a record or a stream of records.
//!
//! A [`Problem`] says what was expected and what was found, and never holds record contents. Its [`Problem::code`] is a
//! stable name for ledgers and metrics. The stream decides whether a problem rejects one record or ends the object.

use crate::position::Position;
use crate::types::FieldType;
use std::sync::Arc;

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A byte sequence is not UTF-8.
    #[error("expected UTF-8, found an invalid byte sequence at byte {offset} of the record")]
    InvalidUtf8 {
        /// Offset in the record.
        offset: usize,
    },
    /// The JSON grammar is broken.
    #[error("expected {expected} at byte {offset} of the record")]
    InvalidJson {
        /// What the grammar wants there.
        expected: &'static str,
        /// Offset in the record.
        offset: usize,
    },
    /// The JSON text around the records is broken.
    #[error("expected {expected} at byte {byte} of the object")]
    InvalidJsonStructure {
        /// What the grammar wants there.
        expected: &'static str,
        /// Offset in the object.
        byte: u64,
    },
    /// The object ended inside a record or inside the JSON text around the records.
    #[error("the object ends in the middle of {inside}")]
    UnexpectedEnd {
        /// What was not finished.
        inside: &'static str,
    },
    /// A checkpoint was made by a stream with other options.
    #[error("the checkpoint is not one of a stream with these options")]
    CheckpointMismatch,
    /// The object holds no JSON value.
    #[error("expected a JSON value, found an object without one")]
    NoJsonValue,
    /// `source.json.pointer` leads nowhere in this object.
    #[error("source.json.pointer leads to no value in this object")]
    PointerNotFound,
    /// `source.json.pointer` leads to something that is not an array.
    #[error("source.json.pointer must lead to an array, found {found}")]
    PointerNotAnArray {
        /// The kind of value found.
        found: &'static str,
    },
    /// A record is longer than allowed.
    #[error("the record is longer than limits.record_bytes ({limit} bytes)")]
    RecordTooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// A CSV record reached its limit inside a quoted field, so the start of the next record is unknown.
    #[error("a quoted field is still open at limits.record_bytes ({limit} bytes): a quote is probably missing")]
    OpenQuoteTooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// JSON nested too deep.
    #[error("nested deeper than limits.depth ({limit} levels) at byte {offset} of the record")]
    TooDeep {
        /// The limit in levels.
        limit: usize,
        /// Offset in the record.
        offset: usize,
    },
    /// JSON nested too deep in the text around the records.
    #[error("the JSON around the records is nested deeper than limits.depth ({limit} levels) at byte {byte}")]
    StructureTooDeep {
        /// The limit in levels.
        limit: usize,
        /// Offset in the object.
        byte: u64,
    },
    /// Too many columns or members.
    #[error("more than limits.fields ({limit}) fields")]
    TooManyFields {
        /// The limit.
        limit: usize,
    },
    /// Too many JSON values in one record.
    #[error("more than {limit} JSON values in one record, a fixed limit")]
    TooManyValues {
        /// The limit.
        limit: usize,
    },
    /// The header row of a CSV object is too long.
    #[error("the header row is longer than limits.header_bytes ({limit} bytes)")]
    HeaderTooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// Two columns have one name.
    #[error("columns {first} and {second} of the header have the same name")]
    DuplicateHeader {
        /// Number of the first column, from 1.
        first: usize,
        /// Number of the second column, from 1.
        second: usize,
    },
    /// A column has no name.
    #[error("column {column} of the header has no name")]
    EmptyHeader {
        /// Number of the column, from 1.
        column: usize,
    },
    /// A row has another number of fields than the header.
    #[error("expected {expected} fields as in the header, found {found}")]
    RaggedRow {
        /// Columns of the header.
        expected: usize,
        /// Fields of the row.
        found: usize,
    },
    /// The object ended inside a quoted field.
    #[error("a quoted field that begins in this record is never closed")]
    UnclosedQuote,
    /// A line ends inside a quoted field, in an object in which every line break ends a record.
    #[error("a quoted field is still open at the end of the line, and source.csv.multiline is false")]
    QuoteOpenAtLineEnd,
    /// The job names a column that the header does not have.
    #[error("{place} names the field `{field}`, which the header of this object does not have")]
    UnknownColumn {
        /// The part of the job file.
        place: &'static str,
        /// The field as the job file writes it.
        field: Arc<str>,
    },
    /// A value does not have the type that the job demands.
    #[error("field `{field}`: expected {expected}, found {found}")]
    TypeMismatch {
        /// The field as the job file writes it.
        field: Arc<str>,
        /// The type from `record.types`.
        expected: FieldType,
        /// A description of what was found, without the value.
        found: &'static str,
    },
    /// A record breaks a rule of `record.schema`.
    #[error("{}: breaks the schema's rule `{}` ({rule})", place(path), rule_name(rule))]
    SchemaViolation {
        /// Where in the record: a JSON pointer, empty for the record itself, cut to 256 characters.
        path: String,
        /// Where in the schema: the JSON pointer of the rule, cut to 256 characters.
        rule: String,
    },
    /// An object of the record has two members with one name.
    #[error("an object of the record has two members with one name, which source.json.duplicate_keys refuses")]
    DuplicateKey,
    /// What becomes of the record is longer than allowed.
    #[error("the record becomes more than limits.output_bytes ({limit} bytes) of output")]
    OutputTooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// An array with too many elements for a record of its size.
    #[error(
        "record.explode: the elements of the array times the bytes around it are more than 64 times \
         limits.output_bytes ({limit} bytes)"
    )]
    ExplodeTooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The job asks for something that CSV records cannot have.
    #[error("{place} needs JSON records, but this object is CSV")]
    NotForCsv {
        /// The part of the job file.
        place: &'static str,
    },
    /// A value cannot be converted to the type that the output must have.
    #[error("field `{field}`: cannot be made {wanted}, found {found}")]
    CastImpossible {
        /// The field as the job file writes it.
        field: Arc<str>,
        /// The type from `record.cast`.
        wanted: FieldType,
        /// A description of what was found, without the value.
        found: &'static str,
    },
    /// A record must be a JSON object for what the job does with it.
    #[error("expected a JSON object, found {found}: the job names fields, and only objects have them")]
    NotAnObject {
        /// The kind of value found.
        found: &'static str,
    },
}

impl Problem {
    /// The stable name of the problem.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::InvalidUtf8 { .. } => "invalid_utf8",
            Self::InvalidJson { .. } | Self::InvalidJsonStructure { .. } => "invalid_json",
            Self::UnexpectedEnd { .. } => "unexpected_end",
            Self::CheckpointMismatch => "checkpoint_mismatch",
            Self::NoJsonValue => "no_json_value",
            Self::PointerNotFound => "pointer_not_found",
            Self::PointerNotAnArray { .. } => "pointer_not_an_array",
            Self::RecordTooLarge { .. } | Self::OpenQuoteTooLarge { .. } => "record_too_large",
            Self::TooDeep { .. } | Self::StructureTooDeep { .. } => "too_deep",
            Self::TooManyFields { .. } => "too_many_fields",
            Self::TooManyValues { .. } => "too_many_values",
            Self::HeaderTooLarge { .. } => "header_too_large",
            Self::DuplicateHeader { .. } => "csv_duplicate_header",
            Self::EmptyHeader { .. } => "csv_empty_header",
            Self::RaggedRow { .. } => "csv_ragged_row",
            Self::UnclosedQuote => "csv_unclosed_quote",
            Self::QuoteOpenAtLineEnd => "csv_quote_open_at_line_end",
            Self::UnknownColumn { .. } => "unknown_field",
            Self::TypeMismatch { .. } => "type_mismatch",
            Self::SchemaViolation { .. } => "schema_violation",
            Self::CastImpossible { .. } => "cast_impossible",
            Self::DuplicateKey => "duplicate_key",
            Self::OutputTooLarge { .. } => "output_too_large",
            Self::ExplodeTooLarge { .. } => "explode_too_large",
            Self::NotForCsv { .. } => "not_for_csv",
            Self::NotAnObject { .. } => "not_an_object",
        }
    }

    /// True when a limit was passed, false when the data is wrong.
    #[must_use]
    pub fn is_limit(&self) -> bool {
        matches!(
            self,
            Self::RecordTooLarge { .. }
                | Self::OpenQuoteTooLarge { .. }
                | Self::TooDeep { .. }
                | Self::StructureTooDeep { .. }
                | Self::TooManyFields { .. }
                | Self::TooManyValues { .. }
                | Self::HeaderTooLarge { .. }
                | Self::OutputTooLarge { .. }
                | Self::ExplodeTooLarge { .. }
        )
    }

    /// True when the job asks for what this object cannot have.
    #[must_use]
    pub fn is_configuration(&self) -> bool {
        matches!(self, Self::NotForCsv { .. })
    }
}

fn place(path: &str) -> String {
    if path.is_empty() { "at the top of the record".to_owned() } else { format!("at `{path}`") }
}

/// The last name of a rule's pointer. A schema that is just `false` has none.
fn rule_name(rule: &str) -> &str {
    rule.rsplit_once('/').map_or("false", |(_, name)| name)
}

/// A problem after which the rest of the object cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{position}: {problem}")]
pub struct StreamError {
    /// What is wrong.
    pub problem: Problem,
    /// Where the record begins in which it was found.
    pub position: Position,
}
