//! What the machine can do at most, and steps that a job has whatever does it.

use super::{Answer, CHUNK, Kind, MEMCPY, Output, Workload};
use crate::data::Shape;
use crate::error::WorkError;
use flate2::bufread::MultiGzDecoder;
use std::hint::black_box;
use std::io::Read;

pub(super) fn workloads() -> Vec<Workload> {
    let limit = |name, about, answer, work| Workload {
        name,
        about,
        kind: Kind::Limit,
        shape: Shape::Events,
        answer,
        peer: None,
        work,
    };
    vec![
        limit(MEMCPY, "copy the events", Answer::Events, copy),
        limit("utf8", "check that they are UTF-8 (simdutf8)", Answer::Read, check_utf8),
        limit("newlines", "find their lines (memchr)", Answer::Read, find_lines),
        Workload {
            shape: Shape::CompressedEvents,
            ..limit("gunzip", "expand them from gzip (flate2, zlib-rs)", Answer::Events, expand)
        },
    ]
}

/// The lines of NDJSON that are not empty.
pub fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut start = 0;
    let ends = memchr::memchr_iter(b'\n', text).chain([text.len()]);
    ends.map(move |end| {
        let line = text.get(start..end).unwrap_or_default();
        start = end + 1;
        line
    })
    .filter(|line| !line.is_empty())
}

fn copy(objects: &[Vec<u8>], output: &mut Output) -> Result<(), WorkError> {
    for object in objects {
        output.scratch.clear();
        output.scratch.extend_from_slice(black_box(object));
        output.hand_on_scratch();
    }
    Ok(())
}

fn check_utf8(objects: &[Vec<u8>], _: &mut Output) -> Result<(), WorkError> {
    for object in objects {
        black_box(simdutf8::basic::from_utf8(object)?);
    }
    Ok(())
}

fn find_lines(objects: &[Vec<u8>], _: &mut Output) -> Result<(), WorkError> {
    for object in objects {
        black_box(lines(object).count());
    }
    Ok(())
}

fn expand(objects: &[Vec<u8>], output: &mut Output) -> Result<(), WorkError> {
    for object in objects {
        let mut decoder = MultiGzDecoder::new(object.as_slice());
        loop {
            output.buffer.resize(CHUNK, 0);
            let read = decoder.read(&mut output.buffer)?;
            output.buffer.truncate(read);
            if read == 0 {
                break;
            }
            output.drain();
        }
    }
    Ok(())
}
