//! Where the strings of a record stop.
//!
//! One bit for each byte of a record, set where a string cannot simply go on: at quotes, backslashes and control
//! characters. Made 64 bytes at a time, it answers "where does this string end?" with a shift and a count of zeros,
//! whatever the string's length; a loop over the bytes of many short strings would be left at another byte each time,
//! which processors predict badly.

use crate::blocks::{BLOCK, Block};

/// The bits of one record; reusable.
#[derive(Debug, Default)]
pub(super) struct Stops {
    words: Vec<u64>,
}

impl Stops {
    /// Makes the bits of a record.
    #[inline]
    pub(super) fn mark(&mut self, text: &[u8]) {
        let (blocks, tail) = text.as_chunks::<BLOCK>();
        self.words.clear();
        self.words.extend(blocks.iter().map(|block| stops(Block::new(block))));
        self.words.push(stops(Block::padded(tail)));
    }

    /// The first stop at or after `from`.
    #[inline(always)]
    pub(super) fn next(&self, from: usize) -> Option<usize> {
        let mut number = from / BLOCK;
        let mut word = self.words.get(number)? >> (from % BLOCK);
        let mut at = from;
        while word == 0 {
            number += 1;
            at = number * BLOCK;
            word = *self.words.get(number)?;
        }
        Some(at + word.trailing_zeros() as usize)
    }
}

#[inline(always)]
fn stops(block: Block) -> u64 {
    block.positions_of_or_at_most([b'"', b'\\'], 0x1f)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn agrees_with_looking_at_bytes(
            text in prop::collection::vec(prop::sample::select(vec![b'a', b' ', 0xc3, b'"', b'\\', b'\n', 0x1f]), 0..200),
            from in 0_usize..220,
        ) {
            let mut stops = Stops::default();
            stops.mark(&text);
            let expected = (from..text.len()).find(|at| matches!(text[*at], b'"' | b'\\' | 0..=0x1f));
            prop_assert_eq!(stops.next(from), expected);
        }
    }
}
