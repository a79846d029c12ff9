//! CSV in every bend: what comes out, what is refused and where, whatever the chunks.

mod support;

use proptest::prelude::*;
use record_stream::{
    CsvDialect, CsvHeader, DuplicateNames, EmptyNames, RaggedRows, RecordFormat, RecordLimits, StreamOptions,
};
use support::{run, run_in_all_chunkings};

fn options(dialect: CsvDialect) -> StreamOptions {
    let limits = RecordLimits { record_bytes: 60, header_bytes: 30, fields: 5, ..RecordLimits::default() };
    StreamOptions { limits, ..StreamOptions::new(RecordFormat::Csv(dialect)) }
}

/// Expects lines of output, rejects as (code, byte, line, record) and the code and line of the error that ends it.
fn check(
    dialect: &CsvDialect,
    input: &str,
    lines: &[&str],
    rejects: &[(&str, u64, u64, u64)],
    error: Option<(&str, u64)>,
) {
    let result = run_in_all_chunkings(&options(dialect.clone()), input.as_bytes());
    assert_eq!(result.output.lines().collect::<Vec<_>>(), lines, "output of {input}");
    let found: Vec<_> =
        result.rejects.iter().map(|(code, byte, line, record, _)| (code.as_str(), *byte, *line, *record)).collect();
    assert_eq!(found, rejects, "rejects of {input}");
    assert_eq!(result.error.as_ref().map(|error| (error.0.as_str(), error.2)), error, "error of {input}");
}

#[test]
fn rows_become_objects() {
    let plain = CsvDialect::default();
    check(&plain, "", &[], &[], None);
    check(&plain, "a,b\n", &[], &[], None);
    check(&plain, "a,b\n1,2\r\n3,\n", &[r#"{"a":"1","b":"2"}"#, r#"{"a":"3","b":""}"#], &[], None);
    check(&plain, "a,b\r1,2\r3,4", &[r#"{"a":"1","b":"2"}"#, r#"{"a":"3","b":"4"}"#], &[], None);
    check(&plain, "\u{feff}a,b\n\n1,2\n\n", &[r#"{"a":"1","b":"2"}"#], &[], None);
    check(&plain, "a,\"b\"\"c\"\n\"x,\ny\",\"q\"\"\"\n", &[r#"{"a":"x,\ny","b\"c":"q\""}"#], &[], None);
    check(&plain, "a,b\n\"x\"y,z\"z\n", &[r#"{"a":"xy","b":"z\"z"}"#], &[], None);
    check(&plain, "a,,c\n1,2,3\n", &[r#"{"a":"1","column_2":"2","c":"3"}"#], &[], None);
    check(&plain, "a\n\u{1}\t\\\n", &[r#"{"a":"\u0001\t\\"}"#], &[], None);
}

#[test]
fn dialects_are_followed() {
    let pipe = CsvDialect { delimiter: b'|', quote: Some(b'\''), ..CsvDialect::default() };
    check(&pipe, "a|b\n'x|y'|\"z\n", &[r#"{"a":"x|y","b":"\"z"}"#], &[], None);
    let unquoted = CsvDialect { quote: None, ..CsvDialect::default() };
    check(&unquoted, "a,b\n\"x,y\"\n", &[r#"{"a":"\"x","b":"y\""}"#], &[], None);
    let comments = CsvDialect { comment: Some(b'#'), ..CsvDialect::default() };
    check(&comments, "# note\na\n#\n1\n#x", &[r#"{"a":"1"}"#], &[], None);
    let skipping = CsvDialect { skip_lines: 2, ..CsvDialect::default() };
    check(&skipping, "title\r\n\r\na\n1\n", &[r#"{"a":"1"}"#], &[], None);
    check(&skipping, "title", &[], &[], None);
    let headless = CsvDialect { header: CsvHeader::None, ..CsvDialect::default() };
    check(
        &headless,
        "1,2\n3,4\n",
        &[r#"{"column_1":"1","column_2":"2"}"#, r#"{"column_1":"3","column_2":"4"}"#],
        &[],
        None,
    );
    let given = CsvDialect { header: CsvHeader::Given(vec!["x".into(), "y".into()]), ..CsvDialect::default() };
    check(&given, "1,2\n", &[r#"{"x":"1","y":"2"}"#], &[], None);
}

#[test]
fn ragged_rows_follow_the_policy() {
    let input = "a,b\n1\n2,3\n4,5,6\n";
    let with = |ragged| CsvDialect { ragged, ..CsvDialect::default() };
    let row = r#"{"a":"2","b":"3"}"#;
    let rejects = [("csv_ragged_row", 4, 2, 1), ("csv_ragged_row", 10, 4, 3)];
    check(&with(RaggedRows::Reject), input, &[row], &rejects, None);
    check(&with(RaggedRows::Pad), input, &[r#"{"a":"1","b":""}"#, row], &rejects[1..], None);
    check(&with(RaggedRows::Fail), input, &[], &[], Some(("csv_ragged_row", 2)));
}

#[test]
fn headers_are_checked() {
    let plain = CsvDialect::default();
    check(&plain, "a,b,a\n1,2,3\n", &[], &[], Some(("csv_duplicate_header", 1)));
    check(&plain, "a,b,c,d,e,f\n", &[], &[], Some(("too_many_fields", 1)));
    check(&plain, &format!("{}\n1\n", "h".repeat(31)), &[], &[], Some(("header_too_large", 1)));
    check(&plain, &format!("{}\n1\n", "h".repeat(30)), &[&format!("{{\"{}\":\"1\"}}", "h".repeat(30))], &[], None);
    check(&plain, "\"open\n", &[], &[], Some(("csv_unclosed_quote", 1)));
}

#[test]
fn limits_and_open_quotes_are_reported_with_their_place() {
    let plain = CsvDialect::default();
    let long = "x".repeat(61);
    check(&plain, &format!("a\n{long}\n2\n"), &[r#"{"a":"2"}"#], &[("record_too_large", 2, 2, 1)], None);
    check(&plain, "a\n1,2,3,4,5,6\n2\n", &[r#"{"a":"2"}"#], &[("too_many_fields", 2, 2, 1)], None);
    check(&plain, "a\n1\n\"x\ny", &[r#"{"a":"1"}"#], &[], Some(("csv_unclosed_quote", 3)));
    check(&plain, &format!("a\n1\n\"{long}"), &[r#"{"a":"1"}"#], &[], Some(("record_too_large", 3)));
}

#[test]
fn a_row_that_is_too_long_ends_where_it_would_end_if_it_were_not() {
    let plain = CsvDialect::default();
    let long = "q".repeat(70);
    let rejects = [("record_too_large", 4, 2, 1)];
    let row = r#"{"a":"3","b":"4"}"#;
    check(&plain, &format!("a,b\n{long},\"x\n1,2\ny\"\n3,4\n"), &[row], &rejects, None);
    check(&plain, &format!("a,b\n{long},\"x\n1,2\n\",z\n3,4\n"), &[row], &rejects, None);
    check(&plain, &format!("a,b\n{long},\"x\n1,2\n"), &[], &rejects, Some(("csv_unclosed_quote", 4)));
}

/// With `multiline: false` every line break ends a record, and a quote that is open there spoils this record alone.
#[test]
fn one_record_a_line_whatever_the_quotes_say() {
    let lines = CsvDialect { multiline: false, ..CsvDialect::default() };
    let (one, two) = (r#"{"a":"1"}"#, r#"{"a":"2"}"#);
    let open = "csv_quote_open_at_line_end";
    check(&lines, "a\n1\n\"x\n2\n", &[one, two], &[(open, 4, 3, 2)], None);
    check(&lines, "a\r\n1\r\n\"x\r\n2\r\n", &[one, two], &[(open, 6, 3, 2)], None);
    check(&lines, "a\r\"x\r\"\r2", &[two], &[(open, 2, 2, 1), (open, 5, 3, 2)], None);
    check(&lines, "a\n\"1\"\n\"2\"", &[one, two], &[], None);
    check(&lines, "a\n\"\"\"\"\n\"x\"\"\n2\n", &[r#"{"a":"\""}"#, two], &[(open, 7, 3, 2)], None);
    // At the end of the object it is the same.
    check(&lines, "a\n1\n\"x", &[one], &[(open, 4, 3, 2)], None);
    // A field before the open quote, and more quotes on the next line, make no difference.
    check(&lines, "a\nx,\"y\n\"1\"\n", &[one], &[(open, 2, 2, 1)], None);
    // Only a header cannot be left out.
    check(&lines, "\"a\n1\n", &[], &[], Some((open, 1)));
    let headless = CsvDialect { header: CsvHeader::None, ..lines.clone() };
    check(&headless, "\"x\n1\n", &[r#"{"column_1":"1"}"#], &[(open, 0, 1, 1)], None);
    // A record that is too long ends with its line too.
    let long = "q".repeat(70);
    check(&lines, &format!("a\n\"{long}\n2\n"), &[two], &[("record_too_large", 2, 2, 1)], None);
    check(&lines, &format!("a\n{long},\"x\n2\n"), &[two], &[("record_too_large", 2, 2, 1)], None);
    check(&lines, &format!("a\n2\n\"{long}"), &[two], &[("record_too_large", 4, 3, 2)], None);
    // An escape takes no line break.
    let escaped = CsvDialect { escape: Some(b'\\'), ..lines };
    check(&escaped, "a\n\"x\\\n2\n", &[two], &[(open, 2, 2, 1)], None);
    check(&escaped, "a\n\"x\n\"\\\"\"\n2\n", &[r#"{"a":"\""}"#, two], &[(open, 2, 2, 1)], None);
}

#[test]
fn bytes_that_are_not_utf8_are_a_reject() {
    let result = run_in_all_chunkings(&options(CsvDialect::default()), b"a\n\xE9t\xE9\nok\n");
    assert_eq!(result.rejects, [("invalid_utf8".to_owned(), 2, 2, 1, b"\xE9t\xE9".to_vec())]);
    assert_eq!(result.output, "{\"a\":\"ok\"}\n");
}

/// What the `csv` crate reads, as the lines that a stream should write.
#[expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]
fn csv_crate(input: &[u8]) -> String {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(input);
    let mut lines = String::new();
    for record in reader.byte_records() {
        let record = record.unwrap();
        let members: Vec<String> = record
            .iter()
            .enumerate()
            .map(|(index, field)| {
                format!("\"c{index}\":{}", serde_json::to_string(std::str::from_utf8(field).unwrap()).unwrap())
            })
            .collect();
        lines.push_str(&format!("{{{}}}\n", members.join(",")));
    }
    lines
}

proptest! {
    #[test]
    fn agrees_with_the_csv_crate(text in "[ab,\"\r\n]{0,80}", chunk in 1_usize..90) {
        let names = (0..200).map(|index| format!("c{index}")).collect();
        let dialect = CsvDialect { header: CsvHeader::Given(names), ragged: RaggedRows::Pad, ..CsvDialect::default() };
        let result = run(&StreamOptions::new(RecordFormat::Csv(dialect)), text.as_bytes(), chunk);
        // A quote that is never closed is an error here and the end of the last field there.
        if result.error.is_none() {
            let padded_away: String = result.output.lines().map(|line| {
                let record: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line).unwrap();
                format!("{}\n", record.len())
            }).collect();
            prop_assert!(padded_away.lines().all(|count| count == "200"));
            let expected = csv_crate(text.as_bytes());
            prop_assert_eq!(result.output.lines().count(), expected.lines().count());
            for (ours, theirs) in result.output.lines().zip(expected.lines()) {
                let start = theirs.strip_suffix('}').unwrap();
                prop_assert!(ours.starts_with(start), "{} and {}", &ours[..start.len().min(ours.len())], theirs);
                let rest = &ours[start.len()..];
                prop_assert!(!rest.contains(":\"a") && !rest.contains(":\"b"), "surplus text in {}", rest);
            }
        }
    }

    #[test]
    fn any_bytes_in_any_chunks_give_the_same(bytes in prop::collection::vec(prop::sample::select(b"ab,\"\r\n#\xFF ".to_vec()), 0..300), chunk in 1_usize..80, skip_lines in 0_u64..3, multiline in any::<bool>()) {
        let dialect = CsvDialect { comment: Some(b'#'), skip_lines, multiline, ..CsvDialect::default() };
        let options = options(dialect);
        prop_assert_eq!(run(&options, &bytes, chunk), run(&options, &bytes, bytes.len()));
    }
}

/// Rows of several hundred bytes, most of them well-formed, so that whole blocks of the index are used.
fn rows() -> impl Strategy<Value = String> {
    let cell = prop_oneof![
        8 => "[a-z0-9 ]{0,40}",
        2 => "\"([a-z,\r\n]|\"\"){0,70}\"",
        1 => "[\"a#\\\\,\t]{0,6}",
        1 => "\"[a\"]{0,4}\"[b\"]{0,2}",
    ];
    let line = (prop::collection::vec(cell, 0..6), prop::sample::select(vec!["\n", "\r\n", "\r", "\n\n"]));
    prop::collection::vec(line.prop_map(|(cells, end)| cells.join(",") + end), 0..40).prop_map(|lines| lines.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// An escape that is nowhere in the input changes nothing but the way: the scanner reads alone, without the index.
    #[test]
    fn the_index_finds_what_the_scanner_finds(
        text in rows(), chunk in 1_usize..3000, comment in prop::sample::select(vec![None, Some(b'#')]),
        delimiter in prop::sample::select(vec![b',', b'\t', b'a']), multiline in any::<bool>(),
    ) {
        let dialect = CsvDialect { header: CsvHeader::None, comment, delimiter, multiline, ..CsvDialect::default() };
        let limits = RecordLimits { record_bytes: 700, fields: 9, ..RecordLimits::default() };
        let with = |escape| {
            let format = RecordFormat::Csv(CsvDialect { escape, ..dialect.clone() });
            run(&StreamOptions { limits, ..StreamOptions::new(format) }, text.as_bytes(), chunk)
        };
        prop_assert_eq!(with(None), with(Some(0)));
    }

    #[test]
    fn escapes_agree_with_the_csv_crate(text in "[ab,\"\\\\\n]{0,80}", chunk in 1_usize..90) {
        let dialect = CsvDialect {
            header: CsvHeader::Given(vec!["x".into(); 3]), escape: Some(b'\\'), ragged: RaggedRows::Pad, ..CsvDialect::default()
        };
        let result = run(&StreamOptions::new(RecordFormat::Csv(dialect)), text.as_bytes(), chunk);
        prop_assume!(result.error.is_none());
        let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).escape(Some(b'\\')).from_reader(text.as_bytes());
        let rows = reader.records().map(Result::unwrap).filter(|row| row.len() <= 3);
        let expected: Vec<Vec<String>> = rows
            .map(|row| (0..3).map(|column| row.get(column).unwrap_or_default().to_owned()).collect())
            .collect();
        let found: Vec<Vec<String>> = result.output.lines().map(cells).collect();
        prop_assert_eq!(found, expected);
    }
}

/// The values of a line, in order.
#[expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]
fn cells(line: &str) -> Vec<String> {
    let inner = line.trim_start_matches('{').trim_end_matches('}');
    let texts: Vec<String> = serde_json::from_str(&format!("[{}]", inner.replace("\"x\":", ""))).unwrap();
    texts
}

#[test]
fn names_that_are_missing_or_come_twice_follow_the_policy() {
    let numbering = CsvDialect { duplicate_names: DuplicateNames::Number, ..CsvDialect::default() };
    check(
        &numbering,
        "id,id,id_2,id,\n1,2,3,4,5\n",
        &[r#"{"id":"1","id_3":"2","id_2":"3","id_4":"4","column_5":"5"}"#],
        &[],
        None,
    );
    check(&CsvDialect::default(), "a,a\n1,2\n", &[], &[], Some(("csv_duplicate_header", 1)));
    let strict = CsvDialect { empty_names: EmptyNames::Fail, ..CsvDialect::default() };
    check(&strict, "a,\n1,2\n", &[], &[], Some(("csv_empty_header", 1)));
}

#[test]
fn every_line_end_counts_as_one_line() {
    let check = |end: &str| {
        let text = ["a", "1", "\"x", "y\"", "2,2", "3"].join(end);
        let rejects = run_in_all_chunkings(&options(CsvDialect::default()), text.as_bytes()).rejects;
        let places: Vec<_> = rejects.iter().map(|(code, _, line, record, _)| (code.as_str(), *line, *record)).collect();
        assert_eq!(places, [("csv_ragged_row", 5, 3)], "{end:?}");
    };
    check("\n");
    check("\r\n");
    check("\r");
}

#[test]
fn a_first_row_that_is_too_wide_is_a_reject_where_the_job_gives_the_names() {
    let given =
        |ragged| CsvDialect { header: CsvHeader::Given(vec!["x".into(), "y".into()]), ragged, ..CsvDialect::default() };
    let row = r#"{"x":"1","y":"2"}"#;
    for ragged in [RaggedRows::Reject, RaggedRows::Pad] {
        check(&given(ragged), "1,2,3,4,5,6\n1,2\n", &[row], &[("too_many_fields", 0, 1, 1)], None);
        check(&given(ragged), "1,2,3\n1,2\n", &[row], &[("csv_ragged_row", 0, 1, 1)], None);
        let rejects = [("too_many_fields", 0, 1, 1), ("too_many_fields", 16, 3, 3)];
        check(&given(ragged), "1,2,3,4,5,6\n1,2\n1,2,3,4,5,6\n1,2", &[row, row], &rejects, None);
    }
    check(&given(RaggedRows::Fail), "1,2,3\n1,2\n", &[], &[], Some(("csv_ragged_row", 1)));
    // Without given names the first row says how many columns there are.
    let headless = CsvDialect { header: CsvHeader::None, ..CsvDialect::default() };
    check(&headless, "1,2,3,4,5,6\n1,2\n", &[], &[], Some(("too_many_fields", 1)));
}

#[test]
fn a_made_name_gives_way_to_one_that_is_written() {
    let plain = CsvDialect::default();
    let named = |header: &str, expected: [&str; 3]| {
        let line = format!("{{\"{}\":\"1\",\"{}\":\"2\",\"{}\":\"3\"}}", expected[0], expected[1], expected[2]);
        check(&plain, &format!("{header}\n1,2,3\n"), &[&line], &[], None);
    };
    named("column_2,,c", ["column_2", "column_2_2", "c"]);
    named(",column_1,c", ["column_1_2", "column_1", "c"]);
    named("column_2,,column_2_2", ["column_2", "column_2_3", "column_2_2"]);
    named("column_3,column_2,", ["column_3", "column_2", "column_3_2"]);
    named(",,column_1", ["column_1_2", "column_2", "column_1"]);
    named("\"column_2\",\"\",c", ["column_2", "column_2_2", "c"]);
    // Two written names that are equal are still refused.
    check(&plain, "column_2,,column_2\n", &[], &[], Some(("csv_duplicate_header", 1)));
    let numbering = CsvDialect { duplicate_names: DuplicateNames::Number, ..CsvDialect::default() };
    let line = r#"{"column_2":"1","column_2_3":"2","column_2_2":"3"}"#;
    check(&numbering, "column_2,,column_2\n1,2,3\n", &[line], &[], None);
}
