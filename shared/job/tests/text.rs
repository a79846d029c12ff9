//! Text that is no job file, and the limits of text.

#![expect(clippy::expect_used, reason = "a failed expectation is a failed test")]

use job::Job;

fn check_text(text: &str, expected: &str) {
    let error = Job::parse(text).expect_err(text).to_string();
    assert!(error.contains(expected), "expected {expected:?} in {error:?}");
}

#[test]
fn text_that_is_not_a_job_is_refused() {
    check_text("", "job file: expected a mapping of keys to values; found no text");
    check_text(" \n\t\n", "found no text");
    check_text("# only a comment\n", "expected a mapping of keys to values; found null");
    check_text("just words", "expected a mapping of keys to values; found a string");
    check_text("- version: 1\n", "expected a mapping of keys to values; found a list");
    check_text("{\"version\": 1,}", "not valid JSON: ");
    check_text("{\"version\": 1", "line 1 column 13");
    check_text("version: 1\n\tname: j\n", "not valid YAML: ");
    check_text("version: [1\n", "not valid YAML: ");
    check_text("version: 1\n---\nversion: 1\n", "expected one YAML document");
    check_text("{\"version\": 1, \"version\": 1}", "duplicate key `version` at line 1 column 24");
    check_text("version: 1\nversion: 1\n", "duplicate key `version` at line 2 column 1");
    check_text("version: 1\nname: .nan\n", "not valid YAML: ");
    check_text("version: !secret 1\n", "not valid YAML: ");
    check_text("a: &a {b: 1}\nc:\n  <<: *a\n", "merge keys (`<<`) are not supported");
    check_text("a: *missing\n", "not valid YAML: ");
}

#[test]
fn limits_of_the_text_are_named() {
    check_text(&" ".repeat((1 << 20) + 1), "expected at most 1048576 bytes of text (limit 1 MiB); found 1048577 bytes");
    let nested_json = format!("{{\"a\": {}1{}}}", "[".repeat(100), "]".repeat(100));
    check_text(&nested_json, "expected lists and mappings nested at most 64 deep; found deeper nesting");
    let very_deep_json = format!("{{\"a\": {}", "[".repeat(400_000));
    check_text(&very_deep_json, "not valid JSON: recursion limit exceeded");
    let very_deep_yaml = format!("a: {}", "[".repeat(400_000));
    check_text(&very_deep_yaml, "recursion limit exceeded at line 1");
    let deep_blocks: String = (0..200).map(|level| format!("{}a:\n", " ".repeat(level))).collect();
    check_text(&deep_blocks, "expected lists and mappings nested at most 64 deep; found deeper nesting at line");
}

#[test]
fn alias_bombs_are_refused() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    check_text(&bomb, "aliases (`*name`) may add at most 10000 nodes");
    let long = "x".repeat(500_000);
    let repeated = vec!["*a"; 900].join(", ");
    check_text(&format!("a: &a \"{long}\"\nb: [{repeated}]\n"), "over a limit of the YAML reader");
}
