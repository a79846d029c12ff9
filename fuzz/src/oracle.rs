//! JSON read with serde_json, level by level, so that nothing is lost.
//!
//! Numbers stay text, members stay in their order with their duplicates, and depth is limited by the caller instead of
//! by serde_json.

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::collections::HashSet;
use std::fmt;

/// A JSON value as serde_json sees it.
#[derive(Debug)]
pub enum Json<'a> {
    /// `null`, `true`, `false` or a number, as text.
    Plain(&'a str),
    /// A string, decoded.
    Text(String),
    /// An array.
    Array(Vec<Json<'a>>),
    /// An object, duplicates included.
    Object(Vec<(String, Json<'a>)>),
}

/// What a value costs, as the engine counts it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Levels of arrays and objects.
    pub depth: usize,
    /// Most members of one object.
    pub fields: usize,
    /// Values of all levels and member names together.
    pub values: usize,
}

/// Deepest nesting that the oracle follows; inputs are too short to need more.
const DEEPEST: usize = 1200;

/// True when the bytes are one JSON value by RFC 8259, white space around it allowed, strings not looked into.
#[must_use]
pub fn is_json(text: &[u8]) -> bool {
    serde_json::from_slice::<&RawValue>(text).is_ok()
}

/// Reads one JSON value. `None` when it is none, or when a string in it stands for no text (a lone surrogate).
#[must_use]
pub fn parse(text: &[u8]) -> Option<Json<'_>> {
    build(serde_json::from_slice::<&RawValue>(text).ok()?, 0)
}

/// Splits JSON values that follow one another. `None` when one of them is broken.
#[must_use]
pub fn split(text: &[u8]) -> Option<Vec<&str>> {
    let values = serde_json::Deserializer::from_slice(text).into_iter::<&RawValue>();
    values.map(|value| value.ok().map(RawValue::get)).collect()
}

fn build(raw: &RawValue, level: usize) -> Option<Json<'_>> {
    let text = raw.get();
    if level > DEEPEST {
        return None;
    }
    Some(match text.as_bytes().first()? {
        b'"' => Json::Text(serde_json::from_str(text).ok()?),
        b'[' => {
            let elements: Vec<&RawValue> = serde_json::from_str(text).ok()?;
            Json::Array(elements.into_iter().map(|element| build(element, level + 1)).collect::<Option<_>>()?)
        }
        b'{' => {
            let members: Members<'_> = serde_json::from_str(text).ok()?;
            let inner = members.0.into_iter().map(|(name, value)| Some((name, build(value, level + 1)?)));
            Json::Object(inner.collect::<Option<_>>()?)
        }
        _ => Json::Plain(text),
    })
}

impl Json<'_> {
    /// What the value costs.
    #[must_use]
    pub fn cost(&self) -> Cost {
        let inner = |parts: &mut dyn Iterator<Item = &Self>, names: usize| {
            let mut cost = Cost { depth: 0, fields: names, values: 1 + names };
            for part in parts {
                let part = part.cost();
                cost.depth = cost.depth.max(part.depth);
                cost.fields = cost.fields.max(part.fields);
                cost.values += part.values;
            }
            Cost { depth: cost.depth + 1, ..cost }
        };
        match self {
            Self::Plain(_) | Self::Text(_) => Cost { depth: 0, fields: 0, values: 1 },
            Self::Array(elements) => inner(&mut elements.iter(), 0),
            Self::Object(members) => inner(&mut members.iter().map(|(_, value)| value), members.len()),
        }
    }

    /// True when an object of the value has two members with one name.
    #[must_use]
    pub fn has_repeated_names(&self) -> bool {
        match self {
            Self::Plain(_) | Self::Text(_) => false,
            Self::Array(elements) => elements.iter().any(Self::has_repeated_names),
            Self::Object(members) => {
                let names: HashSet<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
                names.len() < members.len() || members.iter().any(|(_, value)| value.has_repeated_names())
            }
        }
    }

    /// The member with a name; of several the last.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&Self> {
        let Self::Object(members) = self else { return None };
        members.iter().rev().find(|(other, _)| other == name).map(|(_, value)| value)
    }

    /// The value that the tokens of a JSON Pointer lead to; of several the first that leads on to the end.
    #[must_use]
    pub fn at(&self, pointer: &[String]) -> Option<&Self> {
        let Some((token, rest)) = pointer.split_first() else { return Some(self) };
        match self {
            Self::Plain(_) | Self::Text(_) => None,
            Self::Array(elements) => {
                let is_canonical = token == "0" || !token.starts_with(['0', '+']);
                elements.get(token.parse::<usize>().ok().filter(|_| is_canonical)?)?.at(rest)
            }
            Self::Object(members) => {
                members.iter().filter(|(name, _)| name == token).find_map(|(_, value)| value.at(rest))
            }
        }
    }
}

/// Equal in kind, text and order.
impl PartialEq for Json<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Plain(left), Self::Plain(right)) => left == right,
            (Self::Text(left), Self::Text(right)) => left == right,
            (Self::Array(left), Self::Array(right)) => left == right,
            (Self::Object(left), Self::Object(right)) => left == right,
            _ => false,
        }
    }
}

/// The members of an object in their order.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;

        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = access.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(MembersVisitor)
    }
}
