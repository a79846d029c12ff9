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

#[test]
fn whole_jobs_parse_and_faulty_ones_fail_as_shown() {
    let blocks = blocks();
    let (mut good, mut faulty) = (0, 0);
    for (index, (kind, text)) in blocks.iter().enumerate() {
        match kind.as_str() {
            "yaml" if text.starts_with("version:") => {
                Job::parse(text).unwrap_or_else(|error| panic!("{text}\n{error}"));
                good += 1;
            }
            "yaml faulty" => {
                let (_, expected) = &blocks[index + 1];
                assert_eq!(Job::parse(text).unwrap_err().to_string().trim_end(), expected.trim_end());
                faulty += 1;
            }
            _ => {}
        }
    }
    assert_eq!((good, faulty), (2, 3));
}

#[test]
fn every_key_is_in_the_reference() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/job-file.md");
    let reference = std::fs::read_to_string(path).unwrap();
    let schema = job::json_schema();
    let definitions = schema["$defs"].as_object().unwrap().values().chain(std::iter::once(&schema));
    for key in
        definitions.filter_map(|schema| schema.get("properties")).flat_map(|keys| keys.as_object().unwrap().keys())
    {
        assert!(reference.contains(&format!("| `{key}` |")), "docs/job-file.md has no line for `{key}`");
    }
}
