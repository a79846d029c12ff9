//! Paths to a field of a record.

use std::fmt;
use std::sync::Arc;

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Segment {
    /// A member of an object.
    Name(String),
    /// An element of an array, from 0.
    Index(usize),
}

/// A path to a field, with the text that the user wrote.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FieldPath {
    text: Arc<str>,
    segments: Vec<Segment>,
}

impl FieldPath {
    /// Makes a path from its parts; `text` is how messages name it. A path has at least one segment: an empty list
    /// becomes one name, the text itself.
    #[must_use]
    pub fn new(text: &str, segments: Vec<Segment>) -> Self {
        let segments = if segments.is_empty() { vec![Segment::Name(text.to_owned())] } else { segments };
        Self { text: text.into(), segments }
    }

    /// A path of one name.
    #[must_use]
    pub fn name(name: &str) -> Self {
        Self::new(name, vec![Segment::Name(name.to_owned())])
    }

    /// The text that the user wrote.
    #[must_use]
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// The steps, outermost first; never empty.
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

    /// The CSV column that is meant. A header may contain dots, so of a longer path it is the text as written.
    #[must_use]
    pub fn column(&self) -> &str {
        match self.segments.as_slice() {
            [Segment::Name(name)] => name,
            _ => &self.text,
        }
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}
