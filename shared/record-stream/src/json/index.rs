//! The structural index of one JSON record.

use super::grammar::{scan_escape, scan_number, scan_string, skip_whitespace};
use super::value::Value;
use crate::error::Problem;
use crate::limits::RecordLimits;

/// The kind of a JSON value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `null`
    Null,
    /// `true`
    True,
    /// `false`
    False,
    /// A number, kept as text.
    Number,
    /// A string, kept as text between its quotes.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl Kind {
    /// The kind in words, for messages.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::True | Self::False => "a boolean",
            Self::Number => "a number",
            Self::String => "a string",
            Self::Array => "an array",
            Self::Object => "an object",
        }
    }
}

/// One value or object key. Offsets count from the start of the record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    pub(super) kind: Kind,
    /// For strings: the text holds a backslash, so it differs from its meaning.
    pub(super) escaped: bool,
    /// First byte of the text; for strings the one after the opening quote.
    pub(super) start: u32,
    /// One past the last byte; for strings the closing quote.
    pub(super) end: u32,
    /// Index of the node after this value and everything inside it.
    pub(super) next: u32,
    /// Members of an object, elements of an array.
    pub(super) count: u32,
}

/// A reusable index: its vector grows to the largest record seen and is then allocation free.
#[derive(Debug, Default)]
pub struct Index {
    pub(super) nodes: Vec<Node>,
}

impl Index {
    /// Checks a record against the JSON grammar and the limits and lists its values. The caller has checked UTF-8.
    ///
    /// # Errors
    /// The first place where the record is not JSON or passes a limit.
    pub fn build<'a>(&'a mut self, record: &'a [u8], limits: &RecordLimits) -> Result<Value<'a>, Problem> {
        self.nodes.clear();
        if u32::try_from(record.len()).is_err() {
            return Err(Problem::RecordTooLarge { limit: u32::MAX as usize });
        }
        let mut builder = Builder { nodes: &mut self.nodes, text: record, limits };
        let after = builder.value(skip_whitespace(record, 0), limits.depth.min(RecordLimits::DEPTH_CEILING))?;
        let end = skip_whitespace(record, after);
        if end != record.len() {
            return Err(invalid("nothing after the value", end));
        }
        Ok(Value::root(record, &self.nodes))
    }
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
        let next = self.nodes.len() as u32 + 1;
        self.nodes.push(Node { kind, escaped, start: start as u32, end: end as u32, next, count: 0 });
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
        let next = self.nodes.len() as u32;
        let node = &mut self.nodes[node];
        node.end = end as u32;
        node.next = next;
        node.count = count;
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
