//! JSON in every layout: what comes out, what is refused and where, whatever the chunks.

mod support;

use proptest::prelude::*;
use record_stream::{JsonLayout, JsonMode, RecordFormat, RecordLimits, StreamOptions};
use serde_json::Value;
use support::{run, run_in_all_chunkings};

fn options(format: RecordFormat) -> StreamOptions {
    let limits =
        RecordLimits { record_bytes: 200, depth: 10, fields: 8, values: 100, header_bytes: 100, output_bytes: 300 };
    StreamOptions { limits, ..StreamOptions::new(format) }
}

fn layout(pointer: &[&str], mode: JsonMode) -> RecordFormat {
    let pointer = pointer.iter().map(|token| (*token).to_owned()).collect();
    RecordFormat::Json(JsonLayout { pointer, mode })
}

fn pointer(names: &[&str]) -> RecordFormat {
    layout(names, JsonMode::Array)
}

/// Expects lines of output, rejects as (code, byte, line, record) and the code of the error that ends the stream.
fn check(format: RecordFormat, input: &[u8], lines: &[&str], rejects: &[(&str, u64, u64, u64)], error: Option<&str>) {
    let shown = String::from_utf8_lossy(input).chars().take(120).collect::<String>();
    let result = run_in_all_chunkings(&options(format), input);
    assert_eq!(result.output.lines().collect::<Vec<_>>(), lines, "output of {shown}");
    let found: Vec<_> =
        result.rejects.iter().map(|(code, byte, line, record, _)| (code.as_str(), *byte, *line, *record)).collect();
    assert_eq!(found, rejects, "rejects of {shown}");
    assert_eq!(result.error.as_ref().map(|error| error.0.as_str()), error, "error of {shown}");
}

#[test]
fn lines_are_records() {
    check(RecordFormat::NdJson, b"{\"a\":1}\n\n  \r\n[2] \r\n\"x\"", &["{\"a\":1}", "[2]", "\"x\""], &[], None);
    check(RecordFormat::NdJson, b"", &[], &[], None);
    check(RecordFormat::NdJson, b"\xEF\xBB\xBF1\n", &["1"], &[], None);
    check(RecordFormat::NdJson, b"\xEF\xBB", &[], &[("invalid_utf8", 0, 1, 1)], None);
}

#[test]
fn a_bad_line_is_a_reject_and_the_next_one_is_read() {
    let input = b"{\"a\":1}\n{\"a\":}\n\xFF\n{\"a\":2} x\n{\"b\":\"\\ud800\"}\n{\"a\":3}\n";
    let rejects =
        [("invalid_json", 8, 2, 2), ("invalid_utf8", 15, 3, 3), ("invalid_json", 17, 4, 4), ("invalid_json", 27, 5, 5)];
    check(RecordFormat::NdJson, input, &["{\"a\":1}", "{\"a\":3}"], &rejects, None);
}

#[test]
fn a_line_over_the_limit_is_a_reject_and_the_next_one_is_read() {
    let exact = format!("\"{}\"", "x".repeat(198));
    let over = format!("\"{}\"", "x".repeat(199));
    let input = format!("{exact}\n{over}\n1\n{over}");
    let rejects = [("record_too_large", 201, 2, 2), ("record_too_large", 405, 4, 4)];
    check(RecordFormat::NdJson, input.as_bytes(), &[&exact, "1"], &rejects, None);
}

#[test]
fn elements_of_an_array_are_records() {
    let array = || layout(&[], JsonMode::Array);
    check(array(), b" [ ] ", &[], &[], None);
    check(
        array(),
        b"[{\"a\":[1,\"]\"]},2 , \"x\\\"]\",null]",
        &["{\"a\":[1,\"]\"]}", "2", "\"x\\\"]\"", "null"],
        &[],
        None,
    );
    check(array(), b"[{\n \"a\" : 1\n},\n{\"b\" : 2}]", &["{\"a\":1}", "{\"b\" : 2}"], &[], None);
    check(array(), b"[1,2", &["1"], &[], Some("unexpected_end"));
    check(array(), b"[1,]", &["1"], &[], Some("invalid_json"));
    check(array(), b"[1 2]", &["1"], &[], Some("invalid_json"));
    check(array(), b"[1]x", &["1"], &[], Some("invalid_json"));
    check(array(), b"{}", &[], &[], Some("pointer_not_an_array"));
    check(array(), b" ", &[], &[], Some("no_json_value"));
    check(
        array(),
        b"[{\"a\":1},{\"a\":tru},{\"a\":2}]",
        &["{\"a\":1}", "{\"a\":2}"],
        &[("invalid_json", 9, 1, 2)],
        None,
    );
}

#[test]
fn an_element_over_the_limit_is_a_reject_and_the_next_one_is_read() {
    let over = format!("{{\"x\":\"{}\"}}", "]".repeat(300));
    let text = "y".repeat(300);
    let number = "1".repeat(300);
    let input = format!("[1,\n{over},\n2,\"{text}\",{number},3]");
    let rejects = [("record_too_large", 4, 2, 2), ("record_too_large", 316, 3, 4), ("record_too_large", 619, 3, 5)];
    check(layout(&[], JsonMode::Array), input.as_bytes(), &["1", "2", "3"], &rejects, None);
}

#[test]
fn a_pointer_leads_through_anything_to_the_array() {
    let long = "z".repeat(1000);
    let input = format!(
        "{{\"meta\":{{\"data\":[0],\"x\":\"{long}\"}},\"data\":{{\"n\":-1.5e3,\"orders\":[1,{{}}],\"t\":[true,{{\"a\":\"\\u0041\"}}]}}}}"
    );
    check(pointer(&["data", "orders"]), input.as_bytes(), &["1", "{}"], &[], None);
    check(pointer(&["data", "none"]), input.as_bytes(), &[], &[], Some("pointer_not_found"));
    check(pointer(&["data", "n"]), input.as_bytes(), &[], &[], Some("pointer_not_an_array"));
    check(pointer(&["a"]), b"{\"a\":[1],\"b\":[}", &["1"], &[], Some("invalid_json"));
    check(pointer(&["a"]), b"{\"a\":[1]", &["1"], &[], Some("unexpected_end"));
    check(pointer(&["a"]), b"{\"b\":[[[[[[[[[[[[1]]]]]]]]]]]]}", &[], &[], Some("too_deep"));
}

#[test]
fn a_document_is_one_record_and_values_may_follow_one_another() {
    check(layout(&[], JsonMode::Document), b" {\"a\":\n[1]}\n", &["{\"a\":[1]}"], &[], None);
    check(layout(&[], JsonMode::Document), b"[1,2]", &["[1,2]"], &[], None);
    check(layout(&[], JsonMode::Document), b"{}{}", &["{}"], &[], Some("invalid_json"));
    check(layout(&[], JsonMode::Document), b"12", &["12"], &[], None);
    check(layout(&[], JsonMode::Document), b"{\"a\":", &[], &[], Some("unexpected_end"));
    check(layout(&[], JsonMode::Auto), b"[1,2]", &["1", "2"], &[], None);
    check(layout(&[], JsonMode::Auto), b"{\"a\":1}\n{\"b\":2}\n", &["{\"a\":1}", "{\"b\":2}"], &[], None);
    check(layout(&[], JsonMode::Auto), b"{\"a\":1} ]", &["{\"a\":1}"], &[], Some("invalid_json"));
}

#[test]
fn the_mode_says_what_the_pointer_leads_to() {
    let at = |mode| layout(&["a"], mode);
    check(at(JsonMode::Auto), b"{\"a\":[1,2],\"b\":0}", &["1", "2"], &[], None);
    check(at(JsonMode::Auto), b"{\"a\":{\"x\":1},\"b\":0} ", &["{\"x\":1}"], &[], None);
    check(at(JsonMode::Document), b"{\"a\":[1,2]}", &["[1,2]"], &[], None);
    check(at(JsonMode::Document), b"{\"a\":12}", &["12"], &[], None);
    check(at(JsonMode::Document), b"{\"a\":12", &[], &[], Some("unexpected_end"));
    check(at(JsonMode::Array), b"{\"a\":12}", &[], &[], Some("pointer_not_an_array"));
    check(at(JsonMode::Array), b"{\"a\":}", &[], &[], Some("invalid_json"));
    check(at(JsonMode::Auto), b"{\"a\":{\"x\":1} {}", &["{\"x\":1}"], &[], Some("invalid_json"));
}

#[test]
fn nesting_members_and_values_have_limits() {
    let deep = format!("{}1{}", "[".repeat(11), "]".repeat(11));
    let just = format!("{}1{}", "[".repeat(10), "]".repeat(10));
    let wide = format!("{{{}}}", (0..9).map(|n| format!("\"{n}\":0")).collect::<Vec<_>>().join(","));
    let many = format!("[{}]", vec!["0"; 100].join(","));
    let input = format!("{deep}\n{just}\n{wide}\n{many}\n");
    let result = run_in_all_chunkings(
        &StreamOptions {
            limits: RecordLimits { record_bytes: 1000, ..options(RecordFormat::NdJson).limits },
            ..options(RecordFormat::NdJson)
        },
        input.as_bytes(),
    );
    let codes: Vec<&str> = result.rejects.iter().map(|reject| reject.0.as_str()).collect();
    assert_eq!(codes, ["too_deep", "too_many_fields", "too_many_values"]);
    assert_eq!(result.output, format!("{just}\n"));
}

#[test]
fn ten_thousand_levels_are_a_reject_not_a_crash() {
    let deep = "[".repeat(10_000);
    let unlimited = RecordLimits { depth: usize::MAX, ..RecordLimits::default() };
    let options = StreamOptions { limits: unlimited, ..StreamOptions::new(RecordFormat::NdJson) };
    let result = run(&options, deep.as_bytes(), 4096);
    assert_eq!(result.rejects[0].0, "too_deep");
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(Value::from),
        "[a-z\"\\\\{}\\[\\]\u{0}\u{1f600}\n]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 30, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec(("[a-d\"]{0,3}", inner), 0..5).prop_map(|members| members.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn what_serde_json_writes_comes_out_unchanged(records in prop::collection::vec(json(), 0..12), chunk in 1_usize..200) {
        let expected: String = records.iter().map(|record| format!("{record}\n")).collect();
        let limits = RecordLimits::default();
        let with = |format| StreamOptions { limits, ..StreamOptions::new(format) };
        let lines = run(&with(RecordFormat::NdJson), expected.as_bytes(), chunk);
        prop_assert_eq!(&lines.output, &expected);
        prop_assert!(lines.rejects.is_empty());
        let array = Value::from(records.clone()).to_string();
        let elements = run(&with(layout(&[], JsonMode::Array)), array.as_bytes(), chunk);
        prop_assert_eq!(&elements.output, &expected);
        let pretty = serde_json::to_string_pretty(&serde_json::json!({"before": records, "data": {"rows": records}, "z": [1]})).unwrap();
        let inner = run(&with(pointer(&["data", "rows"])), pretty.as_bytes(), chunk);
        prop_assert_eq!(&inner.output, &expected);
        prop_assert_eq!(inner.error, None);
    }

    #[test]
    fn mutated_records_are_accepted_exactly_when_serde_json_accepts_them(record in json(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut text = record.to_string().into_bytes();
        let place = at.index(text.len());
        text[place] = byte;
        prop_assume!(!text.contains(&b'\n'));
        prop_assume!(!text.iter().all(|byte| b" \t\r".contains(byte)));
        let result = run(&StreamOptions::new(RecordFormat::NdJson), &text, 16);
        // serde_json takes a number out of the range of a float for an error; here numbers are text.
        let expected = serde_json::from_slice::<&serde_json::value::RawValue>(&text).is_ok()
            && (serde_json::from_slice::<Value>(&text).is_ok() || text.iter().any(|byte| matches!(byte, b'e' | b'E')));
        prop_assert_eq!(result.counts.written == 1, expected, "{}", String::from_utf8_lossy(&text));
    }

    #[test]
    fn any_bytes_in_any_chunks_give_the_same(bytes in prop::collection::vec(prop::sample::select(b"[]{}\",:\\ 1a\ntrue\xFF".to_vec()), 0..400), chunk in 1_usize..80, which in 0_usize..5) {
        let format = [RecordFormat::NdJson, layout(&[], JsonMode::Auto), layout(&[], JsonMode::Document), layout(&[], JsonMode::Array), pointer(&["a"])][which].clone();
        let options = options(format);
        prop_assert_eq!(run(&options, &bytes, chunk), run(&options, &bytes, bytes.len()));
    }
}

/// The public JSON parsing test suite, where it is at hand: set `JSON_TEST_SUITE` to its `test_parsing` folder.
#[test]
fn the_public_json_suite_agrees() {
    let near = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/jsontestsuite/test_parsing");
    let folder = std::env::var_os("JSON_TEST_SUITE").map_or(near, Into::into);
    let Ok(entries) = std::fs::read_dir(&folder) else {
        println!("skipped: no JSON test suite (JSON_TEST_SUITE names its folder)");
        return;
    };
    let mut seen = 0;
    for entry in entries {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read(&path).unwrap();
        let result = run(&StreamOptions::new(layout(&[], JsonMode::Document)), &text, 7);
        let accepted = result.error.is_none() && result.rejects.is_empty();
        match name.as_bytes()[0] {
            b'y' => assert!(accepted, "{name} is valid: {result:?}"),
            b'n' => assert!(!accepted, "{name} is invalid"),
            _ => {}
        }
        seen += 1;
    }
    assert!(seen > 300, "the suite is incomplete");
}
