//! The intrinsic functions that work on arrays.

use serde_json::{Value, json};

use super::functions::whole;

/// Most elements of a range, as in the service.
const RANGE_ELEMENTS_MAX: usize = 1_000;

fn array(value: &Value) -> Result<&Vec<Value>, String> {
    value.as_array().ok_or_else(|| "the first argument must be an array".to_owned())
}

pub(super) fn contains(elements: &Value, wanted: &Value) -> Result<Value, String> {
    Ok(json!(array(elements)?.contains(wanted)))
}

pub(super) fn get_item(elements: &Value, index: &Value) -> Result<Value, String> {
    let elements = array(elements)?;
    let index = whole(index, "the index")?;
    usize::try_from(index)
        .ok()
        .and_then(|index| elements.get(index))
        .cloned()
        .ok_or_else(|| format!("the index {index} is outside of the array of {} elements", elements.len()))
}

pub(super) fn length(elements: &Value) -> Result<Value, String> {
    Ok(json!(array(elements)?.len()))
}

pub(super) fn partition(elements: &Value, size: &Value) -> Result<Value, String> {
    let elements = array(elements)?;
    let size = usize::try_from(whole(size, "the size")?).ok().filter(|size| *size > 0);
    let size = size.ok_or("the size must be a positive whole number")?;
    Ok(elements.chunks(size).map(|part| Value::Array(part.to_vec())).collect())
}

/// The numbers from the first to the last, both included.
pub(super) fn range(first: &Value, last: &Value, step: &Value) -> Result<Value, String> {
    let (first, last, step) =
        (whole(first, "the first number")?, whole(last, "the last number")?, whole(step, "the step")?);
    if step == 0 {
        return Err("the step must not be 0".to_owned());
    }
    let mut numbers = Vec::new();
    let mut number = first;
    while if step > 0 { number <= last } else { number >= last } {
        if numbers.len() == RANGE_ELEMENTS_MAX {
            return Err(format!("the range has more than {RANGE_ELEMENTS_MAX} elements"));
        }
        numbers.push(Value::from(number));
        number = number.checked_add(step).ok_or("the range leaves the whole numbers")?;
    }
    Ok(Value::Array(numbers))
}

/// Each different element once, in the order of first appearance.
pub(super) fn unique(elements: &Value) -> Result<Value, String> {
    let mut seen = std::collections::HashSet::new();
    // Elements are compared by their JSON text, because JSON values cannot be hashed.
    Ok(array(elements)?.iter().filter(|element| seen.insert(element.to_string())).cloned().collect())
}
