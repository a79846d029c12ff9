//! The index in one pass without recursion.
//!
//! It knows only records that are right, and finds the ends of strings in a bit map of the record (`stops`). At any
//! doubt it answers `None`, and `exact` decides and finds the words; so this code has no messages, and a fault in it
//! could only cost time or be found by the test that compares the two.

use super::grammar::{is_whitespace, number_at, scan_escape};
use super::node::{Kind, Node};
use super::repeated::{Names, last_looks_repeated, may_be_equal};
use super::stops::Stops;
use crate::limits::RecordLimits;

/// About as many bytes of JSON make a node.
const USUAL_BYTES_OF_A_NODE: usize = 8;

/// An array or object whose end has not come.
#[derive(Debug, Clone, Copy)]
struct Open {
    node: u32,
    count: u32,
    names: Names,
    is_object: bool,
}

/// Reusable memory of the pass.
#[derive(Debug, Default)]
pub(super) struct FastBuilder {
    stops: Stops,
    open: Vec<Open>,
}

impl FastBuilder {
    /// Lists the values of `text` in `nodes`, which is empty, and answers whether names of one object may be equal.
    /// `None` means that the record may be wrong.
    #[inline]
    pub(super) fn build(&mut self, nodes: &mut Vec<Node>, text: &[u8], limits: &RecordLimits) -> Option<bool> {
        self.stops.mark(text);
        self.open.clear();
        // Room at once for what a record of this length usually has, instead of doubling and copying.
        nodes.reserve((text.len() / USUAL_BYTES_OF_A_NODE).min(limits.values));
        let depth_limit = limits.depth.min(RecordLimits::DEPTH_CEILING);
        let value_limit = limits.values.min(Node::MOST_VALUES);
        let mut pass = Pass { text, stops: &self.stops, nodes, may_repeat: false, value_limit };
        pass.run(&mut self.open, depth_limit, limits.fields)
    }
}

struct Pass<'a> {
    text: &'a [u8],
    stops: &'a Stops,
    nodes: &'a mut Vec<Node>,
    may_repeat: bool,
    value_limit: usize,
}

impl Pass<'_> {
    #[inline(always)]
    fn run(&mut self, open: &mut Vec<Open>, depth_limit: usize, field_limit: usize) -> Option<bool> {
        let mut at = self.skip(0);
        // The container around the current value; the outermost value stands in none.
        let mut around = Open { node: u32::MAX, count: 0, names: Names::default(), is_object: false };
        'value: loop {
            match self.byte(at)? {
                b'"' => at = self.string(at)?,
                first @ (b'{' | b'[') => {
                    let is_object = first == b'{';
                    let node = self.nodes.len();
                    self.push(if is_object { Kind::Object } else { Kind::Array }, false, at, at)?;
                    if open.len() >= depth_limit {
                        return None;
                    }
                    at = self.skip(at + 1);
                    // The closing bracket's code is the opening one's plus two.
                    if self.byte(at)? == first + 2 {
                        at += 1;
                        self.close(node, at, 0)?;
                    } else {
                        open.push(around);
                        around = Open { node: node as u32, count: 1, names: Names::default(), is_object };
                        if is_object {
                            at = self.name(at, &mut around)?;
                        }
                        continue 'value;
                    }
                }
                b'-' | b'0'..=b'9' => {
                    let end = number_at(self.text, at)?.end;
                    self.push(Kind::Number, false, at, end)?;
                    at = end;
                }
                b't' => at = self.literal(Kind::True, at, b"true")?,
                b'f' => at = self.literal(Kind::False, at, b"false")?,
                b'n' => at = self.literal(Kind::Null, at, b"null")?,
                _ => return None,
            }
            // A value is complete: go on in the container around it, or close containers.
            loop {
                at = self.skip(at);
                if around.node == u32::MAX {
                    return (at == self.text.len()).then_some(self.may_repeat);
                }
                match self.byte(at)? {
                    b',' => {
                        around.count += 1;
                        at = self.skip(at + 1);
                        if around.is_object {
                            at = self.name(at, &mut around)?;
                        }
                        continue 'value;
                    }
                    b'}' if around.is_object && around.count as usize <= field_limit => {}
                    b']' if !around.is_object => {}
                    _ => return None,
                }
                at += 1;
                self.close(around.node as usize, at, around.count)?;
                if around.is_object {
                    self.may_repeat |= may_be_equal(self.nodes, around.node as usize, around.count, self.text);
                }
                around = open.pop()?;
            }
        }
    }

    #[inline(always)]
    fn byte(&self, at: usize) -> Option<u8> {
        self.text.get(at).copied()
    }

    /// The first byte at or after `at` that is not white space. Compact JSON has none, so one comparison decides.
    #[inline(always)]
    fn skip(&self, mut at: usize) -> usize {
        while let Some(byte) = self.byte(at) {
            if byte > b' ' || !is_whitespace(byte) {
                break;
            }
            at += 1;
        }
        at
    }

    /// A member name at `at` and the colon behind it; answers the place of the member's value.
    #[inline(always)]
    fn name(&mut self, at: usize, object: &mut Open) -> Option<usize> {
        if self.byte(at)? != b'"' {
            return None;
        }
        let start = at + 1;
        let (mut at, escaped) = self.string_and_escapes(at)?;
        self.may_repeat |= escaped;
        if object.names.enter(self.text, start, at - 1) {
            self.may_repeat |= last_looks_repeated(self.nodes, object.node as usize, object.count, self.text);
        }
        if self.byte(at)? != b':' {
            at = self.skip(at);
            if self.byte(at)? != b':' {
                return None;
            }
        }
        Some(self.skip(at + 1))
    }

    /// A string whose opening quote is at `at`; answers the offset behind it.
    #[inline(always)]
    fn string(&mut self, at: usize) -> Option<usize> {
        Some(self.string_and_escapes(at)?.0)
    }

    /// The same, and whether the string has escapes.
    #[inline(always)]
    fn string_and_escapes(&mut self, at: usize) -> Option<(usize, bool)> {
        let mut escaped = false;
        let mut end = self.stops.next(at + 1)?;
        loop {
            match self.byte(end)? {
                b'"' => break,
                b'\\' => end = self.stops.next(scan_escape(self.text, end).ok()?)?,
                _ => return None,
            }
            escaped = true;
        }
        self.push(Kind::String, escaped, at + 1, end)?;
        Some((end + 1, escaped))
    }

    #[inline(always)]
    fn literal(&mut self, kind: Kind, at: usize, word: &'static [u8]) -> Option<usize> {
        let end = at + word.len();
        if self.text.get(at..end)? != word {
            return None;
        }
        self.push(kind, false, at, end)?;
        Some(end)
    }

    #[inline(always)]
    fn push(&mut self, kind: Kind, escaped: bool, start: usize, end: usize) -> Option<()> {
        let next = self.nodes.len() + 1;
        if next > self.value_limit {
            return None;
        }
        self.nodes.push(Node::new(kind, escaped, start, end, next));
        Some(())
    }

    #[inline(always)]
    fn close(&mut self, node: usize, end: usize, count: u32) -> Option<()> {
        let next = self.nodes.len();
        self.nodes.get_mut(node)?.close(end, next, count);
        Some(())
    }
}
