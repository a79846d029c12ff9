//! `source`: the objects to read and how to read them.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserializer, Error, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use crate::globs::{Globs, KeyMatch};
use crate::limits::MAX_FIELDS;
use crate::names::{AsciiCharacter, BucketName, FieldName, JsonPointer, Prefix};

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
}

/// How to read CSV.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CsvOptions {
    /// The character between fields.
    pub delimiter: AsciiCharacter,
    /// The character around fields that hold delimiters or line ends. Inside quotes it is written twice.
    pub quote: AsciiCharacter,
    /// Where the names of the columns come from: the first row, nowhere (`none`: `column_1`, `column_2`, …), or a list
    /// of names.
    pub header: CsvHeader,
    /// What happens to a row with more or fewer fields than the header.
    pub ragged: RaggedRows,
    /// Lines that begin with this character are skipped. Null means that there are no comments.
    pub comment: Option<AsciiCharacter>,
    /// How many lines to skip at the beginning of each object, before the header.
    #[schemars(range(max = 1000))]
    pub skip_lines: u32,
}

impl Default for CsvOptions {
    fn default() -> Self {
        Self {
            delimiter: AsciiCharacter::from_byte(b','),
            quote: AsciiCharacter::from_byte(b'"'),
            header: CsvHeader::FirstRow,
            ragged: RaggedRows::Reject,
            comment: None,
            skip_lines: 0,
        }
    }
}

/// Where the names of CSV columns come from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum CsvHeader {
    /// The first row holds the names.
    #[default]
    FirstRow,
    /// There are no names: the columns are called `column_1`, `column_2` and so on.
    None,
    /// These are the names; the first row is data.
    Names(Vec<FieldName>),
}

impl Serialize for CsvHeader {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::FirstRow => serializer.serialize_str("first_row"),
            Self::None => serializer.serialize_str("none"),
            Self::Names(names) => names.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for CsvHeader {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct HeaderVisitor;

        impl<'de> Visitor<'de> for HeaderVisitor {
            type Value = CsvHeader;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("first_row, none, or a list of column names")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<CsvHeader, E> {
                match text {
                    "first_row" => Ok(CsvHeader::FirstRow),
                    "none" => Ok(CsvHeader::None),
                    other => Err(E::invalid_value(Unexpected::Str(other), &self)),
                }
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<CsvHeader, A::Error> {
                let mut names: Vec<FieldName> = Vec::new();
                while let Some(name) = access.next_element()? {
                    if names.len() == MAX_FIELDS {
                        let expected = format!("at most {MAX_FIELDS} column names");
                        return Err(A::Error::invalid_value(Unexpected::Other("more"), &expected.as_str()));
                    }
                    names.push(name);
                }
                if names.is_empty() {
                    return Err(A::Error::invalid_value(Unexpected::Other("an empty list"), &self));
                }
                Ok(CsvHeader::Names(names))
            }
        }

        deserializer.deserialize_any(HeaderVisitor)
    }
}

impl JsonSchema for CsvHeader {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "CsvHeader".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let name = generator.subschema_for::<FieldName>();
        json_schema!({
            "oneOf": [
                {"type": "string", "enum": ["first_row", "none"]},
                {"type": "array", "items": name, "minItems": 1, "maxItems": MAX_FIELDS, "uniqueItems": true}
            ]
        })
    }
}

/// What happens to a CSV row with more or fewer fields than the header.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RaggedRows {
    /// The row becomes a reject.
    #[default]
    Reject,
    /// Missing fields are null; a row with too many fields becomes a reject.
    Pad,
    /// The object fails.
    Fail,
}

/// How to read JSON.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct JsonOptions {
    /// The place of the records inside each document, as a JSON Pointer. Null means the top of the document.
    pub pointer: Option<JsonPointer>,
    /// Whether a document is one record or a list of records.
    pub mode: JsonMode,
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
