//! The fastest crates known for these jobs. They rest on much unsafe code, so they are measured here and used nowhere.

use engine_benches::WorkError;
use engine_benches::data::Shape;
use engine_benches::workloads::{
    Answer, CHUNK, Event, Kind, MemberNames, Output, Workload, lines, write_kept_event, write_text_member,
};
use simd_csv::{ZeroCopyReader, ZeroCopyReaderBuilder};
use std::hint::black_box;

/// The workloads of this file.
pub(crate) fn workloads() -> Vec<Workload> {
    let peer =
        |name, about, shape, answer, work| Workload { name, about, kind: Kind::Peer, shape, answer, peer: None, work };
    vec![
        peer("sonic-tree", "NDJSON to trees (sonic-rs)", Shape::Events, Answer::Read, tree),
        peer(
            "sonic-typed",
            "NDJSON: filter, project, rename, cast, write (sonic-rs into a struct)",
            Shape::Events,
            Answer::EventsReshaped,
            typed_reshaped,
        ),
        peer("simd-csv-read", "CSV: read every field, not copied (simd-csv)", Shape::Rows, Answer::Read, read_fields),
        peer(
            "simd-csv-strings",
            "CSV to NDJSON, texts (simd-csv, written directly)",
            Shape::Rows,
            Answer::Rows,
            strings,
        ),
    ]
}

fn tree(objects: &[Vec<u8>], _: &mut Output) -> Result<(), WorkError> {
    for line in objects.iter().flat_map(|object| lines(object)) {
        black_box(sonic_rs::from_slice::<sonic_rs::Value>(line)?);
    }
    Ok(())
}

fn typed_reshaped(objects: &[Vec<u8>], output: &mut Output) -> Result<(), WorkError> {
    for line in objects.iter().flat_map(|object| lines(object)) {
        write_kept_event(&sonic_rs::from_slice::<Event<'_>>(line)?, output)?;
    }
    output.drain();
    Ok(())
}

fn reader(object: &[u8]) -> ZeroCopyReader<&[u8]> {
    ZeroCopyReaderBuilder::new().buffer_capacity(CHUNK).from_reader(object)
}

fn read_fields(objects: &[Vec<u8>], _: &mut Output) -> Result<(), WorkError> {
    for object in objects {
        let mut reader = reader(object);
        while let Some(record) = reader.read_byte_record()? {
            for field in record.iter() {
                black_box(field);
            }
        }
    }
    Ok(())
}

fn strings(objects: &[Vec<u8>], output: &mut Output) -> Result<(), WorkError> {
    for object in objects {
        let mut reader = reader(object);
        let header = reader.byte_headers()?.clone();
        let columns: Vec<&str> = header.iter().map(std::str::from_utf8).collect::<Result<_, _>>()?;
        let names = MemberNames::new(columns.iter().copied())?;
        while let Some(record) = reader.read_byte_record()? {
            for (name, text) in names.iter().zip(record.unescaped_iter()) {
                write_text_member(name, std::str::from_utf8(&text)?, &mut output.buffer)?;
            }
            output.buffer.push(b'}');
            output.end_record();
        }
    }
    output.drain();
    Ok(())
}
