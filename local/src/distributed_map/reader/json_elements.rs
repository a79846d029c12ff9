//! The elements of one array or object in a JSON file of any size.
//!
//! The file is gone through byte by byte, watching only brackets, quotes and commas, until the array that is wanted
//! begins. Then each element is copied out and parsed for itself, so one element is in memory, not the file. What is
//! skipped on the way is not checked further.

use std::io::BufRead;

use super::rows::{Row, Rows, parse, too_large, unreadable};
use super::{ROW_BYTES_MAX, failed};
use crate::asl::StateError;

/// Within so many bytes of the file the array that an `ItemsPointer` names must begin, as in the service.
const POINTED_BYTES_MAX: u64 = 16 * 1_024 * 1_024;

#[derive(Debug)]
pub(super) struct JsonElements {
    scanner: Scanner,
    container: Container,
    /// The whole file is the array, so nothing may stand behind it.
    whole: bool,
    first: bool,
    ended: bool,
    text: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Container {
    Array,
    Object,
}

impl JsonElements {
    /// Goes to the array at the top, or to the array or object that the pointer names.
    pub(super) fn open(input: Box<dyn BufRead + Send>, pointer: Option<&[String]>) -> Result<Self, StateError> {
        let mut scanner = Scanner { input, offset: 0 };
        for step in pointer.unwrap_or_default() {
            scanner.step_into(step)?;
        }
        if pointer.is_some() && scanner.offset > POINTED_BYTES_MAX {
            return Err(failed(format!(
                "the array that ItemsPointer names begins behind the first {POINTED_BYTES_MAX} bytes of the file"
            )));
        }
        let container = match (scanner.significant()?, pointer) {
            (Some(b'['), _) => Container::Array,
            (Some(b'{'), Some(_)) => Container::Object,
            _ => return Err(failed("Attempting to map over non-iterable node.")),
        };
        scanner.skip_byte();
        let whole = pointer.is_none_or(<[String]>::is_empty);
        Ok(Self { scanner, container, whole, first: true, ended: false, text: Vec::new() })
    }

    fn end(&mut self) -> Result<Option<Row>, StateError> {
        self.scanner.skip_byte();
        self.ended = true;
        match self.scanner.significant()? {
            Some(_) if self.whole => Err(failed("there is more behind the end of the JSON document")),
            _ => Ok(None),
        }
    }
}

impl Rows for JsonElements {
    fn next(&mut self) -> Result<Option<Row>, StateError> {
        if self.ended {
            return Ok(None);
        }
        let closing = if self.container == Container::Array { b']' } else { b'}' };
        let first = std::mem::replace(&mut self.first, false);
        match self.scanner.significant()? {
            Some(byte) if byte == closing => return self.end(),
            Some(b',') if !first => self.scanner.skip_byte(),
            Some(_) if first => {}
            _ => return Err(failed("expected \",\" or the end of the JSON array or object")),
        }
        let mut bytes = 0;
        let key = match self.container {
            Container::Array => None,
            Container::Object => {
                let key = self.scanner.key(&mut self.text)?;
                bytes += self.text.len();
                Some(key)
            }
        };
        self.scanner.value(Some(&mut self.text))?;
        bytes += self.text.len();
        Ok(Some(Row { value: parse(&self.text)?, key, bytes }))
    }
}

/// Goes over the structure of a JSON text.
struct Scanner {
    input: Box<dyn BufRead + Send>,
    offset: u64,
}

impl std::fmt::Debug for Scanner {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Scanner").field("offset", &self.offset).finish_non_exhaustive()
    }
}

/// How far a value is.
#[derive(Default)]
struct Progress {
    depth: u64,
    begun: bool,
    in_text: bool,
    escaped: bool,
}

/// What a byte means for the value it may belong to.
enum Belongs {
    Inside,
    Last,
    /// The value ended before it.
    Behind,
}

impl Progress {
    fn take(&mut self, byte: u8) -> Belongs {
        if self.in_text {
            match byte {
                _ if std::mem::take(&mut self.escaped) => {}
                b'\\' => self.escaped = true,
                b'"' => {
                    self.in_text = false;
                    return self.closed();
                }
                _ => {}
            }
            return Belongs::Inside;
        }
        match byte {
            b'"' => {
                self.in_text = true;
                self.begun = true;
            }
            b'[' | b'{' => {
                self.depth += 1;
                self.begun = true;
            }
            b']' | b'}' | b',' | b':' if self.depth == 0 => return Belongs::Behind,
            b']' | b'}' => {
                self.depth -= 1;
                return self.closed();
            }
            byte if byte.is_ascii_whitespace() => {
                // Behind a number or a word at the top a blank is the end.
                return if self.depth == 0 && self.begun { Belongs::Behind } else { Belongs::Inside };
            }
            _ => self.begun = true,
        }
        Belongs::Inside
    }

    fn closed(&self) -> Belongs {
        if self.depth == 0 { Belongs::Last } else { Belongs::Inside }
    }
}

impl Scanner {
    /// The next byte that is no white space; it stays to be read.
    fn significant(&mut self) -> Result<Option<u8>, StateError> {
        loop {
            let buffer = self.input.fill_buf().map_err(unreadable)?;
            if buffer.is_empty() {
                return Ok(None);
            }
            match buffer.iter().position(|byte| !byte.is_ascii_whitespace()) {
                Some(position) => {
                    let byte = buffer.get(position).copied();
                    self.consume(position);
                    return Ok(byte);
                }
                None => {
                    let length = buffer.len();
                    self.consume(length);
                }
            }
        }
    }

    fn consume(&mut self, bytes: usize) {
        self.input.consume(bytes);
        self.offset += bytes as u64;
    }

    /// Goes over the byte that [`Scanner::significant`] has shown.
    fn skip_byte(&mut self) {
        self.consume(1);
    }

    /// Goes over one value; copies it when there is a place for it.
    fn value(&mut self, mut copy: Option<&mut Vec<u8>>) -> Result<(), StateError> {
        let mut progress = Progress::default();
        if let Some(copy) = &mut copy {
            copy.clear();
        }
        loop {
            let buffer = self.input.fill_buf().map_err(unreadable)?;
            if buffer.is_empty() {
                // A document may end with a number; all else is cut off, which the parser finds if it is to be parsed.
                return if progress.begun && progress.depth == 0 && !progress.in_text {
                    Ok(())
                } else {
                    Err(failed("the JSON document ends too early"))
                };
            }
            let mut taken = buffer.len();
            let mut ended = false;
            for (position, &byte) in buffer.iter().enumerate() {
                match progress.take(byte) {
                    Belongs::Inside => {}
                    Belongs::Last => (taken, ended) = (position + 1, true),
                    Belongs::Behind => (taken, ended) = (position, true),
                }
                if ended {
                    break;
                }
            }
            if let Some(copy) = &mut copy {
                copy.extend_from_slice(buffer.get(..taken).unwrap_or_default());
                if copy.len() > ROW_BYTES_MAX {
                    return Err(too_large("an item", ROW_BYTES_MAX));
                }
            }
            self.consume(taken);
            if ended {
                return Ok(());
            }
        }
    }

    /// The name of a member, and the colon behind it.
    fn key(&mut self, text: &mut Vec<u8>) -> Result<String, StateError> {
        if self.significant()? != Some(b'"') {
            return Err(failed("expected the name of a member in a JSON object"));
        }
        self.value(Some(&mut *text))?;
        let key = serde_json::from_slice(text)
            .map_err(|error| failed(format!("the name of a member is not valid JSON: {error}")))?;
        if self.significant()? != Some(b':') {
            return Err(failed("expected \":\" behind the name of a member in a JSON object"));
        }
        self.skip_byte();
        Ok(key)
    }

    /// Goes to the member or element of that name.
    fn step_into(&mut self, step: &str) -> Result<(), StateError> {
        let absent = || failed("the file has nothing at the place that ItemsPointer names");
        let opening = self.significant()?;
        let index: Option<u64> = match opening {
            Some(b'{') => None,
            Some(b'[') => Some(step.parse().map_err(|_| absent())?),
            _ => return Err(absent()),
        };
        self.skip_byte();
        let mut text = Vec::new();
        let mut position = 0;
        loop {
            if matches!(self.significant()?, None | Some(b']' | b'}')) {
                return Err(absent());
            }
            if position > 0 {
                self.skip_byte();
            }
            let found = match index {
                Some(index) => index == position,
                None => self.key(&mut text)? == step,
            };
            if found {
                return Ok(());
            }
            self.significant()?;
            self.value(None)?;
            position += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Cursor};

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn rows(text: &str, pointer: Option<&str>) -> Result<Vec<Value>, StateError> {
        let steps: Option<Vec<String>> = pointer.map(|text| text.split('/').skip(1).map(str::to_owned).collect());
        // Three bytes at a time, so that every token meets the end of a buffer.
        let input = Box::new(BufReader::with_capacity(3, Cursor::new(text.to_owned())));
        let mut rows = JsonElements::open(input, steps.as_deref())?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(match row.key {
                Some(key) => json!([key, row.value]),
                None => row.value,
            });
        }
        assert_eq!(rows.next().unwrap(), None, "the end stays the end");
        Ok(found)
    }

    #[test]
    fn elements_and_members() {
        let check = |text: &str, pointer: Option<&str>, expected: Result<Value, &str>| {
            let found = rows(text, pointer).map(Value::Array).map_err(|error| {
                assert_eq!(error.name, "States.ItemReaderFailed");
                error.cause.unwrap_or_default()
            });
            match expected {
                Ok(expected) => assert_eq!(found, Ok(expected), "{text} {pointer:?}"),
                Err(part) => assert!(found.as_ref().is_err_and(|cause| cause.contains(part)), "{text}: {found:?}"),
            }
        };
        check("[]", None, Ok(json!([])));
        check(" [ 1 , 2.5e3,\"a,]\\\"\" , null,[1,[2]],{\"b\":\"}\"} ] \n", None, {
            Ok(json!([1, 2.5e3, "a,]\"", null, [1, [2]], {"b": "}"}]))
        });
        check("[[1],[2]]", None, Ok(json!([[1], [2]])));
        check("[[1],[2]]", Some("/1"), Ok(json!([2])));
        check("{\"a\":{\"x\":[0]},\"b/c\":[{\"d\":[7,8]}]}", Some("/b/c"), Err("nothing at the place"));
        check("{\"a\":{\"x\":[0],\"d\":1},\"b\":[3,{\"d\":[7,8]}], broken", Some("/b/1/d"), Ok(json!([7, 8])));
        check("{\"\\u0061\": [1]}", Some("/a"), Ok(json!([1])));
        check("{\"a\":{\"x\":1,\"y\":[2]}}", Some("/a"), Ok(json!([["x", 1], ["y", [2]]])));
        check("{\"x\":1}", Some(""), Ok(json!([["x", 1]])));
        check("{\"x\":1}", None, Err("Attempting to map over non-iterable node."));
        check("7", None, Err("Attempting to map over non-iterable node."));
        check("", None, Err("Attempting to map over non-iterable node."));
        check("{\"a\":5}", Some("/a"), Err("Attempting to map over non-iterable node."));
        check("{\"a\":5}", Some("/b"), Err("nothing at the place"));
        check("[[1]]", Some("/1"), Err("nothing at the place"));
        check("[[1]]", Some("/x"), Err("nothing at the place"));
        check("[1 2]", None, Err("expected \",\""));
        check("[1,]", None, Err("not valid JSON"));
        check("[1,2", None, Err("expected \",\""));
        check("[1,[2", None, Err("too early"));
        check("[tru]", None, Err("not valid JSON"));
        check("[1] 2", None, Err("more behind the end"));
        check("{\"a\":[1], \"z\":", Some("/a"), Ok(json!([1])));
        check(&format!("[1,\"{}\"]", "x".repeat(ROW_BYTES_MAX)), None, Err("8388608 bytes"));
        check(&format!("{{\"a\":\"{}\",\"b\":[]}}", "x".repeat(16_777_216)), Some("/b"), Err("first 16777216 bytes"));
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[a-z\"\\\\\\[\\]{},: é]{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-c\"/]{0,3}", inner, 0..4)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// Whatever an array holds, its elements come back, however it is laid out.
        #[test]
        fn any_array_comes_back(elements in prop::collection::vec(any_json(), 0..5), pretty: bool) {
            let whole = Value::from(elements.clone());
            let text = if pretty { serde_json::to_string_pretty(&whole).unwrap() } else { whole.to_string() };
            prop_assert_eq!(rows(&text, None).unwrap(), elements);
        }
    }
}
