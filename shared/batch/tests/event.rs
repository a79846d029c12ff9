//! Every shape in which a Distributed Map hands items over, each from a fixture in `fixtures/events`.
#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

use batch::{Event, Item, ItemRange, JobReference, MAX_ITEMS, batch_id};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::path::Path;

fn fixture(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/events").join(format!("{name}.json"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Expects the event of a fixture to hold these items.
fn check(name: &str, expected: &[Item]) {
    let event = Event::parse(&fixture(name)).unwrap();
    assert_eq!(event.run_id, "run-1", "{name}");
    // An item that makes no sense also has a digest of itself, and no other has.
    let without_digest = |item: &Item| {
        assert_eq!(item.defect_digest.is_some(), item.defect.is_some(), "{name}: {item:?}");
        Item { defect_digest: None, ..item.clone() }
    };
    assert_eq!(event.items.iter().map(without_digest).collect::<Vec<_>>(), expected, "{name}");
}

fn item(key: &str) -> Item {
    Item { key: key.into(), ..Item::default() }
}

fn sized(key: &str, size: u64) -> Item {
    Item { size: Some(size), ..item(key) }
}

fn at(bucket: &str, item: Item) -> Item {
    Item { bucket: Some(bucket.into()), ..item }
}

fn tagged(etag: &str, item: Item) -> Item {
    Item { etag: Some(etag.into()), ..item }
}

fn skipped(reason: &'static str, item: Item) -> Item {
    Item { skip: Some(reason), ..item }
}

fn defect(defect: &'static str) -> Item {
    Item { defect: Some(defect), ..Item::default() }
}

const NO_KEY: &str = "expected a text in Key";
const NO_ITEM: &str = "expected an object with a Key, or a text";
const BAD_VALUE: &str = "expected an item, a key or a size in Value";
const BAD_ENCODING: &str = "expected a URL-encoded key of UTF-8, found other bytes";

#[test]
fn a_listing() {
    let event = Event::parse(&fixture("listing")).unwrap();
    assert_eq!(event.correlation_id, "arn:aws:states:eu-west-1:123456789012:execution:mapmill:run-1");
    assert_eq!(event.job, JobReference::Inline(json!({"name": "j"})));
    check(
        "listing",
        &[
            tagged("\"401b30e3b8b5d629635a5c613cdb7919\"", sized("input/0001.txt", 2)),
            // A listing writes keys as they are.
            tagged("\"d41d8cd98f00b204e9800998ecf8427e-3\"", sized("input/a+b%20c.csv", 5 << 30)),
            tagged("\"d41d8cd98f00b204e9800998ecf8427e\"", sized("input/folder/", 0)),
        ],
    );
}

#[test]
fn rows_of_an_inventory() {
    let src = |item| at("src", item);
    let old = tagged("401b", sized("csvDataset/old.csv", 17));
    check(
        "inventory",
        &[
            src(sized("csvDataset/titles.csv", 3_399_671)),
            src(tagged("401b30e3b8b5d629635a5c613cdb7919", sized("csv Dataset/a+b ä.csv", 17))),
            src(skipped("not_latest", old)),
            src(skipped("delete_marker", item("csvDataset/gone.csv"))),
            src(skipped("delete_marker", item("csvDataset/gone-before.csv"))),
            Item { defect: Some(BAD_ENCODING), ..src(sized("csvDataset/%FF.csv", 1)) },
        ],
    );
    check("bare_inventory_row", &[src(sized("in/a b.csv", 2))]);
}

#[test]
fn rows_of_a_file() {
    check(
        "csv_rows",
        &[at("raw", tagged("401b", sized("in/a.csv", 12))), item("in/a+b%20c.csv"), item("in/c.csv"), defect(NO_KEY)],
    );
    check(
        "json_rows",
        &[
            sized("in/a.json", 1500),
            at("raw", item("in/b.json")),
            item("in/c.json"),
            skipped("not_latest", item("in/d.json")),
            defect(NO_KEY),
            defect(NO_ITEM),
            defect(NO_ITEM),
            defect(NO_ITEM),
        ],
    );
    check("texts", &[item("in/a.csv"), item("in/a+b%20c.csv"), item("")]);
}

#[test]
fn members_of_a_json_object() {
    for (name, last) in [
        ("json_object", at("src", sized("in/h i.csv", 21))),
        // An inventory has `Key`, so in lower case it is some row, whose key is plain.
        ("json_object_lower_case", at("src", sized("in/h%20i.csv", 21))),
    ] {
        check(
            name,
            &[
                sized("in/a.csv", 17),
                sized("in/b.csv", 18),
                tagged("401b", sized("in/c.csv", 19)),
                sized("in/d.csv", 20),
                item("in/e.csv"),
                item("in/f.csv"),
                defect(BAD_VALUE),
                last,
            ],
        );
    }
}

#[test]
fn items_made_by_a_selector() {
    check(
        "selected",
        &[
            at("raw", tagged("\"401b\"", sized("in/a.csv", 2))),
            sized("in/b.csv", 3),
            item("in/c.csv"),
            at("own", item("in/d.csv")),
            sized("in/e.csv", 5),
            at("raw", sized("in/f.csv", 6)),
            defect("expected an item, found items nested deeper than 4 levels"),
            defect(NO_ITEM),
        ],
    );
}

#[test]
fn an_item_without_a_batch() {
    check("bare_listing", &[tagged("\"401b\"", sized("input/0001.txt", 2))]);
    check("bare_selected", &[at("raw", tagged("\"401b\"", sized("input/0001.txt", 2)))]);
    check("bare_without_a_key", &[defect(NO_KEY)]);
}

#[test]
fn work_units_with_ranges() {
    let range = |start, end, item| Item { range: Some(ItemRange { start, end }), ..item };
    let unit = || at("raw", tagged("401b", sized("in/a+b.ndjson", 10 << 20)));
    let expected = [
        range(0, Some(1 << 20), unit()),
        range(1 << 20, Some(2 << 20), unit()),
        range(2 << 20, None, unit()),
        range(5, None, item("in/b.ndjson")),
        range(0, Some(1 << 20), item("in/c.ndjson")),
        range(1 << 20, None, item("in/d.ndjson")),
        item("in/e.ndjson"),
    ];
    check("work_units", &expected);
    let ids: std::collections::BTreeSet<String> =
        expected.iter().map(|item| batch_id(std::slice::from_ref(item))).collect();
    assert_eq!(ids.len(), expected.len(), "each part of an object makes another batch");
}

#[test]
fn a_range_that_makes_no_sense_is_that_items_defect() {
    let event = Event::parse(&fixture("nonsense_ranges")).unwrap();
    for (index, found) in event.items.iter().enumerate() {
        assert_eq!(found.key, format!("in/{index}"), "the ledger can name it");
        assert_eq!(found.range, None);
        assert!(found.defect.unwrap_or_default().contains("in Range"), "{found:?}");
    }
}

#[test]
fn the_batch_may_say_how_its_keys_are_written() {
    let plain = "in/a+b%20c.csv";
    let decoded = "in/a b c.csv";
    check("keys_plain", &[at("src", sized(plain, 2)), sized(plain, 2)]);
    let not_text = Item { defect: Some(BAD_ENCODING), ..item("in/%FF") };
    check(
        "keys_url_encoded",
        &[at("src", sized(decoded, 2)), sized(decoded, 2), item(decoded), sized(decoded, 2), not_text],
    );
    let event = Event::parse(&fixture("keys_url_encoded")).unwrap();
    assert_eq!(event.job, JobReference::Address("s3://jobs/clean.yaml".into()));
    assert_eq!(event.correlation_id, "run-1", "it stands in where there is none");
}

#[test]
fn an_event_that_is_no_batch_is_refused_by_field() {
    let check = |event: Value, expected: &str| {
        let error = Event::parse(&event).unwrap_err();
        assert_eq!(error.name(), "Mapmill.InvalidEvent");
        assert!(error.to_string().contains(expected), "{error}");
    };
    let without = |fixture_name: &str, pointer: &str, name: &str| {
        let mut event = fixture(fixture_name);
        event.pointer_mut(pointer).unwrap().as_object_mut().unwrap().remove(name);
        event
    };
    let with = |fixture_name: &str, pointer: &str, value: Value| {
        let mut event = fixture(fixture_name);
        *event.pointer_mut(pointer).unwrap() = value;
        event
    };
    check(json!("hello"), "expected an object as the event, found a text");
    check(json!({"Records": []}), "expected BatchInput in the event");
    check(without("listing", "", "Items"), "expected Items in the event");
    check(without("listing", "/BatchInput", "mapmill"), "expected mapmill in BatchInput; the ItemBatcher");
    check(without("listing", "/BatchInput/mapmill", "run_id"), "expected run_id in BatchInput.mapmill");
    check(without("listing", "/BatchInput/mapmill", "job"), "expected job in BatchInput.mapmill");
    check(with("listing", "/Items", json!({})), "expected a list in Items, found an object");
    check(with("listing", "/Items", json!(vec![0; MAX_ITEMS + 1])), "at most 10000 items");
    check(with("listing", "/BatchInput/mapmill/version", json!(2)), "expected the number 1");
    check(with("listing", "/BatchInput/mapmill/job", json!(7)), "found a number");
    check(
        with("keys_plain", "/BatchInput/mapmill/keys", json!("encoded")),
        "BatchInput.mapmill.keys, found another text",
    );
    check(with("keys_plain", "/BatchInput/mapmill/keys", json!(1)), "expected plain or url_encoded");
    check(without("bare_listing", "", "mapmill"), "expected BatchInput in the event");
    check(without("bare_listing", "/mapmill", "job"), "expected job in mapmill; the ItemSelector");
    check(with("bare_listing", "/mapmill/run_id", json!("a/b")), "in mapmill.run_id");
    for bad in ["", "..", "a/b", "a b", &"x".repeat(81)] {
        check(with("listing", "/BatchInput/mapmill/run_id", json!(bad)), "BatchInput.mapmill.run_id");
    }
}

/// Any JSON of a few levels, with the names that items have.
fn any_item() -> impl Strategy<Value = Value> {
    let name = prop::sample::select(vec![
        "Key", "key", "Value", "value", "Item", "Source", "Bucket", "Size", "Range", "Start", "End", "Etag", "IsLatest",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop::sample::select(vec!["", "a+b%20c", "s3://x", "S3://é", "bytes=1-2", "bytes=é-", "17", "true", "\u{1}"])
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 30, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name.clone().prop_map(str::to_owned), inner, 0..5)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn every_item_is_there_afterwards(items in prop::collection::vec(any_item(), 0..6)) {
        let mut event = fixture("listing");
        event["Items"] = Value::from(items.clone());
        let parsed = Event::parse(&event).unwrap();
        prop_assert_eq!(parsed.items.len(), items.len());
        for item in &parsed.items {
            prop_assert!(item.range.is_none_or(|range| range.end.is_none_or(|end| range.start < end)), "{:?}", item);
        }
    }
}
