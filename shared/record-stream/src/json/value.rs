//! A cursor on the index of a record.

use super::node::{Kind, Node};
use super::text::Text;
use std::ops::Range;

/// One JSON value of an indexed record.
#[derive(Debug, Clone, Copy)]
pub struct Value<'a> {
    record: &'a [u8],
    nodes: &'a [Node],
    at: u32,
}

impl<'a> Value<'a> {
    pub(super) fn root(record: &'a [u8], nodes: &'a [Node]) -> Self {
        Self { record, nodes, at: 0 }
    }

    #[inline(always)]
    fn node(&self) -> &'a Node {
        &self.nodes[self.at as usize]
    }

    /// The value's place in the index, for coming back to it with [`Value::at_place`].
    #[must_use]
    pub(crate) fn place(&self) -> u32 {
        self.at
    }

    /// Another value of the same record.
    #[must_use]
    pub(crate) fn at_place(&self, place: u32) -> Value<'a> {
        Value { at: place, ..*self }
    }

    /// The value's kind.
    #[must_use]
    #[inline]
    pub fn kind(&self) -> Kind {
        self.node().kind()
    }

    /// The value's text in the record, with quotes if it is a string.
    #[must_use]
    #[inline]
    pub fn raw(&self) -> &'a [u8] {
        &self.record[self.range()]
    }

    /// Where [`Value::raw`] lies in the record.
    #[inline(always)]
    pub(crate) fn range(&self) -> Range<usize> {
        let node = self.node();
        let quote = usize::from(node.is(Kind::String));
        node.start as usize - quote..node.end as usize + quote
    }

    /// The record's text.
    #[inline(always)]
    pub(crate) fn record(&self) -> &'a [u8] {
        self.record
    }

    /// The text between the quotes, if the value is a string.
    #[must_use]
    #[inline]
    pub fn text(&self) -> Option<Text<'a>> {
        let node = self.node();
        node.is(Kind::String).then(|| Text { raw: &self.record[node.range()], escaped: node.escaped() })
    }

    /// Members of an object or elements of an array; 0 for everything else.
    #[must_use]
    pub fn count(&self) -> usize {
        self.node().count() as usize
    }

    /// The members of an object in the order of the record, duplicates included; nothing for other kinds.
    #[must_use]
    #[inline]
    pub fn members(&self) -> Members<'a> {
        let end = if self.node().is(Kind::Object) { self.node().next } else { self.at + 1 };
        Members { value: Value { at: self.at + 1, ..*self }, end }
    }

    /// The elements of an array; nothing for other kinds.
    #[must_use]
    pub fn elements(&self) -> Elements<'a> {
        let end = if self.node().is(Kind::Array) { self.node().next } else { self.at + 1 };
        Elements { value: Value { at: self.at + 1, ..*self }, end }
    }

    /// The member of an object with this name; of several the last, as most readers of JSON decide.
    #[must_use]
    pub fn get(&self, name: &[u8]) -> Option<Value<'a>> {
        self.members().filter(|(key, _)| key.is(name)).last().map(|(_, value)| value)
    }
}

/// Iterator over the members of an object.
#[derive(Debug)]
pub struct Members<'a> {
    value: Value<'a>,
    end: u32,
}

impl<'a> Iterator for Members<'a> {
    type Item = (Text<'a>, Value<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.value.at >= self.end {
            return None;
        }
        let key = self.value.text()?;
        let value = Value { at: self.value.at + 1, ..self.value };
        self.value.at = value.node().next;
        Some((key, value))
    }
}

/// Iterator over the elements of an array.
#[derive(Debug)]
pub struct Elements<'a> {
    value: Value<'a>,
    end: u32,
}

impl<'a> Iterator for Elements<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.value.at >= self.end {
            return None;
        }
        let element = self.value;
        self.value.at = element.node().next;
        Some(element)
    }
}
