//! Column names.

use super::scanner::FieldSpan;
use crate::error::Problem;
use std::collections::HashMap;

/// Names the columns from a header row. A column without a name is called after its number, as in `column_3`.
pub(crate) fn column_names(record: &[u8], fields: &[FieldSpan], quote: Option<u8>) -> Result<Vec<Vec<u8>>, Problem> {
    let mut names: Vec<Vec<u8>> = Vec::with_capacity(fields.len());
    let mut seen: HashMap<Vec<u8>, usize> = HashMap::with_capacity(fields.len());
    for (index, field) in fields.iter().enumerate() {
        let mut name = field.text(record, quote).into_owned();
        if name.is_empty() {
            name = numbered(index);
        }
        if let Some(first) = seen.insert(name.clone(), index) {
            return Err(Problem::DuplicateHeader { first: first + 1, second: index + 1 });
        }
        names.push(name);
    }
    Ok(names)
}

/// The name of a column that has none, by its index from 0.
pub(crate) fn numbered(index: usize) -> Vec<u8> {
    format!("column_{}", index + 1).into_bytes()
}
