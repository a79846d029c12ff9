//! A handful of schemas, most of them with a plain answer to whether a record keeps them.

use crate::oracle::Json;
use record_stream::Schema;
use std::sync::LazyLock;

/// A schema, and what it means.
#[derive(Debug)]
pub struct FixedSchema {
    /// The schema.
    pub schema: Schema,
    /// Whether an object keeps it; `None` where saying so would take a second validator.
    pub keeps: Option<fn(&Json<'_>) -> bool>,
}

static SCHEMAS: LazyLock<Vec<FixedSchema>> = LazyLock::new(|| {
    let fixed = |text: &str, keeps| FixedSchema { schema: Schema::parse(text).expect("a schema"), keeps };
    vec![
        fixed("true", Some(|_| true)),
        fixed("false", Some(|_| false)),
        fixed(r#"{"type": "object", "required": ["a"]}"#, Some(|record| record.member("a").is_some())),
        fixed(r#"{"properties": {"a": {"type": ["string", "null"]}}}"#, Some(keeps_text_or_null)),
        fixed(
            r#"{"properties": {"b": {"type": "array", "maxItems": 2, "items": {"type": "object"}}}}"#,
            Some(keeps_few_objects),
        ),
        fixed(
            r#"{"maxProperties": 2, "not": {"required": ["c"]}}"#,
            Some(|record| names(record) <= 2 && record.member("c").is_none()),
        ),
        fixed(
            r##"{"$defs": {"natural": {"type": "number", "minimum": 0}},
                "properties": {"a": {"$ref": "#/$defs/natural"},
                               "d": {"anyOf": [{"$ref": "#/$defs/natural"}, {"const": "x"}]}}}"##,
            Some(keeps_naturals),
        ),
        fixed(
            r#"{"additionalProperties": {"uniqueItems": true, "multipleOf": 0.1, "maximum": 1e300,
                "enum": [0, 1.5, "x", null, [0], {"a": [1]}, true]}}"#,
            None,
        ),
        fixed(
            r#"{"properties": {"a": {"format": "date-time", "pattern": "^2026-"}, "b": {"contains": {"format": "date"}},
                "c": {"propertyNames": {"maxLength": 1}, "maxLength": 4}},
                "patternProperties": {"^[dé]$": {"type": ["integer", "string"]}}, "unevaluatedProperties": false}"#,
            None,
        ),
    ]
});

/// The schema of a choice.
#[must_use]
pub fn choose(choice: u8) -> &'static FixedSchema {
    &SCHEMAS[usize::from(choice) % SCHEMAS.len()]
}

fn keeps_text_or_null(record: &Json<'_>) -> bool {
    matches!(record.member("a"), None | Some(Json::Text(_) | Json::Plain("null")))
}

fn keeps_few_objects(record: &Json<'_>) -> bool {
    match record.member("b") {
        None => true,
        Some(Json::Array(elements)) => {
            elements.len() <= 2 && elements.iter().all(|element| matches!(element, Json::Object(_)))
        }
        Some(_) => false,
    }
}

fn keeps_naturals(record: &Json<'_>) -> bool {
    let is_natural = |value: &Json<'_>| match value {
        Json::Plain(text) => text.starts_with(|first: char| first.is_ascii_digit()) || *text == "-0",
        _ => false,
    };
    let is_x = |value: &Json<'_>| matches!(value, Json::Text(text) if text == "x");
    record.member("a").is_none_or(is_natural) && record.member("d").is_none_or(|value| is_natural(value) || is_x(value))
}

/// How many names an object has, those that come twice counted once.
fn names(record: &Json<'_>) -> usize {
    let Json::Object(members) = record else { return 0 };
    let mut names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    names.len()
}
