//! The types of a job, one module per part of the file.
//!
//! The documentation of each type and field is also the text of the JSON Schema and is seen by users in their editors.

mod csv;
mod field_type;
mod limits;
mod output;
mod record;
mod source;
mod tolerance;

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserializer, Error, Unexpected, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

pub use csv::{CsvEscape, CsvHeader, CsvOptions, DuplicateNames, EmptyNames, RaggedRows};
pub use field_type::{FieldType, TypeRule};
pub use limits::Limits;
pub(crate) use limits::MAX_OUTPUT_BYTES;
pub use output::{OnFailure, Output, OutputCompression, OutputFormat, RejectPolicy, Rejects};
pub use record::Record;
pub use source::{Compression, DuplicateKeys, Encoding, Format, JsonMode, JsonOptions, Source};
pub use tolerance::Tolerance;

use crate::names::JobName;
use crate::problem::JobError;
use crate::{collect, digest, text};

/// What to read, what to do with each record and where to write it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// The version of the job file's format. Always 1.
    pub version: Version,
    /// A short name for the job. It appears in logs and reports.
    pub name: JobName,
    /// What the workers do with each object.
    #[serde(default)]
    pub task: Task,
    /// The objects to read and how to read them.
    pub source: Source,
    /// What to do with each record. Without it, records are checked for their format and written as they are.
    #[serde(default)]
    pub record: Record,
    /// Where and how to write.
    pub output: Output,
    /// What happens to records that cannot be read or converted.
    #[serde(default)]
    pub rejects: Rejects,
    /// The most that an object or record may cost.
    #[serde(default)]
    pub limits: Limits,
    /// What happens when an object as a whole cannot be processed.
    #[serde(default)]
    pub on_failure: OnFailure,
    /// How much of a run may go wrong before the run counts as failed.
    #[serde(default)]
    pub tolerance: Tolerance,
}

impl Job {
    /// Reads a job from JSON or YAML text of at most 1 MiB. The error lists everything that is wrong with it.
    pub fn parse(text: &str) -> Result<Self, JobError> {
        collect::decode(text::read(text)?)
    }

    /// Reads a job from a JSON tree, for instance from an event. The error lists everything that is wrong with it.
    pub fn from_value(value: Value) -> Result<Self, JobError> {
        collect::decode(value)
    }

    /// SHA-256 of the normalised job, as 64 hexadecimal digits. Two files that mean the same job have the same digest.
    #[must_use]
    pub fn digest(&self) -> String {
        digest::digest(self)
    }

    /// True when the places of source and output hold one another, so that the job could read what it writes, or
    /// overwrite what it reads. [`Job::parse`] never returns such a job.
    #[must_use]
    pub fn overlap(&self) -> bool {
        let (source, output) = (self.source.prefix.as_str(), self.output.prefix.as_str());
        self.source.bucket == self.output.bucket && (output.starts_with(source) || source.starts_with(output))
    }
}

/// The version of the job file's format.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Version {
    /// Version 1.
    #[default]
    One,
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(1)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct VersionVisitor;

        impl Visitor<'_> for VersionVisitor {
            type Value = Version;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("the number 1, the only version of the job file")
            }

            fn visit_u64<E: Error>(self, version: u64) -> Result<Version, E> {
                match version {
                    1 => Ok(Version::One),
                    other => Err(E::invalid_value(Unexpected::Unsigned(other), &self)),
                }
            }
        }

        deserializer.deserialize_u64(VersionVisitor)
    }
}

impl JsonSchema for Version {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Version".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "integer", "const": 1})
    }
}

/// What the workers do with each object.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Read, reshape and write the records.
    #[default]
    Transform,
}
