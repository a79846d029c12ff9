//! No figure for a wrong answer.
//!
//! Before anything is measured, every workload runs once on a small input and must give the records that the reference
//! of its [`Answer`](crate::workloads::Answer) gives: the same ones, in the same order, equal by value. The order of
//! members and the spelling of numbers may differ, as crates differ in them.

use crate::data::Data;
use crate::error::BenchError;
use crate::workloads::{self, Output, Workload};
use serde_json::Value;
use std::collections::BTreeMap;

/// Size of the inputs: more than one chunk, and more than one document.
const BYTES: usize = 300_000;

/// Compares each of these workloads with its reference.
///
/// # Errors
/// [`BenchError::WrongAnswer`] names the first difference; [`BenchError::Workload`] when one fails.
pub fn check_answers(selected: &[Workload]) -> Result<(), BenchError> {
    let mut data = Data::new(BYTES);
    let all = workloads::all();
    let mut references = BTreeMap::new();
    for workload in selected {
        let records = answer(workload, &mut data)?;
        let Some(name) = workload.answer.reference() else { continue };
        if !references.contains_key(name)
            && let Some(reference) = all.iter().find(|reference| reference.name == name)
        {
            references.insert(name, answer(reference, &mut data)?);
        }
        let expected = references.get(name).map_or(&[][..], Vec::as_slice);
        if let Some(difference) = difference(&records, expected) {
            return Err(BenchError::WrongAnswer { name: workload.name, reference: name, difference });
        }
    }
    Ok(())
}

/// The records that a workload writes.
fn answer(workload: &Workload, data: &mut Data) -> Result<Vec<Value>, BenchError> {
    let input = data.input(workload.shape)?;
    let mut output = Output::keeping();
    let failed = |source| BenchError::Workload { name: workload.name, source };
    (workload.work)(&input.objects, &mut output).map_err(failed)?;
    let kept = output.into_kept();
    let records = workloads::lines(&kept).map(serde_json::from_slice).collect::<Result<_, _>>();
    records.map_err(|error| failed(error.into()))
}

/// Where two lists of records part; none when they are equal. Two empty lists differ, too: nothing was compared.
fn difference(found: &[Value], expected: &[Value]) -> Option<String> {
    if found.len() != expected.len() || found.is_empty() {
        return Some(format!("{} records where {} are expected", found.len(), expected.len()));
    }
    let position = found.iter().zip(expected).position(|(found, expected)| !is_same(found, expected))?;
    Some(format!("record {} is another one", position + 1))
}

/// Equal by value: 12.0 and 12.00 and 12 are the same number.
fn is_same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            left == right || (left.is_f64() || right.is_f64()) && left.as_f64() == right.as_f64()
        }
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| is_same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            let is_in = |(name, value): (&String, &Value)| right.get(name).is_some_and(|other| is_same(value, other));
            left.len() == right.len() && left.iter().all(is_in)
        }
        _ => left == right,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::WorkError;
    use crate::workloads::{Answer, Kind};
    use serde_json::json;

    #[test]
    fn every_workload_gives_the_answer_of_its_reference() {
        check_answers(&workloads::all()).unwrap();
    }

    #[test]
    fn every_workload_of_the_engine_is_compared_with_other_code() {
        let all = workloads::all();
        for workload in all.iter().filter(|workload| workload.kind == Kind::Engine) {
            let reference = workload.answer.reference().unwrap();
            let found = all.iter().find(|other| other.name == reference).unwrap();
            assert_ne!(found.kind, Kind::Engine, "{}", workload.name);
            assert_eq!(found.answer, workload.answer, "{}", workload.name);
        }
    }

    #[test]
    fn wrong_answers_are_found() {
        fn keep_half(objects: &[Vec<u8>], output: &mut Output) -> Result<(), WorkError> {
            let object = &objects[0];
            output.buffer.extend(workloads::lines(object).step_by(2).flat_map(|line| [line, b"\n"].concat()));
            Ok(())
        }
        fn change_one(objects: &[Vec<u8>], output: &mut Output) -> Result<(), WorkError> {
            let text = String::from_utf8(objects[0].clone())?;
            output.buffer.extend(text.replacen("\"ok\":true", "\"ok\":null", 1).bytes());
            Ok(())
        }
        let copy = workloads::all().into_iter().find(|workload| workload.name == workloads::MEMCPY).unwrap();
        assert_eq!(copy.answer, Answer::Events);
        for (work, expected) in [(keep_half as workloads::Work, "records where"), (change_one, "is another one")] {
            let error = check_answers(&[Workload { work, name: "wrong", ..copy }]).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        }
    }

    #[test]
    fn values_are_compared_not_spellings() {
        let check = |left: Value, right: Value, expected: bool| {
            assert_eq!(is_same(&left, &right), expected, "{left} {right}");
        };
        check(json!({"a": 12, "b": [1.5]}), json!({"b": [1.50], "a": 12.0}), true);
        check(json!({"a": 12}), json!({"a": 12, "b": null}), false);
        check(json!(9_007_199_254_740_993_u64), json!(9_007_199_254_740_992_u64), false);
        check(json!("1"), json!(1), false);
        check(json!([1, 2]), json!([2, 1]), false);
        check(json!(null), json!(false), false);
    }
}
