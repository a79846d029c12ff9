//! `where`: which records are kept.
//!
//! Conditions are evaluated on fields as they stand in the record, or as their type has made them. A field that is
//! missing or of another kind than the operand satisfies no comparison but `ne`.

use crate::json::{Kind, Text, Value};
use crate::path::FieldPath;
use crate::types::{Decimal, compare_decimals, compare_short};
use jiff::Timestamp;
use std::borrow::Cow;
use std::cmp::Ordering;

/// A condition on a record.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// Every one holds.
    All(Vec<Condition>),
    /// At least one holds.
    Any(Vec<Condition>),
    /// The other does not hold.
    Not(Box<Condition>),
    /// A test of one field.
    Field(FieldPath, Test),
}

/// A test of one field.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// Equal, by value: 1.0 equals 1.
    Equal(Scalar),
    /// Not equal; true for a missing field.
    NotEqual(Scalar),
    /// Greater: numbers by value, texts by their bytes.
    Greater(Scalar),
    /// Greater or equal.
    GreaterOrEqual(Scalar),
    /// Less.
    Less(Scalar),
    /// Less or equal.
    LessOrEqual(Scalar),
    /// Equal to one of these.
    In(Vec<Scalar>),
    /// The field is there, or is not.
    Exists(bool),
    /// The field is there and null, or is not.
    IsNull(bool),
    /// A text that begins so.
    StartsWith(String),
    /// A text that ends so.
    EndsWith(String),
    /// A text that contains this.
    Contains(String),
}

/// A constant of the job file.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    /// `null`
    Null,
    /// A boolean.
    Boolean(bool),
    /// A number as text.
    Number(String),
    /// A text.
    Text(String),
    /// A point in time, for fields of that type.
    Timestamp(Instant),
}

/// A point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(Timestamp);

impl Instant {
    /// Reads RFC 3339 text with an offset; `None` when it is something else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok().map(Self)
    }
}

/// What a condition sees of a field.
#[derive(Debug)]
pub(crate) enum Field<'a> {
    Missing,
    Null,
    Boolean(bool),
    Number(&'a [u8]),
    Text(Cow<'a, [u8]>),
    /// A CSV cell whose column has no type: it is text, or the number or boolean that it spells.
    Cell(Cow<'a, [u8]>),
    /// An array or object.
    Composite,
}

impl<'a> Field<'a> {
    pub(crate) fn of(value: &Value<'a>) -> Self {
        match value.kind() {
            Kind::Null => Self::Null,
            Kind::True => Self::Boolean(true),
            Kind::False => Self::Boolean(false),
            Kind::Number => Self::Number(value.raw()),
            Kind::String => value.text().map_or(Self::Missing, |text| Self::Text(text.decoded())),
            Kind::Array | Kind::Object => Self::Composite,
        }
    }

    /// A scalar that a cast has written as JSON.
    pub(crate) fn of_json(text: &'a [u8]) -> Self {
        match text {
            [b'"', inner @ .., b'"'] => Self::Text(Text::new(inner).decoded()),
            b"null" => Self::Null,
            b"true" => Self::Boolean(true),
            b"false" => Self::Boolean(false),
            [b'{' | b'[', ..] => Self::Composite,
            number => Self::Number(number),
        }
    }

    fn compare(&self, operand: &Scalar) -> Option<Ordering> {
        match (self, operand) {
            (Self::Null, Scalar::Null) => Some(Ordering::Equal),
            (Self::Boolean(value), Scalar::Boolean(wanted)) => Some(value.cmp(wanted)),
            (Self::Number(text), Scalar::Number(wanted)) => compare_numbers(text, wanted),
            (Self::Cell(text), Scalar::Number(wanted)) => compare_numbers(text, wanted),
            (Self::Cell(text), Scalar::Boolean(wanted)) if text.as_ref() == b"true" => Some(true.cmp(wanted)),
            (Self::Cell(text), Scalar::Boolean(wanted)) if text.as_ref() == b"false" => Some(false.cmp(wanted)),
            (Self::Text(text), Scalar::Timestamp(wanted)) => {
                Some(Instant::parse(std::str::from_utf8(text).ok()?)?.cmp(wanted))
            }
            (Self::Text(text) | Self::Cell(text), Scalar::Text(wanted)) => Some(text.as_ref().cmp(wanted.as_bytes())),
            _ => None,
        }
    }

    fn has_text(&self, test: impl Fn(&[u8]) -> bool) -> bool {
        matches!(self, Self::Text(text) | Self::Cell(text) if test(text))
    }

    pub(crate) fn passes(&self, test: &Test) -> bool {
        match test {
            Test::Equal(operand) => self.compare(operand) == Some(Ordering::Equal),
            Test::NotEqual(operand) => self.compare(operand) != Some(Ordering::Equal),
            Test::Greater(operand) => self.compare(operand) == Some(Ordering::Greater),
            Test::GreaterOrEqual(operand) => self.compare(operand).is_some_and(Ordering::is_ge),
            Test::Less(operand) => self.compare(operand) == Some(Ordering::Less),
            Test::LessOrEqual(operand) => self.compare(operand).is_some_and(Ordering::is_le),
            Test::In(operands) => operands.iter().any(|operand| self.compare(operand) == Some(Ordering::Equal)),
            Test::Exists(wanted) => matches!(self, Self::Missing) != *wanted,
            Test::IsNull(wanted) => !matches!(self, Self::Missing) && matches!(self, Self::Null) == *wanted,
            Test::StartsWith(wanted) => self.has_text(|text| text.starts_with(wanted.as_bytes())),
            Test::EndsWith(wanted) => self.has_text(|text| text.ends_with(wanted.as_bytes())),
            Test::Contains(wanted) => self.has_text(|text| memchr::memmem::find(text, wanted.as_bytes()).is_some()),
        }
    }
}

fn compare_numbers(text: &[u8], wanted: &str) -> Option<Ordering> {
    if let Some(ordering) = compare_short(text, wanted.as_bytes()) {
        return Some(ordering);
    }
    Some(compare_decimals(&Decimal::parse(text)?, &Decimal::parse(wanted.as_bytes())?))
}

/// A condition whose fields are numbered.
#[derive(Debug, Clone)]
pub(crate) enum CompiledCondition {
    All(Vec<CompiledCondition>),
    Any(Vec<CompiledCondition>),
    Not(Box<CompiledCondition>),
    Field(usize, Test),
}

impl CompiledCondition {
    /// Numbers the fields of a condition with the caller's numbers.
    pub(crate) fn compile<E>(
        condition: &Condition,
        number: &mut impl FnMut(&FieldPath) -> Result<usize, E>,
    ) -> Result<Self, E> {
        let mut list = |conditions: &[Condition]| {
            conditions.iter().map(|condition| Self::compile(condition, number)).collect::<Result<Vec<_>, E>>()
        };
        Ok(match condition {
            Condition::All(conditions) => Self::All(list(conditions)?),
            Condition::Any(conditions) => Self::Any(list(conditions)?),
            Condition::Not(condition) => Self::Not(Box::new(Self::compile(condition, number)?)),
            Condition::Field(path, test) => Self::Field(number(path)?, test.clone()),
        })
    }

    /// Evaluates the condition; `passes` tests the field with a number.
    pub(crate) fn holds(&self, passes: &mut dyn FnMut(usize, &Test) -> bool) -> bool {
        match self {
            Self::All(conditions) => conditions.iter().all(|condition| condition.holds(passes)),
            Self::Any(conditions) => conditions.iter().any(|condition| condition.holds(passes)),
            Self::Not(condition) => !condition.holds(passes),
            Self::Field(field, test) => passes(*field, test),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Index;
    use crate::limits::RecordLimits;

    fn passes(json: &str, test: &Test) -> bool {
        let mut index = Index::default();
        Field::of(&index.build(json.as_bytes(), &RecordLimits::default()).unwrap()).passes(test)
    }

    #[test]
    fn values_are_tested_by_kind_and_value() {
        let number = |text: &str| Scalar::Number(text.to_owned());
        let text = |text: &str| Scalar::Text(text.to_owned());
        let check =
            |json: &str, test: Test, expected: bool| assert_eq!(passes(json, &test), expected, "{json} {test:?}");
        check("1.0", Test::Equal(number("1")), true);
        check("\"1\"", Test::Equal(number("1")), false);
        check("9007199254740993", Test::Greater(number("9007199254740992")), true);
        check("2", Test::LessOrEqual(number("2.0")), true);
        check("\"\\u0061b\"", Test::Equal(text("ab")), true);
        check("\"b\"", Test::Greater(text("a")), true);
        check("null", Test::Equal(Scalar::Null), true);
        check("null", Test::NotEqual(text("a")), true);
        check("null", Test::Less(number("1")), false);
        check("true", Test::Equal(Scalar::Boolean(true)), true);
        check("\"x\"", Test::In(vec![number("1"), text("x")]), true);
        check("[]", Test::Equal(text("")), false);
        check("null", Test::IsNull(true), true);
        check("0", Test::IsNull(false), true);
        check("null", Test::Exists(true), true);
        check("\"prefix-x\"", Test::StartsWith("prefix".into()), true);
        check("\"prefix-x\"", Test::EndsWith("-x".into()), true);
        check("\"prefix-x\"", Test::Contains("ix-".into()), true);
        check("12", Test::Contains("1".into()), false);
    }

    #[test]
    fn missing_fields_pass_only_what_absence_satisfies() {
        let number = Scalar::Number("1".into());
        assert!(!Field::Missing.passes(&Test::Equal(number.clone())));
        assert!(Field::Missing.passes(&Test::NotEqual(number)));
        assert!(Field::Missing.passes(&Test::Exists(false)));
        assert!(!Field::Missing.passes(&Test::IsNull(true)));
        assert!(!Field::Missing.passes(&Test::IsNull(false)));
    }

    #[test]
    fn untyped_cells_are_what_they_spell() {
        let cell = |text: &'static str| Field::Cell(Cow::Borrowed(text.as_bytes()));
        assert!(cell("10").passes(&Test::Greater(Scalar::Number("9".into()))));
        assert!(cell("10").passes(&Test::Equal(Scalar::Text("10".into()))));
        assert!(cell("true").passes(&Test::Equal(Scalar::Boolean(true))));
        assert!(!cell("ten").passes(&Test::Greater(Scalar::Number("9".into()))));
    }
}
