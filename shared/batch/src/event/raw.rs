//! The event as it came: a text of JSON, cut into its parts before any of them is read.
//!
//! JSON allows what cannot be held: half of a surrogate pair, a number beyond all floats, nesting without end. Read as
//! one value, an event with one such item would be lost with all its items. Cutting needs nothing but the grammar. Then
//! each part is read by itself, so that what stands in an item concerns that item alone. What is wrong is told by its
//! position, never by what stands there.

use super::{MAX_ITEMS, invalid};
use crate::error::BatchError;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;

/// The members of an event by name; of those with the same name the last one.
pub(crate) type Parts<'a> = BTreeMap<String, &'a RawValue>;

/// Cuts the event into its members.
///
/// # Errors
/// It is no object, or one of its names cannot be read.
pub(crate) fn parts(event: &RawValue) -> Result<Parts<'_>, BatchError> {
    if !event.get().starts_with('{') {
        return Err(invalid(&format!("expected an object as the event, found {}", kind_of(event))));
    }
    serde_json::from_str(event.get()).map_err(|error| invalid(&unreadable("the event", &error)))
}

/// Reads a part that is no item.
///
/// # Errors
/// It holds what cannot be read.
pub(super) fn value(part: &RawValue, what: &str) -> Result<Value, BatchError> {
    serde_json::from_str(part.get()).map_err(|error| invalid(&unreadable(what, &error)))
}

/// Cuts a list of at most [`MAX_ITEMS`] into its elements.
///
/// # Errors
/// It is no list, or longer.
pub(super) fn items(list: &RawValue) -> Result<Vec<&RawValue>, BatchError> {
    if !list.get().starts_with('[') {
        return Err(invalid(&format!("expected a list in Items, found {}", kind_of(list))));
    }
    let mut reader = serde_json::Deserializer::from_str(list.get());
    let elements = reader.deserialize_seq(Elements).map_err(|error| invalid(&unreadable("Items", &error)))?;
    match elements.beyond {
        0 => Ok(elements.first),
        beyond => {
            let found = elements.first.len() + beyond;
            Err(invalid(&format!("expected at most {MAX_ITEMS} items in Items, found {found}")))
        }
    }
}

/// Why a part of the event cannot be read, and where; the line and the column are those of the part.
pub(crate) fn unreadable(what: &str, error: &serde_json::Error) -> String {
    let (line, column) = (error.line(), error.column());
    // Errors of the syntax are of a few constant texts; others may quote what was found.
    let found = if error.is_syntax() { error.to_string() } else { format!("another at line {line} column {column}") };
    format!("expected JSON that can be read in {what}, found {found}")
}

/// What a part is, for messages.
fn kind_of(part: &RawValue) -> &'static str {
    match part.get().as_bytes() {
        [b'{', ..] => "an object",
        [b'[', ..] => "a list",
        [b'"', b'"'] => "an empty text",
        [b'"', ..] => "a text",
        [b't' | b'f', ..] => "a boolean",
        [b'n', ..] => "null",
        _ => "a number",
    }
}

/// The first elements of a list, and how many there are beyond.
struct Elements;

struct Cut<'a> {
    first: Vec<&'a RawValue>,
    beyond: usize,
}

impl<'a> Visitor<'a> for Elements {
    type Value = Cut<'a>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list")
    }

    fn visit_seq<List: SeqAccess<'a>>(self, mut list: List) -> Result<Self::Value, List::Error> {
        let mut cut = Cut { first: Vec::new(), beyond: 0 };
        while cut.first.len() < MAX_ITEMS {
            let Some(element) = list.next_element()? else { return Ok(cut) };
            cut.first.push(element);
        }
        while list.next_element::<IgnoredAny>()?.is_some() {
            cut.beyond += 1;
        }
        Ok(cut)
    }
}
