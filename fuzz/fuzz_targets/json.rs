//! JSON that spans lines: an array, a document, values one after another, or an array at the end of a pointer.
//!
//! Under small limits every chunking must give the same. Under large limits a valid text must give exactly the records
//! that serde_json finds in it, and what the stream reads without complaint must be valid.
//!
//! Input: a knob for the layout, one for the pointer, one for the chunk sizes, five for the limits, one for the encoding,
//! one for repeated names, then the object.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mapmill_fuzz::Knobs;
use mapmill_fuzz::oracle::{Json, is_json, parse, split};
use mapmill_fuzz::streams::{Run, run_in_chunkings};
use mapmill_fuzz::text::decode;
use record_stream::{DuplicateKeys, JsonLayout, JsonMode, RecordFormat, RecordLimits, StreamOptions};

fuzz_target!(|data: &[u8]| {
    let mut knobs = Knobs::new(data);
    let mode = knobs.choice(&[JsonMode::Auto, JsonMode::Document, JsonMode::Array]);
    let pointer: Vec<String> = knobs
        .choice::<&[&str]>(&[&[], &["a"], &["a", "b"], &["0"], &["a", "1", "b"], &[""], &["é"], &["01"]])
        .iter()
        .map(|token| (*token).to_owned())
        .collect();
    let sizes = knobs.chunk_sizes();
    let limits = knobs.limits();
    let (encoding, duplicate_keys) = (knobs.encoding(), knobs.duplicate_keys());
    let object = knobs.rest();
    let layout = JsonLayout { pointer: pointer.clone(), mode };
    let mut options =
        StreamOptions { limits, encoding, duplicate_keys, ..StreamOptions::new(RecordFormat::Json(layout)) };
    let _ = run_in_chunkings(&options, object, sizes);

    options.limits = RecordLimits { depth: RecordLimits::DEPTH_CEILING, ..RecordLimits::default() };
    let run = run_in_chunkings(&options, object, sizes);
    let object = decode(encoding, object);
    let text = object.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&object);
    if pointer.is_empty() && mode == JsonMode::Auto && parse(text).is_none() {
        check_values(text, duplicate_keys, &run);
        return;
    }
    match parse(text) {
        Some(json) => check_whole(&json, &pointer, mode, duplicate_keys, &run),
        None if std::str::from_utf8(text).is_ok() && is_clean(&run) => {
            assert!(is_json(text), "read without complaint, and not JSON");
        }
        None => {}
    }
});

fn is_clean(run: &Run) -> bool {
    run.error.is_none() && run.rejects.is_empty()
}

/// The text is one valid value: its records are known.
fn check_whole(json: &Json<'_>, pointer: &[String], mode: JsonMode, duplicate_keys: DuplicateKeys, run: &Run) {
    if json.cost().depth > RecordLimits::DEPTH_CEILING {
        return;
    }
    let error = run.error.as_ref().map(|error| error.problem.code());
    let records: Vec<&Json<'_>> = match (json.at(pointer), mode) {
        (None, _) => {
            assert_eq!(error, Some("pointer_not_found"));
            return;
        }
        (Some(Json::Array(elements)), JsonMode::Auto | JsonMode::Array) => elements.iter().collect(),
        (Some(_), JsonMode::Array) => {
            assert_eq!(error, Some("pointer_not_an_array"));
            return;
        }
        (Some(value), _) => vec![value],
    };
    check_records(&records, duplicate_keys, run);
}

/// These are the records, and only repeated names are a reason to refuse one.
fn check_records(records: &[&Json<'_>], duplicate_keys: DuplicateKeys, run: &Run) {
    assert_eq!(run.error, None);
    let (mut lines, mut rejects, mut repeated) = (run.lines(), run.rejects.iter(), 0);
    for record in records {
        let has_repeated_names = record.has_repeated_names();
        repeated += u64::from(has_repeated_names);
        if has_repeated_names && duplicate_keys == DuplicateKeys::Reject {
            let (problem, ..) = rejects.next().expect("a reject for every record with repeated names");
            assert_eq!(problem.code(), "duplicate_key");
        } else {
            let line = lines.next().expect("a line for every other record");
            assert_eq!(parse(line).as_ref(), Some(*record), "the record changed");
        }
    }
    assert_eq!((lines.count(), rejects.count()), (0, 0), "more came out than went in");
    assert_eq!(run.counts.duplicate_keys, repeated, "records with repeated names");
}

/// The text is not one value; when it is several, they are the records.
fn check_values(text: &[u8], duplicate_keys: DuplicateKeys, run: &Run) {
    let Some(values) = split(text).filter(|values| !values.is_empty()) else { return };
    // An array that comes first holds the records and nothing may follow it. A number or word goes on to the next white
    // space, comma or bracket here, and ends before a quote or bracket there.
    let is_plain = |value: &&str| !value.starts_with(['{', '[', '"']);
    let parsed: Option<Vec<Json<'_>>> = values.iter().map(|value| parse(value.as_bytes())).collect();
    let Some(parsed) = parsed else { return };
    let is_deep = |value: &Json<'_>| value.cost().depth > RecordLimits::DEPTH_CEILING;
    if values[0].starts_with('[') || values.iter().any(is_plain) || parsed.iter().any(is_deep) {
        return;
    }
    check_records(&parsed.iter().collect::<Vec<_>>(), duplicate_keys, run);
}
