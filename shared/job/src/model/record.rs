//! `record`: what to do with each record.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::marker::PhantomData;

use schemars::JsonSchema;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::field_type::{FieldType, TypeRule};
use crate::condition::Condition;
use crate::field_path::FieldPath;
use crate::limits::MAX_FIELDS;
use crate::names::FieldName;
use crate::record_schema::RecordSchema;

/// What to do with each record, in this order: `explode`, `types`, `schema`, `where`, `select` or `drop`, `rename`, `cast`,
/// `set`.
///
/// All paths name fields as they come from the source, before `rename`. A path into the array of `explode` goes through the
/// element: `items.price`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Record {
    /// The path of an array: one record is made for each of its elements, with the element in place of the array.
    /// Only for JSON. Null means that a record stays one record.
    pub explode: Option<FieldPath>,
    /// The types that fields must have. A value that does not fit makes the record a reject.
    #[serde(deserialize_with = "unique_map")]
    pub types: BTreeMap<FieldPath, TypeRule>,
    /// Texts that mean null in fields to which `types` gives a type.
    pub null_tokens: Vec<String>,
    /// A JSON Schema that every record must meet; one that does not becomes a reject. JSON records are checked as they
    /// come, CSV records as their types make them. Null means no check.
    pub schema: Option<RecordSchema>,
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
    /// The types that fields have in the output. A value that cannot be brought into its type makes the record a reject.
    #[serde(deserialize_with = "unique_map")]
    pub cast: BTreeMap<FieldPath, TypeRule>,
    /// Fields to write with a fixed value, whatever the record holds, at the end of the record, in the order of
    /// their names.
    #[serde(deserialize_with = "unique_map")]
    pub set: BTreeMap<FieldName, Value>,
}

impl Default for Record {
    fn default() -> Self {
        Self {
            explode: None,
            types: BTreeMap::new(),
            null_tokens: vec![String::new()],
            schema: None,
            condition: None,
            select: Vec::new(),
            drop: Vec::new(),
            rename: BTreeMap::new(),
            cast: BTreeMap::new(),
            set: BTreeMap::new(),
        }
    }
}

impl Record {
    /// The type that `types` gives the field, if it does.
    #[must_use]
    pub fn type_of(&self, field: &FieldPath) -> Option<FieldType> {
        self.types.get(field).map(|rule| rule.field_type)
    }

    /// True when `types` gives the field a numeric type. String operands of its conditions are then numbers.
    #[must_use]
    pub fn is_numeric(&self, field: &FieldPath) -> bool {
        matches!(self.type_of(field), Some(FieldType::Integer | FieldType::Float | FieldType::Decimal))
    }
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
