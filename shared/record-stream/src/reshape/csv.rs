//! Reshaping CSV records to JSON lines.

use super::{Fate, Reshape, member_start};
use crate::condition::{CompiledCondition, Field};
use crate::copy::{Piece, append_short};
use crate::csv::{FieldSpan, Form, Quoting};
use crate::error::Problem;
use crate::json::write_json_text;
use crate::limits::RecordLimits;
use crate::path::FieldPath;
use crate::types::{TypeRule, cast_text};
use std::borrow::Cow;
use std::sync::Arc;

/// A specification compiled for the columns of one object.
#[derive(Debug)]
pub(crate) struct CsvShaper {
    columns: usize,
    /// The type of each column, with the name for messages.
    types: Vec<Option<(TypeRule, Arc<str>)>>,
    null_tokens: Vec<Vec<u8>>,
    condition: Option<CompiledCondition>,
    /// The fields written.
    written: Vec<Written>,
    /// Typed columns that are checked but not written.
    checked_only: Vec<usize>,
    /// The JSON members at the end, from the first comma or brace on.
    constants: Vec<(Vec<u8>, Vec<u8>)>,
    quoting: Quoting,
    limits: RecordLimits,
    scratch: Vec<u8>,
}

/// A field of the output.
#[derive(Debug)]
struct Written {
    column: usize,
    is_typed: bool,
    /// What stands before the value: brace or comma, the name, and the opening quote of a column without a type.
    start: Piece,
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
    /// Compiles a specification.
    ///
    /// # Errors
    /// A field of the job file that is no column of this object.
    pub(crate) fn new(
        reshape: &Reshape,
        columns: &[Vec<u8>],
        quoting: Quoting,
        limits: RecordLimits,
    ) -> Result<Self, Problem> {
        let column = |place: &'static str, path: &FieldPath| {
            let found = columns.iter().position(|name| path.is_column(name));
            found.ok_or_else(|| Problem::UnknownColumn { place, field: path.text().clone() })
        };
        let mut types = vec![None; columns.len()];
        for (path, field_type) in &reshape.types {
            types[column("record.types", path)?] = Some(((*field_type).into(), path.text().clone()));
        }
        let compile = |condition| CompiledCondition::compile(condition, &mut |path| column("record.where", path));
        let condition = reshape.condition.as_ref().map(compile).transpose()?;
        let mut order = Vec::new();
        if reshape.select.is_empty() {
            order.extend(0..columns.len());
        } else {
            for path in &reshape.select {
                order.push(column("record.select", path)?);
            }
        }
        for path in &reshape.drop {
            let dropped = column("record.drop", path)?;
            order.retain(|index| *index != dropped);
        }
        let mut names: Vec<Cow<'_, [u8]>> = columns.iter().map(|name| Cow::Borrowed(name.as_slice())).collect();
        for (path, name) in &reshape.rename {
            let renamed = column("record.rename", path)?;
            // The renamed column takes the name from one that has it and keeps it.
            let is_renamed = |index: usize| reshape.rename.iter().any(|(path, _)| path.is_column(&columns[index]));
            order.retain(|index| is_renamed(*index) || columns[*index] != name.as_bytes());
            names[renamed] = Cow::Owned(name.clone().into_bytes());
        }
        let is_set = |name: &[u8]| reshape.set.iter().any(|(set, _)| set.as_bytes() == name);
        order.retain(|index| !is_set(&names[*index]));
        let mut written = Vec::with_capacity(order.len());
        for index in &order {
            let is_typed = types[*index].is_some();
            let mut start = if written.is_empty() { b"{".to_vec() } else { b",".to_vec() };
            start.extend(member_start(&names[*index]));
            if !is_typed {
                start.push(b'"');
            }
            written.push(Written { column: *index, is_typed, start: Piece::new(&start) });
        }
        let checked_only = (0..columns.len()).filter(|index| types[*index].is_some() && !order.contains(index));
        Ok(Self {
            columns: columns.len(),
            checked_only: checked_only.collect(),
            null_tokens: reshape.null_tokens.iter().map(|token| token.clone().into_bytes()).collect(),
            condition,
            written,
            constants: reshape
                .set
                .iter()
                .map(|(name, json)| (member_start(name.as_bytes()), json.clone().into_bytes()))
                .collect(),
            types,
            quoting,
            limits,
            scratch: Vec::new(),
        })
    }

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
        let mut scratch = std::mem::take(&mut self.scratch);
        let keeps = self.keeps(row, &mut scratch);
        let typed = if keeps { &self.checked_only[..] } else { &[][..] };
        let mut checked = Ok(());
        let all_columns = 0..self.columns;
        let left_out = all_columns.filter(|_| !keeps).chain(typed.iter().copied());
        for column in left_out {
            scratch.clear();
            checked = checked.and_then(|()| self.write_typed(row, column, &mut scratch).map(|_| ()));
        }
        self.scratch = scratch;
        checked?;
        if !keeps {
            return Ok(Fate::Filtered);
        }
        for field in &self.written {
            field.start.append_to(output);
            if field.is_typed {
                self.write_typed(row, field.column, output)?;
                continue;
            }
            match row.fields.get(field.column) {
                Some(span) if span.form == Form::Clean => append_short(output, row.text, span.range()),
                Some(span) => write_json_text(&span.text(row.text, self.quoting), output),
                None => {}
            }
            output.push(b'"');
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
        Ok(Fate::Written)
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
}
