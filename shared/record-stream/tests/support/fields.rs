//! Field paths as they are written in tests.

use record_stream::{FieldPath, Segment};

/// A dotted path; a number is an index.
pub(crate) fn path(text: &str) -> FieldPath {
    let segment = |part: &str| part.parse().map_or_else(|_| Segment::Name(part.to_owned()), Segment::Index);
    FieldPath::new(text, text.split('.').map(segment).collect())
}

pub(crate) fn paths(texts: &[&str]) -> Vec<FieldPath> {
    texts.iter().map(|text| path(text)).collect()
}
