//! One item, in every shape in which a Distributed Map hands it over.
//!
//! What an item looks like depends on where the map took it from: a listing, an inventory, the rows of a file, the
//! members of a JSON object, or a state's `ItemSelector`. All of them name an object. The shapes, by what tells them apart:
//!
//! | shape | example | told by |
//! |---|---|---|
//! | the key alone | `"in/a.csv"` | it is a text |
//! | selected | `{"Item": …, "Source": "S3://bucket"}` | `Item`, and no key beside it |
//! | member of a JSON object | `{"Key": "in/a.csv", "Value": 17}` | `Key` and `Value`, or `key` and `value`, and nothing else that describes an object |
//! | inventory row | `{"Bucket": "b", "Key": "in/a%20b.csv", "Size": "17"}` | all values are texts, with `Bucket`, `Key` and a column that inventories have |
//! | anything else | `{"Key": "in/a.csv", "Size": 17}`, `{"key": …, "bucket": …}` | `Key`, `Bucket`, `Size` and `Etag` in upper or lower case |
//!
//! Inventories write keys URL-encoded; nobody else does. Fields that are not known are ignored, `LastModified` among them:
//! Step Functions writes it as an integer or as a float with an exponent, inventories as a text.

use super::raw::Parts;
use super::url_key::decode_key;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::fmt;

/// Deepest nesting of items in items: a selected member of a JSON object has three.
const MAX_NESTING: usize = 4;

/// What is wrong with an item that is JSON and still cannot be read.
const UNREADABLE: &str =
    "expected an item that can be read, found half a surrogate pair, a number beyond 1.8e308 or more than 127 levels";

/// Columns of an S3 inventory beside `Bucket` and `Key`, by their names in the `fileSchema` of its manifest
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory.html>).
const INVENTORY_COLUMNS: [&str; 10] = [
    "VersionId",
    "IsLatest",
    "IsDeleteMarker",
    "Size",
    "LastModifiedDate",
    "StorageClass",
    "IsMultipartUploaded",
    "ReplicationStatus",
    "EncryptionStatus",
    "ChecksumAlgorithm",
];

/// Fields that describe an object beside its key: an item that has one is no member of a JSON object.
const OBJECT_FIELDS: [&str; 4] = ["Bucket", "Size", "Etag", "Range"];

/// One item as it came. Its key is checked when the item is processed, so that a bad key is that item's failure.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Item {
    /// The object's key, decoded if it came URL-encoded; empty if the item has none.
    pub key: String,
    /// The object's bucket, where the item names one (inventories do); otherwise the job's source bucket.
    pub bucket: Option<String>,
    /// The ETag that the object had when it was listed, as it came.
    pub etag: Option<String>,
    /// Its size in bytes when it was listed.
    pub size: Option<u64>,
    /// The part of the object that is to be processed; none means all of it.
    pub range: Option<ItemRange>,
    /// Why the item is not to be processed: `delete_marker` or `not_latest`, as rows of an inventory say.
    pub skip: Option<&'static str>,
    /// What is wrong with the item, if it cannot be processed.
    pub defect: Option<&'static str>,
    /// Tells an item with a defect from others: a digest of it as it came.
    pub defect_digest: Option<String>,
}

/// A range of an object's bytes: the records that begin in it are to be processed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ItemRange {
    /// The first byte, from 0.
    pub start: u64,
    /// One past the last byte, behind `start`; none means the end of the object.
    pub end: Option<u64>,
}

/// The first byte and one past the last, as in `0..1048576`; without an end as in `1048576..`.
impl fmt::Display for ItemRange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.end {
            Some(end) => write!(formatter, "{}..{end}", self.start),
            None => write!(formatter, "{}..", self.start),
        }
    }
}

/// How the keys of a batch are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Keys {
    /// URL-encoded in rows of an inventory, plain elsewhere.
    #[default]
    ByShape,
    /// As they are.
    Plain,
    /// URL-encoded.
    UrlEncoded,
}

impl Item {
    /// Reads an item of any shape. One that makes no sense, or that cannot be read, gets a defect.
    pub(super) fn read(item: &RawValue, keys: Keys) -> Self {
        Self::of_json(serde_json::from_str(item.get()), keys).with_digest(item)
    }

    /// Reads the item of an event without a batch, in which the item's fields stand beside `mapmill`.
    pub(super) fn read_beside_mapmill(event: &Parts<'_>, keys: Keys) -> Self {
        let fields = event.iter().filter(|(name, _)| *name != "mapmill");
        let fields = fields.map(|(name, value)| Ok((name.clone(), serde_json::from_str(value.get())?)));
        let item = Self::of_json(fields.collect::<Result<_, _>>().map(Value::Object), keys);
        event.values().fold(item, |item, value| item.with_digest(value))
    }

    /// Adds a part of what came to the digest of an item with a defect.
    fn with_digest(mut self, part: &RawValue) -> Self {
        if self.defect.is_some() {
            let before = self.defect_digest.take().unwrap_or_default();
            self.defect_digest = Some(hex::encode(&Sha256::digest(before + part.get())[..16]));
        }
        self
    }

    fn of_json(item: serde_json::Result<Value>, keys: Keys) -> Self {
        let item = item.map_err(|_| UNREADABLE);
        let found = item.and_then(|item| Self::parse(&item, keys, MAX_NESTING));
        found.unwrap_or_else(|defect| Self { defect: Some(defect), ..Self::default() })
    }

    fn parse(item: &Value, keys: Keys, nesting: usize) -> Result<Self, &'static str> {
        if nesting == 0 {
            return Err("expected an item, found items nested deeper than 4 levels");
        }
        let fields = match item {
            Value::String(key) => return Ok(Self::of_key(key, keys == Keys::UrlEncoded)),
            Value::Object(fields) => Fields(fields),
            _ => return Err("expected an object with a Key, or a text"),
        };
        let mut found = match (fields.selected(), fields.member()) {
            (Some(inner), _) => Self::parse(inner, keys, nesting - 1)?,
            (None, Some((key, value))) => Self::of_member(key, value, keys, nesting)?,
            (None, None) => Self::of_fields(fields, keys)?,
        };
        if found.bucket.is_none() {
            found.bucket = fields.listed_bucket();
        }
        Ok(found)
    }

    fn of_key(key: &str, is_encoded: bool) -> Self {
        match decode_key(key) {
            Ok(key) if is_encoded => Self { key, ..Self::default() },
            Err(defect) if is_encoded => Self { key: key.to_owned(), defect: Some(defect), ..Self::default() },
            _ => Self { key: key.to_owned(), ..Self::default() },
        }
    }

    /// A member of a JSON object: the value is an item, the key of one, or a size. A value without a key takes the
    /// member's name as its key.
    fn of_member(name: &Value, value: &Value, keys: Keys, nesting: usize) -> Result<Self, &'static str> {
        let named = || {
            let name = name.as_str().ok_or("expected a text in Key")?;
            Ok::<_, &'static str>(Self::of_key(name, keys == Keys::UrlEncoded))
        };
        match value {
            Value::Null => named(),
            Value::Number(_) => Ok(Self { size: whole_number(value), ..named()? }),
            Value::String(text) if is_digits(text) => Ok(Self { size: whole_number(value), ..named()? }),
            Value::String(_) => Self::parse(value, keys, nesting - 1),
            Value::Object(inner) if Fields(inner).names_an_object() => Self::parse(value, keys, nesting - 1),
            Value::Object(inner) => Ok(named()?.described(Fields(inner))),
            Value::Bool(_) | Value::Array(_) => Err("expected an item, a key or a size in Value"),
        }
    }

    fn of_fields(fields: Fields<'_>, keys: Keys) -> Result<Self, &'static str> {
        let key = fields.get("Key").and_then(Value::as_str).ok_or("expected a text in Key")?;
        let is_encoded = keys == Keys::UrlEncoded || keys == Keys::ByShape && fields.is_inventory_row();
        Ok(Self::of_key(key, is_encoded).described(fields))
    }

    /// The item with all that its fields say beside the key.
    fn described(self, fields: Fields<'_>) -> Self {
        let is = |name: &str, wanted: bool| match fields.0.get(name) {
            Some(Value::Bool(found)) => *found == wanted,
            Some(Value::String(text)) => text.eq_ignore_ascii_case(if wanted { "true" } else { "false" }),
            _ => false,
        };
        let skip = match () {
            () if is("IsDeleteMarker", true) => Some("delete_marker"),
            () if is("IsLatest", false) => Some("not_latest"),
            () => None,
        };
        let range = fields.0.get("Range").map_or(Ok(None), ItemRange::parse);
        Self {
            bucket: fields.text("Bucket"),
            etag: fields.text("Etag"),
            size: fields.get("Size").and_then(whole_number),
            range: range.unwrap_or_default(),
            skip,
            defect: self.defect.or(range.err()),
            ..self
        }
    }
}

impl ItemRange {
    /// Reads `{"Start": 0, "End": 10}`, the end exclusive and not needed, or `"bytes=0-9"` with both ends inclusive, as
    /// in HTTP.
    fn parse(range: &Value) -> Result<Option<Self>, &'static str> {
        const EXPECTED: &str =
            "expected {\"Start\": …, \"End\": …} or \"bytes=…-…\" in Range, the end behind the start";
        let found = match range {
            Value::Null => return Ok(None),
            Value::String(text) if text.is_empty() => return Ok(None),
            Value::String(text) => Self::of_header(text),
            Value::Object(fields) => Self::of_fields(Fields(fields)),
            _ => None,
        };
        let is_sound = |range: &Self| range.end.is_none_or(|end| range.start < end);
        found.filter(is_sound).map(Some).ok_or(EXPECTED)
    }

    fn of_header(text: &str) -> Option<Self> {
        let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
        let number = |digits: &str| is_digits(digits).then(|| digits.parse::<u64>().ok()).flatten();
        let end = if last.is_empty() { None } else { Some(number(last)?.checked_add(1)?) };
        Some(Self { start: number(first)?, end })
    }

    fn of_fields(fields: Fields<'_>) -> Option<Self> {
        let end = match fields.0.get("End") {
            None | Some(Value::Null) => None,
            Some(end) => Some(whole_number(end)?),
        };
        Some(Self { start: whole_number(fields.0.get("Start")?)?, end })
    }
}

/// The members of an item.
#[derive(Clone, Copy)]
struct Fields<'a>(&'a Map<String, Value>);

impl<'a> Fields<'a> {
    /// The member of this name, else the first of the same name in upper or lower case.
    fn get(self, name: &str) -> Option<&'a Value> {
        let in_any_case = || self.0.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value);
        self.0.get(name).or_else(in_any_case)
    }

    /// A text that is there and not empty.
    fn text(self, name: &str) -> Option<String> {
        self.get(name)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
    }

    fn names_an_object(self) -> bool {
        self.get("Key").is_some() || self.0.contains_key("Item")
    }

    /// The item that an `ItemSelector` put into `Item`.
    fn selected(self) -> Option<&'a Value> {
        self.0.get("Item").filter(|_| self.get("Key").is_none())
    }

    /// Name and value of a member of a JSON object.
    fn member(self) -> Option<(&'a Value, &'a Value)> {
        let pair = |key: &str, value: &str| Some((self.0.get(key)?, self.0.get(value)?));
        let pair = pair("Key", "Value").or_else(|| pair("key", "value"))?;
        OBJECT_FIELDS.iter().all(|name| self.get(name).is_none()).then_some(pair)
    }

    fn is_inventory_row(self) -> bool {
        let has = |name: &str| self.0.contains_key(name);
        has("Bucket")
            && has("Key")
            && self.0.values().all(Value::is_string)
            && INVENTORY_COLUMNS.iter().any(|name| has(name))
    }

    /// The bucket that was listed, if the item says where it comes from. `S3://bucket/key` is a file with items in it,
    /// and `STATE_DATA` the state's input; both say nothing about the object.
    fn listed_bucket(self) -> Option<String> {
        let source = self.0.get("Source")?.as_str()?;
        let (scheme, bucket) = source.split_at_checked("s3://".len())?;
        let is_bucket = scheme.eq_ignore_ascii_case("s3://") && !bucket.is_empty() && !bucket.contains('/');
        is_bucket.then(|| bucket.to_owned())
    }
}

/// A whole number, as such, as a float (Step Functions may write one with an exponent) or as digits.
fn whole_number(value: &Value) -> Option<u64> {
    let of_float = |number: f64| (number >= 0.0 && number.fract() == 0.0 && number < 9e15).then_some(number as u64);
    match value {
        Value::String(digits) if is_digits(digits) => digits.parse().ok(),
        number => number.as_u64().or_else(|| of_float(number.as_f64()?)),
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
