//! The rules of a Choice state.
//!
//! A comparison whose operand has another type than it compares is false, never an error; only a variable that does not
//! exist is one (unless the rule asks `IsPresent`).

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::Value;

use super::context::Scope;
use super::error::StateError;
use super::path::Path;
use super::template::Query;
use super::time;

/// A rule: a condition over the input.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Rule {
    And(Vec<Rule>),
    Or(Vec<Rule>),
    Not(Box<Rule>),
    Test {
        variable: Path,
        test: Test,
    },
    /// `Condition`, with JSONata.
    Condition(Query),
    /// `Condition` that is no expression.
    Constant(bool),
}

/// What is asked of a variable.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Test {
    /// `IsPresent`
    Present(bool),
    /// `IsNull` and the like.
    Is { kind: Kind, expected: bool },
    /// `NumericLessThan` and the like.
    Compare { kind: Kind, relation: Relation, operand: Operand },
    /// `StringMatches`
    Matches(Vec<PatternPart>),
}

/// A type of value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    Boolean,
    Numeric,
    Text,
    Timestamp,
}

/// How two values of a type are to stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Relation {
    Equals,
    GreaterThan,
    GreaterThanEquals,
    LessThan,
    LessThanEquals,
}

/// What a variable is compared with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Operand {
    Fixed(Value),
    At(Path),
}

/// A part of a `StringMatches` pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PatternPart {
    /// `*`
    Anything,
    Exactly(char),
}

/// Why a rule can be neither true nor false.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unanswered {
    /// This path names nothing.
    Absent(String),
    /// The condition has no value, or one that is neither true nor false.
    Failed(StateError),
}

impl Rule {
    /// True when the rule holds.
    pub(crate) fn holds(&self, scope: Scope<'_>) -> Result<bool, Unanswered> {
        match self {
            Self::And(rules) => {
                for rule in rules {
                    if !rule.holds(scope)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Self::Or(rules) => {
                for rule in rules {
                    if rule.holds(scope)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Self::Not(rule) => Ok(!rule.holds(scope)?),
            Self::Test { variable, test } => test.holds(variable, scope),
            Self::Constant(truth) => Ok(*truth),
            Self::Condition(query) => match query.evaluate(scope).map_err(Unanswered::Failed)? {
                Value::Bool(truth) => Ok(truth),
                other => Err(Unanswered::Failed(query.unexpected("boolean", &other))),
            },
        }
    }
}

impl Test {
    fn holds(&self, variable: &Path, scope: Scope<'_>) -> Result<bool, Unanswered> {
        let found = scope.find(variable);
        if let Self::Present(expected) = self {
            return Ok(found.is_some() == *expected);
        }
        let value = found.ok_or_else(|| Unanswered::Absent(variable.text().to_owned()))?;
        Ok(match self {
            Self::Present(expected) => *expected,
            Self::Is { kind, expected } => is(*kind, &value) == *expected,
            Self::Matches(pattern) => value.as_str().is_some_and(|text| matches(pattern, text)),
            Self::Compare { kind, relation, operand } => {
                let other = match operand {
                    Operand::Fixed(value) => Cow::Borrowed(value),
                    Operand::At(path) => scope.find(path).ok_or_else(|| Unanswered::Absent(path.text().to_owned()))?,
                };
                compare(*kind, &value, &other).is_some_and(|ordering| relation.allows(ordering))
            }
        })
    }
}

impl Relation {
    fn allows(self, ordering: Ordering) -> bool {
        match self {
            Self::Equals => ordering.is_eq(),
            Self::GreaterThan => ordering.is_gt(),
            Self::GreaterThanEquals => ordering.is_ge(),
            Self::LessThan => ordering.is_lt(),
            Self::LessThanEquals => ordering.is_le(),
        }
    }
}

fn is(kind: Kind, value: &Value) -> bool {
    match kind {
        Kind::Null => value.is_null(),
        Kind::Boolean => value.is_boolean(),
        Kind::Numeric => value.is_number(),
        Kind::Text => value.is_string(),
        Kind::Timestamp => value.as_str().and_then(time::parse).is_some(),
    }
}

/// The order of two values of a type; `None` when one of them is of another type.
fn compare(kind: Kind, left: &Value, right: &Value) -> Option<Ordering> {
    match kind {
        Kind::Null => None,
        Kind::Boolean => Some(left.as_bool()?.cmp(&right.as_bool()?)),
        // Whole numbers beyond 2^53 would lose digits as floats.
        Kind::Numeric => match (left.as_i64(), right.as_i64()) {
            (Some(left), Some(right)) => Some(left.cmp(&right)),
            _ => left.as_f64()?.partial_cmp(&right.as_f64()?),
        },
        Kind::Text => Some(left.as_str()?.cmp(right.as_str()?)),
        Kind::Timestamp => Some(time::parse(left.as_str()?)?.cmp(&time::parse(right.as_str()?)?)),
    }
}

/// Parses a `StringMatches` pattern: `*` is any text, `\*` and `\\` are the signs themselves.
pub(crate) fn pattern(text: &str) -> Result<Vec<PatternPart>, String> {
    let mut parts = Vec::new();
    let mut signs = text.chars();
    while let Some(sign) = signs.next() {
        parts.push(match sign {
            '*' => PatternPart::Anything,
            '\\' => match signs.next() {
                Some(escaped @ ('*' | '\\')) => PatternPart::Exactly(escaped),
                _ => return Err("only \\* and \\\\ are escapes in a pattern".to_owned()),
            },
            other => PatternPart::Exactly(other),
        });
    }
    Ok(parts)
}

/// Matches with one step back per sign at most, so a hostile pattern costs pattern times text and no more.
fn matches(pattern: &[PatternPart], text: &str) -> bool {
    let signs: Vec<char> = text.chars().collect();
    let (mut at_pattern, mut at_text) = (0, 0);
    let mut last_star = None;
    while at_text < signs.len() {
        match pattern.get(at_pattern) {
            Some(PatternPart::Exactly(sign)) if *sign == signs[at_text] => {
                at_pattern += 1;
                at_text += 1;
            }
            Some(PatternPart::Anything) => {
                last_star = Some((at_pattern, at_text));
                at_pattern += 1;
            }
            _ => match last_star {
                Some((star, covered)) => {
                    at_pattern = star + 1;
                    at_text = covered + 1;
                    last_star = Some((star, covered + 1));
                }
                None => return false,
            },
        }
    }
    pattern[at_pattern..].iter().all(|part| *part == PatternPart::Anything)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::context::Context;
    use super::super::context::tests::identity;
    use super::super::definition::parse_rule;
    use super::*;

    fn check(rule: Value, input: Value, expected: Result<bool, &str>) {
        let identity = identity();
        let context = Context::new(&identity, "Here", "now", None, None);
        let shown = rule.to_string();
        let found = parse_rule(rule).unwrap().holds(Scope { input: &input, context: &context });
        assert_eq!(found, expected.map_err(|path| Unanswered::Absent(path.to_owned())), "{shown} on {input}");
    }

    #[test]
    fn every_comparison() {
        let relations = [
            ("Equals", [false, true, false]),
            ("GreaterThan", [false, false, true]),
            ("GreaterThanEquals", [false, true, true]),
            ("LessThan", [true, false, false]),
            ("LessThanEquals", [true, true, false]),
        ];
        let kinds = [
            ("Numeric", [json!(1.5), json!(2), json!(3)]),
            ("String", [json!("a"), json!("b"), json!("c")]),
            (
                "Timestamp",
                [json!("2026-01-01T00:00:00Z"), json!("2026-01-02T01:00:00+01:00"), json!("2026-01-03T00:00:00Z")],
            ),
        ];
        for (kind, values) in &kinds {
            for (relation, expected) in &relations {
                for (value, expected) in values.iter().zip(expected) {
                    let operator = format!("{kind}{relation}");
                    let middle = &values[1];
                    check(json!({"Variable": "$.x", operator.clone(): middle}), json!({"x": value}), Ok(*expected));
                    let by_path = json!({"Variable": "$.x", format!("{operator}Path"): "$.y"});
                    check(by_path, json!({"x": value, "y": middle}), Ok(*expected));
                    check(json!({"Variable": "$.x", operator: middle}), json!({"x": null}), Ok(false));
                }
            }
        }
        check(json!({"Variable": "$.x", "BooleanEquals": true}), json!({"x": true}), Ok(true));
        check(json!({"Variable": "$.x", "BooleanEquals": true}), json!({"x": "true"}), Ok(false));
        check(json!({"Variable": "$.x", "BooleanEqualsPath": "$.y"}), json!({"x": false, "y": false}), Ok(true));
        check(json!({"Variable": "$.x", "BooleanEqualsPath": "$.y"}), json!({"x": false}), Err("$.y"));
        check(json!({"Variable": "$.x", "NumericEquals": 3}), json!({"x": 3.0}), Ok(true));
    }

    #[test]
    fn presence_types_and_patterns() {
        let values = json!({"n": null, "b": true, "i": 1, "s": "x", "t": "2026-01-01T00:00:00Z"});
        for (operator, holding) in
            [("IsNull", "n"), ("IsBoolean", "b"), ("IsNumeric", "i"), ("IsString", "st"), ("IsTimestamp", "t")]
        {
            for field in ["n", "b", "i", "s", "t"] {
                let variable = format!("$.{field}");
                let expected = holding.contains(field);
                check(json!({"Variable": variable, operator: true}), values.clone(), Ok(expected));
                check(json!({"Variable": variable, operator: false}), values.clone(), Ok(!expected));
            }
            check(json!({"Variable": "$.missing", operator: true}), values.clone(), Err("$.missing"));
        }
        check(json!({"Variable": "$.n", "IsPresent": true}), values.clone(), Ok(true));
        check(json!({"Variable": "$.missing", "IsPresent": true}), values.clone(), Ok(false));
        check(json!({"Variable": "$.missing", "IsPresent": false}), values, Ok(true));
        for (pattern, text, expected) in [
            ("log-*.txt", "log-1.txt", true),
            ("log-*.txt", "log-.txt", true),
            ("log-*.txt", "log-1.txt.gz", false),
            ("*", "", true),
            ("", "", true),
            ("a\\*b", "a*b", true),
            ("a\\*b", "axb", false),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b*", "xxbxxaxx", false),
            ("*ü", "zu ü", true),
        ] {
            check(json!({"Variable": "$.x", "StringMatches": pattern}), json!({"x": text}), Ok(expected));
        }
    }

    #[test]
    fn combinations() {
        let one = || json!({"Variable": "$.x", "NumericEquals": 1});
        let two = || json!({"Variable": "$.x", "NumericEquals": 2});
        let absent = || json!({"Variable": "$.none", "NumericEquals": 2});
        check(json!({"And": [one(), {"Not": two()}]}), json!({"x": 1}), Ok(true));
        check(json!({"And": [two(), absent()]}), json!({"x": 1}), Ok(false));
        check(json!({"Or": [two(), one()]}), json!({"x": 1}), Ok(true));
        check(json!({"Or": [one(), absent()]}), json!({"x": 1}), Ok(true));
        check(json!({"Not": one()}), json!({"x": 1}), Ok(false));
        check(json!({"Not": absent()}), json!({"x": 1}), Err("$.none"));
    }
}
