//! `explode`: one record for each element of an array, and every other rule on the fields below it.

#[path = "support/fields.rs"]
mod fields;
mod support;

use fields::{path, paths};
use proptest::prelude::*;
use record_stream::{
    Condition, CsvDialect, FieldType, JsonLayout, JsonMode, RecordFormat, RecordLimits, Reshape, Scalar, StreamOptions,
    Test,
};
use serde_json::{Value, json};
use support::{run, run_in_all_chunkings};

fn array() -> RecordFormat {
    RecordFormat::Json(JsonLayout { pointer: Vec::new(), mode: JsonMode::Array })
}

fn explode(field: &str) -> Reshape {
    Reshape { explode: Some(path(field)), ..Reshape::default() }
}

fn where_greater(field: &str, than: &str) -> Option<Condition> {
    Some(Condition::Field(path(field), Test::Greater(Scalar::Number(than.to_owned()))))
}

/// Expects lines of output and rejects as (code, record), and the counts [read, exploded, written, filtered].
fn check_stream(options: &StreamOptions, input: &str, lines: &[&str], rejects: &[(&str, u64)], counts: [u64; 4]) {
    let result = run_in_all_chunkings(options, input.as_bytes());
    assert_eq!(result.output.lines().collect::<Vec<_>>(), lines, "output of {input}");
    assert!(result.output.is_empty() || result.output.ends_with('\n'), "the last line ends: {input}");
    let found: Vec<_> = result.rejects.iter().map(|(code, _, _, record, _)| (code.as_str(), *record)).collect();
    assert_eq!(found, rejects, "rejects of {input}");
    assert_eq!(result.error, None, "error of {input}");
    let found = result.counts;
    assert_eq!([found.read, found.exploded, found.written, found.filtered], counts, "counts of {input}");
}

/// Expects the lines that one record becomes, and the number of those left out: as a line and as an element.
fn check(reshape: &Reshape, record: &str, lines: &[&str], filtered: u64) {
    let written = lines.len() as u64;
    let counts = [1, (written + filtered).saturating_sub(1), written, filtered];
    for (format, input) in [(RecordFormat::NdJson, record.to_owned()), (array(), format!("[\n{record}\n]"))] {
        let options = StreamOptions { reshape: reshape.clone(), ..StreamOptions::new(format) };
        check_stream(&options, &input, lines, &[], counts);
    }
}

#[test]
fn an_element_stands_in_the_place_of_the_array() {
    let items = explode("items");
    check(
        &items,
        r#"{"id":1,"items":[{"sku":"a","n":[1,2]},{"sku":"b"}],"z":[ 2 ]}"#,
        &[r#"{"id":1,"items":{"sku":"a","n":[1,2]},"z":[ 2 ]}"#, r#"{"id":1,"items":{"sku":"b"},"z":[ 2 ]}"#],
        0,
    );
    check(&items, r#"{"items":[7]}"#, &[r#"{"items":7}"#], 0);
    check(
        &items,
        r#"{"items":[1.50,"x\n",null,true,[1,[2]],[],{}]}"#,
        &[
            r#"{"items":1.50}"#,
            r#"{"items":"x\n"}"#,
            r#"{"items":null}"#,
            r#"{"items":true}"#,
            r#"{"items":[1,[2]]}"#,
            r#"{"items":[]}"#,
            r#"{"items":{}}"#,
        ],
        0,
    );
    check(&items, r#"{"it\u0065ms":[1,2]}"#, &[r#"{"it\u0065ms":1}"#, r#"{"it\u0065ms":2}"#], 0);
    check(
        &items,
        r#"{"other":{"items":[8,9]},"items":[1,2]}"#,
        &[r#"{"other":{"items":[8,9]},"items":1}"#, r#"{"other":{"items":[8,9]},"items":2}"#],
        0,
    );
}

#[test]
fn a_path_leads_to_the_array() {
    check(
        &explode("a.items"),
        r#"{"a":{"x":0,"items":[1,2],"y":0},"items":[3]}"#,
        &[r#"{"a":{"x":0,"items":1,"y":0},"items":[3]}"#, r#"{"a":{"x":0,"items":2,"y":0},"items":[3]}"#],
        0,
    );
    check(
        &explode("orders.1.items"),
        r#"{"orders":[{"items":[1,2]},{"items":[3,4]},{"items":[5]}]}"#,
        &[
            r#"{"orders":[{"items":[1,2]},{"items":3},{"items":[5]}]}"#,
            r#"{"orders":[{"items":[1,2]},{"items":4},{"items":[5]}]}"#,
        ],
        0,
    );
    check(&explode("a.0"), r#"{"a":[[1,2],3]}"#, &[r#"{"a":[1,3]}"#, r#"{"a":[2,3]}"#], 0);
    let picked = Reshape { select: paths(&["id", "a.items.sku"]), ..explode("a.items") };
    check(
        &picked,
        r#"{"a":{"items":[{"sku":"p"},{"sku":"q"}]},"id":5}"#,
        &[r#"{"id":5,"sku":"p"}"#, r#"{"id":5,"sku":"q"}"#],
        0,
    );
}

#[test]
fn without_elements_there_is_no_record() {
    for record in [r#"{"id":1}"#, r#"{"items":null}"#, r#"{"items":[]}"#, r#"{"items":[ ],"x":1}"#, "{}"] {
        check(&explode("items"), record, &[], 1);
    }
    for record in [r#"{"a":1}"#, r#"{"a":[{"items":[1]}]}"#, r#"{"a":{"items":null}}"#, r#"{"items":[1,2]}"#] {
        check(&explode("a.items"), record, &[], 1);
    }
    for record in [r#"{"a":[1]}"#, r#"{"a":{"1":[1,2]}}"#] {
        check(&explode("a.1"), record, &[], 1);
    }
}

#[test]
fn what_is_not_an_array_stays_as_it_is() {
    for record in [r#"{"items":{"sku":"a"}}"#, r#"{"items":"[1,2]"}"#, r#"{"id":1, "items":0}"#, r#"{"items":false}"#] {
        let expected = record.replace(", ", ",");
        check(&explode("items"), record, &[&expected], 0);
    }
    let ruled = Reshape {
        types: vec![(path("items.price"), FieldType::Decimal.into())],
        condition: where_greater("items.price", "1"),
        ..explode("items")
    };
    check(&ruled, r#"{"items":{"price":"2"}}"#, &[r#"{"items":{"price":2}}"#], 0);
    check(&ruled, r#"{"items":{"price":"1"}}"#, &[], 1);
}

#[test]
fn of_arrays_with_one_name_the_last_is_exploded() {
    let items = explode("items");
    let last = Reshape { select: paths(&["items"]), ..explode("items") };
    check(&last, r#"{"items":[1],"items":[2,3]}"#, &[r#"{"items":2}"#, r#"{"items":3}"#], 0);
    check(&last, r#"{"items":[1,2,3],"it\u0065ms":[4]}"#, &[r#"{"items":4}"#], 0);
    check(&items, r#"{"items":[9],"items":[1,2]}"#, &[r#"{"items":1}"#, r#"{"items":2}"#], 0);
    check(&items, r#"{"items":[1,2],"items":null}"#, &[], 1);
    check(&items, r#"{"items":[1,2],"items":7}"#, &[r#"{"items":7}"#], 0);
    let inner = Reshape { select: paths(&["a.items"]), ..explode("a.items") };
    check(&inner, r#"{"a":{"items":[1,2]},"a":{"items":[3]}}"#, &[r#"{"items":3}"#], 0);
    check(&inner, r#"{"a":{"items":[1,2]},"a":{}}"#, &[], 1);
    let price = Reshape { select: paths(&["items.p"]), ..explode("items") };
    check(&price, r#"{"items":[{"p":1,"p":2},{"q":1}]}"#, &[r#"{"p":2}"#, "{}"], 0);
}

#[test]
fn rules_work_on_the_fields_of_the_element() {
    let reshape = Reshape {
        types: vec![(path("items.price"), FieldType::Decimal.into()), (path("id"), FieldType::Integer.into())],
        condition: where_greater("items.price", "1.5"),
        drop: paths(&["items.secret", "items.tags.0"]),
        rename: vec![(path("items.sku"), "code".into()), (path("id"), "order".into())],
        cast: vec![(path("items.price"), FieldType::String.into())],
        set: vec![("source".into(), "\"shop\"".into())],
        ..explode("items")
    };
    check(
        &reshape,
        r#"{"id":"7","items":[{"sku":"a","price":"2.50","secret":1},{"sku":"b","price":1.5},{"price":9,"tags":["x","y"]},{"sku":"c"}]}"#,
        &[
            r#"{"order":7,"items":{"code":"a","price":"2.50"},"source":"shop"}"#,
            r#"{"order":7,"items":{"price":"9","tags":["y"]},"source":"shop"}"#,
        ],
        2,
    );
    let selected = Reshape {
        select: paths(&["items.sku", "id", "items.price"]),
        rename: vec![(path("items.sku"), "code".into())],
        types: Vec::new(),
        condition: None,
        drop: Vec::new(),
        ..reshape
    };
    check(
        &selected,
        r#"{"id":7,"items":[{"sku":"a","price":1e1},{"price":2},null,3]}"#,
        &[
            r#"{"code":"a","id":7,"price":"1e1","source":"shop"}"#,
            r#"{"id":7,"price":"2","source":"shop"}"#,
            r#"{"id":7,"source":"shop"}"#,
            r#"{"id":7,"source":"shop"}"#,
        ],
        0,
    );
}

#[test]
fn rules_work_on_the_element_itself() {
    let record = r#"{"id":1,"items":["1","2",3,null]}"#;
    let typed = Reshape {
        types: vec![(path("items"), FieldType::Integer.into())],
        condition: where_greater("items", "1"),
        ..explode("items")
    };
    check(&typed, record, &[r#"{"id":1,"items":2}"#, r#"{"id":1,"items":3}"#], 2);
    let renamed = Reshape { rename: vec![(path("items"), "item".into())], condition: None, ..typed };
    let lines = [r#"{"id":1,"item":1}"#, r#"{"id":1,"item":2}"#, r#"{"id":1,"item":3}"#, r#"{"id":1,"item":null}"#];
    check(&renamed, record, &lines, 0);
    let cast = Reshape { cast: vec![(path("items"), FieldType::String.into())], ..explode("items") };
    check(
        &cast,
        r#"{"items":[1.0,"x",null,true,{"a":[1]}]}"#,
        &[
            r#"{"items":"1.0"}"#,
            r#"{"items":"x"}"#,
            r#"{"items":null}"#,
            r#"{"items":"true"}"#,
            r#"{"items":"{\"a\":[1]}"}"#,
        ],
        0,
    );
    let dropped = Reshape { drop: paths(&["items"]), condition: where_greater("items", "1"), ..explode("items") };
    check(&dropped, r#"{"id":1,"items":[1,2,3]}"#, &[r#"{"id":1}"#, r#"{"id":1}"#], 1);
    let set = Reshape { set: vec![("items".into(), "0".into())], ..explode("items") };
    check(&set, r#"{"id":1,"items":[1,2]}"#, &[r#"{"id":1,"items":0}"#, r#"{"id":1,"items":0}"#], 0);
    let inner = Reshape { drop: paths(&["items.0"]), ..explode("items") };
    check(&inner, r#"{"items":[[1,2],[3],4]}"#, &[r#"{"items":[2]}"#, r#"{"items":[]}"#, r#"{"items":4}"#], 0);
}

#[test]
fn a_field_of_one_element_is_not_one_of_the_next() {
    let reshape = Reshape {
        types: vec![(path("items.p"), FieldType::Integer.into())],
        rename: vec![(path("items.old"), "new".into())],
        ..explode("items")
    };
    check(
        &reshape,
        r#"{"items":[{"p":"1","old":1,"new":2},{"new":3},{"p":"4"},{},5]}"#,
        &[
            r#"{"items":{"p":1,"new":1}}"#,
            r#"{"items":{"new":3}}"#,
            r#"{"items":{"p":4}}"#,
            r#"{"items":{}}"#,
            r#"{"items":5}"#,
        ],
        0,
    );
}

#[test]
fn one_bad_element_rejects_the_record() {
    let typed = Reshape {
        types: vec![(path("items.n"), FieldType::Integer.into())],
        condition: where_greater("items.n", "0"),
        ..explode("items")
    };
    let cast = Reshape { cast: vec![(path("items.n"), FieldType::Integer.into())], ..explode("items") };
    let input = "{\"items\":[{\"n\":1},{\"n\":2}]}\n{\"items\":[{\"n\":3},{\"n\":4},{\"n\":\"x\"}]}\n[1]\n\
                 {\"items\":[{\"n\":\"x\"},{\"n\":5}]}\n{\"items\":[{\"n\":6}]}\n";
    let lines = [r#"{"items":{"n":1}}"#, r#"{"items":{"n":2}}"#, r#"{"items":{"n":6}}"#];
    for (reshape, code) in [(typed, "type_mismatch"), (cast, "cast_impossible")] {
        let options = StreamOptions { reshape, ..StreamOptions::new(RecordFormat::NdJson) };
        check_stream(&options, input, &lines, &[(code, 2), ("not_an_object", 3), (code, 4)], [5, 1, 3, 0]);
    }
}

#[test]
fn every_record_is_counted_once() {
    let reshape = Reshape {
        types: vec![(path("items"), FieldType::Integer.into())],
        condition: where_greater("items", "10"),
        ..explode("items")
    };
    let options = StreamOptions { reshape, ..StreamOptions::new(RecordFormat::NdJson) };
    let line = |items: &str| format!("{{\"items\":{items}}}\n");
    let all = ["[1,11,12]", "[]", "[1]", "[11]", "[1,2,3,4]", "99", "9", "[11,\"x\"]", "null"];
    let input: String = all.map(line).concat() + "{}\n";
    let lines = [11, 12, 11, 99].map(|n| format!("{{\"items\":{n}}}"));
    let lines = lines.each_ref().map(String::as_str);
    // Filtered: 1 of the first, the empty one, the third, all four of the fifth, 9, null and missing.
    check_stream(&options, &input, &lines, &[("type_mismatch", 8)], [10, 5, 4, 10]);
}

#[test]
fn what_a_record_becomes_has_a_limit() {
    let with = |reshape, output_bytes| StreamOptions {
        reshape,
        limits: RecordLimits { output_bytes, ..RecordLimits::default() },
        ..StreamOptions::new(RecordFormat::NdJson)
    };
    // Each line has eleven bytes; line breaks do not count.
    let input = "{\"items\":[1,2,3]}\n{\"items\":[4,5]}\n{\"items\":[6,7,8,9]}\n{\"items\":[0]}\n";
    let small = [r#"{"items":4}"#, r#"{"items":5}"#, r#"{"items":0}"#];
    let rejects = [("output_too_large", 1), ("output_too_large", 3)];
    check_stream(&with(explode("items"), 22), input, &small, &rejects, [4, 1, 3, 0]);
    check_stream(&with(explode("items"), 32), input, &small, &rejects, [4, 1, 3, 0]);
    let more = [1, 2, 3, 4, 5, 0].map(|n| format!("{{\"items\":{n}}}"));
    let more = more.each_ref().map(String::as_str);
    check_stream(&with(explode("items"), 33), input, &more, &rejects[1..], [4, 3, 6, 0]);
    // What is left out takes no room.
    let filtering = Reshape { condition: where_greater("items", "7"), ..explode("items") };
    let lines = [r#"{"items":8}"#, r#"{"items":9}"#];
    check_stream(&with(filtering, 22), input, &lines, &[], [4, 6, 2, 8]);
    // The limit counts for records that are not exploded, too.
    let set = Reshape { set: vec![("k".into(), "\"xxxxxxxxxx\"".into())], ..Reshape::default() };
    let input = "{\"a\":1}\n{\"a\":12}\n{}\n";
    let lines = [r#"{"a":1,"k":"xxxxxxxxxx"}"#, r#"{"k":"xxxxxxxxxx"}"#];
    check_stream(&with(set.clone(), 24), input, &lines, &[("output_too_large", 2)], [3, 0, 2, 0]);
    let csv = StreamOptions { format: RecordFormat::Csv(CsvDialect::default()), ..with(set, 26) };
    check_stream(
        &csv,
        "a\n1\n12\n\"\"\n",
        &[r#"{"a":"1","k":"xxxxxxxxxx"}"#, r#"{"a":"","k":"xxxxxxxxxx"}"#],
        &[("output_too_large", 2)],
        [3, 0, 2, 0],
    );
}

#[test]
fn a_small_array_can_become_more_than_its_record() {
    let filler = "f".repeat(2000);
    let numbers = (0..500).map(|n| n.to_string()).collect::<Vec<_>>();
    let record = format!("{{\"filler\":\"{filler}\",\"n\":[{}]}}", numbers.join(","));
    let options = |output_bytes| StreamOptions {
        reshape: explode("n"),
        limits: RecordLimits { record_bytes: 8000, output_bytes, ..RecordLimits::default() },
        ..StreamOptions::new(RecordFormat::NdJson)
    };
    let lines: Vec<String> = numbers.iter().map(|n| format!("{{\"filler\":\"{filler}\",\"n\":{n}}}")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let bytes = lines.iter().map(|line| line.len()).sum::<usize>();
    check_stream(&options(bytes), &record, &lines, &[], [1, 499, 500, 0]);
    check_stream(&options(bytes - 1), &record, &[], &[("output_too_large", 1)], [1, 0, 0, 0]);
}

#[test]
fn the_work_of_an_exploded_record_has_a_limit() {
    // 64 times as many bytes as the output may have: the elements of the array times the bytes around it.
    let check = |explode: Reshape, record: &str, filtered: Option<u64>| {
        let options = StreamOptions {
            reshape: Reshape { condition: where_greater("id", "1"), ..explode },
            limits: RecordLimits { output_bytes: 100, ..RecordLimits::default() },
            ..StreamOptions::new(RecordFormat::NdJson)
        };
        let input = format!("{{\"id\":2,\"n\":[7]}}\n{record}\n{{\"id\":3,\"n\":[8]}}\n");
        let lines = [r#"{"id":2,"n":7}"#, r#"{"id":3,"n":8}"#];
        // A record that is refused makes no records.
        let (rejects, exploded): (&[_], _) = match filtered {
            Some(filtered) => (&[], filtered - 1),
            None => (&[("explode_too_large", 2)], 0),
        };
        check_stream(&options, &input, &lines, rejects, [3, exploded, 2, filtered.unwrap_or(0)]);
    };
    let record = |filler: usize, elements: usize| {
        let elements = vec!["1"; elements].join(",");
        format!("{{\"id\":1,\"f\":\"{}\",\"n\":[{elements}]}}", "f".repeat(filler))
    };
    // Around the array of such a record are 20 bytes and the filler.
    check(explode("n"), &record(44, 100), Some(100));
    check(explode("n"), &record(44, 101), None);
    check(explode("n"), &record(45, 100), None);
    check(explode("n"), &record(6380, 1), Some(1));
    check(explode("n"), &record(6381, 1), None);
    // Its own elements are no bytes around an array, however long they are.
    check(explode("n"), &format!("{{\"id\":1,\"n\":[\"{}\",1]}}", "x".repeat(10_000)), Some(2));
    // What is no array is not looked at again for every element.
    check(explode("n"), &format!("{{\"id\":1,\"f\":\"{}\",\"n\":1}}", "f".repeat(10_000)), Some(1));
}

#[test]
fn csv_has_no_arrays() {
    let options =
        StreamOptions { reshape: explode("a"), ..StreamOptions::new(RecordFormat::Csv(CsvDialect::default())) };
    let result = run_in_all_chunkings(&options, b"a,b\n1,2\n");
    assert_eq!(result.error.map(|error| (error.0, error.2)), Some(("not_for_csv".to_owned(), 1)));
    assert_eq!((result.output.as_str(), result.counts.read), ("", 0));
}

#[test]
fn elements_that_span_lines_come_out_on_one() {
    let options = StreamOptions { reshape: explode("items"), ..StreamOptions::new(array()) };
    let input = "[{\n  \"id\": 1,\n  \"items\": [\n    {\n      \"a\": \"x y\"\n    },\n    2\n  ]\n}]";
    let lines = [r#"{"id":1,"items":{"a":"x y"}}"#, r#"{"id":1,"items":2}"#];
    check_stream(&options, input, &lines, &[], [1, 1, 2, 0]);
}

fn any_element() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-z\"\\\\\n\u{e9}]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-c]", inner), 0..4).prop_map(|members| members.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn every_element_makes_the_record_with_it_in_place(
        elements in prop::collection::vec(any_element(), 1..8),
        around in any_element(),
        is_pretty in any::<bool>(),
        chunk in 1_usize..200,
    ) {
        let with = |items: &Value| json!({"before": around, "a": {"items": items, "x": [around]}, "z": 1});
        let record = with(&Value::from(elements.clone()));
        let text = if is_pretty { serde_json::to_string_pretty(&[record]) } else { serde_json::to_string(&[record]) };
        let options = StreamOptions { reshape: explode("a.items"), ..StreamOptions::new(array()) };
        let result = run(&options, text.unwrap().as_bytes(), chunk);
        let lines: Vec<Value> = result.output.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        prop_assert_eq!(lines, elements.iter().map(with).collect::<Vec<_>>());
        prop_assert_eq!(result.counts.exploded as usize, elements.len() - 1);
    }
}
