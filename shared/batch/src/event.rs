//! What a worker is handed: a batch of a Distributed Map, or one of its items.
//!
//! With an ItemBatcher, Step Functions builds the event from two parts: the fixed `BatchInput`, in which `mapmill` carries
//! the job, and `Items`, which the ItemReader found. Without one the event is an item, and an ItemSelector puts `mapmill`
//! beside its fields. What an item looks like is told in [`item`]. Unknown fields are ignored, because AWS adds fields. An
//! item that makes no sense, or that cannot be read at all ([`raw`]), fails alone; only an event that is neither fails the
//! invocation.

mod item;
mod raw;
mod url_key;

pub use item::{Item, ItemRange};
pub(crate) use raw::{parts, unreadable};
pub use url_key::decode_key;

use crate::error::BatchError;
use item::Keys;
use raw::Parts;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};

/// Most items in one batch; Step Functions never makes a larger one, because an item takes at least 26 bytes of the
/// 256 KiB of a child's input.
pub const MAX_ITEMS: usize = 10_000;

/// Longest run id in bytes; an execution name has at most 80.
const MAX_RUN_ID: usize = 80;

/// A batch, checked in its outline.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The run: names the folder of its ledger. Letters, digits, `-`, `_` and `.`.
    pub run_id: String,
    /// Ties the logs of a run together; the ARN of the execution.
    pub correlation_id: String,
    /// The job itself, or where it lies.
    pub job: JobReference,
    /// The items in the order of the event.
    pub items: Vec<Item>,
}

/// How the event carries the job.
#[derive(Debug, Clone, PartialEq)]
pub enum JobReference {
    /// The job as JSON.
    Inline(Value),
    /// An `s3://bucket/key` address of a job file.
    Address(String),
}

impl Event {
    /// Reads an event that was made here, as [`Event::read`] does.
    ///
    /// # Errors
    /// Those of [`Event::read`].
    pub fn parse(event: &Value) -> Result<Self, BatchError> {
        let event = to_raw_value(event).map_err(|error| invalid(&unreadable("the event", &error)))?;
        Self::read(&event)
    }

    /// Reads an event as it came. An item that cannot be read is one with a defect.
    ///
    /// # Errors
    /// [`BatchError::InvalidEvent`] names the field that is missing or of the wrong kind, or in which something cannot be
    /// read.
    pub fn read(event: &RawValue) -> Result<Self, BatchError> {
        let event = parts(event)?;
        let alone = event.get("mapmill").filter(|_| !event.contains_key("BatchInput"));
        let holder;
        let (mapmill, place) = match alone {
            Some(mapmill) => {
                holder = raw::value(mapmill, "mapmill")?;
                (&holder, "mapmill")
            }
            None => {
                holder = raw::value(required(&event, "BatchInput")?, "BatchInput")?;
                let batch_input = object(&holder, "BatchInput")?;
                (required_in(batch_input, "mapmill", "BatchInput")?, "BatchInput.mapmill")
            }
        };
        let about = About { fields: object(mapmill, place)?, place };
        let version = about.required("version")?;
        if version.as_f64() != Some(1.0) {
            return Err(invalid(&format!("expected the number 1 in {place}.version, found {}", kind(version))));
        }
        let run_id = about.text("run_id")?;
        check_run_id(&run_id, &format!("{place}.run_id"))?;
        let correlation_id = match about.fields.get("correlation_id") {
            None | Some(Value::Null) => run_id.clone(),
            Some(_) => about.text("correlation_id")?.chars().take(512).collect(),
        };
        let job = match about.required("job")? {
            Value::String(address) => JobReference::Address(address.clone()),
            job @ Value::Object(_) => JobReference::Inline(job.clone()),
            other => {
                let message = format!("expected a job or its s3:// address in {place}.job, found {}", kind(other));
                return Err(invalid(&message));
            }
        };
        let keys = about.keys()?;
        let items = match alone {
            Some(_) => vec![Item::read_beside_mapmill(&event, keys)],
            None => raw::items(required(&event, "Items")?)?.into_iter().map(|item| Item::read(item, keys)).collect(),
        };
        Ok(Self { run_id, correlation_id, job, items })
    }
}

/// What `mapmill` says about the batch, and where it stands in the event.
struct About<'a> {
    fields: &'a Map<String, Value>,
    place: &'static str,
}

impl About<'_> {
    fn required(&self, name: &str) -> Result<&Value, BatchError> {
        required_in(self.fields, name, self.place)
    }

    fn text(&self, name: &str) -> Result<String, BatchError> {
        text(self.required(name)?, &format!("{}.{name}", self.place))
    }

    fn keys(&self) -> Result<Keys, BatchError> {
        match self.fields.get("keys") {
            None | Some(Value::Null) => Ok(Keys::ByShape),
            Some(Value::String(keys)) if keys == "plain" => Ok(Keys::Plain),
            Some(Value::String(keys)) if keys == "url_encoded" => Ok(Keys::UrlEncoded),
            Some(other) => {
                let message = format!("expected plain or url_encoded in {}.keys, found", self.place);
                Err(invalid(&format!("{message} {}", if other.is_string() { "another text" } else { kind(other) })))
            }
        }
    }
}

/// Refuses a run id that could lead out of its folder. `place` is where it was found.
///
/// # Errors
/// [`BatchError::InvalidEvent`].
pub fn check_run_id(run_id: &str, place: &str) -> Result<(), BatchError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let is_dots = run_id.bytes().all(|byte| byte == b'.');
    if (1..=MAX_RUN_ID).contains(&run_id.len()) && run_id.bytes().all(allowed) && !is_dots {
        return Ok(());
    }
    Err(invalid(&format!("expected 1 to {MAX_RUN_ID} letters, digits, `-`, `_` or `.` in {place}, found other text")))
}

fn invalid(message: &str) -> BatchError {
    BatchError::InvalidEvent(format!("not a Mapmill batch: {message}"))
}

fn object<'a>(value: &'a Value, what: &str) -> Result<&'a Map<String, Value>, BatchError> {
    value.as_object().ok_or_else(|| invalid(&format!("expected an object as {what}, found {}", kind(value))))
}

fn required<'a>(event: &Parts<'a>, name: &str) -> Result<&'a RawValue, BatchError> {
    event.get(name).copied().ok_or_else(|| missing(name, "the event"))
}

fn required_in<'a>(object: &'a Map<String, Value>, name: &str, place: &str) -> Result<&'a Value, BatchError> {
    object.get(name).ok_or_else(|| missing(name, place))
}

fn missing(name: &str, place: &str) -> BatchError {
    let who = if place == "mapmill" { "ItemSelector" } else { "ItemBatcher" };
    invalid(&format!("expected {name} in {place}; the {who} of the state machine must put it there"))
}

fn text(value: &Value, what: &str) -> Result<String, BatchError> {
    let text = value.as_str().filter(|text| !text.is_empty());
    text.map(str::to_owned).ok_or_else(|| invalid(&format!("expected a text in {what}, found {}", kind(value))))
}

/// What a value is, for messages; never what it holds.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(text) if text.is_empty() => "an empty text",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
