//! The inputs: generated, deterministic, in memory.
//!
//! | shape | what it is |
//! |---|---|
//! | events | NDJSON, nested objects of about 820 bytes |
//! | event array | the same events as the elements of one JSON array |
//! | documents | JSON documents of about 200 KB, each an object of its own |
//! | rows | CSV of twelve columns and about 170 bytes, three of ten rows with a quoted field |
//! | gzip of events | the events, compressed |
//!
//! Records are made one after another until an input has the size asked for; so it may be one record larger.

mod events;
mod random;
mod rows;

use crate::error::BenchError;
use flate2::Compression;
use flate2::write::GzEncoder;
use random::Random;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::rc::Rc;

/// Any number would do; this one never changes.
const SEED: u64 = 2026;

/// Size of one document in bytes, without its end.
const DOCUMENT_BYTES: usize = 200_000;

/// What an input is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shape {
    /// NDJSON events.
    Events,
    /// The events as one JSON array.
    EventArray,
    /// JSON documents of 200 KB.
    Documents,
    /// CSV rows.
    Rows,
    /// The events, compressed with gzip at its default level.
    CompressedEvents,
}

impl Shape {
    /// The name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::EventArray => "array of events",
            Self::Documents => "documents",
            Self::Rows => "CSV rows",
            Self::CompressedEvents => "gzip of events",
        }
    }
}

/// One input: objects as they would lie in a bucket.
#[derive(Debug)]
pub struct Input {
    /// The bytes of each object.
    pub objects: Vec<Vec<u8>>,
    /// Bytes of all objects together, before compression. Rates are rates of these.
    pub bytes: u64,
    /// Records in them.
    pub records: u64,
}

/// Inputs of one size, each made when it is first asked for.
#[derive(Debug)]
pub struct Data {
    bytes: usize,
    made: BTreeMap<Shape, Rc<Input>>,
}

impl Data {
    /// Inputs of about this many bytes each, before compression.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        Self { bytes, made: BTreeMap::new() }
    }

    /// The input of a shape.
    ///
    /// # Errors
    /// [`BenchError::Data`] when compression fails.
    pub fn input(&mut self, shape: Shape) -> Result<Rc<Input>, BenchError> {
        if let Some(input) = self.made.get(&shape) {
            return Ok(Rc::clone(input));
        }
        let input = Rc::new(match shape {
            Shape::Events => events(self.bytes),
            Shape::EventArray => event_array(self.bytes),
            Shape::Documents => documents(self.bytes),
            Shape::Rows => rows(self.bytes),
            Shape::CompressedEvents => compressed(&*self.input(Shape::Events)?)?,
        });
        self.made.insert(shape, Rc::clone(&input));
        Ok(input)
    }
}

fn events(bytes: usize) -> Input {
    lines(bytes, "", |number, random, text| {
        events::write_event(number, random, text);
        text.push('\n');
    })
}

fn rows(bytes: usize) -> Input {
    lines(bytes, rows::HEADER, rows::write_row)
}

fn event_array(bytes: usize) -> Input {
    let mut input = lines(bytes, "[", |number, random, text| {
        text.push_str(if number == 0 { "" } else { "," });
        events::write_event(number, random, text);
    });
    for object in &mut input.objects {
        object.push(b']');
        input.bytes += 1;
    }
    input
}

/// One object of records, which `write` appends.
fn lines(bytes: usize, start: &str, write: impl Fn(u64, &mut Random, &mut String)) -> Input {
    let mut random = Random::new(SEED);
    let mut text = start.to_owned();
    let mut records = 0;
    while text.len() < bytes {
        write(records, &mut random, &mut text);
        records += 1;
    }
    Input { bytes: text.len() as u64, objects: vec![text.into_bytes()], records }
}

fn documents(bytes: usize) -> Input {
    let mut random = Random::new(SEED);
    let mut input = Input { objects: Vec::new(), bytes: 0, records: 0 };
    let mut events = 0;
    while input.bytes < bytes as u64 {
        let mut text = String::with_capacity(DOCUMENT_BYTES + 2_000);
        // Writing to a string cannot fail.
        let _ = write!(text, "{{\"export\":{},\"complete\":true,\"events\":[", input.records);
        let mut comma = "";
        while text.len() < DOCUMENT_BYTES {
            text.push_str(comma);
            comma = ",";
            events::write_event(events, &mut random, &mut text);
            events += 1;
        }
        text.push_str("]}");
        input.bytes += text.len() as u64;
        input.records += 1;
        input.objects.push(text.into_bytes());
    }
    input
}

fn compressed(input: &Input) -> Result<Input, BenchError> {
    let compress = |object: &Vec<u8>| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(object)?;
        encoder.finish()
    };
    let objects = input.objects.iter().map(compress).collect::<Result<_, _>>().map_err(BenchError::Data)?;
    Ok(Input { objects, bytes: input.bytes, records: input.records })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: usize = 1_000_000;

    fn made(shape: Shape) -> Rc<Input> {
        Data::new(SIZE).input(shape).unwrap()
    }

    #[test]
    fn records_are_as_long_as_the_documentation_says() {
        let check = |shape: Shape, expected: std::ops::Range<u64>| {
            let input = made(shape);
            let average = input.bytes / input.records;
            assert!(expected.contains(&average), "{}: {average} bytes a record", shape.name());
            assert!((SIZE as u64..SIZE as u64 + 201_000).contains(&input.bytes), "{}: {}", shape.name(), input.bytes);
        };
        check(Shape::Events, 810..830);
        check(Shape::EventArray, 810..830);
        check(Shape::Documents, 200_000..201_000);
        check(Shape::Rows, 165..175);
    }

    #[test]
    fn json_is_json_with_the_members_that_jobs_use() {
        let input = made(Shape::Events);
        let lines: Vec<&[u8]> = input.objects[0].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
        assert_eq!(lines.len() as u64, input.records);
        let mut kept = 0;
        for line in &lines {
            let event: serde_json::Value = serde_json::from_slice(line).unwrap();
            assert!(event["id"].is_u64() && event["type"].is_string() && event["path"].is_string());
            kept += u64::from(event["price"].as_str().unwrap().parse::<f64>().unwrap() > 50.0);
        }
        let share = kept as f64 / input.records as f64;
        assert!((0.45..0.55).contains(&share), "{share}");
        let array: Vec<serde_json::Value> = serde_json::from_slice(&made(Shape::EventArray).objects[0]).unwrap();
        assert_eq!(array.len() as u64, made(Shape::EventArray).records);
        for document in &made(Shape::Documents).objects {
            serde_json::from_slice::<serde_json::Value>(document).unwrap();
        }
    }

    #[test]
    fn rows_have_twelve_columns_and_the_promised_quotes() {
        let input = made(Shape::Rows);
        let mut reader = csv::Reader::from_reader(input.objects[0].as_slice());
        let (mut rows, mut quoted, mut broken, mut doubled) = (0, 0, 0, 0);
        for row in reader.records() {
            let row = row.unwrap();
            assert_eq!(row.len(), 12);
            rows += 1;
            let note = &row[11];
            broken += u64::from(note.contains('\n'));
            doubled += u64::from(note.contains('"'));
            quoted += u64::from(note.contains([',', '\n', '"']));
        }
        assert_eq!(rows, input.records);
        let share = quoted as f64 / rows as f64;
        assert!((0.27..0.33).contains(&share), "{share}");
        assert!(broken > rows / 20 && doubled > rows / 20);
    }
}
