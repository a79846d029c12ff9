//! Puts a result into the data at the place that `ResultPath` names.

use serde_json::{Map, Value};

/// One step down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// A field of an object.
    Field(String),
    /// An element of an array, from 0.
    Index(usize),
}

/// Puts a result into the data at the place that the steps name, making the objects on the way.
///
/// # Errors
/// Returns the step that cannot be taken: a field of something that is no object, or an element that does not exist.
pub(crate) fn place(target: &mut Value, steps: &[Step], result: Value) -> Result<(), Step> {
    let mut here = target;
    for step in steps {
        here = match (step, here) {
            (Step::Field(name), Value::Object(fields)) => {
                fields.entry(name.clone()).or_insert_with(|| Value::Object(Map::new()))
            }
            (Step::Index(index), Value::Array(elements)) if *index < elements.len() => &mut elements[*index],
            _ => return Err(step.clone()),
        };
    }
    *here = result;
    Ok(())
}
