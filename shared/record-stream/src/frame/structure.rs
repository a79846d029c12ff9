//! Finding the end of a JSON array or object, 64 bytes at a time.
//!
//! Four bit masks say where a block has quotes, backslashes, opening and closing brackets. Removing escaped quotes and
//! taking the exclusive-or prefix of the rest marks all bytes inside strings; brackets outside strings then only need
//! to be counted. Most blocks cannot reach depth zero and are done with two population counts.

use wide::u8x16;

const BLOCK: usize = 64;

/// State of the search between blocks and between chunks.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Brackets {
    /// All ones while inside a string.
    inside_string: u64,
    /// One when the last byte of the block before was an unescaped backslash.
    escape_carry: u64,
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
            if let Some(bit) = self.block(block) {
                return Some(self.scanned + bit + 1);
            }
            self.scanned += BLOCK;
        }
        // The tail is looked at on a copy: it is looked at again once its block is complete.
        let mut last = [b' '; BLOCK];
        last[..tail.len()].copy_from_slice(tail);
        let mut ahead = *self;
        ahead.block(&last).map(|bit| self.scanned + bit + 1)
    }

    #[inline(always)]
    fn block(&mut self, block: &[u8; BLOCK]) -> Option<usize> {
        let masks = Masks::of(block);
        let strings = self.strings(masks.backslashes, masks.quotes);
        let mut opening = masks.opening & !strings;
        let mut closing = masks.closing & !strings;
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

    /// Mask of the bytes inside strings, opening quotes included.
    #[inline(always)]
    fn strings(&mut self, backslashes: u64, quotes: u64) -> u64 {
        let escaped = self.escaped(backslashes);
        let inside = prefix_xor(quotes & !escaped) ^ self.inside_string;
        self.inside_string = ((inside as i64) >> 63) as u64;
        inside
    }

    /// Mask of the bytes that follow an odd number of backslashes. Adding the starts of runs at odd bits to the
    /// backslashes carries through each run and flips the parity of the bit behind it.
    #[inline(always)]
    fn escaped(&mut self, backslashes: u64) -> u64 {
        if backslashes == 0 {
            return std::mem::take(&mut self.escape_carry);
        }
        const EVEN: u64 = 0x5555_5555_5555_5555;
        let backslashes = backslashes & !self.escape_carry;
        let follows = (backslashes << 1) | self.escape_carry;
        let odd_starts = backslashes & !EVEN & !follows;
        let (sequences, overflow) = odd_starts.overflowing_add(backslashes);
        self.escape_carry = u64::from(overflow);
        (EVEN ^ (sequences << 1)) & follows
    }
}

struct Masks {
    quotes: u64,
    backslashes: u64,
    opening: u64,
    closing: u64,
}

impl Masks {
    #[inline(always)]
    fn of(block: &[u8; BLOCK]) -> Self {
        let mut masks = Self { quotes: 0, backslashes: 0, opening: 0, closing: 0 };
        let (lanes, _) = block.as_chunks::<16>();
        for (lane, bytes) in lanes.iter().enumerate() {
            let bytes = u8x16::new(*bytes);
            // Setting bit 5 maps `[` to `{` and `]` to `}`, and nothing else to either.
            let folded = bytes | u8x16::splat(0x20);
            let shift = lane * 16;
            masks.quotes |= positions(bytes, b'"') << shift;
            masks.backslashes |= positions(bytes, b'\\') << shift;
            masks.opening |= positions(folded, b'{') << shift;
            masks.closing |= positions(folded, b'}') << shift;
        }
        masks
    }
}

#[inline(always)]
fn positions(bytes: u8x16, wanted: u8) -> u64 {
    u64::from(bytes.simd_eq(u8x16::splat(wanted)).to_bitmask())
}

#[inline(always)]
fn prefix_xor(mut mask: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        mask ^= mask << shift;
    }
    mask
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
