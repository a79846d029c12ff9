//! Column types: what a value must be, and how it is written.

mod cast;
mod decimal;

pub(crate) use cast::{cast_json, cast_text};
pub(crate) use decimal::{Decimal, compare_decimals};

use std::fmt;

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
    /// A calendar day, `YYYY-MM-DD`.
    Date,
    /// A point in time, RFC 3339 with an offset; written in UTC.
    Timestamp,
    /// Any JSON value; text is read as JSON.
    Json,
}

impl fmt::Display for FieldType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::String => "string",
            Self::Integer => "integer",
            Self::Float => "float",
            Self::Decimal => "decimal",
            Self::Boolean => "boolean",
            Self::Date => "date (YYYY-MM-DD)",
            Self::Timestamp => "timestamp (RFC 3339 with offset)",
            Self::Json => "json",
        })
    }
}
