//! Rules of type rules: time formats and time zones go with dates and timestamps, and formats fit the type.

use std::collections::BTreeMap;

use crate::field_path::FieldPath;
use crate::model::{FieldType, TypeRule};
use crate::place::entry_path;
use crate::problem::{Problem, shorten};

/// Checks the rules of `record.types` or `record.cast`.
pub(super) fn check(place: &str, rules: &BTreeMap<FieldPath, TypeRule>, problems: &mut Vec<Problem>) {
    for (field, rule) in rules {
        check_rule(&entry_path(place, field.as_str()), rule, problems);
    }
}

fn check_rule(place: &str, rule: &TypeRule, problems: &mut Vec<Problem>) {
    let TypeRule { field_type, formats, time_zone } = rule;
    let expected = match field_type {
        FieldType::Date => "iso_date, or directives that say a day, such as `%d.%m.%Y`",
        FieldType::Timestamp => "rfc3339, unix, unix_ms, or directives such as `%d/%m/%Y %H:%M`",
        other => {
            let found = format!("the type {}", other.name());
            for (key, is_there) in [("formats", !formats.is_empty()), ("time_zone", time_zone.is_some())] {
                if is_there {
                    let expected = format!("`{key}` only with the types date and timestamp");
                    problems.push(Problem::mismatch(format!("{place}.{key}"), expected, found.clone()));
                }
            }
            return;
        }
    };
    for (index, format) in formats.iter().enumerate() {
        if !format.fits(*field_type) {
            let found = format!("\"{}\"", shorten(format.as_str()));
            problems.push(Problem::mismatch(format!("{place}.formats[{index}]"), expected, found));
        }
    }
}
