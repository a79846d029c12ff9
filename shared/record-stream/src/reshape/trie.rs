//! The fields that a job names, as a tree.
//!
//! Every path of the job file ends in one node. Walking a record and the tree together finds all named fields in a
//! single pass over the members, however many rules name them.

use super::{Reshape, member_start};
use crate::json::Text;
use crate::path::{FieldPath, Segment};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Up to this many names are compared one after another.
const FEW: usize = 8;

/// The root's number.
pub(super) const ROOT: usize = 0;

#[derive(Debug, Default)]
pub(super) struct Node {
    names: Vec<(Vec<u8>, usize)>,
    /// The same, for when there are more than a few.
    by_name: HashMap<Vec<u8>, usize>,
    /// Bit n is set when a name has n bytes; the last bit stands for all longer ones.
    lengths: u64,
    indexes: BTreeMap<usize, usize>,
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

    pub(super) fn has_indexes(&self) -> bool {
        !self.indexes.is_empty()
    }

    /// The node of a member. Most members of a record are named by no rule, and their length alone tells.
    #[inline(always)]
    pub(super) fn named(&self, name: &Text<'_>) -> Option<usize> {
        if self.lengths & length_bit(name.raw().len()) == 0 && !name.is_escaped() {
            return None;
        }
        if self.names.len() > FEW {
            return self.by_name.get(name.decoded().as_ref()).copied();
        }
        self.names.iter().find(|(known, _)| name.is(known)).map(|(_, node)| *node)
    }

    pub(super) fn indexed(&self, index: usize) -> Option<usize> {
        self.indexes.get(&index).copied()
    }

    pub(super) fn children(&self) -> impl Iterator<Item = usize> + '_ {
        self.names.iter().map(|(_, node)| *node).chain(self.indexes.values().copied())
    }
}

#[inline(always)]
fn length_bit(length: usize) -> u64 {
    1 << length.min(63)
}

#[derive(Debug)]
pub(super) struct Trie {
    nodes: Vec<Node>,
}

impl Trie {
    /// Enters everything that a specification names except its condition and selection.
    pub(super) fn new(reshape: &Reshape) -> Self {
        let mut trie = Self { nodes: vec![Node::default()] };
        let ruled = reshape.types.iter().chain(&reshape.cast).map(|(path, _)| path);
        for path in ruled.chain(&reshape.explode) {
            trie.enter_changed(path);
        }
        for path in &reshape.drop {
            let node = trie.enter_changed(path);
            trie.nodes[node].drop = true;
        }
        let set: HashSet<&str> = reshape.set.iter().map(|(name, _)| name.as_str()).collect();
        for (path, name) in &reshape.rename {
            let node = trie.enter_changed(path);
            trie.nodes[node].renamed = Some(member_start(name.as_bytes()));
            // A constant of that name is written instead.
            trie.nodes[node].drop |= path.segments().len() == 1 && set.contains(name.as_str());
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

    /// Node and member start of each selected field that is not set to a constant.
    pub(super) fn selection(&mut self, reshape: &Reshape) -> Vec<(usize, Vec<u8>)> {
        let set: HashSet<&str> = reshape.set.iter().map(|(name, _)| name.as_str()).collect();
        let renames = reshape.rename.iter().map(|(path, name)| (path.segments(), name.as_str()));
        let renames: HashMap<&[Segment], &str> = renames.collect();
        let mut selection = Vec::with_capacity(reshape.select.len());
        for path in &reshape.select {
            let node = self.enter(path);
            let name = renames.get(path.segments()).copied().unwrap_or(path.output_name());
            if !set.contains(name) {
                selection.push((node, member_start(name.as_bytes())));
            }
        }
        selection
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
                Segment::Name(name) => self.nodes[node].by_name.get(name.as_bytes()).copied(),
                Segment::Index(index) => self.nodes[node].indexed(*index),
            };
            let child = known.unwrap_or_else(|| {
                let child = self.nodes.len();
                self.nodes.push(Node::default());
                match segment {
                    Segment::Name(name) => {
                        self.nodes[node].lengths |= length_bit(name.len());
                        self.nodes[node].by_name.insert(name.clone().into_bytes(), child);
                        self.nodes[node].names.push((name.clone().into_bytes(), child));
                    }
                    Segment::Index(index) => {
                        self.nodes[node].indexes.insert(*index, child);
                    }
                }
                child
            });
            node = child;
            self.nodes[node].changes |= changes;
        }
        node
    }
}
