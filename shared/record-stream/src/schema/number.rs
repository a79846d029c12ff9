//! Numbers in schemas: exact on both sides.
//!
//! The validator compares numbers as 64-bit integers where it can and as floating point where it cannot. So the rules
//! about numbers are replaced by ones that compare digits. The numbers of the schema itself have gone through 64-bit
//! integers and floating point when it was read; a schema in which that has changed a number is refused.

use super::document::{IndexedJson, Node};
use crate::json::{Kind, Value};
use crate::types::{Decimal, compare_decimals};
use jsonschema::json::{JsonNumber, Node as _};
use jsonschema::{Keyword, Retrieve, ValidationError, ValidationOptions};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::sync::Arc;

/// The text of a JSON number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Number<'a>(pub(super) &'a str);

impl<'a> Number<'a> {
    fn decimal(self) -> Option<Decimal<'a>> {
        Decimal::parse(self.0.as_bytes())
    }

    /// Equality by value with a number of the schema.
    pub(super) fn equals(self, expected: &serde_json::Number) -> bool {
        if let Some(expected) = expected.as_i64() {
            return self.as_i64() == Some(expected);
        }
        compare(self, &expected.to_string()) == Some(Ordering::Equal)
    }
}

fn compare(number: Number<'_>, other: &str) -> Option<Ordering> {
    Some(compare_decimals(&number.decimal()?, &Decimal::parse(other.as_bytes())?))
}

impl JsonNumber for Number<'_> {
    fn as_u64(&self) -> Option<u64> {
        self.0.parse().ok().or_else(|| self.decimal()?.to_integer()?.try_into().ok())
    }

    #[inline]
    fn as_i64(&self) -> Option<i64> {
        self.0.parse().ok().or_else(|| self.decimal()?.to_integer()?.try_into().ok())
    }

    /// The floating-point number that is written with these digits; `None` when there is none, so that nothing is
    /// compared with a neighbour.
    fn as_f64(&self) -> Option<f64> {
        let float: f64 = self.0.parse().ok()?;
        (float.is_finite() && compare(*self, &float.to_string()) == Some(Ordering::Equal)).then_some(float)
    }

    fn as_str(&self) -> Cow<'_, str> {
        Cow::Borrowed(self.0)
    }

    fn to_number(&self) -> Cow<'_, serde_json::Number> {
        Cow::Owned(serde_json::from_str(self.0).unwrap_or_else(|_| 0.into()))
    }

    fn is_integer(&self) -> bool {
        self.decimal().is_some_and(|number| number.is_whole())
    }
}

/// Refuses a schema with a number that was not kept as it is written.
pub(super) fn check_schema(value: &Value<'_>) -> Result<(), String> {
    match value.kind() {
        Kind::Number => {
            let text = std::str::from_utf8(value.raw()).unwrap_or_default();
            let kept: Option<serde_json::Number> = serde_json::from_str(text).ok();
            let is_exact = kept.is_some_and(|kept| compare(Number(text), &kept.to_string()) == Some(Ordering::Equal));
            if is_exact {
                return Ok(());
            }
            Err(format!(
                "the number {} of the schema has too many digits to be compared exactly: whole numbers have at most 64 bits, others 15 digits that count",
                super::shorten(text)
            ))
        }
        Kind::Object => value.members().try_for_each(|(_, member)| check_schema(&member)),
        Kind::Array => value.elements().try_for_each(|element| check_schema(&element)),
        _ => Ok(()),
    }
}

type Options<'i> = ValidationOptions<'i, Arc<dyn Retrieve>, IndexedJson>;

/// Puts exact rules in the place of those that use floating point.
pub(super) fn with_exact_keywords(options: Options<'_>) -> Options<'_> {
    options
        .with_keyword("minimum", |_, limit, _| bound(limit, Ordering::is_ge))
        .with_keyword("maximum", |_, limit, _| bound(limit, Ordering::is_le))
        .with_keyword("exclusiveMinimum", |_, limit, _| bound(limit, Ordering::is_gt))
        .with_keyword("exclusiveMaximum", |_, limit, _| bound(limit, Ordering::is_lt))
        .with_keyword("multipleOf", |_, divisor, _| {
            let divisor = number_text(divisor)?;
            match Decimal::parse(b"0").zip(Decimal::parse(divisor.as_bytes())) {
                Some((zero, divisor)) if zero.is_multiple_of(&divisor).is_some() => {}
                _ => return Err(ValidationError::schema("expected a number above zero")),
            }
            Ok(Box::new(MultipleOf { divisor }))
        })
}

type BoxedKeyword = Box<dyn for<'i> Keyword<'i, IndexedJson>>;

fn number_text<'a>(value: &serde_json::Value) -> Result<String, ValidationError<'a>> {
    match value {
        serde_json::Value::Number(number) => Ok(number.to_string()),
        _ => Err(ValidationError::schema("expected a number")),
    }
}

fn bound<'a>(limit: &serde_json::Value, accepts: fn(Ordering) -> bool) -> Result<BoxedKeyword, ValidationError<'a>> {
    Ok(Box::new(Bound { small: limit.as_i64(), limit: number_text(limit)?, accepts }))
}

/// `minimum` and its like.
struct Bound {
    limit: String,
    /// The limit when it is a plain integer, which nearly all are.
    small: Option<i64>,
    accepts: fn(Ordering) -> bool,
}

impl<'i> Keyword<'i, IndexedJson> for Bound {
    fn validate(&self, instance: Node<'i>) -> Result<(), ValidationError<'i>> {
        if self.is_valid(instance) { Ok(()) } else { Err(broken()) }
    }

    fn is_valid(&self, instance: Node<'i>) -> bool {
        let Some(number) = instance.as_number() else { return true };
        let order = match (number.0.parse::<i64>(), self.small) {
            (Ok(number), Some(limit)) => Some(number.cmp(&limit)),
            _ => compare(number, &self.limit),
        };
        order.is_some_and(self.accepts)
    }
}

struct MultipleOf {
    divisor: String,
}

impl<'i> Keyword<'i, IndexedJson> for MultipleOf {
    fn validate(&self, instance: Node<'i>) -> Result<(), ValidationError<'i>> {
        if self.is_valid(instance) { Ok(()) } else { Err(broken()) }
    }

    fn is_valid(&self, instance: Node<'i>) -> bool {
        let Some(number) = instance.as_number() else { return true };
        let divisor = Decimal::parse(self.divisor.as_bytes());
        number.decimal().zip(divisor).and_then(|(number, divisor)| number.is_multiple_of(&divisor)) == Some(true)
    }
}

/// The message is not shown: the validator adds place and rule, which are.
fn broken<'i>() -> ValidationError<'i> {
    ValidationError::custom("the number breaks the rule")
}
