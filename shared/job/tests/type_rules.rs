//! Rules that give types: time formats, time zones, and casts that contradict other rules.

#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

mod common;

use common::check;
use serde_json::json;

#[test]
fn casts_that_contradict_other_rules_are_refused() {
    let both = "expected a type for a field, or rules for the fields inside it, not both; found a rule for";
    check(
        "/record",
        json!({"cast": {"user": "json"}, "types": {"user.age": "integer"}}),
        &[&format!("record.cast.user: {both} `user.age` too")],
    );
    check(
        "/record",
        json!({"types": {"user": "json"}, "cast": {"user.age": "string"}}),
        &[&format!("record.types.user: {both} `user.age` too")],
    );
    check(
        "/record/cast",
        json!({"user": "json", "user.name[0]": "string"}),
        &[&format!("record.cast.user: {both} `user.name[0]` too")],
    );
    check(
        "/record",
        json!({"cast": {"user": "json"}, "drop": ["user.password"], "rename": {"user.name": "n"}}),
        &[&format!("record.cast.user: {both} `user.name` too")],
    );
    check(
        "/record",
        json!({"select": ["id", "user"], "cast": {"price": "string", "user.age": "string", "id": "string"}}),
        &["record.cast.price: expected a field that `select` keeps; found a field that it does not keep"],
    );
    check(
        "/record",
        json!({"drop": ["price", "user"], "cast": {"price": "string", "user.age": "string"}}),
        &[
            "record.cast.price: expected a field that `drop` keeps; found a dropped field",
            "record.cast['user.age']: expected a field that `drop` keeps; found a dropped field",
        ],
    );
    check(
        "/record/cast",
        json!({"a.b": "string", "/a/b": "string"}),
        &["record.cast['a.b']: expected each field once; found the same field, written differently"],
    );
}

#[test]
fn a_type_for_a_field_and_a_selection_inside_it_are_refused() {
    let both = "expected a type for a field, or rules for the fields inside it, not both; found a rule for";
    check(
        "/record",
        json!({"types": {"user": "json"}, "select": ["id", "user.name"]}),
        &[&format!("record.types.user: {both} `user.name` too")],
    );
    check(
        "/record",
        json!({"types": {"/a/b": "json", "id": "integer"}, "select": ["a.b.c.d[0]"]}),
        &[&format!("record.types['/a/b']: {both} `a.b.c.d[0]` too")],
    );
    check(
        "/record",
        json!({"types": {"tags": "string"}, "select": ["tags[0]"]}),
        &[&format!("record.types.tags: {both} `tags[0]` too")],
    );
    check(
        "/record",
        json!({"cast": {"user": "json"}, "select": ["user", "user.name"]}),
        &[&format!("record.cast.user: {both} `user.name` too")],
    );
    for record in [
        json!({"types": {"user": "json"}, "select": ["user", "users", "user2.name"]}),
        json!({"types": {"user.age": "integer"}, "cast": {"user.age": "string"}, "select": ["user", "user.age"]}),
        json!({"types": {"user": "json"}, "select": ["name"]}),
    ] {
        check("/record", record, &[]);
    }
}

#[test]
fn casts_of_fields_that_set_replaces_are_refused() {
    let check_set = |record: serde_json::Value, field: &str, name: &str| {
        let expected = format!(
            "record.cast{field}: expected a field that `set` does not replace; found `{name}`, to which `set` gives a value"
        );
        check("/record", record, &[&expected]);
    };
    check_set(json!({"cast": {"price": "string"}, "set": {"price": 1}}), ".price", "price");
    check_set(json!({"cast": {"price": "string"}, "rename": {"price": "cost"}, "set": {"cost": 1}}), ".price", "cost");
    check_set(json!({"cast": {"/a/b": "string"}, "rename": {"a": "c"}, "set": {"c": 1}}), "['/a/b']", "c");
    check_set(
        json!({"cast": {"/a/b": "string"}, "select": ["a.b"], "rename": {"a.b": "c"}, "set": {"c": 1}}),
        "['/a/b']",
        "c",
    );
    for record in [
        json!({"cast": {"price": "string"}, "rename": {"price": "cost"}, "set": {"price": 1}}),
        json!({"cast": {"a.b": "string"}, "set": {"b": 1}}),
        json!({"cast": {"a.b": "string"}, "select": ["a.b"], "set": {"a": 1}}),
        json!({"cast": {"price": "string"}, "types": {"price": "decimal"}}),
    ] {
        check("/record", record, &[]);
    }
}

#[test]
fn fields_of_an_exploded_array_have_rules_like_others() {
    let record = json!({
        "explode": "items", "types": {"items.price": "decimal"}, "select": ["id", "items.price"],
        "cast": {"items.price": "string"}
    });
    check("/record", record, &[]);
    check(
        "/record/explode",
        json!("a..b"),
        &["record.explode: expected a field path without empty names; found \"a..b\""],
    );
    let mut tree = common::with("/source/format", json!("csv"));
    common::put(&mut tree, "/record/explode", json!("items"));
    let error = job::Job::from_value(tree).unwrap_err().to_string();
    assert_eq!(
        error,
        "record.explode: expected an array to explode only where objects are JSON; found a path and the format csv"
    );
}

#[test]
fn formats_and_time_zones_fit_their_types() {
    let rule = |rule: serde_json::Value, expected: &[&str]| {
        for place in ["types", "cast"] {
            let lines: Vec<String> = expected.iter().map(|line| format!("record.{place}.at{line}")).collect();
            check(&format!("/record/{place}/at"), rule.clone(), &lines.iter().map(String::as_str).collect::<Vec<_>>());
        }
    };
    rule(
        json!({"type": "integer", "formats": ["unix"], "time_zone": "UTC"}),
        &[
            ".formats: expected `formats` only with the types date and timestamp; found the type integer",
            ".time_zone: expected `time_zone` only with the types date and timestamp; found the type integer",
        ],
    );
    rule(
        json!({"type": "date", "formats": ["iso_date", "rfc3339", "%d.%m.%Y", "%s"]}),
        &[
            ".formats[1]: expected iso_date, or directives that say a day, such as `%d.%m.%Y`; found \"rfc3339\"",
            ".formats[3]: expected iso_date, or directives that say a day, such as `%d.%m.%Y`; found \"%s\"",
        ],
    );
    rule(
        json!({"type": "timestamp", "formats": ["iso_date", "%s", "%d/%m/%Y"]}),
        &[".formats[0]: expected rfc3339, unix, unix_ms, or directives such as `%d/%m/%Y %H:%M`; found \"iso_date\""],
    );
    for good in [
        json!({"type": "timestamp", "time_zone": "Europe/Berlin"}),
        json!({"type": "timestamp", "formats": ["%F %T"]}),
        json!({"type": "date", "formats": ["%d.%m.%Y"], "time_zone": "Europe/Berlin"}),
    ] {
        rule(good, &[]);
    }
}

#[test]
fn the_mapping_of_a_rule_is_checked() {
    let types = "string, integer, float, decimal, boolean, date, timestamp, json";
    check("/record/types/at", json!({}), &["record.types.at: missing key `type`"]);
    check(
        "/record/types",
        json!({"a": {"type": "tim"}, "b": {"type": "date", "format": ["iso_date"]}, "c": {"formats": ["unix"]}, "d": []}),
        &[
            &format!("record.types.a.type: expected one of {types}; found \"tim\""),
            "record.types.b.format: unknown key `format`; did you mean `formats`?",
            "record.types.c: missing key `type`",
            "record.types.d: expected the name of a type, or a mapping with `type`, `formats` and `time_zone`; found a list",
        ],
    );
    check(
        "/record/cast/at",
        json!({"type": "timestamp", "formats": ["unix", "%Y %Z"], "time_zone": "Mars/Base"}),
        &["record.cast.at.formats[1]: expected a time format of directives that can be read, without `%Z`; found \
             \"%Y %Z\""],
    );
    check(
        "/record/types/at",
        json!({"type": "timestamp", "formats": ["%F %T"], "time_zone": "Mars/Base"}),
        &[
            "record.types.at.time_zone: expected the name of a time zone of the IANA database, such as `Europe/Berlin` or \
             `UTC`; found \"Mars/Base\"",
        ],
    );
    for formats in [json!([]), json!(vec!["unix"; 17])] {
        let found = formats.as_array().unwrap().len();
        check(
            "/record/types/at",
            json!({"type": "timestamp", "formats": formats}),
            &[&format!("record.types.at.formats: expected a list of 1 to 16 time formats; found {found} entries")],
        );
    }
    check("/record/types/at", json!({"type": "timestamp", "formats": vec!["unix"; 16]}), &[]);
}

#[test]
fn operands_of_timestamps_are_points_in_time_whatever_the_format() {
    check(
        "/record",
        json!({
            "types": {"at": {"type": "timestamp", "formats": ["%d/%m/%Y %z"]}},
            "where": {"field": "at", "ge": "01/01/2026 +0000"}
        }),
        &[
            "record.where: expected a point in time with an offset, such as \"2026-01-01T00:00:00Z\", as operand of `ge`, \
             because `at` has the type timestamp; found something else",
        ],
    );
}
