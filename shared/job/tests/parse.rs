//! Good job files: defaults, both notations, the normalised form, the digest, matching of keys.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed expectation is a failed test")]

use job::{
    Compression, Condition, CsvEscape, CsvHeader, DuplicateKeys, DuplicateNames, EmptyNames, Encoding, FieldPath,
    FieldType, Format, Job, JsonMode, KeyMatch, OnFailure, Operator, OutputCompression, RaggedRows, RejectPolicy,
    Scalar, TimeFormat, TimeZoneName, Tolerance,
};
use serde_json::{Value, json};

const MINIMAL: &str = "version: 1\nname: j\nsource: {bucket: raw}\noutput: {bucket: clean}\n";

const FULL: &str = r##"
version: 1
name: clean-orders
task: transform
source:
  bucket: raw-data
  prefix: orders/2026/
  include: ["**/*.csv.gz", "extra/*.csv"]
  format: csv
  compression: gzip
  csv: {delimiter: "\t", quote: "'", header: [id, price, ordered_at, note], ragged: pad, comment: "#", skip_lines: 2}
  json: {pointer: /data/orders, mode: array}
record:
  types: {price: decimal, ordered_at: timestamp, "lines[0].sku": string}
  null_tokens: ["", "NULL", no]
  where:
    all:
      - {field: price, gt: "0.10"}
      - any:
          - {field: id, in: [1, 2.5, x, true]}
          - not: {field: note, exists: false}
          - {field: note, is_null: true}
          - {field: /customer/name, starts_with: A}
  select: [id, price, ordered_at]
  rename: {ordered_at: timestamp}
  set: {currency: EUR, tags: [1, {a: null}]}
output: {bucket: clean, prefix: orders/, format: ndjson, compression: gzip}
rejects: {policy: fail, max_per_object: 7, max_ratio: 0.25}
limits: {record_bytes: 1MiB, expanded_bytes: 10GB, expansion_ratio: 50, depth: 10, fields: 20, header_bytes: 2048}
on_failure: fail
"##;

/// Everything that came after the first version.
const LATER: &str = r#"
version: 1
name: later
source:
  bucket: raw-data
  encoding: utf-16le
  compression: xz
  csv: {quote: "'", escape: backslash, duplicate_names: number, empty_names: fail}
  json: {duplicate_keys: reject}
tolerance: {failed_items: 12, failed_items_ratio: 0.001, rejected_records_ratio: 0.02}
record:
  explode: order.items
  types:
    at: {type: timestamp, formats: ["%d/%m/%Y %H:%M", rfc3339, unix, unix_ms], time_zone: Europe/Berlin}
    day: {type: date, formats: ["%d.%m.%Y", iso_date]}
    order.items.price: decimal
  schema: {type: object, required: [at], properties: {at: {type: string, pattern: "^[0-9]"}}}
  rename: {order: purchase}
  cast: {order.items.price: string, at: {type: timestamp, formats: [unix]}}
  set: {order: 1}
output: {bucket: clean}
limits: {record_bytes: 1MiB, output_bytes: 64KiB}
"#;

fn parse(text: &str) -> Job {
    Job::parse(text).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_short_file_gets_every_default() {
    let job = parse(MINIMAL);
    assert_eq!(job.source.format, Format::Auto);
    assert_eq!(job.source.compression, Compression::Auto);
    assert_eq!(job.source.csv.delimiter.byte(), b',');
    assert_eq!(job.source.csv.header, CsvHeader::FirstRow);
    assert_eq!(job.record.null_tokens, [""]);
    assert_eq!(job.output.compression, OutputCompression::Zstd);
    assert_eq!(job.rejects.policy, RejectPolicy::Quarantine);
    assert_eq!((job.rejects.max_per_object, job.rejects.max_ratio), (1000, 0.05));
    assert_eq!(job.limits.record_bytes.bytes(), 8 << 20);
    assert_eq!(job.on_failure, OnFailure::Ledger);
    let normalised = serde_json::to_value(&job).unwrap();
    assert_eq!(
        normalised,
        json!({
            "version": 1, "name": "j", "task": "transform",
            "source": {
                "bucket": "raw", "prefix": "", "include": [], "format": "auto", "compression": "auto",
                "encoding": "utf-8",
                "csv": {"delimiter": ",", "quote": "\"", "escape": "doubled", "multiline": true, "header": "first_row",
                    "duplicate_names": "fail", "empty_names": "number", "ragged": "reject", "comment": null,
                    "skip_lines": 0},
                "json": {"pointer": null, "mode": "auto", "duplicate_keys": "last"},
            },
            "record": {"explode": null, "types": {}, "null_tokens": [""], "schema": null, "where": null, "select": [],
                "drop": [], "rename": {}, "cast": {}, "set": {}},
            "output": {"bucket": "clean", "prefix": "", "format": "ndjson", "compression": "zstd"},
            "rejects": {"policy": "quarantine", "max_per_object": 1000, "max_ratio": 0.05},
            "limits": {"record_bytes": 8_388_608, "expanded_bytes": 53_687_091_200_u64, "expansion_ratio": 200,
                "depth": 64, "fields": 10_000, "header_bytes": 65_536, "output_bytes": 16_777_216, "checkpoint_bytes": 67_108_864},
            "on_failure": "ledger",
            "tolerance": {"failed_items": 0, "failed_items_ratio": 0.0, "rejected_records_ratio": 1.0},
        })
    );
}

#[test]
fn a_full_file_is_read_as_written() {
    let job = parse(FULL);
    assert_eq!(job.name.as_str(), "clean-orders");
    assert_eq!(job.source.include.patterns(), ["**/*.csv.gz", "extra/*.csv"]);
    assert_eq!(job.source.csv.delimiter.byte(), b'\t');
    assert_eq!(job.source.csv.ragged, RaggedRows::Pad);
    assert_eq!(job.source.csv.comment.map(job::AsciiCharacter::byte), Some(b'#'));
    assert_eq!(job.source.json.pointer.as_ref().unwrap().tokens(), ["data", "orders"]);
    assert_eq!(job.source.json.mode, JsonMode::Array);
    assert_eq!(job.record.null_tokens, ["", "NULL", "no"], "`no` is a string by the rules of YAML 1.2");
    let types: Vec<_> = job.record.types.iter().map(|(path, kind)| (path.as_str(), kind.field_type)).collect();
    assert_eq!(
        types,
        [("lines[0].sku", FieldType::String), ("ordered_at", FieldType::Timestamp), ("price", FieldType::Decimal)]
    );
    let Some(Condition::All(conditions)) = &job.record.condition else { panic!("expected `all`") };
    let Condition::Field { field, operator } = &conditions[0] else { panic!("expected a field") };
    assert_eq!((field.as_str(), operator), ("price", &Operator::Gt(Scalar::String("0.10".to_owned()))));
    assert_eq!(job.limits.expanded_bytes.bytes(), 10_000_000_000);
}

#[test]
fn the_normalised_job_parses_back_to_an_equal_job() {
    for text in [MINIMAL, FULL, LATER] {
        let job = parse(text);
        let normalised = serde_json::to_value(&job).unwrap();
        let again = Job::from_value(normalised.clone()).unwrap();
        assert_eq!(again, job);
        assert_eq!(serde_json::to_value(&again).unwrap(), normalised, "normalising twice changes nothing");
        assert_eq!(parse(&normalised.to_string()), job, "as compact JSON text");
        assert_eq!(parse(&serde_json::to_string_pretty(&normalised).unwrap()), job, "as indented JSON text");
        assert_eq!(again.digest(), job.digest());
    }
}

#[test]
fn every_operator_survives_the_round_trip() {
    let operands = json!({
        "eq": 1, "ne": "x", "gt": -1, "ge": 0.1, "lt": u64::MAX, "le": i64::MIN, "in": [1, "a", false, 0.30000000000000004],
        "exists": true, "is_null": false, "starts_with": "", "ends_with": "é", "contains": "\"",
    });
    for (name, operand) in operands.as_object().unwrap() {
        let mut tree: Value = serde_json::to_value(parse(MINIMAL)).unwrap();
        let condition = json!({"field": "a.b", name: operand});
        tree["record"]["where"] = condition.clone();
        let job = Job::from_value(tree).unwrap();
        assert_eq!(serde_json::to_value(&job.record.condition).unwrap(), condition);
    }
}

#[test]
fn the_digest_depends_on_the_meaning_only() {
    let digest = parse(MINIMAL).digest();
    assert_eq!(digest.len(), 64);
    let same = [
        r#"{"output": {"bucket": "clean"}, "source": {"bucket": "raw", "prefix": ""}, "name": "j", "version": 1}"#,
        "version: 1\nname: j\nsource: {bucket: raw}\noutput: {bucket: clean}\nlimits: {record_bytes: 8MiB}\n",
        "version: 1\nname: j\nsource: {bucket: raw}\noutput: {bucket: clean}\ntolerance: {failed_items: 3}\n",
        "\u{feff}version: 1\nname: j\nsource: {bucket: raw}\noutput: {bucket: clean}\nlimits: {record_bytes: 8388608}\n",
    ];
    for text in same {
        assert_eq!(parse(text).digest(), digest, "{text}");
    }
    assert_ne!(parse(&MINIMAL.replace("name: j", "name: k")).digest(), digest);
}

#[test]
fn the_digest_never_changes_between_builds() {
    // Outputs of earlier runs carry this digest; when it changes, nothing of them is recognised any more.
    assert_eq!(parse(MINIMAL).digest(), "764fc2024ad57887cb055a13c7943dc81e5706a4bd70184b67568a72ccde778d");
    assert_eq!(parse(FULL).digest(), "06c5dbc65ffbb83c8ea586873a1b4899d118619cf78597bba09269b3c51a54c2");
    let large_records = format!("{MINIMAL}limits: {{record_bytes: 64MiB}}\n");
    assert_eq!(parse(&large_records).digest(), "13642383d9d88af17808a2d6673f75ac570ed29f161ed0f0d50b97a53415d7f5");
}

#[test]
fn later_keys_count_in_the_digest_unless_they_have_their_default() {
    let digest = |pointer: &str, value: Value| {
        let mut tree = serde_json::to_value(parse(MINIMAL)).unwrap();
        *tree.pointer_mut(pointer).unwrap() = value;
        Job::from_value(tree).unwrap().digest()
    };
    let minimal = parse(MINIMAL).digest();
    let mut seen = std::collections::BTreeSet::from([minimal.clone()]);
    for (pointer, default, other) in [
        ("/source/encoding", json!("utf-8"), json!("latin-1")),
        ("/source/csv/escape", json!("doubled"), json!("backslash")),
        ("/source/csv/multiline", json!(true), json!(false)),
        ("/source/csv/quote", json!("\""), json!(null)),
        ("/source/csv/duplicate_names", json!("fail"), json!("number")),
        ("/source/csv/empty_names", json!("number"), json!("fail")),
        ("/source/json/duplicate_keys", json!("last"), json!("reject")),
        ("/record/explode", json!(null), json!("a")),
        ("/record/schema", json!(null), json!(true)),
        ("/record/cast", json!({}), json!({"a": "string"})),
        ("/limits/output_bytes", json!("16MiB"), json!("17MiB")),
        ("/limits/checkpoint_bytes", json!("64MiB"), json!("65MiB")),
    ] {
        assert_eq!(digest(pointer, default), minimal, "{pointer}");
        assert!(seen.insert(digest(pointer, other)), "{pointer}");
    }
}

#[test]
fn later_keys_are_read_as_written() {
    let job = parse(LATER);
    assert_eq!((job.source.encoding, job.source.compression), (Encoding::Utf16Le, Compression::Xz));
    let csv = &job.source.csv;
    assert_eq!(
        (csv.escape, csv.duplicate_names, csv.empty_names),
        (CsvEscape::Backslash, DuplicateNames::Number, EmptyNames::Fail)
    );
    assert_eq!(parse(&LATER.replace("quote: \"'\", escape: backslash", "quote: null")).source.csv.quote, None);
    assert_eq!(job.source.json.duplicate_keys, DuplicateKeys::Reject);
    assert_eq!(job.record.explode.as_ref().map(FieldPath::as_str), Some("order.items"));
    let at = &job.record.types[&FieldPath::parse("at").unwrap()];
    let formats: Vec<&str> = at.formats.iter().map(TimeFormat::as_str).collect();
    assert_eq!(formats, ["%d/%m/%Y %H:%M", "rfc3339", "unix", "unix_ms"]);
    assert_eq!(at.time_zone.as_ref().map(TimeZoneName::as_str), Some("Europe/Berlin"));
    assert_eq!(job.record.cast[&FieldPath::parse("order.items.price").unwrap()], FieldType::String.into());
    let schema = job.record.schema.unwrap();
    assert_eq!(schema.as_value()["required"], json!(["at"]));
    assert_eq!(serde_json::from_str::<Value>(&schema.to_text()).unwrap(), *schema.as_value());
    assert_eq!(job.limits.output_bytes.bytes(), 64 << 10);
    let tolerance = Tolerance { failed_items: 12, failed_items_ratio: 0.001, rejected_records_ratio: 0.02 };
    assert_eq!(job.tolerance, tolerance);
}

#[test]
fn the_limit_of_the_output_follows_the_longest_record() {
    for (limits, expected) in [
        ("{}", 16 << 20),
        ("{record_bytes: 1KiB}", 16 << 20),
        ("{record_bytes: 9MiB}", 18 << 20),
        ("{record_bytes: 64MiB}", 128 << 20),
        ("{record_bytes: 64MiB, output_bytes: 64KiB}", 64 << 10),
        ("{output_bytes: 256MiB}", 256 << 20),
    ] {
        assert_eq!(parse(&format!("{MINIMAL}limits: {limits}\n")).limits.output_bytes.bytes(), expected, "{limits}");
    }
}

#[test]
fn a_rule_that_says_no_more_than_its_type_is_the_name_of_the_type() {
    for (written, normalised) in [
        (json!("integer"), json!("integer")),
        (json!({"type": "integer"}), json!("integer")),
        (json!({"type": "timestamp", "formats": ["rfc3339"]}), json!("timestamp")),
        (json!({"type": "date", "formats": ["iso_date"], "time_zone": null}), json!("date")),
        (json!({"type": "timestamp", "formats": null, "time_zone": "UTC"}), json!("timestamp")),
        (
            json!({"type": "timestamp", "formats": ["rfc3339", "unix"]}),
            json!({"type": "timestamp", "formats": ["rfc3339", "unix"], "time_zone": "UTC"}),
        ),
        (
            json!({"time_zone": "Asia/Tokyo", "formats": ["%F %T"], "type": "timestamp"}),
            json!({"type": "timestamp", "formats": ["%F %T"], "time_zone": "Asia/Tokyo"}),
        ),
    ] {
        for place in ["types", "cast"] {
            let mut tree = serde_json::to_value(parse(MINIMAL)).unwrap();
            tree["record"][place] = json!({"a": written});
            let job = Job::from_value(tree).unwrap();
            assert_eq!(serde_json::to_value(&job).unwrap()["record"][place], json!({"a": normalised}));
        }
    }
}

fn check_match(prefix: &str, include: &[&str], key: &str, expected: KeyMatch) {
    let mut tree: Value = serde_json::to_value(parse(MINIMAL)).unwrap();
    tree["source"]["prefix"] = json!(prefix);
    tree["source"]["include"] = json!(include);
    let source = Job::from_value(tree).unwrap().source;
    assert_eq!(source.matches(key), expected, "prefix {prefix:?}, globs {include:?}, key {key:?}");
}

#[test]
fn keys_are_matched_after_the_prefix() {
    use KeyMatch::{Included, NotIncluded, OutsidePrefix};
    check_match("", &[], "any/thing", Included);
    check_match("in/", &[], "in/a", Included);
    check_match("in/", &[], "in", OutsidePrefix);
    check_match("in/", &[], "IN/a", OutsidePrefix);
    check_match("in", &[], "index/a", Included);
    check_match("in/", &["*.csv"], "in/a.csv", Included);
    check_match("in/", &["*.csv"], "in/b/a.csv", NotIncluded);
    check_match("in/", &["**/*.csv"], "in/b/c/a.csv", Included);
    check_match("in/", &["**/*.csv"], "in/a.csv", Included);
    check_match("in/", &["**"], "in/a/b/c", Included);
    check_match("in/", &["*.{csv,json}", "[0-9].gz"], "in/7.gz", Included);
    check_match("in/", &["*.csv"], "in/a.CSV", NotIncluded);
    check_match("in/", &["?.csv"], "in/b.csv", Included);
    check_match("in/", &["in/*"], "in/a", NotIncluded);
}
