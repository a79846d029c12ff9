//! Decides as IAM does whether a role allows a call.
//!
//! A call is allowed when a statement allows it and none denies it. A statement fits when one of its actions, one of its
//! resources and all of its conditions fit. Only what the template uses is known: an element or a condition operator beyond
//! that is an error, so that nothing is decided by accident.

use crate::TemplateError;
use serde_json::Value;
use std::collections::BTreeMap;

/// One call of an AWS service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    /// The action, as in `s3:GetObject`.
    pub action: String,
    /// The ARN of what is touched, `*` for actions without resources.
    pub resource: String,
    /// The condition keys that the call brings along.
    pub context: BTreeMap<String, String>,
}

impl Call {
    /// A call without condition keys.
    #[must_use]
    pub fn new(action: &str, resource: &str) -> Self {
        Self { action: action.to_owned(), resource: resource.to_owned(), context: BTreeMap::new() }
    }

    /// The same with one more condition key.
    #[must_use]
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.context.insert(key.to_owned(), value.to_owned());
        self
    }
}

/// A statement with all intrinsic functions resolved.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// Its name.
    pub sid: String,
    /// Whether it denies.
    pub denies: bool,
    /// Patterns of actions.
    pub actions: Vec<String>,
    /// Patterns of resources.
    pub resources: Vec<String>,
    /// Operator, condition key, values.
    pub conditions: Vec<(String, String, Vec<String>)>,
}

impl Statement {
    /// Reads a statement of a policy.
    ///
    /// # Errors
    /// It has an element or operator that is not known here.
    pub fn parse(value: &Value) -> Result<Self, TemplateError> {
        let invalid = |message: String| TemplateError::Invalid(format!("{message} in the statement {value}"));
        let members = value.as_object().ok_or_else(|| invalid("expected an object".to_owned()))?;
        for name in members.keys() {
            if !["Sid", "Effect", "Action", "Resource", "Condition", "Principal"].contains(&name.as_str()) {
                return Err(invalid(format!("{name} is not known here")));
            }
        }
        let mut conditions = Vec::new();
        for (operator, keys) in value["Condition"].as_object().into_iter().flatten() {
            if !["StringEquals", "StringLike", "ArnLike", "Bool"].contains(&operator.as_str()) {
                return Err(invalid(format!("the operator {operator} is not known here")));
            }
            for (key, values) in keys.as_object().into_iter().flatten() {
                conditions.push((operator.clone(), key.clone(), texts(values)));
            }
        }
        Ok(Self {
            sid: value["Sid"].as_str().unwrap_or_default().to_owned(),
            denies: match value["Effect"].as_str() {
                Some("Allow") => false,
                Some("Deny") => true,
                _ => return Err(invalid("expected Allow or Deny".to_owned())),
            },
            actions: texts(&value["Action"]),
            resources: texts(&value["Resource"]),
            conditions,
        })
    }

    /// Whether the statement speaks of the call.
    #[must_use]
    pub fn fits(&self, call: &Call) -> bool {
        let action = call.action.to_ascii_lowercase();
        self.actions.iter().any(|pattern| matches(&pattern.to_ascii_lowercase(), &action))
            && self.resources.iter().any(|pattern| matches(pattern, &call.resource))
            && self.conditions.iter().all(|(operator, key, values)| {
                // A key that the call does not bring along fits no condition.
                call.context.get(key).is_some_and(|found| {
                    values.iter().any(|value| match operator.as_str() {
                        "StringLike" | "ArnLike" => matches(value, found),
                        _ => value == found,
                    })
                })
            })
    }
}

/// What IAM says to a call.
#[must_use]
pub fn allows(statements: &[Statement], call: &Call) -> bool {
    let fits = |denies: bool| statements.iter().any(|statement| statement.denies == denies && statement.fits(call));
    fits(false) && !fits(true)
}

/// Every pair of an action and a resource that a statement allows and no call needs, as text.
#[must_use]
pub fn unused(statements: &[Statement], calls: &[Call]) -> Vec<String> {
    let mut found = Vec::new();
    for statement in statements.iter().filter(|statement| !statement.denies) {
        for action in &statement.actions {
            for resource in &statement.resources {
                let narrow =
                    Statement { actions: vec![action.clone()], resources: vec![resource.clone()], ..statement.clone() };
                if !calls.iter().any(|call| narrow.fits(call)) {
                    found.push(format!("{}: {action} on {resource}", statement.sid));
                }
            }
        }
    }
    found
}

/// Whether a text fits a pattern, in which `*` stands for any text and `?` for one character.
#[must_use]
pub fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at_pattern, mut at_text) = (0, 0);
    // Where the last star stood, and how much of the text it has taken.
    let mut star: Option<(usize, usize)> = None;
    while at_text < text.len() {
        match pattern.get(at_pattern) {
            Some('*') => {
                star = Some((at_pattern, at_text));
                at_pattern += 1;
            }
            Some(character) if *character == '?' || *character == text[at_text] => {
                at_pattern += 1;
                at_text += 1;
            }
            _ => {
                let Some((place, taken)) = star else { return false };
                star = Some((place, taken + 1));
                at_pattern = place + 1;
                at_text = taken + 1;
            }
        }
    }
    pattern[at_pattern..].iter().all(|character| *character == '*')
}

/// A text, or the texts of a list.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(list) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Value::String(text) => vec![text.clone()],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn patterns_have_stars_and_question_marks() {
        for (pattern, text, expected) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("a*", "a", true),
            ("a*c", "abbc", true),
            ("a*c", "abcd", false),
            ("*_mapmill/*/x", "out/_mapmill/run/x", true),
            ("*_mapmill/*/x", "out/_mapmill/x", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("", "", true),
            ("*", "", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    fn statements() -> Vec<Statement> {
        let statement = |value: Value| Statement::parse(&value).unwrap();
        vec![
            statement(json!({"Sid": "List", "Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:b",
                "Condition": {"StringLike": {"s3:prefix": "in/*"}}})),
            statement(json!({"Sid": "Read", "Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"],
                "Resource": ["arn:b/in/*"]})),
            statement(json!({"Sid": "Never", "Effect": "Deny", "Action": "s3:*", "Resource": "arn:b/in/secret"})),
        ]
    }

    #[test]
    fn a_call_needs_an_allowance_and_no_denial() {
        let check = |call: Call, expected: bool| assert_eq!(allows(&statements(), &call), expected, "{call:?}");
        check(Call::new("s3:GetObject", "arn:b/in/a"), true);
        check(Call::new("S3:getobject", "arn:b/in/a"), true);
        check(Call::new("s3:GetObject", "arn:b/out/a"), false);
        check(Call::new("s3:DeleteObject", "arn:b/in/a"), false);
        check(Call::new("s3:GetObject", "arn:b/in/secret"), false);
        check(Call::new("s3:ListBucket", "arn:b"), false);
        check(Call::new("s3:ListBucket", "arn:b").with("s3:prefix", "in/2026"), true);
        check(Call::new("s3:ListBucket", "arn:b").with("s3:prefix", ""), false);
    }

    #[test]
    fn what_no_call_needs_is_found() {
        let calls =
            [Call::new("s3:GetObject", "arn:b/in/a"), Call::new("s3:ListBucket", "arn:b").with("s3:prefix", "x")];
        assert_eq!(unused(&statements(), &calls), ["List: s3:ListBucket on arn:b", "Read: s3:PutObject on arn:b/in/*"]);
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for statement in [
            json!({"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}),
            json!({"Effect": "Maybe", "Action": "s3:*", "Resource": "*"}),
            json!({"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Condition": {"IpAddress": {"aws:SourceIp": "x"}}}),
        ] {
            assert!(Statement::parse(&statement).is_err(), "{statement}");
        }
    }
}
