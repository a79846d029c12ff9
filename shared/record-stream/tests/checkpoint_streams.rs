//! A stream that goes on at a checkpoint gives what one stream over the whole object gives.
#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

mod support;

use proptest::prelude::*;
use record_stream::{
    Checkpoint, CsvDialect, CsvHeader, JsonLayout, JsonMode, Problem, RecordFormat, RecordLimits, RecordStream,
    StreamOptions, TextEncoding,
};
use support::{Driver, run_in_all_chunkings};

/// Reads up to `cut`, puts the checkpoint into JSON and out again, and reads the rest with another stream. Says whether
/// there was a checkpoint; the result must be that of one stream either way.
fn check(options: &StreamOptions, input: &[u8], cut: usize, chunk: usize) -> bool {
    let whole = run_in_all_chunkings(options, input);
    let mut driver = Driver::new(RecordStream::new(options));
    if !driver.push(&input[..cut], chunk, false) {
        return false;
    }
    let checkpoint = driver.stream.checkpoint();
    let is_there = checkpoint.is_some();
    let mut from = cut;
    if let Some(checkpoint) = checkpoint {
        assert!(checkpoint.byte <= input.len() as u64 * 2);
        let text = serde_json::to_string(&checkpoint).unwrap();
        let checkpoint: Checkpoint = serde_json::from_str(&text).unwrap();
        driver.stream = RecordStream::resume(options, &checkpoint).unwrap();
        from = RecordStream::first_byte(options.encoding, &checkpoint) as usize;
    }
    driver.push(&input[from..], chunk, true);
    assert_eq!(driver.end(), whole, "cut at {cut}, chunks of {chunk}: {}", String::from_utf8_lossy(input));
    is_there
}

/// Cuts a text everywhere; answers how many of the cuts had a checkpoint.
fn check_everywhere(format: &RecordFormat, text: &str) -> usize {
    let options = StreamOptions::new(format.clone());
    (0..=text.len()).filter(|cut| check(&options, text.as_bytes(), *cut, 7)).count()
}

fn json(pointer: &[&str], mode: JsonMode) -> RecordFormat {
    RecordFormat::Json(JsonLayout { pointer: pointer.iter().map(|token| (*token).to_owned()).collect(), mode })
}

#[test]
fn lines_go_on_everywhere() {
    let text = "{\"a\":1}\r\n\n  \nnot json\n{\"a\":2}\n{\"a\":3}";
    // Not before the first byte, which might begin a byte order mark, and not inside of one.
    assert_eq!(check_everywhere(&RecordFormat::NdJson, text), text.len());
    assert_eq!(check_everywhere(&RecordFormat::NdJson, "\u{feff}1\n2\n"), 5);
}

#[test]
fn arrays_go_on_between_their_elements() {
    let text = "{\"before\":[1,{\"x\":2}],\"data\":{\"rows\":[ {\"a\":[1,2]} , \"x\",3 ,{}]},\"after\":[[]]}";
    let inside = check_everywhere(&json(&["data", "rows"], JsonMode::Array), text);
    let from = text.find("[ {").unwrap();
    assert_eq!(inside, text.find("]},\"after").unwrap() - from, "from behind the bracket up to the one that ends it");
    check_everywhere(&json(&["rows", "0"], JsonMode::Auto), "{\"rows\":[[1,2 ,3],[4]]} ");
    check_everywhere(&json(&[], JsonMode::Auto), "[1, 2, {\"a\": \"]\"}]");
    check_everywhere(&json(&[], JsonMode::Array), "[1, 2, }]");
}

#[test]
fn values_go_on_and_documents_do_not() {
    let text = "1 {\"a\":2}\n[3]\"x\" 45";
    assert!(check_everywhere(&json(&[], JsonMode::Auto), text) > text.len() - 3);
    assert_eq!(check_everywhere(&json(&[], JsonMode::Document), "{\"a\":[1,2]}"), 0);
    assert_eq!(check_everywhere(&json(&["a"], JsonMode::Auto), "{\"a\":{\"b\":1}}"), 0);
}

#[test]
fn rows_go_on_behind_the_header() {
    let dialect = CsvDialect { comment: Some(b'#'), skip_lines: 1, ..CsvDialect::default() };
    let text = "about\r\n# first\nid,\"na\nme\"\r\n1,\"x\ny\"\r\n\r\n# more\r2,z\rshort\n\"3\",\"\"\"\"";
    let header_ends = text.find("1,\"x").unwrap();
    let inside = check_everywhere(&RecordFormat::Csv(dialect), text);
    assert!(inside >= text.len() - header_ends, "{inside} of {}", text.len());
    let given = CsvHeader::Given(vec!["a".into(), "größe".into()]);
    check_everywhere(&RecordFormat::Csv(CsvDialect { header: given, ..CsvDialect::default() }), "1,2\n3,4\n5\n");
    check_everywhere(
        &RecordFormat::Csv(CsvDialect { header: CsvHeader::None, ..CsvDialect::default() }),
        "1,2\n3,4\n5\n",
    );
}

#[test]
fn too_long_records_do_not_hide_the_next_checkpoint() {
    let limits = RecordLimits { record_bytes: 10, ..RecordLimits::default() };
    for (format, text) in [
        (RecordFormat::NdJson, "1\n\"0123456789012345\"\n2\n"),
        (RecordFormat::Csv(CsvDialect::default()), "a,b\n1,2\n3,01234567890\n4,5\n"),
        (json(&[], JsonMode::Array), "[1,\"01234567890123\",2]"),
    ] {
        let options = StreamOptions { limits, ..StreamOptions::new(format) };
        let there: Vec<bool> = (0..=text.len()).map(|cut| check(&options, text.as_bytes(), cut, 3)).collect();
        assert!(there.contains(&true) && there.contains(&false), "{text}");
    }
}

#[test]
fn other_encodings_are_read_from_their_beginning() {
    let text = "{\"größe\":\"😀\"}\n{\"ü\":}\n{\"a\":2}\n";
    let latin: Vec<u8> = text.replace('😀', "ß").chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    let utf16: Vec<u8> = std::iter::once(0xFEFF).chain(text.encode_utf16()).flat_map(u16::to_be_bytes).collect();
    for (encoding, bytes) in [(TextEncoding::Latin1, latin), (TextEncoding::Utf16, utf16)] {
        let options = StreamOptions { encoding, ..StreamOptions::new(RecordFormat::NdJson) };
        let there = (0..=bytes.len()).filter(|cut| check(&options, &bytes, *cut, 5)).count();
        assert!(there >= bytes.len() - 2, "{encoding:?}");
    }
}

#[test]
fn checkpoints_of_other_streams_are_refused() {
    let of = |format: &RecordFormat, text: &str| {
        let mut driver = Driver::new(RecordStream::new(&StreamOptions::new(format.clone())));
        driver.push(text.as_bytes(), 100, false);
        driver.stream.checkpoint().unwrap()
    };
    let csv = RecordFormat::Csv(CsvDialect::default());
    let formats = [
        (RecordFormat::NdJson, "1\n"),
        (json(&[], JsonMode::Array), "[1,"),
        (json(&[], JsonMode::Auto), "1 "),
        (csv.clone(), "a,b\n1,2\n"),
    ];
    for (number, (format, _)) in formats.iter().enumerate() {
        for (other, (maker, text)) in formats.iter().enumerate() {
            let resumed = RecordStream::resume(&StreamOptions::new(format.clone()), &of(maker, text));
            // An array at the top is one of the things that values may be.
            let fits = number == other || (number, other) == (2, 1);
            assert_eq!(resumed.is_ok(), fits, "{format:?} from {maker:?}");
        }
    }
    let limits = RecordLimits { fields: 1, ..RecordLimits::default() };
    let narrow = StreamOptions { limits, ..StreamOptions::new(csv.clone()) };
    assert_eq!(RecordStream::resume(&narrow, &of(&csv, "a,b\n")).unwrap_err(), Problem::CheckpointMismatch);
}

proptest! {
    #[test]
    fn any_text_goes_on_at_any_cut(
        text in r#"([{}\[\],:"\\#a1é;]|\n|\r|\r\n|"[ab,\n]{0,3}"|\{"a":1\}|\[1,2\]|,){0,60}"#,
        cut in any::<prop::sample::Index>(),
        chunk in 1_usize..20,
        format in 0_usize..5,
    ) {
        let format = match format {
            0 => RecordFormat::NdJson,
            1 => json(&[], JsonMode::Auto),
            2 => json(&["a"], JsonMode::Array),
            3 => RecordFormat::Csv(CsvDialect { comment: Some(b'#'), ..CsvDialect::default() }),
            _ => RecordFormat::Csv(CsvDialect { escape: Some(b'\\'), header: CsvHeader::None, ..CsvDialect::default() }),
        };
        let limits = RecordLimits { record_bytes: 24, ..RecordLimits::default() };
        let options = StreamOptions { limits, ..StreamOptions::new(format) };
        check(&options, text.as_bytes(), cut.index(text.len() + 1), chunk);
    }
}
