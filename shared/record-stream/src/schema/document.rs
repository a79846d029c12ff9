//! A record as the validator sees it.
//!
//! The validator asks a handful of questions: what kind of value is this, what are its members, what is its text. Here
//! they are answered from the index. Strings without escapes are borrowed from the record; nothing else is decoded
//! before a rule looks at it.

use super::number::Number;
use super::unique;
use crate::error::Problem;
use crate::json::{Elements, Kind, Members, Text, Value};
use jsonschema::JsonType;
use jsonschema::json::{self, Json, NodeIdentity};
use std::borrow::Cow;

/// A record under validation: its values and, checked once for all of them, its text.
#[derive(Debug)]
pub(super) struct Document<'a> {
    text: &'a str,
    root: Value<'a>,
}

impl<'a> Document<'a> {
    pub(super) fn new(root: Value<'a>) -> Result<Self, Problem> {
        let text = simdutf8::compat::from_utf8(root.raw())
            .map_err(|error| Problem::InvalidUtf8 { offset: error.valid_up_to() })?;
        Ok(Self { text, root })
    }

    pub(super) fn root(&'a self) -> Node<'a> {
        Node::Value(self, self.root)
    }

    /// A part of the record as text. Where it lies is told by its address, so that it is not checked for UTF-8 again.
    #[inline]
    fn part(&self, bytes: &[u8]) -> &'a str {
        let start = (bytes.as_ptr() as usize).wrapping_sub(self.text.as_ptr() as usize);
        self.text.get(start..start.wrapping_add(bytes.len())).unwrap_or_default()
    }

    #[inline]
    fn string(&self, text: &Text<'a>) -> Cow<'a, str> {
        match text.decoded() {
            Cow::Borrowed(bytes) => Cow::Borrowed(self.part(bytes)),
            Cow::Owned(bytes) => Cow::Owned(String::from_utf8(bytes).unwrap_or_default()),
        }
    }
}

/// The representation of records on their index.
#[derive(Debug)]
pub(super) struct IndexedJson;

impl Json for IndexedJson {
    type Node<'a> = Node<'a>;
    type PreparedKey = Box<[u8]>;
    type StringBuffer = String;
    // A look-up walks the members, so one walk that serves several names is nearly always cheaper.
    const KEYS_PER_LOOKUP: usize = 32;

    fn prepare_key(key: &str) -> Self::PreparedKey {
        key.as_bytes().into()
    }

    fn with_string_node<T>(buffer: &mut String, string: &str, f: impl FnOnce(Node<'_>) -> T) -> T {
        buffer.clear();
        buffer.push_str(string);
        f(Node::Name(buffer))
    }
}

/// One value of a record, or the name of a member, which `propertyNames` looks at like a value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Node<'a> {
    Value(&'a Document<'a>, Value<'a>),
    Name(&'a str),
}

impl<'a> Node<'a> {
    fn value(&self, kind: Kind) -> Option<(&'a Document<'a>, Value<'a>)> {
        match self {
            Self::Value(document, value) if value.kind() == kind => Some((document, *value)),
            _ => None,
        }
    }
}

impl<'a> json::Node<'a, IndexedJson> for Node<'a> {
    type Object = Container<'a>;
    type Array = Container<'a>;
    type Number = Number<'a>;

    #[inline]
    fn as_object(&self) -> Option<Container<'a>> {
        self.value(Kind::Object).map(|(document, value)| Container { document, value })
    }

    #[inline]
    fn as_array(&self) -> Option<Container<'a>> {
        self.value(Kind::Array).map(|(document, value)| Container { document, value })
    }

    #[inline]
    fn as_string(&self) -> Option<Cow<'a, str>> {
        match self {
            Self::Value(document, value) => value.text().map(|text| document.string(&text)),
            Self::Name(name) => Some(Cow::Borrowed(name)),
        }
    }

    #[inline]
    fn as_number(&self) -> Option<Number<'a>> {
        self.value(Kind::Number).map(|(document, value)| Number(document.part(value.raw())))
    }

    #[inline]
    fn as_boolean(&self) -> Option<bool> {
        match self {
            Self::Value(_, value) => match value.kind() {
                Kind::True => Some(true),
                Kind::False => Some(false),
                _ => None,
            },
            Self::Name(_) => None,
        }
    }

    #[inline]
    fn is_null(&self) -> bool {
        self.value(Kind::Null).is_some()
    }

    #[inline]
    fn json_type(&self) -> JsonType {
        let Self::Value(_, value) = self else { return JsonType::String };
        match value.kind() {
            Kind::Null => JsonType::Null,
            Kind::True | Kind::False => JsonType::Boolean,
            Kind::Number => JsonType::Number,
            Kind::String => JsonType::String,
            Kind::Array => JsonType::Array,
            Kind::Object => JsonType::Object,
        }
    }

    fn equals_value(&self, expected: &serde_json::Value) -> bool {
        use serde_json::Value as Expected;
        match expected {
            Expected::Null => self.is_null(),
            Expected::Bool(expected) => self.as_boolean() == Some(*expected),
            Expected::Number(expected) => self.as_number().is_some_and(|number| number.equals(expected)),
            Expected::String(expected) => self.as_string().is_some_and(|text| text == expected.as_str()),
            Expected::Array(expected) => self.as_array().is_some_and(|array| {
                let mut elements = json::Array::elements(&array);
                array.value.count() == expected.len()
                    && expected.iter().all(|wanted| elements.next().is_some_and(|element| element.equals_value(wanted)))
            }),
            Expected::Object(expected) => self.as_object().is_some_and(|object| {
                json::Object::members(&object)
                    .all(|(name, member)| expected.get(name.as_ref()).is_some_and(|wanted| member.equals_value(wanted)))
                    && object.value.count() == expected.len()
            }),
        }
    }

    /// Only the messages and annotations of the validator ask for this. They are never shown, so nothing is copied into
    /// them; comparing and counting, which would ask too, are answered from the index above and below.
    fn to_value(&self) -> Cow<'a, serde_json::Value> {
        Cow::Owned(serde_json::Value::Null)
    }

    fn identity(&self) -> Option<NodeIdentity> {
        Some(match self {
            Self::Value(document, value) => NodeIdentity::tagged(std::ptr::from_ref(*document) as usize, value.place()),
            Self::Name(name) => NodeIdentity::new(name.as_ptr() as usize),
        })
    }
}

/// An array or object of a record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Container<'a> {
    document: &'a Document<'a>,
    value: Value<'a>,
}

impl<'a> json::Object<'a, IndexedJson> for Container<'a> {
    type Node = Node<'a>;
    type MemberName = Cow<'a, str>;
    type MembersIter = NodesByName<'a>;

    fn len(&self) -> usize {
        self.value.count()
    }

    /// The first member of the name is the only one: records with repeated names do not come here.
    #[inline]
    fn get(&self, key: &Box<[u8]>) -> Option<Node<'a>> {
        let found = self.value.members().find(|(name, _)| name.is(key));
        found.map(|(_, value)| Node::Value(self.document, value))
    }

    fn members(&self) -> NodesByName<'a> {
        NodesByName { document: self.document, members: self.value.members() }
    }
}

impl<'a> json::Array<'a, IndexedJson> for Container<'a> {
    type Node = Node<'a>;
    type ElementsIter = Nodes<'a>;

    fn len(&self) -> usize {
        self.value.count()
    }

    fn elements(&self) -> Nodes<'a> {
        Nodes { document: self.document, elements: self.value.elements() }
    }

    fn is_unique(&self) -> bool {
        unique::all_differ(&self.value)
    }
}

/// The members of an object.
#[derive(Debug)]
pub(super) struct NodesByName<'a> {
    document: &'a Document<'a>,
    members: Members<'a>,
}

impl<'a> Iterator for NodesByName<'a> {
    type Item = (Cow<'a, str>, Node<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let (name, value) = self.members.next()?;
        Some((self.document.string(&name), Node::Value(self.document, value)))
    }
}

/// The elements of an array.
#[derive(Debug)]
pub(super) struct Nodes<'a> {
    document: &'a Document<'a>,
    elements: Elements<'a>,
}

impl<'a> Iterator for Nodes<'a> {
    type Item = Node<'a>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.elements.next().map(|value| Node::Value(self.document, value))
    }
}
