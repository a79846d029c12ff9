//! The index by recursive descent, one byte after another.
//!
//! This is the definition of what a record is: plain code along RFC 8259 that knows where and why a record is refused.
//! It runs when the fast way (`fast`) has doubts.

use super::grammar::{scan_escape, scan_number, scan_string, skip_whitespace};
use super::node::{Kind, Node};
use crate::error::Problem;
use crate::limits::RecordLimits;

/// Checks a record and lists its values in `nodes`, which is empty.
///
/// # Errors
/// The first place where the record is not JSON or passes a limit.
#[cold]
pub(super) fn build(nodes: &mut Vec<Node>, text: &[u8], limits: &RecordLimits) -> Result<(), Problem> {
    let mut builder = Builder { nodes, text, limits };
    let after = builder.value(skip_whitespace(text, 0), limits.depth.min(RecordLimits::DEPTH_CEILING))?;
    let end = skip_whitespace(text, after);
    if end != text.len() {
        return Err(invalid("nothing after the value", end));
    }
    Ok(())
}

fn invalid(expected: &'static str, offset: usize) -> Problem {
    Problem::InvalidJson { expected, offset }
}

struct Builder<'a> {
    nodes: &'a mut Vec<Node>,
    text: &'a [u8],
    limits: &'a RecordLimits,
}

impl Builder<'_> {
    #[inline(always)]
    fn push(&mut self, kind: Kind, escaped: bool, start: usize, end: usize) -> Result<(), Problem> {
        if self.nodes.len() >= self.limits.values {
            return Err(Problem::TooManyValues { limit: self.limits.values });
        }
        self.nodes.push(Node::new(kind, escaped, start, end, self.nodes.len() + 1));
        Ok(())
    }

    /// Indexes the value at `at` and returns the offset after it.
    fn value(&mut self, at: usize, depth: usize) -> Result<usize, Problem> {
        match self.text.get(at) {
            Some(b'"') => self.string(at + 1),
            Some(b'{') => self.object(at, depth),
            Some(b'[') => self.array(at, depth),
            Some(b'-' | b'0'..=b'9') => {
                let end = scan_number(self.text, at).map_err(|offset| invalid("a digit", offset))?;
                self.push(Kind::Number, false, at, end)?;
                Ok(end)
            }
            Some(b't') => self.literal(at, b"true", Kind::True),
            Some(b'f') => self.literal(at, b"false", Kind::False),
            Some(b'n') => self.literal(at, b"null", Kind::Null),
            _ => Err(invalid("a JSON value", at)),
        }
    }

    fn literal(&mut self, at: usize, word: &'static [u8], kind: Kind) -> Result<usize, Problem> {
        let end = at + word.len();
        if self.text.get(at..end) != Some(word) {
            return Err(invalid("`true`, `false` or `null`", at));
        }
        self.push(kind, false, at, end)?;
        Ok(end)
    }

    /// Indexes a string from the byte after its opening quote.
    #[inline(always)]
    fn string(&mut self, start: usize) -> Result<usize, Problem> {
        let mut at = start;
        let mut escaped = false;
        loop {
            at = scan_string(self.text, at);
            match self.text.get(at) {
                Some(b'"') => {
                    self.push(Kind::String, escaped, start, at)?;
                    return Ok(at + 1);
                }
                Some(b'\\') => {
                    escaped = true;
                    at = scan_escape(self.text, at).map_err(|offset| invalid("a valid escape sequence", offset))?;
                }
                Some(_) => return Err(invalid("an escaped control character", at)),
                None => return Err(invalid("the closing quote of a string", at)),
            }
        }
    }

    fn open(&mut self, kind: Kind, at: usize, depth: usize) -> Result<usize, Problem> {
        if depth == 0 {
            let limit = self.limits.depth.min(RecordLimits::DEPTH_CEILING);
            return Err(Problem::TooDeep { limit, offset: at });
        }
        let node = self.nodes.len();
        self.push(kind, false, at, at)?;
        Ok(node)
    }

    fn close(&mut self, node: usize, end: usize, count: u32) {
        let next = self.nodes.len();
        self.nodes[node].close(end, next, count);
    }

    fn object(&mut self, start: usize, depth: usize) -> Result<usize, Problem> {
        let node = self.open(Kind::Object, start, depth)?;
        let mut at = skip_whitespace(self.text, start + 1);
        let mut count = 0_u32;
        if self.text.get(at) == Some(&b'}') {
            self.close(node, at + 1, count);
            return Ok(at + 1);
        }
        loop {
            if self.text.get(at) != Some(&b'"') {
                return Err(invalid("a member name in quotes", at));
            }
            count += 1;
            if count as usize > self.limits.fields {
                return Err(Problem::TooManyFields { limit: self.limits.fields });
            }
            at = self.string(at + 1)?;
            at = skip_whitespace(self.text, at);
            if self.text.get(at) != Some(&b':') {
                return Err(invalid("`:`", at));
            }
            at = self.value(skip_whitespace(self.text, at + 1), depth - 1)?;
            at = skip_whitespace(self.text, at);
            match self.text.get(at) {
                Some(b',') => at = skip_whitespace(self.text, at + 1),
                Some(b'}') => {
                    self.close(node, at + 1, count);
                    return Ok(at + 1);
                }
                _ => return Err(invalid("`,` or `}`", at)),
            }
        }
    }

    fn array(&mut self, start: usize, depth: usize) -> Result<usize, Problem> {
        let node = self.open(Kind::Array, start, depth)?;
        let mut at = skip_whitespace(self.text, start + 1);
        let mut count = 0_u32;
        if self.text.get(at) == Some(&b']') {
            self.close(node, at + 1, count);
            return Ok(at + 1);
        }
        loop {
            count += 1;
            at = self.value(at, depth - 1)?;
            at = skip_whitespace(self.text, at);
            match self.text.get(at) {
                Some(b',') => at = skip_whitespace(self.text, at + 1),
                Some(b']') => {
                    self.close(node, at + 1, count);
                    return Ok(at + 1);
                }
                _ => return Err(invalid("`,` or `]`", at)),
            }
        }
    }
}
