//! Text with separators, by the rules of Step Functions.
//!
//! * Fields are texts. A missing one is empty, a surplus one is dropped, an empty line is no row.
//! * A field that begins with a quote ends at the next single one and may hold separators and line ends; two quotes in it
//!   mean one.
//! * A backslash is dropped and the character behind it stands for itself, also a separator, a quote or a backslash. At
//!   the end of a line it is only dropped.
//!
//! Source: the Step Functions developer guide, "Parsing an input CSV file", and recorded answers of the service.

use std::io::BufRead;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::rows::{Row, Rows, too_large, unreadable};
use super::{ROW_BYTES_MAX, failed};
use crate::asl::{CsvLayout, StateError};

/// Bytes of the names of all columns, as in the service.
const HEADER_BYTES_MAX: usize = 10 * 1_024;

pub(super) struct CsvRows {
    records: Records,
    header: Arc<[String]>,
}

impl CsvRows {
    /// Reads the header when the first row has it.
    pub(super) fn open(input: Box<dyn BufRead + Send>, layout: &CsvLayout) -> Result<Self, StateError> {
        let mut records = Records { input, delimiter: layout.delimiter };
        let header: Vec<String> = match &layout.header {
            Some(names) => names.clone(),
            None => records.next("the header", HEADER_BYTES_MAX)?.unwrap_or_default(),
        };
        if header.iter().map(String::len).sum::<usize>() > HEADER_BYTES_MAX {
            return Err(too_large("the header", HEADER_BYTES_MAX));
        }
        let mut sorted: Vec<_> = header.iter().collect();
        sorted.sort_unstable();
        if sorted.windows(2).any(|pair| matches!(pair, [one, other] if one == other)) {
            return Err(failed("CSV headers cannot contain duplicates."));
        }
        Ok(Self { records, header: header.into() })
    }
}

impl Rows for CsvRows {
    fn next(&mut self) -> Result<Option<Row>, StateError> {
        let Some(fields) = self.records.next("an item", ROW_BYTES_MAX)? else { return Ok(None) };
        let bytes = fields.iter().map(|field| field.len() + 1).sum();
        let mut fields = fields.into_iter();
        let row: Map<_, _> =
            self.header.iter().map(|name| (name.clone(), Value::String(fields.next().unwrap_or_default()))).collect();
        Ok(Some(Row { value: Value::Object(row), key: None, bytes }))
    }
}

/// Cuts a text into records and fields.
struct Records {
    input: Box<dyn BufRead + Send>,
    delimiter: u8,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Start,
    Plain,
    Quoted,
    /// Behind a quote in a quoted field: its end, or the first of two.
    Quote,
}

/// A record that is being put together.
struct Record {
    fields: Vec<String>,
    field: Vec<u8>,
    state: State,
    /// The last character was a backslash.
    escaped: bool,
    bytes: usize,
}

impl Records {
    /// The next record that is not an empty line, `None` at the end.
    fn next(&mut self, what: &str, limit: usize) -> Result<Option<Vec<String>>, StateError> {
        let mut record =
            Record { fields: Vec::new(), field: Vec::new(), state: State::Start, escaped: false, bytes: 0 };
        loop {
            let buffer = self.input.fill_buf().map_err(unreadable)?;
            if buffer.is_empty() {
                return record.end_of_file();
            }
            let mut ended = false;
            let mut used = 0;
            for &byte in buffer {
                used += 1;
                if record.take(byte, self.delimiter) {
                    ended = true;
                    break;
                }
            }
            self.input.consume(used);
            if record.bytes > limit {
                return Err(too_large(what, limit));
            }
            if ended {
                if let Some(fields) = record.finish() {
                    return Ok(Some(fields));
                }
                record.state = State::Start;
            }
        }
    }
}

impl Record {
    /// Takes a byte; true when it ended the record.
    fn take(&mut self, byte: u8, delimiter: u8) -> bool {
        // A line feed behind a carriage return ends an empty line, which is no row.
        let ends_line = matches!(byte, b'\n' | b'\r') && self.state != State::Quoted;
        if std::mem::take(&mut self.escaped) && !ends_line {
            self.push(byte);
            return false;
        }
        match (self.state, byte) {
            _ if ends_line => return true,
            (State::Quoted, b'"') => self.state = State::Quote,
            (State::Quote, b'"') => {
                self.state = State::Quoted;
                self.push(byte);
            }
            (State::Start, b'"') => self.state = State::Quoted,
            (state, b'\\') => {
                self.escaped = true;
                self.state = if state == State::Quoted { State::Quoted } else { State::Plain };
            }
            (State::Start | State::Plain | State::Quote, byte) if byte == delimiter => self.end_field(),
            (state, byte) => {
                if state != State::Quoted {
                    self.state = State::Plain;
                }
                self.push(byte);
            }
        }
        false
    }

    fn push(&mut self, byte: u8) {
        self.bytes += 1;
        self.field.push(byte);
    }

    fn end_field(&mut self) {
        self.bytes += 1;
        let field = std::mem::take(&mut self.field);
        let text = |error: std::string::FromUtf8Error| String::from_utf8_lossy(error.as_bytes()).into_owned();
        self.fields.push(String::from_utf8(field).unwrap_or_else(text));
        self.state = State::Start;
    }

    /// The fields, `None` for an empty line.
    fn finish(&mut self) -> Option<Vec<String>> {
        if self.fields.is_empty() && self.field.is_empty() && self.state == State::Start {
            return None;
        }
        self.end_field();
        Some(std::mem::take(&mut self.fields))
    }

    fn end_of_file(mut self) -> Result<Option<Vec<String>>, StateError> {
        if self.state == State::Quoted {
            return Err(failed("a quote in the last row of the CSV file is never closed"));
        }
        Ok(self.finish())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Cursor};

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn rows(text: &str, delimiter: u8, header: Option<&[&str]>) -> Result<Vec<Value>, StateError> {
        let header = header.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
        // Two bytes at a time, so that every rule meets the end of a buffer.
        let input = Box::new(BufReader::with_capacity(2, Cursor::new(text.to_owned())));
        let mut rows = CsvRows::open(input, &CsvLayout { delimiter, header })?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(row.value);
        }
        Ok(found)
    }

    #[test]
    fn rules_of_the_service() {
        let check = |text: &str, expected: Value| {
            assert_eq!(Value::Array(rows(text, b',', Some(&["a", "b"])).unwrap()), expected, "{text:?}");
        };
        check("", json!([]));
        check("1,2", json!([{"a": "1", "b": "2"}]));
        check("1,2\n3,4\n", json!([{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]));
        check("1,2\r\n3,4\r5,6", json!([{"a": "1", "b": "2"}, {"a": "3", "b": "4"}, {"a": "5", "b": "6"}]));
        check("1\n\n\r\n,\n   \n", json!([{"a": "1", "b": ""}, {"a": "", "b": ""}, {"a": "   ", "b": ""}]));
        check("1,2,3\n", json!([{"a": "1", "b": "2"}]));
        check("\"x,y\",\"l1\nl2\"", json!([{"a": "x,y", "b": "l1\nl2"}]));
        check("\"say \"\"hi\"\"\",\"\"", json!([{"a": "say \"hi\"", "b": ""}]));
        check("\"\"\n", json!([{"a": "", "b": ""}]));
        check("a\"b,'c'", json!([{"a": "a\"b", "b": "'c'"}]));
        check("\"a\"b,2", json!([{"a": "ab", "b": "2"}]));
        check("a\\,b,c\\\\d", json!([{"a": "a,b", "b": "c\\d"}]));
        check("\\n,\"q\\\"q\"", json!([{"a": "n", "b": "q\"q"}]));
        check("\\\"x,y\\\nz", json!([{"a": "\"x", "b": "y"}, {"a": "z", "b": ""}]));
        check("ä,€", json!([{"a": "ä", "b": "€"}]));
    }

    #[test]
    fn headers_and_separators() {
        let check = |text: &str, delimiter: u8, expected: Result<Value, &str>| {
            let found = rows(text, delimiter, None);
            let found = found.map(Value::Array).map_err(|error| {
                assert_eq!(error.name, "States.ItemReaderFailed");
                error.cause.unwrap_or_default()
            });
            match expected {
                Ok(expected) => assert_eq!(found, Ok(expected), "{text:?}"),
                Err(part) => assert!(found.as_ref().is_err_and(|cause| cause.contains(part)), "{text:?}: {found:?}"),
            }
        };
        for delimiter in [b',', b'|', b';', b' ', b'\t'] {
            let text = "a,b\n1,2".replace(',', &char::from(delimiter).to_string());
            check(&text, delimiter, Ok(json!([{"a": "1", "b": "2"}])));
        }
        check("", b',', Ok(json!([])));
        check("a,,c\n1,2,3", b',', Ok(json!([{"a": "1", "": "2", "c": "3"}])));
        check("a,b,a\n", b',', Err("CSV headers cannot contain duplicates."));
        check(
            &format!("{}\n1", "x".repeat(HEADER_BYTES_MAX + 1)),
            b',',
            Err("the header is larger than the maximum of 10240 bytes"),
        );
        check("a\n\"1\n2", b',', Err("never closed"));
        check(&format!("a\n{}", "x".repeat(ROW_BYTES_MAX + 1)), b',', Err("8388608 bytes"));
    }

    proptest! {
        /// What a writer of CSV quotes comes back as it was.
        #[test]
        fn quoted_fields_come_back(table in prop::collection::vec(prop::collection::vec("[a-c,\"\r\n ]{1,6}", 2), 0..6)) {
            let mut writer = csv::WriterBuilder::new().quote_style(csv::QuoteStyle::Always).from_writer(Vec::new());
            for row in &table {
                writer.write_record(row).unwrap();
            }
            let text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
            let expected: Vec<_> = table.iter().map(|row| json!({"a": row[0], "b": row[1]})).collect();
            prop_assert_eq!(rows(&text, b',', Some(&["a", "b"])).unwrap(), expected);
        }
    }
}
