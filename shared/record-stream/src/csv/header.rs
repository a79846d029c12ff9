//! Column names.

use super::dialect::{CsvDialect, DuplicateNames, EmptyNames};
use super::field::{FieldSpan, Quoting};
use crate::error::Problem;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// Names the columns from a header row, as the dialect wants names that are missing or come twice.
pub(crate) fn column_names(record: &[u8], fields: &[FieldSpan], dialect: &CsvDialect) -> Result<Vec<Vec<u8>>, Problem> {
    let quoting = Quoting { quote: dialect.quote, escape: dialect.escape };
    let mut names: Vec<Vec<u8>> = fields.iter().map(|field| field.text(record, quoting).into_owned()).collect();
    // Names as they are written come first, so that none of them gives way to one that is made.
    let mut taken: HashMap<Vec<u8>, usize> = HashMap::with_capacity(names.len());
    let mut again = Vec::new();
    for (index, name) in names.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
        match taken.entry(name.clone()) {
            Entry::Vacant(entry) => {
                entry.insert(index);
            }
            Entry::Occupied(entry) if dialect.duplicate_names == DuplicateNames::Fail => {
                return Err(Problem::DuplicateHeader { first: entry.get() + 1, second: index + 1 });
            }
            Entry::Occupied(_) => again.push(index),
        }
    }
    for (index, name) in names.iter_mut().enumerate().filter(|(_, name)| name.is_empty()) {
        if dialect.empty_names == EmptyNames::Fail {
            return Err(Problem::EmptyHeader { column: index + 1 });
        }
        *name = numbered(index);
        match taken.entry(name.clone()) {
            Entry::Vacant(entry) => {
                entry.insert(index);
            }
            Entry::Occupied(_) => again.push(index),
        }
    }
    let mut last_numbers: HashMap<Vec<u8>, usize> = HashMap::new();
    for index in again {
        let number = last_numbers.entry(names[index].clone()).or_insert(1);
        let name = loop {
            *number += 1;
            let mut name = names[index].clone();
            name.extend_from_slice(format!("_{number}").as_bytes());
            if let Entry::Vacant(entry) = taken.entry(name.clone()) {
                entry.insert(index);
                break name;
            }
        };
        names[index] = name;
    }
    Ok(names)
}

/// The name of a column that has none, by its index from 0.
pub(crate) fn numbered(index: usize) -> Vec<u8> {
    format!("column_{}", index + 1).into_bytes()
}
