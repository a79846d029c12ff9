//! What the job file's checks accept, the record engine can do.
//!
//! `job` and `record-stream` check formats, time zones and schemas each on their own. A job that one accepts and the
//! other refuses would pass every check and then fail on each of its objects.

use super::StreamPlan;
use job::Job;
use proptest::prelude::*;
use serde_json::{Value, json};

/// The engine's answer to a job with these rules for records; `None` when the job's own checks refuse it.
fn built(record: &Value) -> Option<Result<(), String>> {
    let tree = json!({
        "version": 1, "name": "j", "source": {"bucket": "raw"}, "output": {"bucket": "clean"}, "record": record
    });
    Job::from_value(tree).ok().map(|job| StreamPlan::new(&job).map(|_| ()))
}

/// The job's checks accept the rules, and the engine builds them.
fn accepted(record: &Value) {
    assert_eq!(built(record), Some(Ok(())), "{record}");
}

/// The job's checks refuse the rules, so the engine is never asked.
fn refused(record: &Value) {
    assert_eq!(built(record), None, "{record}");
}

/// Whatever the job's checks think of the rules: the engine builds what they accept.
fn built_if_accepted(record: &Value) {
    let answer = built(record);
    assert!(answer.as_ref().is_none_or(Result::is_ok), "{record}: {answer:?}");
}

/// A rule at the place of a type and at that of a cast.
fn at_both_places(rule: &Value, check: fn(&Value)) {
    check(&json!({"types": {"at": rule}}));
    check(&json!({"cast": {"at": rule}}));
}

#[test]
fn types_and_casts() {
    for name in ["string", "integer", "float", "decimal", "boolean", "date", "timestamp", "json"] {
        at_both_places(&json!(name), accepted);
        at_both_places(&json!({"type": name}), accepted);
        accepted(&json!({"types": {"a.b[0]": name}, "cast": {"/a/b/0": name}, "explode": "a.b"}));
    }
}

#[test]
fn formats() {
    let timestamp = |format: &str| json!({"type": "timestamp", "formats": [format], "time_zone": "Europe/Berlin"});
    let date = |format: &str| json!({"type": "date", "formats": [format]});
    for format in ["rfc3339", "unix", "unix_ms", "%s"] {
        at_both_places(&timestamp(format), accepted);
        at_both_places(&date(format), refused);
    }
    at_both_places(&date("iso_date"), accepted);
    at_both_places(&timestamp("iso_date"), refused);
    let longest = format!("%F{}", "x".repeat(126));
    for format in [
        "%Y-%m-%d",
        "%F",
        "%d.%m.%y",
        "%e %B %Y",
        "%A, %d %b %Y",
        "%Y%j",
        "%G-W%V-%u",
        "%D",
        "%Y%m%d",
        "%F%%",
        "%C%y-%m-%d",
        "%F %T",
        "%d/%m/%Y %H:%M",
        "%F %I %p",
        "%F %l:%M %P",
        "%F %R",
        "%F %H",
        "%F %H:%M:%S.%f",
        "%F %T%.f",
        "%F %T%.3f",
        "%F %T %z",
        "%F %T %:z",
        "%F %T %::z",
        "%F %T %:::z",
        "%F %T %Q",
        "%F %T %:Q",
        "%F %z",
        "%F %Q",
        "%FT%TZ",
        "%-d.%-m.%Y",
        "%_d.%m.%Y",
        "%F %T %N",
        "%F\n%T",
        "%h %d %Y",
        "%n%F%t",
        "%Y-%U-%w",
        "%Y-%W-%a",
        "Tag %d im Monat %m des Jahres %Y",
        &longest,
    ] {
        at_both_places(&timestamp(format), accepted);
        at_both_places(&date(format), accepted);
    }
    for format in
        ["%H:%M", "%m-%d", "%F %I", "%c", "%F %M", "%F %s", "%", "%Y-%m-%d %K", "plain", "", &format!("{longest}x")]
    {
        at_both_places(&timestamp(format), refused);
    }
    let many = |count| json!({"type": "timestamp", "formats": vec!["%F %T"; count]});
    at_both_places(&many(16), accepted);
    at_both_places(&many(17), refused);
}

#[test]
fn time_zones() {
    let zone = |name: &str| json!({"type": "timestamp", "formats": ["%F %T"], "time_zone": name});
    for name in
        ["UTC", "Europe/Berlin", "America/Argentina/ComodRivadavia", "Etc/GMT+12", "EST5EDT", "Zulu", "europe/berlin"]
    {
        at_both_places(&zone(name), accepted);
        at_both_places(&json!({"type": "date", "time_zone": name}), accepted);
    }
    for name in ["", "+01:00", "Local", "CEST", "Europe/Nowhere"] {
        at_both_places(&zone(name), refused);
    }
}

#[test]
fn schemas() {
    let schema = |schema: &Value| json!({"schema": schema});
    let formats = [
        "date",
        "date-time",
        "time",
        "duration",
        "email",
        "idn-email",
        "hostname",
        "idn-hostname",
        "ipv4",
        "ipv6",
        "uri",
        "uri-reference",
        "uri-template",
        "iri",
        "iri-reference",
        "uuid",
        "json-pointer",
        "relative-json-pointer",
        "regex",
        "of-our-own",
        "",
    ];
    for format in formats {
        accepted(&schema(&json!({"format": format})));
    }
    for number in [1e-300, 5e-324, 0.1, 1.0 / 3.0, 0.1 + 0.2, 2.5e-15, 1e15, 123_456.789_012_345_67] {
        accepted(&schema(&json!({"multipleOf": number})));
        accepted(&schema(
            &json!({"minimum": -number, "exclusiveMaximum": number, "enum": [number], "const": {"a": -number}}),
        ));
    }
    for number in [json!(u64::MAX), json!(1), json!(i64::MAX)] {
        accepted(&schema(&json!({"multipleOf": number, "maximum": number, "minLength": 1, "default": number})));
    }
    accepted(&schema(&json!({"minimum": i64::MIN, "maximum": -0.0, "const": 0})));
    for number in [1e300, f64::MAX, 1e22] {
        refused(&schema(&json!({"multipleOf": number})));
    }
    for number in [json!(0), json!(-1), json!(0.0), json!(-0.0), json!("1")] {
        refused(&schema(&json!({"multipleOf": number})));
    }
    for accepted_schema in [
        json!(true),
        json!(false),
        json!({}),
        json!({"$schema": "https://json-schema.org/draft/2020-12/schema#"}),
        json!({"$id": "https://example.com/a", "$ref": "#/$defs/x", "$defs": {"x": {"$ref": "#y"}, "z": {"$anchor": "y"}}}),
        json!({"$ref": "https://json-schema.org/draft/2020-12/schema"}),
        json!({"$dynamicRef": "#node", "$defs": {"x": {"$dynamicAnchor": "node"}}}),
        json!({"$comment": "x", "unknown": [1, {"minimum": "no"}], "title": "", "examples": [1.5], "deprecated": true}),
        json!({"if": {"required": ["a"]}, "then": false, "dependentSchemas": {"a": {}}, "contains": {}, "minContains": 0}),
        json!({"unevaluatedItems": false, "unevaluatedProperties": {"type": "null"}, "prefixItems": [true]}),
        json!({"contentEncoding": "base64", "contentMediaType": "application/json", "contentSchema": {"type": "string"}}),
        json!({"definitions": {"a": {"type": "string"}}, "dependencies": {"a": ["b"]}}),
    ] {
        accepted(&schema(&accepted_schema));
    }
    for unusual in [
        json!({"$ref": "http://json-schema.org/draft-07/schema#"}),
        json!({"$defs": {"x": {"$id": "inner", "$ref": "#/$defs/y", "$defs": {"y": {}}}}, "$ref": "inner"}),
        json!({"$vocabulary": {"https://example.com/own": true}}),
        json!({"items": {"$schema": "http://json-schema.org/draft-07/schema#", "$id": "x", "items": [{"type": "string"}]}}),
        (0..60).fold(json!(true), |inner, _| json!({"not": inner})),
    ] {
        built_if_accepted(&schema(&unusual));
    }
}

#[test]
fn patterns() {
    let check = |pattern: &str, check: fn(&Value)| {
        check(&json!({"schema": {"pattern": pattern}}));
        check(&json!({"schema": {"patternProperties": {pattern: false}}}));
    };
    for pattern in [
        "^[a-z]{1,100}$",
        r"^\p{L}+\d*\s?$",
        r"\cA\u{1F600}[\w-]",
        r"\u0041[^\D]\S",
        "(?<name>x)(?i:y)",
        r"^\-\_\@$",
        "]",
    ] {
        check(pattern, accepted);
    }
    for pattern in ["(?=x)", r"(a)\1", "(", r"\Z|\z|\A", "a{,3}{"] {
        check(pattern, refused);
    }
    check(&"x".repeat(100_000), accepted);
    check(&"a|".repeat(10_000), accepted);
    // Both sides allow a compiled pattern the same memory.
    check("([a-z]){50000}", accepted);
    check("([a-z]){100000}", refused);
    for times in (60_000..80_000).step_by(2_500) {
        check(&format!("([a-z]){{{times}}}"), built_if_accepted);
    }
}

#[test]
fn sizes_of_schemas() {
    let overhead = r#"{"title":""}"#.len();
    let of_size = |bytes: usize| json!({"schema": {"title": "x".repeat(bytes - overhead)}});
    accepted(&of_size(256 << 10));
    refused(&of_size((256 << 10) + 1));
}

proptest! {
    #[test]
    fn formats_of_any_directives(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "%Y", "%m", "%d", "%F", "%T", "%H", "%I", "%p", "%M", "%S", "%s", "%z", "%:z", "%Q", "%:Q", "%j", "%y", "%C", "%b", "%a",
            "%G", "%V", "%u", "%U", "%w", "%.f", "%f", "%N", "%P", "%l", "%k", "%e", "%D", "%R", "%%", "%Z", "%-d", "%3f", "%.6f", "%h", "%c", "%x", "%r", "%X", "%q", "%g", " ", "-", ":", "T", "é",
        ]), 1..7),
        name in prop::sample::select(vec!["date", "timestamp"]),
    ) {
        built_if_accepted(&json!({"types": {"at": {"type": name, "formats": [pieces.concat()]}}}));
    }

    #[test]
    fn numbers_of_any_size(digits in 1_u64..1 << 53, places in 0_u32..330, whole in 1_u64..) {
        let number: f64 = format!("{digits}e-{places}").parse().unwrap();
        prop_assume!(number != 0.0);
        let schema = json!({"multipleOf": number, "maximum": -number, "not": {"multipleOf": whole, "enum": [whole, number]}});
        prop_assert_eq!(built(&json!({"schema": schema})), Some(Ok(())));
    }

    #[test]
    fn patterns_of_any_pieces(pieces in prop::collection::vec(prop::sample::select(vec![
        "a", "\\d", "\\w", "\\p{L}", "[a-z]", "[^x]", "(", ")", "(?:", "(?=", "(?<n>", "|", "*", "+?", "{2,5}", "{", "}", "[", "]", "\\1", "\\k<n>",
        "^", "$", "\\b", "\\/", "\\-", "\\cJ", "\\u0041", "\\x41", "\\", "é", ".", "&&", "--", "[[", "\\S", "#", " ",
    ]), 0..9)) {
        let pattern = pieces.concat();
        built_if_accepted(&json!({"schema": {"pattern": pattern, "patternProperties": {&pattern: true}}}));
    }
}
