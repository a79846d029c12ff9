//! Rules between the values of a job. Each problem carries the path of the value to change.
//!
//! Source, output and limits are looked at here; the parts of `record` have rooms of their own: `record` for fields that
//! rules choose, name and give types, `condition` for `where`, `types` for time formats, `schema` for the JSON Schema.

mod condition;
mod record;
mod schema;
mod types;

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use crate::model::{CsvEscape, CsvHeader, CsvOptions, Format, Job, Limits, MAX_OUTPUT_BYTES};
use crate::names::AsciiCharacter;
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
    if job.source.format == Format::Csv && job.record.explode.is_some() {
        let expected = "an array to explode only where objects are JSON";
        problems.push(Problem::mismatch("record.explode", expected, "a path and the format csv"));
    }
    record::check(&job.record, &mut problems);
    check_limits(&job.limits, &mut problems);
    check_range("rejects.max_per_object", job.rejects.max_per_object, 0..=1_000_000, &mut problems);
    check_ratio("rejects.max_ratio", job.rejects.max_ratio, &mut problems);
    check_ratio("tolerance.failed_items_ratio", job.tolerance.failed_items_ratio, &mut problems);
    check_ratio("tolerance.rejected_records_ratio", job.tolerance.rejected_records_ratio, &mut problems);
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
    let byte = |mark: Option<AsciiCharacter>| mark.map(AsciiCharacter::byte);
    let (quote, comment) = (("quote", byte(csv.quote)), ("comment", byte(csv.comment)));
    let delimiter = ("delimiter", Some(csv.delimiter.byte()));
    for ((name, character), (other_name, other)) in [(quote, delimiter), (comment, delimiter), (comment, quote)] {
        if character.is_some() && character == other {
            let expected = format!("a character other than that of `source.csv.{other_name}`");
            problems.push(Problem::mismatch(format!("source.csv.{name}"), expected, "the same character"));
        }
    }
    if csv.escape == CsvEscape::Backslash {
        for (name, character) in [delimiter, quote, comment] {
            if character == Some(b'\\') {
                let expected = "a character other than the backslash, which `source.csv.escape` uses";
                problems.push(Problem::mismatch(format!("source.csv.{name}"), expected, "a backslash"));
            }
        }
        if csv.quote.is_none() {
            let expected = "`doubled` where there are no quotes; a backslash counts only inside them";
            problems.push(Problem::mismatch("source.csv.escape", expected, "`backslash`"));
        }
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
    check_size("limits.checkpoint_bytes", limits.checkpoint_bytes, MIB..=1024 * MIB, problems);
    check_size("limits.output_bytes", limits.output_bytes, 64 * KIB..=MAX_OUTPUT_BYTES.bytes(), problems);
}

fn check_ratio(path: &str, ratio: f64, problems: &mut Vec<Problem>) {
    if !(0.0..=1.0).contains(&ratio) {
        problems.push(Problem::mismatch(path, "a number from 0 to 1", ratio.to_string()));
    }
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
