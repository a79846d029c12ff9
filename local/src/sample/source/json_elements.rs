//! The records of a JSON file: the elements of the array at the top; or of the only array among the members of the
//! object at the top; or the document itself as the one record.

use std::fmt;
use std::path::Path;

use serde::de::{Deserializer as _, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::{Found, Span, utf8};
use crate::sample::error::SampleError;

pub(super) fn find(path: &Path, bytes: &[u8]) -> Result<Vec<Span>, SampleError> {
    let text = utf8(path, bytes, "JSON")?;
    let document = text.trim_ascii();
    let offset = text.len() - text.trim_ascii_start().len();
    let mut found = Found::new(path);
    match document.as_bytes().first() {
        None => {}
        Some(b'[') => add_elements(path, document, offset, &mut found)?,
        Some(b'{') => match only_array(path, document)? {
            Some((start, array)) => add_elements(path, array, offset + start, &mut found)?,
            None => found.add(offset, offset + document.len())?,
        },
        Some(_) => {
            let reason = "expected an array or an object at the top".to_owned();
            return Err(SampleError::Malformed { path: path.to_owned(), format: "JSON", reason });
        }
    }
    found.finish("expected an array with at least one element, or an object")
}

fn malformed(path: &Path) -> impl Fn(serde_json::Error) -> SampleError {
    move |error| SampleError::Malformed { path: path.to_owned(), format: "JSON", reason: error.to_string() }
}

/// Where `part`, a piece of `whole`, begins in it.
fn position_in(whole: &str, part: &str) -> usize {
    (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize)
}

/// Adds the elements of `array`, which begins at byte `offset` of the file.
fn add_elements(path: &Path, array: &str, offset: usize, found: &mut Found<'_>) -> Result<(), SampleError> {
    struct Elements<'a, 'f, 'p> {
        array: &'a str,
        offset: usize,
        found: &'f mut Found<'p>,
        refused: &'f mut Option<SampleError>,
    }

    impl<'de> Visitor<'de> for Elements<'de, '_, '_> {
        type Value = ();

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("an array")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<(), A::Error> {
            while let Some(element) = access.next_element::<&'de RawValue>()? {
                let start = self.offset + position_in(self.array, element.get());
                if let Err(error) = self.found.add(start, start + element.get().len()) {
                    *self.refused = Some(error);
                    return Err(A::Error::custom("too many elements"));
                }
            }
            Ok(())
        }
    }

    let mut refused = None;
    let mut deserializer = serde_json::Deserializer::from_str(array);
    let visited = deserializer
        .deserialize_seq(Elements { array, offset, found, refused: &mut refused })
        .and_then(|()| deserializer.end());
    match refused {
        Some(error) => Err(error),
        None => visited.map_err(malformed(path)),
    }
}

/// The only array among the members of an object, with its position; `None` when there is none or more than one.
fn only_array<'a>(path: &Path, object: &'a str) -> Result<Option<(usize, &'a str)>, SampleError> {
    struct Members<'a>(&'a str);

    impl<'de> Visitor<'de> for Members<'de> {
        type Value = Option<(usize, &'de str)>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
            let (mut first, mut arrays) = (None, 0);
            while let Some((_, member)) = access.next_entry::<serde::de::IgnoredAny, &'de RawValue>()? {
                if member.get().starts_with('[') {
                    arrays += 1;
                    first = Some((position_in(self.0, member.get()), member.get()));
                }
            }
            Ok(first.filter(|_| arrays == 1))
        }
    }

    let mut deserializer = serde_json::Deserializer::from_str(object);
    let found = deserializer.deserialize_map(Members(object)).map_err(malformed(path))?;
    deserializer.end().map_err(malformed(path))?;
    Ok(found)
}
