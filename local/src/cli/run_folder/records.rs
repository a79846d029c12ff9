//! The records of a file that is a JSON array or has one JSON value a line, one after another.
//!
//! Result files have up to 5 GB, so of a file no more than one record is in memory. The bytes of a record are counted while
//! it is read, and one that has too many ends the reading.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use serde::de::{DeserializeSeed, SeqAccess, Visitor};
use serde_json::{Deserializer, Value};

use super::CommandError;

/// Largest record: what a batch was given and what it answered, each 256 KiB at most, and what JSON adds to write that
/// down.
const RECORD_BYTES_MAX: u64 = 8 * 1_024 * 1_024;

/// Hands every record of a file to `take`.
///
/// # Errors
/// [`CommandError::Failed`] when the file cannot be read or is no such JSON. What came before was taken.
pub(super) fn for_each(path: &Path, mut take: impl FnMut(Value)) -> Result<(), CommandError> {
    let shown = path.display();
    let mut input = BufReader::new(
        File::open(path).map_err(|error| CommandError::failed(format!("cannot read {shown}: {error}")))?,
    );
    let first =
        first_byte(&mut input).map_err(|error| CommandError::failed(format!("cannot read {shown}: {error}")))?;
    let room = Cell::new(RECORD_BYTES_MAX);
    let metered = Metered { input, room: &room };
    let mut count = |record: Value| {
        room.set(RECORD_BYTES_MAX);
        take(record);
    };
    let read = if first == Some(b'[') {
        let mut deserializer = Deserializer::from_reader(metered);
        Elements(&mut count).deserialize(&mut deserializer).and_then(|()| deserializer.end())
    } else {
        Deserializer::from_reader(metered).into_iter().try_for_each(|record| record.map(&mut count))
    };
    read.map_err(|error| {
        let what = if error.is_io() { "cannot be read" } else { "is not JSON" };
        CommandError::failed(format!("{shown} {what}: {error}"))
    })
}

/// The first byte that is no white space, which stays where it is.
fn first_byte(input: &mut impl BufRead) -> io::Result<Option<u8>> {
    loop {
        let buffer = input.fill_buf()?;
        let blank = buffer.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        if let Some(byte) = buffer.get(blank) {
            let byte = *byte;
            input.consume(blank);
            return Ok(Some(byte));
        }
        if buffer.is_empty() {
            return Ok(None);
        }
        input.consume(blank);
    }
}

/// Refuses to read more than there is room for.
struct Metered<'a, R> {
    input: R,
    room: &'a Cell<u64>,
}

impl<R: Read> Read for Metered<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.room.get()).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 && !buffer.is_empty() {
            let message = format!("a record has more than {RECORD_BYTES_MAX} bytes, the limit for one");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
        }
        let read = self.input.read(buffer.get_mut(..most).unwrap_or_default())?;
        self.room.set(self.room.get() - read as u64);
        Ok(read)
    }
}

/// Takes the elements of an array while it is read.
struct Elements<'a, F>(&'a mut F);

impl<'de, F: FnMut(Value)> DeserializeSeed<'de> for Elements<'_, F> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, F: FnMut(Value)> Visitor<'de> for Elements<'_, F> {
    type Value = ();

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("an array of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<(), A::Error> {
        while let Some(record) = access.next_element()? {
            (self.0)(record);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(text: &str) -> (Vec<Value>, Option<String>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        std::fs::write(&path, text).unwrap();
        let mut records = Vec::new();
        let read = for_each(&path, |record| records.push(record));
        (records, read.err().map(|error| error.to_string()))
    }

    #[test]
    fn records_of_arrays_and_lines_are_read() {
        let check = |text: &str, expected: &[Value]| assert_eq!(read(text), (expected.to_vec(), None), "{text}");
        check("", &[]);
        check(" \n", &[]);
        check("[]", &[]);
        check(" [ 1, {\"a\": [2]} ]\n", &[json!(1), json!({"a": [2]})]);
        check("1\n{\"a\": [2]}\n\n3", &[json!(1), json!({"a": [2]}), json!(3)]);
    }

    #[test]
    fn broken_files_are_told_with_what_came_before() {
        let check = |text: &str, before: &[Value], expected: &str| {
            let (records, error) = read(text);
            assert_eq!(records, before, "{text}");
            assert!(error.as_ref().unwrap().contains(expected), "{text}: {error:?}");
        };
        check("[1, 2", &[json!(1), json!(2)], "is not JSON");
        check("[1] 2", &[json!(1)], "is not JSON");
        check("1\nno JSON\n", &[json!(1)], "is not JSON");
    }

    #[test]
    fn many_records_are_read_but_no_endless_one() {
        let record = json!("x".repeat(1_000_000));
        for (start, between, end) in [("[", ",", "]"), ("", "\n", "\n")] {
            let lines = vec![record.to_string(); 20].join(between);
            let (records, error) = read(&format!("{start}{lines}{end}"));
            assert_eq!((records.len(), error), (20, None), "together more than one may have");
        }
        let (records, error) = read(&format!("[1,{}]", json!("x".repeat(9_000_000))));
        assert_eq!(records, [json!(1)]);
        assert!(error.unwrap().contains("a record has more than 8388608 bytes"));
    }
}
