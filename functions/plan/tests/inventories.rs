//! S3 Inventories as the source of a plan, in CSV and Parquet.
#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

mod support;

use batch::Deadline;
use flate2::write::GzEncoder;
use object_store::fakes::{BodyFault, FaultyStore, MemoryStore};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use serde_json::{Value, json};
use std::io::Write;
use std::sync::Arc;
use support::{address, job, json_at, payload, plan_with, units};

fn store() -> MemoryStore {
    MemoryStore::with_buckets(&["raw", "clean", "lists"])
}

fn only_data() -> Value {
    job(json!({"include": ["**/*.csv"]}))
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// An inventory of these files.
fn inventory(store: &MemoryStore, format: &str, schema: &str, files: &[Vec<u8>]) {
    let key = |number: usize| format!("data/{number}.{}", if format == "CSV" { "csv.gz" } else { "parquet" });
    let named: Vec<Value> =
        (0..files.len()).map(|number| json!({"key": key(number), "size": 1, "MD5checksum": "x"})).collect();
    let manifest = json!({
        "sourceBucket": "raw", "destinationBucket": "arn:aws:s3:::lists", "version": "2016-11-30",
        "creationTimestamp": "1514944800000", "fileFormat": format, "fileSchema": schema, "files": named,
    });
    store.insert(&address("lists", "manifest.json"), manifest.to_string());
    for (number, file) in files.iter().enumerate() {
        store.insert(&address("lists", &key(number)), file.clone());
    }
}

const SCHEMA: &str = "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag";

/// A row: key as it is in CSV, whether it is the latest version and a delete marker, size.
type InventoryRow = (&'static str, bool, bool, Option<i64>);

const FILES: [&[InventoryRow]; 2] = [
    &[
        ("in/a%20b%2Bc.csv", true, false, Some(10)),
        ("in/old.csv", false, false, Some(10)),
        ("in/gone.csv", true, true, None),
        ("on/other.csv", true, false, Some(10)),
    ],
    &[("in/", true, false, Some(0)), ("in/gr%C3%B6%C3%9Fe.csv", true, false, Some(20))],
];

fn csv(rows: &[InventoryRow]) -> Vec<u8> {
    let line = |(key, latest, marker, size): &InventoryRow| {
        let size = size.map_or_else(String::new, |size| size.to_string());
        format!("\"raw\",\"{key}\",\"v\",\"{latest}\",\"{marker}\",\"{size}\",\"2026-01-01T00:00:00.000Z\",\"e-1\"\n")
    };
    gzip(&rows.iter().map(line).collect::<String>())
}

/// As S3 writes it: names with underlines, keys as they are.
const MESSAGE: &str = "message s3.inventory { required binary bucket (UTF8); required binary key (UTF8);
    optional boolean is_latest; optional boolean is_delete_marker; optional int64 size; optional binary e_tag (UTF8); }";

/// A row with its key as it is.
type PlainRow = (String, bool, bool, Option<i64>);

/// A file of row groups with so many rows each.
fn parquet_file(rows: &[PlainRow], group: usize) -> Vec<u8> {
    let schema = Arc::new(parse_message_type(MESSAGE).unwrap());
    let properties = WriterProperties::builder().set_compression(parquet::basic::Compression::SNAPPY).build();
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties)).unwrap();
    let text = |text: &str| ByteArray::from(text.as_bytes().to_vec());
    for rows in rows.chunks(group) {
        let there = vec![1; rows.len()];
        let mut columns = writer.next_row_group().unwrap();
        let mut number = 0;
        while let Some(mut column) = columns.next_column().unwrap() {
            let all = |value: fn(&PlainRow) -> bool| rows.iter().map(value).collect::<Vec<_>>();
            let written = match number {
                0 => column.typed::<ByteArrayType>().write_batch(&vec![text("raw"); rows.len()], None, None),
                1 => {
                    let keys: Vec<ByteArray> = rows.iter().map(|row| text(&row.0)).collect();
                    column.typed::<ByteArrayType>().write_batch(&keys, None, None)
                }
                2 => column.typed::<BoolType>().write_batch(&all(|row| row.1), Some(&there), None),
                3 => column.typed::<BoolType>().write_batch(&all(|row| row.2), Some(&there), None),
                4 => {
                    let sizes: Vec<i64> = rows.iter().filter_map(|row| row.3).collect();
                    let levels: Vec<i16> = rows.iter().map(|row| i16::from(row.3.is_some())).collect();
                    column.typed::<Int64Type>().write_batch(&sizes, Some(&levels), None)
                }
                _ => column.typed::<ByteArrayType>().write_batch(&vec![text("e-1"); rows.len()], Some(&there), None),
            };
            written.unwrap();
            column.close().unwrap();
            number += 1;
        }
        columns.close().unwrap();
    }
    writer.into_inner().unwrap()
}

fn parquet(rows: &[InventoryRow]) -> Vec<u8> {
    let decode = |key: &str| key.replace("%20", " ").replace("%2B", "+").replace("%C3%B6", "ö").replace("%C3%9F", "ß");
    let rows: Vec<_> = rows.iter().map(|(key, latest, marker, size)| (decode(key), *latest, *marker, *size)).collect();
    parquet_file(&rows, 3)
}

fn wish() -> Value {
    json!({"batch": {"inventory": "s3://lists/manifest.json"}})
}

#[tokio::test]
async fn an_inventory_stands_in_for_a_listing() {
    for (format, schema, file) in
        [("CSV", SCHEMA, csv as fn(&[InventoryRow]) -> Vec<u8>), ("Parquet", MESSAGE, parquet)]
    {
        let store = store();
        inventory(&store, format, schema, &FILES.map(file));
        let payload = payload("packed", &only_data(), wish());
        let answer = plan_with(Arc::new(store.clone()), &payload, Deadline::UNKNOWN).await.unwrap();
        assert_eq!((answer.items, answer.bytes), (2, 30), "{format}");
        let items = json!([
            {"Key": "in/a b+c.csv", "Size": 10, "Etag": "\"e-1\""},
            {"Key": "in/größe.csv", "Size": 20, "Etag": "\"e-1\""},
        ]);
        assert_eq!(units(&store), [json!({"Items": items})], "{format}");
        let plan = json_at(&store, "clean", "out/_mapmill/run-1/plan.json");
        assert_eq!(
            (&plan["survey"]["left_out"]["not_present"], &plan["survey"]["left_out"]["folder_marker"]),
            (&json!(2), &json!(1)),
            "{format}"
        );
        assert_eq!(plan["inventory"], "s3://lists/manifest.json");
        assert_eq!(store.lists(), 0);
    }
}

/// More than the blocks that are kept, in many row groups, over a store that breaks off now and then.
#[tokio::test]
async fn a_long_parquet_inventory_is_read_to_its_end() {
    let rows: Vec<_> = (0..60_000_u64)
        .map(|number| {
            let noise = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            (format!("in/{number:06}-{noise:016x}-{:016x}.csv", noise.rotate_left(29) ^ number), true, false, Some(7))
        })
        .collect();
    let file = parquet_file(&rows, 5_000);
    assert!(file.len() > 2 << 20, "{} bytes", file.len());
    let store = store();
    inventory(&store, "Parquet", MESSAGE, &[file]);
    let faulty = FaultyStore::new(Arc::new(store.clone())).with_bodies([
        BodyFault::None,
        BodyFault::None,
        BodyFault::Break(100_000),
        BodyFault::None,
        BodyFault::Break(4_000),
    ]);
    let answer =
        plan_with(Arc::new(faulty), &payload("packed", &only_data(), wish()), Deadline::UNKNOWN).await.unwrap();
    assert_eq!((answer.items, answer.bytes), (60_000, 420_000));
    let named: usize = units(&store).iter().map(|unit| unit["Items"].as_array().unwrap().len()).sum();
    assert_eq!(named, 60_000);
}

#[tokio::test]
async fn inventories_that_cannot_be_read_are_refused_by_name() {
    let check = async |format: &str, schema: &str, file: Vec<u8>, words: &str| {
        let store = store();
        inventory(&store, format, schema, &[file]);
        let error = plan_with(Arc::new(store), &payload("packed", &only_data(), wish()), Deadline::UNKNOWN).await;
        let error = error.unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    };
    let file = || parquet(FILES[0]);
    let cut = file().split_off(20);
    let mut damaged = file();
    damaged[4..60].fill(0xff);
    let mut footer = file();
    let place = footer.len() - 8;
    footer[place..place + 4].copy_from_slice(&(1_u32 << 30).to_le_bytes());
    let cannot = "s3://lists/data/0.parquet cannot be read as Parquet";
    check("Parquet", MESSAGE, b"no Parquet".to_vec(), cannot).await;
    check("Parquet", MESSAGE, Vec::new(), cannot).await;
    check("Parquet", MESSAGE, cut, "s3://lists/data/0.parquet").await;
    check("Parquet", MESSAGE, damaged, "s3://lists/data/0.parquet").await;
    check("Parquet", MESSAGE, footer, "its footer has 1073741824 bytes").await;
    check("ORC", SCHEMA, Vec::new(), "expected an inventory in CSV or Parquet").await;
    check("CSV", "Bucket, Key", gzip(""), "the column Size").await;
    check("CSV", SCHEMA, gzip("\"raw\",\"in/a.csv\"\n"), "line 1 of s3://lists/data/0.csv.gz").await;
    check("CSV", SCHEMA, gzip(&"x".repeat(200_000)), "is longer than 65536 bytes").await;
}
