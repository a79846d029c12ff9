//! The functions that Step Functions adds to JSONata, and `$eval`, which it does not have.

use jsonata_core::evaluator::{Evaluator, EvaluatorError};
use jsonata_core::value::JValue;
use serde_json::{Value, json};

use super::convert::{from_json, to_json};
use crate::asl::intrinsic::{Function, compute_values};

/// Adds the functions to an evaluator.
pub(super) fn register(evaluator: &mut Evaluator) -> Result<(), EvaluatorError> {
    evaluator.register_fn("partition", |arguments: &[JValue]| call(Function::ArrayPartition, arguments))?;
    evaluator.register_fn("range", |arguments: &[JValue]| call(Function::ArrayRange, arguments))?;
    evaluator.register_fn("hash", |arguments: &[JValue]| call(Function::Hash, arguments))?;
    evaluator.register_fn("uuid", |arguments: &[JValue]| call(Function::Uuid, arguments))?;
    evaluator.register_fn("parse", |arguments: &[JValue]| call(Function::StringToJson, arguments))?;
    evaluator.register_fn_override("random", random)?;
    evaluator.register_fn_override("eval", |_: &[JValue]| {
        Err(EvaluatorError::EvaluationError("the function $eval is not available in Step Functions".to_owned()))
    })
}

/// A call of the intrinsic function that does the same.
fn call(function: Function, arguments: &[JValue]) -> Result<JValue, EvaluatorError> {
    if arguments.iter().any(JValue::is_undefined) {
        return Ok(JValue::Undefined);
    }
    let arguments: Option<Vec<Value>> = arguments.iter().map(to_json).collect();
    let fail = |message: String| EvaluatorError::EvaluationError(format!("D3000: {message}"));
    let arguments = arguments.ok_or_else(|| fail("a function is no argument here".to_owned()))?;
    let (least, most) = function.argument_range();
    if arguments.len() < least || arguments.len() > most {
        return Err(fail(format!("the function takes {least} to {most} arguments, found {}", arguments.len())));
    }
    compute_values(function, &arguments).map(|value| from_json(&value)).map_err(fail)
}

/// A number from 0 up to but without 1; the same for the same seed.
fn random(arguments: &[JValue]) -> Result<JValue, EvaluatorError> {
    const PARTS: i64 = 1 << 52;
    let mut bounds = vec![json!(0), json!(PARTS)];
    if let Some(seed) = arguments.first() {
        bounds.push(to_json(seed).unwrap_or(Value::Null));
    }
    let part = compute_values(Function::MathRandom, &bounds).map_err(EvaluatorError::EvaluationError)?;
    Ok(JValue::Number(part.as_f64().unwrap_or_default() / PARTS as f64))
}
