//! Reshaping JSON records on their index.

use super::trie::{ROOT, Trie};
use super::{Fate, Reshape, member_start};
use crate::condition::{CompiledCondition, Field};
use crate::error::Problem;
use crate::json::{Kind, Value, write_without_line_breaks};
use crate::limits::RecordLimits;
use crate::types::{FieldType, TypeRule, cast_json};
use std::convert::Infallible;
use std::ops::Range;
use std::sync::Arc;

/// A compiled specification for JSON records.
#[derive(Debug)]
pub(crate) struct JsonShaper {
    trie: Trie,
    types: Vec<TypedField>,
    null_tokens: Vec<Vec<u8>>,
    condition: Option<CompiledCondition>,
    /// Node and member start of each selected field.
    select: Vec<(usize, Vec<u8>)>,
    /// Member starts and JSON texts.
    set: Vec<(Vec<u8>, Vec<u8>)>,
    is_identity: bool,
    limits: RecordLimits,
    /// For each node the named field's place in the record's index, if the record has it.
    found: Vec<Option<u32>>,
    /// For each node the value that its type has made, as a range of `cast_text`.
    cast: Vec<Option<Range<usize>>>,
    cast_text: Vec<u8>,
}

#[derive(Debug)]
struct TypedField {
    node: usize,
    rule: TypeRule,
    name: Arc<str>,
}

impl JsonShaper {
    pub(crate) fn new(reshape: &Reshape, limits: RecordLimits) -> Self {
        let mut trie = Trie::new(reshape);
        let mut types = Vec::with_capacity(reshape.types.len());
        for (path, field_type) in &reshape.types {
            types.push(TypedField { node: trie.enter(path), rule: (*field_type).into(), name: path.text().clone() });
        }
        let condition = reshape.condition.as_ref().map(|condition| {
            let compiled = CompiledCondition::compile(condition, &mut |path| Ok::<usize, Infallible>(trie.enter(path)));
            match compiled {
                Ok(compiled) => compiled,
                Err(never) => match never {},
            }
        });
        let is_set = |name: &str| reshape.set.iter().any(|(set, _)| set == name);
        let mut select = Vec::with_capacity(reshape.select.len());
        for path in &reshape.select {
            let node = trie.enter(path);
            let renamed = reshape.rename.iter().find(|(renamed, _)| renamed.segments() == path.segments());
            let name = renamed.map_or(path.output_name(), |(_, name)| name);
            if !is_set(name) {
                select.push((node, member_start(name.as_bytes())));
            }
        }
        let set = reshape.set.iter().map(|(name, json)| (member_start(name.as_bytes()), json.clone().into_bytes()));
        Self {
            types,
            null_tokens: reshape.null_tokens.iter().map(|token| token.clone().into_bytes()).collect(),
            condition,
            select,
            set: set.collect(),
            is_identity: reshape.is_identity(),
            limits,
            found: vec![None; trie.len()],
            cast: vec![None; trie.len()],
            cast_text: Vec::new(),
            trie,
        }
    }

    /// Writes what becomes of a record, without a line break at its end. Nothing is written unless it is `Written`.
    pub(crate) fn shape(&mut self, record: &Value<'_>, output: &mut Vec<u8>) -> Result<Fate, Problem> {
        if self.is_identity {
            write_without_line_breaks(record.raw(), output);
            return Ok(Fate::Written);
        }
        if record.kind() != Kind::Object {
            return Err(Problem::NotAnObject { found: record.kind().describe() });
        }
        self.found.fill(None);
        find(&self.trie, ROOT, record, &mut self.found);
        self.check_types(record)?;
        if let Some(condition) = &self.condition {
            let keeps = condition.holds(&mut |node, test| self.field(record, node).passes(test));
            if !keeps {
                return Ok(Fate::Filtered);
            }
        }
        output.push(b'{');
        let start = output.len();
        if self.select.is_empty() {
            self.write_members(ROOT, record, output);
        } else {
            for (node, member) in &self.select {
                if let Some(value) = self.value(record, *node) {
                    separate(output, start);
                    output.extend_from_slice(member);
                    self.write_value(*node, &value, output);
                }
            }
        }
        for (member, json) in &self.set {
            separate(output, start);
            output.extend_from_slice(member);
            output.extend_from_slice(json);
        }
        output.push(b'}');
        Ok(Fate::Written)
    }

    fn value<'a>(&self, record: &Value<'a>, node: usize) -> Option<Value<'a>> {
        self.found[node].map(|place| record.at_place(place))
    }

    fn field<'a>(&'a self, record: &Value<'a>, node: usize) -> Field<'a> {
        match (&self.cast[node], self.value(record, node)) {
            (_, None) => Field::Missing,
            (Some(range), Some(_)) => Field::of_json(&self.cast_text[range.clone()]),
            (None, Some(value)) => Field::of(&value),
        }
    }

    fn check_types(&mut self, record: &Value<'_>) -> Result<(), Problem> {
        self.cast_text.clear();
        for typed in &self.types {
            self.cast[typed.node] = None;
            let Some(value) = self.found[typed.node].map(|place| record.at_place(place)) else { continue };
            let start = self.cast_text.len();
            let is_null_token = typed.rule.field_type != FieldType::String
                && value.text().is_some_and(|text| self.null_tokens.iter().any(|token| text.is(token)));
            if is_null_token {
                self.cast_text.extend_from_slice(b"null");
            } else {
                cast_json(&value, &typed.rule, &self.limits, &mut self.cast_text).map_err(|error| {
                    Problem::TypeMismatch { field: typed.name.clone(), expected: typed.rule.field_type, found: error.0 }
                })?;
            }
            self.cast[typed.node] = Some(start..self.cast_text.len());
        }
        Ok(())
    }

    /// Writes the members of an object as the rules of its node say.
    fn write_members(&self, node: usize, object: &Value<'_>, output: &mut Vec<u8>) {
        let start = output.len();
        for (name, value) in object.members() {
            let child = self.trie.node(node).named(&name);
            let rules = child.map(|child| self.trie.node(child));
            let hidden = rules.is_some_and(|rules| {
                let gives_way = rules.gives_way_to.is_some_and(|other| self.found[other].is_some());
                rules.drop || (gives_way && rules.renamed.is_none())
            });
            if hidden {
                continue;
            }
            separate(output, start);
            match rules.and_then(|rules| rules.renamed.as_ref()) {
                Some(member) => output.extend_from_slice(member),
                None => {
                    output.push(b'"');
                    output.extend_from_slice(name.raw());
                    output.extend_from_slice(b"\":");
                }
            }
            match child {
                Some(child) => self.write_value(child, &value, output),
                None => write_without_line_breaks(value.raw(), output),
            }
        }
    }

    fn write_value(&self, node: usize, value: &Value<'_>, output: &mut Vec<u8>) {
        let rules = self.trie.node(node);
        // Of members with one name only the last was checked and cast.
        if let Some(range) = &self.cast[node]
            && self.found[node] == Some(value.place())
        {
            output.extend_from_slice(&self.cast_text[range.clone()]);
            return;
        }
        let inner_changes = rules.changes && rules.has_children();
        match value.kind() {
            Kind::Object if inner_changes => {
                output.push(b'{');
                self.write_members(node, value, output);
                output.push(b'}');
            }
            Kind::Array if inner_changes => {
                output.push(b'[');
                let start = output.len();
                for (index, element) in value.elements().enumerate() {
                    let child = rules.indexed(index);
                    if child.is_some_and(|child| self.trie.node(child).drop) {
                        continue;
                    }
                    separate(output, start);
                    match child {
                        Some(child) => self.write_value(child, &element, output),
                        None => write_without_line_breaks(element.raw(), output),
                    }
                }
                output.push(b']');
            }
            _ => write_without_line_breaks(value.raw(), output),
        }
    }
}

/// Writes a comma unless this is the first member since `start`.
#[inline(always)]
fn separate(output: &mut Vec<u8>, start: usize) {
    if output.len() > start {
        output.push(b',');
    }
}

/// Notes the place of every named field; of members with one name the last wins.
fn find(trie: &Trie, node: usize, value: &Value<'_>, found: &mut [Option<u32>]) {
    let rules = trie.node(node);
    match value.kind() {
        Kind::Object => {
            for (name, member) in value.members() {
                if let Some(child) = rules.named(&name) {
                    note(trie, child, &member, found);
                }
            }
        }
        Kind::Array => {
            for (index, element) in value.elements().enumerate() {
                if let Some(child) = rules.indexed(index) {
                    note(trie, child, &element, found);
                }
            }
        }
        _ => {}
    }
}

fn note(trie: &Trie, node: usize, value: &Value<'_>, found: &mut [Option<u32>]) {
    found[node] = Some(value.place());
    if trie.node(node).has_children() {
        forget_inner(trie, node, found);
        find(trie, node, value, found);
    }
}

/// An earlier member of the same name may have had fields that this one lacks.
fn forget_inner(trie: &Trie, node: usize, found: &mut [Option<u32>]) {
    for child in trie.node(node).children() {
        found[child] = None;
        forget_inner(trie, child, found);
    }
}
