//! Types of fields: a plain name, or a mapping that also says how dates and points in time are written.
//!
//! A rule that says no more than the plain name is serialised as the plain name, so that both ways to write it give the
//! same normalised job.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, IntoDeserializer, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};

use crate::limits::MAX_TIME_FORMATS;
use crate::time_format::{TimeFormat, TimeZoneName, UTC};

/// The type that a field must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FieldType {
    /// Any text.
    String,
    /// A whole number of any length.
    Integer,
    /// A number in floating point.
    Float,
    /// A decimal number, kept digit by digit.
    Decimal,
    /// `true` or `false`.
    Boolean,
    /// A calendar date such as `2026-11-22`.
    Date,
    /// A point in time by RFC 3339, such as `2026-11-22T10:00:00Z`.
    Timestamp,
    /// Any JSON value; in CSV, JSON text.
    Json,
}

impl FieldType {
    /// The name of the type in the job file, for instance `timestamp`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Integer => "integer",
            Self::Float => "float",
            Self::Decimal => "decimal",
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::Timestamp => "timestamp",
            Self::Json => "json",
        }
    }
}

/// What `types` and `cast` say of a field: its type and, for dates and timestamps, how its values are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeRule {
    /// The type.
    pub field_type: FieldType,
    /// The formats that are tried one after another, at most 16. Empty means the one that the type has by itself:
    /// RFC 3339 for a timestamp, `2026-11-22` for a date.
    pub formats: Vec<TimeFormat>,
    /// The time zone of texts without an offset, and of the day in which a point in time lies. `None` means UTC.
    pub time_zone: Option<TimeZoneName>,
}

impl From<FieldType> for TypeRule {
    fn from(field_type: FieldType) -> Self {
        Self { field_type, formats: Vec::new(), time_zone: None }
    }
}

impl From<Written> for TypeRule {
    fn from(written: Written) -> Self {
        let mut formats = written.formats.map(|formats| formats.0).unwrap_or_default();
        if let [only] = formats.as_slice()
            && only.is_default_of(written.field_type)
        {
            formats.clear();
        }
        // Elsewhere a time zone is a mistake, which must not vanish.
        let has_times = matches!(written.field_type, FieldType::Date | FieldType::Timestamp);
        let time_zone = written.time_zone.filter(|zone| !(has_times && zone.is_utc()));
        Self { field_type: written.field_type, formats, time_zone }
    }
}

/// The mapping form of a rule.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(rename = "type")]
    field_type: FieldType,
    #[serde(default)]
    formats: Option<Formats>,
    #[serde(default)]
    time_zone: Option<TimeZoneName>,
}

/// A list of 1 to 16 formats.
struct Formats(Vec<TimeFormat>);

impl<'de> Deserialize<'de> for Formats {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let formats: Vec<TimeFormat> = Vec::deserialize(deserializer)?;
        if (1..=MAX_TIME_FORMATS).contains(&formats.len()) {
            return Ok(Self(formats));
        }
        let expected = format!("a list of 1 to {MAX_TIME_FORMATS} time formats");
        Err(D::Error::invalid_length(formats.len(), &expected.as_str()))
    }
}

impl Serialize for TypeRule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.formats.is_empty() && self.time_zone.is_none() {
            return self.field_type.serialize(serializer);
        }
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", &self.field_type)?;
        if !self.formats.is_empty() {
            map.serialize_entry("formats", &self.formats)?;
        }
        map.serialize_entry("time_zone", self.time_zone.as_ref().map_or(UTC, TimeZoneName::as_str))?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for TypeRule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RuleVisitor;

        impl<'de> Visitor<'de> for RuleVisitor {
            type Value = TypeRule;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("the name of a type, or a mapping with `type`, `formats` and `time_zone`")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<TypeRule, E> {
                FieldType::deserialize(name.into_deserializer()).map(TypeRule::from)
            }

            fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<TypeRule, A::Error> {
                Written::deserialize(MapAccessDeserializer::new(access)).map(TypeRule::from)
            }
        }

        deserializer.deserialize_any(RuleVisitor)
    }
}

impl JsonSchema for TypeRule {
    fn schema_name() -> Cow<'static, str> {
        "TypeRule".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let name = generator.subschema_for::<FieldType>();
        let format = generator.subschema_for::<TimeFormat>();
        let time_zone = generator.subschema_for::<TimeZoneName>();
        json_schema!({
            "description": "The type of a field: its name, or a mapping that also says how dates and timestamps are written.",
            "oneOf": [
                name,
                {
                    "type": "object",
                    "properties": {
                        "type": name,
                        "formats": {
                            "description": "The formats that are tried one after another. For `date` and `timestamp` only.",
                            "type": "array",
                            "items": format,
                            "minItems": 1,
                            "maxItems": MAX_TIME_FORMATS
                        },
                        "time_zone": {
                            "description": "The time zone of texts without an offset, and of the day of a point in time. Without it, UTC.",
                            "anyOf": [time_zone, {"type": "null"}]
                        }
                    },
                    "required": ["type"],
                    "additionalProperties": false
                }
            ]
        })
    }
}
