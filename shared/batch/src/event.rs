//! What a worker is handed: a batch of a Distributed Map.
//!
//! Step Functions builds the event from three parts: the fixed `BatchInput` of the ItemBatcher, which carries the job,
//! and `Items`, which the ItemReader found. Unknown fields are ignored, because AWS adds fields. An item that makes no
//! sense fails alone; only an event that is no batch at all fails the invocation.

use crate::error::BatchError;
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

/// One item as it came. Its key is checked when the item is processed, so that a bad key is that item's failure.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Item {
    /// The object's key; empty if the item has none.
    pub key: String,
    /// The object's bucket, where the item names one (inventories do); otherwise the job's source bucket.
    pub bucket: Option<String>,
    /// The ETag that the object had when it was listed, as it came.
    pub etag: Option<String>,
    /// Its size in bytes when it was listed.
    pub size: Option<u64>,
    /// What is wrong with the item, if it cannot be processed.
    pub defect: Option<&'static str>,
}

impl Event {
    /// Reads an event.
    ///
    /// # Errors
    /// [`BatchError::InvalidEvent`] names the field that is missing or of the wrong kind.
    pub fn parse(event: &Value) -> Result<Self, BatchError> {
        let event = object(event, "the event")?;
        let batch_input = object(required(event, "BatchInput")?, "BatchInput")?;
        let mapmill = object(required_in(batch_input, "mapmill", "BatchInput")?, "BatchInput.mapmill")?;
        let version = required_in(mapmill, "version", "BatchInput.mapmill")?;
        if version.as_f64() != Some(1.0) {
            return Err(invalid(&format!(
                "expected the number 1 in BatchInput.mapmill.version, found {}",
                kind(version)
            )));
        }
        let run_id = text(required_in(mapmill, "run_id", "BatchInput.mapmill")?, "BatchInput.mapmill.run_id")?;
        check_run_id(&run_id)?;
        let correlation_id = match mapmill.get("correlation_id") {
            None | Some(Value::Null) => run_id.clone(),
            Some(value) => text(value, "BatchInput.mapmill.correlation_id")?.chars().take(512).collect(),
        };
        let job = match required_in(mapmill, "job", "BatchInput.mapmill")? {
            Value::String(address) => JobReference::Address(address.clone()),
            job @ Value::Object(_) => JobReference::Inline(job.clone()),
            other => {
                let message = "expected a job or its s3:// address in BatchInput.mapmill.job, found";
                return Err(invalid(&format!("{message} {}", kind(other))));
            }
        };
        let items = match required(event, "Items")? {
            Value::Array(items) if items.len() > MAX_ITEMS => {
                return Err(invalid(&format!("expected at most {MAX_ITEMS} items in Items, found {}", items.len())));
            }
            Value::Array(items) => items.iter().map(Item::parse).collect(),
            other => return Err(invalid(&format!("expected a list in Items, found {}", kind(other)))),
        };
        Ok(Self { run_id, correlation_id, job, items })
    }
}

impl Item {
    /// Reads an item of a listing (`Key`, `Etag`, `Size` as a number) or of an inventory (all texts, with `Bucket`).
    fn parse(item: &Value) -> Self {
        let Value::Object(item) = item else {
            return Self { defect: Some("expected an object with a Key"), ..Self::default() };
        };
        let text = |names: &[&str]| names.iter().find_map(|name| item.get(*name)?.as_str()).map(str::to_owned);
        let size = item.get("Size").and_then(|size| match size {
            Value::String(digits) => digits.parse().ok(),
            number => number.as_u64().or_else(|| whole(number.as_f64()?)),
        });
        let key = text(&["Key"]);
        Self {
            defect: key.is_none().then_some("expected a text in Key"),
            key: key.unwrap_or_default(),
            bucket: text(&["Bucket"]),
            etag: text(&["Etag", "ETag"]),
            size,
        }
    }
}

/// Step Functions may write whole numbers as floats with an exponent.
fn whole(number: f64) -> Option<u64> {
    (number >= 0.0 && number.fract() == 0.0 && number < 9e15).then_some(number as u64)
}

fn check_run_id(run_id: &str) -> Result<(), BatchError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let is_dots = run_id.bytes().all(|byte| byte == b'.');
    if run_id.len() <= MAX_RUN_ID && run_id.bytes().all(allowed) && !is_dots {
        return Ok(());
    }
    Err(invalid(&format!(
        "expected 1 to {MAX_RUN_ID} letters, digits, `-`, `_` or `.` in BatchInput.mapmill.run_id, found other text"
    )))
}

fn invalid(message: &str) -> BatchError {
    BatchError::InvalidEvent(format!("not a Mapmill batch: {message}"))
}

fn object<'a>(value: &'a Value, what: &str) -> Result<&'a Map<String, Value>, BatchError> {
    value.as_object().ok_or_else(|| invalid(&format!("expected an object as {what}, found {}", kind(value))))
}

fn required<'a>(object: &'a Map<String, Value>, name: &str) -> Result<&'a Value, BatchError> {
    required_in(object, name, "the event")
}

fn required_in<'a>(object: &'a Map<String, Value>, name: &str, place: &str) -> Result<&'a Value, BatchError> {
    object.get(name).ok_or_else(|| {
        invalid(&format!("expected {name} in {place}; the ItemBatcher of the state machine must put it there"))
    })
}

fn text(value: &Value, what: &str) -> Result<String, BatchError> {
    let text = value.as_str().filter(|text| !text.is_empty());
    text.map(str::to_owned).ok_or_else(|| invalid(&format!("expected a text in {what}, found {}", kind(value))))
}

fn kind(value: &Value) -> &'static str {
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn batch(items: Value) -> Value {
        json!({
            "BatchInput": {"mapmill": {"version": 1, "run_id": "run-1", "correlation_id": "arn:x", "job": {"name": "j"}}, "more": 1},
            "Items": items,
            "More": true,
        })
    }

    #[test]
    fn items_of_every_reader_are_understood() {
        let items: Value = serde_json::from_str(
            r#"[{"Etag":"\"401b\"","Key":"input/1.txt","LastModified":1.789180622E9,"Size":2,"StorageClass":"STANDARD","New":{}},
                {"LastModifiedDate":"2022-11-16T00:29:32.000Z","Bucket":"src","Size":"3399671","Key":"csv/titles.csv"},
                {"Key":"x","Size":1.5E3}]"#,
        )
        .unwrap();
        let event = Event::parse(&batch(items)).unwrap();
        assert_eq!(event.run_id, "run-1");
        assert_eq!(event.job, JobReference::Inline(json!({"name": "j"})));
        let listed =
            Item { key: "input/1.txt".into(), etag: Some("\"401b\"".into()), size: Some(2), ..Item::default() };
        let inventory =
            Item { key: "csv/titles.csv".into(), bucket: Some("src".into()), size: Some(3_399_671), ..Item::default() };
        let short = Item { key: "x".into(), size: Some(1500), ..Item::default() };
        assert_eq!(event.items, [listed, inventory, short]);
    }

    #[test]
    fn an_item_that_makes_no_sense_is_that_items_defect() {
        let event = Event::parse(&batch(json!([1, {}, {"Key": 5}, {"Key": "ok"}]))).unwrap();
        let defects: Vec<bool> = event.items.iter().map(|item| item.defect.is_some()).collect();
        assert_eq!(defects, [true, true, true, false]);
    }

    #[test]
    fn an_event_that_is_no_batch_is_refused_by_field() {
        let check = |event: Value, expected: &str| {
            let error = Event::parse(&event).unwrap_err();
            assert_eq!(error.name(), "Mapmill.InvalidEvent");
            assert!(error.to_string().contains(expected), "{error}");
        };
        let without = |pointer: &str, name: &str| {
            let mut event = batch(json!([]));
            event.pointer_mut(pointer).unwrap().as_object_mut().unwrap().remove(name);
            event
        };
        let with = |pointer: &str, value: Value| {
            let mut event = batch(json!([]));
            *event.pointer_mut(pointer).unwrap() = value;
            event
        };
        check(json!("hello"), "expected an object as the event, found a text");
        check(json!({"Records": []}), "expected BatchInput in the event");
        check(without("", "Items"), "expected Items in the event");
        check(without("/BatchInput", "mapmill"), "expected mapmill in BatchInput");
        check(without("/BatchInput/mapmill", "run_id"), "expected run_id in BatchInput.mapmill");
        check(without("/BatchInput/mapmill", "job"), "expected job in BatchInput.mapmill");
        check(with("/Items", json!({})), "expected a list in Items, found an object");
        check(with("/Items", json!(vec![0; MAX_ITEMS + 1])), "at most 10000 items");
        check(with("/BatchInput/mapmill/version", json!(2)), "expected the number 1");
        check(with("/BatchInput/mapmill/job", json!(7)), "found a number");
        for bad in ["", "..", "a/b", "a b", &"x".repeat(81)] {
            check(with("/BatchInput/mapmill/run_id", json!(bad)), "BatchInput.mapmill.run_id");
        }
    }
}
