//! Where RFC 8259 leaves a reader free, this is what the engine decides: the promises of `docs/json.md`.
//!
//! The groups are those of the `i_` files ("implementation defined") of the public JSON parsing test suite; the texts are
//! our own.

mod support;

use record_stream::{JsonLayout, JsonMode, RecordFormat, RecordLimits, StreamOptions};
use support::{Run, run_in_all_chunkings};

fn document() -> RecordFormat {
    RecordFormat::Json(JsonLayout { pointer: Vec::new(), mode: JsonMode::Document })
}

/// Reads bytes as NDJSON and as one document, with the same outcome, and returns it: the line, or the code of the
/// problem.
fn read(bytes: &[u8]) -> Result<String, String> {
    let outcome_as = |format| outcome(&run_in_all_chunkings(&StreamOptions::new(format), bytes));
    let line = outcome_as(RecordFormat::NdJson);
    assert_eq!(outcome_as(document()), line, "as a document: {}", String::from_utf8_lossy(bytes));
    line
}

fn outcome(run: &Run) -> Result<String, String> {
    match (&run.error, run.rejects.as_slice()) {
        (None, []) => Ok(run.output.trim_end_matches('\n').to_owned()),
        (Some(error), _) => Err(error.0.clone()),
        (None, [reject, ..]) => Err(reject.0.clone()),
    }
}

/// Accepted, and written byte for byte as it came.
fn kept(text: &str) {
    assert_eq!(read(text.as_bytes()).as_deref(), Ok(text));
}

fn refused(bytes: &[u8], code: &str) {
    assert_eq!(read(bytes), Err(code.to_owned()), "{}", String::from_utf8_lossy(bytes));
}

#[test]
fn numbers_of_any_size_are_text() {
    for number in [
        "1e400",
        "-1e400",
        "1E+99999999999999999999",
        "0.5e-99999999999999999999",
        "123456789012345678901234567890123456789",
        "-123456789012345678901234567890123456789",
        "1.0000000000000000000000000000000000000000000000001",
        "-0",
        "-0.0e-0",
    ] {
        kept(number);
        kept(&format!("{{\"n\":[{number}]}}"));
    }
    for text in ["01", "+1", ".5", "1.", "1e", "0x1", "NaN", "Infinity", "-"] {
        refused(format!("[{text}]").as_bytes(), "invalid_json");
    }
}

#[test]
fn surrogates_come_in_pairs() {
    kept(r#""\ud83d\ude00 \uD834\uDD1E""#);
    // Not characters, but numbers that Unicode sets aside: escapes for them are text like any other.
    kept(r#""\uffff \ufdd0 \u0000""#);
    for text in [
        r#"["\ud83d"]"#,
        r#"["\ude00"]"#,
        r#"["\ude00\ud83d"]"#,
        r#"["\ud83d\ud83d"]"#,
        r#"["\ud83d\u0061"]"#,
        r#"["\ud83dabc"]"#,
        r#"["\ud83d\n"]"#,
        r#"{"\ude00":1}"#,
    ] {
        refused(text.as_bytes(), "invalid_json");
    }
}

#[test]
fn text_is_utf8() {
    kept("\"é € 😀 \u{10ffff} \u{fffe}\"");
    for bytes in [
        &b"[\"\xff\"]"[..],
        b"[\"\xe9t\xe9\"]",
        b"[\"\x80\"]",
        b"[\"\xe2\x82\"]",
        b"[\"\xc0\xaf\"]",
        b"[\"\xed\xa0\x80\"]",
        b"[\"\xf4\x90\x80\x80\"]",
        b"[\"\xfc\x83\xbf\xbf\xbf\xbf\"]",
    ] {
        refused(bytes, "invalid_utf8");
    }
}

#[test]
fn a_byte_order_mark_is_skipped_at_the_start_and_nowhere_else() {
    assert_eq!(read(b"\xEF\xBB\xBF{}").as_deref(), Ok("{}"));
    refused(b"[\xEF\xBB\xBF1]", "invalid_json");
    let twice = b"\xEF\xBB\xBF\xEF\xBB\xBF{}";
    refused(twice, "invalid_json");
    kept("\"\u{feff}\"");
}

#[test]
fn utf16_is_not_taken_for_utf8() {
    for text in ["[1]", "[\"é\"]"] {
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        for bytes in [[&b"\xFF\xFE"[..], &little].concat(), [&b"\xFE\xFF"[..], &big].concat(), little, big] {
            let lines = run_in_all_chunkings(&StreamOptions::new(RecordFormat::NdJson), &bytes);
            let document = run_in_all_chunkings(&StreamOptions::new(document()), &bytes);
            assert!(outcome(&lines).is_err() && outcome(&document).is_err(), "{bytes:?}");
        }
    }
}

#[test]
fn nesting_goes_as_deep_as_the_limit() {
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let read_within = |text: &str, depth| {
        let limits = RecordLimits { depth, ..RecordLimits::default() };
        let options = StreamOptions { limits, ..StreamOptions::new(RecordFormat::NdJson) };
        outcome(&run_in_all_chunkings(&options, text.as_bytes()))
    };
    kept(&nested(RecordLimits::default().depth));
    refused(nested(RecordLimits::default().depth + 1).as_bytes(), "too_deep");
    let deepest = nested(RecordLimits::DEPTH_CEILING);
    assert_eq!(read_within(&deepest, usize::MAX), Ok(deepest.clone()));
    assert_eq!(read_within(&format!("[{deepest}]"), usize::MAX), Err("too_deep".to_owned()));
    // A reader that calls itself for every level has no stack left here.
    assert_eq!(read_within(&nested(200_000), usize::MAX), Err("too_deep".to_owned()));
}

#[test]
fn a_record_without_rules_keeps_its_repeated_keys() {
    kept(r#"{"a":1,"a":2,"\u0061":3,"b":{"a":4,"a":4}}"#);
}

#[test]
fn white_space_and_line_breaks() {
    kept("{ \"a\" :\t1 }");
    assert_eq!(read(b"\t[1,\r2 ] \r\n").as_deref(), Ok("[1,2]"), "an inner line break takes all white space with it");
    refused(b"[1,\x0b2]", "invalid_json");
    refused("[1,\u{a0}2]".as_bytes(), "invalid_json");
    refused(b"[\"a\tb\"]", "invalid_json");
    refused(b"[\"\0\"]", "invalid_json");
    kept("\"\u{2028}\u{7f}\"");
}
