//! Any rules on any records, JSON and CSV: every line is JSON, the counts add up, and what the rules say of names is so.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mapmill_fuzz::rules::{Field, Rules, csv_object, distinct_names, json_line};
use mapmill_fuzz::streams::{Run, run_in_chunkings};
use record_stream::{CsvDialect, RecordFormat, RecordLimits, Reshape, Segment, StreamOptions};

#[derive(Debug, arbitrary::Arbitrary)]
struct Input {
    rules: Rules,
    is_csv: bool,
    sizes: [u8; 2],
    records: Vec<Vec<(u8, Field)>>,
}

fuzz_target!(|input: Input| {
    let Input { rules, is_csv, sizes, records } = input;
    let reshape = rules.make(is_csv);
    let lines: Vec<String> = records.iter().map(|record| json_line(record)).collect();
    let (format, object) = if is_csv {
        (RecordFormat::Csv(CsvDialect::default()), csv_object(&records))
    } else {
        (RecordFormat::NdJson, lines.join("\n").into_bytes())
    };
    let limits = RecordLimits { depth: 20, ..RecordLimits::default() };
    let options = StreamOptions { limits, reshape: reshape.clone(), ..StreamOptions::new(format) };
    let run = run_in_chunkings(&options, &object, sizes.map(|size| usize::from(size) + 1));
    match &run.error {
        None => assert_eq!(run.counts.read, records.len() as u64, "every record is read"),
        Some(error) => {
            // The empty name of the handful names no column.
            assert!(is_csv && error.problem.code() == "unknown_field", "{error}");
            return;
        }
    }
    let were_distinct = is_csv || lines.iter().all(|line| distinct_names(line.as_bytes()).is_some());
    check_names(&reshape, &run, were_distinct);
});

/// Members of the output have the names that the rules give them.
fn check_names(reshape: &Reshape, run: &Run, were_distinct: bool) {
    let new_name = |segments: &[Segment]| {
        reshape.rename.iter().find(|(path, _)| path.segments() == segments).map(|(_, name)| name.as_str())
    };
    for line in run.lines() {
        let names = distinct_names(line);
        assert!(names.is_some() || !were_distinct, "a name came twice: {}", String::from_utf8_lossy(line));
        let Some(names) = names else { continue };
        for (set, _) in &reshape.set {
            assert!(names.contains_key(set), "a constant is missing");
        }
        if !reshape.select.is_empty() {
            let allowed = |name: &String| {
                let selected = |path: &record_stream::FieldPath| {
                    new_name(path.segments()).unwrap_or(path.output_name()) == name.as_str()
                };
                reshape.select.iter().any(selected) || reshape.set.iter().any(|(set, _)| set == name)
            };
            assert!(names.keys().all(allowed), "a field that was not selected");
        }
        for path in &reshape.drop {
            let [Segment::Name(dropped)] = path.segments() else { continue };
            let is_given = reshape.set.iter().any(|(set, _)| set == dropped)
                || reshape.rename.iter().any(|(_, name)| name == dropped);
            assert!(is_given || !names.contains_key(dropped), "a dropped field is there");
        }
    }
}
