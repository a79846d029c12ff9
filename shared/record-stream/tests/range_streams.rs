//! An object read in ranges gives the records of the whole: each once, in order, with the same rejects at the same bytes.
//!
//! That holds where every line is a record: NDJSON, and CSV with `multiline: false`.

mod support;

use proptest::prelude::*;
use record_stream::{CsvDialect, CsvHeader, LineEnds, LineRange, RecordFormat, RecordLimits, StreamOptions};
use support::{Run, run, run_in_all_chunkings};

/// What records became, wherever they were read.
#[derive(Debug, Default, PartialEq)]
struct Records {
    output: String,
    /// Code, byte in the object and bytes of every reject.
    rejects: Vec<(String, u64, Vec<u8>)>,
    read: u64,
}

impl Records {
    /// Those of an object that is read from its start to its end.
    fn of_whole(options: &StreamOptions, object: &[u8]) -> Self {
        let mut records = Self::default();
        records.note(run_in_all_chunkings(options, object), b"", 0);
        records
    }

    /// Runs a stream over the bytes of an object that begin at `offset`, behind a header that is none of them.
    fn add(&mut self, options: &StreamOptions, header: &[u8], part: &[u8], offset: u64, chunk: usize) {
        self.note(run(options, &[header, part].concat(), chunk), header, offset);
    }

    fn note(&mut self, result: Run, header: &[u8], offset: u64) {
        assert_eq!(result.error, None);
        self.output.push_str(&result.output);
        let in_object = |byte: u64| byte + offset - header.len() as u64;
        self.rejects.extend(result.rejects.into_iter().map(|(code, byte, _, _, raw)| (code, in_object(byte), raw)));
        self.read += result.counts.read;
    }
}

/// How an object is read in ranges.
struct Reading<'a> {
    line_ends: LineEnds,
    /// Where it is cut, in rising order.
    cuts: &'a [u64],
    /// Bytes that are handed on at a time.
    chunk: usize,
}

impl Reading<'_> {
    /// The part of the object in each range that holds a line, and where it begins.
    fn parts(&self, object: &[u8]) -> Vec<(u64, Vec<u8>)> {
        let starts = std::iter::once(0).chain(self.cuts.iter().copied());
        let ends = self.cuts.iter().copied().map(Some).chain(std::iter::once(None));
        let parts = starts.zip(ends).filter_map(|(start, end)| {
            let mut range = LineRange::new(start, end, self.line_ends);
            let mut part = Vec::new();
            let from = usize::try_from(range.read_from()).unwrap_or(usize::MAX).min(object.len());
            for chunk in object[from..].chunks(self.chunk) {
                part.extend_from_slice(&chunk[range.part(chunk)]);
                if range.is_done() {
                    break;
                }
            }
            Some((range.first_line()?, part))
        });
        parts.collect()
    }
}

fn limits() -> RecordLimits {
    RecordLimits { record_bytes: 40, header_bytes: 40, ..RecordLimits::default() }
}

fn cuts() -> impl Strategy<Value = Vec<u64>> {
    prop::collection::vec(0_u64..600, 0..8).prop_map(|mut cuts| {
        cuts.sort_unstable();
        cuts
    })
}

fn json_lines() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        6 => "\\{\"a\":[0-9]{1,12}\\}",
        1 => "[{}\"a\\\\\r ]{0,8}",
        1 => "\"[a-z\r]{0,60}\"",
        1 => Just(String::new()),
    ];
    let end = prop::sample::select(vec!["\n", "\n", "\r\n"]);
    (prop::collection::vec((line, end), 0..30), any::<bool>()).prop_map(|(lines, is_ended)| joined(&lines, is_ended))
}

fn csv_lines() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        6 => "[a-z]{0,6},[0-9 ]{0,12}",
        2 => "\"[a-z,]{0,8}\",\"([a-z]|\"\"){0,6}\"",
        2 => "[a\",#]{0,9}",
        1 => "[a-z\"]{30,60}",
        1 => Just(String::new()),
    ];
    let end = prop::sample::select(vec!["\n", "\r\n", "\r"]);
    (prop::collection::vec((line, end), 0..30), any::<bool>()).prop_map(|(lines, is_ended)| joined(&lines, is_ended))
}

/// The lines with their ends; the last one may lack its own.
fn joined(lines: &[(String, &str)], is_ended: bool) -> String {
    let text: String = lines.iter().map(|(line, end)| format!("{line}{end}")).collect();
    if is_ended { text } else { text.trim_end_matches(['\n', '\r']).to_owned() }
}

const HEADER: &str = "first,second\n";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn ranges_of_json_lines_are_the_whole(text in json_lines(), cuts in cuts(), chunk in 1_usize..70) {
        let options = StreamOptions { limits: limits(), ..StreamOptions::new(RecordFormat::NdJson) };
        let object = text.as_bytes();
        let whole = Records::of_whole(&options, object);
        let mut ranges = Records::default();
        for (offset, part) in (Reading { line_ends: LineEnds::LineFeed, cuts: &cuts, chunk }).parts(object) {
            ranges.add(&options, b"", &part, offset, chunk);
        }
        prop_assert_eq!(ranges, whole);
    }

    #[test]
    fn ranges_of_csv_lines_are_the_whole(
        text in csv_lines(), cuts in cuts(), chunk in 1_usize..70, names_are_given in any::<bool>(),
        comment in prop::sample::select(vec![None, Some(b'#')]), escape in prop::sample::select(vec![None, Some(b'a')]),
    ) {
        let dialect = CsvDialect { multiline: false, comment, escape, ..CsvDialect::default() };
        let with = |header: CsvHeader| StreamOptions {
            limits: limits(),
            ..StreamOptions::new(RecordFormat::Csv(CsvDialect { header, ..dialect.clone() }))
        };
        let object = [HEADER, &text].concat().into_bytes();
        let whole = Records::of_whole(&with(CsvHeader::FirstRow), &object);
        let mut ranges = Records::default();
        for (offset, part) in (Reading { line_ends: LineEnds::Any, cuts: &cuts, chunk }).parts(&object) {
            // The names of the columns are at the object's start: later ranges are told them, or read them there.
            if offset == 0 {
                ranges.add(&with(CsvHeader::FirstRow), b"", &part, offset, chunk);
            } else if names_are_given {
                let names = CsvHeader::Given(vec!["first".to_owned(), "second".to_owned()]);
                ranges.add(&with(names), b"", &part, offset, chunk);
            } else {
                ranges.add(&with(CsvHeader::FirstRow), HEADER.as_bytes(), &part, offset, chunk);
            }
        }
        prop_assert_eq!(ranges, whole);
    }
}
