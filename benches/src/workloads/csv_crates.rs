//! CSV jobs done with `csv`, and with `serde_json` for what is written.
//!
//! Twice: once through a map of values, as one would write it first, and once straight into the output, as one would
//! write it when the first is too slow.

use super::{Answer, CHUNK, Kind, Output, PRICE_ABOVE, Workload};
use crate::data::Shape;
use crate::error::WorkError;
use csv::{ByteRecord, Reader, ReaderBuilder, StringRecord};
use serde_json::{Map, Value};
use std::hint::black_box;

pub(super) fn workloads() -> Vec<Workload> {
    let peer = |name, about, answer, work| Workload {
        name,
        about,
        kind: Kind::Peer,
        shape: Shape::Rows,
        answer,
        peer: None,
        work,
    };
    vec![
        peer("csv-read", "CSV: read every field (csv)", Answer::Read, read_fields),
        peer("csv-serde-strings", "CSV to NDJSON, texts (csv, serde_json map)", Answer::Rows, through_map::<false>),
        peer("csv-direct-strings", "CSV to NDJSON, texts (csv, written directly)", Answer::Rows, direct::<false>),
        peer("csv-serde-typed", "CSV to NDJSON, typed (csv, serde_json map)", Answer::RowsTyped, through_map::<true>),
        peer("csv-direct-typed", "CSV to NDJSON, typed (csv, written directly)", Answer::RowsTyped, direct::<true>),
        peer(
            "csv-direct-filter",
            "CSV: filter, project, rename, write (csv, written directly)",
            Answer::RowsReshaped,
            reshape,
        ),
    ]
}

/// What a cell is read as.
#[derive(Debug, Clone, Copy)]
enum Cell {
    Text,
    Integer,
    Number,
    Boolean,
}

impl Cell {
    fn of_column(name: &str, is_typed: bool) -> Self {
        match name {
            "id" | "user_id" | "amount" if is_typed => Self::Integer,
            "price" | "rate" if is_typed => Self::Number,
            "ok" if is_typed => Self::Boolean,
            _ => Self::Text,
        }
    }
}

fn reader(object: &[u8]) -> Reader<&[u8]> {
    ReaderBuilder::new().buffer_capacity(CHUNK).from_reader(object)
}

fn read_fields(objects: &[Vec<u8>], _: &mut Output) -> Result<(), WorkError> {
    for object in objects {
        let mut reader = reader(object);
        let mut record = ByteRecord::new();
        while reader.read_byte_record(&mut record)? {
            for field in &record {
                black_box(field);
            }
        }
    }
    Ok(())
}

fn through_map<const TYPED: bool>(objects: &[Vec<u8>], output: &mut Output) -> Result<(), WorkError> {
    for object in objects {
        let mut reader = reader(object);
        let header = reader.headers()?.clone();
        let cells: Vec<Cell> = header.iter().map(|name| Cell::of_column(name, TYPED)).collect();
        let mut record = StringRecord::new();
        while reader.read_record(&mut record)? {
            let mut object = Map::new();
            for ((name, cell), text) in header.iter().zip(&cells).zip(&record) {
                object.insert(name.to_owned(), value(*cell, text)?);
            }
            serde_json::to_writer(&mut output.buffer, &object)?;
            output.end_record();
        }
    }
    output.drain();
    Ok(())
}

fn value(cell: Cell, text: &str) -> Result<Value, WorkError> {
    Ok(match cell {
        Cell::Text => text.into(),
        Cell::Integer => text.parse::<i64>()?.into(),
        Cell::Number => text.parse::<f64>()?.into(),
        Cell::Boolean => text.parse::<bool>()?.into(),
    })
}

/// What stands before each value of a JSON object: brace or comma, name and colon.
#[derive(Debug)]
pub struct MemberNames(Vec<Vec<u8>>);

impl MemberNames {
    /// Writes the names once, for all records.
    ///
    /// # Errors
    /// None: writing to memory does not fail.
    pub fn new<'a>(names: impl Iterator<Item = &'a str>) -> Result<Self, WorkError> {
        let mut written = Vec::new();
        for name in names {
            let mut text = if written.is_empty() { b"{".to_vec() } else { b",".to_vec() };
            serde_json::to_writer(&mut text, name)?;
            text.push(b':');
            written.push(text);
        }
        Ok(Self(written))
    }

    /// One after another.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(Vec::as_slice)
    }
}

/// Writes a member of an object whose value is a text.
///
/// # Errors
/// None: writing to memory does not fail.
#[inline]
pub fn write_text_member(name: &[u8], text: &str, buffer: &mut Vec<u8>) -> Result<(), WorkError> {
    buffer.extend_from_slice(name);
    serde_json::to_writer(buffer, text)?;
    Ok(())
}

fn direct<const TYPED: bool>(objects: &[Vec<u8>], output: &mut Output) -> Result<(), WorkError> {
    for object in objects {
        let mut reader = reader(object);
        let names = MemberNames::new(reader.headers()?.iter())?;
        let cells: Vec<Cell> = reader.headers()?.iter().map(|name| Cell::of_column(name, TYPED)).collect();
        let mut record = StringRecord::new();
        while reader.read_record(&mut record)? {
            for ((name, cell), text) in names.iter().zip(&cells).zip(&record) {
                match cell {
                    Cell::Text => write_text_member(name, text, &mut output.buffer)?,
                    checked => {
                        check(*checked, text)?;
                        output.buffer.extend_from_slice(name);
                        output.buffer.extend_from_slice(text.as_bytes());
                    }
                }
            }
            output.buffer.push(b'}');
            output.end_record();
        }
    }
    output.drain();
    Ok(())
}

/// That a text is what it is to be; then it is written as it came.
fn check(cell: Cell, text: &str) -> Result<(), WorkError> {
    match cell {
        Cell::Text => {}
        Cell::Integer => drop(black_box(text.parse::<i64>()?)),
        Cell::Number => drop(black_box(text.parse::<f64>()?)),
        Cell::Boolean => drop(black_box(text.parse::<bool>()?)),
    }
    Ok(())
}

fn reshape(objects: &[Vec<u8>], output: &mut Output) -> Result<(), WorkError> {
    for object in objects {
        let mut reader = reader(object);
        let header = reader.headers()?.clone();
        let column = |wanted: &str| header.iter().position(|name| name == wanted).ok_or("a column is missing");
        let (id, kind, price, path) = (column("id")?, column("type")?, column("price")?, column("path")?);
        let mut record = StringRecord::new();
        while reader.read_record(&mut record)? {
            let cell = |column: usize| record.get(column).unwrap_or_default();
            check(Cell::Integer, cell(id))?;
            if cell(price).parse::<f64>()? > PRICE_ABOVE {
                let buffer = &mut output.buffer;
                for (name, text) in [(&b"{\"id\":"[..], cell(id)), (&b",\"price\":"[..], cell(price))] {
                    buffer.extend_from_slice(name);
                    buffer.extend_from_slice(text.as_bytes());
                }
                write_text_member(b",\"kind\":", cell(kind), buffer)?;
                write_text_member(b",\"path\":", cell(path), buffer)?;
                buffer.push(b'}');
                output.end_record();
            }
        }
    }
    output.drain();
    Ok(())
}
