//! `source`: the objects to read and how to read them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::csv::CsvOptions;
use crate::globs::{Globs, KeyMatch};
use crate::names::{BucketName, JsonPointer, Prefix};

/// The objects to read and how to read them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The bucket to read from.
    pub bucket: BucketName,
    /// Only keys that begin with this are read. Empty means the whole bucket.
    #[serde(default)]
    pub prefix: Prefix,
    /// Globs on the key after the prefix. An object is read when one of them matches. Empty means every object.
    #[serde(default)]
    pub include: Globs,
    /// The format of the objects. `auto` looks at the name, the content type and the first bytes of each.
    #[serde(default)]
    pub format: Format,
    /// The compression of the objects. `auto` looks at the name, the content encoding and the first bytes of each.
    #[serde(default)]
    pub compression: Compression,
    /// The encoding of the text of the objects.
    #[serde(default)]
    pub encoding: Encoding,
    /// How to read CSV.
    #[serde(default)]
    pub csv: CsvOptions,
    /// How to read JSON.
    #[serde(default)]
    pub json: JsonOptions,
}

impl Source {
    /// Whether an object key of the source bucket belongs to this source.
    #[must_use]
    pub fn matches(&self, key: &str) -> KeyMatch {
        match key.strip_prefix(self.prefix.as_str()) {
            None => KeyMatch::OutsidePrefix,
            Some(rest) if self.include.matches(rest) => KeyMatch::Included,
            Some(_) => KeyMatch::NotIncluded,
        }
    }
}

/// The format of the objects to read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Found out for each object by its name, content type and first bytes.
    #[default]
    Auto,
    /// One JSON value per line.
    Ndjson,
    /// One JSON document per object.
    Json,
    /// Comma-separated values.
    Csv,
}

/// The compression of the objects to read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// Found out for each object by its name, content encoding and first bytes.
    #[default]
    Auto,
    /// Not compressed.
    None,
    /// Gzip, also of several members.
    Gzip,
    /// Zstandard, also of several frames.
    Zstd,
    /// Bzip2, also of several streams.
    Bzip2,
    /// Xz, also of several streams.
    Xz,
}

/// The encoding of the text of the objects to read. What is written is always UTF-8.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Encoding {
    /// UTF-8, with or without a byte order mark.
    #[default]
    #[serde(rename = "utf-8")]
    Utf8,
    /// UTF-16 in the order that its byte order mark says; little endian without one.
    #[serde(rename = "utf-16")]
    Utf16,
    /// UTF-16, little endian.
    #[serde(rename = "utf-16le")]
    Utf16Le,
    /// UTF-16, big endian.
    #[serde(rename = "utf-16be")]
    Utf16Be,
    /// Latin-1 (ISO 8859-1): one byte for each character.
    #[serde(rename = "latin-1")]
    Latin1,
}

/// How to read JSON.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct JsonOptions {
    /// The place of the records inside each document, as a JSON Pointer. Null means the top of the document.
    pub pointer: Option<JsonPointer>,
    /// Whether a document is one record or a list of records.
    pub mode: JsonMode,
    /// What happens to a record in which an object has a key twice.
    pub duplicate_keys: DuplicateKeys,
}

/// What happens to a record in which an object has a key twice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DuplicateKeys {
    /// The last one counts where a rule reads the field. Such records are counted.
    #[default]
    Last,
    /// The record becomes a reject.
    Reject,
}

/// Whether a JSON document is one record or a list of records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JsonMode {
    /// An array is a list of records, anything else is one record.
    #[default]
    Auto,
    /// The value is one record, also when it is an array.
    Document,
    /// The value must be an array; each element is a record.
    Array,
}
