//! Rows of a Parquet file, one row group after the other and page by page.
//!
//! The file is not read in order: first its end, which says where everything is, then the pages of one row group. Texts,
//! numbers, lists, maps and groups become their JSON counterparts. What JSON does not have becomes text: dates and times
//! in ISO 8601, decimals as their digits, bytes in Base64. How the service writes these is not documented.

use std::io::{BufReader, Read};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::reader::{ChunkReader, FileReader, Length, SerializedFileReader};
use parquet::record::reader::RowIter;
use parquet::record::{Field, Row as ParquetRow};
use serde_json::{Map, Number, Value};
use tokio::runtime::Handle;

use super::bytes::ObjectBytes;
use super::failed;
use super::rows::{Row, Rows};
use crate::asl::StateError;
use crate::asl::size::json_bytes;
use crate::services::StoredObject;

/// Largest row group, in bytes before compression, as in the service.
const ROW_GROUP_BYTES_MAX: i64 = 256 * 1_024 * 1_024;
/// Largest footer, in bytes, as in the service.
const FOOTER_BYTES_MAX: u64 = 5 * 1_024 * 1_024;
/// Most bytes that are read at once: those of a row group.
const PART_BYTES_MAX: u64 = ROW_GROUP_BYTES_MAX as u64;
/// The end of a file: the length of its footer in four bytes, and four letters.
const TAIL_BYTES: u64 = 8;

pub(super) struct ParquetRows {
    rows: RowIter<'static>,
}

impl ParquetRows {
    /// Reads the footer.
    pub(super) fn open(runtime: Handle, object: Arc<dyn StoredObject>) -> Result<Self, StateError> {
        let source = Source { runtime, object };
        let tail =
            source.get_bytes(source.len().saturating_sub(TAIL_BYTES), TAIL_BYTES as usize).map_err(unreadable)?;
        let footer = tail.first_chunk().map_or(0, |length| u64::from(u32::from_le_bytes(*length)));
        if footer > FOOTER_BYTES_MAX && tail.ends_with(b"PAR1") {
            return Err(failed(format!(
                "the footer of the Parquet file has {footer} bytes, the maximum is {FOOTER_BYTES_MAX}"
            )));
        }
        let reader = SerializedFileReader::new(source).map_err(unreadable)?;
        let largest = reader.metadata().row_groups().iter().map(RowGroupMetaData::total_byte_size).max();
        if let Some(largest) = largest.filter(|bytes| *bytes > ROW_GROUP_BYTES_MAX) {
            return Err(failed(format!(
                "a row group of the Parquet file has {largest} bytes, the maximum is {ROW_GROUP_BYTES_MAX}"
            )));
        }
        Ok(Self { rows: RowIter::from_file_into(Box::new(reader)) })
    }
}

impl Rows for ParquetRows {
    fn next(&mut self) -> Result<Option<Row>, StateError> {
        let Some(row) = self.rows.next().transpose().map_err(unreadable)? else { return Ok(None) };
        let value = object(&row);
        let bytes = json_bytes(&value);
        Ok(Some(Row { value, key: None, bytes }))
    }
}

fn unreadable(error: ParquetError) -> StateError {
    failed(format!("the Parquet file cannot be read: {error}"))
}

/// An object of which any part can be read.
struct Source {
    runtime: Handle,
    object: Arc<dyn StoredObject>,
}

impl Length for Source {
    fn len(&self) -> u64 {
        self.object.size()
    }
}

impl ChunkReader for Source {
    type T = BufReader<ObjectBytes>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        let length = self.len().saturating_sub(start);
        // Headers of pages are read from here, some dozen bytes each.
        let bytes = ObjectBytes::new(self.runtime.clone(), Arc::clone(&self.object), start, length);
        Ok(BufReader::with_capacity(0, bytes))
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        // A broken file may name any length.
        if length as u64 > PART_BYTES_MAX.min(self.len().saturating_sub(start)) {
            return Err(ParquetError::EOF(format!("a part of {length} bytes from {start} is not in the file")));
        }
        let mut bytes = vec![0; length];
        ObjectBytes::new(self.runtime.clone(), Arc::clone(&self.object), start, length as u64)
            .read_exact(&mut bytes)?;
        Ok(bytes.into())
    }
}

fn object(row: &ParquetRow) -> Value {
    Value::Object(row.get_column_iter().map(|(name, field)| (name.clone(), value(field))).collect())
}

fn value(field: &Field) -> Value {
    match field {
        Field::Null => Value::Null,
        Field::Bool(value) => Value::Bool(*value),
        Field::Byte(number) => Value::from(*number),
        Field::Short(number) => Value::from(*number),
        Field::Int(number) => Value::from(*number),
        Field::Long(number) => Value::from(*number),
        Field::UByte(number) => Value::from(*number),
        Field::UShort(number) => Value::from(*number),
        Field::UInt(number) => Value::from(*number),
        Field::ULong(number) => Value::from(*number),
        Field::Float16(number) => float(f64::from(number.to_f32())),
        Field::Float(number) => float(shortest(*number)),
        Field::Double(number) => float(*number),
        Field::Str(text) => Value::String(text.clone()),
        Field::Bytes(bytes) => Value::String(STANDARD.encode(bytes.data())),
        Field::Date(days) => date(*days),
        Field::TimestampMillis(time) => timestamp(jiff::Timestamp::from_millisecond(*time)),
        Field::TimestampMicros(time) => timestamp(jiff::Timestamp::from_microsecond(*time)),
        Field::Group(row) => object(row),
        Field::ListInternal(list) => list.elements().iter().map(value).collect(),
        Field::MapInternal(map) => {
            map.entries().iter().map(|(key, field)| (text(key), value(field))).collect::<Map<_, _>>().into()
        }
        // Decimals and times of the day: their digits.
        other => Value::String(other.to_string()),
    }
}

/// The name of a member, from the key of a map.
fn text(key: &Field) -> String {
    match value(key) {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// A number that JSON does not have becomes null.
fn float(number: f64) -> Value {
    Number::from_f64(number).map_or(Value::Null, Value::Number)
}

/// A short float as the decimal number that it is written as, not as its exact double.
fn shortest(number: f32) -> f64 {
    number.to_string().parse().unwrap_or(f64::from(number))
}

fn date(days: i32) -> Value {
    let date = jiff::civil::date(1970, 1, 1).checked_add(jiff::Span::new().days(i64::from(days)));
    date.map_or(Value::Null, |date| Value::String(date.to_string()))
}

fn timestamp(time: Result<jiff::Timestamp, jiff::Error>) -> Value {
    time.map_or(Value::Null, |time| Value::String(time.to_string()))
}
