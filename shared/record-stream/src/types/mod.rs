//! Types of fields: what a value must be, and how it is written.
//!
//! `record.types` checks: a value must be of its type already, or be a text that spells it (`cast`). `record.cast`
//! converts: a value of another type becomes one of the wanted type where that is possible without loss (`convert`).
//! Both go by a [`TypeRule`]. Numbers stay text from end to end and never pass through floating point.

mod cast;
mod convert;
mod decimal;
mod number;
mod short;
mod time;

pub(crate) use cast::{cast_json, cast_text};
pub(crate) use convert::convert;
pub(crate) use decimal::{Decimal, compare_decimals};
pub(crate) use short::compare_short;
pub use time::TimeFormats;

use std::fmt;

/// The type of a field, with what only dates and timestamps need: how they are written in the source.
#[derive(Debug, Clone, PartialEq)]
pub struct TypeRule {
    /// The type.
    pub field_type: FieldType,
    /// How text and numbers are read as times; of no meaning for other types.
    pub times: TimeFormats,
}

impl From<FieldType> for TypeRule {
    /// The type with times as RFC 3339 has them.
    fn from(field_type: FieldType) -> Self {
        Self { field_type, times: TimeFormats::default() }
    }
}

/// The type that `record.types` demands of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FieldType {
    /// Text. Numbers and booleans become the text they are written as.
    String,
    /// A whole number of any size.
    Integer,
    /// A number, also with an exponent.
    Float,
    /// A number without exponent, digit for digit.
    Decimal,
    /// `true` or `false`.
    Boolean,
    /// A calendar day; written as `YYYY-MM-DD`.
    Date,
    /// A point in time; written as RFC 3339 in UTC.
    Timestamp,
    /// Any JSON value; text is read as JSON.
    Json,
}

impl FieldType {
    /// All types.
    pub const ALL: [Self; 8] = [
        Self::String,
        Self::Integer,
        Self::Float,
        Self::Decimal,
        Self::Boolean,
        Self::Date,
        Self::Timestamp,
        Self::Json,
    ];
}

impl fmt::Display for FieldType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::String => "string",
            Self::Integer => "integer",
            Self::Float => "float",
            Self::Decimal => "decimal",
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::Timestamp => "timestamp",
            Self::Json => "json",
        })
    }
}
