//! `schema` in whole streams: which records it sees, in which form, and where it says that one is wrong.

#[path = "support/fields.rs"]
mod fields;
mod support;

use fields::{path, paths};
use proptest::prelude::*;
use record_stream::{
    Condition, CsvDialect, DuplicateKeys, FieldType, Flow, JsonLayout, JsonMode, Problem, RaggedRows, RecordFormat,
    RecordLimits, RecordStream, Reshape, Scalar, Schema, StreamOptions, Test,
};
use serde_json::{Value, json};
use support::{run, run_in_all_chunkings};

fn array() -> RecordFormat {
    RecordFormat::Json(JsonLayout { pointer: Vec::new(), mode: JsonMode::Array })
}

fn csv() -> RecordFormat {
    RecordFormat::Csv(CsvDialect::default())
}

#[expect(clippy::expect_used, reason = "a failed expectation is a failed test")]
fn schema(schema: &Value) -> Reshape {
    Reshape { schema: Some(Schema::parse(&schema.to_string()).expect("a schema")), ..Reshape::default() }
}

fn typed(reshape: Reshape, fields: &[(&str, FieldType)]) -> Reshape {
    let types = fields.iter().map(|(field, wanted)| (path(field), (*wanted).into())).collect();
    Reshape { types, ..reshape }
}

/// Place and rule of every reject that breaks the schema; of others the code alone.
fn rules(options: &StreamOptions, input: &str) -> Vec<(String, String)> {
    let mut stream = RecordStream::new(options);
    stream.fill(input.as_bytes());
    let mut rules = Vec::new();
    let result = stream.process(true, &mut Vec::new(), usize::MAX, &mut |reject| {
        rules.push(match reject.problem {
            Problem::SchemaViolation { path, rule } => (path.clone(), rule.clone()),
            other => (other.code().to_owned(), String::new()),
        });
        Flow::Continue
    });
    assert!(result.is_ok(), "{result:?}");
    rules
}

/// A reject: byte, line and record, and the place and the rule that do not agree (or another code, and no rule).
type Refused<'a> = ((u64, u64, u64), &'a str, &'a str);

/// Expects lines of output and rejects.
fn check(format: RecordFormat, reshape: &Reshape, input: &str, lines: &[&str], rejects: &[Refused<'_>]) {
    let options = StreamOptions { reshape: reshape.clone(), ..StreamOptions::new(format) };
    let result = run_in_all_chunkings(&options, input.as_bytes());
    assert_eq!(result.output.lines().collect::<Vec<_>>(), lines, "output of {input}");
    assert_eq!(result.error, None, "{input}");
    let rules = rules(&options, input);
    let rules = rules.iter().map(|(path, rule)| (path.as_str(), rule.as_str()));
    let found: Vec<_> =
        result.rejects.iter().zip(rules).map(|(reject, rule)| ((reject.1, reject.2, reject.3), rule)).collect();
    let expected: Vec<_> = rejects.iter().map(|(position, path, rule)| (*position, (*path, *rule))).collect();
    assert_eq!(found, expected, "rejects of {input}");
    for (reject, (_, path, rule)) in result.rejects.iter().zip(rejects) {
        let code = if rule.is_empty() { path } else { &"schema_violation" };
        assert_eq!(reject.0.as_str(), *code, "{input}");
    }
}

fn order() -> Reshape {
    schema(&json!({
        "type": "object",
        "required": ["id"],
        "properties": {"id": {"type": "integer", "minimum": 1}, "tags": {"items": {"maxLength": 3}}, "s": {"type": "string"}}
    }))
}

#[test]
fn lines_that_break_a_rule_are_rejects() {
    check(
        RecordFormat::NdJson,
        &order(),
        "{\"id\":1}\n\n{\"id\":0}\n{ \"id\" :\t2, \"x\":[1e400] }\r\n{\"tags\":[]}\n[1]\n{\"id\":3,\"tags\":[\"abc\",\"abcd\"]}\n{\"id\":\n",
        &["{\"id\":1}", "{ \"id\" :\t2, \"x\":[1e400] }"],
        &[
            ((10, 3, 2), "/id", "/properties/id/minimum"),
            ((46, 5, 4), "", "/required"),
            ((58, 6, 5), "", "/type"),
            ((62, 7, 6), "/tags/1", "/properties/tags/items/maxLength"),
            ((93, 8, 7), "invalid_json", ""),
        ],
    );
}

#[test]
fn elements_that_break_a_rule_are_rejects() {
    check(
        array(),
        &order(),
        "[{\"id\":1},\n  {\n \"id\": \"2\"},{\"id\":3,\"s\":null},\n{\"id\":4,\n\"s\":\"a b\"},5]",
        &["{\"id\":1}", "{\"id\":4,\"s\":\"a b\"}"],
        &[
            ((13, 2, 2), "/id", "/properties/id/type"),
            ((27, 3, 3), "/s", "/properties/s/type"),
            ((66, 5, 5), "", "/type"),
        ],
    );
}

#[test]
fn schemas_of_every_kind_of_value() {
    let numbers = schema(&json!({"type": "number", "multipleOf": 0.01}));
    let rejects = [((5, 2, 2), "", "/multipleOf"), ((11, 3, 3), "", "/type")];
    check(RecordFormat::NdJson, &numbers, "0.30\n0.005\n\"1\"\n7\n", &["0.30", "7"], &rejects);
    check(RecordFormat::NdJson, &schema(&json!(true)), "1\n[ ]\n", &["1", "[ ]"], &[]);
    let none = schema(&json!(false));
    let options = StreamOptions { reshape: none, ..StreamOptions::new(RecordFormat::NdJson) };
    let result = run_in_all_chunkings(&options, b"1\n{}\n");
    let codes: Vec<_> = result.rejects.iter().map(|reject| (reject.0.as_str(), reject.3)).collect();
    assert_eq!(
        (codes.as_slice(), result.output.as_str()),
        (&[("schema_violation", 1), ("schema_violation", 2)][..], "")
    );
    assert_eq!(rules(&options, "1\n"), [(String::new(), String::new())]);
}

#[test]
fn a_message_names_place_and_rule_and_no_value() {
    let options = StreamOptions { reshape: order(), ..StreamOptions::new(RecordFormat::NdJson) };
    let message = |input: &str| {
        let mut stream = RecordStream::new(&options);
        stream.fill(input.as_bytes());
        let mut messages = Vec::new();
        let result = stream.process(true, &mut Vec::new(), 1, &mut |reject| {
            messages.push(reject.problem.to_string());
            Flow::Continue
        });
        assert!(result.is_ok(), "{result:?}");
        messages.join("; ")
    };
    assert_eq!(
        message("{\"id\":1,\"tags\":[\"secret\"]}"),
        "at `/tags/0`: breaks the schema's rule `maxLength` (/properties/tags/items/maxLength)"
    );
    assert_eq!(message("{}"), "at the top of the record: breaks the schema's rule `required` (/required)");
}

#[test]
fn a_row_is_seen_as_its_types_make_it() {
    let rules = schema(&json!({
        "type": "object",
        "properties": {
            "id": {"type": "integer", "minimum": 1},
            "price": {"type": ["number", "null"], "multipleOf": 0.05},
            "at": {"format": "date-time", "pattern": "Z$"},
            "note": {"type": "string", "maxLength": 4},
            "ok": {"const": true}
        },
        "required": ["id", "price", "at", "note", "ok"],
        "additionalProperties": false
    }));
    let types = [
        ("id", FieldType::Integer),
        ("price", FieldType::Decimal),
        ("at", FieldType::Timestamp),
        ("ok", FieldType::Boolean),
    ];
    let reshape = Reshape { null_tokens: vec![String::new()], ..typed(rules, &types) };
    check(
        csv(),
        &reshape,
        "id,price,at,note,ok\n\
         +7,0.10,2026-01-01T01:00:00+01:00,1234,1\n\
         8,,2026-01-01T00:00:00Z,\"a\"\"\n\",TRUE\n\
         0,1,2026-01-01T00:00:00Z,,1\n\
         1,0.01,2026-01-01T00:00:00Z,,1\n\
         ,1,2026-01-01T00:00:00Z,,1\n\
         x,1,2026-01-01T00:00:00Z,12345,0\n\
         1,1,2026-01-01T00:00:00Z,12345,1\n",
        &[
            r#"{"id":7,"price":0.10,"at":"2026-01-01T00:00:00Z","note":"1234","ok":true}"#,
            r#"{"id":8,"price":null,"at":"2026-01-01T00:00:00Z","note":"a\"\n","ok":true}"#,
        ],
        &[
            ((97, 5, 3), "/id", "/properties/id/minimum"),
            ((125, 6, 4), "/price", "/properties/price/multipleOf"),
            ((156, 7, 5), "/id", "/properties/id/type"),
            // The types come first.
            ((183, 8, 6), "type_mismatch", ""),
            ((216, 9, 7), "/note", "/properties/note/maxLength"),
        ],
    );
}

#[test]
fn columns_without_a_type_are_strings_and_missing_ones_are_empty() {
    let reshape = schema(&json!({"properties": {"n": {"type": "string", "minLength": 1}}, "required": ["n", "m"]}));
    let padding = RecordFormat::Csv(CsvDialect { ragged: RaggedRows::Pad, ..CsvDialect::default() });
    let rejects = [((8, 3, 2), "/n", "/properties/n/minLength"), ((12, 5, 4), "csv_ragged_row", "")];
    let lines = [r#"{"n":"1","m":"2"}"#, r#"{"n":"3","m":""}"#];
    check(padding.clone(), &reshape, "n,m\n1,2\n,\n3\n4,5,6\n", &lines, &rejects);
    let typed = typed(reshape, &[("m", FieldType::Integer)]);
    let nulls = Reshape { null_tokens: vec![String::new()], ..typed };
    check(padding, &nulls, "n,m\n1\n2,3\n", &[r#"{"n":"1","m":null}"#, r#"{"n":"2","m":3}"#], &[]);
}

#[test]
fn column_names_need_not_be_plain() {
    let name = "a\"b\\c";
    let reshape = schema(&json!({
        "properties": {name: {"maxLength": 1}, "x/y~z": {"const": "1"}, "größe": {"enum": ["é"]}, "": {"const": "0"}},
        "required": [name, "x/y~z", "größe"],
        "maxProperties": 3
    }));
    check(
        csv(),
        &reshape,
        "\"a\"\"b\\c\",x/y~z,größe\n\"\"\"\",1,é\n22,1,é\n2,2,é\n2,1,e\n",
        &[r#"{"a\"b\\c":"\"","x/y~z":"1","größe":"é"}"#],
        &[
            ((33, 3, 2), "/a\"b\\c", "/properties/a\"b\\c/maxLength"),
            ((41, 4, 3), "/x~1y~0z", "/properties/x~1y~0z/const"),
            ((48, 5, 4), "/größe", "/properties/größe/enum"),
        ],
    );
}

#[test]
fn a_json_record_is_checked_as_it_comes() {
    let rules = schema(&json!({
        "properties": {
            "n": {"type": "string"},
            "secret": {"type": "string"},
            "items": {"type": "array", "minItems": 1, "items": {"required": ["p"]}}
        },
        "not": {"required": ["source"]}
    }));
    let reshape = Reshape {
        explode: Some(path("items")),
        condition: Some(Condition::Field(path("items.p"), Test::Greater(Scalar::Number("1".into())))),
        drop: paths(&["secret"]),
        rename: vec![(path("n"), "number".into())],
        cast: vec![(path("items.p"), FieldType::String.into())],
        set: vec![("source".into(), "1".into())],
        ..typed(rules, &[("n", FieldType::Integer)])
    };
    let lines = [r#"{"number":5,"items":{"p":"2"},"source":1}"#, r#"{"number":5,"items":{"p":"3"},"source":1}"#];
    check(
        RecordFormat::NdJson,
        &reshape,
        "{\"n\":\"5\",\"secret\":\"s\",\"items\":[{\"p\":1},{\"p\":2},{\"p\":3}]}\n\
         {\"n\":5,\"items\":[{\"p\":2}]}\n\
         {\"items\":[]}\n\
         {\"items\":[{\"p\":2},{}]}\n\
         {\"items\":[{\"p\":1}],\"secret\":1}\n\
         {\"n\":\"x\",\"items\":[{\"p\":2}]}\n\
         {\"items\":[{\"p\":1}]}\n",
        &lines,
        &[
            ((57, 2, 2), "/n", "/properties/n/type"),
            ((83, 3, 3), "/items", "/properties/items/minItems"),
            ((96, 4, 4), "/items/1", "/properties/items/items/required"),
            // What the condition would leave out or `drop` takes away is checked, too.
            ((119, 5, 5), "/secret", "/properties/secret/type"),
            ((150, 6, 6), "type_mismatch", ""),
        ],
    );
}

#[test]
fn a_row_is_checked_before_it_is_cut() {
    let rules = schema(&json!({"properties": {"n": {"minimum": 1}, "s": {"minLength": 1}}, "required": ["n", "s"]}));
    let reshape = Reshape {
        condition: Some(Condition::Field(path("n"), Test::Greater(Scalar::Number("5".into())))),
        select: paths(&["n"]),
        rename: vec![(path("n"), "m".into())],
        cast: vec![(path("n"), FieldType::String.into())],
        ..typed(rules, &[("n", FieldType::Integer)])
    };
    let rejects = [((12, 4, 3), "/n", "/properties/n/minimum"), ((16, 5, 4), "/s", "/properties/s/minLength")];
    check(csv(), &reshape, "n,s\n6,a\n5,b\n0,c\n7,\n8,d\n", &[r#"{"m":"6"}"#, r#"{"m":"8"}"#], &rejects);
}

#[test]
fn of_members_with_one_name_the_last_is_checked() {
    let id = schema(&json!({"properties": {"id": {"type": "integer"}, "u": {"required": ["x"]}}, "maxProperties": 2}));
    let good = r#"{ "id":"a","id":1,"u":{"x":0,"\u0078":1}, "u":{"x":1} }"#;
    let input = format!("{good}\n{{\"id\":1,\"i\\u0064\":\"a\"}}\n{{\"u\":{{\"x\":1}},\"u\":{{}}}}\n");
    let options = |duplicate_keys| StreamOptions {
        duplicate_keys,
        reshape: id.clone(),
        ..StreamOptions::new(RecordFormat::NdJson)
    };
    let rejects = [((56, 2, 2), "/id", "/properties/id/type"), ((79, 3, 3), "/u", "/properties/u/required")];
    check(RecordFormat::NdJson, &id, &input, &[good], &rejects);
    assert_eq!(run_in_all_chunkings(&options(DuplicateKeys::Last), input.as_bytes()).counts.duplicate_keys, 3);
    let refusing = run_in_all_chunkings(&options(DuplicateKeys::Reject), input.as_bytes());
    let codes: Vec<&str> = refusing.rejects.iter().map(|reject| reject.0.as_str()).collect();
    assert_eq!((codes.as_slice(), refusing.counts.duplicate_keys), (&["duplicate_key"; 3][..], 3));
}

#[test]
fn a_row_under_a_schema_keeps_the_limits_of_a_record() {
    let with_schema = || typed(schema(&json!(true)), &[("a", FieldType::Json)]);
    let check = |reshape: Reshape, limits: RecordLimits, cell: &str, code: Option<&str>| {
        let options = StreamOptions { limits, reshape, ..StreamOptions::new(csv()) };
        let result = run_in_all_chunkings(&options, format!("a,b\n\"{cell}\",x\n0,y\n").as_bytes());
        let line = format!("{{\"a\":{cell},\"b\":\"x\"}}");
        let lines = code.is_none().then_some(line.as_str()).into_iter().chain([r#"{"a":0,"b":"y"}"#]);
        assert_eq!(result.output.lines().collect::<Vec<_>>(), lines.collect::<Vec<_>>(), "{limits:?}");
        let codes: Vec<&str> = result.rejects.iter().map(|reject| reject.0.as_str()).collect();
        assert_eq!((codes, result.error), (Vec::from_iter(code), None), "{limits:?}");
    };
    // The row, its two cells and their names, and the elements of the first.
    let values = |values| RecordLimits { values, ..RecordLimits::default() };
    check(with_schema(), values(9), "[1,2,3,4]", None);
    check(with_schema(), values(8), "[1,2,3,4]", Some("too_many_values"));
    // The object that a row is stands around its cells, and is no level of theirs.
    let depth = |depth| RecordLimits { depth, ..RecordLimits::default() };
    let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    for reshape in [with_schema(), Reshape { schema: None, ..with_schema() }] {
        check(reshape.clone(), depth(3), &nested(3), None);
        check(reshape.clone(), depth(3), &nested(4), Some("type_mismatch"));
        let ceiling = RecordLimits::DEPTH_CEILING;
        check(reshape.clone(), depth(usize::MAX), &nested(ceiling - 1), None);
        check(reshape, depth(usize::MAX), &nested(ceiling + 1), Some("type_mismatch"));
    }
    // At the ceiling there is no level left for the row.
    check(with_schema(), depth(usize::MAX), &nested(RecordLimits::DEPTH_CEILING), Some("too_deep"));
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z\"\\\\\u{0}\u{1f600}]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-c]", inner), 0..4).prop_map(|members| members.into_iter().collect()),
        ]
    })
}

proptest! {
    /// A schema changes no byte of what it accepts, and accepts what the validator accepts on a tree.
    #[test]
    fn what_keeps_the_schema_comes_out_as_it_came(records in prop::collection::vec(any_json(), 0..10), chunk in 1_usize..120) {
        let tree = json!({
            "type": ["object", "array", "string", "null"],
            "properties": {"a": {"type": ["integer", "object"]}, "b": {"maxLength": 4}, "c": {"items": {"type": "string"}}},
            "maxProperties": 2, "maxItems": 2, "additionalProperties": {"not": {"type": "null"}}
        });
        let validator = jsonschema::draft202012::new(&tree).unwrap();
        let input: String = records.iter().map(|record| format!("{record}\n")).collect();
        let kept = records.iter().filter(|record| validator.is_valid(record));
        let expected: String = kept.map(|record| format!("{record}\n")).collect();
        let options = StreamOptions { reshape: schema(&tree), ..StreamOptions::new(RecordFormat::NdJson) };
        let result = run(&options, input.as_bytes(), chunk);
        prop_assert!(result.rejects.iter().all(|reject| reject.0 == "schema_violation"));
        prop_assert_eq!(result.output, expected);
    }
}
