//! Writing what the rules leave of a JSON record.
//!
//! Values that no rule touches are copied as they stand. The trie of names says where a rule does.

use super::json::JsonShaper;
use super::trie::ROOT;
use crate::condition::Field;
use crate::copy::append_short;
use crate::error::Problem;
use crate::json::{Kind, Value, write_without_line_breaks};
use crate::types::convert;

impl JsonShaper {
    /// Writes the selected fields, or all, and the constants behind them.
    pub(super) fn write(&self, record: &Value<'_>, output: &mut Vec<u8>) -> Result<(), Problem> {
        let writer = Writer { shaper: self };
        output.push(b'{');
        let start = output.len();
        if self.select.is_empty() {
            writer.members(ROOT, record, output)?;
        } else {
            for (node, member) in &self.select {
                if let Some(value) = self.found.value(*node, record) {
                    separate(output, start);
                    output.extend_from_slice(member);
                    writer.value(*node, &value, output)?;
                }
            }
        }
        for (member, json) in &self.set {
            separate(output, start);
            output.extend_from_slice(member);
            output.extend_from_slice(json);
        }
        output.push(b'}');
        Ok(())
    }
}

struct Writer<'a> {
    shaper: &'a JsonShaper,
}

impl Writer<'_> {
    /// Writes the members of an object as the rules of its node say.
    fn members(&self, node: usize, object: &Value<'_>, output: &mut Vec<u8>) -> Result<(), Problem> {
        let trie = &self.shaper.trie;
        let start = output.len();
        for (name, value) in object.members() {
            let child = trie.node(node).named(&name);
            let rules = child.map(|child| trie.node(child));
            let hidden = rules.is_some_and(|rules| {
                let gives_way = rules.gives_way_to.is_some_and(|other| self.shaper.found.place(other).is_some());
                rules.drop || (gives_way && rules.renamed.is_none())
            });
            // Of members with one name that a rule touches, the last one counts and the others are left out.
            let is_earlier = child.is_some_and(|child| self.shaper.found.place(child) != Some(self.place(&value)));
            if hidden || is_earlier {
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
                Some(child) => self.value(child, &value, output)?,
                None => self.copy(&value, output),
            }
        }
        Ok(())
    }

    /// The place of a value, or of the element that stands in the place of an exploded array.
    #[inline(always)]
    fn place(&self, value: &Value<'_>) -> u32 {
        match self.shaper.exploded {
            Some((array, element)) if array == value.place() => element,
            _ => value.place(),
        }
    }

    fn value(&self, node: usize, value: &Value<'_>, output: &mut Vec<u8>) -> Result<(), Problem> {
        let shaper = self.shaper;
        let value = value.at_place(self.place(value));
        let rules = shaper.trie.node(node);
        let typed = shaper.typed[node].as_ref().map(|range| &shaper.typed_text[range.clone()]);
        if let Some((rule, name)) = &shaper.casts[node] {
            let field = typed.map_or_else(|| Field::of(&value), Field::of_json);
            let raw = typed.unwrap_or_else(|| value.raw());
            return convert(&field, raw, rule, &shaper.limits, output).map_err(|error| Problem::CastImpossible {
                field: name.clone(),
                wanted: rule.field_type,
                found: error.0,
            });
        }
        if let Some(typed) = typed {
            output.extend_from_slice(typed);
            return Ok(());
        }
        let inner_changes = rules.changes && rules.has_children();
        match value.kind() {
            Kind::Object if inner_changes => {
                output.push(b'{');
                self.members(node, &value, output)?;
                output.push(b'}');
            }
            Kind::Array if inner_changes => {
                output.push(b'[');
                let start = output.len();
                for (index, element) in value.elements().enumerate() {
                    let child = rules.indexed(index);
                    if child.is_some_and(|child| shaper.trie.node(child).drop) {
                        continue;
                    }
                    separate(output, start);
                    match child {
                        Some(child) => self.value(child, &element, output)?,
                        None => self.copy(&element, output),
                    }
                }
                output.push(b']');
            }
            _ => self.copy(&value, output),
        }
        Ok(())
    }

    /// Copies a value that no rule touches.
    #[inline(always)]
    fn copy(&self, value: &Value<'_>, output: &mut Vec<u8>) {
        if self.shaper.has_line_breaks {
            write_without_line_breaks(value.raw(), output);
        } else {
            append_short(output, value.record(), value.range());
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
