//! Schemas and records, and agreement with the same validator on a tree.

use super::*;
use proptest::prelude::*;
use serde_json::json;

/// Checks a record and answers the place and the rule that do not agree.
fn violation(schema: &Schema, record: &str) -> Option<(String, String)> {
    let mut index = Index::default();
    let record = index.build(record.as_bytes(), &NO_LIMITS).unwrap();
    match schema.check(&record, true) {
        Ok(()) => None,
        Err(Problem::SchemaViolation { path, rule }) => Some((path, rule)),
        Err(problem) => panic!("{problem}"),
    }
}

/// Each record is good, or breaks the rule at the place.
#[track_caller]
fn check(schema: &str, good: &[&str], bad: &[(&str, &str, &str)]) {
    let compiled = Schema::parse(schema).unwrap();
    for record in good {
        assert_eq!(violation(&compiled, record), None, "{record} against {schema}");
    }
    for (record, path, rule) in bad {
        let found = violation(&compiled, record);
        assert_eq!(found, Some(((*path).to_owned(), (*rule).to_owned())), "{record} against {schema}");
    }
}

#[test]
fn places_and_rules_are_named() {
    let schema = json!({
        "type": "object",
        "required": ["id"],
        "properties": {
            "id": {"type": "integer", "minimum": 1},
            "items": {"type": "array", "items": {"properties": {"price": {"type": "number", "minimum": 0}}}},
            "a/b~c": {"type": "string", "minLength": 2, "maxLength": 3}
        }
    });
    check(
        &schema.to_string(),
        &[r#"{"id":1}"#, r#"{"id":1.0,"items":[],"x":null}"#, r#"{"id":1e2,"a/b~c":"\u00e4\ud83d\ude00"}"#],
        &[
            ("[]", "", "/type"),
            ("{}", "", "/required"),
            (r#"{"id":0}"#, "/id", "/properties/id/minimum"),
            (r#"{"id":1.5}"#, "/id", "/properties/id/type"),
            (
                r#"{"id":1,"items":[{},{"price":1},{"price":-0.01}]}"#,
                "/items/2/price",
                "/properties/items/items/properties/price/minimum",
            ),
            (r#"{"id":1,"a/b~c":"\u00e4"}"#, "/a~1b~0c", "/properties/a~1b~0c/minLength"),
        ],
    );
}

#[test]
fn the_rules_of_the_draft() {
    check(
        r##"{"$ref":"#/$defs/node","$defs":{"node":{"type":"object","properties":{"next":{"$ref":"#/$defs/node"},"n":{"type":"integer"}}}}}"##,
        &["{}", r#"{"next":{"next":{"n":1}}}"#],
        &[(r#"{"next":{"next":{"n":"1"}}}"#, "/next/next/n", "/$defs/node/properties/n/type")],
    );
    check(
        r#"{"oneOf":[{"type":"integer"},{"minimum":2}]}"#,
        &["1", "2.5", "\"text\""],
        &[("3", "", "/oneOf"), ("1.5", "", "/oneOf")],
    );
    check(
        r#"{"patternProperties":{"^n_":{"type":"number"}},"additionalProperties":false,"propertyNames":{"maxLength":5}}"#,
        &["{}", r#"{"n_a":1}"#, r#"{"\u006e_a":1}"#],
        &[
            (r#"{"n_a":"1"}"#, "/n_a", "/patternProperties/^n_/type"),
            (r#"{"x":1}"#, "", "/additionalProperties"),
            (r#"{"n_aaaa":1}"#, "", "/propertyNames/maxLength"),
        ],
    );
    check(
        r#"{"allOf":[{"properties":{"a":true}}],"properties":{"b":{}},"unevaluatedProperties":false}"#,
        &[r#"{"a":1,"b":2}"#],
        &[(r#"{"a":1,"c":2}"#, "", "/unevaluatedProperties")],
    );
    check(
        r#"{"prefixItems":[{"const":"a"}],"items":{"type":"integer"},"contains":{"const":7},"uniqueItems":true}"#,
        &[r#"["a",7]"#, r#"["a",7.0,8]"#],
        &[
            (r#"["b",7]"#, "/0", "/prefixItems/0/const"),
            (r#"["a",7,"8"]"#, "/2", "/items/type"),
            (r#"["a",8]"#, "", "/contains"),
            (r#"["a",7,7.0]"#, "", "/uniqueItems"),
        ],
    );
    check(
        r#"{"if":{"required":["a"]},"then":{"required":["b"]},"else":{"maxProperties":1}}"#,
        &[r#"{"a":1,"b":1}"#, r#"{"x":1}"#],
        &[(r#"{"a":1}"#, "", "/then/required"), (r#"{"x":1,"y":1}"#, "", "/else/maxProperties")],
    );
    check("true", &["1", "{}"], &[]);
    check("false", &[], &[("1", "", "")]);
    check(r#"{"properties":{"a":false}}"#, &["{}"], &[(r#"{"a":1}"#, "/a", "/properties/a")]);
    check(r#"{"enum":["a",null,{"k":[1]}]}"#, &["\"a\"", "null", "{\"k\":[1.0]}"], &[("\"b\"", "", "/enum")]);
    check(r#"{"const":[1,{"a":"x"}]}"#, &[r#"[1.0,{"a":"\u0078"}]"#], &[(r#"[1,{"a":"y"}]"#, "", "/const")]);
    check(r#"{"const":{"a":1,"b":2}}"#, &[r#"{"b":2,"a":1}"#], &[(r#"{"a":1}"#, "", "/const"), ("[]", "", "/const")]);
}

#[test]
fn formats_are_checked() {
    let formats = [
        ("date", "2024-02-29", "2023-02-29"),
        ("date-time", "2026-01-01T00:00:00Z", "2026-01-01 00:00"),
        ("time", "00:00:00Z", "24:00:00Z"),
        ("duration", "P1DT2H", "1 day"),
        ("email", "a@example.com", "a.example.com"),
        ("hostname", "example.com", "-example-.com"),
        ("ipv4", "192.0.2.1", "192.0.2.256"),
        ("ipv6", "2001:db8::1", "2001:db8:::1"),
        ("uri", "https://example.com/a?b", "//example.com"),
        ("uri-reference", "../a", "\\\\a"),
        ("uri-template", "/a/{b}", "/a/{b"),
        ("iri", "https://example.com/ä", "/ä"),
        ("iri-reference", "/ä", "\\\\ä"),
        ("uuid", "123e4567-e89b-12d3-a456-426614174000", "123e4567"),
        ("json-pointer", "/a~1b", "a"),
        ("relative-json-pointer", "1/a", "/a"),
        ("regex", "^a+$", "a("),
    ];
    for (format, good, bad) in formats {
        let (good, bad) = (json!(good).to_string(), json!(bad).to_string());
        check(&json!({ "format": format }).to_string(), &[&good, "1"], &[(&bad, "", "/format")]);
    }
    check(r#"{"format":"int32"}"#, &["\"what no format knows is noted only\""], &[]);
    check(r#"{"contentEncoding":"base64"}"#, &["\"???\""], &[]);
}

#[test]
fn numbers_are_exact() {
    check(
        r#"{"multipleOf":0.01}"#,
        &["0.07", "1.10", "123456789012345678901234567890.12", "3e300", "0", "-0.29", "19.99"],
        &[("0.075", "", "/multipleOf"), ("1e-3", "", "/multipleOf")],
    );
    check(r#"{"multipleOf":3}"#, &["9007199254740996", "30e400"], &[("9007199254740997", "", "/multipleOf")]);
    check(
        r#"{"minimum":9007199254740993}"#,
        &["9007199254740993", "9007199254740993.0", "1e400"],
        &[("9007199254740992", "", "/minimum"), ("9007199254740992.999", "", "/minimum"), ("-1e400", "", "/minimum")],
    );
    check(
        r#"{"exclusiveMaximum":0.3}"#,
        &["0.29999999999999999999"],
        &[
            ("0.3", "", "/exclusiveMaximum"),
            ("0.30", "", "/exclusiveMaximum"),
            ("0.30000000000000000001", "", "/exclusiveMaximum"),
        ],
    );
    check(
        r#"{"maximum":18446744073709551615}"#,
        &["18446744073709551615"],
        &[("18446744073709551616", "", "/maximum")],
    );
    check(r#"{"exclusiveMinimum":-0.5}"#, &["-0.49999999999999999999"], &[("-0.50", "", "/exclusiveMinimum")]);
    check(
        r#"{"type":"integer"}"#,
        &["1.0", "1e400", "12345678901234567890123"],
        &[("0.1", "", "/type"), ("1e-400", "", "/type"), ("10000000000000000000000.5", "", "/type")],
    );
    check(r#"{"const":1}"#, &["1", "1.0", "1e0", "0.1e1"], &[("2", "", "/const"), ("\"1\"", "", "/const")]);
    check(r#"{"enum":[1.0,9007199254740993]}"#, &["1", "9007199254740993.0"], &[("9007199254740992", "", "/enum")]);
    check(r#"{"const":9007199254740993}"#, &["9007199254740993.0"], &[("9007199254740992.0", "", "/const")]);
    check(r#"{"const":0.1}"#, &["0.10", "1e-1"], &[("0.1000000000000000001", "", "/const")]);
    check(r#"{"enum":[0.1,"x"]}"#, &["0.10"], &[("0.1000000000000000001", "", "/enum")]);
    check(r#"{"minimum":"1"}"#.replace("\"1\"", "1e1").as_str(), &["10"], &[("9.9", "", "/minimum")]);
}

#[test]
fn of_members_with_one_name_the_last_counts() {
    check(
        r#"{"properties":{"a":{"type":"integer"}},"maxProperties":1}"#,
        &[r#"{"a":"x","a":1}"#, r#"{"\u0061":"x","a":1}"#],
        &[(r#"{"a":1,"a":"x"}"#, "/a", "/properties/a/type"), (r#"{"a":1,"b":1,"a":2}"#, "", "/maxProperties")],
    );
    check(r#"{"not":{"properties":{"a":{"const":1}}}}"#, &[r#"{"a":1,"a":2}"#], &[(r#"{"a":2,"a":1}"#, "", "/not")]);
}

#[test]
fn schemas_that_cannot_be_used_are_refused_with_a_reason() {
    let check = |schema: &str, reason: &str| {
        let message = Schema::parse(schema).unwrap_err();
        assert!(message.contains(reason), "{message} does not say {reason}");
        assert!(message.chars().count() < 700, "{message}");
    };
    check("{", "the schema is not JSON");
    check("[]", "must be an object or a boolean");
    check(&format!("{}true", " ".repeat(256 << 10)), "more than the limit of 262144");
    check(&format!("{}{}", "{\"not\":".repeat(1000), "}".repeat(1000)), "the schema is not JSON");
    check(r#"{"type":"text"}"#, "cannot be used at `/type`");
    check(r#"{"properties":{"a":{"minLength":-1}}}"#, "cannot be used at `/properties/a/minLength`");
    check(r#"{"multipleOf":0}"#, "cannot be used at `/multipleOf`");
    check(r#"{"minimum":"1"}"#, "cannot be used at `/minimum`");
    check(r##"{"$ref":"#/$defs/none"}"##, "leads nowhere");
    check(r#"{"$ref":"https://example.com/schema.json"}"#, "nothing is fetched from outside");
    check(r#"{"$ref":"file:///etc/passwd"}"#, "nothing is fetched from outside");
    check(r#"{"$ref":"other.json"}"#, "nothing is fetched from outside");
    check(r#"{"$schema":"http://json-schema.org/draft-07/schema#"}"#, "other drafts are not read");
    check(r#"{"pattern":"(a)\\1"}"#, "cannot be used at `/pattern`");
    check(r#"{"pattern":"(?=a)"}"#, "cannot be used at `/pattern`");
    check(r#"{"patternProperties":{"(?!a)b":true}}"#, "cannot be used");
    check(r#"{"pattern":"((a{1000}){1000}){1000}"}"#, "cannot be used at `/pattern`");
    check(r#"{"minimum":9007199254740993.5}"#, "9007199254740993.5 of the schema has too many digits");
    check(r#"{"const":18446744073709551617}"#, "has too many digits");
    check(&format!(r#"{{"enum":["{}",1],"type":2}}"#, "x".repeat(10_000)), "cannot be used at `/type`");
    assert!(Schema::parse(r##"{"$schema":"https://json-schema.org/draft/2020-12/schema#","minimum":1e20}"##).is_ok());
    assert!(Schema::parse(r#"{"$ref":"https://json-schema.org/draft/2020-12/schema"}"#).is_ok());
}

#[test]
fn messages_are_short_and_hold_no_values() {
    let schema = Schema::parse(r#"{"additionalProperties":{"pattern":"^a$"}}"#).unwrap();
    let name = "ä".repeat(1000);
    let record = format!(r#"{{"{name}":"secret"}}"#);
    let mut index = Index::default();
    let problem = schema.check(&index.build(record.as_bytes(), &NO_LIMITS).unwrap(), false).unwrap_err();
    assert_eq!(problem.code(), "schema_violation");
    assert!(!problem.is_limit());
    let path = format!("/{}…", "ä".repeat(254));
    assert_eq!(
        problem.to_string(),
        format!("at `{path}`: breaks the schema's rule `pattern` (/additionalProperties/pattern)")
    );
    let top = Problem::SchemaViolation { path: String::new(), rule: "/type".into() };
    assert_eq!(top.to_string(), "at the top of the record: breaks the schema's rule `type` (/type)");
}

#[test]
fn hostile_patterns_take_linear_time() {
    // With a backtracking engine this takes longer than the age of the universe.
    let record = format!("\"{}!\"", "a".repeat(100_000));
    check(r#"{"pattern":"^(a|a)*(a|aa)+$"}"#, &["\"aaa\""], &[(&record, "", "/pattern")]);
}

#[test]
fn the_deepest_record_fits_the_stack_of_a_thread() {
    let depth = RecordLimits::DEPTH_CEILING;
    let check_in_thread = move || {
        let schema = r##"{"type":["object","array","null"],"properties":{"k":{"anyOf":[{"$ref":"#"}]}},"items":{"oneOf":[{"$ref":"#"}]},"unevaluatedProperties":false}"##;
        let objects = |inner: &str| format!("{}{inner}{}", "{\"k\":".repeat(depth), "}".repeat(depth));
        let arrays = |inner: &str| format!("{}{inner}{}", "[".repeat(depth), "]".repeat(depth));
        let compiled = Schema::parse(schema).unwrap();
        assert_eq!(violation(&compiled, &objects("null")), None);
        assert_eq!(violation(&compiled, &arrays("null")), None);
        assert!(violation(&compiled, &objects("1")).is_some());
        assert!(violation(&compiled, &arrays("1")).is_some());
        let twice = objects("null").replacen("{\"k\"", "{\"k\":1,\"k\"", 1);
        assert_eq!(violation(&compiled, &twice), None);
    };
    // Two mebibytes is what the threads of the runtime have.
    std::thread::Builder::new().stack_size(2 << 20).spawn(check_in_thread).unwrap().join().unwrap();
}

#[test]
fn schemas_are_shared_and_compared_by_their_text() {
    fn is_shared<T: Send + Sync + Clone>(_: &T) {}
    let schema = Schema::parse(r#"{"type":"object"}"#).unwrap();
    is_shared(&schema);
    assert_eq!(schema, schema.clone());
    assert_eq!(schema, Schema::parse(r#"{"type":"object"}"#).unwrap());
    assert_ne!(schema, Schema::parse(r#"{"type": "object"}"#).unwrap());
    assert!(format!("{schema:?}").contains("object"));
}

/// Schemas for the comparison with the validator on a tree. Their numbers are small, so that it is exact as well.
const SCHEMAS: [&str; 12] = [
    r#"{"type":["object","array"],"properties":{"a":{"type":"integer"},"b":{"type":"string"}},"required":["a"]}"#,
    r#"{"properties":{"a":{"type":"number","multipleOf":0.5}},"patternProperties":{"^b":{"minLength":1}},"additionalProperties":false}"#,
    r#"{"items":{"type":["integer","null"]},"uniqueItems":true,"minItems":1,"maxItems":3}"#,
    r#"{"anyOf":[{"required":["a"]},{"type":"array","contains":{"type":"string"},"minContains":1,"maxContains":2}]}"#,
    r#"{"oneOf":[{"properties":{"a":{"const":1}},"required":["a"]},{"properties":{"b":{"enum":[true,"x",1,[1]]}},"required":["b"]},{"type":"array"}]}"#,
    r#"{"unevaluatedProperties":false,"allOf":[{"if":{"required":["a"]},"then":{"properties":{"a":{},"b":{}}}}]}"#,
    r#"{"prefixItems":[{"type":"number"},{"type":"string"}],"unevaluatedItems":false}"#,
    r##"{"$ref":"#/$defs/t","$defs":{"t":{"type":["object","array","number"],"additionalProperties":{"$ref":"#/$defs/t"},"items":{"$ref":"#/$defs/t"},"minimum":0,"exclusiveMaximum":3}}}"##,
    r#"{"propertyNames":{"pattern":"^[ab]$"},"minProperties":1,"maxProperties":2,"dependentRequired":{"a":["b"]}}"#,
    r#"{"not":{"properties":{"a":{"not":{"type":"null"}}},"required":["a"]},"dependentSchemas":{"b":{"required":["c"]}}}"#,
    r#"{"properties":{"a":{"properties":{"a":{"items":{"exclusiveMinimum":1,"maximum":2}}}},"b":{"maxLength":1},"c":{"type":"boolean"}}}"#,
    r#"{"const":{"a":1,"b":["x"]},"enum":[{"b":["x"],"a":1.0}]}"#,
];

fn record() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        (-2_i32..6).prop_map(|half| format!("{:?}", f64::from(half) / 2.0)),
        (-1_i32..4).prop_map(|number| number.to_string()),
        prop_oneof![Just(r#""x""#), Just(r#""""#), Just(r#""\u0078""#), Just(r#""ä\n""#)].prop_map(str::to_owned),
    ];
    scalar.prop_recursive(3, 24, 4, |inner| {
        let name = prop_oneof![Just("a"), Just("b"), Just("c"), Just("\\u0061")];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|elements| format!("[{}]", elements.join(","))),
            prop::collection::vec((name, inner), 0..4).prop_map(|members| {
                let members = members.iter().map(|(name, value)| format!(r#""{name}":{value}"#));
                format!("{{{}}}", members.collect::<Vec<_>>().join(","))
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn agrees_with_the_validator_on_a_tree(records in prop::collection::vec(record(), 8)) {
        thread_local! {
            static COMPILED: Vec<(Schema, Validator)> = SCHEMAS.iter().map(|schema| {
                let tree = jsonschema::draft202012::new(&serde_json::from_str(schema).unwrap()).unwrap();
                (Schema::parse(schema).unwrap(), tree)
            }).collect();
        }
        COMPILED.with(|compiled| {
            for (record, at) in records.iter().flat_map(|record| (0..SCHEMAS.len()).map(move |at| (record, at))) {
                let (schema, on_tree) = &compiled[at];
                let tree: serde_json::Value = serde_json::from_str(record).unwrap();
                let expected: Vec<_> = on_tree.iter_errors(&tree).map(|error| {
                    (error.instance_path().as_str().to_owned(), error.schema_path().as_str().to_owned())
                }).collect();
                // Members come in the order of the record here and in that of their names there, so the first error
                // of one may be a later error of the other.
                match violation(schema, record) {
                    Some(found) => prop_assert!(expected.contains(&found), "{record} against {}: {found:?}", SCHEMAS[at]),
                    None => prop_assert!(expected.is_empty(), "{record} against {}: {expected:?}", SCHEMAS[at]),
                }
            }
            Ok(())
        })?;
    }
}
