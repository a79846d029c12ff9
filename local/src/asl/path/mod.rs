//! JSONPath as Step Functions has it: `$.a.b[0]['c d']` into the data, `$$.Execution.Id` into the context object,
//! `$name.field` into a variable.
//!
//! A path is parsed once, with the definition. A *definite* path (names and indexes alone) names at most one place, and it
//! is an error when nothing is there. An *indefinite* one (wildcard, slice, union, filter, recursive descent) gives an
//! array of all matches, perhaps an empty one. A function such as `.length()` may stand at the end.
//!
//! `parse` reads the text, `walk` follows it, `filter` decides which elements a `[?(…)]` lets through. The semantics are
//! those of the Java library that the service uses, so far as its recorded answers and documentation show them.

use std::borrow::Cow;

use serde_json::Value;

mod filter;
mod parse;
mod place;
#[cfg(test)]
mod tests;
mod walk;

pub(crate) use place::{Step, place};

use filter::Filter;

/// Longest path text, in bytes.
const PATH_BYTES_MAX: usize = 4_096;

/// What a path starts from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Root {
    /// `$`: the data of the state.
    Input,
    /// `$$`: the context object.
    Context,
    /// `$name`: a variable.
    Variable(String),
}

/// One part of a path.
#[derive(Debug, Clone, PartialEq)]
enum Segment {
    /// A field of an object.
    Field(String),
    /// An element of an array, from 0; negative ones count from the end.
    Index(i64),
    /// `*`: every field or element.
    Wildcard,
    /// `['a','b']`
    Fields(Vec<String>),
    /// `[0,2]`
    Indexes(Vec<i64>),
    /// `[1:3]`; negative bounds count from the end.
    Slice(Option<i64>, Option<i64>),
    /// `[?(…)]`: the elements that the filter lets through.
    Filter(Filter),
    /// `..`: the value itself and everything below it.
    Descent,
}

/// A function at the end of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Function {
    Length,
    Min,
    Max,
    Average,
    Sum,
    StandardDeviation,
    Keys,
    First,
    Last,
}

/// A parsed path.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Path {
    text: String,
    root: Root,
    segments: Vec<Segment>,
    function: Option<Function>,
}

/// Why a text is no path; the message names the part that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct PathSyntaxError(String);

impl Path {
    /// Parses a path.
    ///
    /// # Errors
    /// Says what is wrong with the text.
    pub(crate) fn parse(text: &str) -> Result<Self, PathSyntaxError> {
        parse::path(text)
    }

    /// The path `$`.
    pub(crate) fn input() -> Self {
        Self { text: "$".to_owned(), root: Root::Input, segments: Vec::new(), function: None }
    }

    /// The text as written.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// What it starts from.
    pub(crate) fn root(&self) -> &Root {
        &self.root
    }

    /// True for `$`, the whole input.
    pub(crate) fn is_input(&self) -> bool {
        self.root == Root::Input && self.segments.is_empty() && self.function.is_none()
    }

    /// The names and indexes of a path that names one place in an object, `None` for any other.
    pub(crate) fn reference(&self) -> Option<Vec<Step>> {
        if self.function.is_some() {
            return None;
        }
        self.segments
            .iter()
            .map(|segment| match segment {
                Segment::Field(name) => Some(Step::Field(name.clone())),
                Segment::Index(index) => usize::try_from(*index).ok().map(Step::Index),
                _ => None,
            })
            .collect()
    }

    /// The names that the path begins with, up to the first part that is something else.
    pub(crate) fn leading_fields(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().map_while(|segment| match segment {
            Segment::Field(name) => Some(name.as_str()),
            _ => None,
        })
    }

    /// What the path names below `from`; `None` when a definite path leads nowhere.
    pub(crate) fn find<'v>(&self, from: &'v Value) -> Option<Cow<'v, Value>> {
        self.find_after(0, from)
    }

    /// The same, with the first parts of the path followed already.
    pub(crate) fn find_after<'v>(&self, followed: usize, from: &'v Value) -> Option<Cow<'v, Value>> {
        walk::find(&self.segments[followed..], self.function, from)
    }

    /// How many parts the path has.
    pub(crate) fn len(&self) -> usize {
        self.segments.len()
    }

    /// Says where the way from `from` breaks off, in the words of the service.
    pub(crate) fn explain_absence(&self, from: &Value) -> String {
        let mut value = from;
        let mut way = String::from("$");
        for (position, segment) in self.segments.iter().enumerate() {
            let next = match segment {
                Segment::Field(name) => {
                    way.push_str(&format!("['{name}']"));
                    value.as_object().and_then(|fields| fields.get(name))
                }
                Segment::Index(index) => {
                    way.push_str(&format!("[{index}]"));
                    value.as_array().and_then(|elements| walk::element(elements, *index))
                }
                _ => break,
            };
            match next {
                Some(next) => value = next,
                None if position + 1 < self.segments.len() => {
                    return format!("Invalid path '{}' : Missing property in path {way}", self.text);
                }
                None => return format!("Invalid path '{}' : No results for path: {way}", self.text),
            }
        }
        format!("Invalid path '{}'", self.text)
    }
}
