//! Finding the end of a JSON array or object, 64 bytes at a time.
//!
//! Bit masks say where a block has quotes, backslashes, opening and closing brackets, and which bytes are inside strings
//! (`blocks`); brackets outside strings then only need to be counted. Most blocks cannot reach depth zero and are done
//! with two population counts.

use crate::blocks::{BLOCK, Block, StringState};

/// State of the search between blocks and between chunks.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Brackets {
    strings: StringState,
    depth: u64,
    /// Bytes done with, a multiple of the block size.
    pub(crate) scanned: usize,
}

impl Brackets {
    /// Looks on from where the last call stopped, in `text`, which begins where the search began. Answers the offset
    /// after the bracket that closes the first one.
    pub(crate) fn find_end(&mut self, text: &[u8]) -> Option<usize> {
        let rest = text.get(self.scanned..)?;
        let (blocks, tail) = rest.as_chunks::<BLOCK>();
        for block in blocks {
            if let Some(bit) = self.block(Block::new(block)) {
                return Some(self.scanned + bit + 1);
            }
            self.scanned += BLOCK;
        }
        // The tail is looked at on a copy: it is looked at again once its block is complete.
        let mut ahead = *self;
        ahead.block(Block::padded(tail)).map(|bit| self.scanned + bit + 1)
    }

    #[inline(always)]
    fn block(&mut self, block: Block) -> Option<usize> {
        let (_, strings) = self.strings.next(block.positions(b'"'), block.positions(b'\\'));
        let folded = block.folded();
        let mut opening = folded.positions(b'{') & !strings;
        let mut closing = folded.positions(b'}') & !strings;
        let closings = u64::from(closing.count_ones());
        if self.depth > closings {
            self.depth += u64::from(opening.count_ones());
            self.depth -= closings;
            return None;
        }
        while opening | closing != 0 {
            let bit = (opening | closing).trailing_zeros();
            let mask = 1_u64 << bit;
            if opening & mask != 0 {
                opening ^= mask;
                self.depth += 1;
            } else {
                closing ^= mask;
                self.depth = self.depth.saturating_sub(1);
                if self.depth == 0 {
                    return Some(bit as usize);
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The same by looking at one byte after another.
    fn plain_end(text: &[u8]) -> Option<usize> {
        let (mut depth, mut inside, mut escaped) = (0_usize, false, false);
        for (offset, byte) in text.iter().enumerate() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if inside => escaped = true,
                b'"' => inside = !inside,
                b'{' | b'[' if !inside => depth += 1,
                b'}' | b']' if !inside => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        return Some(offset + 1);
                    }
                }
                _ => {}
            }
        }
        None
    }

    proptest! {
        #[test]
        fn any_chunking_finds_the_same_end(
            body in prop::collection::vec(prop::sample::select(br#"{}[]"",:\1 "#.to_vec()), 0..300),
            cuts in prop::collection::vec(0_usize..300, 0..6),
        ) {
            let mut text = b"[\"".to_vec();
            text.extend(body);
            let text = without_backslashes_outside_strings(&text);
            let expected = plain_end(&text);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.sort_unstable();
            cuts.push(text.len());
            let mut brackets = Brackets::default();
            let found = cuts.iter().find_map(|cut| brackets.find_end(&text[..*cut]));
            prop_assert_eq!(found, expected);
        }
    }

    /// Outside strings a backslash is not JSON, and the two ways need not agree on what it escapes.
    fn without_backslashes_outside_strings(text: &[u8]) -> Vec<u8> {
        let (mut inside, mut escaped) = (false, false);
        let mut kept = Vec::new();
        for byte in text {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if inside => escaped = true,
                b'\\' => continue,
                b'"' => inside = !inside,
                _ => {}
            }
            kept.push(*byte);
        }
        kept
    }
}
