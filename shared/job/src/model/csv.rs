//! `source.csv`: how to read CSV.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserializer, Error, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use crate::limits::MAX_FIELDS;
use crate::names::{AsciiCharacter, FieldName};

/// How to read CSV.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CsvOptions {
    /// The character between fields.
    pub delimiter: AsciiCharacter,
    /// The character around fields that hold delimiters or line ends. Null means that there are no quotes: every
    /// delimiter and line end counts.
    pub quote: Option<AsciiCharacter>,
    /// How a quote is written inside quotes.
    pub escape: CsvEscape,
    /// True: fields in quotes may hold line ends. False: every line end ends the record, and a quote that is open there
    /// makes that record a reject, so that a stray quote never takes the rows behind it.
    pub multiline: bool,
    /// Where the names of the columns come from: the first row, nowhere (`none`: `column_1`, `column_2`, …), or a list
    /// of names.
    pub header: CsvHeader,
    /// What happens when two columns of the first row have the same name.
    pub duplicate_names: DuplicateNames,
    /// What happens when a column of the first row has no name.
    pub empty_names: EmptyNames,
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
            quote: Some(AsciiCharacter::from_byte(b'"')),
            escape: CsvEscape::Doubled,
            multiline: true,
            header: CsvHeader::FirstRow,
            duplicate_names: DuplicateNames::Fail,
            empty_names: EmptyNames::Number,
            ragged: RaggedRows::Reject,
            comment: None,
            skip_lines: 0,
        }
    }
}

/// How a quote is written inside quotes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CsvEscape {
    /// Twice.
    #[default]
    Doubled,
    /// After a backslash, which takes the next character as it is; written twice it is a quote too.
    Backslash,
}

/// What happens when two columns of the first row have the same name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DuplicateNames {
    /// The object fails.
    #[default]
    Fail,
    /// The second `id` becomes `id_2`, the third `id_3`; a name that is taken already is passed over.
    Number,
}

/// What happens when a column of the first row has no name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EmptyNames {
    /// It is called after its number, as in `column_3`.
    #[default]
    Number,
    /// The object fails.
    Fail,
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
