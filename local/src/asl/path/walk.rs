//! Follows a path through a value.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::{Function, Segment};

/// What the segments name below `from`.
pub(super) fn find<'v>(segments: &[Segment], function: Option<Function>, from: &'v Value) -> Option<Cow<'v, Value>> {
    let definite = segments.iter().all(|segment| matches!(segment, Segment::Field(_) | Segment::Index(_)));
    let found = if definite {
        Cow::Borrowed(segments.iter().try_fold(from, one)?)
    } else {
        Cow::Owned(Value::Array(matches(segments, from).into_iter().cloned().collect()))
    };
    match function {
        None => Some(found),
        Some(function) => compute(function, &found).map(Cow::Owned),
    }
}

/// An element by its index; negative ones count from the end.
pub(super) fn element(elements: &[Value], index: i64) -> Option<&Value> {
    let index = if index < 0 { index.checked_add(i64::try_from(elements.len()).ok()?)? } else { index };
    elements.get(usize::try_from(index).ok()?)
}

fn one<'v>(value: &'v Value, segment: &Segment) -> Option<&'v Value> {
    match segment {
        Segment::Field(name) => value.as_object()?.get(name),
        Segment::Index(index) => element(value.as_array()?, *index),
        _ => None,
    }
}

/// All places that the segments name, in document order.
pub(super) fn matches<'v>(segments: &[Segment], from: &'v Value) -> Vec<&'v Value> {
    let mut found = vec![from];
    for segment in segments {
        let mut next = Vec::new();
        for value in found {
            step(segment, value, &mut next);
        }
        found = next;
    }
    found
}

fn step<'v>(segment: &Segment, value: &'v Value, next: &mut Vec<&'v Value>) {
    match segment {
        Segment::Field(_) | Segment::Index(_) => next.extend(one(value, segment)),
        Segment::Wildcard => children(value, next),
        Segment::Fields(names) => {
            if let Value::Object(fields) = value {
                next.extend(names.iter().filter_map(|name| fields.get(name)));
            }
        }
        Segment::Indexes(indexes) => {
            if let Value::Array(elements) = value {
                next.extend(indexes.iter().filter_map(|index| element(elements, *index)));
            }
        }
        Segment::Slice(from, to) => {
            if let Value::Array(elements) = value {
                let (from, to) = (bound(*from, elements.len(), 0), bound(*to, elements.len(), elements.len()));
                next.extend(elements.iter().take(to).skip(from));
            }
        }
        Segment::Filter(filter) => match value {
            Value::Array(elements) => next.extend(elements.iter().filter(|element| filter.holds(element))),
            // An object is let through or not as a whole.
            Value::Object(_) if filter.holds(value) => next.push(value),
            _ => {}
        },
        Segment::Descent => descend(value, next),
    }
}

fn children<'v>(value: &'v Value, next: &mut Vec<&'v Value>) {
    match value {
        Value::Array(elements) => next.extend(elements),
        Value::Object(fields) => next.extend(fields.values()),
        _ => {}
    }
}

/// The value itself and all containers below it. serde_json reads no deeper than 128 levels, so the recursion ends.
fn descend<'v>(value: &'v Value, next: &mut Vec<&'v Value>) {
    if value.is_array() || value.is_object() {
        next.push(value);
    }
    match value {
        Value::Array(elements) => elements.iter().for_each(|element| descend(element, next)),
        Value::Object(fields) => fields.values().for_each(|field| descend(field, next)),
        _ => {}
    }
}

fn bound(bound: Option<i64>, length: usize, absent: usize) -> usize {
    let Some(bound) = bound else { return absent };
    let magnitude = usize::try_from(bound.unsigned_abs()).unwrap_or(usize::MAX);
    if bound < 0 { length.saturating_sub(magnitude) } else { magnitude.min(length) }
}

fn compute(function: Function, value: &Value) -> Option<Value> {
    let numbers = || -> Option<Vec<f64>> {
        let numbers: Vec<_> = value.as_array()?.iter().filter_map(Value::as_f64).collect();
        (!numbers.is_empty()).then_some(numbers)
    };
    let mean = |numbers: &[f64]| numbers.iter().sum::<f64>() / numbers.len() as f64;
    Some(match function {
        Function::Length => json!(match value {
            Value::Array(elements) => elements.len(),
            Value::Object(fields) => fields.len(),
            Value::String(text) => text.chars().count(),
            _ => return None,
        }),
        Function::Keys => json!(value.as_object().map(Map::keys)?.collect::<Vec<_>>()),
        Function::First => value.as_array()?.first()?.clone(),
        Function::Last => value.as_array()?.last()?.clone(),
        Function::Min => json!(numbers()?.into_iter().fold(f64::INFINITY, f64::min)),
        Function::Max => json!(numbers()?.into_iter().fold(f64::NEG_INFINITY, f64::max)),
        Function::Sum => json!(numbers()?.iter().sum::<f64>()),
        Function::Average => json!(mean(&numbers()?)),
        Function::StandardDeviation => {
            let numbers = numbers()?;
            let mean = mean(&numbers);
            let squares: f64 = numbers.iter().map(|number| (number - mean).powi(2)).sum();
            json!((squares / numbers.len() as f64).sqrt())
        }
    })
}
