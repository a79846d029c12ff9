//! The JSON Schema of the records, as it stands in the job file.
//!
//! A [`RecordSchema`] is a JSON object or boolean of limited size. Whether it is a schema at all is looked at in
//! `check::schema`, because that finds several mistakes at once, each with its own place in the file.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, Unexpected};
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::decode::kind;
use crate::limits::MAX_SCHEMA_BYTES;

/// A JSON Schema of draft 2020-12, at most 256 KiB as compact JSON text.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordSchema(Value);

impl RecordSchema {
    /// The schema as a tree: an object or a boolean.
    #[must_use]
    pub fn as_value(&self) -> &Value {
        &self.0
    }

    /// The schema as compact JSON text.
    #[must_use]
    pub fn to_text(&self) -> String {
        self.0.to_string()
    }
}

impl Serialize for RecordSchema {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for RecordSchema {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        if !matches!(value, Value::Object(_) | Value::Bool(_)) {
            let expected = "a JSON Schema: a mapping, true or false";
            return Err(D::Error::invalid_type(Unexpected::Other(kind(&value)), &expected));
        }
        let schema = Self(value);
        let bytes = schema.to_text().len();
        if bytes > MAX_SCHEMA_BYTES {
            let expected = format!("a JSON Schema of at most {MAX_SCHEMA_BYTES} bytes of JSON text");
            return Err(D::Error::invalid_value(Unexpected::Other(&format!("{bytes} bytes")), &expected.as_str()));
        }
        Ok(schema)
    }
}

impl JsonSchema for RecordSchema {
    fn schema_name() -> Cow<'static, str> {
        "RecordSchema".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A JSON Schema of draft 2020-12, at most 256 KiB of JSON text, without references to other files.",
            "type": ["object", "boolean"]
        })
    }
}
