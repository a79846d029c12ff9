//! What becomes of single cells: null tokens that look like numbers, JSON in cells, and rows that grow too long.

#[path = "support/fields.rs"]
mod fields;
mod support;

use fields::{path, paths};
use record_stream::{
    Condition, CsvDialect, CsvHeader, FieldType, Flow, Progress, RaggedRows, RecordFormat, RecordLimits, RecordStream,
    Reshape, Schema, StreamOptions, Test,
};
use support::run_in_all_chunkings;

fn csv(reshape: Reshape) -> StreamOptions {
    StreamOptions { reshape, ..StreamOptions::new(RecordFormat::Csv(CsvDialect::default())) }
}

/// Expects lines of output, and codes and records of the rejects.
fn check(options: &StreamOptions, input: &str, lines: &[&str], rejects: &[(&str, u64)]) {
    let result = run_in_all_chunkings(options, input.as_bytes());
    assert_eq!(result.output.lines().collect::<Vec<_>>(), lines, "output of {input}");
    let found: Vec<_> = result.rejects.iter().map(|reject| (reject.0.as_str(), reject.3)).collect();
    assert_eq!((found.as_slice(), result.error), (rejects, None), "rejects of {input}");
}

/// One cell of a column with a type and these null tokens becomes this JSON text, as it comes and in quotes, alone and
/// under a schema.
#[expect(clippy::expect_used, reason = "a failed expectation is a failed test")]
fn check_null(null_tokens: &[&str], wanted: FieldType, cell: &str, expected: &str) {
    let tokens = null_tokens.iter().map(|token| (*token).to_owned()).collect();
    let typed = Reshape { types: vec![(path("n"), wanted.into())], null_tokens: tokens, ..Reshape::default() };
    // A row with null keeps this schema, and one with a number does not.
    let rule = if expected == "null" { "null" } else { "number" };
    let schema = format!("{{\"properties\":{{\"n\":{{\"type\":\"{rule}\"}}}}}}");
    let schema = Some(Schema::parse(&schema).expect("a schema"));
    let line = format!("{{\"n\":{expected},\"s\":\"x\"}}");
    for input in [format!("n,s\n{cell},x\n"), format!("n,s\n\"{cell}\",x\n")] {
        check(&csv(typed.clone()), &input, &[&line], &[]);
        check(&csv(Reshape { schema: schema.clone(), ..typed.clone() }), &input, &[&line], &[]);
    }
}

#[test]
fn null_tokens_may_look_like_numbers() {
    check_null(&["0"], FieldType::Integer, "0", "null");
    check_null(&["0"], FieldType::Integer, "00", "0");
    check_null(&["0"], FieldType::Integer, "10", "10");
    check_null(&["0"], FieldType::Decimal, "0.0", "0.0");
    check_null(&["-1", "999"], FieldType::Integer, "-1", "null");
    check_null(&["-1", "999"], FieldType::Float, "999", "null");
    check_null(&["-1", "999"], FieldType::Integer, "1", "1");
    check_null(&["NA", "9e9"], FieldType::Float, "9e9", "null");
    check_null(&["NA", "99.90"], FieldType::Decimal, "99.90", "null");
    check_null(&["NA", "99.90"], FieldType::Decimal, "99.9", "99.9");
    check_null(&["-"], FieldType::Integer, "-", "null");
    check_null(&["-"], FieldType::Integer, "-5", "-5");
    // These are no numbers of JSON, so no number is copied past them.
    check_null(&["+1"], FieldType::Integer, "+1", "null");
    check_null(&["+1"], FieldType::Integer, "1", "1");
    check_null(&[".5"], FieldType::Decimal, ".5", "null");
    check_null(&["", "NA"], FieldType::Integer, "12", "12");
}

#[test]
fn every_rule_sees_the_null() {
    let typed = || Reshape {
        types: vec![(path("n"), FieldType::Integer.into())],
        null_tokens: vec!["-1".into()],
        ..Reshape::default()
    };
    let input = "n,s\n-1,x\n1,y\n";
    let cast = Reshape { cast: vec![(path("n"), FieldType::String.into())], ..typed() };
    check(&csv(cast), input, &[r#"{"n":null,"s":"x"}"#, r#"{"n":"1","s":"y"}"#], &[]);
    let condition = Some(Condition::Field(path("n"), Test::IsNull(true)));
    check(&csv(Reshape { condition, ..typed() }), input, &[r#"{"n":null,"s":"x"}"#], &[]);
    // A column without a type has no null.
    check(
        &csv(Reshape { types: Vec::new(), ..typed() }),
        input,
        &[r#"{"n":"-1","s":"x"}"#, r#"{"n":"1","s":"y"}"#],
        &[],
    );
    // In JSON only a string is a token.
    let json = StreamOptions { reshape: typed(), ..StreamOptions::new(RecordFormat::NdJson) };
    check(&json, "{\"n\":-1}\n{\"n\":\"-1\"}\n", &[r#"{"n":-1}"#, r#"{"n":null}"#], &[]);
}

#[test]
fn blanks_around_json_are_not_written() {
    let json = || vec![(path("j"), FieldType::Json.into())];
    let rules = [
        (Reshape { types: json(), ..Reshape::default() }, "type_mismatch"),
        (Reshape { cast: json(), ..Reshape::default() }, "cast_impossible"),
    ];
    let cell = |text: &str, expected: Option<&str>| {
        let quoted = format!("j,s\n\"{}\",x\n", text.replace('"', "\"\""));
        let string = format!("{{\"j\":{},\"s\":\"x\"}}\n", serde_json::Value::from(text));
        let line = expected.map(|expected| format!("{{\"j\":{expected},\"s\":\"x\"}}"));
        let lines: Vec<&str> = line.as_deref().into_iter().collect();
        for (reshape, code) in &rules {
            let rejects = if expected.is_some() { vec![] } else { vec![(*code, 1)] };
            check(&csv(reshape.clone()), &quoted, &lines, &rejects);
            let json = StreamOptions { reshape: reshape.clone(), ..StreamOptions::new(RecordFormat::NdJson) };
            check(&json, &string, &lines, &rejects);
        }
    };
    cell("[1]", Some("[1]"));
    cell("  [1, 2] ", Some("[1, 2]"));
    cell("\t{\"a\": 1}\r\n", Some("{\"a\": 1}"));
    cell("\n{\n  \"a\": 1\n}\n", Some("{\"a\":1}"));
    cell(" \" x \" ", Some("\" x \""));
    cell(" null", Some("null"));
    cell("7 ", Some("7"));
    cell("", None);
    cell(" \t", None);
    cell("1 2", None);
    // Only the white space of JSON is none of the value.
    cell("\u{a0}1", None);
    cell("\u{b}1", None);
    // A quote behind a blank opens no quoted field.
    check(&csv(rules[0].0.clone()), "j,s\n \"x\" , y\n", &[r#"{"j":"x","s":" y"}"#], &[]);
}

#[test]
fn a_row_that_becomes_too_long_is_given_up_at_the_field() {
    let limits = RecordLimits { output_bytes: 30, ..RecordLimits::default() };
    let with = |reshape| StreamOptions { limits, ..csv(reshape) };
    let integer = || vec![(path("n"), FieldType::Integer.into())];
    let too_large = [("output_too_large", 1)];
    // 16 bytes of the line are not this text, and 9 of them belong to the field behind it.
    let row = |length: usize, n: &str| format!("a,n\n{},{n}\n1,2\n", "x".repeat(length));
    let text = r#"{"a":"1","n":"2"}"#;
    let exact = format!("{{\"a\":\"{}\",\"n\":\"2\"}}", "x".repeat(14));
    check(&with(Reshape::default()), &row(14, "2"), &[&exact, text], &[]);
    check(&with(Reshape::default()), &row(15, "2"), &[text], &too_large);
    // What comes behind the field is not looked at.
    for reshape in
        [Reshape { types: integer(), ..Reshape::default() }, Reshape { cast: integer(), ..Reshape::default() }]
    {
        let code = if reshape.cast.is_empty() { "type_mismatch" } else { "cast_impossible" };
        check(&with(reshape.clone()), &row(23, "y"), &[r#"{"a":"1","n":2}"#], &[(code, 1)]);
        check(&with(reshape), &row(24, "y"), &[r#"{"a":"1","n":2}"#], &too_large);
    }
    // The row that a schema sees has the limit too, whatever is written of it, and wherever it is passed.
    let schema = Schema::parse("true").ok();
    let one = |column: &str| with(Reshape { schema: schema.clone(), select: paths(&[column]), ..Reshape::default() });
    check(&one("n"), &row(25, "2"), &[r#"{"n":"2"}"#], &too_large);
    check(&one("a"), &format!("a,n\n2,{}\n1,2\n", "x".repeat(25)), &[r#"{"a":"1"}"#], &too_large);
}

#[test]
fn a_row_that_becomes_too_long_does_not_fill_the_output() {
    let names: Vec<String> = (0..1000).map(|column| format!("{column:01000}")).collect();
    let dialect = CsvDialect { header: CsvHeader::Given(names), ragged: RaggedRows::Pad, ..CsvDialect::default() };
    let limits = RecordLimits { output_bytes: 10_000, ..RecordLimits::default() };
    let mut stream = RecordStream::new(&StreamOptions { limits, ..StreamOptions::new(RecordFormat::Csv(dialect)) });
    stream.fill(b"1\n2\n");
    let (mut output, mut codes) = (Vec::new(), Vec::new());
    let progress = stream.process(true, &mut output, 1, &mut |reject| {
        codes.push(reject.problem.code());
        Flow::Continue
    });
    assert_eq!((progress, codes.as_slice()), (Ok(Progress::Finished), &["output_too_large"; 2][..]));
    assert!(output.is_empty() && output.capacity() < 40_000, "{} bytes are held for 10000", output.capacity());
}
