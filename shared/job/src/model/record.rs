//! `record`: what to do with each record.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::marker::PhantomData;

use schemars::JsonSchema;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::condition::Condition;
use crate::field_path::FieldPath;
use crate::limits::MAX_FIELDS;
use crate::names::FieldName;

/// What to do with each record, in this order: `types`, `where`, `select` or `drop`, `rename`, `set`.
///
/// All paths name fields as they come from the source, before `rename`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Record {
    /// The types that fields must have. A value that does not fit makes the record a reject.
    #[serde(deserialize_with = "unique_map")]
    pub types: BTreeMap<FieldPath, FieldType>,
    /// Texts that mean null in fields to which `types` gives a type.
    pub null_tokens: Vec<String>,
    /// Only records for which this is true are written. Null means all.
    #[serde(rename = "where")]
    pub condition: Option<Condition>,
    /// The fields to write, in this order. Each appears under the last name of its path. Empty means all.
    pub select: Vec<FieldPath>,
    /// The fields to leave out. Not together with `select`.
    pub drop: Vec<FieldPath>,
    /// New names for fields. A field stays at its place and gets a new last name.
    #[serde(deserialize_with = "unique_map")]
    pub rename: BTreeMap<FieldPath, FieldName>,
    /// Fields to write with a fixed value, whatever the record holds, at the end of the record, in the order of
    /// their names.
    #[serde(deserialize_with = "unique_map")]
    pub set: BTreeMap<FieldName, Value>,
}

impl Default for Record {
    fn default() -> Self {
        Self {
            types: BTreeMap::new(),
            null_tokens: vec![String::new()],
            condition: None,
            select: Vec::new(),
            drop: Vec::new(),
            rename: BTreeMap::new(),
            set: BTreeMap::new(),
        }
    }
}

impl Record {
    /// True when `types` gives the field a numeric type. String operands of its conditions are then numbers.
    #[must_use]
    pub fn is_numeric(&self, field: &FieldPath) -> bool {
        matches!(self.types.get(field), Some(FieldType::Integer | FieldType::Float | FieldType::Decimal))
    }
}

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

/// A mapping with a limited number of entries in which no two keys mean the same.
///
/// The tree has no equal keys, but two field paths can be written differently and name the same field.
fn unique_map<'de, D, K, V>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
where
    D: Deserializer<'de>,
    K: Deserialize<'de> + Ord,
    V: Deserialize<'de>,
{
    struct MapVisitor<K, V>(PhantomData<(K, V)>);

    impl<'de, K: Deserialize<'de> + Ord, V: Deserialize<'de>> Visitor<'de> for MapVisitor<K, V> {
        type Value = BTreeMap<K, V>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(formatter, "a mapping of at most {MAX_FIELDS} fields")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
            let mut entries = BTreeMap::new();
            while let Some(key) = access.next_key::<K>()? {
                if entries.len() == MAX_FIELDS {
                    return Err(A::Error::invalid_value(Unexpected::Other("more"), &self));
                }
                match entries.entry(key) {
                    Entry::Vacant(entry) => {
                        entry.insert(access.next_value()?);
                    }
                    Entry::Occupied(_) => access.next_value_seed(SecondEntry)?,
                }
            }
            Ok(entries)
        }
    }

    deserializer.deserialize_map(MapVisitor(PhantomData))
}

/// Fails at the value of a repeated key, so that the error carries the path of that key.
struct SecondEntry;

impl<'de> DeserializeSeed<'de> for SecondEntry {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, _: D) -> Result<(), D::Error> {
        Err(D::Error::invalid_value(Unexpected::Other("the same field, written differently"), &"each field once"))
    }
}
