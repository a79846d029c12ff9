//! Text as bit masks, 64 bytes at a time.
//!
//! A [`Block`] answers "where in these 64 bytes is a quote?" with one 64-bit mask, by portable SIMD. From such masks the
//! inside of strings follows without looking at single bytes: removing escaped quotes and taking the exclusive-or
//! prefix of the rest marks everything between an opening and a closing quote.

use wide::u8x16;

/// Bytes of a block.
pub(crate) const BLOCK: usize = 64;

/// 64 bytes in four SIMD registers.
#[derive(Clone, Copy)]
pub(crate) struct Block([u8x16; 4]);

impl Block {
    #[inline(always)]
    pub(crate) fn new(bytes: &[u8; BLOCK]) -> Self {
        let (lanes, _) = bytes.as_chunks::<16>();
        Self([u8x16::new(lanes[0]), u8x16::new(lanes[1]), u8x16::new(lanes[2]), u8x16::new(lanes[3])])
    }

    /// A last piece shorter than a block, with blanks behind it.
    #[inline]
    pub(crate) fn padded(tail: &[u8]) -> Self {
        let mut bytes = [b' '; BLOCK];
        bytes[..tail.len()].copy_from_slice(tail);
        Self::new(&bytes)
    }

    /// The block with bit 5 set in every byte: `[` becomes `{`, `]` becomes `}`, and nothing else becomes either.
    #[inline(always)]
    pub(crate) fn folded(self) -> Self {
        Self(self.0.map(|lane| lane | u8x16::splat(0x20)))
    }

    /// Where the block has this byte.
    #[inline(always)]
    pub(crate) fn positions(self, wanted: u8) -> u64 {
        self.mask(|lane| lane.simd_eq(u8x16::splat(wanted)))
    }

    /// Where the block has one of these bytes.
    #[inline(always)]
    pub(crate) fn positions_of<const N: usize>(self, wanted: [u8; N]) -> u64 {
        self.mask(|lane| wanted.iter().fold(u8x16::splat(0), |found, byte| found | lane.simd_eq(u8x16::splat(*byte))))
    }

    /// Where the block has one of these bytes or a byte of at most this value.
    #[inline(always)]
    pub(crate) fn positions_of_or_at_most<const N: usize>(self, wanted: [u8; N], highest: u8) -> u64 {
        self.mask(|lane| {
            let low = lane.min(u8x16::splat(highest)).simd_eq(lane);
            wanted.iter().fold(low, |found, byte| found | lane.simd_eq(u8x16::splat(*byte)))
        })
    }

    #[inline(always)]
    fn mask(self, test: impl Fn(u8x16) -> u8x16) -> u64 {
        let bits = self.0.map(|lane| u64::from(test(lane).to_bitmask()));
        bits[0] | bits[1] << 16 | bits[2] << 32 | bits[3] << 48
    }
}

/// What is known of JSON strings at the end of a block.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct StringState {
    /// All ones while inside a string.
    inside: u64,
    /// One when the last byte was an unescaped backslash.
    escape_carry: u64,
}

impl StringState {
    /// Given the quotes and backslashes of the next block: the quotes that are not escaped, and the bytes inside
    /// strings, opening quotes included.
    #[inline(always)]
    pub(crate) fn next(&mut self, quotes: u64, backslashes: u64) -> (u64, u64) {
        let quotes = quotes & !self.escaped(backslashes);
        let inside = prefix_xor(quotes) ^ self.inside;
        self.inside = ((inside as i64) >> 63) as u64;
        (quotes, inside)
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

/// Bit n is the exclusive-or of the bits 0 to n.
#[inline(always)]
pub(crate) fn prefix_xor(mut mask: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        mask ^= mask << shift;
    }
    mask
}

/// Appends the positions of the bits of a mask, each plus `base`, to `list` behind its first `length` entries; answers
/// the new length. Eight entries are written at a time without asking how many are needed, which costs less than a
/// branch for each; what is written too much is overwritten by the next call.
///
/// `list` must have room for 64 entries behind `length`; without it nothing is written.
#[inline(always)]
pub(crate) fn append_positions(list: &mut [u32], length: usize, mut mask: u64, base: u32) -> usize {
    let count = mask.count_ones() as usize;
    let Some(Ok(slots)) = list.get_mut(length..length + BLOCK).map(<&mut [u32; BLOCK]>::try_from) else {
        return length;
    };
    let (groups, _) = slots.as_chunks_mut::<8>();
    for (number, group) in groups.iter_mut().enumerate() {
        if number * 8 >= count {
            break;
        }
        for slot in group {
            *slot = base.wrapping_add(mask.trailing_zeros());
            mask &= mask.wrapping_sub(1);
        }
    }
    length + count
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn masks_agree_with_looking_at_bytes(bytes in prop::collection::vec(any::<u8>(), BLOCK)) {
            let block = Block::new(bytes.as_slice().try_into().unwrap());
            let mask = |test: &dyn Fn(u8) -> bool| {
                bytes.iter().enumerate().fold(0_u64, |mask, (bit, byte)| mask | u64::from(test(*byte)) << bit)
            };
            prop_assert_eq!(block.positions(b'"'), mask(&|byte| byte == b'"'));
            prop_assert_eq!(block.positions_of([b'a', b'\n', 0xff]), mask(&|byte| matches!(byte, b'a' | b'\n' | 0xff)));
            prop_assert_eq!(block.positions_of_or_at_most([b'"'], 0x1f), mask(&|byte| byte <= 0x1f || byte == b'"'));
            prop_assert_eq!(block.folded().positions(b'{'), mask(&|byte| matches!(byte, b'{' | b'[')));
        }

        #[test]
        fn positions_are_those_of_the_bits(mask in any::<u64>(), base in 0_u32..1000) {
            let mut list = [0; 70];
            let length = append_positions(&mut list, 3, mask, base);
            let expected: Vec<u32> = (0..64).filter(|bit| mask >> bit & 1 == 1).map(|bit| base + bit).collect();
            prop_assert_eq!(&list[3..length], expected.as_slice());
        }
    }
}
