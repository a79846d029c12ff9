//! From a record as it came to a line of output.
//!
//! The order is that of the job file: the schema is checked, an array is exploded, types are checked, `where` decides,
//! then fields are selected or dropped, renamed, cast and set. A specification is compiled once; records then pass
//! through it as slices.

mod csv;
mod csv_plan;
mod find;
mod json;
mod trie;
mod write;

pub(crate) use csv::{CsvShaper, Row};
pub(crate) use json::JsonShaper;

use crate::condition::Condition;
use crate::path::FieldPath;
use crate::schema::Schema;
use crate::types::TypeRule;

/// What to do with every record.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reshape {
    /// Types that fields must have; values that spell their type are written in it.
    pub types: Vec<(FieldPath, TypeRule)>,
    /// Texts that stand for null in fields with a type.
    pub null_tokens: Vec<String>,
    /// What a record must keep: a JSON record as it comes, a CSV record as its types make it.
    pub schema: Option<Schema>,
    /// An array of a JSON record: each element makes a record of its own, in which it stands in the array's place.
    pub explode: Option<FieldPath>,
    /// Records for which this does not hold are left out.
    pub condition: Option<Condition>,
    /// If not empty, only these fields are written, in this order.
    pub select: Vec<FieldPath>,
    /// Fields that are not written.
    pub drop: Vec<FieldPath>,
    /// New names of fields.
    pub rename: Vec<(FieldPath, String)>,
    /// Types that fields of the output have; values are converted. Paths name fields as they come.
    pub cast: Vec<(FieldPath, TypeRule)>,
    /// Constant fields at the end of every record: name and JSON text.
    pub set: Vec<(String, String)>,
}

impl Reshape {
    /// True when records that keep the schema pass unchanged.
    #[must_use]
    pub fn is_identity(&self) -> bool {
        let is_ruled = !self.types.is_empty() || !self.cast.is_empty() || self.explode.is_some();
        let is_cut = !self.select.is_empty() || !self.drop.is_empty() || self.condition.is_some();
        !is_ruled && !is_cut && self.rename.is_empty() && self.set.is_empty()
    }
}

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// One line, to which a line break must be added.
    Written,
    /// Left out.
    Filtered,
    /// An array was exploded into these; lines have their breaks. Together they are two at least, or one written.
    Exploded { written: u64, filtered: u64 },
}

/// The JSON text `"name":`.
fn member_start(name: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(name.len() + 3);
    crate::json::write_json_string(name, &mut text);
    text.push(b':');
    text
}
