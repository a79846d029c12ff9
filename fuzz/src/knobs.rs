//! Options from the first bytes of an input.
//!
//! Every knob is one byte and every byte is a valid choice, so no input is wasted. Seeds use printable characters: `0`
//! gives the first choice of a list of up to 16 and `1` the second.

use record_stream::{DuplicateKeys, RecordLimits, TextEncoding};

/// The bytes of an input not yet used for options. An input that is too short has zeros behind it.
#[derive(Debug)]
pub struct Knobs<'a> {
    bytes: &'a [u8],
}

impl<'a> Knobs<'a> {
    /// Knobs at the start of an input.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        match self.bytes.split_first() {
            Some((first, rest)) => {
                self.bytes = rest;
                *first
            }
            None => 0,
        }
    }

    /// One of some choices, by the low four bits of the next byte.
    pub fn choice<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[usize::from(self.byte() & 15) % choices.len()].clone()
    }

    /// Two chunk sizes that take turns, the first of 1 to 16 bytes, the second up to 241.
    pub fn chunk_sizes(&mut self) -> [usize; 2] {
        let byte = usize::from(self.byte());
        [1 + (byte & 15), 1 + (byte >> 4) * 16]
    }

    /// Limits on a record, small enough to be reached by inputs of a few hundred bytes.
    pub fn limits(&mut self) -> RecordLimits {
        RecordLimits {
            record_bytes: self.choice(&[60, 16, 30, 64, 65, 100, 128, 300, 4096]),
            header_bytes: self.choice(&[40, 8, 16, 64, 200]),
            depth: self.choice(&[5, 1, 2, 10, 40]),
            fields: self.choice(&[4, 1, 2, 8, 100]),
            values: self.choice(&[30, 3, 8, 100, 1000]),
            ..RecordLimits::default()
        }
    }

    /// How the object is encoded.
    pub fn encoding(&mut self) -> TextEncoding {
        self.choice(&[
            TextEncoding::Utf8,
            TextEncoding::Utf16,
            TextEncoding::Utf16Le,
            TextEncoding::Utf16Be,
            TextEncoding::Latin1,
        ])
    }

    /// What happens to objects in which a name comes twice.
    pub fn duplicate_keys(&mut self) -> DuplicateKeys {
        self.choice(&[DuplicateKeys::Last, DuplicateKeys::Reject])
    }

    /// Everything behind the options.
    #[must_use]
    pub fn rest(self) -> &'a [u8] {
        self.bytes
    }
}
