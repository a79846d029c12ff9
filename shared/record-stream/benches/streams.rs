//! Throughput of the record engine on generated data, beside the crates that people would use instead.
//!
//! `cargo bench -p record-stream`; figures are per core. The shapes: events of about 330 bytes with nested members, and
//! CSV rows of twelve columns and about 130 bytes, every third with a quoted field.
#![expect(clippy::unwrap_used, reason = "a failed expectation ends the measurement")]

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use record_stream::{
    Condition, CsvDialect, FieldPath, FieldType, Flow, JsonLayout, JsonMode, Progress, RecordFormat, RecordStream,
    Reshape, Scalar, StreamOptions, Test,
};
use std::io::Write;

const RECORDS: usize = 50_000;
const CHUNK: usize = 128 * 1024;

fn main() {
    divan::main();
}

fn events() -> Vec<u8> {
    let mut text = Vec::new();
    for n in 0..RECORDS {
        writeln!(
            text,
            "{{\"id\":{},\"at\":\"2026-03-{:02}T{:02}:{:02}:00Z\",\"type\":\"{}\",\"user\":{{\"id\":{},\"name\":\"user {}\",\
             \"tags\":[\"a\",\"b\\\"c\",\"d\"]}},\"price\":{}.{:02},\"ok\":{},\"path\":\"/shop/items/{}/reviews?page={}\",\
             \"agent\":\"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0\",\"note\":null}}",
            9_000_000_000_000_u64 + n as u64,
            n % 28 + 1,
            n % 24,
            n % 60,
            ["view", "cart", "buy"][n % 3],
            n * 7,
            n % 1000,
            n % 90,
            n % 100,
            n % 2 == 0,
            n,
            n % 9,
        )
        .unwrap();
    }
    text
}

fn array(lines: &[u8]) -> Vec<u8> {
    let mut text = b"[".to_vec();
    for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        if text.len() > 1 {
            text.push(b',');
        }
        text.extend_from_slice(line);
    }
    text.push(b']');
    text
}

fn rows() -> Vec<u8> {
    let mut text = b"id,at,type,user,name,price,ok,path,country,amount,rate,note\n".to_vec();
    for n in 0..RECORDS {
        let note = if n % 3 == 0 { "\"said \"\"yes\"\", then no\"" } else { "plain text of a note" };
        writeln!(
            text,
            "{},2026-03-{:02}T{:02}:00:00Z,view,{},user {},{}.{:02},{},/shop/items/{},DE,{},0.{:03},{note}",
            9_000_000_000_000_u64 + n as u64,
            n % 28 + 1,
            n % 24,
            n * 7,
            n % 1000,
            n % 90,
            n % 100,
            n % 2 == 0,
            n,
            n % 17,
            n % 999,
        )
        .unwrap();
    }
    text
}

/// Filter, project, rename, cast.
fn reshape() -> Reshape {
    Reshape {
        types: vec![(FieldPath::name("price"), FieldType::Decimal), (FieldPath::name("id"), FieldType::Integer)],
        condition: Some(Condition::Field(FieldPath::name("price"), Test::Greater(Scalar::Number("10".into())))),
        select: ["id", "type", "price", "path"].map(FieldPath::name).to_vec(),
        rename: vec![(FieldPath::name("type"), "kind".into())],
        ..Reshape::default()
    }
}

fn stream(bencher: Bencher<'_, '_>, options: &StreamOptions, input: &[u8]) {
    bencher.counter(BytesCount::of_slice(input)).bench_local(|| {
        let mut stream = RecordStream::new(options);
        let mut output = Vec::with_capacity(2 * CHUNK);
        let mut chunks = input.chunks(CHUNK);
        loop {
            let chunk = chunks.next();
            stream.fill(chunk.unwrap_or_default());
            loop {
                let progress = stream.process(chunk.is_none(), &mut output, CHUNK, &mut |_| Flow::Continue).unwrap();
                black_box(&output);
                output.clear();
                match progress {
                    Progress::OutputFull | Progress::Stopped => {}
                    Progress::NeedInput => break,
                    Progress::Finished => return stream.counts(),
                }
            }
        }
    });
}

#[divan::bench]
fn ndjson_validated(bencher: Bencher<'_, '_>) {
    stream(bencher, &StreamOptions::new(RecordFormat::NdJson), &events());
}

#[divan::bench]
fn ndjson_reshaped(bencher: Bencher<'_, '_>) {
    let options = StreamOptions { reshape: reshape(), ..StreamOptions::new(RecordFormat::NdJson) };
    stream(bencher, &options, &events());
}

#[divan::bench]
fn json_array_to_ndjson(bencher: Bencher<'_, '_>) {
    stream(
        bencher,
        &StreamOptions::new(RecordFormat::Json(JsonLayout { mode: JsonMode::Array, ..JsonLayout::default() })),
        &array(&events()),
    );
}

#[divan::bench]
fn csv_to_ndjson(bencher: Bencher<'_, '_>) {
    stream(bencher, &StreamOptions::new(RecordFormat::Csv(CsvDialect::default())), &rows());
}

#[divan::bench]
fn csv_reshaped(bencher: Bencher<'_, '_>) {
    let format = RecordFormat::Csv(CsvDialect::default());
    stream(bencher, &StreamOptions { reshape: reshape(), ..StreamOptions::new(format) }, &rows());
}

#[divan::bench]
fn peer_serde_json_reshaped(bencher: Bencher<'_, '_>) {
    let input = events();
    bencher.counter(BytesCount::of_slice(&input)).bench_local(|| {
        let mut output = Vec::with_capacity(2 * CHUNK);
        for line in input.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let record: serde_json::Value = serde_json::from_slice(line).unwrap();
            if record["price"].as_f64().unwrap() > 10.0 {
                let kept = serde_json::json!({
                    "id": record["id"], "kind": record["type"], "price": record["price"], "path": record["path"],
                });
                serde_json::to_writer(&mut output, &kept).unwrap();
                output.push(b'\n');
            }
            if output.len() > CHUNK {
                black_box(&output);
                output.clear();
            }
        }
    });
}

#[divan::bench]
fn peer_csv_and_serde_json_to_ndjson(bencher: Bencher<'_, '_>) {
    let input = rows();
    bencher.counter(BytesCount::of_slice(&input)).bench_local(|| {
        let mut output = Vec::with_capacity(2 * CHUNK);
        let mut reader = csv::Reader::from_reader(input.as_slice());
        let header = reader.headers().unwrap().clone();
        let mut record = csv::StringRecord::new();
        while reader.read_record(&mut record).unwrap() {
            let object: serde_json::Map<String, serde_json::Value> =
                header.iter().zip(record.iter()).map(|(name, value)| (name.to_owned(), value.into())).collect();
            serde_json::to_writer(&mut output, &object).unwrap();
            output.push(b'\n');
            if output.len() > CHUNK {
                black_box(&output);
                output.clear();
            }
        }
    });
}

#[divan::bench]
fn limit_memcpy(bencher: Bencher<'_, '_>) {
    let input = events();
    let mut output = vec![0; input.len()];
    bencher.counter(BytesCount::of_slice(&input)).bench_local(|| {
        output.copy_from_slice(black_box(&input));
        black_box(&output);
    });
}
