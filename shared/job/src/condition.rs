//! Conditions on a record: the `where` of a job.
//!
//! One condition is a mapping of one of four shapes: `{all: [...]}`, `{any: [...]}`, `{not: {...}}` or
//! `{field: path, <operator>: operand}` with exactly one operator.
//!
//! Numbers in operands are held as 64-bit integers where they fit and as 64-bit floating point otherwise. Integers that
//! do not fit into 64 bits are refused, because they would silently lose digits. Such numbers and long decimals are
//! written as strings (`gt: "0.10"`): a string operand of a field to which `record.types` gives a numeric type is a
//! number ([`Record::is_numeric`](crate::Record::is_numeric)).

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Unexpected, Visitor};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Number, Value};

use crate::decode::kind;
use crate::field_path::FieldPath;
use crate::limits::MAX_IN_VALUES;

/// A condition on one record.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// True when every condition is true; never an empty list.
    All(Vec<Condition>),
    /// True when at least one condition is true; never an empty list.
    Any(Vec<Condition>),
    /// True when the condition is false.
    Not(Box<Condition>),
    /// A test of one field.
    Field {
        /// The field that is looked at.
        field: FieldPath,
        /// The test and its operand.
        operator: Operator,
    },
}

/// The test of a field condition.
#[derive(Debug, Clone, PartialEq)]
pub enum Operator {
    /// Equal to the operand.
    Eq(Scalar),
    /// Not equal to the operand.
    Ne(Scalar),
    /// Greater than the operand (a number or a string).
    Gt(Scalar),
    /// Greater than or equal to the operand (a number or a string).
    Ge(Scalar),
    /// Less than the operand (a number or a string).
    Lt(Scalar),
    /// Less than or equal to the operand (a number or a string).
    Le(Scalar),
    /// Equal to one of 1 to 1000 operands.
    In(Vec<Scalar>),
    /// Whether the field is there at all, null or not.
    Exists(bool),
    /// Whether the field is there and null.
    IsNull(bool),
    /// The string begins with the operand.
    StartsWith(String),
    /// The string ends with the operand.
    EndsWith(String),
    /// The string holds the operand.
    Contains(String),
}

/// An operand: a JSON value that is neither null nor a list nor a mapping.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    /// `true` or `false`.
    Bool(bool),
    /// A number that fits into 64 bits.
    Number(Number),
    /// A string.
    String(String),
}

const ALL: &str = "all";
const ANY: &str = "any";
const NOT: &str = "not";
const FIELD: &str = "field";
const OPERATORS: [&str; 12] =
    ["eq", "ne", "gt", "ge", "lt", "le", "in", "exists", "is_null", "starts_with", "ends_with", "contains"];
const KEYS: &[&str] = &[
    ALL,
    ANY,
    NOT,
    FIELD,
    "eq",
    "ne",
    "gt",
    "ge",
    "lt",
    "le",
    "in",
    "exists",
    "is_null",
    "starts_with",
    "ends_with",
    "contains",
];

impl Operator {
    /// The key of the operator in the job file, for instance `starts_with`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Eq(_) => "eq",
            Self::Ne(_) => "ne",
            Self::Gt(_) => "gt",
            Self::Ge(_) => "ge",
            Self::Lt(_) => "lt",
            Self::Le(_) => "le",
            Self::In(_) => "in",
            Self::Exists(_) => "exists",
            Self::IsNull(_) => "is_null",
            Self::StartsWith(_) => "starts_with",
            Self::EndsWith(_) => "ends_with",
            Self::Contains(_) => "contains",
        }
    }

    /// The operands that are compared with the value of the field; empty for the other operators.
    #[must_use]
    pub fn scalars(&self) -> &[Scalar] {
        match self {
            Self::Eq(scalar)
            | Self::Ne(scalar)
            | Self::Gt(scalar)
            | Self::Ge(scalar)
            | Self::Lt(scalar)
            | Self::Le(scalar) => std::slice::from_ref(scalar),
            Self::In(scalars) => scalars,
            _ => &[],
        }
    }

    /// Builds the operator of this name, or says what operand was expected.
    fn build(name: &str, operand: Value) -> Result<Self, String> {
        let boolean = |operand: Value| operand.as_bool().ok_or_else(|| "true or false".to_owned());
        let text = |operand: Value| match operand {
            Value::String(text) => Ok(text),
            _ => Err("a string".to_owned()),
        };
        Ok(match name {
            "eq" => Self::Eq(Scalar::read(operand)?),
            "ne" => Self::Ne(Scalar::read(operand)?),
            "gt" => Self::Gt(Scalar::read_ordered(operand)?),
            "ge" => Self::Ge(Scalar::read_ordered(operand)?),
            "lt" => Self::Lt(Scalar::read_ordered(operand)?),
            "le" => Self::Le(Scalar::read_ordered(operand)?),
            "in" => match operand {
                Value::Array(values) if (1..=MAX_IN_VALUES).contains(&values.len()) => {
                    Self::In(values.into_iter().map(Scalar::read).collect::<Result<_, _>>()?)
                }
                _ => return Err(format!("a list of 1 to {MAX_IN_VALUES} strings, numbers or booleans")),
            },
            "exists" => Self::Exists(boolean(operand)?),
            "is_null" => Self::IsNull(boolean(operand)?),
            "starts_with" => Self::StartsWith(text(operand)?),
            "ends_with" => Self::EndsWith(text(operand)?),
            _ => Self::Contains(text(operand)?),
        })
    }
}

impl Scalar {
    fn read(value: Value) -> Result<Self, String> {
        match value {
            Value::Bool(value) => Ok(Self::Bool(value)),
            Value::String(text) => Ok(Self::String(text)),
            Value::Number(number) if is_exact(&number) => Ok(Self::Number(number)),
            Value::Number(_) => Err("a number that 64 bits hold exactly, or a string with all its digits".to_owned()),
            Value::Null => Err("a string, number or boolean (for null use `is_null: true`)".to_owned()),
            Value::Array(_) | Value::Object(_) => Err("a string, number or boolean".to_owned()),
        }
    }

    fn read_ordered(value: Value) -> Result<Self, String> {
        match Self::read(value)? {
            Self::Bool(_) => Err("a number or a string, which have an order".to_owned()),
            ordered => Ok(ordered),
        }
    }
}

/// False for a whole number beyond 64 bits, which was rounded to floating point when the job was read.
fn is_exact(number: &Number) -> bool {
    const LARGEST_EXACT: f64 = 9_007_199_254_740_992.0;
    number.is_i64() || number.is_u64() || number.as_f64().is_some_and(|value| value.abs() <= LARGEST_EXACT)
}

/// True for a number that is not exact.
pub(crate) fn is_inexact(value: &Value) -> bool {
    matches!(value, Value::Number(number) if !is_exact(number))
}

impl Serialize for Scalar {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(number) => number.serialize(serializer),
            Self::String(text) => serializer.serialize_str(text),
        }
    }
}

impl Serialize for Condition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self {
            Self::All(conditions) => map.serialize_entry(ALL, conditions)?,
            Self::Any(conditions) => map.serialize_entry(ANY, conditions)?,
            Self::Not(condition) => map.serialize_entry(NOT, condition)?,
            Self::Field { field, operator } => {
                map.serialize_entry(FIELD, field)?;
                map.serialize_key(operator.name())?;
                match operator {
                    Operator::Eq(value)
                    | Operator::Ne(value)
                    | Operator::Gt(value)
                    | Operator::Ge(value)
                    | Operator::Lt(value)
                    | Operator::Le(value) => map.serialize_value(value)?,
                    Operator::In(values) => map.serialize_value(values)?,
                    Operator::Exists(value) | Operator::IsNull(value) => map.serialize_value(value)?,
                    Operator::StartsWith(text) | Operator::EndsWith(text) | Operator::Contains(text) => {
                        map.serialize_value(text)?;
                    }
                }
            }
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Condition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ConditionVisitor)
    }
}

struct ConditionVisitor;

impl<'de> Visitor<'de> for ConditionVisitor {
    type Value = Condition;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a condition: a mapping with `all`, `any`, `not`, or `field` and one operator")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Condition, A::Error> {
        let mut field = None;
        let mut group = None;
        let mut operator: Option<(&'static str, Operator)> = None;
        let mut keys = Vec::new();
        while let Some(Key(key)) = access.next_key()? {
            keys.push(key);
            match key {
                ALL => group = Some(Condition::All(access.next_value::<Group>()?.0)),
                ANY => group = Some(Condition::Any(access.next_value::<Group>()?.0)),
                NOT => group = Some(Condition::Not(access.next_value()?)),
                FIELD => field = Some(access.next_value::<FieldPath>()?),
                name => operator = Some((name, access.next_value_seed(OperandSeed(name))?)),
            }
        }
        match (group, field, operator, keys.len()) {
            (Some(group), None, None, 1) => Ok(group),
            (None, Some(field), Some((_, operator)), 2) => Ok(Condition::Field { field, operator }),
            _ if keys.is_empty() => Err(A::Error::invalid_value(Unexpected::Other("an empty mapping"), &self)),
            _ => Err(A::Error::invalid_value(Unexpected::Other(&format!("the keys {}", keys.join(", "))), &self)),
        }
    }
}

/// A known key of a condition.
struct Key(&'static str);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;

        impl Visitor<'_> for KeyVisitor {
            type Value = Key;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a key of a condition")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Key, E> {
                KEYS.iter().find(|key| **key == text).map(|key| Key(key)).ok_or_else(|| E::unknown_field(text, KEYS))
            }
        }

        deserializer.deserialize_identifier(KeyVisitor)
    }
}

/// The list of `all` or `any`.
struct Group(Vec<Condition>);

impl<'de> Deserialize<'de> for Group {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let conditions = Vec::deserialize(deserializer)?;
        if conditions.is_empty() {
            return Err(D::Error::invalid_value(Unexpected::Other("an empty list"), &"a list of conditions"));
        }
        Ok(Self(conditions))
    }
}

/// Reads the operand of an operator while the operator's key is the current place, so that errors point there.
struct OperandSeed(&'static str);

impl<'de> serde::de::DeserializeSeed<'de> for OperandSeed {
    type Value = Operator;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Operator, D::Error> {
        let operand = Value::deserialize(deserializer)?;
        let found = kind(&operand);
        Operator::build(self.0, operand)
            .map_err(|expected| D::Error::invalid_value(Unexpected::Other(found), &expected.as_str()))
    }
}

impl JsonSchema for Condition {
    fn schema_name() -> Cow<'static, str> {
        "Condition".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let condition = generator.subschema_for::<Self>();
        let field = generator.subschema_for::<FieldPath>();
        let group = json_schema!({"type": "array", "items": condition.clone(), "minItems": 1});
        let scalar = json_schema!({"type": ["string", "number", "boolean"]});
        let ordered = json_schema!({"type": ["string", "number"]});
        let one_key = |key: &str, schema: &Schema| {
            json_schema!({
                "type": "object", "properties": {key: schema}, "required": [key], "additionalProperties": false
            })
        };
        let mut shapes = vec![one_key(ALL, &group), one_key(ANY, &group), one_key(NOT, &condition)];
        for name in OPERATORS {
            let operand = match name {
                "eq" | "ne" => scalar.clone(),
                "gt" | "ge" | "lt" | "le" => ordered.clone(),
                "in" => json_schema!({"type": "array", "items": scalar, "minItems": 1, "maxItems": MAX_IN_VALUES}),
                "exists" | "is_null" => json_schema!({"type": "boolean"}),
                _ => json_schema!({"type": "string"}),
            };
            shapes.push(json_schema!({
                "type": "object",
                "properties": {FIELD: field, name: operand},
                "required": [FIELD, name],
                "additionalProperties": false
            }));
        }
        json_schema!({
            "description": "A condition on one record: `all`, `any`, `not`, or a `field` with exactly one operator.",
            "oneOf": shapes
        })
    }
}
