//! A corpus of good and bad records and objects through `mapmill run`, and every byte of the output against what `csv`
//! and `serde_json` make of the same files.
#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use tests::{outputs, run_job, run_job_as, shown};

const JOB: &str = "
version: 1
name: corpus
source: {bucket: raw, prefix: in/, json: {mode: auto}}
record:
  types: {id: integer, price: decimal}
  where: {field: price, ge: 10}
  select: [price, id, name]
  rename: {name: title}
  set: {from: corpus}
rejects: {max_per_object: 1000}
output: {bucket: clean, prefix: out/, compression: gzip}
";

/// A small generator of numbers, so that the corpus is the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[usize::try_from(self.below(list.len() as u64)).unwrap()]
    }

    fn price(&mut self) -> String {
        format!("{}.{:02}", self.below(40), self.below(100))
    }

    fn name(&mut self) -> String {
        let awkward = [
            "plain",
            "with, comma",
            "with \"quotes\"",
            "two\nlines",
            "tab\tand \\ backslash",
            "ünï¢ødé 🙂",
            "",
            "\u{1}",
        ];
        format!("{}{}", self.pick(&awkward), self.below(1000))
    }
}

fn csv_object(random: &mut Random, rows: u64) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
    writer.write_record(["id", "name", "price", "extra"]).unwrap();
    for row in 0..rows {
        let (id, name, price) = ((9_007_199_254_740_993 + row).to_string(), random.name(), random.price());
        match random.below(20) {
            0 => writer.write_record([&id, &name, &price]).unwrap(),
            1 => writer.write_record([&id, &name, "cheap", "x"]).unwrap(),
            2 => writer.write_record(["one", &name, &price, "x"]).unwrap(),
            3 => writer.write_record([&id, &name, "", "x"]).unwrap(),
            _ => writer.write_record([&id, &name, &price, random.pick(&["", "x", "y z"])]).unwrap(),
        }
    }
    writer.into_inner().unwrap()
}

fn json_record(random: &mut Random, row: u64) -> String {
    let (name, price) = (serde_json::to_string(&random.name()).unwrap(), random.price());
    let id = 9_007_199_254_740_993 + row;
    match random.below(20) {
        0 => format!("{{\"id\":{id},\"price\":\"{price}\",\"name\":{name}}}"),
        1 => format!("{{\"id\":\"{id}\",\"name\":{name},\"nested\":{{\"price\":1}}}}"),
        2 => format!("{{\"id\":{id}.5,\"price\":{price},\"name\":{name}}}"),
        3 => format!("{{ \"price\" : {price} , \"id\" : {id} , \"list\" : [ 1 , {{ }} ] , \"name\" : {name} }}"),
        4 => format!("{{\"id\":{id},\"price\":null,\"name\":{name}}}"),
        _ => format!("{{\"id\":{id},\"name\":{name},\"price\":{price},\"other\":[1,2,3]}}"),
    }
}

fn ndjson_object(random: &mut Random, rows: u64) -> Vec<u8> {
    let mut text = String::new();
    for row in 0..rows {
        match random.below(25) {
            0 => text.push_str("{\"id\": }"),
            1 => text.push_str("[1,2]"),
            _ => text.push_str(&json_record(random, row)),
        }
        text.push_str(random.pick(&["\n", "\r\n", "\n\n"]));
    }
    text.into_bytes()
}

fn array_object(random: &mut Random, rows: u64) -> Vec<u8> {
    let records: Vec<String> = (0..rows).map(|row| json_record(random, row)).collect();
    format!("[{}]", records.join(",\n ")).into_bytes()
}

/// The text of a value that is a number of the wanted kind, or spells one. `Err` when it is neither.
fn number_text(raw: &str, is_integer: bool) -> Result<String, ()> {
    let text = serde_json::from_str::<String>(raw).unwrap_or_else(|_| raw.to_owned());
    let digits = text.strip_prefix('-').unwrap_or(&text);
    let fits = digits.chars().all(|letter| letter.is_ascii_digit() || (!is_integer && letter == '.'));
    if fits && digits.starts_with(|letter: char| letter.is_ascii_digit()) { Ok(text) } else { Err(()) }
}

/// What the job makes of the raw JSON values of a record: a line, nothing, or a reject.
fn expected_line(fields: &BTreeMap<String, String>) -> Result<Option<String>, ()> {
    let mut typed = fields.clone();
    for (name, is_integer) in [("id", true), ("price", false)] {
        if let Some(raw) = fields.get(name).filter(|raw| *raw != "null") {
            let text = if raw == "\"\"" { "null".to_owned() } else { number_text(raw, is_integer)? };
            typed.insert(name.to_owned(), text);
        }
    }
    let price = typed.get("price").and_then(|price| price.parse::<f64>().ok());
    if price.is_none_or(|price| price < 10.0) {
        return Ok(None);
    }
    let member = |name: &str, renamed: &str| typed.get(name).map(|raw| format!("\"{renamed}\":{raw}"));
    let members =
        [member("price", "price"), member("id", "id"), member("name", "title"), Some("\"from\":\"corpus\"".into())];
    Ok(Some(format!("{{{}}}\n", members.into_iter().flatten().collect::<Vec<_>>().join(","))))
}

/// The expected output of an object and its number of rejects.
fn expected(name: &str, bytes: &[u8]) -> (String, u64) {
    let mut rejects = 0;
    let mut output = String::new();
    let mut add =
        |record: Option<BTreeMap<String, String>>| match record.ok_or(()).and_then(|fields| expected_line(&fields)) {
            Ok(line) => output.push_str(&line.unwrap_or_default()),
            Err(()) => rejects += 1,
        };
    let object = |text: &str| -> Option<BTreeMap<String, String>> {
        let members: BTreeMap<String, &RawValue> = serde_json::from_str(text).ok()?;
        Some(members.into_iter().map(|(name, raw)| (name, raw.get().to_owned())).collect())
    };
    if name.contains(".csv") {
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(bytes);
        let header = reader.headers().unwrap().clone();
        for record in reader.records() {
            let record = record.unwrap();
            let fields =
                header.iter().zip(&record).map(|(name, text)| (name.to_owned(), serde_json::to_string(text).unwrap()));
            add((record.len() == header.len()).then(|| fields.collect()));
        }
    } else if name.contains(".ndjson") {
        let text = std::str::from_utf8(bytes).unwrap();
        text.lines().filter(|line| !line.trim().is_empty()).for_each(|line| add(object(line)));
    } else {
        let elements: Vec<&RawValue> = serde_json::from_slice(bytes).unwrap();
        elements.into_iter().for_each(|element| add(object(element.get())));
    }
    (output, rejects)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    // Two members, as `cat a.gz b.gz` makes them.
    let (first, second) = bytes.split_at(bytes.len() / 2);
    let member = |part: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(part).unwrap();
        encoder.finish().unwrap()
    };
    [member(first), member(second)].concat()
}

fn gunzip(bytes: &[u8]) -> String {
    let mut text = String::new();
    let mut decoder = flate2::read::MultiGzDecoder::new(bytes);
    #[expect(clippy::disallowed_methods, reason = "the output of a test of known size")]
    std::io::Read::read_to_string(&mut decoder, &mut text).unwrap();
    text
}

/// Writes the corpus and answers its objects: name without compression suffix to plain bytes.
fn make_corpus(folder: &Path, objects: u64) -> BTreeMap<String, Vec<u8>> {
    let mut random = Random(20_261_122);
    let mut corpus = BTreeMap::new();
    for number in 0..objects {
        let rows = random.below(60) + 1;
        let (extension, plain) = match number % 3 {
            0 => ("csv", csv_object(&mut random, rows)),
            1 => ("ndjson", ndjson_object(&mut random, rows)),
            _ => ("json", array_object(&mut random, rows)),
        };
        let (suffix, stored) = match random.below(4) {
            0 => (".gz", gzip(&plain)),
            1 => (".zst", zstd::encode_all(plain.as_slice(), 3).unwrap()),
            _ => ("", plain.clone()),
        };
        let name = format!("{:02}/object {number:04}.{extension}{suffix}", number % 7);
        let path = folder.join("in").join(&name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, stored).unwrap();
        corpus.insert(name, plain);
    }
    corpus
}

#[test]
fn every_output_byte_is_what_other_libraries_make_of_the_same_objects() {
    let folder = tempfile::tempdir().unwrap();
    let (data, out) = (folder.path().join("data"), folder.path().join("out"));
    let corpus = make_corpus(&data, 300);
    let bad: [(&str, Vec<u8>); 4] = [
        ("bad/cut.json.gz", gzip(b"[1,2,3]")[..20].to_vec()),
        ("bad/open.csv", b"id,name,price\n1,\"x,2\n".to_vec()),
        ("bad/header.csv", b"id,id\n1,2\n".to_vec()),
        ("bad/no-such-column.csv", b"a,b\n1,2\n".to_vec()),
    ];
    for (name, bytes) in &bad {
        let path = data.join("in").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    let job = folder.path().join("job.yaml");
    std::fs::write(&job, JOB).unwrap();
    let run = run_job(&job, &data, &out, &["--max-items", "23", "--max-concurrency", "3"]);
    let shown = shown(&run.output);
    assert_eq!(run.output.status.code(), Some(1), "bad objects make the run fail: {shown}");

    let outputs = outputs(&out);
    assert_eq!(outputs.len(), corpus.len(), "one output for every good object, none for the bad: {shown}");
    let (mut all_rejects, mut all_lines) = (0, 0);
    for (name, plain) in &corpus {
        // Small objects are not judged by the ratio of rejects, so each is expected to succeed.
        let (expected, rejects) = expected(name, plain);
        let found =
            outputs.get(&format!("out/{name}.ndjson.gz")).unwrap_or_else(|| panic!("{name} has no output: {shown}"));
        assert_eq!(gunzip(found), expected, "{name}");
        let line = &run.ledger[&format!("in/{name}")];
        assert_eq!(line["status"], "succeeded", "{name}");
        assert_eq!(line["records"]["rejected"], rejects, "{name}");
        assert_eq!(line["outputs"][0]["bytes"], found.len(), "{name}");
        all_rejects += rejects;
        all_lines += expected.lines().count() as u64;
    }
    assert!(all_rejects > 300 && all_lines > 3000, "the corpus has enough of everything: {all_rejects}, {all_lines}");
    assert_eq!(run.summary["records"]["rejected"], all_rejects);
    assert_eq!(run.summary["records"]["written"], all_lines);
    for (name, _) in &bad {
        let line = &run.ledger[&format!("in/{name}")];
        assert_eq!(line["status"], "failed", "{name}");
        assert!(line["message"].as_str().is_some_and(|message| !message.is_empty()), "{name}");
    }
    assert_eq!(run.ledger.len(), corpus.len() + bad.len());
    assert_eq!(run.summary["items"]["failed"], bad.len());

    // The manifest leads to the answers of all batches, and they add up.
    let results = tests::files_below(&out).into_iter().filter(|path| path.to_string_lossy().contains("/map-run/"));
    let succeeded: Vec<_> = results.filter(|path| path.to_string_lossy().contains("SUCCEEDED_")).collect();
    let mut total = 0;
    for file in succeeded {
        for record in std::fs::read_to_string(out.join(file)).unwrap().lines() {
            let record: Value = serde_json::from_str(record).unwrap();
            let output: Value = serde_json::from_str(record["Output"].as_str().unwrap()).unwrap();
            total += output["items"]["total"].as_u64().unwrap();
        }
    }
    assert_eq!(total, (corpus.len() + bad.len()) as u64);
}

#[test]
fn a_second_run_writes_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let (data, out) = (folder.path().join("data"), folder.path().join("out"));
    make_corpus(&data, 30);
    let job = folder.path().join("job.yaml");
    std::fs::write(&job, JOB).unwrap();
    let first = run_job(&job, &data, &out, &[]);
    assert_eq!(first.output.status.code(), Some(0), "{}", shown(&first.output));
    let before = outputs(&out);
    let other = folder.path().join("other");
    let second = run_job(&job, &data, &other, &["--max-items", "7", "--max-concurrency", "1"]);
    assert_eq!(second.output.status.code(), Some(0), "{}", shown(&second.output));
    assert_eq!(outputs(&other), before);
    // Again into the first folder: the same batches replace their own outputs, and make a ledger of their own.
    let third = run_job_as("again", &job, &data, &out, &[]);
    assert_eq!(third.output.status.code(), Some(0), "{}", shown(&third.output));
    assert_eq!(outputs(&out), before);
    assert_eq!(third.ledger.len(), first.ledger.len());
}

#[test]
fn thousands_of_objects_are_listed_batched_and_accounted_for() {
    let folder = tempfile::tempdir().unwrap();
    let (data, out) = (folder.path().join("data"), folder.path().join("out"));
    std::fs::create_dir_all(data.join("in")).unwrap();
    for number in 0..2_500 {
        std::fs::write(
            data.join(format!("in/{number:05}.ndjson")),
            format!("{{\"id\":{number},\"price\":{number}}}\n"),
        )
        .unwrap();
    }
    let job = folder.path().join("job.yaml");
    std::fs::write(&job, JOB).unwrap();
    let run = run_job(&job, &data, &out, &["--max-items", "100"]);
    let shown = shown(&run.output);
    assert_eq!(run.output.status.code(), Some(0), "{shown}");
    assert_eq!(run.ledger.len(), 2_500);
    assert_eq!(run.summary["batches"]["total"], 25);
    assert_eq!(run.summary["records"]["written"], 2_490);
    assert_eq!(outputs(&out).len(), 2_500);
}

#[test]
fn batches_that_the_byte_limit_closes_fit_their_task() {
    let folder = tempfile::tempdir().unwrap();
    let (data, out) = (folder.path().join("data"), folder.path().join("out"));
    std::fs::create_dir_all(data.join("in")).unwrap();
    // Keys of several lengths, so that some batch is filled to the last bytes of its limit.
    for number in 0..3_000 {
        let name = format!("{number:05}-{}.ndjson", "k".repeat(number % 40));
        std::fs::write(data.join("in").join(name), "{\"id\":1,\"price\":20}\n").unwrap();
    }
    let job = folder.path().join("job.yaml");
    std::fs::write(&job, JOB).unwrap();
    let run = run_job(&job, &data, &out, &["--max-items", "10000"]);
    let shown = shown(&run.output);
    assert_eq!(run.output.status.code(), Some(0), "{shown}");
    assert!(run.summary["batches"]["total"].as_u64().unwrap() >= 2, "{shown}");
    assert_eq!(run.ledger.len(), 3_000, "{shown}");
}
