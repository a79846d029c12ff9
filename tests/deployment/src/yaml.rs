//! YAML with the tags of CloudFormation, as JSON in the long form: `!Sub a` becomes `{"Fn::Sub": "a"}`.

use crate::TemplateError;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value, json};
use serde_saphyr::Tagged;
use std::fmt;

/// A node of the file with its tag written out.
struct Node(Value);

/// A node without its tag.
struct Plain(Value);

/// Parses a template.
///
/// # Errors
/// It is no YAML, has a key twice, or a tag that CloudFormation does not know.
pub fn parse(text: &str) -> Result<Value, TemplateError> {
    let Node(value) = serde_saphyr::from_str(text)?;
    Ok(value)
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Tagged(Plain(value), tag) = Tagged::<Plain>::deserialize(deserializer)?;
        let Some(name) = tag.as_deref().and_then(|tag| tag.strip_prefix('!')) else { return Ok(Self(value)) };
        let long = match (name, &value) {
            ("Ref" | "Condition", _) => json!({ name: value }),
            ("GetAtt", Value::String(path)) => {
                let (resource, attribute) = path
                    .split_once('.')
                    .ok_or_else(|| D::Error::custom(format!("!GetAtt {path} names no attribute")))?;
                json!({"Fn::GetAtt": [resource, attribute]})
            }
            ("And" | "Equals" | "GetAtt" | "If" | "Join" | "Not" | "Or" | "Split" | "Sub", _) => {
                json!({ format!("Fn::{name}"): value })
            }
            _ => return Err(D::Error::custom(format!("the tag !{name} is not known here"))),
        };
        Ok(Self(long))
    }
}

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PlainVisitor).map(Self)
    }
}

struct PlainVisitor;

impl<'de> Visitor<'de> for PlainVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value of a template")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number must be finite"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Node(element)) = elements.next_element()? {
            list.push(element);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some((name, Node(member))) = members.next_entry::<String, Node>()? {
            map.insert(name, member);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(yaml: &str, expected: &Value) {
        assert_eq!(&parse(yaml).unwrap(), expected, "{yaml}");
    }

    #[test]
    fn tags_are_written_out() {
        check("a: !Ref B", &json!({"a": {"Ref": "B"}}));
        check("a: !Sub '${B}/c'", &json!({"a": {"Fn::Sub": "${B}/c"}}));
        check("a: !GetAtt B.Arn", &json!({"a": {"Fn::GetAtt": ["B", "Arn"]}}));
        check("a: !If [C, !Ref B, 1]", &json!({"a": {"Fn::If": ["C", {"Ref": "B"}, 1]}}));
        check("a: !If\n  - C\n  - x: !Ref B\n  - z", &json!({"a": {"Fn::If": ["C", {"x": {"Ref": "B"}}, "z"]}}));
        check("a: !Sub\n  - '${B}'\n  - B: 1", &json!({"a": {"Fn::Sub": ["${B}", {"B": 1}]}}));
        check("a: !Not [!Equals [!Ref B, '']]", &json!({"a": {"Fn::Not": [{"Fn::Equals": [{"Ref": "B"}, ""]}]}}));
    }

    #[test]
    fn mistakes_are_refused() {
        for yaml in ["a: !Sbu b", "a: !GetAtt B", "a: 1\na: 2", "a: [1"] {
            assert!(parse(yaml).is_err(), "{yaml}");
        }
    }
}
