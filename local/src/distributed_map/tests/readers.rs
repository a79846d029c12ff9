//! Data sets in buckets, through whole runs.

use std::io::Write as _;

use super::*;

/// One file and the way it is read.
struct Case<'a> {
    key: &'a str,
    body: Vec<u8>,
    config: Value,
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn get_object(key: &str, config: &Value, extra: Value) -> Value {
    let mut fields = json!({"ItemReader": {"Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": config,
        "Parameters": {"Bucket": "raw", "Key": key}}});
    fields.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    machine(None, fields)
}

/// The items that children get, or the cause of `States.ItemReaderFailed`.
async fn read(services: FakeServices, definition: Value) -> Result<Value, String> {
    let ran = run(services, definition, json!({"n": -1})).await;
    match ran.result.output {
        Some(output) => Ok(output),
        None => {
            assert_eq!(failure(&ran).0, "States.ItemReaderFailed", "{}", failure(&ran).1);
            assert_eq!(ran.result.map_runs[0].status, ExecutionStatus::Failed);
            Err(failure(&ran).1.to_owned())
        }
    }
}

async fn check(case: Case<'_>, expected: Result<Value, &str>) {
    let Case { key, body, config } = case;
    let found = read(FakeServices::new().file("raw", key, body), get_object(key, &config, json!({}))).await;
    match expected {
        Ok(expected) => assert_eq!(found, Ok(expected), "{key} {config}"),
        Err(part) => assert!(found.as_ref().is_err_and(|cause| cause.contains(part)), "{key} {config}: {found:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn files_of_every_type() {
    let csv = json!({"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"});
    let given =
        json!({"InputType": "CSV", "CSVHeaderLocation": "GIVEN", "CSVHeaders": ["x", "y"], "CSVDelimiter": "TAB"});
    let rows = || Ok(json!([{"a": "1", "b": "x"}, {"a": "2", "b": ""}]));
    let text = "a,b\n1,x\n2\n";
    for (key, body) in [
        ("t.csv", text.as_bytes().to_vec()),
        ("t.csv.gz", gzip(text)),
        ("t.csv.GZIP", [gzip("a,b\n1,"), gzip("x\n2\n")].concat()),
        ("t.csv.zst", zstd::encode_all(text.as_bytes(), 1).unwrap()),
        ("t.zstd", zstd::encode_all(text.as_bytes(), 1).unwrap()),
    ] {
        check(Case { key, body, config: csv.clone() }, rows()).await;
    }
    check(Case { key: "t", body: b"1\t2\n".into(), config: given }, Ok(json!([{"x": "1", "y": "2"}]))).await;
    let case = |key, text: &str, config| Case { key, body: text.as_bytes().to_vec(), config };
    check(case("j", "[1,{\"a\":2}]", json!({"InputType": "JSON"})), Ok(json!([1, {"a": 2}]))).await;
    let pointed = json!({"InputType": "JSON", "ItemsPointer": "/data/0"});
    check(case("j", "{\"data\":[[7,8],9]}", pointed), Ok(json!([7, 8]))).await;
    let member = json!({"InputType": "JSON", "ItemsPointer": "/data"});
    check(case("j", "{\"data\":{\"k\":1}}", member), Ok(json!([{"Key": "k", "Value": 1}]))).await;
    let non_iterable = Err("Attempting to map over non-iterable node.");
    check(case("j", "{\"Hello\":\"world\"}", json!({"InputType": "JSON"})), non_iterable).await;
    let lines = json!({"InputType": "JSONL"});
    check(case("l", "{\"n\":1}\n\n[2]\n", lines.clone()), Ok(json!([{"n": 1}, [2]]))).await;
    check(case("l", "{\"n\":1}\nx\n", lines.clone()), Err("not valid JSON")).await;
    check(Case { key: "l.gz", body: b"no gzip".into(), config: lines }, Err("the object cannot be read")).await;
    check(case("p", "no parquet", json!({"InputType": "PARQUET"})), Err("Parquet")).await;
}

#[tokio::test(start_paused = true)]
async fn items_know_where_they_come_from_and_how_many_there_may_be() {
    let selector =
        json!({"ItemSelector": {"i.$": "$$.Map.Item.Index", "s.$": "$$.Map.Item.Source", "v.$": "$$.Map.Item.Value"}});
    let text = (0..2_000).map(|number| format!("{number}\n")).collect::<String>();
    let services = || FakeServices::new().file("raw", "d/l", text.clone());
    let lines = json!({"InputType": "JSONL", "MaxItems": 2});
    let found = read(services(), get_object("d/l", &lines, selector)).await.unwrap();
    assert_eq!(found[1], json!({"i": 1, "s": "S3://raw/d/l", "v": 1}));
    for (most, expected) in [(json!({"MaxItems": 0}), 2_000), (json!({"MaxItems": 1_999}), 1_999), (json!({}), 2_000)] {
        let mut config = json!({"InputType": "JSONL"});
        config.as_object_mut().unwrap().extend(most.as_object().unwrap().clone());
        let found = read(services(), get_object("d/l", &config, json!({}))).await.unwrap();
        assert_eq!(found.as_array().unwrap().len(), expected);
        assert_eq!(found[expected - 1], json!(expected - 1));
    }
    let negative = json!({"InputType": "JSONL", "MaxItemsPath": "$.n"});
    let found = read(services(), get_object("d/l", &negative, json!({}))).await;
    assert_eq!(found, Err("field MaxItems must be positive".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn objects_that_are_not_there_or_belong_to_others() {
    let parameters = |extra: Value| {
        let mut definition = get_object("l", &json!({"InputType": "JSONL"}), json!({}));
        let parameters = &mut definition["States"]["M"]["ItemReader"]["Parameters"];
        parameters.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        definition
    };
    for (extra, expected) in [
        (json!({}), Ok(json!([1]))),
        (json!({"ExpectedBucketOwner": "000000000000"}), Ok(json!([1]))),
        (json!({"ExpectedBucketOwner": "1"}), Err("belongs to the account 000000000000")),
        (json!({"VersionId": "v"}), Err("\"l\" does not exist")),
        (json!({"Key": "none"}), Err("\"none\" does not exist")),
    ] {
        let found = read(FakeServices::new().file("raw", "l", "1\n"), parameters(extra.clone())).await;
        match expected {
            Ok(expected) => assert_eq!(found, Ok(expected)),
            Err(part) => assert!(found.as_ref().is_err_and(|cause| cause.contains(part)), "{extra}: {found:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn files_that_are_too_large() {
    for (size, config, part) in [
        (10_000_000_001, json!({"InputType": "JSONL"}), "has 10000000001 bytes, the maximum is 10000000000"),
        (67_108_865, json!({"InputType": "MANIFEST"}), "has 67108865 bytes, the maximum is 67108864"),
    ] {
        let mut services = FakeServices::new().file("raw", "l", "1\n");
        services.claimed_size = Some(size);
        let cause = read(services, get_object("l", &config, json!({}))).await.unwrap_err();
        assert!(cause.contains(part), "{cause}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_contents_of_listed_objects() {
    let services = FakeServices::new()
        .file("raw", "in/", "")
        .file("raw", "in/1.csv", "a\n1\n2\n")
        .file("raw", "in/2.csv.gz", gzip("a\n3\n"))
        .file("raw", "in/3.csv", "")
        .file("raw", "in/4.csv", "b\n4\n")
        .file("raw", "out/5.csv", "a\n5\n");
    let config = json!({"Transformation": "LOAD_AND_FLATTEN", "InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"});
    let definition = machine(
        None,
        json!({
        "ItemReader": {"Resource": "arn:aws:states:::s3:listObjectsV2", "ReaderConfig": config,
            "Parameters": {"Bucket": "raw", "Prefix": "in/"}},
        "ItemSelector": {"i.$": "$$.Map.Item.Index", "s.$": "$$.Map.Item.Source", "v.$": "$$.Map.Item.Value"}}),
    );
    let item =
        |index: u64, file: &str, value: Value| json!({"i": index, "s": format!("S3://raw/in/{file}"), "v": value});
    let expected = json!([
        item(0, "1.csv", json!({"a": "1"})),
        item(1, "1.csv", json!({"a": "2"})),
        item(2, "2.csv.gz", json!({"a": "3"})),
        item(3, "4.csv", json!({"b": "4"})),
    ]);
    assert_eq!(read(services, definition).await, Ok(expected));
}

#[tokio::test(start_paused = true)]
async fn manifests() {
    let manifest = json!({"destinationBucket": "arn:aws:s3:::lists", "fileFormat": "CSV", "fileSchema": "Bucket, Key, Size",
        "files": [{"key": "d/1.csv.gz", "size": 1}, {"key": "d/2.csv.gz", "size": 1}]});
    let inventory = || {
        FakeServices::new()
            .file("raw", "m/manifest.json", manifest.to_string())
            .file("lists", "d/1.csv.gz", gzip("\"src\",\"a%20b\",\"7\"\n\"src\",\"c/\",\"0\"\n"))
            .file("lists", "d/2.csv.gz", gzip("\"src\",\"d\",\"9\"\n"))
    };
    let row = |key: &str, size: &str| json!({"Bucket": "src", "Key": key, "Size": size});
    let expected = json!([row("a%20b", "7"), row("c/", "0"), row("d", "9")]);
    for config in [json!({"InputType": "MANIFEST"}), json!({"ManifestType": "S3_INVENTORY"})] {
        let found = read(inventory(), get_object("m/manifest.json", &config, json!({}))).await;
        assert_eq!(found, Ok(expected.clone()));
    }
    let athena = FakeServices::new()
        .file("raw", "u-manifest.csv", "s3://data/u/1.gz\ns3://data/u/2\n")
        .file("data", "u/1.gz", gzip("{\"n\":1}\n"))
        .file("data", "u/2", "{\"n\":2}\n");
    let config = json!({"ManifestType": "ATHENA_DATA", "InputType": "JSONL"});
    let found = read(athena, get_object("u-manifest.csv", &config, json!({}))).await;
    assert_eq!(found, Ok(json!([{"n": 1}, {"n": 2}])));
    let broken = FakeServices::new().file("raw", "m", "{}");
    let found = read(broken, get_object("m", &json!({"InputType": "MANIFEST"}), json!({}))).await;
    assert!(found.unwrap_err().contains("not the manifest of an S3 Inventory"));
}

mod parquet_files {
    use std::sync::Arc;

    use parquet::basic::Compression;
    use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int32Type, Int64Type};
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;

    use super::*;

    const SCHEMA: &str = "message rows { required int64 id; optional binary name (UTF8); required double share;
        required int32 day (DATE); required int64 at (TIMESTAMP(MILLIS,true)); required binary raw; }";

    /// Two row groups of `rows` rows.
    fn file(compression: Compression, rows: i64) -> Vec<u8> {
        let properties = WriterProperties::builder().set_compression(compression).build();
        let schema = Arc::new(parse_message_type(SCHEMA).unwrap());
        let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties)).unwrap();
        for group in 0..2 {
            let ids: Vec<i64> = (group * rows..(group + 1) * rows).collect();
            let mut columns = writer.next_row_group().unwrap();
            let mut number = 0;
            while let Some(mut column) = columns.next_column().unwrap() {
                let bytes =
                    |text: fn(&i64) -> String| ids.iter().map(|id| ByteArray::from(text(id).into_bytes())).collect();
                match number {
                    0 => column.typed::<Int64Type>().write_batch(&ids, None, None),
                    1 => {
                        let names: Vec<ByteArray> = ids
                            .iter()
                            .filter(|id| *id % 2 == 0)
                            .map(|id| ByteArray::from(format!("n{id}").into_bytes()))
                            .collect();
                        let present: Vec<i16> = ids.iter().map(|id| i16::from(id % 2 == 0)).collect();
                        column.typed::<ByteArrayType>().write_batch(&names, Some(&present), None)
                    }
                    2 => {
                        let shares: Vec<f64> = ids.iter().map(|id| *id as f64 / 4.0).collect();
                        column.typed::<DoubleType>().write_batch(&shares, None, None)
                    }
                    3 => column.typed::<Int32Type>().write_batch(&vec![20_454; ids.len()], None, None),
                    4 => column.typed::<Int64Type>().write_batch(&vec![1_767_225_600_500; ids.len()], None, None),
                    _ => {
                        let raw: Vec<ByteArray> = bytes(|_| "\u{1}\u{2}".to_owned());
                        column.typed::<ByteArrayType>().write_batch(&raw, None, None)
                    }
                }
                .unwrap();
                column.close().unwrap();
                number += 1;
            }
            columns.close().unwrap();
        }
        writer.into_inner().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn rows_of_all_groups_in_any_compression() {
        for compression in [
            Compression::UNCOMPRESSED,
            Compression::SNAPPY,
            Compression::GZIP(parquet::basic::GzipLevel::default()),
            Compression::ZSTD(parquet::basic::ZstdLevel::default()),
        ] {
            let services = FakeServices::new().file("raw", "p", file(compression, 3));
            let found = read(services, get_object("p", &json!({"InputType": "PARQUET"}), json!({}))).await.unwrap();
            let row = |id: i64, name: Value| {
                json!({"id": id, "name": name, "share": id as f64 / 4.0, "day": "2026-01-01",
                    "at": "2026-01-01T00:00:00.5Z", "raw": "AQI="})
            };
            let names = ["n0", "", "n2", "", "n4", ""];
            let expected: Vec<_> = names
                .iter()
                .enumerate()
                .map(|(id, name)| row(id as i64, if name.is_empty() { Value::Null } else { json!(name) }))
                .collect();
            assert_eq!(found, json!(expected), "{compression:?}");
        }
        let services = FakeServices::new().file("raw", "p", file(Compression::SNAPPY, 1_000));
        let config = json!({"InputType": "PARQUET", "MaxItems": 1_500});
        let found = read(services, get_object("p", &config, json!({"ItemSelector": {"i.$": "$$.Map.Item.Value.id"}})))
            .await
            .unwrap();
        assert_eq!(found.as_array().unwrap().len(), 1_500);
        assert_eq!(found[1_499], json!({"i": 1_499}));
    }

    #[tokio::test(start_paused = true)]
    async fn a_footer_over_the_limit_is_refused_before_it_is_read() {
        let mut body = file(Compression::SNAPPY, 1);
        let length = body.len();
        body[length - 8..length - 4].copy_from_slice(&6_000_000_u32.to_le_bytes());
        let services = FakeServices::new().file("raw", "p", body);
        let found = read(services, get_object("p", &json!({"InputType": "PARQUET"}), json!({}))).await;
        assert!(found.unwrap_err().contains("has 6000000 bytes, the maximum is 5242880"));
    }
}
