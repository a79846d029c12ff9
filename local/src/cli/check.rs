//! `mapmill check`: is the job file right, and what would it do?

use std::path::PathBuf;

use clap::Args;
use job::{Condition, CsvHeader, Format, Job, OnFailure, RejectPolicy};
use serde::Serialize;
use serde_json::Value;

use super::job_file;
use super::terminal::human_count;
use super::{CommandError, Exit, Terminal};

/// Checks a job file without touching any data, and says in a few lines what the job would do. Everything that is wrong
/// with the file is listed, and the exit code is 2.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  mapmill check --job job.yaml")]
pub(super) struct Arguments {
    /// The job file, YAML or JSON
    #[arg(long, value_name = "FILE")]
    job: PathBuf,
}

pub(super) fn run(arguments: &Arguments, terminal: &Terminal) -> Result<Exit, CommandError> {
    let job = job_file::read(&arguments.job).map_err(CommandError::usage)?;
    terminal.line(format!("{} is a valid job file", arguments.job.display()));
    terminal.line("");
    for (title, text) in summary(&job) {
        terminal.line(format!("{title:<9} {text}"));
    }
    Ok(Exit::Success)
}

/// The job in a few lines, each with a title.
fn summary(job: &Job) -> Vec<(&'static str, String)> {
    vec![
        ("job", job.name.to_string()),
        ("source", source(job)),
        ("format", format(job)),
        ("records", records(job)),
        ("output", output(job)),
        ("rejects", rejects(job)),
        ("limits", limits(job)),
        ("failures", failures(job).to_owned()),
        ("digest", job.digest()),
    ]
}

fn source(job: &Job) -> String {
    let place = format!("s3://{}/{}", job.source.bucket, job.source.prefix);
    match job.source.include.patterns() {
        [] => format!("{place} (every object)"),
        patterns => format!("{place} (only {})", patterns.join(", ")),
    }
}

fn format(job: &Job) -> String {
    let source = &job.source;
    let mut parts = vec![format!("{}, compression {}", word(&source.format), word(&source.compression))];
    if matches!(source.format, Format::Auto | Format::Csv) {
        let header = match &source.csv.header {
            CsvHeader::FirstRow => "header in the first row".to_owned(),
            CsvHeader::None => "no header".to_owned(),
            CsvHeader::Names(names) => format!("{} given column names", names.len()),
        };
        parts.push(format!("CSV with {header}"));
    }
    if let Some(pointer) = &source.json.pointer {
        parts.push(format!("JSON records at {pointer}"));
    }
    parts.join("; ")
}

fn records(job: &Job) -> String {
    let record = &job.record;
    let mut steps = Vec::new();
    if let Some(array) = &record.explode {
        steps.push(format!("make one record of each element of {array}"));
    }
    if !record.types.is_empty() {
        steps.push(format!("check the types of {}", fields(record.types.len())));
    }
    if record.schema.is_some() {
        steps.push("check the JSON Schema".to_owned());
    }
    if let Some(condition) = &record.condition {
        let count = comparisons(condition);
        steps.push(format!("keep those that meet {count} condition{}", if count == 1 { "" } else { "s" }));
    }
    if !record.select.is_empty() {
        steps.push(format!("select {}", fields(record.select.len())));
    }
    if !record.drop.is_empty() {
        steps.push(format!("drop {}", fields(record.drop.len())));
    }
    if !record.rename.is_empty() {
        steps.push(format!("rename {}", fields(record.rename.len())));
    }
    if !record.cast.is_empty() {
        steps.push(format!("cast {}", fields(record.cast.len())));
    }
    if !record.set.is_empty() {
        steps.push(format!("set {}", fields(record.set.len())));
    }
    if steps.is_empty() { "written as they are".to_owned() } else { steps.join(", ") }
}

fn fields(count: usize) -> String {
    if count == 1 { "1 field".to_owned() } else { format!("{} fields", human_count(count as u64)) }
}

/// The comparisons of a condition, without the `all`, `any` and `not` around them.
fn comparisons(condition: &Condition) -> usize {
    match condition {
        Condition::All(inner) | Condition::Any(inner) => inner.iter().map(comparisons).sum(),
        Condition::Not(inner) => comparisons(inner),
        Condition::Field { .. } => 1,
    }
}

fn output(job: &Job) -> String {
    let output = &job.output;
    format!(
        "s3://{}/{} ({}, compression {})",
        output.bucket,
        output.prefix,
        word(&output.format),
        word(&output.compression)
    )
}

fn rejects(job: &Job) -> String {
    let policy = match job.rejects.policy {
        RejectPolicy::Quarantine => "bad records go to a rejects object",
        RejectPolicy::Drop => "bad records are only counted",
        RejectPolicy::Fail => return "a bad record fails its object".to_owned(),
    };
    format!(
        "{policy}; an object fails over {} of them or {} % of its records",
        human_count(job.rejects.max_per_object),
        job.rejects.max_ratio * 100.0
    )
}

fn limits(job: &Job) -> String {
    let limits = &job.limits;
    format!(
        "record {}, object {} expanded and {} times its size, depth {}, {} fields, CSV header {}",
        limits.record_bytes,
        limits.expanded_bytes,
        limits.expansion_ratio,
        limits.depth,
        human_count(limits.fields),
        limits.header_bytes
    )
}

fn failures(job: &Job) -> &'static str {
    match job.on_failure {
        OnFailure::Ledger => "a bad object is noted in the ledger and the batch goes on",
        OnFailure::Fail => "a bad object fails its batch",
    }
}

/// The word that stands for a choice in the job file.
fn word(choice: &impl Serialize) -> String {
    match serde_json::to_value(choice) {
        Ok(Value::String(word)) => word,
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> String {
        let job = Job::parse(text).unwrap();
        summary(&job)
            .into_iter()
            .filter(|(title, _)| *title != "digest")
            .map(|(title, text)| format!("{title}: {text}\n"))
            .collect()
    }

    #[test]
    fn the_smallest_job() {
        assert_eq!(
            lines("{version: 1, name: j, source: {bucket: raw}, output: {bucket: clean}}"),
            "job: j\n\
             source: s3://raw/ (every object)\n\
             format: auto, compression auto; CSV with header in the first row\n\
             records: written as they are\n\
             output: s3://clean/ (ndjson, compression zstd)\n\
             rejects: bad records go to a rejects object; an object fails over 1,000 of them or 5 % of its records\n\
             limits: record 8 MiB, object 50 GiB expanded and 200 times its size, depth 64, 10,000 fields, \
             CSV header 64 KiB\n\
             failures: a bad object is noted in the ledger and the batch goes on\n"
        );
    }

    #[test]
    fn a_job_with_everything() {
        let text = lines(
            "{version: 1, name: j, source: {bucket: raw, prefix: in/, include: ['**/*.json', '*.gz'], format: json, \
             compression: gzip, json: {pointer: /data}}, record: {types: {a: integer, b: date}, \
             where: {all: [{field: a, gt: 1}, {not: {field: b, exists: false}}]}, select: [a, b], rename: {a: c}, \
             explode: b, schema: {type: object}, cast: {a: string}, set: {d: 1}}, output: {bucket: clean, prefix: out/, compression: none}, rejects: {policy: fail}, \
             on_failure: fail}",
        );
        for expected in [
            "source: s3://raw/in/ (only **/*.json, *.gz)\n",
            "format: json, compression gzip; JSON records at /data\n",
            "records: make one record of each element of b, check the types of 2 fields, check the JSON Schema, \
             keep those that meet 2 conditions, select 2 fields, rename 1 field, cast 1 field, set 1 field\n",
            "output: s3://clean/out/ (ndjson, compression none)\n",
            "rejects: a bad record fails its object\n",
            "failures: a bad object fails its batch\n",
        ] {
            assert!(text.contains(expected), "{text}");
        }
    }
}
