//! JSON Lines: one item in each line. Empty lines are no items.

use std::io::{BufRead, Read};

use super::ROW_BYTES_MAX;
use super::rows::{Row, Rows, parse, too_large, unreadable};
use crate::asl::StateError;

pub(super) struct JsonLines {
    input: Box<dyn BufRead + Send>,
    line: Vec<u8>,
}

impl JsonLines {
    pub(super) fn new(input: Box<dyn BufRead + Send>) -> Self {
        Self { input, line: Vec::new() }
    }
}

impl Rows for JsonLines {
    fn next(&mut self) -> Result<Option<Row>, StateError> {
        loop {
            self.line.clear();
            let most = ROW_BYTES_MAX as u64 + 1;
            let count = self.input.by_ref().take(most).read_until(b'\n', &mut self.line).map_err(unreadable)?;
            let line = self.line.trim_ascii();
            if line.len() > ROW_BYTES_MAX {
                return Err(too_large("an item", ROW_BYTES_MAX));
            }
            if count == 0 {
                return Ok(None);
            }
            if !line.is_empty() {
                return Ok(Some(Row { value: parse(line)?, key: None, bytes: count }));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Cursor};

    use serde_json::{Value, json};

    use super::*;

    fn check(text: &str, expected: Result<&[Value], &str>) {
        let mut rows = JsonLines::new(Box::new(BufReader::with_capacity(3, Cursor::new(text.to_owned()))));
        let mut found = Vec::new();
        let ended = loop {
            match rows.next() {
                Ok(Some(row)) => found.push(row.value),
                Ok(None) => break Ok(found.as_slice()),
                Err(error) => break Err(error.cause.unwrap_or_default()),
            }
        };
        match expected {
            Ok(expected) => assert_eq!(ended.as_deref(), Ok(expected)),
            Err(part) => assert!(ended.as_ref().is_err_and(|cause| cause.contains(part)), "{ended:?}"),
        }
    }

    #[test]
    fn one_item_a_line() {
        check("", Ok(&[]));
        check("1\n{\"a\":[2]}\r\n\n  \n\"x\"", Ok(&[json!(1), json!({"a": [2]}), json!("x")]));
        check("1\n{\"a\":\n2}", Err("not valid JSON"));
        check("1 2\n", Err("not valid JSON"));
        check(&format!("1\n\"{}\"", "x".repeat(ROW_BYTES_MAX)), Err("8388608 bytes"));
    }
}
