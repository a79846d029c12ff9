//! The lines of an NDJSON file, each checked to be one JSON value.

use std::path::Path;

use serde::de::IgnoredAny;

use super::{Found, Span, utf8};
use crate::sample::error::SampleError;

pub(super) fn find(path: &Path, bytes: &[u8]) -> Result<Vec<Span>, SampleError> {
    let text = utf8(path, bytes, "NDJSON")?;
    let mut found = Found::new(path);
    let mut start = 0;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let value = line.trim_ascii();
        if !value.is_empty() {
            serde_json::from_str::<IgnoredAny>(value).map_err(|error| SampleError::Malformed {
                path: path.to_owned(),
                format: "NDJSON",
                reason: format!("line {} is not one JSON value (column {})", number + 1, error.column()),
            })?;
            let from = start + (line.len() - line.trim_ascii_start().len());
            found.add(from, from + value.len())?;
        }
        start += line.len();
    }
    found.finish("expected one JSON value a line")
}
