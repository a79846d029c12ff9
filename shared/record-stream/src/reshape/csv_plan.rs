//! Compiling a specification for the columns of one CSV object.

use super::csv::{CsvShaper, Form, SchemaOfRows, Written};
use super::{Reshape, member_start};
use crate::condition::CompiledCondition;
use crate::copy::Piece;
use crate::csv::Quoting;
use crate::error::Problem;
use crate::json::Index;
use crate::limits::RecordLimits;
use crate::path::FieldPath;
use crate::types::TypeRule;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

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
        let numbers: HashMap<&[u8], usize> =
            columns.iter().enumerate().map(|(index, name)| (&name[..], index)).collect();
        let column = |place: &'static str, path: &FieldPath| {
            let found = numbers.get(path.column().as_bytes()).copied();
            found.ok_or_else(|| Problem::UnknownColumn { place, field: path.text().clone() })
        };
        if reshape.explode.is_some() {
            return Err(Problem::NotForCsv { place: "record.explode" });
        }
        let rules = |place, rules: &[(FieldPath, TypeRule)]| {
            let mut by_column: Vec<Option<(TypeRule, Arc<str>)>> = vec![None; columns.len()];
            for (path, rule) in rules {
                by_column[column(place, path)?] = Some((rule.clone(), path.text().clone()));
            }
            Ok::<_, Problem>(by_column)
        };
        let types = rules("record.types", &reshape.types)?;
        let casts = rules("record.cast", &reshape.cast)?;
        let form = |column: usize| match (&casts[column], &types[column]) {
            (Some(_), _) => Form::Cast,
            (None, Some(_)) => Form::Typed,
            (None, None) => Form::Text,
        };
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
        let mut is_dropped = vec![false; columns.len()];
        for path in &reshape.drop {
            is_dropped[column("record.drop", path)?] = true;
        }
        order.retain(|index| !is_dropped[*index]);
        let mut names: Vec<Cow<'_, [u8]>> = columns.iter().map(|name| Cow::Borrowed(name.as_slice())).collect();
        let mut is_renamed = vec![false; columns.len()];
        for (path, name) in &reshape.rename {
            let renamed = column("record.rename", path)?;
            names[renamed] = Cow::Owned(name.clone().into_bytes());
            is_renamed[renamed] = true;
        }
        // A renamed column takes the name from one that has it and keeps it; a constant takes it from both.
        let taken: HashSet<&[u8]> = reshape.rename.iter().map(|(_, name)| name.as_bytes()).collect();
        let set: HashSet<&[u8]> = reshape.set.iter().map(|(name, _)| name.as_bytes()).collect();
        order.retain(|index| is_renamed[*index] || !taken.contains(&columns[*index][..]));
        order.retain(|index| !set.contains(&*names[*index]));
        let is_written: HashSet<usize> = order.iter().copied().collect();
        let written = order.iter().enumerate();
        let written = written.map(|(place, column)| Written::new(place, *column, &names[*column], form(*column)));
        let written: Vec<Written> = written.collect();
        let schema = reshape.schema.as_ref().map(|schema| SchemaOfRows {
            schema: schema.clone(),
            columns: (0..columns.len())
                .map(|column| {
                    let form = if types[column].is_some() { Form::Typed } else { Form::Text };
                    Written::new(column, column, &columns[column], form)
                })
                .collect(),
            text: Vec::new(),
            index: Index::default(),
            limits: RecordLimits { depth: limits.depth.saturating_add(1), ..limits },
        });
        let checked_only = (0..columns.len()).filter(|index| types[*index].is_some() && !is_written.contains(index));
        Ok(Self {
            columns: columns.len(),
            checked_only: checked_only.collect(),
            null_tokens: reshape.null_tokens.iter().map(|token| token.clone().into_bytes()).collect(),
            number_may_be_null: reshape
                .null_tokens
                .iter()
                .any(|token| token.starts_with(|first: char| first.is_ascii_digit() || first == '-')),
            condition,
            written,
            constants: reshape
                .set
                .iter()
                .map(|(name, json)| (member_start(name.as_bytes()), json.clone().into_bytes()))
                .collect(),
            types,
            casts,
            schema,
            quoting,
            limits,
            scratch: Vec::new(),
        })
    }
}

impl Written {
    /// The column at a place of the output.
    fn new(place: usize, column: usize, name: &[u8], form: Form) -> Self {
        let mut start = if place == 0 { b"{".to_vec() } else { b",".to_vec() };
        start.extend(member_start(name));
        if form == Form::Text {
            start.push(b'"');
        }
        Self { column, form, start: Piece::new(&start) }
    }
}
