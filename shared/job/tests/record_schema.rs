//! `record.schema`: whatever is wrong with a JSON Schema is said with its place inside the schema.

#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

mod common;

use common::check;
use serde_json::{Value, json};

/// A schema has exactly these problems; a line begins behind `record.schema`.
fn check_schema(schema: Value, expected: &[&str]) {
    let lines: Vec<String> = expected.iter().map(|line| format!("record.schema{line}")).collect();
    check("/record/schema", schema, &lines.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn schemas_are_accepted() {
    for schema in [
        json!(null),
        json!(true),
        json!(false),
        json!({}),
        json!({"$schema": "https://json-schema.org/draft/2020-12/schema", "type": ["object", "null"]}),
        json!({"$id": "https://example.com/order", "$ref": "#/$defs/a", "$defs": {"a": {"$anchor": "x", "minimum": 0.5}}}),
        json!({"$ref": "#x", "$defs": {"a": {"$anchor": "x"}}, "unknown": {"keyword": 1}}),
        json!({"properties": {"children": {"items": {"$ref": "#"}}}, "unevaluatedProperties": false}),
        json!({"properties": {"$ref": {"type": "string"}, "pattern": {"pattern": "^[a-z]{1,100}$"}}}),
        json!({"$ref": "https://json-schema.org/draft/2020-12/schema"}),
    ] {
        check_schema(schema, &[]);
    }
}

#[test]
fn what_is_no_schema_is_refused() {
    for (value, found) in [(json!("{}"), "a string"), (json!([]), "a list"), (json!(1), "a number")] {
        check_schema(value, &[&format!(": expected a JSON Schema: a mapping, true or false; found {found}")]);
    }
    let enough = json!({"title": "x".repeat(256 * 1024 - r#"{"title":""}"#.len())});
    check_schema(enough, &[]);
    let large = json!({"title": "x".repeat(256 * 1024 + 1 - r#"{"title":""}"#.len())});
    check_schema(large, &[": expected a JSON Schema of at most 262144 bytes of JSON text; found 262145 bytes"]);
    let deep = (0..70).fold(json!(true), |inner, _| json!({"not": inner}));
    check(
        "/record/schema",
        deep,
        &["job file: expected lists and mappings nested at most 64 deep; found deeper nesting"],
    );
}

#[test]
fn keywords_are_checked_all_at_once() {
    let types = "one of array, boolean, integer, null, number, object, string";
    check_schema(
        json!({
            "type": "objct",
            "required": "id",
            "properties": {
                "id": {"type": ["string", "strng"]},
                "price": {"minimum": "0", "multipleOf": 0},
                "a.b": {"maxLength": -1, "enum": "x"},
                "tags": {"items": [{"type": "string"}], "uniqueItems": 1},
                "n": {"anyOf": []},
                "m": {"$anchor": "1 2"},
                "0": 7
            },
            "dependentRequired": {"a": ["b", "b"]}
        }),
        &[
            ".properties.0: expected true or false or a mapping; found 7",
            ".properties['a.b'].enum: expected a list; found \"x\"",
            ".properties['a.b'].maxLength: expected a number of at least 0; found -1",
            ".properties.id.type[1]: expected one of array, boolean, integer, null, number, object, string; found \"strng\"",
            ".properties.m.$anchor: expected text of the form `^[A-Za-z_][-A-Za-z0-9._]*$`; found \"1 2\"",
            ".properties.n.anyOf: expected a list of at least 1 entries; found a list",
            ".properties.price.minimum: expected a number; found \"0\"",
            ".properties.price.multipleOf: expected a number above 0; found 0",
            ".properties.tags.items: expected true or false or a mapping; found a list",
            ".properties.tags.uniqueItems: expected true or false; found 1",
            ".dependentRequired.a: expected each entry once; found a list",
            ".required: expected a list; found \"id\"",
            &format!(".type: expected {types}, or a list; found \"objct\""),
        ],
    );
}

#[test]
fn the_draft_is_2020_12() {
    check_schema(
        json!({"$schema": "http://json-schema.org/draft-07/schema#", "items": [1]}),
        &[".$schema: expected `https://json-schema.org/draft/2020-12/schema`, the only draft of JSON Schema; found \
           \"http://json-schema.org/draft-07/schema#\""],
    );
    check_schema(
        json!({"$schema": 7}),
        &[".$schema: expected `https://json-schema.org/draft/2020-12/schema`, the only draft of JSON Schema; found 7"],
    );
}

#[test]
fn patterns_take_linear_time() {
    let expected = "expected a regular expression of moderate size without look-around and back references";
    for pattern in ["(?=x)", "(a)\\1", "(", "(\\w{100}){100}{100}"] {
        check_schema(
            json!({"properties": {"a": {"pattern": pattern}}}),
            &[&format!(".properties.a.pattern: {expected}; found \"{}\"", pattern.escape_debug())],
        );
    }
    check_schema(
        json!({"properties": {"a": {"patternProperties": {"(": {}}}}}),
        &[&format!(".properties.a.patternProperties['(']: {expected}; found a mapping")],
    );
}

#[test]
fn references_stay_inside_the_schema() {
    let elsewhere = "expected a reference to a part of this schema, as in `#/$defs/name`; others are not fetched";
    for reference in
        ["http://example.com/order.json", "https://example.com/order.json#/a", "file:///etc/passwd", "other.json#/a"]
    {
        check_schema(
            json!({"allOf": [{"properties": {"a": {"$ref": reference}}}]}),
            &[&format!(".allOf[0].properties.a.$ref: {elsewhere}; found \"{reference}\"")],
        );
    }
    check_schema(
        json!({"properties": {"a": {"$ref": "#/$defs/b"}, "c": {"$ref": "#/properties/a"}}}),
        &[".properties.a.$ref: expected a reference to a part of this schema that is there; found \"#/$defs/b\""],
    );
    check_schema(
        json!({"not": {"$dynamicRef": "#b"}}),
        &[".not.$dynamicRef: expected a reference to an anchor of this schema that is there; found \"#b\""],
    );
}

#[test]
fn numbers_are_exact() {
    check_schema(
        json!({"properties": {"a": {"enum": [1, 1e22]}}}),
        &[".properties.a.enum[1]: expected a number that 64 bits hold exactly; found a larger number"],
    );
}
