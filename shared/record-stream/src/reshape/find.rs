//! Finding the named fields of a record.
//!
//! One walk over the members of a record and over the trie of names finds every field that a rule names. Of members with
//! one name the last one counts.

use super::trie::{ROOT, Trie};
use crate::json::{Kind, Value};

/// For each node of the trie the place of its value in the record's index, if the record has it.
#[derive(Debug)]
pub(super) struct Found {
    places: Vec<Option<u32>>,
}

impl Found {
    pub(super) fn new(trie: &Trie) -> Self {
        Self { places: vec![None; trie.len()] }
    }

    /// Finds the fields of a record.
    pub(super) fn find(&mut self, trie: &Trie, record: &Value<'_>) {
        self.places.fill(None);
        self.find_inner(trie, ROOT, record);
    }

    /// The place of a node's value.
    #[inline(always)]
    pub(super) fn place(&self, node: usize) -> Option<u32> {
        self.places[node]
    }

    /// The value of a node.
    #[inline(always)]
    pub(super) fn value<'a>(&self, node: usize, record: &Value<'a>) -> Option<Value<'a>> {
        self.places[node].map(|place| record.at_place(place))
    }

    /// Says that this is the value of a node, and finds the fields inside it.
    #[inline]
    pub(super) fn set(&mut self, trie: &Trie, node: usize, value: &Value<'_>) {
        self.places[node] = Some(value.place());
        if trie.node(node).has_children() {
            self.forget_inner(trie, node);
            self.find_inner(trie, node, value);
        }
    }

    fn find_inner(&mut self, trie: &Trie, node: usize, value: &Value<'_>) {
        let rules = trie.node(node);
        match value.kind() {
            Kind::Object => {
                for (name, member) in value.members() {
                    if let Some(child) = rules.named(&name) {
                        self.set(trie, child, &member);
                    }
                }
            }
            Kind::Array if rules.has_indexes() => {
                for (index, element) in value.elements().enumerate() {
                    if let Some(child) = rules.indexed(index) {
                        self.set(trie, child, &element);
                    }
                }
            }
            _ => {}
        }
    }

    /// An earlier member of the same name may have had fields that this one lacks.
    fn forget_inner(&mut self, trie: &Trie, node: usize) {
        for child in trie.node(node).children() {
            self.places[child] = None;
            self.forget_inner(trie, child);
        }
    }
}
