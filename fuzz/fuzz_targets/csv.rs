//! CSV in every dialect: the same in every chunking, the same with and without the block index, and the rows that the
//! crate `csv` reads.
//!
//! The index finds rows many bytes at a time and the scanner one by one; an escape byte turns the index off. So an object
//! in which a byte does not occur must give the same with that byte as escape and without an escape.
//!
//! Under small limits every chunking must give the same. Under large limits and in the dialects that both know, rows and
//! fields must be those of the crate `csv`; `docs/csv.md` lists what differs.
//!
//! Input: nine knobs for the dialect, one for the chunk sizes, five for the limits, one for the encoding, one for the
//! longest output of a record, one for how often the bytes behind the knobs are repeated, then those bytes. Repeating
//! makes objects that are long enough for the largest window of the index.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mapmill_fuzz::Knobs;
use mapmill_fuzz::streams::{Run, run_in_chunkings, run_whole};
use mapmill_fuzz::text::{absent_byte, decode};
use record_stream::{
    CsvDialect, CsvHeader, DuplicateNames, EmptyNames, RaggedRows, RecordFormat, RecordLimits, StreamOptions,
};

fuzz_target!(|data: &[u8]| {
    let mut knobs = Knobs::new(data);
    let dialect = dialect(&mut knobs);
    let sizes = knobs.chunk_sizes();
    let mut limits = knobs.limits();
    let encoding = knobs.encoding();
    limits.output_bytes = knobs.choice(&[1 << 20, 20, 60, 200]);
    let times = knobs.choice(&[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 5, 20, 50, 100]);
    let object = knobs.rest().repeat(times);
    // Long objects are cut into long chunks.
    let sizes = if object.len() > 4096 { sizes.map(|size| size * 37) } else { sizes };
    let text = decode(encoding, &object);
    let options = |dialect: CsvDialect, limits| StreamOptions {
        limits,
        encoding,
        ..StreamOptions::new(RecordFormat::Csv(dialect))
    };
    let run = run_in_chunkings(&options(dialect.clone(), limits), &object, sizes);
    compare_with_scanner(&dialect, &text, &run, &|dialect| run_whole(&options(dialect, limits), &object));

    // A comment ends at a carriage return here, and only at a line feed there.
    let comments_differ = dialect.comment.is_some() && text.contains(&b'\r');
    if dialect.skip_lines > 0 || !dialect.multiline || comments_differ || std::str::from_utf8(&text).is_err() {
        return;
    }
    let comparable = CsvDialect { header: CsvHeader::None, ragged: RaggedRows::Pad, ..dialect };
    let limits = RecordLimits { record_bytes: 1 << 20, fields: 1 << 20, ..RecordLimits::default() };
    let run = run_in_chunkings(&options(comparable.clone(), limits), &object, sizes);
    compare_with_scanner(&comparable, &text, &run, &|dialect| run_whole(&options(dialect, limits), &object));
    compare(&comparable, &text, &run);
});

/// Without an escape, and with one that does not occur, the same comes out.
fn compare_with_scanner(dialect: &CsvDialect, text: &[u8], run: &Run, again: &dyn Fn(CsvDialect) -> Run) {
    let other = match dialect.escape {
        None => {
            let taken = [Some(dialect.delimiter), dialect.quote, dialect.comment];
            let Some(absent) = absent_byte(text, &taken) else { return };
            CsvDialect { escape: Some(absent), ..dialect.clone() }
        }
        Some(escape) if text.contains(&escape) => return,
        Some(_) => CsvDialect { escape: None, ..dialect.clone() },
    };
    assert_eq!(&again(other), run, "the index and the scanner differ");
}

fn dialect(knobs: &mut Knobs<'_>) -> CsvDialect {
    let dialect = CsvDialect {
        delimiter: knobs.choice(&[b',', b';', b'\t', b'|', b' ', 0x01]),
        quote: knobs.choice(&[Some(b'"'), Some(b'\''), None, Some(b'`')]),
        comment: knobs.choice(&[None, Some(b'#'), Some(b'/')]),
        skip_lines: knobs.choice(&[0, 1, 2]),
        header: knobs.choice(&[
            CsvHeader::FirstRow,
            CsvHeader::None,
            CsvHeader::Given(vec!["x".to_owned(), "y\"\\\u{1}".to_owned(), "é".to_owned()]),
        ]),
        ragged: knobs.choice(&[RaggedRows::Reject, RaggedRows::Pad, RaggedRows::Fail]),
        ..CsvDialect::default()
    };
    let (escape, multiline) = knobs.choice(&[(None, true), (Some(b'\\'), true), (None, false), (Some(b'\\'), false)]);
    CsvDialect {
        escape,
        multiline,
        duplicate_names: knobs.choice(&[DuplicateNames::Fail, DuplicateNames::Number]),
        empty_names: knobs.choice(&[EmptyNames::Number, EmptyNames::Fail]),
        ..dialect
    }
}

/// Holds the rows against those of the crate `csv`. A quote that is never closed is an error here and the end of the
/// last field there, so then only the rows before it are compared.
fn compare(dialect: &CsvDialect, text: &[u8], run: &Run) {
    let mut builder = csv::ReaderBuilder::new();
    builder.has_headers(false).flexible(true).delimiter(dialect.delimiter).comment(dialect.comment);
    builder.quoting(dialect.quote.is_some()).quote(dialect.quote.unwrap_or(b'"')).escape(dialect.escape);
    // The crate takes a comment that ends with the object for an empty row; a line end behind it changes nothing else.
    let ended = [text, b"\n"].concat();
    let rows: Vec<csv::ByteRecord> =
        builder.from_reader(&ended[..]).into_byte_records().map(|row| row.expect("the crate reads anything")).collect();
    match run.error.as_ref().map(|error| error.problem.code()) {
        None => assert_eq!(run.counts.read, rows.len() as u64, "rows"),
        Some("csv_unclosed_quote") => assert_eq!(run.counts.read + 1, rows.len() as u64, "rows"),
        Some(other) => panic!("{other} in a text without limits"),
    }
    let columns = rows.first().map_or(0, csv::ByteRecord::len);
    let (mut lines, mut rejects) = (run.lines(), run.rejects.iter());
    for row in rows.iter().take(run.counts.read as usize) {
        if row.len() > columns {
            let (problem, ..) = rejects.next().expect("a reject for every long row");
            assert_eq!(problem.code(), "csv_ragged_row");
            continue;
        }
        let line = lines.next().expect("a line for every other row");
        let ours: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(line).expect("an object");
        assert_eq!(ours.len(), columns);
        for column in 0..columns {
            let theirs = std::str::from_utf8(row.get(column).unwrap_or_default()).expect("UTF-8");
            assert_eq!(ours[&format!("column_{}", column + 1)], theirs, "column {}", column + 1);
        }
    }
    assert_eq!((lines.count(), rejects.count()), (0, 0), "more came out than went in");
}
