//! Any rules on any records, JSON and CSV: every line is JSON, the counts add up, and what the rules say of names, types,
//! schemas and exploded arrays is so.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mapmill_fuzz::oracle::{Json, parse};
use mapmill_fuzz::records::{Field, csv_object, distinct_names, json_line};
use mapmill_fuzz::rules::Rules;
use mapmill_fuzz::streams::{Run, run_in_chunkings, run_whole};
use mapmill_fuzz::text::absent_byte;
use record_stream::{
    CsvDialect, DuplicateKeys, FieldPath, FieldType, RecordFormat, RecordLimits, Reshape, Segment, StreamOptions,
};
use std::collections::HashSet;

#[derive(Debug, arbitrary::Arbitrary)]
struct Input {
    rules: Rules,
    is_csv: bool,
    refuses_repeated_names: bool,
    output_bytes: u8,
    sizes: [u8; 2],
    records: Vec<Vec<(u8, Field)>>,
}

fuzz_target!(|input: Input| {
    let Input { rules, is_csv, refuses_repeated_names, output_bytes, sizes, mut records } = input;
    // Every third record is left as it is.
    records.iter_mut().enumerate().filter(|(number, _)| number % 3 < 2).for_each(|(_, record)| rules.add_array(record));
    let reshape = rules.make(is_csv);
    let lines: Vec<String> = records.iter().map(|record| json_line(record)).collect();
    let (format, object) = if is_csv {
        (RecordFormat::Csv(CsvDialect::default()), csv_object(&records))
    } else {
        (RecordFormat::NdJson, lines.join("\n").into_bytes())
    };
    let output_bytes = [16 << 20, 16 << 20, 10, 40, 100, 300][usize::from(output_bytes) % 6];
    let limits = RecordLimits { depth: 20, output_bytes, ..RecordLimits::default() };
    let duplicate_keys = if refuses_repeated_names { DuplicateKeys::Reject } else { DuplicateKeys::Last };
    let mut options = StreamOptions { limits, duplicate_keys, reshape: reshape.clone(), ..StreamOptions::new(format) };
    let run = run_in_chunkings(&options, &object, sizes.map(|size| usize::from(size) + 1));
    if is_csv && let Some(absent) = absent_byte(&object, &[Some(b','), Some(b'"')]) {
        // An escape turns the block index off; one that does not occur changes nothing else.
        options.format = RecordFormat::Csv(CsvDialect { escape: Some(absent), ..CsvDialect::default() });
        assert_eq!(run_whole(&options, &object), run, "the index and the scanner differ");
    }
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
    check_types(&reshape, &run);
    if !is_csv {
        let parsed: Vec<Option<Json<'_>>> = lines.iter().map(|line| parse(line.as_bytes())).collect();
        check_json(&rules, &options, &run, &parsed);
    }
});

/// Which records the schema refuses, and how many exploded arrays add.
fn check_json(rules: &Rules, options: &StreamOptions, run: &Run, records: &[Option<Json<'_>>]) {
    let refused: HashSet<u64> = run.rejects.iter().map(|(_, position, _)| position.record).collect();
    let by_schema = |number: &u64| {
        let found = run.rejects.iter().find(|(_, position, _)| position.record == *number);
        found.is_some_and(|(problem, ..)| problem.code() == "schema_violation")
    };
    let (mut exploded, mut repeated) = (0, 0);
    for (number, record) in (1..).zip(records) {
        let record = record.as_ref().expect("lines of JSON");
        let cost = record.cost();
        if cost.depth > options.limits.depth || cost.values > options.limits.values {
            assert!(refused.contains(&number), "over a limit");
            continue;
        }
        let has_repeated_names = record.has_repeated_names();
        repeated += u64::from(has_repeated_names);
        if has_repeated_names && options.duplicate_keys == DuplicateKeys::Reject {
            assert!(refused.contains(&number) && !by_schema(&number), "repeated names");
            continue;
        }
        if let Some(keeps) = rules.schema().and_then(|fixed| fixed.keeps) {
            assert_eq!(by_schema(&number), !keeps(record), "record {number} and the schema");
        }
        if let Some(path) = &options.reshape.explode
            && !refused.contains(&number)
            && let Some(Json::Array(elements)) = resolve(record, path)
        {
            exploded += (elements.len() as u64).saturating_sub(1);
        }
    }
    assert_eq!(run.counts.exploded, exploded, "records that came of exploded arrays");
    assert_eq!(run.counts.duplicate_keys, repeated, "records with repeated names");
}

/// The value at a path; of members with one name the last.
fn resolve<'a, 'j>(record: &'a Json<'j>, path: &FieldPath) -> Option<&'a Json<'j>> {
    path.segments().iter().try_fold(record, |value, segment| match (segment, value) {
        (Segment::Name(name), _) => value.member(name),
        (Segment::Index(index), Json::Array(elements)) => elements.get(*index),
        _ => None,
    })
}

/// Top-level fields of the output are of the type that was demanded last.
fn check_types(reshape: &Reshape, run: &Run) {
    let mut expected: Vec<(&str, FieldType)> = Vec::new();
    for (path, rule) in reshape.cast.iter().chain(&reshape.types) {
        let [Segment::Name(name)] = path.segments() else { continue };
        let new_name = reshape.rename.iter().find(|(renamed, _)| renamed == path).map_or(name, |(_, name)| name);
        let is_another = reshape.set.iter().any(|(set, _)| set == new_name)
            || reshape.rename.iter().any(|(other, name)| other != path && name == new_name)
            // Where the renamed field is missing, one that has its new name keeps it.
            || (new_name != name && reshape.select.is_empty())
            || (!reshape.select.is_empty() && !reshape.select.contains(path));
        if !is_another && expected.iter().all(|(known, _)| known != new_name) {
            expected.push((new_name, rule.field_type));
        }
    }
    for line in run.lines().filter(|line| distinct_names(line).is_some()) {
        let Some(record) = parse(line) else { continue };
        for (name, field_type) in &expected {
            let is_right = record.member(name).is_none_or(|value| is_of_type(value, *field_type));
            assert!(is_right, "`{name}` is not {field_type} in {}", String::from_utf8_lossy(line));
        }
    }
}

fn is_of_type(value: &Json<'_>, wanted: FieldType) -> bool {
    let is_number = |text: &str| text.starts_with(|first: char| first == '-' || first.is_ascii_digit());
    match (wanted, value) {
        (_, Json::Plain("null")) | (FieldType::Json, _) | (FieldType::String, Json::Text(_)) => true,
        (FieldType::Boolean, Json::Plain(text)) => *text == "true" || *text == "false",
        (FieldType::Integer, Json::Plain(text)) => is_number(text) && !text.contains(['.', 'e', 'E']),
        (FieldType::Decimal, Json::Plain(text)) => is_number(text) && !text.contains(['e', 'E']),
        (FieldType::Float, Json::Plain(text)) => is_number(text),
        (FieldType::Date, Json::Text(text)) => text.len() == 10 && text.as_bytes()[4] == b'-',
        (FieldType::Timestamp, Json::Text(text)) => {
            text.len() >= 20 && text.ends_with('Z') && text.as_bytes()[4] == b'-'
        }
        _ => false,
    }
}

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
