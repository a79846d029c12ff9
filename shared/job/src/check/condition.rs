//! Rules of `record.where`: its size, and operands that fit the types of the fields.

use serde_json::value::RawValue;

use crate::condition::{Condition, Scalar};
use crate::limits::{MAX_CONDITION_DEPTH, MAX_CONDITIONS};
use crate::model::{FieldType, Record};
use crate::problem::{Problem, shorten};

pub(super) fn check(record: &Record, problems: &mut Vec<Problem>) {
    if let Some(condition) = &record.condition {
        check_size_of(condition, problems);
        check_operands(record, condition, problems);
    }
}

fn check_size_of(condition: &Condition, problems: &mut Vec<Problem>) {
    let (count, depth) = measure(condition);
    if depth > MAX_CONDITION_DEPTH {
        let expected = format!("conditions nested at most {MAX_CONDITION_DEPTH} deep");
        problems.push(Problem::mismatch("record.where", expected, format!("{depth} levels")));
    }
    if count > MAX_CONDITIONS {
        let expected = format!("at most {MAX_CONDITIONS} conditions");
        problems.push(Problem::mismatch("record.where", expected, format!("{count} conditions")));
    }
}

/// The number of conditions and their depth. The nesting of the file is limited, so the recursion is too.
fn measure(condition: &Condition) -> (usize, usize) {
    let inner = match condition {
        Condition::All(conditions) | Condition::Any(conditions) => conditions.as_slice(),
        Condition::Not(condition) => std::slice::from_ref(condition.as_ref()),
        Condition::Field { .. } => &[],
    };
    inner
        .iter()
        .map(measure)
        .fold((1, 1), |(count, depth), (inner_count, inner_depth)| (count + inner_count, depth.max(inner_depth + 1)))
}

/// A text operand of a field with a numeric type compares by value, so it must be a number.
fn check_operands(record: &Record, condition: &Condition, problems: &mut Vec<Problem>) {
    match condition {
        Condition::All(conditions) | Condition::Any(conditions) => {
            conditions.iter().for_each(|condition| check_operands(record, condition, problems));
        }
        Condition::Not(condition) => check_operands(record, condition, problems),
        Condition::Field { field, operator } => {
            let is_faulty = |scalar: &Scalar| matches!(scalar, Scalar::String(text) if !is_number(text));
            let is_no_instant = |scalar: &Scalar| !matches!(scalar, Scalar::String(text) if is_timestamp(text));
            let is_typed_timestamp = record.type_of(field) == Some(FieldType::Timestamp);
            if is_typed_timestamp && operator.scalars().iter().any(is_no_instant) {
                let (name, field) = (operator.name(), shorten(field.as_str()));
                let expected = format!(
                    "a point in time with an offset, such as \"2026-01-01T00:00:00Z\", as operand of `{name}`, because \
                     `{field}` has the type timestamp"
                );
                problems.push(Problem::mismatch("record.where", expected, "something else"));
            }
            if record.is_numeric(field) && operator.scalars().iter().any(is_faulty) {
                let (name, field) = (operator.name(), shorten(field.as_str()));
                let expected = format!("a number as operand of `{name}`, because `{field}` has a numeric type");
                problems.push(Problem::mismatch("record.where", expected, "a string that is not one"));
            }
        }
    }
}

/// True for a point in time with an offset, as RFC 3339 writes it.
fn is_timestamp(text: &str) -> bool {
    text.len() >= 20 && text.parse::<jiff::Timestamp>().is_ok()
}

/// True for text by the grammar of JSON numbers, whatever its length.
fn is_number(text: &str) -> bool {
    serde_json::from_str::<&RawValue>(text)
        .is_ok_and(|raw| raw.get() == text && !text.starts_with(['"', 't', 'f', 'n', '[', '{']))
}
