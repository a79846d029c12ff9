use super::*;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new(name: &str, content: impl AsRef<[u8]>) -> (Self, SampleOptions) {
        let folder = tempfile::tempdir().unwrap();
        let from = folder.path().join(name);
        fs::write(&from, content).unwrap();
        let options = SampleOptions {
            from,
            objects: 3,
            object_bytes: 200,
            seed: 7,
            out: folder.path().join("out"),
            compression: SampleCompression::None,
            delimiter: None,
            force: false,
        };
        (Self { folder }, options)
    }

    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let out = self.folder.path().join("out");
        let mut files = BTreeMap::new();
        for folder in fs::read_dir(&out).unwrap() {
            for file in fs::read_dir(folder.unwrap().path()).unwrap() {
                let path = file.unwrap().path();
                let name = path.strip_prefix(&out).unwrap().to_str().unwrap().to_owned();
                files.insert(name, fs::read(&path).unwrap());
            }
        }
        files
    }
}

fn csv_text(rows: usize) -> String {
    let rows: String = (0..rows).map(|row| format!("{row},\"a, b\r\nc \"\"{row}\"\"\"\r\n")).collect();
    format!("\u{feff}id,text\r\n\r\n{rows}")
}

#[test]
fn csv_objects_have_the_header_and_whole_rows() {
    let (bench, options) = Bench::new("orders.csv", csv_text(50));
    let mut calls = 0;
    let report = make(&options, |_| calls += 1).unwrap();
    let files = bench.files();
    assert_eq!(files.keys().collect::<Vec<_>>(), ["000/part-000000.csv", "000/part-000001.csv", "000/part-000002.csv"]);
    assert_eq!((report.objects, report.duplicates, report.source_records, calls), (3, 0, 50, 3));
    assert_eq!(report.bytes, files.values().map(|file| file.len() as u64).sum::<u64>());
    for file in files.values() {
        assert!(file.starts_with(b"id,text\n") && file.ends_with(b"\n"));
        assert!((180..=220).contains(&file.len()), "{}", file.len());
        let mut reader = csv::Reader::from_reader(file.as_slice());
        for row in reader.records() {
            let row = row.unwrap();
            assert_eq!(row[1], format!("a, b\r\nc \"{}\"", &row[0]));
        }
    }
}

#[test]
fn ndjson_and_json_objects_are_well_formed() {
    let check = |name: &str, content: &str, expected: &[serde_json::Value]| {
        let (bench, options) = Bench::new(name, content);
        make(&options, |_| {}).unwrap();
        for (name, file) in bench.files() {
            let text = String::from_utf8(file).unwrap();
            let records: Vec<serde_json::Value> = if name.ends_with(".json") {
                serde_json::from_str(&text).unwrap()
            } else {
                text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
            };
            assert!(!records.is_empty() && text.ends_with('\n'));
            assert!(records.iter().all(|record| expected.contains(record)), "{name}: {text}");
        }
    };
    let both = [serde_json::json!({"a": 1, "b": "]}"}), serde_json::json!([2, {"c": null}])];
    let lines = "\n {\"a\": 1, \"b\": \"]}\"}\r\n\n[2,{\"c\":null}]";
    check("x.ndjson", lines, &both);
    check("x.JSONL", lines, &both);
    check("x.json", " [{\"a\":1,\"b\":\"]}\"} , [2,{\"c\":null}]]\n", &both);
    check("x.json", "{\"n\": 2, \"items\": [{\"a\":1,\"b\":\"]}\"},\n[2,{\"c\":null}]], \"k\": {}}", &both);
    let document = "{\"first\": [1], \"second\": [2]}";
    check("x.json", document, &[serde_json::from_str(document).unwrap()]);
    check("x.json", "{\"a\": 1}", &[serde_json::json!({"a": 1})]);
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let make_with = |seed: u64| {
        let (bench, mut options) = Bench::new("x.csv", csv_text(50));
        options.seed = seed;
        make(&options, |_| {}).unwrap();
        bench.files()
    };
    assert_eq!(make_with(1), make_with(1));
    assert_ne!(make_with(1), make_with(2));
    // Written down once: a change of these bytes would change every sample that someone made before.
    let (bench, mut options) = Bench::new("x.ndjson", (0..100).map(|n| format!("{n}\n")).collect::<String>());
    options.object_bytes = 20;
    make(&options, |_| {}).unwrap();
    let text = String::from_utf8(bench.files()["000/part-000001.ndjson"].clone()).unwrap();
    assert_eq!(text.replace('\n', " "), "43 15 8 21 70 20 26 ");
}

#[test]
fn objects_differ_as_long_as_they_can() {
    let (bench, mut options) = Bench::new("x.ndjson", "1\n2\n3\n4\n5\n6\n7\n8\n");
    options.object_bytes = 2;
    options.objects = 8;
    let report = make(&options, |_| {}).unwrap();
    let distinct: std::collections::HashSet<_> = bench.files().into_values().collect();
    assert_eq!(distinct.len() as u64 + report.duplicates, 8);
    assert!(report.duplicates <= 3, "{report:?}");

    let (_bench, mut options) = Bench::new("x.json", "{}");
    options.objects = 5;
    assert_eq!(make(&options, |_| {}).unwrap().duplicates, 4);
}

#[test]
fn a_record_larger_than_the_object_is_still_written_whole() {
    let (bench, mut options) = Bench::new("x.ndjson", format!("\"{}\"\n", "x".repeat(1000)));
    options.object_bytes = 10;
    options.objects = 1;
    make(&options, |_| {}).unwrap();
    assert_eq!(bench.files()["000/part-000000.ndjson"].len(), 1003);
}

#[test]
fn subfolders_hold_a_thousand_files() {
    let (bench, mut options) = Bench::new("x.ndjson", "1\n2\n");
    options.objects = 1001;
    options.object_bytes = 2;
    make(&options, |_| {}).unwrap();
    let files = bench.files();
    assert_eq!(files.len(), 1001);
    assert!(files.contains_key("000/part-000999.ndjson") && files.contains_key("001/part-001000.ndjson"));
}

#[test]
fn compressed_objects_expand_to_the_plain_ones() {
    let make_with = |compression: SampleCompression| {
        let (bench, mut options) = Bench::new("x.csv", csv_text(50));
        options.compression = compression;
        options.object_bytes = 5000;
        let report = make(&options, |_| {}).unwrap();
        (bench.files(), report)
    };
    let (plain, report) = make_with(SampleCompression::None);
    let (gzip, gzip_report) = make_with(SampleCompression::Gzip);
    let (zstd, _) = make_with(SampleCompression::Zstd);
    assert!(gzip_report.bytes == report.bytes && gzip_report.written_bytes < report.bytes / 2);
    let mut expanded = Vec::new();
    let mut decoder = flate2::read::GzDecoder::new(gzip["000/part-000002.csv.gz"].as_slice());
    std::io::copy(&mut decoder, &mut expanded).unwrap();
    assert_eq!(expanded, plain["000/part-000002.csv"]);
    assert_eq!(zstd::decode_all(zstd["000/part-000002.csv.zst"].as_slice()).unwrap(), expanded);
}

#[test]
fn a_tab_or_another_delimiter_decides_where_quotes_count() {
    let content = "a;b\n1;\"x\ny\"\n2;z\n";
    let (bench, mut options) = Bench::new("x.csv", content);
    options.delimiter = Some(b';');
    assert_eq!(make(&options, |_| {}).unwrap().source_records, 2);
    drop(bench);
    let (_bench, options) = Bench::new("x.tsv", content.replace(';', "\t"));
    assert_eq!(make(&options, |_| {}).unwrap().source_records, 2);
}

#[test]
fn odd_input_is_refused_with_the_place() {
    let check = |name: &str, content: &[u8], expected: &str| {
        let (_bench, options) = Bench::new(name, content);
        let error = make(&options, |_| {}).unwrap_err().to_string();
        assert!(error.contains(expected), "{name}: {error}");
        assert!(!options.out.exists(), "nothing is written for unusable input");
    };
    check("x.csv", b"", "header row and at least one row");
    check("x.csv", b"id,name\n", "header row and at least one row");
    check("x.csv", b"id,name\n1,\"never\nclosed\n", "begins at byte 8 is never closed");
    check("x.ndjson", b"\n\n", "one JSON value a line");
    check("x.ndjson", b"{}\n{\n", "line 2 is not one JSON value");
    check("x.ndjson", b"{} {}\n", "line 1 is not one JSON value");
    check("x.ndjson", b"\"\xff\"\n", "byte 1 is not UTF-8");
    check("x.json", b"", "an array with at least one element");
    check("x.json", b"[]", "an array with at least one element");
    check("x.json", b"{\"items\": []}", "an array with at least one element");
    check("x.json", b"17", "expected an array or an object at the top");
    check("x.json", b"[1, 2", "EOF while parsing");
    check("x.json", b"[1] 2", "trailing characters");
    check("x.txt", b"a", "expected .csv, .tsv, .ndjson, .jsonl or .json");
}

#[test]
fn options_out_of_range_and_full_folders_are_refused() {
    let (_bench, options) = Bench::new("x.ndjson", "1\n");
    let error = |options: SampleOptions| make(&options, |_| {}).unwrap_err();
    assert!(matches!(error(SampleOptions { objects: 0, ..options.clone() }), SampleError::ObjectCount { .. }));
    assert!(matches!(error(SampleOptions { objects: 1_000_001, ..options.clone() }), SampleError::ObjectCount { .. }));
    assert!(matches!(error(SampleOptions { object_bytes: 0, ..options.clone() }), SampleError::ObjectSize { .. }));
    fs::create_dir_all(&options.out).unwrap();
    fs::write(options.out.join("mine"), "1").unwrap();
    assert!(matches!(error(options.clone()), SampleError::FolderNotEmpty { .. }));
    make(&SampleOptions { force: true, ..options.clone() }, |_| {}).unwrap();
    assert!(Path::new(&options.out.join("mine")).exists());
}
