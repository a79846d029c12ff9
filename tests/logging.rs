//! The log of the real function process is what `docs/logging.md` says, and the queries of `docs/operating.md` find it.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed expectation is a failed test")]

use lambda_shell::testsuite::Invocation;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use tests::function::{Workshop, batch, trace_header};
use tests::root;

/// A key that would colour a terminal, end a text of JSON and begin a line.
const ODD_KEY: &str = "odd\u{1b}[31m\"\n.ndjson";

fn document(name: &str) -> String {
    std::fs::read_to_string(root().join("docs").join(name)).unwrap()
}

/// The names in the first column of the tables of a section of `docs/logging.md`.
fn documented(section: &str) -> BTreeSet<String> {
    let text = document("logging.md");
    let start = text.find(&format!("\n## {section}\n")).unwrap_or_else(|| panic!("no section {section}")) + 4;
    let end = text[start..].find("\n## ").map_or(text.len(), |end| start + end);
    let rows = text[start..end].lines().filter(|line| line.starts_with("| `"));
    let names = rows.flat_map(|row| row[1..].split('|').next().unwrap().split('`').skip(1).step_by(2));
    names.map(str::to_owned).collect()
}

fn names(lines: &[&Value]) -> BTreeSet<String> {
    lines.iter().flat_map(|line| line.as_object().unwrap().keys().cloned()).collect()
}

fn is_metrics(line: &Value) -> bool {
    line.get("_aws").is_some()
}

/// An object that succeeds, one that fails, one that is skipped, and an invocation that fails.
fn all_kinds_of_lines(variables: &[(&str, &str)]) -> Vec<Value> {
    let workshop = Workshop::empty();
    workshop.put("good.ndjson", "{\"a\":1}\n{\"a\":2}\n");
    workshop.put("bad.ndjson", "{\"a\":1}\nnot JSON, but a secret\n");
    let parts = json!({"rejects": {"policy": "fail"}, "on_failure": "fail"});
    let keys = ["good.ndjson", "bad.ndjson", ODD_KEY, "_mapmill/x"];
    let mut first = Invocation::new("request-1", batch("run-1", "every-kind", &parts, &keys));
    first.trace_header = Some(trace_header(1));
    let second = Invocation::new("request-2", json!({"Records": []}));
    let ended = workshop.run(vec![first, second], 1, variables);
    assert!(ended.answers.iter().all(|answer| answer.is_error), "{:?}", ended.answers);
    ended.log
}

#[test]
fn every_field_of_the_log_is_documented_and_every_documented_field_is_there() {
    let log = all_kinds_of_lines(&[]);
    let lines: Vec<&Value> = log.iter().filter(|line| !is_metrics(line)).collect();
    assert_eq!(names(&lines), documented("Fields of a line"));
    let messages: Vec<&str> = lines.iter().map(|line| line["message"].as_str().unwrap()).collect();
    let count = |message: &str| messages.iter().filter(|found| **found == message).count();
    assert_eq!((count("item finished"), count("batch finished"), count("invocation failed")), (4, 1, 2), "{lines:#?}");
    assert_eq!(messages.len(), 7, "one line for each item and batch, none for a record: {lines:#?}");
}

/// The sources of what a function is made of.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let sources = entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] });
    let is_source = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "rs");
    sources.filter(is_source).collect()
}

/// The arguments of a macro, up to the bracket that closes it.
fn arguments(text: &str) -> Vec<String> {
    let (mut found, mut depth, mut is_quoted, mut before) = (vec![String::new()], 0, false, ' ');
    for character in text.chars() {
        match character {
            '"' if before != '\\' => is_quoted = !is_quoted,
            '(' | '[' | '{' if !is_quoted => depth += 1,
            ')' if !is_quoted && depth == 0 => break,
            ')' | ']' | '}' if !is_quoted => depth -= 1,
            ',' if !is_quoted && depth == 0 => {
                found.push(String::new());
                continue;
            }
            _ => {}
        }
        before = character;
        found.last_mut().unwrap().push(character);
    }
    found.iter().map(|argument| argument.trim().to_owned()).filter(|argument| !argument.is_empty()).collect()
}

/// Messages and fields of all lines that a source writes.
fn written_by(source: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    const MACROS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "event"];
    let (mut messages, mut fields) = (BTreeSet::new(), BTreeSet::new());
    for (start, path) in source.match_indices("tracing::") {
        let call = source[start + path.len()..].split_once("!(");
        let Some((_, rest)) = call.filter(|(name, _)| MACROS.contains(name)) else { continue };
        for argument in arguments(rest) {
            let name = argument.split(" = ").next().unwrap().trim_start_matches(['%', '?']);
            if let Some(message) = argument.strip_prefix('"') {
                messages.insert(message.trim_end_matches('"').to_owned());
            } else if !name.starts_with('$') && !name.contains(':') {
                fields.insert(name.to_owned());
            }
        }
    }
    (messages, fields)
}

/// A run shows only the lines that it comes to; the sources have all of them.
#[test]
fn every_message_in_the_code_is_documented_with_its_fields() {
    let (mut messages, mut fields) = (BTreeSet::new(), BTreeSet::new());
    let all = ["shared", "functions"].iter().flat_map(|folder| sources(&root().join(folder)));
    for path in all.filter(|path| path.components().any(|part| part.as_os_str() == "src")) {
        let text = std::fs::read_to_string(&path).unwrap();
        let (of_file, fields_of_file) = written_by(text.split("#[cfg(test)]\nmod tests").next().unwrap());
        messages.extend(of_file);
        fields.extend(fields_of_file);
    }
    assert_eq!(messages, documented("Messages"));
    let rare = documented("Fields of rare lines");
    let sections = ["Fields of a line", "Fields after a panic", "Fields of a plan", "Fields of a report"];
    let known: BTreeSet<String> = sections.into_iter().flat_map(documented).chain(rare.clone()).collect();
    assert!(fields.is_subset(&known), "in no table: {:?}", fields.difference(&known));
    assert!(rare.is_subset(&fields), "in no line: {:?}", rare.difference(&fields));
}

#[test]
fn messages_and_fields_are_found_in_a_source() {
    let source = r#"tracing::warn!(%error, a = b.map(|(c, d)| c + d), ?e, "no, \"never\" (so)"); x(tracing::event!($level,
        f = [1, 2], "g")); tracing::error_span!("not a line"); tracing::info!(target: "t", "h")"#;
    let (messages, fields) = written_by(source);
    assert_eq!(messages.iter().map(String::as_str).collect::<Vec<_>>(), ["g", "h", r#"no, \"never\" (so)"#]);
    assert_eq!(fields.iter().map(String::as_str).collect::<Vec<_>>(), ["a", "e", "error", "f"]);
}

#[test]
fn lines_carry_the_ids_of_their_invocation_and_no_contents() {
    let log = all_kinds_of_lines(&[]);
    for line in log.iter().filter(|line| line["request_id"] == "request-1" && !is_metrics(line)) {
        assert_eq!(line["run_id"], "run-1", "{line}");
        assert_eq!(line["correlation_id"], "arn:run-1", "{line}");
        assert_eq!(line["job"], "every-kind", "{line}");
        assert_eq!(line["function_name"], "transform", "{line}");
        assert_eq!(line["cold_start"], true, "{line}");
        let trace = line["xray_trace_id"].as_str().unwrap();
        assert!(trace.starts_with("1-") && trace.ends_with("-000000000000000000000001"), "{line}");
    }
    let second = log.iter().find(|line| line["request_id"] == "request-2" && !is_metrics(line)).unwrap();
    assert_eq!(second["cold_start"], false);
    assert_eq!(second["error_name"], "Mapmill.InvalidEvent");
    for absent in ["run_id", "job", "xray_trace_id"] {
        assert!(second.get(absent).is_none(), "{absent} of the invocation before in {second}");
    }
    let keys: BTreeSet<&str> = log.iter().filter_map(|line| line["file_name"].as_str()).collect();
    let all = Value::from(log.clone()).to_string();
    assert!(!all.contains("secret"), "{all}");
    // Each line was read as JSON, which allows no bare control characters; the odd key is whole all the same.
    assert!(keys.contains(ODD_KEY), "{keys:?}");
}

#[test]
fn the_level_leaves_out_lines_and_no_fields() {
    let messages = |level: &str| {
        let log = all_kinds_of_lines(&[("AWS_LAMBDA_LOG_LEVEL", level)]);
        let (metrics, lines): (Vec<_>, Vec<_>) = log.into_iter().partition(is_metrics);
        assert_eq!(metrics.len(), 2, "the level does not take metrics away");
        assert!(metrics.iter().all(|line| line["level"] == level), "Lambda would drop these: {metrics:#?}");
        for line in lines.iter().filter(|line| line["request_id"] == "request-1") {
            assert_eq!(line["run_id"], "run-1", "{line}");
        }
        lines.iter().map(|line| format!("{} {}", line["level"], line["message"])).collect::<BTreeSet<_>>()
    };
    let expected = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<BTreeSet<_>>();
    let failed = [r#""WARN" "item finished""#, r#""WARN" "batch finished""#, r#""ERROR" "invocation failed""#];
    assert_eq!(messages("WARN"), expected(&failed));
    assert_eq!(messages("ERROR"), expected(&failed[2..]));
}

#[test]
fn metrics_follow_the_specification_and_are_documented() {
    let log = all_kinds_of_lines(&[]);
    let metrics: Vec<&Value> = log.iter().filter(|line| is_metrics(line)).collect();
    assert_eq!(metrics.len(), 2, "one line an invocation");
    metrics.iter().for_each(|line| check_embedded_metric_format(line, "Mapmill"));
    assert_eq!(names(&metrics), documented("Metrics"));
    // A batch that fails because of its items still tells of them.
    let first = metrics[0];
    let counts = ["ItemsSucceeded", "ItemsFailed", "ItemsSkipped", "ItemsUnprocessed", "RecordsRead", "FailedBatches"];
    assert_eq!(counts.map(|name| first[name].as_u64().unwrap()), [1, 2, 1, 0, 2, 1], "{first}");
    assert!(first["PeakMemory"].as_u64().unwrap() > 1 << 20, "{first}");
    assert_eq!(first["memory_bytes"], 128_u64 << 20);
}

#[test]
fn metrics_have_the_namespace_asked_for_or_are_off() {
    let named = all_kinds_of_lines(&[("MAPMILL_METRICS_NAMESPACE", "Team/Orders")]);
    named.iter().filter(|line| is_metrics(line)).for_each(|line| check_embedded_metric_format(line, "Team/Orders"));
    let off = all_kinds_of_lines(&[("MAPMILL_METRICS_NAMESPACE", "")]);
    assert!(!off.iter().any(is_metrics), "{off:#?}");
}

/// The names of an object's members, sorted: whether objects keep their order depends on what else is built.
fn members(object: &serde_json::Map<String, Value>) -> Vec<&str> {
    let names: BTreeSet<&str> = object.keys().map(String::as_str).collect();
    names.into_iter().collect()
}

/// The rules of the "Specification: Embedded metric format" of the CloudWatch user guide, and of `Dimension` and
/// `MetricDatum` of its API reference, as far as they apply to what functions write.
fn check_embedded_metric_format(line: &Value, namespace: &str) {
    const UNITS: [&str; 3] = ["Bytes", "Count", "Milliseconds"];
    assert!(line.to_string().len() < 256 * 1024);
    let metadata = line["_aws"].as_object().unwrap();
    assert_eq!(members(metadata), ["CloudWatchMetrics", "Timestamp"]);
    let milliseconds = metadata["Timestamp"].as_u64().unwrap();
    assert!(
        (1_600_000_000_000..100_000_000_000_000).contains(&milliseconds),
        "milliseconds since 1970: {milliseconds}"
    );
    let directives = metadata["CloudWatchMetrics"].as_array().unwrap();
    assert!(!directives.is_empty());
    for directive in directives {
        let directive = directive.as_object().unwrap();
        assert_eq!(members(directive), ["Dimensions", "Metrics", "Namespace"]);
        assert_eq!(directive["Namespace"], namespace);
        for set in directive["Dimensions"].as_array().unwrap() {
            let set = set.as_array().unwrap();
            assert!(set.len() <= 9, "the lowest limit that the specification ever had: {set:?}");
            for key in set {
                let value = line[key.as_str().unwrap()].as_str().unwrap();
                assert!((1..=1024).contains(&value.len()), "{key}");
                assert!(value.chars().all(|character| character.is_ascii_graphic() || character == ' '), "{value}");
            }
        }
        let definitions = directive["Metrics"].as_array().unwrap();
        assert!((1..=100).contains(&definitions.len()));
        let mut seen = BTreeSet::new();
        for definition in definitions {
            let definition = definition.as_object().unwrap();
            assert_eq!(members(definition), ["Name", "Unit"]);
            let name = definition["Name"].as_str().unwrap();
            assert!(UNITS.contains(&definition["Unit"].as_str().unwrap()), "{name}");
            assert!((1..=255).contains(&name.len()) && seen.insert(name), "{name} is defined twice");
            assert!(line[name].is_number(), "{name} is no number at the top level");
        }
    }
}

/// The names that a query of CloudWatch Logs Insights takes from lines: not its words, not its functions, not texts and
/// patterns, not names that it gives itself.
fn names_in(query: &str) -> BTreeSet<String> {
    const WORDS: [&str; 12] =
        ["fields", "filter", "stats", "sort", "limit", "by", "as", "asc", "desc", "and", "or", "not"];
    const FUNCTIONS: [&str; 10] =
        ["count", "sum", "max", "min", "avg", "pct", "bin", "ispresent", "earliest", "latest"];
    let mut bare = String::new();
    let mut quote = None;
    for character in query.chars() {
        match quote {
            Some(open) if open == character => quote = None,
            Some(_) => {}
            None if character == '"' || character == '\'' => quote = Some(character),
            None => bare.push(character),
        }
    }
    assert_eq!(quote, None, "a text is not closed in {query}");
    let is_name = |character: char| character.is_ascii_alphanumeric() || "_@.".contains(character);
    let words: Vec<&str> = bare.split(|character| !is_name(character)).filter(|word| !word.is_empty()).collect();
    let given: BTreeSet<&str> = words.windows(2).filter(|pair| pair[0] == "as").map(|pair| pair[1]).collect();
    let is_field = |word: &&str| {
        let is_number = word.starts_with(|character: char| character.is_ascii_digit());
        !is_number && !WORDS.contains(word) && !FUNCTIONS.contains(word) && !given.contains(word)
    };
    words.into_iter().filter(is_field).map(str::to_owned).collect()
}

#[test]
fn queries_name_only_fields_that_lines_have() {
    // What CloudWatch itself finds in lines of Lambda functions.
    const BUILT_IN: [&str; 2] = ["@timestamp", "@message"];
    let mut known = documented("Fields of a line");
    known.extend(documented("Metrics"));
    let text = document("operating.md");
    let queries: Vec<&str> =
        text.split("```insights\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(queries.len() >= 10, "{} queries", queries.len());
    for query in queries {
        let names = names_in(query);
        assert!(names.len() > 1, "{query}");
        for name in names {
            assert!(known.contains(&name) || BUILT_IN.contains(&name.as_str()), "{name} is in no line: {query}");
        }
    }
}

#[test]
fn names_of_a_query_are_found() {
    let names =
        names_in("filter status = 'no.field' and a_b >= 1.5\n| stats max(c) as d by bin(5m), `e`\n| sort d desc");
    assert_eq!(names.iter().map(String::as_str).collect::<Vec<_>>(), ["a_b", "c", "e", "status"]);
}
