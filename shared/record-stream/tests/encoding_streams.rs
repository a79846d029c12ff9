//! UTF-16 and Latin-1 through whole streams: the same text in another encoding is the same stream.

mod support;

use proptest::prelude::*;
use record_stream::{
    Condition, CsvDialect, FieldPath, JsonLayout, JsonMode, RecordFormat, Reshape, Scalar, StreamOptions, Test,
    TextEncoding,
};
use support::{Run, run, run_in_all_chunkings};

fn array() -> RecordFormat {
    RecordFormat::Json(JsonLayout { pointer: Vec::new(), mode: JsonMode::Array })
}

fn nested() -> RecordFormat {
    RecordFormat::Json(JsonLayout { pointer: vec!["größe".into()], mode: JsonMode::Auto })
}

fn csv() -> RecordFormat {
    RecordFormat::Csv(CsvDialect::default())
}

fn little(units: &[u16]) -> Vec<u8> {
    units.iter().copied().flat_map(u16::to_le_bytes).collect()
}

fn big(units: &[u16]) -> Vec<u8> {
    units.iter().copied().flat_map(u16::to_be_bytes).collect()
}

fn units(text: &str) -> Vec<u16> {
    text.encode_utf16().collect()
}

/// A text in UTF-16 in every way in which it can come.
fn utf16_forms(units: &[u16]) -> [(TextEncoding, Vec<u8>); 7] {
    let marked = [&[0xFEFF], units].concat();
    [
        (TextEncoding::Utf16, little(units)),
        (TextEncoding::Utf16, little(&marked)),
        (TextEncoding::Utf16, big(&marked)),
        (TextEncoding::Utf16Le, little(units)),
        (TextEncoding::Utf16Le, little(&marked)),
        (TextEncoding::Utf16Be, big(units)),
        (TextEncoding::Utf16Be, big(&marked)),
    ]
}

fn options(format: &RecordFormat, encoding: TextEncoding) -> StreamOptions {
    StreamOptions { encoding, ..StreamOptions::new(format.clone()) }
}

fn read(format: &RecordFormat, encoding: TextEncoding, bytes: &[u8]) -> Run {
    run_in_all_chunkings(&options(format, encoding), bytes)
}

/// A text is the same stream in every encoding that has its characters: output, rejects with their places, counts and
/// the error that ends it. It has this many records, of which so many are written.
fn check(format: &RecordFormat, text: &str, records: u64, written: u64) {
    let expected = read(format, TextEncoding::Utf8, text.as_bytes());
    assert_eq!((expected.counts.read, expected.counts.written), (records, written), "{text}");
    for (encoding, bytes) in utf16_forms(&units(text)) {
        assert_eq!(read(format, encoding, &bytes), expected, "{encoding:?}: {text}");
    }
    let latin: Result<Vec<u8>, _> = text.chars().map(|character| u8::try_from(u32::from(character))).collect();
    if let Ok(latin) = latin {
        assert_eq!(read(format, TextEncoding::Latin1, &latin), expected, "Latin-1: {text}");
    }
}

#[test]
fn lines_in_every_encoding() {
    check(&RecordFormat::NdJson, "", 0, 0);
    check(&RecordFormat::NdJson, "{\"größe\":\"é\u{80}ÿ\"}\r\n\n[\"ß\"]", 2, 2);
    check(&RecordFormat::NdJson, "{\"€\":\"日本語 😀\"}\n\"\u{10ffff}\"\n\"\u{feff}\"\n", 3, 3);
    check(&RecordFormat::NdJson, "{\"a\":\"é\"}\n{\"ü\":}\nÿ\n{\"a\":2}\n", 4, 2);
    check(&RecordFormat::NdJson, &format!("[\"{}\"]\n", "é😀".repeat(400)), 1, 1);
    check(&RecordFormat::NdJson, &format!("[\"{}\"]\n", "é".repeat(1500)), 1, 1);
}

#[test]
fn arrays_and_documents_in_every_encoding() {
    check(&array(), "[{\"ä\":\"ö\"},\n \"]😀\", 3]", 3, 3);
    check(&array(), "[\"ä\",\n{\"ü\" 1},\r\n\"€\"]", 3, 2);
    check(&array(), "[\"ä\",", 1, 1);
    check(&array(), "[\"é\"]é", 1, 1);
    check(&nested(), "{\"andere\":[\"é\"],\"größe\":[\"x\",{\"é\":\n\"ÿ\"}]}", 2, 2);
}

#[test]
fn rows_in_every_encoding() {
    check(&csv(), "größe,\"n\"\"ä\"\n1,é\r\n\"x\nÿ\",\"😀\"\"\"\n", 2, 2);
    check(&csv(), "größe,b\nä,ö\r1\rü,ß\n", 3, 2);
    check(&csv(), "a,b\né,\"open ß\n", 0, 0);
    check(&csv(), &format!("a,b\n{}", "é,\"ü,€\"\n".repeat(200)), 200, 200);
    check(&csv(), &format!("a,b\n{}", "é,ß\n".repeat(300)), 300, 300);
}

#[test]
fn only_the_first_mark_is_skipped() {
    // What stands behind a mark, in every encoding that has one. All lines and the codes and records of the rejects.
    let check = |format: &RecordFormat, text: &str, lines: &[&str], rejects: &[(&str, u64)]| {
        let marked = format!("\u{feff}{text}");
        let sixteen = units(&marked);
        for (encoding, bytes) in [
            (TextEncoding::Utf8, marked.clone().into_bytes()),
            (TextEncoding::Utf16, little(&sixteen)),
            (TextEncoding::Utf16, big(&sixteen)),
            (TextEncoding::Utf16Le, little(&sixteen)),
            (TextEncoding::Utf16Be, big(&sixteen)),
        ] {
            let result = read(format, encoding, &bytes);
            assert_eq!(result.output.lines().collect::<Vec<_>>(), lines, "{encoding:?}: {text:?}");
            let found: Vec<_> = result.rejects.iter().map(|reject| (reject.0.as_str(), reject.3)).collect();
            assert_eq!((found.as_slice(), result.error), (rejects, None), "{encoding:?}: {text:?}");
        }
    };
    check(&RecordFormat::NdJson, "1\n2\n", &["1", "2"], &[]);
    check(&RecordFormat::NdJson, "\u{feff}1\n2\n", &["2"], &[("invalid_json", 1)]);
    check(&RecordFormat::NdJson, "1\n\u{feff}2\n3\n", &["1", "3"], &[("invalid_json", 2)]);
    check(&csv(), "a,b\n1,2\n", &[r#"{"a":"1","b":"2"}"#], &[]);
    let content = "{\"\u{feff}a\":\"1\",\"b\":\"\u{feff}2\"}";
    check(&csv(), "\u{feff}a,b\n1,\u{feff}2\n", &[content], &[]);
    // In Latin-1 the bytes of the UTF-8 mark are three characters like others.
    let latin = read(&csv(), TextEncoding::Latin1, b"\xEF\xBB\xBFa\n1\n");
    assert_eq!((latin.output.as_str(), latin.error), ("{\"\u{ef}\u{bb}\u{bf}a\":\"1\"}\n", None));
}

#[test]
fn rules_meet_characters_not_bytes() {
    let stadt = FieldPath::name("größe");
    let reshape = Reshape {
        condition: Some(Condition::Field(stadt.clone(), Test::Equal(Scalar::Text("é".into())))),
        rename: vec![(stadt, "size".into())],
        ..Reshape::default()
    };
    let expected = "{\"size\":\"é\"}\n";
    for (format, text) in [
        (RecordFormat::NdJson, "{\"größe\":\"é\"}\n{\"größe\":\"e\"}\n{\"größe\":\"ÿ\"}\n"),
        (array(), "[{\"größe\":\"é\"},{\"größe\":\"e\"}]"),
        (csv(), "größe\né\ne\n"),
    ] {
        let with = |encoding| StreamOptions { reshape: reshape.clone(), ..options(&format, encoding) };
        for (encoding, bytes) in utf16_forms(&units(text)) {
            assert_eq!(run_in_all_chunkings(&with(encoding), &bytes).output, expected, "{encoding:?}: {text}");
        }
        let latin: Vec<u8> = text.chars().map(|character| u8::try_from(u32::from(character)).unwrap()).collect();
        assert_eq!(run_in_all_chunkings(&with(TextEncoding::Latin1), &latin).output, expected, "{text}");
    }
}

/// Puts these units in the place of each `#` of a text and expects lines, and of the rejects code, line and record.
fn check_units(format: &RecordFormat, text: &str, broken: &[u16], lines: &[&str], rejects: &[(&str, u64, u64)]) {
    let text: Vec<u16> = units(text)
        .into_iter()
        .flat_map(|unit| if unit == u16::from(b'#') { broken.to_vec() } else { vec![unit] })
        .collect();
    for (encoding, bytes) in utf16_forms(&text) {
        let result = read(format, encoding, &bytes);
        let context = format!("{encoding:?}, {broken:x?}");
        assert_eq!(result.output.lines().collect::<Vec<_>>(), lines, "{context}");
        let found: Vec<_> =
            result.rejects.iter().map(|(code, _, line, record, _)| (code.as_str(), *line, *record)).collect();
        assert_eq!(found, rejects, "{context}");
        assert_eq!(result.error, None, "{context}");
    }
}

#[test]
fn half_a_pair_rejects_only_its_record() {
    let (high, low) = (0xD83D, 0xDE00);
    for broken in [&[high][..], &[low], &[low, high], &[high, high], &[high, 0x61], &[low, low, low]] {
        let lines = [r#"{"a":"é"}"#, r#"{"a":3}"#];
        let rejects = [("invalid_utf8", 2, 2)];
        check_units(&RecordFormat::NdJson, "{\"a\":\"é\"}\n{\"a\":\"x#y\"}\n{\"a\":3}\n", broken, &lines, &rejects);
        check_units(&RecordFormat::NdJson, "{\"a\":\"é\"}\n{\"#\":1}\r\n{\"a\":3}", broken, &lines, &rejects);
        check_units(&RecordFormat::NdJson, "{\"a\":\"é\"}\n#\n{\"a\":3}", broken, &lines, &rejects);
        check_units(&array(), "[{\"a\":\"é\"},\n{\"a\":\"x#\"},\n{\"a\":3}]", broken, &lines, &rejects);
        let rows = [r#"{"a":"é","b":"1"}"#, r#"{"a":"😀","b":"3"}"#];
        check_units(&csv(), "a,b\né,1\nx#y,2\n😀,3\n", broken, &rows, &[("invalid_utf8", 3, 2)]);
        check_units(&csv(), "a,b\né,1\n2,x#\n😀,3\n", broken, &rows, &[("invalid_utf8", 3, 2)]);
        check_units(&csv(), "a,b\né,1\n\"x\n#\",2\n😀,3\n", broken, &rows, &[("invalid_utf8", 3, 2)]);
    }
    // A whole pair is a character.
    check_units(&csv(), "a\n#\n", &[high, low], &[r#"{"a":"😀"}"#], &[]);
}

#[test]
fn an_object_that_ends_inside_a_character_is_not_cut_silently() {
    let check = |format: &RecordFormat, text: &str, tail: &[u8], lines: &[&str], rejects: &[(&str, u64)]| {
        let mut bytes = little(&units(text));
        bytes.extend_from_slice(tail);
        let result = read(format, TextEncoding::Utf16Le, &bytes);
        assert_eq!(result.output.lines().collect::<Vec<_>>(), lines, "{text} and {tail:x?}");
        let found: Vec<_> = result.rejects.iter().map(|reject| (reject.0.as_str(), reject.3)).collect();
        assert_eq!((found.as_slice(), result.error), (rejects, None), "{text} and {tail:x?}");
    };
    for tail in [&b"\x31"[..], b"\x3d\xd8", b"\x3d\xd8\x00"] {
        check(&RecordFormat::NdJson, "1\n2", tail, &["1"], &[("invalid_utf8", 2)]);
        check(&RecordFormat::NdJson, "1\n2\n", tail, &["1", "2"], &[("invalid_utf8", 3)]);
        check(&csv(), "a\n1\n2", tail, &[r#"{"a":"1"}"#], &[("invalid_utf8", 2)]);
    }
    let mut bytes = little(&units("[1,2]"));
    bytes.push(b' ');
    assert_eq!(read(&array(), TextEncoding::Utf16Le, &bytes).error.map(|error| error.0), Some("invalid_json".into()));
}

#[test]
fn the_wrong_byte_order_is_refused() {
    let text = units("{\"a\":1}\n");
    for (encoding, bytes) in [
        (TextEncoding::Utf16Le, big(&text)),
        (TextEncoding::Utf16Be, little(&text)),
        (TextEncoding::Utf16, big(&text)),
        (TextEncoding::Utf16Le, big(&[&[0xFEFF][..], &text].concat())),
        (TextEncoding::Utf8, little(&text)),
        (TextEncoding::Latin1, little(&text)),
    ] {
        let result = read(&RecordFormat::NdJson, encoding, &bytes);
        assert_eq!((result.counts.written, result.rejects.is_empty()), (0, false), "{encoding:?}");
    }
}

#[test]
fn half_a_character_in_the_header_ends_the_object() {
    let text = [&units("a,")[..], &[0xD800], &units("\n1,2\n")].concat();
    for (encoding, bytes) in utf16_forms(&text) {
        let result = read(&csv(), encoding, &bytes);
        assert_eq!(result.error.map(|error| (error.0, error.2)), Some(("invalid_utf8".into(), 1)), "{encoding:?}");
    }
}

proptest! {
    /// Characters of every length, line breaks, quotes and brackets: what UTF-8 makes of it, UTF-16 does.
    #[test]
    fn any_text_is_the_same_stream(text in "[a\"\\[\\]{}:,\n\r é€😀]{0,120}", form in 0_usize..7, which in 0_usize..3, chunk in 1_usize..90) {
        let format = [RecordFormat::NdJson, array(), csv()][which].clone();
        let (encoding, bytes) = utf16_forms(&units(&text))[form].clone();
        let expected = run(&options(&format, TextEncoding::Utf8), text.as_bytes(), text.len());
        prop_assert_eq!(run(&options(&format, encoding), &bytes, chunk), expected);
    }

    #[test]
    fn any_units_in_any_chunks_give_the_same(
        units in prop::collection::vec(prop::sample::select(vec![0x22, 0x2C, 0x0A, 0x61, 0xE9, 0xD83D, 0xDE00, 0xFEFF, 0x5B]), 0..120),
        form in 0_usize..7, which in 0_usize..3, chunk in 1_usize..90, odd in any::<bool>(),
    ) {
        let format = [RecordFormat::NdJson, array(), csv()][which].clone();
        let (encoding, mut bytes) = utf16_forms(&units)[form].clone();
        bytes.extend(odd.then_some(0x61));
        let options = options(&format, encoding);
        prop_assert_eq!(run(&options, &bytes, chunk), run(&options, &bytes, bytes.len()));
    }
}
