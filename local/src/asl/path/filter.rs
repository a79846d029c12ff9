//! Filters: which elements `[?(…)]` lets through.
//!
//! `@` is the element. Conditions are joined by `&&` and `||` and turned round by `!`; a condition compares two operands,
//! or asks only whether a path of the element leads somewhere. Values of different types are never equal, and no order
//! holds between them.

use std::cmp::Ordering;

use regex::Regex;
use serde_json::Value;

use super::Segment;
use super::walk::matches;

/// A condition on an element.
#[derive(Debug, Clone)]
pub(super) enum Filter {
    Or(Vec<Filter>),
    And(Vec<Filter>),
    Not(Box<Filter>),
    /// The path leads somewhere.
    Exists(Vec<Segment>),
    Compare(Operand, Comparison, Operand),
    /// `=~ /pattern/`
    Matches(Operand, Regex),
}

/// A side of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Operand {
    /// Below the element.
    At(Vec<Segment>),
    Literal(Value),
}

/// How two operands are to stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    /// The left is one of the right's elements.
    In,
    NotIn,
    /// The right is one of the left's elements, or a part of the left text.
    Contains,
    /// The left has as many elements or signs as the right says.
    Size,
    /// Whether the left is empty is what the right says.
    Empty,
}

// A compiled pattern is its text.
impl PartialEq for Filter {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Or(left), Self::Or(right)) | (Self::And(left), Self::And(right)) => left == right,
            (Self::Not(left), Self::Not(right)) => left == right,
            (Self::Exists(left), Self::Exists(right)) => left == right,
            (Self::Compare(left, how, to), Self::Compare(left2, how2, to2)) => (left, how, to) == (left2, how2, to2),
            (Self::Matches(left, pattern), Self::Matches(left2, pattern2)) => {
                left == left2 && pattern.as_str() == pattern2.as_str()
            }
            _ => false,
        }
    }
}

impl Filter {
    /// True when the element is let through.
    pub(super) fn holds(&self, element: &Value) -> bool {
        match self {
            Self::Or(filters) => filters.iter().any(|filter| filter.holds(element)),
            Self::And(filters) => filters.iter().all(|filter| filter.holds(element)),
            Self::Not(filter) => !filter.holds(element),
            Self::Exists(path) => !matches(path, element).is_empty(),
            Self::Matches(operand, pattern) => {
                operand.value(element).and_then(Value::as_str).is_some_and(|text| pattern.is_match(text))
            }
            Self::Compare(left, comparison, right) => compare(left.value(element), *comparison, right.value(element)),
        }
    }
}

impl Operand {
    fn value<'v>(&'v self, element: &'v Value) -> Option<&'v Value> {
        match self {
            Self::Literal(value) => Some(value),
            Self::At(path) => matches(path, element).first().copied(),
        }
    }
}

fn compare(left: Option<&Value>, comparison: Comparison, right: Option<&Value>) -> bool {
    // What is not there differs from everything and has no order.
    let (Some(left), Some(right)) = (left, right) else { return comparison == Comparison::NotEqual };
    let size = || match left {
        Value::Array(elements) => Some(elements.len()),
        Value::Object(fields) => Some(fields.len()),
        Value::String(text) => Some(text.chars().count()),
        _ => None,
    };
    let contained = |list: &Value, wanted: &Value| {
        list.as_array().is_some_and(|elements| elements.iter().any(|element| equal(element, wanted)))
    };
    match comparison {
        Comparison::Equal => equal(left, right),
        Comparison::NotEqual => !equal(left, right),
        Comparison::Less => order(left, right).is_some_and(Ordering::is_lt),
        Comparison::LessOrEqual => order(left, right).is_some_and(Ordering::is_le),
        Comparison::Greater => order(left, right).is_some_and(Ordering::is_gt),
        Comparison::GreaterOrEqual => order(left, right).is_some_and(Ordering::is_ge),
        Comparison::In => contained(right, left),
        Comparison::NotIn => !contained(right, left),
        Comparison::Contains => match (left, right) {
            (Value::String(text), Value::String(part)) => text.contains(part.as_str()),
            _ => contained(left, right),
        },
        Comparison::Size => size().is_some_and(|size| right.as_u64() == u64::try_from(size).ok()),
        Comparison::Empty => size().is_some_and(|size| Some(size == 0) == right.as_bool()),
    }
}

fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(_), Value::Number(_)) => order(left, right).is_some_and(Ordering::is_eq),
        _ => left == right,
    }
}

fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        (Value::Number(_), Value::Number(_)) => match (left.as_i64(), right.as_i64()) {
            (Some(left), Some(right)) => Some(left.cmp(&right)),
            _ => left.as_f64()?.partial_cmp(&right.as_f64()?),
        },
        _ => None,
    }
}
