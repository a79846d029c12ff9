//! Paths to fields of a record.
//!
//! Two ways to write the same path:
//!
//! * dotted: `customer.address.city`, with array indexes `lines[0].sku` and quoted names `['unit.price'].net` for names
//!   that hold `.`, `[`, `]` or a quote (inside the quotes `\'` is a quote and `\\` a backslash; a dotted name may also
//!   hold `\.` for a dot);
//! * JSON Pointer (RFC 6901), which begins with `/`: `/customer/address/city`, `/lines/0/sku`. A number in a pointer is
//!   an array index; the member `0` of an object is written `['0']`.
//!
//! The text is kept as written, because it is what people see in messages. Two paths are equal when their segments are.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer};
use serde::{Serialize, Serializer};

use crate::limits::{MAX_FIELD_PATH_BYTES, MAX_FIELD_PATH_SEGMENTS};
use crate::names::{deserialize_text, pointer_tokens};

/// One step of a [`FieldPath`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
    /// The member of an object with this name; a CSV column.
    Name(String),
    /// The element of an array with this index, counted from 0.
    Index(usize),
}

/// A checked path to a field: 1 to 32 segments, at most 1024 bytes of text, no control characters.
#[derive(Debug, Clone)]
pub struct FieldPath {
    text: String,
    segments: Vec<Segment>,
}

impl FieldPath {
    /// Reads a dotted path or a JSON Pointer. The error says what was expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() || text.len() > MAX_FIELD_PATH_BYTES {
            return Err(format!("a field path of 1 to {MAX_FIELD_PATH_BYTES} bytes"));
        }
        if text.chars().any(char::is_control) {
            return Err("a field path without control characters".to_owned());
        }
        let segments = if text.starts_with('/') { pointer(text)? } else { Dotted { rest: text }.segments()? };
        if segments.len() > MAX_FIELD_PATH_SEGMENTS {
            return Err(format!("a field path of at most {MAX_FIELD_PATH_SEGMENTS} segments"));
        }
        Ok(Self { text: text.to_owned(), segments })
    }

    /// The path as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The steps from the record to the field; never empty.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The name under which a selected field appears in the output: the last name of the path.
    #[must_use]
    pub fn output_name(&self) -> &str {
        let last_name = self.segments.iter().rev().find_map(|segment| match segment {
            Segment::Name(name) => Some(name.as_str()),
            Segment::Index(_) => None,
        });
        last_name.unwrap_or(&self.text)
    }

    /// All steps but the last.
    pub(crate) fn parent(&self) -> &[Segment] {
        self.segments.split_last().map(|(_, parent)| parent).unwrap_or_default()
    }

    /// The name when the path is a single name, that is a top-level field or a CSV column.
    #[must_use]
    pub fn as_column(&self) -> Option<&str> {
        match self.segments.as_slice() {
            [Segment::Name(name)] => Some(name),
            _ => None,
        }
    }
}

fn pointer(text: &str) -> Result<Vec<Segment>, String> {
    let segment = |token: String| {
        let is_index = token == "0" || (!token.starts_with('0') && token.bytes().all(|byte| byte.is_ascii_digit()));
        match token.parse::<usize>() {
            Ok(index) if is_index => Segment::Index(index),
            _ => Segment::Name(token),
        }
    };
    Ok(pointer_tokens(text)?.into_iter().map(segment).collect())
}

/// The dotted notation, read from left to right.
struct Dotted<'a> {
    rest: &'a str,
}

impl Dotted<'_> {
    fn segments(mut self) -> Result<Vec<Segment>, String> {
        let mut segments = Vec::new();
        if !self.rest.starts_with('[') {
            segments.push(self.name()?);
        }
        while let Some(first) = self.rest.chars().next() {
            self.rest = &self.rest[first.len_utf8()..];
            segments.push(match first {
                '.' => self.name()?,
                '[' if self.rest.starts_with('\'') => self.quoted()?,
                '[' => self.index()?,
                _ => return Err("a field path with `.` or `[` after `]`".to_owned()),
            });
        }
        Ok(segments)
    }

    fn name(&mut self) -> Result<Segment, String> {
        let mut name = String::new();
        let mut letters = self.rest.char_indices();
        let mut end = self.rest.len();
        while let Some((position, letter)) = letters.next() {
            match letter {
                '.' | '[' => {
                    end = position;
                    break;
                }
                '\\' => match letters.next() {
                    Some((_, escaped @ ('.' | '[' | ']' | '\\' | '\''))) => name.push(escaped),
                    _ => return Err("a field path in which `\\` is followed by `.`, `[`, `]`, `'` or `\\`".to_owned()),
                },
                ']' | '\'' => {
                    return Err("a field path with `['…']` around names that hold brackets or quotes".to_owned());
                }
                _ => name.push(letter),
            }
        }
        if name.is_empty() {
            return Err("a field path without empty names".to_owned());
        }
        self.rest = &self.rest[end..];
        Ok(Segment::Name(name))
    }

    fn quoted(&mut self) -> Result<Segment, String> {
        let unclosed = || "a field path in which `['` is closed by `']`".to_owned();
        let mut name = String::new();
        let mut letters = self.rest.char_indices().skip(1);
        while let Some((position, letter)) = letters.next() {
            match letter {
                '\'' => {
                    self.rest = self.rest[position + 1..].strip_prefix(']').ok_or_else(unclosed)?;
                    return Ok(Segment::Name(name));
                }
                '\\' => match letters.next() {
                    Some((_, escaped @ ('\'' | '\\'))) => name.push(escaped),
                    _ => return Err("a field path in which `\\` inside quotes is followed by `'` or `\\`".to_owned()),
                },
                _ => name.push(letter),
            }
        }
        Err(unclosed())
    }

    fn index(&mut self) -> Result<Segment, String> {
        let expected = || "a field path with an array index such as `[0]` in brackets".to_owned();
        let (digits, rest) = self.rest.split_once(']').ok_or_else(expected)?;
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(expected());
        }
        self.rest = rest;
        digits.parse().map(Segment::Index).map_err(|_| expected())
    }
}

impl PartialEq for FieldPath {
    fn eq(&self, other: &Self) -> bool {
        self.segments == other.segments
    }
}

impl Eq for FieldPath {}

impl PartialOrd for FieldPath {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for FieldPath {
    fn cmp(&self, other: &Self) -> Ordering {
        self.segments.cmp(&other.segments)
    }
}

impl std::hash::Hash for FieldPath {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.segments.hash(state);
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl Serialize for FieldPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for FieldPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize_text(deserializer, "a field path", Self::parse)
    }
}

impl JsonSchema for FieldPath {
    fn schema_name() -> Cow<'static, str> {
        "FieldPath".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "minLength": 1,
            "maxLength": 1024,
            "description": "A path to a field: dotted (`customer.city`, `lines[0].sku`, `['unit.price']`) or a JSON \
                            Pointer that begins with `/`."
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names are written as they are, indexes as `#0`.
    fn check(text: &str, expected: &[&str]) {
        let path = FieldPath::parse(text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
        let segments: Vec<String> = path
            .segments()
            .iter()
            .map(|segment| match segment {
                Segment::Name(name) => name.clone(),
                Segment::Index(index) => format!("#{index}"),
            })
            .collect();
        assert_eq!(segments, expected, "{text:?}");
        assert_eq!(path.as_str(), text);
    }

    #[test]
    fn both_notations_are_read() {
        check("id", &["id"]);
        check("a.b.c", &["a", "b", "c"]);
        check("Unit Price (EUR)", &["Unit Price (EUR)"]);
        check("lines[0].sku", &["lines", "#0", "sku"]);
        check("[3][12]", &["#3", "#12"]);
        check("['unit.price'].net", &["unit.price", "net"]);
        check("a['it\\'s']['b\\\\c']", &["a", "it's", "b\\c"]);
        check("unit\\.price.net", &["unit.price", "net"]);
        check("größe.ß", &["größe", "ß"]);
        check("['']", &[""]);
        check("/a/b", &["a", "b"]);
        check("/lines/0/sku", &["lines", "#0", "sku"]);
        check("/01/-1", &["01", "-1"]);
        check("/a~1b/~0c", &["a/b", "~c"]);
        check("/", &[""]);
    }

    #[test]
    fn faulty_paths_are_refused() {
        let long = "x".repeat(MAX_FIELD_PATH_BYTES + 1);
        let deep = vec!["x"; MAX_FIELD_PATH_SEGMENTS + 1].join(".");
        for text in [
            "",
            ".",
            "a.",
            ".a",
            "a..b",
            "a[",
            "a[]",
            "a[x]",
            "a[-1]",
            "a[0",
            "a['b'",
            "a['b",
            "a[0]b",
            "a[0]é",
            "a]",
            "it's",
            "a\\b",
            "a\\",
            "['\\x']",
            "/~2",
            "/~",
            "a\u{0}b",
            "a\nb",
            "a[99999999999999999999]",
            &long,
            &deep,
        ] {
            assert!(FieldPath::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_two_notations_of_one_path_are_equal() {
        assert_eq!(FieldPath::parse("a.b[0]"), FieldPath::parse("/a/b/0"));
        assert_eq!(FieldPath::parse("a.b[0]").map(|path| path.output_name().to_owned()), Ok("b".to_owned()));
    }
}
