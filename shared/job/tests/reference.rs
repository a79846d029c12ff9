//! The examples of the job reference (`docs/job-file.md`) are what the parser does.

#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

use std::path::Path;

use job::Job;

/// The code blocks of the reference: what stands after the three back quotes, and the text.
fn blocks() -> Vec<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/job-file.md");
    let text = std::fs::read_to_string(path).unwrap();
    let code = text.split("```").skip(1).step_by(2);
    code.map(|block| block.split_once('\n').unwrap()).map(|(kind, text)| (kind.to_owned(), text.to_owned())).collect()
}

/// A job with a part of one, which the reference shows alone; `None` when it is not known where the part belongs.
fn whole(part: &str) -> Option<String> {
    let (key, _) = part.split_once(':')?;
    let indented: String = part.lines().map(|line| format!("  {line}\n")).collect();
    let part = match key {
        "source" => part.to_owned(),
        "limits" | "tolerance" => format!("source: {{bucket: raw}}\n{part}"),
        "csv" | "json" => format!("source:\n  bucket: raw\n{indented}"),
        "types" | "cast" | "schema" => format!("source: {{bucket: raw}}\nrecord:\n{indented}"),
        _ => return None,
    };
    Some(format!("version: 1\nname: j\n{part}\noutput: {{bucket: clean}}\n"))
}

#[test]
fn whole_jobs_parse_and_faulty_ones_fail_as_shown() {
    let blocks = blocks();
    let (mut good, mut parts, mut faulty) = (0, 0, 0);
    for (index, (kind, text)) in blocks.iter().enumerate() {
        match kind.as_str() {
            "yaml" if text.starts_with("version:") => {
                Job::parse(text).unwrap_or_else(|error| panic!("{text}\n{error}"));
                good += 1;
            }
            "yaml" if whole(text).is_some() => {
                let text = whole(text).unwrap();
                Job::parse(&text).unwrap_or_else(|error| panic!("{text}\n{error}"));
                parts += 1;
            }
            "yaml faulty" => {
                let (_, expected) = &blocks[index + 1];
                assert_eq!(Job::parse(text).unwrap_err().to_string().trim_end(), expected.trim_end());
                faulty += 1;
            }
            _ => {}
        }
    }
    assert_eq!((good, parts, faulty), (3, 10, 3));
}

#[test]
fn every_key_is_in_the_reference() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/job-file.md");
    let reference = std::fs::read_to_string(path).unwrap();
    let schema = job::json_schema();
    let definitions = schema["$defs"].as_object().unwrap().values().chain(std::iter::once(&schema));
    assert!(["`type`", "`formats`", "`time_zone`"].iter().all(|key| reference.contains(&format!("| {key} |"))));
    for key in
        definitions.filter_map(|schema| schema.get("properties")).flat_map(|keys| keys.as_object().unwrap().keys())
    {
        assert!(reference.contains(&format!("| `{key}` |")), "docs/job-file.md has no line for `{key}`");
    }
}
