//! Reshaping JSON records on their index.
//!
//! A record goes through here in the order that the job file promises: its schema is checked, an array may be exploded
//! into one record for each element, types are checked, `where` decides, and what is left is written (`write`).

use super::find::Found;
use super::trie::Trie;
use super::{Fate, Reshape};
use crate::condition::{CompiledCondition, Field};
use crate::error::Problem;
use crate::json::{Kind, Value, write_without_line_breaks};
use crate::limits::RecordLimits;
use crate::path::FieldPath;
use crate::schema::Schema;
use crate::types::{TypeRule, cast_json};
use std::convert::Infallible;
use std::ops::Range;
use std::sync::Arc;

/// How many times `limits.output_bytes` an exploded record may cost: its elements times the bytes around the array.
const EXPLODE_WORK: usize = 64;

/// A compiled specification for JSON records.
#[derive(Debug)]
pub(crate) struct JsonShaper {
    pub(super) trie: Trie,
    schema: Option<Schema>,
    /// Types of fields; those at or inside the exploded array come last.
    types: Vec<RuledField>,
    /// How many types are of fields outside the exploded array.
    outer_types: usize,
    null_tokens: Vec<Vec<u8>>,
    condition: Option<CompiledCondition>,
    /// Node and member start of each selected field.
    pub(super) select: Vec<(usize, Vec<u8>)>,
    /// For each node the rule of `cast`.
    pub(super) casts: Vec<Option<(TypeRule, Arc<str>)>>,
    /// Member starts and JSON texts.
    pub(super) set: Vec<(Vec<u8>, Vec<u8>)>,
    explode: Option<usize>,
    is_identity: bool,
    pub(super) limits: RecordLimits,
    pub(super) found: Found,
    /// For each node the value that its type has made, as a range of `typed_text`.
    pub(super) typed: Vec<Option<Range<usize>>>,
    pub(super) typed_text: Vec<u8>,
    /// The array being exploded and the element that stands in its place.
    pub(super) exploded: Option<(u32, u32)>,
    /// The record spans lines, so values are not copied without looking.
    pub(super) has_line_breaks: bool,
}

#[derive(Debug)]
struct RuledField {
    node: usize,
    rule: TypeRule,
    name: Arc<str>,
}

impl JsonShaper {
    pub(crate) fn new(reshape: &Reshape, limits: RecordLimits) -> Self {
        let mut trie = Trie::new(reshape);
        let ruled = |trie: &mut Trie, rules: &[(FieldPath, TypeRule)]| -> Vec<RuledField> {
            let rules = rules.iter();
            rules
                .map(|(path, rule)| RuledField {
                    node: trie.enter(path),
                    rule: rule.clone(),
                    name: path.text().clone(),
                })
                .collect()
        };
        let is_inner = |path: &FieldPath| {
            reshape.explode.as_ref().is_some_and(|exploded| path.segments().starts_with(exploded.segments()))
        };
        let (inner, outer): (Vec<_>, Vec<_>) = reshape.types.iter().cloned().partition(|(path, _)| is_inner(path));
        let mut types = ruled(&mut trie, &outer);
        types.extend(ruled(&mut trie, &inner));
        let cast_fields = ruled(&mut trie, &reshape.cast);
        let explode = reshape.explode.as_ref().map(|path| trie.enter(path));
        let condition = reshape.condition.as_ref().map(|condition| {
            let compiled = CompiledCondition::compile(condition, &mut |path| Ok::<usize, Infallible>(trie.enter(path)));
            match compiled {
                Ok(compiled) => compiled,
                Err(never) => match never {},
            }
        });
        let select = trie.selection(reshape);
        let mut casts = vec![None; trie.len()];
        for field in cast_fields {
            casts[field.node] = Some((field.rule, field.name));
        }
        let set = reshape.set.iter();
        Self {
            schema: reshape.schema.clone(),
            types,
            outer_types: outer.len(),
            null_tokens: reshape.null_tokens.iter().map(|token| token.clone().into_bytes()).collect(),
            condition,
            select,
            casts,
            set: set.map(|(name, json)| (super::member_start(name.as_bytes()), json.clone().into_bytes())).collect(),
            explode,
            is_identity: reshape.is_identity(),
            limits,
            found: Found::new(&trie),
            typed: vec![None; trie.len()],
            typed_text: Vec::new(),
            exploded: None,
            has_line_breaks: false,
            trie,
        }
    }

    /// Writes what becomes of a record, without a line break at its end. Nothing is written of a record that is filtered
    /// or refused. `has_repeated_names` says that an object of the record has two members with one name.
    #[inline]
    pub(crate) fn shape(
        &mut self,
        record: &Value<'_>,
        has_repeated_names: bool,
        output: &mut Vec<u8>,
    ) -> Result<Fate, Problem> {
        if let Some(schema) = &self.schema {
            schema.check(record, has_repeated_names)?;
        }
        if self.is_identity {
            self.check_length(record.raw().len())?;
            write_without_line_breaks(record.raw(), output);
            return Ok(Fate::Written);
        }
        if record.kind() != Kind::Object {
            return Err(Problem::NotAnObject { found: record.kind().describe() });
        }
        let start = output.len();
        self.found.find(&self.trie, record);
        self.has_line_breaks = memchr::memchr2(b'\n', b'\r', record.raw()).is_some();
        let result = match self.explode {
            Some(node) => self.explode(node, record, output),
            None => self.check_types(record, 0..self.types.len(), 0).and_then(|()| self.shape_one(record, output)),
        };
        if !matches!(result, Ok(Fate::Written | Fate::Exploded { .. })) {
            output.truncate(start);
        }
        result
    }

    /// One record for each element of an array; none if it is missing, null or empty; the record itself if it is
    /// something else.
    fn explode(&mut self, node: usize, record: &Value<'_>, output: &mut Vec<u8>) -> Result<Fate, Problem> {
        let Some(array) = self.found.value(node, record).filter(|value| value.kind() != Kind::Null) else {
            return Ok(Fate::Filtered);
        };
        if array.kind() != Kind::Array {
            self.check_types(record, 0..self.types.len(), 0)?;
            return self.shape_one(record, output);
        }
        self.check_work(record, &array)?;
        self.check_types(record, 0..self.outer_types, 0)?;
        let outer_text = self.typed_text.len();
        let start = output.len();
        let (mut written, mut filtered) = (0, 0);
        for element in array.elements() {
            let line = output.len();
            self.found.set(&self.trie, node, &element);
            self.exploded = Some((array.place(), element.place()));
            let typed = self.check_types(record, self.outer_types..self.types.len(), outer_text);
            let fate = typed.and_then(|()| self.shape_one(record, output));
            self.exploded = None;
            if fate? == Fate::Written {
                written += 1;
                output.push(b'\n');
            } else {
                filtered += 1;
                output.truncate(line);
            }
            self.check_length(output.len() - start - written as usize)?;
        }
        Ok(match written {
            0 if filtered <= 1 => Fate::Filtered,
            _ => Fate::Exploded { written, filtered },
        })
    }

    /// Every element has what is around the array looked at again, so the two sizes multiply.
    fn check_work(&self, record: &Value<'_>, array: &Value<'_>) -> Result<(), Problem> {
        let limit = self.limits.output_bytes.saturating_mul(EXPLODE_WORK);
        let around = record.raw().len() - array.raw().len();
        if around.saturating_mul(array.count()) > limit { Err(Problem::ExplodeTooLarge { limit }) } else { Ok(()) }
    }

    fn shape_one(&mut self, record: &Value<'_>, output: &mut Vec<u8>) -> Result<Fate, Problem> {
        if let Some(condition) = &self.condition {
            let keeps = condition.holds(&mut |node, test| self.field(record, node).passes(test));
            if !keeps {
                return Ok(Fate::Filtered);
            }
        }
        let start = output.len();
        self.write(record, output)?;
        self.check_length(output.len() - start)?;
        Ok(Fate::Written)
    }

    fn check_length(&self, length: usize) -> Result<(), Problem> {
        let limit = self.limits.output_bytes;
        if length > limit { Err(Problem::OutputTooLarge { limit }) } else { Ok(()) }
    }

    fn field<'a>(&'a self, record: &Value<'a>, node: usize) -> Field<'a> {
        match (&self.typed[node], self.found.value(node, record)) {
            (_, None) => Field::Missing,
            (Some(range), Some(_)) => Field::of_json(&self.typed_text[range.clone()]),
            (None, Some(value)) => Field::of(&value),
        }
    }

    /// Checks some of the types; what came of others are the first `kept` bytes of `typed_text`.
    fn check_types(&mut self, record: &Value<'_>, types: Range<usize>, kept: usize) -> Result<(), Problem> {
        self.typed_text.truncate(kept);
        for field in &self.types[types] {
            self.typed[field.node] = None;
            let Some(value) = self.found.value(field.node, record) else { continue };
            let start = self.typed_text.len();
            let is_null_token = field.rule.field_type != crate::types::FieldType::String
                && value.text().is_some_and(|text| self.null_tokens.iter().any(|token| text.is(token)));
            if is_null_token {
                self.typed_text.extend_from_slice(b"null");
            } else {
                cast_json(&value, &field.rule, &self.limits, &mut self.typed_text).map_err(|error| {
                    Problem::TypeMismatch { field: field.name.clone(), expected: field.rule.field_type, found: error.0 }
                })?;
            }
            self.typed[field.node] = Some(start..self.typed_text.len());
        }
        Ok(())
    }
}
