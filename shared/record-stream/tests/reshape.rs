//! `types`, `where`, `select`, `drop`, `rename` and `set` on JSON and CSV records.

mod support;

use record_stream::{
    Condition, CsvDialect, FieldPath, FieldType, RecordFormat, Reshape, Scalar, Segment, StreamOptions, Test,
};
use support::run_in_all_chunkings;

/// A dotted path; a number is an index.
fn path(text: &str) -> FieldPath {
    let segment = |part: &str| part.parse().map_or_else(|_| Segment::Name(part.to_owned()), Segment::Index);
    FieldPath::new(text, text.split('.').map(segment).collect())
}

fn paths(texts: &[&str]) -> Vec<FieldPath> {
    texts.iter().map(|text| path(text)).collect()
}

fn number(text: &str) -> Scalar {
    Scalar::Number(text.to_owned())
}

/// Expects lines of output and the messages of the rejects.
fn check(format: RecordFormat, reshape: &Reshape, input: &str, lines: &[&str], rejects: &[&str]) {
    let options = StreamOptions { reshape: reshape.clone(), ..StreamOptions::new(format) };
    let result = run_in_all_chunkings(&options, input.as_bytes());
    assert_eq!(result.output.lines().collect::<Vec<_>>(), lines, "{input}");
    assert_eq!(result.rejects.iter().map(|reject| reject.0.as_str()).collect::<Vec<_>>(), rejects, "{input}");
    assert_eq!(result.error, None, "{input}");
}

fn json(reshape: &Reshape, input: &str, expected: &str) {
    check(RecordFormat::NdJson, reshape, input, &[expected], &[]);
}

fn csv(reshape: &Reshape, input: &str, expected: &[&str]) {
    check(RecordFormat::Csv(CsvDialect::default()), reshape, input, expected, &[]);
}

#[test]
fn selected_fields_come_in_the_order_of_the_job() {
    let reshape = Reshape { select: paths(&["c", "a", "user.name", "tags.1"]), ..Reshape::default() };
    json(
        &reshape,
        r#"{"a":1,"b":2,"c":[ 3 ],"user":{"name":"x","age":1},"tags":["p","q"]}"#,
        r#"{"c":[ 3 ],"a":1,"name":"x","tags":"q"}"#,
    );
    json(&reshape, r#"{"b":2}"#, "{}");
    let columns = Reshape { select: paths(&["c", "a"]), ..Reshape::default() };
    csv(&columns, "a,b,c\n1,2,3\n", &[r#"{"c":"3","a":"1"}"#]);
}

#[test]
fn dropped_renamed_and_set_fields() {
    let reshape = Reshape {
        drop: paths(&["secret", "user.password", "list.0"]),
        rename: vec![(path("old"), "new".into()), (path("user.n"), "name".into())],
        set: vec![("source".into(), "\"x\"".into()), ("n".into(), "1.50".into())],
        ..Reshape::default()
    };
    json(
        &reshape,
        r#"{"secret":1,"old":{"z":1},"user":{"password":"p","n":"m","k":0},"list":[1,2],"n":9,"e\n":0}"#,
        r#"{"new":{"z":1},"user":{"name":"m","k":0},"list":[2],"e\n":0,"source":"x","n":1.50}"#,
    );
    json(&reshape, r#"{"new":1}"#, r#"{"new":1,"source":"x","n":1.50}"#);
    json(&reshape, r#"{"new":1,"old":2}"#, r#"{"new":2,"source":"x","n":1.50}"#);
    json(&reshape, "{}", r#"{"source":"x","n":1.50}"#);
    let columns = Reshape {
        drop: paths(&["b"]),
        rename: vec![(path("a"), "c".into())],
        set: vec![("s".into(), "null".into())],
        ..Reshape::default()
    };
    csv(&columns, "a,b,c,s\n1,2,3,4\n", &[r#"{"c":"1","s":null}"#]);
}

#[test]
fn two_fields_may_swap_their_names() {
    let reshape = Reshape { rename: vec![(path("a"), "b".into()), (path("b"), "a".into())], ..Reshape::default() };
    json(&reshape, r#"{"a":1,"b":2}"#, r#"{"b":1,"a":2}"#);
    csv(&reshape, "a,b\n1,2\n", &[r#"{"b":"1","a":"2"}"#]);
}

#[test]
fn a_constant_takes_the_place_of_a_field_renamed_to_its_name() {
    let reshape =
        Reshape { rename: vec![(path("a"), "k".into())], set: vec![("k".into(), "1".into())], ..Reshape::default() };
    json(&reshape, r#"{"a":5,"b":2}"#, r#"{"b":2,"k":1}"#);
    csv(&reshape, "a,b\n5,2\n", &[r#"{"b":"2","k":1}"#]);
}

#[test]
fn points_in_time_compare_as_such() {
    let at = |text: &str| Scalar::Timestamp(record_stream::Instant::parse(text).expect("a point in time"));
    let with = |test| Reshape {
        types: vec![(path("at"), FieldType::Timestamp.into())],
        condition: Some(Condition::Field(path("at"), test)),
        ..Reshape::default()
    };
    let later = with(Test::GreaterOrEqual(at("2026-01-01T00:00:00Z")));
    json(&later, "{\"at\":\"2026-01-01T00:00:00.5Z\"}", "{\"at\":\"2026-01-01T00:00:00.5Z\"}");
    let same = with(Test::Equal(at("2026-01-01T01:00:00+01:00")));
    csv(&same, "at\n2026-01-01T02:00:00+02:00\n2026-01-01T02:00:00Z\n", &["{\"at\":\"2026-01-01T00:00:00Z\"}"]);
}

#[test]
fn everything_dropped_leaves_an_empty_object() {
    let reshape = Reshape { drop: paths(&["a"]), ..Reshape::default() };
    json(&reshape, r#"{"a":1}"#, "{}");
    csv(&reshape, "a\n1\n", &["{}"]);
}

#[test]
fn types_are_checked_and_written() {
    let reshape = Reshape {
        types: vec![
            (path("id"), FieldType::Integer.into()),
            (path("price"), FieldType::Decimal.into()),
            (path("at"), FieldType::Timestamp.into()),
            (path("ok"), FieldType::Boolean.into()),
        ],
        null_tokens: vec![String::new(), "NA".into()],
        ..Reshape::default()
    };
    let csv_input = "id,price,at,ok,note\n9007199254740993,0.10,2026-01-01T01:00:00+01:00,TRUE,\n,NA,,0,NA\nx,1,,1,y\n";
    let expected = [
        r#"{"id":9007199254740993,"price":0.10,"at":"2026-01-01T00:00:00Z","ok":true,"note":""}"#,
        r#"{"id":null,"price":null,"at":null,"ok":false,"note":"NA"}"#,
    ];
    check(RecordFormat::Csv(CsvDialect::default()), &reshape, csv_input, &expected, &["type_mismatch"]);
    let json_input = "{\"id\":\"12\",\"price\":1.50,\"ok\":\"false\",\"x\":\"\"}\n{\"id\":1.5}\n{\"id\":\"NA\",\"at\":\"2026-01-01\"}\n{\"id\":\"\"}\n";
    check(
        RecordFormat::NdJson,
        &reshape,
        json_input,
        &[r#"{"id":12,"price":1.50,"ok":false,"x":""}"#, r#"{"id":null}"#],
        &["type_mismatch", "type_mismatch"],
    );
}

#[test]
fn nested_fields_have_types_too() {
    let reshape = Reshape {
        types: vec![(path("user.age"), FieldType::Integer.into()), (path("scores.1"), FieldType::String.into())],
        select: paths(&["user", "scores"]),
        null_tokens: Vec::new(),
        ..Reshape::default()
    };
    json(
        &reshape,
        r#"{"user":{"age":"042","x":{"age":"1"}},"scores":[1,2]}"#,
        r#"{"user":{"age":42,"x":{"age":"1"}},"scores":[1,"2"]}"#,
    );
}

#[test]
fn types_are_checked_also_where_nothing_is_written_of_them() {
    let reshape = Reshape {
        types: vec![(path("a"), FieldType::Integer.into())],
        condition: Some(Condition::Field(path("b"), Test::Equal(number("1")))),
        select: paths(&["b"]),
        ..Reshape::default()
    };
    check(
        RecordFormat::Csv(CsvDialect::default()),
        &reshape,
        "a,b\n1,1\nx,1\nx,2\n2,2\n",
        &[r#"{"b":"1"}"#],
        &["type_mismatch"; 2],
    );
    check(
        RecordFormat::NdJson,
        &reshape,
        "{\"a\":1,\"b\":1}\n{\"a\":\"x\",\"b\":2}\n{\"a\":2,\"b\":2}\n",
        &[r#"{"b":1}"#],
        &["type_mismatch"],
    );
}

#[test]
fn conditions_see_typed_values() {
    let reshape = Reshape {
        types: vec![(path("price"), FieldType::Decimal.into()), (path("at"), FieldType::Timestamp.into())],
        null_tokens: vec![String::new()],
        condition: Some(Condition::All(vec![
            Condition::Field(path("price"), Test::Greater(number("9.99"))),
            Condition::Not(Box::new(Condition::Field(
                path("at"),
                Test::Less(Scalar::Text("2026-01-01T00:00:00Z".into())),
            ))),
        ])),
        select: paths(&["price"]),
        ..Reshape::default()
    };
    let input =
        "price,at\n10.00,2026-01-01T01:00:00+01:00\n10,2026-01-01T00:30:00+01:00\n9.990,2027-01-01T00:00:00Z\n,\n";
    csv(&reshape, input, &[r#"{"price":10.00}"#]);
    json(&reshape, "{\"price\":\"1e1\"}\n".replace("1e1", "11").as_str(), r#"{"price":11}"#);
}

#[test]
fn of_members_with_one_name_the_last_counts() {
    let reshape = Reshape { select: paths(&["a", "u.x"]), ..Reshape::default() };
    json(&reshape, r#"{"a":1,"u":{"x":1},"a":2,"u":{"y":1}}"#, r#"{"a":2}"#);
    json(&reshape, r#"{"\u0061":3}"#, r#"{"a":3}"#);
}

#[test]
fn only_objects_have_fields() {
    let reshape = Reshape { select: paths(&["a"]), ..Reshape::default() };
    check(RecordFormat::NdJson, &reshape, "[1]\n{\"a\":1}\n3\n", &[r#"{"a":1}"#], &["not_an_object"; 2]);
}

#[test]
fn a_field_that_no_column_has_ends_the_object() {
    for (reshape, place) in [
        (Reshape { select: paths(&["x"]), ..Reshape::default() }, "record.select"),
        (Reshape { types: vec![(path("x"), FieldType::Float.into())], ..Reshape::default() }, "record.types"),
        (
            Reshape { condition: Some(Condition::Field(path("x"), Test::Exists(true))), ..Reshape::default() },
            "record.where",
        ),
    ] {
        let options = StreamOptions { reshape, ..StreamOptions::new(RecordFormat::Csv(CsvDialect::default())) };
        let mut stream = record_stream::RecordStream::new(&options);
        stream.fill(b"a,b\n1,2\n");
        let error = stream.process(true, &mut Vec::new(), 1, &mut |_| record_stream::Flow::Continue).unwrap_err();
        assert_eq!(error.problem.code(), "unknown_field");
        assert!(error.to_string().contains(place) && error.to_string().contains("`x`"), "{error}");
    }
}

#[test]
fn a_column_name_may_hold_dots() {
    let reshape = Reshape { select: paths(&["user.name"]), ..Reshape::default() };
    csv(&reshape, "user.name,b\nx,2\n", &[r#"{"user.name":"x"}"#]);
}
