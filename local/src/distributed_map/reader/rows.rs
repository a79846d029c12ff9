//! What all formats have in common: rows come one at a time, each of bounded size.

use std::io;
use std::sync::Arc;

use serde_json::Value;
use tokio::runtime::Handle;

use super::csv_rows::CsvRows;
use super::json_elements::JsonElements;
use super::json_lines::JsonLines;
use super::parquet_rows::ParquetRows;
use super::{bytes, failed};
use crate::asl::{Format, StateError};
use crate::services::StoredObject;

/// One item as a file has it.
#[derive(Debug, PartialEq)]
pub(super) struct Row {
    pub(super) value: Value,
    /// The name of the member, when the data set is an object.
    pub(super) key: Option<String>,
    /// Bytes it had in the file, about.
    pub(super) bytes: usize,
}

/// Rows of one file, in order. Blocks while it reads.
pub(super) trait Rows: Send {
    /// The next row, `None` after the last one.
    fn next(&mut self) -> Result<Option<Row>, StateError>;
}

/// Opens the rows of an object. Blocks while it reads what stands before the first row.
pub(super) fn open(
    runtime: &Handle,
    object: Arc<dyn StoredObject>,
    key: &str,
    format: &Format,
) -> Result<Box<dyn Rows>, StateError> {
    let runtime = runtime.clone();
    Ok(match format {
        Format::Csv(layout) => Box::new(CsvRows::open(bytes::text(runtime, object, key)?, layout)?),
        Format::Json(pointer) => Box::new(JsonElements::open(bytes::text(runtime, object, key)?, pointer.as_deref())?),
        Format::JsonLines => Box::new(JsonLines::new(bytes::text(runtime, object, key)?)),
        Format::Parquet => Box::new(ParquetRows::open(runtime, object)?),
    })
}

/// Parses one item.
pub(super) fn parse(text: &[u8]) -> Result<Value, StateError> {
    // The position is that in the item; the parser's own message shows none of its contents.
    serde_json::from_slice(text).map_err(|error| failed(format!("an item is not valid JSON: {error}")))
}

pub(super) fn unreadable(error: io::Error) -> StateError {
    failed(format!("the object cannot be read: {error}"))
}

pub(super) fn too_large(what: &str, limit: usize) -> StateError {
    failed(format!("{what} is larger than the maximum of {limit} bytes"))
}
