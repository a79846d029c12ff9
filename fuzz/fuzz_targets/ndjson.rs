//! Newline-delimited JSON: the same in every chunking, and every line ends as serde_json says.
//!
//! Input: a knob for the chunk sizes, five for the limits, one for the encoding, one for repeated names, then the object.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mapmill_fuzz::Knobs;
use mapmill_fuzz::oracle::parse;
use mapmill_fuzz::streams::run_in_chunkings;
use mapmill_fuzz::text::decode;
use record_stream::{DuplicateKeys, RecordFormat, RecordLimits, StreamOptions};

fuzz_target!(|data: &[u8]| {
    let mut knobs = Knobs::new(data);
    let sizes = knobs.chunk_sizes();
    let limits = knobs.limits();
    let (encoding, duplicate_keys) = (knobs.encoding(), knobs.duplicate_keys());
    let object = knobs.rest();
    let options = StreamOptions { limits, encoding, duplicate_keys, ..StreamOptions::new(RecordFormat::NdJson) };
    let run = run_in_chunkings(&options, object, sizes);
    assert!(run.error.is_none(), "a line may be bad, never the object");

    let object = decode(encoding, object);
    let text = object.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&object);
    let blank = |line: &&[u8]| line.iter().all(|byte| b" \t\r".contains(byte)) && line.len() <= limits.record_bytes;
    let records = text.split(|byte| *byte == b'\n').filter(|line| !blank(line));
    let (mut lines, mut rejects, mut repeated) = (run.lines(), run.rejects.iter(), 0);
    for record in records {
        match fate(record, &limits) {
            Ok(true) if duplicate_keys == DuplicateKeys::Reject => {
                let (problem, ..) = rejects.next().expect("a reject for every bad record");
                assert_eq!(problem.code(), "duplicate_key");
                repeated += 1;
            }
            Ok(has_repeated_names) => {
                repeated += u64::from(has_repeated_names);
                let line = lines.next().expect("a line for every good record");
                assert_eq!(parse(line), parse(record), "the record changed");
                assert!(record.contains(&b'\r') || record.trim_ascii() == line, "untouched text is copied as it is");
            }
            Err(codes) => {
                let (problem, ..) = rejects.next().expect("a reject for every bad record");
                assert!(codes.contains(&problem.code()), "{} instead of {codes:?}", problem.code());
            }
        }
    }
    assert_eq!((lines.count(), rejects.count()), (0, 0), "more came out than went in");
    assert_eq!(run.counts.duplicate_keys, repeated, "records with repeated names");
});

/// What must become of a record: it is good, with or without repeated names, or refused under one of these codes.
fn fate(record: &[u8], limits: &RecordLimits) -> Result<bool, &'static [&'static str]> {
    if record.len() > limits.record_bytes {
        return Err(&["record_too_large"]);
    }
    if std::str::from_utf8(record).is_err() {
        return Err(&["invalid_utf8"]);
    }
    // A text that is broken and over a limit is refused for what comes first.
    let Some(json) = parse(record) else {
        return Err(&["invalid_json", "too_deep", "too_many_fields", "too_many_values"]);
    };
    let cost = json.cost();
    if cost.depth > limits.depth || cost.fields > limits.fields || cost.values > limits.values {
        return Err(&["too_deep", "too_many_fields", "too_many_values"]);
    }
    Ok(json.has_repeated_names())
}
