//! The fields that a job names, as a tree.
//!
//! Every path of the job file ends in one node. Walking a record and the tree together finds all named fields in a
//! single pass over the members, however many rules name them.

use super::{Reshape, member_start};
use crate::path::{FieldPath, Segment};
use crate::types::FieldType;

/// The root's number.
pub(super) const ROOT: usize = 0;

#[derive(Debug, Default)]
pub(super) struct Node {
    names: Vec<(Vec<u8>, usize)>,
    indexes: Vec<(usize, usize)>,
    /// The type that the field must have.
    pub(super) field_type: Option<FieldType>,
    pub(super) drop: bool,
    /// The member start under which the field is written.
    pub(super) renamed: Option<Vec<u8>>,
    /// The field gives way when the field of this node is there, because that one takes its name.
    pub(super) gives_way_to: Option<usize>,
    /// This field or one inside it is written differently from how it came.
    pub(super) changes: bool,
}

impl Node {
    pub(super) fn has_children(&self) -> bool {
        !self.names.is_empty() || !self.indexes.is_empty()
    }

    #[inline]
    pub(super) fn named(&self, name: &crate::json::Text<'_>) -> Option<usize> {
        self.names.iter().find(|(known, _)| name.is(known)).map(|(_, node)| *node)
    }

    pub(super) fn indexed(&self, index: usize) -> Option<usize> {
        self.indexes.iter().find(|(known, _)| *known == index).map(|(_, node)| *node)
    }

    pub(super) fn children(&self) -> impl Iterator<Item = usize> + '_ {
        self.names.iter().map(|(_, node)| *node).chain(self.indexes.iter().map(|(_, node)| *node))
    }
}

#[derive(Debug)]
pub(super) struct Trie {
    nodes: Vec<Node>,
}

impl Trie {
    /// Enters everything that a specification names except its condition and selection.
    pub(super) fn new(reshape: &Reshape) -> Self {
        let mut trie = Self { nodes: vec![Node::default()] };
        for (path, field_type) in &reshape.types {
            let node = trie.enter_changed(path);
            trie.nodes[node].field_type = Some(*field_type);
        }
        for path in &reshape.drop {
            let node = trie.enter_changed(path);
            trie.nodes[node].drop = true;
        }
        for (path, name) in &reshape.rename {
            let node = trie.enter_changed(path);
            trie.nodes[node].renamed = Some(member_start(name.as_bytes()));
            // A constant of that name is written instead.
            trie.nodes[node].drop |= path.segments().len() == 1 && reshape.set.iter().any(|(set, _)| set == name);
            let mut sibling = path.segments().to_vec();
            sibling.pop();
            sibling.push(Segment::Name(name.clone()));
            let sibling = trie.enter_changed(&FieldPath::new(name, sibling));
            if sibling != node {
                trie.nodes[sibling].gives_way_to = Some(node);
            }
        }
        for (name, _) in &reshape.set {
            let node = trie.enter_changed(&FieldPath::name(name));
            trie.nodes[node].drop = true;
        }
        trie
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn node(&self, node: usize) -> &Node {
        &self.nodes[node]
    }

    /// The node of a path, made if it is new.
    pub(super) fn enter(&mut self, path: &FieldPath) -> usize {
        self.follow(path, false)
    }

    /// The same for a field that is written differently: so is everything around it.
    fn enter_changed(&mut self, path: &FieldPath) -> usize {
        self.follow(path, true)
    }

    fn follow(&mut self, path: &FieldPath, changes: bool) -> usize {
        let mut node = ROOT;
        self.nodes[ROOT].changes |= changes;
        for segment in path.segments() {
            let known = match segment {
                Segment::Name(name) => {
                    self.nodes[node].names.iter().find(|(known, _)| known == name.as_bytes()).map(|found| found.1)
                }
                Segment::Index(index) => self.nodes[node].indexed(*index),
            };
            let child = known.unwrap_or_else(|| {
                let child = self.nodes.len();
                self.nodes.push(Node::default());
                match segment {
                    Segment::Name(name) => self.nodes[node].names.push((name.clone().into_bytes(), child)),
                    Segment::Index(index) => self.nodes[node].indexes.push((*index, child)),
                }
                child
            });
            node = child;
            self.nodes[node].changes |= changes;
        }
        node
    }
}
