//! From a record as it came to a line of output.
//!
//! The order is that of the job file: types are checked, `where` decides, then fields are selected or dropped, renamed
//! and set. A specification is compiled once; records then pass through it as slices.

mod csv;
mod json;
mod trie;

pub(crate) use csv::{CsvShaper, Row};
pub(crate) use json::JsonShaper;

use crate::condition::Condition;
use crate::path::FieldPath;
use crate::types::FieldType;

/// What to do with every record.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reshape {
    /// Types that fields must have; values that spell their type are written in it.
    pub types: Vec<(FieldPath, FieldType)>,
    /// Texts that stand for null in fields with a type.
    pub null_tokens: Vec<String>,
    /// Records for which this does not hold are left out.
    pub condition: Option<Condition>,
    /// If not empty, only these fields are written, in this order.
    pub select: Vec<FieldPath>,
    /// Fields that are not written.
    pub drop: Vec<FieldPath>,
    /// New names of fields.
    pub rename: Vec<(FieldPath, String)>,
    /// Constant fields at the end of every record: name and JSON text.
    pub set: Vec<(String, String)>,
}

impl Reshape {
    /// True when records pass unchanged.
    #[must_use]
    pub fn is_identity(&self) -> bool {
        let changes = !self.types.is_empty() || !self.select.is_empty() || !self.drop.is_empty();
        !changes && self.condition.is_none() && self.rename.is_empty() && self.set.is_empty()
    }
}

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Written,
    Filtered,
}

/// The JSON text `"name":`.
fn member_start(name: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(name.len() + 3);
    crate::json::write_json_string(name, &mut text);
    text.push(b':');
    text
}
