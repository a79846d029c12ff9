//! `UpdateExpression`: `SET name = value` and `REMOVE name`, as many as there are.
//!
//! A value is a placeholder, another attribute, or the sum or difference of two of them. Everything else is refused.

use serde_json::{Map, Value, json};

use super::tables::{invalid, not_understood};
use super::words::Fault;

type Item = Map<String, Value>;

/// Changes an item and returns the names of the attributes that were changed.
pub(super) fn apply(expression: &str, parameters: &Map<String, Value>, item: &mut Item) -> Result<Vec<String>, Fault> {
    let before = item.clone();
    let mut changed = Vec::new();
    for (keyword, clauses) in sections(expression)? {
        for clause in clauses.split(',').map(str::trim) {
            if keyword == "REMOVE" {
                let name = attribute_name(clause, parameters)?;
                item.shift_remove(&name);
                changed.push(name);
                continue;
            }
            let (name, value) = clause.split_once('=').ok_or_else(|| not_understood(expression))?;
            let name = attribute_name(name.trim(), parameters)?;
            let value = computed(value.trim(), parameters, &before, expression)?;
            item.insert(name.clone(), value);
            changed.push(name);
        }
    }
    Ok(changed)
}

/// The parts of an expression by their keyword.
fn sections(expression: &str) -> Result<Vec<(String, String)>, Fault> {
    let mut sections: Vec<(String, String)> = Vec::new();
    for word in expression.split_whitespace() {
        let keyword = word.to_ascii_uppercase();
        match (keyword.as_str(), sections.last_mut()) {
            ("SET" | "REMOVE", _) => sections.push((keyword, String::new())),
            ("ADD" | "DELETE", _) | (_, None) => return Err(not_understood(expression)),
            (_, Some((_, clauses))) => {
                clauses.push(' ');
                clauses.push_str(word);
            }
        }
    }
    if sections.iter().any(|(_, clauses)| clauses.contains('(')) {
        return Err(not_understood(expression));
    }
    Ok(sections)
}

fn computed(value: &str, parameters: &Map<String, Value>, item: &Item, expression: &str) -> Result<Value, Fault> {
    let operand = |text: &str| {
        let text = text.trim();
        if text.starts_with(':') {
            return attribute_value(text, parameters);
        }
        let name = attribute_name(text, parameters)?;
        item.get(&name).cloned().ok_or_else(|| {
            invalid("The provided expression refers to an attribute that does not exist in the item".to_owned())
        })
    };
    let Some(at) = value.find(['+', '-']) else { return operand(value) };
    let number = |value: Value| {
        let text = value.get("N").and_then(Value::as_str).map(str::to_owned);
        text.and_then(|text| text.parse::<f64>().ok()).ok_or_else(|| not_understood(expression))
    };
    let (left, right) = (number(operand(&value[..at])?)?, number(operand(&value[at + 1..])?)?);
    let sum = if value[at..].starts_with('+') { left + right } else { left - right };
    Ok(json!({"N": sum.to_string()}))
}

/// An attribute's name, or what `ExpressionAttributeNames` says for it.
pub(super) fn attribute_name(text: &str, parameters: &Map<String, Value>) -> Result<String, Fault> {
    let name = match text.strip_prefix('#') {
        None => Some(text),
        Some(_) => parameters.get("ExpressionAttributeNames").and_then(|names| names.get(text)).and_then(Value::as_str),
    };
    let plain =
        |name: &&str| !name.is_empty() && name.chars().all(|sign| sign.is_alphanumeric() || "_-".contains(sign));
    match (name, text.starts_with('#')) {
        (Some(name), true) => Ok(name.to_owned()),
        (None, _) => Err(invalid(format!(
            "An expression attribute name used in the document path is not defined; attribute name: {text}"
        ))),
        (Some(name), false) => Some(name).filter(plain).map(str::to_owned).ok_or_else(|| not_understood(text)),
    }
}

/// What `ExpressionAttributeValues` says for a placeholder.
pub(super) fn attribute_value(text: &str, parameters: &Map<String, Value>) -> Result<Value, Fault> {
    let value = parameters.get("ExpressionAttributeValues").and_then(|values| values.get(text));
    value.cloned().ok_or_else(|| {
        invalid(format!("An expression attribute value used in expression is not defined; attribute value: {text}"))
    })
}
