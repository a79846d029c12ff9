//! Memory does not grow with the object: gigabytes pass through every decoder, and the process stays where it was.
//!
//! Nothing of the input is stored. One block of a few MiB is generated and handed to the stream again and again, cut into
//! chunks whose sizes change all the time; what comes out is counted and thrown away. The kernel keeps the largest
//! resident size that the process ever had (`VmHWM` in `/proc/self/status`). Before each decoder it is set back to the
//! present size; where that is not allowed, growth comes out too large, never too small. It belongs to the process, so
//! the decoders run one after another in one function.
//!
//! The sizes are chosen so that the whole stays bearable in a build for daily work: one JSON and one CSV decoder see ten
//! gibibytes, the others what shows that they do not grow.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed expectation is a failed test")]
#![expect(clippy::print_stdout, reason = "says what was measured")]

use record_stream::{
    CsvDialect, JsonLayout, JsonMode, Progress, RecordCounts, RecordFormat, RecordStream, StreamOptions,
};

const GIBIBYTE: u64 = 1 << 30;

/// What the process may grow by while a decoder runs: the stream's input buffer of one chunk and one record, its output
/// of one target and one line, and what the allocator keeps for itself.
const ALLOWED_GROWTH: u64 = 16 << 20;

/// Bytes of output after which the stream is drained, as a worker drains it.
const OUTPUT_TARGET: usize = 1 << 20;

/// Largest chunk; they come from 1 byte up to this.
const LARGEST_CHUNK: usize = 1 << 20;

/// A size of this process from `/proc/self/status` in bytes, on systems that have it.
fn process_size(name: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().unwrap() * 1024)
}

/// Sets the largest size so far back to the present one and returns it. A process may do this to itself on Linux.
fn reset_largest_size() -> Option<u64> {
    let is_reset = std::fs::write("/proc/self/clear_refs", "5").is_ok();
    if !is_reset {
        println!("the largest size cannot be set back here; growth includes what came before");
    }
    process_size("VmRSS")
}

/// A part of an object: bytes that come a number of times.
struct Part<'a> {
    block: &'a [u8],
    times: u64,
}

impl<'a> Part<'a> {
    fn once(block: &'a [u8]) -> Self {
        Self { block, times: 1 }
    }

    fn up_to(block: &'a [u8], bytes: u64) -> Self {
        Self { block, times: bytes.div_ceil(block.len() as u64) }
    }
}

/// Pushes chunks through a stream and counts what comes out.
struct Pump {
    stream: RecordStream,
    output: Vec<u8>,
    written: u64,
    turn: usize,
}

impl Pump {
    fn process(&mut self, end_of_input: bool) {
        loop {
            let progress = self.stream.process(end_of_input, &mut self.output, OUTPUT_TARGET, &mut |reject| {
                panic!("{} at {}", reject.problem, reject.position)
            });
            self.written += self.output.len() as u64;
            self.output.clear();
            match progress.unwrap() {
                Progress::OutputFull => {}
                Progress::NeedInput => return,
                Progress::Finished if end_of_input => return,
                other => panic!("unexpected {other:?}"),
            }
        }
    }

    /// Chunk sizes differ by three orders of magnitude and never line up with the records.
    fn push(&mut self, mut bytes: &[u8]) {
        const SIZES: [usize; 8] = [LARGEST_CHUNK, 65_537, 1, 262_143, 4_099, LARGEST_CHUNK - 1, 17, 524_288];
        while !bytes.is_empty() {
            let (chunk, rest) = bytes.split_at(bytes.len().min(SIZES[self.turn % SIZES.len()]));
            self.turn += 1;
            self.stream.fill(chunk);
            self.process(false);
            bytes = rest;
        }
    }
}

/// Streams the parts of an object and expects so many records, all written, and no growth of the process.
fn check(what: &str, format: RecordFormat, parts: &[Part<'_>], records: u64) {
    let before = reset_largest_size();
    let mut pump =
        Pump { stream: RecordStream::new(&StreamOptions::new(format)), output: Vec::new(), written: 0, turn: 0 };
    let mut bytes = 0;
    for part in parts {
        for _ in 0..part.times {
            pump.push(part.block);
        }
        bytes += part.times * part.block.len() as u64;
    }
    pump.process(true);
    assert_eq!(pump.stream.consumed(), bytes, "{what}: every byte is used");
    let counts = RecordCounts { read: records, written: records, ..RecordCounts::default() };
    assert_eq!(pump.stream.counts(), counts, "{what}");
    assert!(pump.written > records, "{what}: the records came out");
    let (Some(before), Some(after)) = (before, process_size("VmHWM")) else {
        println!("{what}: no /proc/self/status here, memory was not measured");
        return;
    };
    let growth = after.saturating_sub(before);
    println!("{what}: {:.1} GiB, {records} records, grew by {} KiB", bytes as f64 / GIBIBYTE as f64, growth >> 10);
    assert!(growth <= ALLOWED_GROWTH, "{what}: the process grew by {growth} bytes");
}

/// So many records of differing length, each with what stands between two of them behind it.
fn block(count: u64, record: impl Fn(u64) -> String, separator: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for number in 0..count {
        bytes.extend_from_slice(record(number).as_bytes());
        bytes.extend_from_slice(separator.as_bytes());
    }
    bytes
}

/// An event of about 800 bytes, with nesting, escapes and text that is not ASCII.
fn event(number: u64) -> String {
    let text = "wind and rain \\u00e9\\n ".repeat(1 + (number % 50) as usize);
    format!(
        "{{\"id\":{number},\"at\":\"2026-11-22T10:00:00Z\",\"user\":{{\"name\":\"Zoë \\\"Z\\\"\",\"tags\":[\"a\",\"b]\",{{}}]}},\
         \"amount\":{number}.50,\"note\":\"{text}\",\"ok\":true,\"none\":null}}"
    )
}

/// A row of about 170 bytes with quoted line breaks, delimiters and doubled quotes.
fn row(number: u64) -> String {
    let text = "plain text ".repeat(1 + (number % 20) as usize);
    format!("{number},\"a, \"\"b\"\"\nc\",{text},\"{text}\",,x\"y,\"\"")
}

fn json(pointer: &[&str]) -> RecordFormat {
    let pointer = pointer.iter().map(|token| (*token).to_owned()).collect();
    RecordFormat::Json(JsonLayout { pointer, mode: JsonMode::Array })
}

fn ndjson_of(bytes: u64) {
    const RECORDS: u64 = 4_000;
    let block = block(RECORDS, event, "\n");
    let part = Part::up_to(&block, bytes);
    let records = part.times * RECORDS;
    check("NDJSON", RecordFormat::NdJson, &[part], records);
}

fn array_of(bytes: u64) {
    const RECORDS: u64 = 4_000;
    let block = block(RECORDS, event, ",\n ");
    let part = Part::up_to(&block, bytes);
    let records = part.times * RECORDS + 1;
    check("JSON array", json(&[]), &[Part::once(b"["), part, Part::once(b"{\"last\":true}]\n")], records);
}

/// The records are a small array in the middle; before and after it lie text of gigabytes, one string of a quarter of
/// it, and an array that is skipped.
fn pointer_of(bytes: u64) {
    const RECORDS: u64 = 4_000;
    let records = block(RECORDS, event, ",");
    let letters = "text that is skipped unread \\\" ] } ".repeat(60_000);
    let parts = [
        Part::once(b"{\"head\":["),
        Part::up_to(&records, bytes / 4),
        Part::once(b"0],\"long\":\""),
        Part::up_to(letters.as_bytes(), bytes / 4),
        Part::once(b"\",\"data\":{\"rows\":["),
        Part::up_to(&records, bytes / 4),
        Part::once(b"{}]},\"tail\":["),
        Part::up_to(&records, bytes / 4),
        Part::once(b"0]}"),
    ];
    let expected = parts[5].times * RECORDS + 1;
    check("JSON behind a pointer", json(&["data", "rows"]), &parts, expected);
}

fn csv_of(bytes: u64) {
    const RECORDS: u64 = 15_000;
    let block = block(RECORDS, row, "\r\n");
    let part = Part::up_to(&block, bytes);
    let records = part.times * RECORDS;
    let header = Part::once(b"a,b,c,d,e,f,g\r\n");
    check("CSV", RecordFormat::Csv(CsvDialect::default()), &[header, part], records);
}

/// One test, because sizes belong to the process: beside another one neither could tell its own growth.
#[test]
fn gigabytes_pass_through_every_decoder_in_constant_memory() {
    ndjson_of(2 * GIBIBYTE);
    array_of(10 * GIBIBYTE);
    pointer_of(2 * GIBIBYTE);
    csv_of(10 * GIBIBYTE);
}
