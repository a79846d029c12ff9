//! Rules between the values of a job. Each problem carries the path of the value to change.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Bound, RangeInclusive};

use serde_json::Value;
use serde_json::value::RawValue;

use crate::collect::entry_path;
use crate::condition::{Condition, Scalar, is_exact};
use crate::field_path::{FieldPath, Segment};
use crate::limits::{MAX_CONDITION_DEPTH, MAX_CONDITIONS, MAX_FIELDS};
use crate::model::{CsvHeader, CsvOptions, FieldType, Format, Job, Limits, Record};
use crate::problem::{Problem, shorten};
use crate::size::ByteSize;

/// Everything that is wrong with a job whose values are each valid.
///
/// When the structure was not sound, some values are stand-ins, and rules between parts of the file are left out.
pub(crate) fn problems(job: &Job, structure_is_sound: bool) -> Vec<Problem> {
    let mut problems = Vec::new();
    check_csv(&job.source.csv, &mut problems);
    if job.source.format == Format::Ndjson && job.source.json.pointer.is_some() {
        let found = "a pointer and the format ndjson";
        problems.push(Problem::mismatch(
            "source.json.pointer",
            "a pointer only where objects are JSON documents",
            found,
        ));
    }
    check_record(&job.record, &mut problems);
    check_limits(&job.limits, &mut problems);
    check_range("rejects.max_per_object", job.rejects.max_per_object, 0..=1_000_000, &mut problems);
    if !(0.0..=1.0).contains(&job.rejects.max_ratio) {
        problems.push(Problem::mismatch(
            "rejects.max_ratio",
            "a number from 0 to 1",
            job.rejects.max_ratio.to_string(),
        ));
    }
    if !job.output.prefix.is_folder() {
        let found = format!("\"{}\"", shorten(job.output.prefix.as_str()));
        problems.push(Problem::mismatch("output.prefix", "a prefix that is empty or ends with `/`", found));
    }
    if structure_is_sound && job.overlap() {
        problems.push(Problem::mismatch(
            "output.prefix",
            "a place that neither lies inside the source nor holds it; use another bucket, or prefixes side by side",
            format!("output `{}` and source `{}` in the same bucket", job.output.prefix, job.source.prefix),
        ));
    }
    problems
}

fn check_csv(csv: &CsvOptions, problems: &mut Vec<Problem>) {
    let mut differ = |path: &str, character: u8, other: u8, other_name: &str| {
        if character == other {
            let expected = format!("a character other than that of `source.csv.{other_name}`");
            problems.push(Problem::mismatch(path, expected, "the same character"));
        }
    };
    differ("source.csv.quote", csv.quote.byte(), csv.delimiter.byte(), "delimiter");
    if let Some(comment) = csv.comment {
        differ("source.csv.comment", comment.byte(), csv.delimiter.byte(), "delimiter");
        differ("source.csv.comment", comment.byte(), csv.quote.byte(), "quote");
    }
    check_range("source.csv.skip_lines", csv.skip_lines.into(), 0..=1000, problems);
    if let CsvHeader::Names(names) = &csv.header {
        let mut seen = BTreeSet::new();
        for (index, name) in names.iter().enumerate() {
            if !seen.insert(name) {
                let path = format!("source.csv.header[{index}]");
                problems.push(Problem::mismatch(
                    path,
                    "each column name once",
                    format!("`{}` again", shorten(name.as_str())),
                ));
            }
        }
    }
}

fn check_record(record: &Record, problems: &mut Vec<Problem>) {
    for (path, length) in [
        ("record.null_tokens", record.null_tokens.len()),
        ("record.select", record.select.len()),
        ("record.drop", record.drop.len()),
    ] {
        if length > MAX_FIELDS {
            problems.push(Problem::mismatch(
                path,
                format!("at most {MAX_FIELDS} entries"),
                format!("{length} entries"),
            ));
        }
    }
    if !record.select.is_empty() && !record.drop.is_empty() {
        problems.push(Problem::mismatch("record.drop", "`select` or `drop`, not both", "both"));
    }
    check_once("record.drop", &record.drop, problems);
    check_once("record.select", &record.select, problems);
    check_rename(record, problems);
    check_nesting(record, problems);
    for (name, value) in &record.set {
        if !numbers_are_exact(value) {
            let expected = "numbers that 64 bits hold exactly, or strings with all their digits";
            problems.push(Problem::mismatch(entry_path("record.set", name.as_str()), expected, "a larger number"));
        }
    }
    if let Some(condition) = &record.condition {
        check_condition(condition, problems);
        check_operands(record, condition, problems);
    }
}

/// A text operand of a field with a numeric type compares by value, so it must be a number.
fn check_operands(record: &Record, condition: &Condition, problems: &mut Vec<Problem>) {
    match condition {
        Condition::All(conditions) | Condition::Any(conditions) => {
            conditions.iter().for_each(|condition| check_operands(record, condition, problems));
        }
        Condition::Not(condition) => check_operands(record, condition, problems),
        Condition::Field { field, operator } => {
            let is_faulty = |scalar: &Scalar| matches!(scalar, Scalar::String(text) if !is_number(text));
            let is_no_instant = |scalar: &Scalar| !matches!(scalar, Scalar::String(text) if is_timestamp(text));
            let is_typed_timestamp = record.types.get(field) == Some(&FieldType::Timestamp);
            if is_typed_timestamp && operator.scalars().iter().any(is_no_instant) {
                let (name, field) = (operator.name(), shorten(field.as_str()));
                let expected = format!(
                    "a point in time with an offset, such as \"2026-01-01T00:00:00Z\", as operand of `{name}`, because \
                     `{field}` has the type timestamp"
                );
                problems.push(Problem::mismatch("record.where", expected, "something else"));
            }
            if record.is_numeric(field) && operator.scalars().iter().any(is_faulty) {
                let (name, field) = (operator.name(), shorten(field.as_str()));
                let expected = format!("a number as operand of `{name}`, because `{field}` has a numeric type");
                problems.push(Problem::mismatch("record.where", expected, "a string that is not one"));
            }
        }
    }
}

/// A type is checked on the whole value, so nothing can be said of the fields inside it as well.
fn check_nesting(record: &Record, problems: &mut Vec<Problem>) {
    // In the order of segments the fields inside a field come right behind it.
    let ruled = record.types.keys().chain(&record.drop).chain(record.rename.keys());
    let ruled: BTreeMap<&[Segment], &FieldPath> = ruled.map(|path| (path.segments(), path)).collect();
    for typed in record.types.keys() {
        let behind = ruled.range::<[Segment], _>((Bound::Excluded(typed.segments()), Bound::Unbounded)).next();
        if let Some((_, inner)) = behind.filter(|(segments, _)| segments.starts_with(typed.segments())) {
            problems.push(Problem::mismatch(
                entry_path("record.types", typed.as_str()),
                "a type for a field, or rules for the fields inside it, not both",
                format!("a rule for `{}` too", shorten(inner.as_str())),
            ));
        }
    }
}

/// True for a point in time with an offset, as RFC 3339 writes it.
fn is_timestamp(text: &str) -> bool {
    text.len() >= 20 && text.parse::<jiff::Timestamp>().is_ok()
}

/// True for text by the grammar of JSON numbers, whatever its length.
fn is_number(text: &str) -> bool {
    serde_json::from_str::<&RawValue>(text)
        .is_ok_and(|raw| raw.get() == text && !text.starts_with(['"', 't', 'f', 'n', '[', '{']))
}

fn check_once(place: &str, paths: &[FieldPath], problems: &mut Vec<Problem>) {
    let mut seen = BTreeSet::new();
    for (index, path) in paths.iter().enumerate() {
        if !seen.insert(path) {
            let found = format!("`{}` again", shorten(path.as_str()));
            problems.push(Problem::mismatch(format!("{place}[{index}]"), "each field once", found));
        }
    }
}

/// Renamed fields must be there to be renamed, and no two fields may end up with the same name at the same place.
///
/// Selected fields all lie at the top of the output; without a selection a field stays where it is.
fn check_rename(record: &Record, problems: &mut Vec<Problem>) {
    let selected: BTreeSet<&FieldPath> = record.select.iter().collect();
    let dropped: BTreeSet<&FieldPath> = record.drop.iter().collect();
    let mut selected_names: BTreeMap<&str, &FieldPath> = BTreeMap::new();
    let mut new_names: BTreeMap<(&[Segment], &str), &FieldPath> = BTreeMap::new();
    for (index, path) in record.select.iter().enumerate() {
        let name = record.rename.get(path).map_or(path.output_name(), |name| name.as_str());
        match selected_names.insert(name, path) {
            // A path that is there twice was reported already.
            Some(earlier) if earlier != path => problems.push(Problem::mismatch(
                format!("record.select[{index}]"),
                "every field under a name of its own; use `rename`",
                format!("`{earlier}` and `{path}` both become `{}`", shorten(name)),
            )),
            _ => {}
        }
    }
    for (from, to) in &record.rename {
        let place = entry_path("record.rename", from.as_str());
        if !selected.is_empty() && !selected.contains(from) {
            problems.push(Problem::mismatch(place, "a field that `select` keeps", "a field that it does not keep"));
        } else if selected.is_empty() && matches!(from.segments().last(), Some(Segment::Index(_))) {
            problems.push(Problem::mismatch(
                place,
                "a field with a name; elements of lists have none",
                "an element of a list",
            ));
        } else if dropped.contains(from) {
            problems.push(Problem::mismatch(place, "a field that `drop` keeps", "a dropped field"));
        } else if selected.is_empty()
            && let Some(earlier) = new_names.insert((from.parent(), to.as_str()), from)
        {
            let found = format!("`{}`, which `{earlier}` becomes too", shorten(to.as_str()));
            problems.push(Problem::mismatch(place, "a new name that no other field beside it has", found));
        }
    }
}

fn numbers_are_exact(value: &Value) -> bool {
    match value {
        Value::Number(number) => is_exact(number),
        Value::Array(items) => items.iter().all(numbers_are_exact),
        Value::Object(entries) => entries.values().all(numbers_are_exact),
        _ => true,
    }
}

fn check_condition(condition: &Condition, problems: &mut Vec<Problem>) {
    let (count, depth) = measure(condition);
    if depth > MAX_CONDITION_DEPTH {
        let expected = format!("conditions nested at most {MAX_CONDITION_DEPTH} deep");
        problems.push(Problem::mismatch("record.where", expected, format!("{depth} levels")));
    }
    if count > MAX_CONDITIONS {
        let expected = format!("at most {MAX_CONDITIONS} conditions");
        problems.push(Problem::mismatch("record.where", expected, format!("{count} conditions")));
    }
}

/// The number of conditions and their depth. The nesting of the file is limited, so the recursion is too.
fn measure(condition: &Condition) -> (usize, usize) {
    let inner = match condition {
        Condition::All(conditions) | Condition::Any(conditions) => conditions.as_slice(),
        Condition::Not(condition) => std::slice::from_ref(condition.as_ref()),
        Condition::Field { .. } => &[],
    };
    inner
        .iter()
        .map(measure)
        .fold((1, 1), |(count, depth), (inner_count, inner_depth)| (count + inner_count, depth.max(inner_depth + 1)))
}

fn check_limits(limits: &Limits, problems: &mut Vec<Problem>) {
    const KIB: u64 = 1 << 10;
    const MIB: u64 = 1 << 20;
    const TIB: u64 = 1 << 40;
    check_size("limits.record_bytes", limits.record_bytes, KIB..=64 * MIB, problems);
    check_size("limits.expanded_bytes", limits.expanded_bytes, MIB..=5 * TIB, problems);
    check_range("limits.expansion_ratio", limits.expansion_ratio, 1..=100_000, problems);
    check_range("limits.depth", limits.depth, 1..=1000, problems);
    check_range("limits.fields", limits.fields, 1..=100_000, problems);
    check_size("limits.header_bytes", limits.header_bytes, KIB..=MIB, problems);
}

fn check_range(path: &str, value: u64, range: RangeInclusive<u64>, problems: &mut Vec<Problem>) {
    if !range.contains(&value) {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        problems.push(Problem::mismatch(path, expected, value.to_string()));
    }
}

fn check_size(path: &str, size: ByteSize, range: RangeInclusive<u64>, problems: &mut Vec<Problem>) {
    if !range.contains(&size.bytes()) {
        let [smallest, largest] = [*range.start(), *range.end()].map(ByteSize::from_bytes);
        problems.push(Problem::mismatch(path, format!("a size from {smallest} to {largest}"), size.to_string()));
    }
}
