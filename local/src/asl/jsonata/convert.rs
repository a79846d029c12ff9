//! Between JSON values and the values of the JSONata crate.
//!
//! JSONata has one kind of number, the double: whole numbers beyond 2^53 lose digits, as they do in the service.

use jsonata_core::value::JValue;
use serde_json::{Number, Value};

/// Largest whole number that a double still tells from its neighbours.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// A JSON value as JSONata sees it.
pub(super) fn from_json(value: &Value) -> JValue {
    JValue::from(value.clone())
}

/// The JSON of a value; `None` when there is a function or a pattern in it. Fields without a value fall away.
pub(super) fn to_json(value: &JValue) -> Option<Value> {
    Some(match value {
        JValue::Null | JValue::Undefined => Value::Null,
        JValue::Bool(truth) => Value::Bool(*truth),
        JValue::Number(number) => number_json(*number)?,
        JValue::String(text) => Value::String(text.to_string()),
        JValue::Array(elements) => Value::Array(elements.iter().map(to_json).collect::<Option<_>>()?),
        JValue::Object(fields) => Value::Object(
            fields
                .iter()
                .filter(|(_, field)| !field.is_undefined())
                .map(|(name, field)| Some((name.clone(), to_json(field)?)))
                .collect::<Option<_>>()?,
        ),
        JValue::Lambda(_) | JValue::Builtin { .. } | JValue::Regex { .. } => return None,
    })
}

fn number_json(number: f64) -> Option<Value> {
    if number.fract() == 0.0 && number.abs() < WHOLE_MAX {
        return Some(Value::from(number as i64));
    }
    Number::from_f64(number).map(Value::Number)
}
