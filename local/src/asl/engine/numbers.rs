//! Numbers that a definition gives directly or by a path into the data, with the service's words for wrong ones.

use std::borrow::Cow;

use serde_json::Value;

use crate::asl::context::Scope;
use crate::asl::definition::Given;
use crate::asl::error::StateError;

/// A whole number; the data may hold it as a number or as text.
pub(crate) fn whole(given: &Given<u64>, field: &str, scope: Scope<'_>) -> Result<i64, StateError> {
    let path = match given {
        Given::Fixed(number) => return Ok(i64::try_from(*number).unwrap_or(i64::MAX)),
        Given::At(path) => path,
        Given::Computed(query) => {
            let value = query.evaluate(scope)?;
            let whole = |number: f64| (number.fract() == 0.0 && number.abs() < 9e15).then_some(number as i64);
            return value.as_i64().or(value.as_f64().and_then(whole)).ok_or_else(|| query.unexpected("number", &value));
        }
    };
    let value = scope.find(path).ok_or_else(|| StateError::runtime(scope.explain_absence(path)))?;
    let number = match &*value {
        Value::String(text) => text.parse().ok(),
        other => other.as_i64(),
    };
    number.ok_or_else(|| not_a(&value, field, "integer", path.text()))
}

/// A whole number that is not negative.
pub(crate) fn count(given: &Given<u64>, field: &str, scope: Scope<'_>) -> Result<u64, StateError> {
    u64::try_from(whole(given, field, scope)?).map_err(|_| StateError::runtime(format!("{field} cannot be negative.")))
}

/// A number from 0 to 100.
pub(crate) fn percentage(given: &Given<f64>, field: &str, scope: Scope<'_>) -> Result<f64, StateError> {
    let number = match given {
        Given::Fixed(number) => *number,
        Given::Computed(query) => {
            let value = query.evaluate(scope)?;
            value.as_f64().ok_or_else(|| query.unexpected("number", &value))?
        }
        Given::At(path) => {
            let value = scope.find(path).ok_or_else(|| StateError::runtime(scope.explain_absence(path)))?;
            let number = match &*value {
                Value::String(text) => text.parse().ok(),
                other => other.as_f64(),
            };
            number.ok_or_else(|| not_a(&value, field, "float", path.text()))?
        }
    };
    if (0.0..=100.0).contains(&number) {
        Ok(number)
    } else {
        Err(StateError::runtime(format!("{field} must be between 0 and 100.")))
    }
}

fn not_a(value: &Value, field: &str, kind: &str, path: &str) -> StateError {
    let shown = value.as_str().map_or_else(|| Cow::Owned(value.to_string()), Cow::Borrowed);
    StateError::runtime(format!(
        "The {field}Path field refers to value \"{shown}\" which is not a valid {kind}: {path}"
    ))
}
