//! Tests of what is built on the port, against the fakes.

mod codecs;
mod compress;
mod conformance;
mod expand;
mod expand_properties;
mod resume;
mod writer;

use crate::names::ObjectAddress;

fn address() -> ObjectAddress {
    ObjectAddress::parse("raw", "a.csv").unwrap()
}

/// Bytes that hardly compress.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    std::iter::repeat_with(next).take(length).collect()
}

/// Lines of text that compress as data usually does.
fn text(length: usize) -> Vec<u8> {
    let mut text: Vec<u8> = Vec::with_capacity(length + 64);
    let mut line = 0_u64;
    while text.len() < length {
        line += 1;
        text.extend_from_slice(format!("{line},{},name {}\n", line * line % 9973, line % 97).as_bytes());
    }
    text.truncate(length);
    text
}
