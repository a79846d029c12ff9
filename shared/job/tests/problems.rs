//! Faulty job files: every mistake is refused with a message that names the place and the limit or the choice.

#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

mod common;

use common::{check, minimal, put};
use job::{Job, ProblemKind};
use serde_json::{Value, json};

#[test]
fn rules_that_contradict_one_another_are_refused() {
    let both = "expected a type for a field, or rules for the fields inside it, not both; found a rule for";
    check(
        "/record",
        json!({"types": {"user": "json"}, "drop": ["user.password"]}),
        &[&format!("record.types.user: {both} `user.password` too")],
    );
    check(
        "/record/types",
        json!({"user": "json", "user.age": "integer"}),
        &[&format!("record.types.user: {both} `user.age` too")],
    );
    check(
        "/record",
        json!({"types": {"at": "timestamp"}, "where": {"field": "at", "ge": "2026-01-01"}}),
        &[
            "record.where: expected a point in time with an offset, such as \"2026-01-01T00:00:00Z\", as operand of `ge`, \
           because `at` has the type timestamp; found something else",
        ],
    );
    check(
        "/record/rename",
        json!({"tags[0]": "first"}),
        &[
            "record.rename['tags[0]']: expected a field with a name; elements of lists have none; found an element of a list",
        ],
    );
    check(
        "/source",
        json!({"bucket": "raw", "format": "ndjson", "json": {"pointer": "/a"}}),
        &[
            "source.json.pointer: expected a pointer only where objects are JSON documents; found a pointer and the format ndjson",
        ],
    );
}

#[test]
fn unknown_keys_are_refused_at_every_level() {
    check("/recrd", json!({}), &["recrd: unknown key `recrd`; did you mean `record`?"]);
    check("/source/buckett", json!("x"), &["source.buckett: unknown key `buckett`; did you mean `bucket`?"]);
    check(
        "/source/csv/delimeter",
        json!(","),
        &["source.csv.delimeter: unknown key `delimeter`; did you mean `delimiter`?"],
    );
    check(
        "/source/json/x",
        json!(1),
        &["source.json.x: unknown key `x`; known keys are pointer, mode, duplicate_keys"],
    );
    check("/record/selct", json!([]), &["record.selct: unknown key `selct`; did you mean `select`?"]);
    check(
        "/record/where",
        json!({"feild": "a", "eq": 1}),
        &["record.where.feild: unknown key `feild`; did you mean `field`?"],
    );
    check(
        "/record/where",
        json!({"all": [{"field": "a", "eq": 1}, {"not": {"field": "a", "start_with": "x"}}]}),
        &["record.where.all[1].not.start_with: unknown key `start_with`; did you mean `starts_with`?"],
    );
    check("/output/fromat", json!("ndjson"), &["output.fromat: unknown key `fromat`; did you mean `format`?"]);
    check("/rejects/maxratio", json!(1), &["rejects.maxratio: unknown key `maxratio`; did you mean `max_ratio`?"]);
    check(
        "/tolerance/failed_item",
        json!(1),
        &["tolerance.failed_item: unknown key `failed_item`; did you mean `failed_items`?"],
    );
    check("/limits/dept", json!(1), &["limits.dept: unknown key `dept`; did you mean `depth`?"]);
}

#[test]
fn wrong_types_and_choices_are_named() {
    check("/version", json!(2), &["version: expected the number 1, the only version of the job file; found 2"]);
    check("/version", json!("1"), &["version: expected the number 1, the only version of the job file; found \"1\""]);
    check(
        "/name",
        json!("-x"),
        &["name: expected 1 to 64 letters, digits, `-`, `_` or `.`, beginning with a letter or digit; found \"-x\""],
    );
    check("/name", json!(7), &["name: expected a job name (a string); found 7"]);
    check("/task", json!("publish"), &["task: expected `transform`; found \"publish\""]);
    check("/source", json!("raw"), &["source: expected a mapping; found a string"]);
    check("/source/format", json!("xml"), &["source.format: expected one of auto, ndjson, json, csv; found \"xml\""]);
    check("/source/format", json!(["csv"]), &["source.format: expected one of auto, ndjson, json, csv; found a list"]);
    check("/source/include", json!("*.csv"), &["source.include: expected a list of globs; found \"*.csv\""]);
    check(
        "/source/csv/skip_lines",
        json!(-1),
        &["source.csv.skip_lines: expected a whole number, 0 or more; found -1"],
    );
    check(
        "/source/csv/header",
        json!("last_row"),
        &["source.csv.header: expected first_row, none, or a list of column names; found \"last_row\""],
    );
    check("/record", json!([]), &["record: expected a mapping; found a list"]);
    check(
        "/record/types",
        json!({"price": "money", "a.b": 1}),
        &[
            "record.types['a.b']: expected the name of a type, or a mapping with `type`, `formats` and `time_zone`; found 1",
            "record.types.price: expected one of string, integer, float, decimal, boolean, date, timestamp, json; found \
         \"money\"",
        ],
    );
    check("/record/null_tokens", json!(["", 5]), &["record.null_tokens[1]: expected a string; found 5"]);
    check("/rejects/max_ratio", json!("5%"), &["rejects.max_ratio: expected a number; found \"5%\""]);
    check(
        "/limits/record_bytes",
        json!("8 MegaBytes"),
        &[
            "limits.record_bytes: expected a size such as 8388608, \"8MiB\" or \"10MB\" (units B, KB, MB, GB, TB, KiB, MiB, \
         GiB, TiB); found \"8 MegaBytes\"",
        ],
    );
    check(
        "/source/encoding",
        json!("utf8"),
        &["source.encoding: expected one of utf-8, utf-16, utf-16le, utf-16be, latin-1; found \"utf8\""],
    );
    check(
        "/source/compression",
        json!("bz2"),
        &["source.compression: expected one of auto, none, gzip, zstd, bzip2, xz; found \"bz2\""],
    );
    check(
        "/source/csv",
        json!({"escape": "\\", "duplicate_names": "number_them", "empty_names": "drop", "escpe": "doubled"}),
        &[
            "source.csv.duplicate_names: expected one of fail, number; found \"number_them\"",
            "source.csv.empty_names: expected one of number, fail; found \"drop\"",
            "source.csv.escape: expected one of doubled, backslash; found \"\\\\\"",
            "source.csv.escpe: unknown key `escpe`; did you mean `escape`?",
        ],
    );
    check("/source/csv", json!({"multiline": "no"}), &["source.csv.multiline: expected true or false; found \"no\""]);
    check(
        "/source/json/duplicate_keys",
        json!("first"),
        &["source.json.duplicate_keys: expected one of last, reject; found \"first\""],
    );
    check("/on_failure", json!(null), &["on_failure: expected one of ledger, fail; found null"]);
}

#[test]
fn names_are_checked() {
    let bucket = |name: &str, expected: &str| {
        check("/source/bucket", json!(name), &[&format!("source.bucket: expected {expected}; found \"{name}\"")]);
    };
    bucket("ab", "a bucket name of 3 to 63 characters");
    check(
        "/source/bucket",
        json!("a".repeat(64)),
        &[&format!("source.bucket: expected a bucket name of 3 to 63 characters; found \"{}…\"", "a".repeat(60))],
    );
    bucket("Raw", "a bucket name of lower-case letters, digits, `-` and `.` only");
    bucket("raw_data", "a bucket name of lower-case letters, digits, `-` and `.` only");
    bucket("-raw", "a bucket name that begins and ends with a letter or digit");
    bucket("raw.", "a bucket name that begins and ends with a letter or digit");
    bucket("a..b", "a bucket name without `..`");
    bucket("192.168.0.1", "a bucket name that is not written like an IP address");
    bucket("xn--raw", "a bucket name that does not begin with `xn--`, which S3 keeps for itself");
    bucket("raw-s3alias", "a bucket name that does not end with `-s3alias`, which S3 keeps for itself");

    let prefix = |text: &str, expected: &str| {
        let found = text.escape_debug();
        check("/source/prefix", json!(text), &[&format!("source.prefix: expected {expected}; found \"{found}\"")]);
    };
    prefix("/a", "a prefix without a leading `/`");
    prefix("a/../b", "a prefix without a `..` segment");
    prefix("a/.", "a prefix without a `.` segment");
    prefix("a//b", "a prefix without an empty segment (`//`)");
    prefix("a//", "a prefix without an empty segment (`//`)");
    prefix("a\nb", "a prefix without control characters");
    check(
        "/source/prefix",
        json!("x".repeat(901)),
        &[&format!("source.prefix: expected a prefix of at most 900 bytes; found \"{}…\"", "x".repeat(60))],
    );
    check(
        "/output/prefix",
        json!("out"),
        &["output.prefix: expected a prefix that is empty or ends with `/`; found \"out\""],
    );
    check(
        "/source/json/pointer",
        json!("data"),
        &["source.json.pointer: expected a JSON Pointer, which begins with `/`; found \"data\""],
    );
    check(
        "/record/select",
        json!(["a", "b..c"]),
        &["record.select[1]: expected a field path without empty names; found \"b..c\""],
    );
}

#[test]
fn globs_are_compiled() {
    let error = {
        let mut tree = minimal();
        put(&mut tree, "/source/include", json!(["ok/*", "[", "{a", "fine"]));
        Job::from_value(tree).unwrap_err()
    };
    let paths: Vec<&str> = error.problems().iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(paths, ["source.include[1]", "source.include[2]"], "indexes are those of the file");
    check("/source/include", json!(vec!["a"; 101]), &["source.include: expected at most 100 globs; found 101 entries"]);
}

#[test]
fn rules_between_values_are_checked() {
    check(
        "/source/csv",
        json!({"delimiter": "ab", "quote": "é"}),
        &[
            "source.csv.delimiter: expected exactly one printable ASCII character or a tab (\"\\t\"); found \"ab\"",
            "source.csv.quote: expected exactly one printable ASCII character or a tab (\"\\t\"); found \"é\"",
        ],
    );
    check(
        "/source/csv",
        json!({"quote": ",", "comment": ","}),
        &[
            "source.csv.quote: expected a character other than that of `source.csv.delimiter`; found the same character",
            "source.csv.comment: expected a character other than that of `source.csv.delimiter`; found the same character",
            "source.csv.comment: expected a character other than that of `source.csv.quote`; found the same character",
        ],
    );
    check(
        "/source/csv",
        json!({"delimiter": "\\", "quote": null, "comment": "\\", "escape": "backslash"}),
        &[
            "source.csv.comment: expected a character other than that of `source.csv.delimiter`; found the same character",
            "source.csv.delimiter: expected a character other than the backslash, which `source.csv.escape` uses; found a \
         backslash",
            "source.csv.comment: expected a character other than the backslash, which `source.csv.escape` uses; found a \
         backslash",
            "source.csv.escape: expected `doubled` where there are no quotes; a backslash counts only inside them; found \
         `backslash`",
        ],
    );
    check(
        "/source/csv",
        json!({"quote": "\\", "escape": "backslash"}),
        &["source.csv.quote: expected a character other than the backslash, which `source.csv.escape` uses; found a \
         backslash"],
    );
    check("/source/csv", json!({"quote": "\\", "comment": "\""}), &[]);
    check("/source/csv", json!({"quote": null, "comment": "\"", "delimiter": "\\"}), &[]);
    check(
        "/source/csv",
        json!({"header": ["a", "b", "a"], "skip_lines": 1001}),
        &[
            "source.csv.skip_lines: expected a whole number from 0 to 1000; found 1001",
            "source.csv.header[2]: expected each column name once; found `a` again",
        ],
    );
    check(
        "/record",
        json!({"select": ["a", "a"], "drop": ["b"]}),
        &[
            "record.drop: expected `select` or `drop`, not both; found both",
            "record.select[1]: expected each field once; found `a` again",
        ],
    );
    check(
        "/record/select",
        json!(["a.id", "b.id"]),
        &[
            "record.select[1]: expected every field under a name of its own; use `rename`; found `a.id` and `b.id` both become \
         `id`",
        ],
    );
    check(
        "/record",
        json!({"select": ["a", "b"], "rename": {"a": "b", "c": "d"}}),
        &[
            "record.select[1]: expected every field under a name of its own; use `rename`; found `a` and `b` both become `b`",
            "record.rename.c: expected a field that `select` keeps; found a field that it does not keep",
        ],
    );
    check(
        "/record",
        json!({"drop": ["a"], "rename": {"a": "x", "b": "y", "c": "y"}}),
        &[
            "record.rename.a: expected a field that `drop` keeps; found a dropped field",
            "record.rename.c: expected a new name that no other field beside it has; found `y`, which `b` becomes too",
        ],
    );
    check(
        "/record/types",
        json!({"a.b": "string", "/a/b": "integer"}),
        &["record.types['a.b']: expected each field once; found the same field, written differently"],
    );
    check(
        "/record/set",
        json!({"id": {"deep": [1e22]}}),
        &[
            "record.set.id: expected numbers that 64 bits hold exactly, or strings with all their digits; found a larger number",
        ],
    );
    check(
        "/rejects",
        json!({"max_ratio": 1.5, "max_per_object": 1_000_001}),
        &[
            "rejects.max_per_object: expected a whole number from 0 to 1000000; found 1000001",
            "rejects.max_ratio: expected a number from 0 to 1; found 1.5",
        ],
    );
    check(
        "/tolerance",
        json!({"failed_items_ratio": -0.1, "rejected_records_ratio": 5}),
        &[
            "tolerance.failed_items_ratio: expected a number from 0 to 1; found -0.1",
            "tolerance.rejected_records_ratio: expected a number from 0 to 1; found 5",
        ],
    );
    check(
        "/limits",
        json!({"record_bytes": "65MiB", "expanded_bytes": 1, "depth": 0, "fields": 100_001}),
        &[
            "limits.record_bytes: expected a size from 1 KiB to 64 MiB; found 65 MiB",
            "limits.expanded_bytes: expected a size from 1 MiB to 5 TiB; found 1 bytes",
            "limits.depth: expected a whole number from 1 to 1000; found 0",
            "limits.fields: expected a whole number from 1 to 100000; found 100001",
        ],
    );
    check(
        "/limits",
        json!({"output_bytes": "63KiB"}),
        &["limits.output_bytes: expected a size from 64 KiB to 256 MiB; found 63 KiB"],
    );
    check(
        "/limits",
        json!({"checkpoint_bytes": "2GiB"}),
        &["limits.checkpoint_bytes: expected a size from 1 MiB to 1 GiB; found 2 GiB"],
    );
    check(
        "/limits/output_bytes",
        json!("257MiB"),
        &["limits.output_bytes: expected a size from 64 KiB to 256 MiB; found 257 MiB"],
    );
}

#[test]
fn names_that_do_not_meet_are_allowed() {
    for record in [
        json!({"select": ["a", "b"], "rename": {"a": "b", "b": "a"}}),
        json!({"rename": {"a": "b", "b": "a"}}),
        json!({"rename": {"a.x": "n", "b.x": "n"}}),
    ] {
        let mut tree = minimal();
        put(&mut tree, "/record", record);
        Job::from_value(tree).unwrap();
    }
}

#[test]
fn text_operands_of_numeric_fields_are_numbers() {
    let record = |operand: Value| json!({"types": {"a": "decimal"}, "where": {"any": [{"field": "a", "gt": operand}]}});
    check(
        "/record",
        record(json!("ten")),
        &[
            "record.where: expected a number as operand of `gt`, because `a` has a numeric type; found a string that is not one",
        ],
    );
    check(
        "/record",
        record(json!("0x1F")),
        &[
            "record.where: expected a number as operand of `gt`, because `a` has a numeric type; found a string that is not one",
        ],
    );
    for operand in [json!("0.10"), json!("-123456789012345678901234567890.5"), json!("1e400"), json!(7)] {
        let mut tree = minimal();
        put(&mut tree, "/record", record(operand));
        Job::from_value(tree).unwrap();
    }
}

#[test]
fn conditions_are_checked() {
    let shape = "a condition: a mapping with `all`, `any`, `not`, or `field` and one operator";
    check("/record/where", json!({}), &[&format!("record.where: expected {shape}; found an empty mapping")]);
    check("/record/where", json!([]), &[&format!("record.where: expected {shape}; found a list")]);
    check("/record/where", json!({"field": "a"}), &[&format!("record.where: expected {shape}; found the keys field")]);
    check(
        "/record/where",
        json!({"field": "a", "eq": 1, "gt": 0}),
        &[&format!("record.where: expected {shape}; found the keys eq, field, gt")],
    );
    check(
        "/record/where",
        json!({"all": []}),
        &["record.where.all: expected a list of conditions; found an empty list"],
    );
    check(
        "/record/where",
        json!({"any": [{"field": "a", "eq": null}, {"field": "", "eq": 1}]}),
        &[
            "record.where.any[0].eq: expected a string, number or boolean (for null use `is_null: true`); found null",
            "record.where.any[1].field: expected a field path of 1 to 1024 bytes; found a string",
        ],
    );
    let operand =
        |condition: Value, expected: &str| check("/record/where", condition, &[&format!("record.where.{expected}")]);
    operand(
        json!({"field": "a", "gt": true}),
        "gt: expected a number or a string, which have an order; found true or false",
    );
    operand(json!({"field": "a", "exists": "yes"}), "exists: expected true or false; found a string");
    operand(json!({"field": "a", "starts_with": 1}), "starts_with: expected a string; found a number");
    operand(
        json!({"field": "a", "in": []}),
        "in: expected a list of 1 to 1000 strings, numbers or booleans; found a list",
    );
    operand(
        json!({"field": "a", "eq": 1e20}),
        "eq: expected a number that 64 bits hold exactly, or a string with all its digits; found a number",
    );

    let deep = (0..16).fold(json!({"field": "a", "eq": 1}), |condition, _| json!({"not": condition}));
    check("/record/where", deep, &["record.where: expected conditions nested at most 16 deep; found 17 levels"]);
    let wide = json!({"all": vec![json!({"field": "a", "eq": 1}); 256]});
    check("/record/where", wide, &["record.where: expected at most 256 conditions; found 257 conditions"]);
}

#[test]
fn the_places_may_not_hold_one_another() {
    let places = |source: &str, output: &str| {
        let mut tree = minimal();
        put(&mut tree, "/source", json!({"bucket": "same", "prefix": source}));
        put(&mut tree, "/output", json!({"bucket": "same", "prefix": output}));
        Job::from_value(tree).map_err(|error| error.problems()[0].path.clone()).err()
    };
    for (source, output) in
        [("", ""), ("", "out/"), ("in/", "in/"), ("in/", "in/out/"), ("in", "index/"), ("a/b/", "a/"), ("a/", "")]
    {
        assert_eq!(places(source, output).as_deref(), Some("output.prefix"), "{source:?} {output:?}");
    }
    for (source, output) in [("in/", "out/"), ("a/b/", "a/c/")] {
        assert_eq!(places(source, output), None, "{source:?} {output:?}");
    }
}

#[test]
fn all_problems_are_reported_at_once() {
    let error = Job::parse(
        "version: 1\nnam: j\nsource:\n  bucket: RAW\n  format: xml\nrecord:\n  types: {a: money}\n  select: [a]\n  \
         drop: [b]\noutput: {prefix: out}\nlimits: {depth: 0}\n",
    )
    .unwrap_err();
    let lines: Vec<String> = error.to_string().lines().map(str::to_owned).collect();
    let paths: Vec<&str> = error.problems().iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "nam",
            "output",
            "record.types.a",
            "source.bucket",
            "source.format",
            "",
            "record.drop",
            "limits.depth",
            "output.prefix"
        ],
        "{lines:#?}"
    );
    assert_eq!(error.problems()[5].kind, ProblemKind::MissingKey { key: "name".to_owned() });
}

#[test]
fn the_number_of_problems_is_limited() {
    let entries: serde_json::Map<String, Value> = (0..500).map(|index| (format!("f{index}"), json!("money"))).collect();
    let mut tree = minimal();
    put(&mut tree, "/record/types", Value::Object(entries));
    assert_eq!(Job::from_value(tree).unwrap_err().problems().len(), 50);
}

#[test]
fn values_that_may_be_data_are_not_repeated() {
    let mut tree = minimal();
    put(&mut tree, "/record/where", json!({"field": "iban", "exists": "DE02120300000000202051"}));
    let message = Job::from_value(tree).unwrap_err().to_string();
    assert!(!message.contains("DE02"), "{message}");
}
