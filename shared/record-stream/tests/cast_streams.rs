//! `cast`: the types that fields have in the output, of JSON and CSV records, with and without `types` before it.

#[path = "support/fields.rs"]
mod fields;
mod support;

use fields::{path, paths};
use record_stream::{
    Condition, CsvDialect, FieldType, RaggedRows, RecordFormat, Reshape, Scalar, StreamOptions, Test, TimeFormats,
    TypeRule,
};
use support::run_in_all_chunkings;

fn csv() -> RecordFormat {
    RecordFormat::Csv(CsvDialect { ragged: RaggedRows::Pad, ..CsvDialect::default() })
}

fn casts(fields: &[(&str, FieldType)]) -> Reshape {
    let cast = fields.iter().map(|(field, wanted)| (path(field), (*wanted).into())).collect();
    Reshape { cast, null_tokens: vec![String::new(), "NA".into()], ..Reshape::default() }
}

fn with_types(reshape: Reshape, fields: &[(&str, FieldType)]) -> Reshape {
    let types = fields.iter().map(|(field, wanted)| (path(field), (*wanted).into())).collect();
    Reshape { types, ..reshape }
}

#[expect(clippy::expect_used, reason = "a failed expectation is a failed test")]
fn times(field_type: FieldType, formats: &[&str], zone: &str) -> TypeRule {
    TypeRule { field_type, times: TimeFormats::parse(formats, Some(zone)).expect("formats that can be read") }
}

/// Expects lines of output and rejects as (code, line, record).
fn check(format: RecordFormat, reshape: &Reshape, input: &str, lines: &[&str], rejects: &[(&str, u64, u64)]) {
    let options = StreamOptions { reshape: reshape.clone(), ..StreamOptions::new(format) };
    let result = run_in_all_chunkings(&options, input.as_bytes());
    assert_eq!(result.output.lines().collect::<Vec<_>>(), lines, "output of {input}");
    let found: Vec<_> =
        result.rejects.iter().map(|(code, _, line, record, _)| (code.as_str(), *line, *record)).collect();
    assert_eq!(found, rejects, "rejects of {input}");
    assert_eq!(result.error, None, "{input}");
}

fn json(reshape: &Reshape, record: &str, expected: &str) {
    check(RecordFormat::NdJson, reshape, record, &[expected], &[]);
}

fn impossible(reshape: &Reshape, record: &str) {
    check(RecordFormat::NdJson, reshape, record, &[], &[("cast_impossible", 1, 1)]);
}

#[test]
fn values_of_json_become_the_type() {
    let all = |wanted| casts(&[("a", wanted)]);
    json(&all(FieldType::String), r#"{"a":1.50,"b":2}"#, r#"{"a":"1.50","b":2}"#);
    json(&all(FieldType::String), r#"{"a":"q\"\n"}"#, r#"{"a":"q\"\n"}"#);
    json(&all(FieldType::String), r#"{"a":[1, {"b":"c"}]}"#, r#"{"a":"[1, {\"b\":\"c\"}]"}"#);
    json(&all(FieldType::Integer), r#"{"a":12345678901234567890.0}"#, r#"{"a":12345678901234567890}"#);
    json(&all(FieldType::Integer), r#"{"a":"1.5e1"}"#, r#"{"a":15}"#);
    json(&all(FieldType::Integer), r#"{"a":true}"#, r#"{"a":1}"#);
    json(&all(FieldType::Decimal), r#"{"a":-12.5e-3}"#, r#"{"a":-0.0125}"#);
    json(&all(FieldType::Float), r#"{"a":"1e400"}"#, r#"{"a":1e400}"#);
    json(&all(FieldType::Boolean), r#"{"a":1.0}"#, r#"{"a":true}"#);
    json(&all(FieldType::Date), r#"{"a":"2026-01-01T23:30:00-01:00"}"#, r#"{"a":"2026-01-02"}"#);
    json(&all(FieldType::Timestamp), r#"{"a":1767225600.25}"#, r#"{"a":"2026-01-01T00:00:00.25Z"}"#);
    json(&all(FieldType::Timestamp), r#"{"a":"2026-01-01"}"#, r#"{"a":"2026-01-01T00:00:00Z"}"#);
    json(&all(FieldType::Json), r#"{"a":"{\"b\": [1]}"}"#, r#"{"a":{"b": [1]}}"#);
    for wanted in [FieldType::String, FieldType::Integer, FieldType::Date, FieldType::Timestamp, FieldType::Json] {
        json(&all(wanted), r#"{"a":null}"#, r#"{"a":null}"#);
        json(&all(wanted), r#"{"b":1}"#, r#"{"b":1}"#);
        json(&all(wanted), "{}", "{}");
    }
}

#[test]
fn what_cannot_become_the_type_is_a_reject() {
    let all = |wanted| casts(&[("a", wanted)]);
    impossible(&all(FieldType::Integer), r#"{"a":1.5}"#);
    impossible(&all(FieldType::Integer), r#"{"a":1e401}"#);
    impossible(&all(FieldType::Integer), r#"{"a":""}"#);
    impossible(&all(FieldType::Decimal), r#"{"a":false}"#);
    impossible(&all(FieldType::Float), r#"{"a":"NaN"}"#);
    impossible(&all(FieldType::Boolean), r#"{"a":2}"#);
    impossible(&all(FieldType::Date), r#"{"a":"2026-02-30"}"#);
    impossible(&all(FieldType::Timestamp), r#"{"a":"2026-01-01T00:00:00"}"#);
    impossible(&all(FieldType::Timestamp), r#"{"a":1e20}"#);
    impossible(&all(FieldType::Json), r#"{"a":"{b:1}"}"#);
    impossible(&all(FieldType::Integer), r#"{"a":[1]}"#);
    let input = "{\"a\":1}\n\n{\"x\":[1,2],\"a\":\"one\"}\n{\"a\":\"2\"}\n";
    let lines = [r#"{"a":1}"#, r#"{"a":2}"#];
    check(RecordFormat::NdJson, &all(FieldType::Integer), input, &lines, &[("cast_impossible", 3, 2)]);
    let input = "x,a\n1,1\n\"2\n\",one\n3,2\n";
    let lines = [r#"{"x":"1","a":1}"#, r#"{"x":"3","a":2}"#];
    check(csv(), &all(FieldType::Integer), input, &lines, &[("cast_impossible", 3, 2)]);
}

#[test]
fn a_message_names_the_field_and_no_value() {
    let options = StreamOptions {
        reshape: casts(&[("user.age", FieldType::Integer)]),
        ..StreamOptions::new(RecordFormat::NdJson)
    };
    let mut stream = record_stream::RecordStream::new(&options);
    stream.fill(b"{\"user\":{\"age\":\"seventy\"}}\n");
    let mut messages = Vec::new();
    let progress = stream.process(true, &mut Vec::new(), 1, &mut |reject| {
        messages.push(reject.problem.to_string());
        record_stream::Flow::Continue
    });
    assert_eq!(progress, Ok(record_stream::Progress::Finished));
    assert_eq!(messages, ["field `user.age`: cannot be made integer, found text that is not a number"]);
}

#[test]
fn cells_become_the_type() {
    let reshape = casts(&[
        ("n", FieldType::Integer),
        ("d", FieldType::Decimal),
        ("b", FieldType::Boolean),
        ("j", FieldType::Json),
        ("s", FieldType::String),
    ]);
    check(
        csv(),
        &reshape,
        "n,d,x,b,j,s\n1.0,1e-2,y,TRUE,\"[1,\"\"a\"\"]\",\"q\"\"\"\n+7,.5,\"\",0,null,NA\n",
        &[
            r#"{"n":1,"d":0.01,"x":"y","b":true,"j":[1,"a"],"s":"q\""}"#,
            r#"{"n":7,"d":0.5,"x":"","b":false,"j":null,"s":"NA"}"#,
        ],
        &[],
    );
}

#[test]
fn null_tokens_count_for_fields_with_a_type() {
    let untyped = casts(&[("n", FieldType::Integer)]);
    let typed = with_types(casts(&[("n", FieldType::String)]), &[("n", FieldType::Integer)]);
    let input = "x,n\n1,5\n2,\n3,NA\n4\n";
    let rejects = [("cast_impossible", 3, 2), ("cast_impossible", 4, 3), ("cast_impossible", 5, 4)];
    check(csv(), &untyped, input, &[r#"{"x":"1","n":5}"#], &rejects);
    let nulls = [2, 3, 4].map(|x| format!("{{\"x\":\"{x}\",\"n\":null}}"));
    let mut lines = vec![r#"{"x":"1","n":"5"}"#];
    lines.extend(nulls.iter().map(String::as_str));
    check(csv(), &typed, input, &lines, &[]);
    let input = "{\"n\":\"\"}\n{\"n\":\"NA\"}\n{\"n\":null}\n{\"n\":\"5\"}\n";
    let all = [r#"{"n":null}"#, r#"{"n":null}"#, r#"{"n":null}"#, r#"{"n":"5"}"#];
    check(RecordFormat::NdJson, &typed, input, &all, &[]);
    let rejects = [("cast_impossible", 1, 1), ("cast_impossible", 2, 2)];
    check(RecordFormat::NdJson, &untyped, input, &[r#"{"n":null}"#, r#"{"n":5}"#], &rejects);
    let text = casts(&[("n", FieldType::String)]);
    check(csv(), &text, "n,x\n,1\nNA,2\n", &[r#"{"n":"","x":"1"}"#, r#"{"n":"NA","x":"2"}"#], &[]);
}

#[test]
fn a_cast_takes_what_the_type_has_made() {
    let reshape = |from, to| with_types(casts(&[("a", to)]), &[("a", from)]);
    for (from, to, cell, value, expected) in [
        (FieldType::Decimal, FieldType::String, "00.10", r#""00.10""#, r#""0.10""#),
        (FieldType::Integer, FieldType::Boolean, "01", r#""01""#, "true"),
        (FieldType::Boolean, FieldType::Integer, "True", "true", "1"),
        (FieldType::Boolean, FieldType::String, "0", r#""0""#, r#""false""#),
        (
            FieldType::Timestamp,
            FieldType::Date,
            "2026-01-01T00:30:00+01:00",
            r#""2026-01-01T00:30:00+01:00""#,
            r#""2025-12-31""#,
        ),
        (FieldType::Date, FieldType::Timestamp, "2026-01-01", r#""2026-01-01""#, r#""2026-01-01T00:00:00Z""#),
        (FieldType::Json, FieldType::String, "[1]", "[1]", r#""[1]""#),
        (FieldType::String, FieldType::Integer, "12", "12", "12"),
        (FieldType::Float, FieldType::Integer, "1.20e1", "1.20e1", "12"),
    ] {
        let line = format!("{{\"a\":{expected},\"b\":\"x\"}}");
        check(csv(), &reshape(from, to), &format!("a,b\n{cell},x\n"), &[&line], &[]);
        json(&reshape(from, to), &format!("{{\"a\":{value},\"b\":\"x\"}}"), &line);
    }
    // What the type refuses is not cast.
    let both = reshape(FieldType::Integer, FieldType::String);
    check(csv(), &both, "a\n1.5\n2\n", &[r#"{"a":"2"}"#], &[("type_mismatch", 2, 1)]);
    check(RecordFormat::NdJson, &both, "{\"a\":1.5}\n{\"a\":2}", &[r#"{"a":"2"}"#], &[("type_mismatch", 1, 1)]);
}

#[test]
fn times_are_read_by_one_rule_and_written_by_another() {
    let reshape = Reshape {
        types: vec![(path("at"), times(FieldType::Timestamp, &["%d.%m.%Y %H:%M", "unix"], "Europe/Berlin"))],
        cast: vec![(path("at"), times(FieldType::Date, &[], "Europe/Berlin"))],
        ..Reshape::default()
    };
    let input = "{\"at\":\"01.07.2026 00:30\"}\n{\"at\":1767222000}\n{\"at\":\"1.1.26\"}\n";
    let lines = [r#"{"at":"2026-07-01"}"#, r#"{"at":"2026-01-01"}"#];
    check(RecordFormat::NdJson, &reshape, input, &lines, &[("type_mismatch", 3, 3)]);
    check(csv(), &reshape, "at\n01.07.2026 00:30\n1767222000\n", &lines, &[]);
    let alone = Reshape { cast: reshape.types.clone(), types: Vec::new(), ..reshape };
    let lines = [r#"{"at":"2026-06-30T22:30:00Z"}"#, r#"{"at":"2025-12-31T23:00:00Z"}"#];
    check(RecordFormat::NdJson, &alone, input, &lines, &[("cast_impossible", 3, 3)]);
    check(csv(), &alone, "at\n01.07.2026 00:30\n1767222000\n", &lines, &[]);
}

#[test]
fn fields_inside_others_are_cast() {
    let reshape = casts(&[("user.age", FieldType::String), ("scores.1", FieldType::Integer)]);
    json(
        &reshape,
        r#"{"user":{"age":42,"x":{"age":1}},"scores":["1","2","3"],"age":5}"#,
        r#"{"user":{"age":"42","x":{"age":1}},"scores":["1",2,"3"],"age":5}"#,
    );
    json(&reshape, r#"{"user":7,"scores":{"1":"2"}}"#, r#"{"user":7,"scores":{"1":"2"}}"#);
    json(&reshape, r#"{"user":{},"scores":["x"]}"#, r#"{"user":{},"scores":["x"]}"#);
    impossible(&reshape, r#"{"scores":["1","x"]}"#);
    let whole = casts(&[("user", FieldType::String)]);
    json(&whole, r#"{"user":{"age":42}}"#, r#"{"user":"{\"age\":42}"}"#);
}

#[test]
fn renamed_and_selected_fields_are_cast_under_the_name_they_come_with() {
    let wanted = [("a", FieldType::String), ("u.n", FieldType::Integer)];
    let renamed = Reshape { rename: vec![(path("a"), "b".into()), (path("u.n"), "m".into())], ..casts(&wanted) };
    json(&renamed, r#"{"a":1,"u":{"n":"2"},"c":3}"#, r#"{"b":"1","u":{"m":2},"c":3}"#);
    // The field that gave way to the new name is not cast in its place.
    json(&renamed, r#"{"b":"x","a":1}"#, r#"{"b":"1"}"#);
    let swapped = Reshape {
        rename: vec![(path("a"), "b".into()), (path("b"), "a".into())],
        ..casts(&[("a", FieldType::String)])
    };
    json(&swapped, r#"{"a":1,"b":2}"#, r#"{"b":"1","a":2}"#);
    check(csv(), &swapped, "a,b\n1,2\n", &[r#"{"b":"1","a":"2"}"#], &[]);
    let selected = Reshape { select: paths(&["u.n", "a"]), ..casts(&wanted) };
    json(&selected, r#"{"a":1,"u":{"n":"2"},"c":3}"#, r#"{"n":2,"a":"1"}"#);
    let around = Reshape { select: paths(&["u", "a"]), ..casts(&wanted) };
    json(&around, r#"{"a":1,"u":{"n":"2","o":0}}"#, r#"{"u":{"n":2,"o":0},"a":"1"}"#);
    let both = Reshape { rename: vec![(path("u.n"), "m".into())], ..selected };
    json(&both, r#"{"a":1,"u":{"n":"2"}}"#, r#"{"m":2,"a":"1"}"#);
    let columns = Reshape {
        select: paths(&["b", "a"]),
        rename: vec![(path("a"), "z".into())],
        ..casts(&[("a", FieldType::Integer)])
    };
    check(csv(), &columns, "a,b,c\n1,2,3\n", &[r#"{"b":"2","z":1}"#], &[]);
}

#[test]
fn conditions_come_before_casts() {
    let condition = Condition::Field(path("n"), Test::Less(Scalar::Number("10".into())));
    let reshape = Reshape { condition: Some(condition), ..casts(&[("n", FieldType::String), ("m", FieldType::Date)]) };
    let lines = [r#"{"n":"9","m":"2026-01-01"}"#];
    // What is left out is not cast, so it cannot be refused for it.
    let input = "{\"n\":9,\"m\":\"2026-01-01\"}\n{\"n\":10,\"m\":\"x\"}\n{\"n\":8,\"m\":\"x\"}\n";
    check(RecordFormat::NdJson, &reshape, input, &lines, &[("cast_impossible", 3, 3)]);
    check(csv(), &reshape, "n,m\n9,2026-01-01\n10,x\n8,x\n", &lines, &[("cast_impossible", 4, 3)]);
}

#[test]
fn a_cast_column_must_be_there() {
    let options = StreamOptions { reshape: casts(&[("z", FieldType::Integer)]), ..StreamOptions::new(csv()) };
    let result = run_in_all_chunkings(&options, b"a,b\n1,2\n");
    assert_eq!(result.error.map(|error| error.0), Some("unknown_field".to_owned()));
}

#[test]
fn of_members_with_one_name_only_the_last_is_written_and_cast() {
    let reshape = casts(&[("a", FieldType::String)]);
    json(&reshape, r#"{"a":1,"b":2,"\u0061":3}"#, r#"{"b":2,"\u0061":"3"}"#);
    json(&casts(&[("a", FieldType::Integer)]), r#"{"a":"x","a":"5"}"#, r#"{"a":5}"#);
    json(&casts(&[("u.a", FieldType::Integer)]), r#"{"u":{"a":"x"},"u":{"a":"1"}}"#, r#"{"u":{"a":1}}"#);
    let last = Reshape { select: paths(&["a"]), ..reshape };
    json(&last, r#"{"a":1,"a":2}"#, r#"{"a":"2"}"#);
}
