//! Appending short texts.
//!
//! Most fields and member names are shorter than 32 bytes. Copying always 32 and then forgetting what was too much takes
//! two moves; copying just so many takes a call and a branch on the length that processors predict badly.

use std::ops::Range;

/// Bytes copied at once.
const SHORT: usize = 32;

/// Appends a part of `text`. It is fastest where at least 32 bytes of `text` follow the part's start.
#[inline(always)]
pub(crate) fn append_short(output: &mut Vec<u8>, text: &[u8], part: Range<usize>) {
    let length = output.len() + part.len();
    match text.get(part.start..part.start + SHORT).map(<&[u8; SHORT]>::try_from) {
        Some(Ok(bytes)) if part.len() <= SHORT => {
            output.extend_from_slice(bytes);
            output.truncate(length);
        }
        _ => output.extend_from_slice(&text[part]),
    }
}

/// A text that is appended again and again.
#[derive(Debug, Clone)]
pub(crate) struct Piece {
    /// The text, and blanks up to 32 bytes.
    bytes: Vec<u8>,
    length: usize,
}

impl Piece {
    pub(crate) fn new(text: &[u8]) -> Self {
        let mut bytes = text.to_vec();
        bytes.resize(text.len().max(SHORT), b' ');
        Self { bytes, length: text.len() }
    }

    #[inline(always)]
    pub(crate) fn append_to(&self, output: &mut Vec<u8>) {
        append_short(output, &self.bytes, 0..self.length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn parts_are_appended_exactly(text in prop::collection::vec(any::<u8>(), 0..90), start in 0_usize..90, length in 0_usize..90) {
            let start = start.min(text.len());
            let part = start..(start + length).min(text.len());
            let mut output = b"before".to_vec();
            append_short(&mut output, &text, part.clone());
            Piece::new(&text[part.clone()]).append_to(&mut output);
            prop_assert_eq!(output, [b"before", &text[part.clone()], &text[part]].concat());
        }
    }
}
