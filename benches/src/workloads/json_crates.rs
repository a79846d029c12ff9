//! JSON jobs done with `serde_json`.

use super::{Answer, Kind, Output, PRICE_ABOVE, Workload, lines};
use crate::data::Shape;
use crate::error::WorkError;
use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;
use std::fmt;
use std::hint::black_box;

pub(super) fn workloads() -> Vec<Workload> {
    let peer =
        |name, about, shape, answer, work| Workload { name, about, kind: Kind::Peer, shape, answer, peer: None, work };
    vec![
        peer("serde-tree", "NDJSON to trees (serde_json)", Shape::Events, Answer::Read, tree),
        peer(
            "serde-reshape",
            "NDJSON: filter, project, rename, cast, write (serde_json trees)",
            Shape::Events,
            Answer::EventsReshaped,
            tree_reshaped,
        ),
        peer(
            "serde-typed",
            "NDJSON: filter, project, rename, cast, write (serde_json into a struct)",
            Shape::Events,
            Answer::EventsReshaped,
            typed_reshaped,
        ),
        peer("serde-array", "JSON array to NDJSON (serde_json trees)", Shape::EventArray, Answer::Events, array),
        peer(
            "serde-documents",
            "documents of 200 KB to lines (serde_json trees)",
            Shape::Documents,
            Answer::Documents,
            documents,
        ),
    ]
}

fn tree(objects: &[Vec<u8>], _: &mut Output) -> Result<(), WorkError> {
    for line in objects.iter().flat_map(|object| lines(object)) {
        black_box(serde_json::from_slice::<Value>(line)?);
    }
    Ok(())
}

fn tree_reshaped(objects: &[Vec<u8>], output: &mut Output) -> Result<(), WorkError> {
    for line in objects.iter().flat_map(|object| lines(object)) {
        let mut event: Value = serde_json::from_slice(line)?;
        let price: f64 = event["price"].as_str().ok_or("an event without a price")?.parse()?;
        if price > PRICE_ABOVE {
            let mut kept = serde_json::Map::new();
            for (name, new_name) in [("id", "id"), ("type", "kind"), ("path", "path")] {
                kept.insert(new_name.to_owned(), event[name].take());
            }
            kept.insert("price".to_owned(), price.into());
            serde_json::to_writer(&mut output.buffer, &kept)?;
            output.end_record();
        }
    }
    output.drain();
    Ok(())
}

/// The members of an event that the job needs; texts without escapes are not copied.
#[derive(Debug, Deserialize)]
pub struct Event<'a> {
    id: u64,
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    price: Cow<'a, str>,
    #[serde(borrow)]
    path: Cow<'a, str>,
}

#[derive(Serialize)]
struct KeptEvent<'a> {
    id: u64,
    kind: &'a str,
    price: f64,
    path: &'a str,
}

/// Writes an event if its price is above [`PRICE_ABOVE`].
///
/// # Errors
/// The price is no number.
pub fn write_kept_event(event: &Event<'_>, output: &mut Output) -> Result<(), WorkError> {
    let price: f64 = event.price.parse()?;
    if price > PRICE_ABOVE {
        let kept = KeptEvent { id: event.id, kind: &event.kind, price, path: &event.path };
        serde_json::to_writer(&mut output.buffer, &kept)?;
        output.end_record();
    }
    Ok(())
}

fn typed_reshaped(objects: &[Vec<u8>], output: &mut Output) -> Result<(), WorkError> {
    for line in objects.iter().flat_map(|object| lines(object)) {
        write_kept_event(&serde_json::from_slice(line)?, output)?;
    }
    output.drain();
    Ok(())
}

fn array(objects: &[Vec<u8>], output: &mut Output) -> Result<(), WorkError> {
    for object in objects {
        let mut reader = serde_json::Deserializer::from_slice(object);
        Elements(output).deserialize(&mut reader)?;
        reader.end()?;
    }
    output.drain();
    Ok(())
}

/// Writes the elements of an array one after another, so that the array is never held as a whole.
struct Elements<'a>(&'a mut Output);

impl<'de> DeserializeSeed<'de> for Elements<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Elements<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while let Some(element) = elements.next_element::<Value>()? {
            serde_json::to_writer(&mut self.0.buffer, &element).map_err(serde::de::Error::custom)?;
            self.0.end_record();
        }
        Ok(())
    }
}

fn documents(objects: &[Vec<u8>], output: &mut Output) -> Result<(), WorkError> {
    for object in objects {
        serde_json::to_writer(&mut output.buffer, &serde_json::from_slice::<Value>(object)?)?;
        output.end_record();
    }
    output.drain();
    Ok(())
}
