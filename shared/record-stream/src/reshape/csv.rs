//! Reshaping CSV records to JSON lines.

use super::Fate;
use crate::condition::{CompiledCondition, Field};
use crate::copy::{Piece, append_short};
use crate::csv::{self, FieldSpan, Quoting};
use crate::error::Problem;
use crate::json::{Index, number_at, write_json_text};
use crate::limits::RecordLimits;
use crate::schema::Schema;
use crate::types::{FieldType, TypeRule, cast_text, convert};
use std::borrow::Cow;
use std::sync::Arc;

/// A specification compiled for the columns of one object.
#[derive(Debug)]
pub(crate) struct CsvShaper {
    pub(super) columns: usize,
    /// The type of each column, with the name for messages.
    pub(super) types: Vec<Option<(TypeRule, Arc<str>)>>,
    /// The type that each column has in the output.
    pub(super) casts: Vec<Option<(TypeRule, Arc<str>)>>,
    pub(super) schema: Option<SchemaOfRows>,
    pub(super) null_tokens: Vec<Vec<u8>>,
    /// A null token looks like a number.
    pub(super) number_may_be_null: bool,
    pub(super) condition: Option<CompiledCondition>,
    /// The fields written.
    pub(super) written: Vec<Written>,
    /// Typed columns that are checked but not written.
    pub(super) checked_only: Vec<usize>,
    /// The JSON members at the end: name with colon, and value.
    pub(super) constants: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) quoting: Quoting,
    pub(super) limits: RecordLimits,
    pub(super) scratch: Vec<u8>,
}

/// A field of the output.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) column: usize,
    pub(super) form: Form,
    /// What stands before the value: brace or comma, the name, and the opening quote of a text.
    pub(super) start: Piece,
}

/// What is written of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Its text.
    Text,
    /// What its type makes of it.
    Typed,
    /// What its cast makes of that.
    Cast,
}

/// A schema sees a row as the JSON object that its types make of it.
#[derive(Debug)]
pub(super) struct SchemaOfRows {
    pub(super) schema: Schema,
    pub(super) columns: Vec<Written>,
    pub(super) text: Vec<u8>,
    pub(super) index: Index,
    /// Those of a record, one level deeper for the object around the cells; at the ceiling of all depths there is none.
    pub(super) limits: RecordLimits,
}

/// One row: its bytes and where its fields lie. Columns beyond the last field are empty.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<'a> {
    /// The input from the row's first byte on. What comes after the row is there to be read too much and thrown away.
    pub(crate) text: &'a [u8],
    /// Length of the row in bytes.
    pub(crate) length: usize,
    pub(crate) fields: &'a [FieldSpan],
}

impl<'a> Row<'a> {
    pub(crate) fn bytes(&self) -> &'a [u8] {
        &self.text[..self.length]
    }
}

impl CsvShaper {
    /// Number of columns of the header.
    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    /// Writes what becomes of a row, without a line break at its end. Nothing is written unless it is `Written`.
    pub(crate) fn shape(&mut self, row: Row<'_>, output: &mut Vec<u8>) -> Result<Fate, Problem> {
        let start = output.len();
        let result = self.try_shape(row, output);
        if !matches!(result, Ok(Fate::Written)) {
            output.truncate(start);
        }
        result
    }

    fn try_shape(&mut self, row: Row<'_>, output: &mut Vec<u8>) -> Result<Fate, Problem> {
        let start = output.len();
        self.check_schema(row)?;
        let mut scratch = std::mem::take(&mut self.scratch);
        let keeps = self.keeps(row, &mut scratch);
        let checked = if keeps {
            self.check_types(row, self.checked_only.iter().copied(), &mut scratch)
        } else {
            self.check_types(row, 0..self.columns, &mut scratch)
        };
        let written =
            if checked.is_ok() && keeps { self.write(row, &self.written, &mut scratch, output) } else { checked };
        self.scratch = scratch;
        written?;
        if !keeps {
            return Ok(Fate::Filtered);
        }
        let mut separator = if self.written.is_empty() { b'{' } else { b',' };
        for (member, json) in &self.constants {
            output.push(separator);
            separator = b',';
            output.extend_from_slice(member);
            output.extend_from_slice(json);
        }
        if separator == b'{' {
            output.push(b'{');
        }
        output.push(b'}');
        let limit = self.limits.output_bytes;
        if output.len() - start > limit { Err(Problem::OutputTooLarge { limit }) } else { Ok(Fate::Written) }
    }

    fn check_schema(&mut self, row: Row<'_>) -> Result<(), Problem> {
        let Some(mut rows) = self.schema.take() else { return Ok(()) };
        rows.text.clear();
        let result = self.write(row, &rows.columns, &mut Vec::new(), &mut rows.text).and_then(|()| {
            rows.text.extend_from_slice(if rows.columns.is_empty() { b"{}" } else { b"}" });
            rows.index.build(&rows.text, &rows.limits)?;
            let has_repeated_names = rows.index.has_repeated_names(&rows.text);
            rows.schema.check(&rows.index.root(&rows.text), has_repeated_names)
        });
        self.schema = Some(rows);
        result
    }

    fn check_types(
        &self,
        row: Row<'_>,
        mut columns: impl Iterator<Item = usize>,
        scratch: &mut Vec<u8>,
    ) -> Result<(), Problem> {
        columns.try_for_each(|column| {
            scratch.clear();
            self.write_typed(row, column, scratch).map(|_| ())
        })
    }

    /// Writes columns as members, from the opening brace on.
    #[inline]
    fn write(
        &self,
        row: Row<'_>,
        columns: &[Written],
        scratch: &mut Vec<u8>,
        output: &mut Vec<u8>,
    ) -> Result<(), Problem> {
        let (start, limit) = (output.len(), self.limits.output_bytes);
        for field in columns {
            field.start.append_to(output);
            match field.form {
                Form::Text => {
                    match row.fields.get(field.column) {
                        Some(span) if span.form == csv::Form::Clean => append_short(output, row.text, span.range()),
                        Some(span) => write_json_text(&span.text(row.text, self.quoting), output),
                        None => {}
                    }
                    output.push(b'"');
                }
                Form::Typed => {
                    self.write_typed(row, field.column, output)?;
                }
                Form::Cast => self.write_cast(row, field.column, scratch, output)?,
            }
            // After each field, so that a row of many is never held whole in order to be refused.
            if output.len() - start > limit {
                return Err(Problem::OutputTooLarge { limit });
            }
        }
        Ok(())
    }

    fn write_cast(
        &self,
        row: Row<'_>,
        column: usize,
        scratch: &mut Vec<u8>,
        output: &mut Vec<u8>,
    ) -> Result<(), Problem> {
        let Some((rule, name)) = &self.casts[column] else { return Ok(()) };
        scratch.clear();
        let field = if self.write_typed(row, column, scratch)? {
            Field::of_json(scratch)
        } else {
            Field::Cell(self.text(row, column))
        };
        convert(&field, scratch, rule, &self.limits, output).map_err(|error| Problem::CastImpossible {
            field: name.clone(),
            wanted: rule.field_type,
            found: error.0,
        })
    }

    fn keeps(&self, row: Row<'_>, scratch: &mut Vec<u8>) -> bool {
        let Some(condition) = &self.condition else { return true };
        condition.holds(&mut |column, test| {
            scratch.clear();
            match self.write_typed(row, column, scratch) {
                Ok(true) => Field::of_json(scratch).passes(test),
                Ok(false) => Field::Cell(self.text(row, column)).passes(test),
                // The check of all types, which follows, rejects the row.
                Err(_) => false,
            }
        })
    }

    #[inline]
    fn text<'a>(&self, row: Row<'a>, column: usize) -> Cow<'a, [u8]> {
        row.fields.get(column).map_or(Cow::Borrowed(&[]), |field| field.text(row.text, self.quoting))
    }

    /// Writes a column that has a type; false when it has none.
    fn write_typed(&self, row: Row<'_>, column: usize, output: &mut Vec<u8>) -> Result<bool, Problem> {
        let Some((rule, name)) = &self.types[column] else { return Ok(false) };
        if self.copy_number(row, column, rule.field_type, output) {
            return Ok(true);
        }
        let text = self.text(row, column);
        if self.null_tokens.iter().any(|token| token.as_slice() == text.as_ref()) {
            output.extend_from_slice(b"null");
            return Ok(true);
        }
        cast_text(&text, rule, &self.limits, output).map_err(|error| Problem::TypeMismatch {
            field: name.clone(),
            expected: rule.field_type,
            found: error.0,
        })?;
        Ok(true)
    }

    /// Copies a number that JSON takes as it stands, which nearly every number of a file is; false when it is something
    /// else, or may be.
    #[inline]
    fn copy_number(&self, row: Row<'_>, column: usize, field_type: FieldType, output: &mut Vec<u8>) -> bool {
        let Some(span) = row.fields.get(column).filter(|span| span.form == csv::Form::Clean) else { return false };
        let part = span.range();
        if self.number_may_be_null || part.is_empty() {
            return false;
        }
        let Some(number) = number_at(row.text, part.start).filter(|number| number.end == part.end) else {
            return false;
        };
        let fits = match field_type {
            FieldType::Integer => !number.has_point && !number.has_exponent,
            FieldType::Decimal => !number.has_exponent,
            FieldType::Float => true,
            _ => false,
        };
        if fits {
            append_short(output, row.text, part);
        }
        fits
    }
}
