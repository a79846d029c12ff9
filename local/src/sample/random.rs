//! The random numbers of samples: SplitMix64, written here so that no update of a library changes what a seed means.

/// A stream of numbers that follows from its seed alone.
pub(super) struct Random {
    state: u64,
}

impl Random {
    /// The stream for one object. Streams of different objects and redraws have nothing to do with each other.
    pub(super) fn for_object(seed: u64, object: u64, redraw: u64) -> Self {
        let by_seed = Self { state: seed }.next();
        let by_object = Self { state: by_seed ^ object }.next();
        Self { state: by_object ^ redraw }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which must not be zero. The high half of a 64 by 64 bit product is uneven by less than
    /// `bound` in 2^64, which no sample can show.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        let product = u128::from(self.next()) * bound as u128;
        usize::try_from(product >> 64).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_never_change() {
        // The first outputs of SplitMix64 with state 0, as published with the algorithm.
        let mut random = Random { state: 0 };
        assert_eq!(random.next(), 0xe220_a839_7b1d_cdaf);
        assert_eq!(random.next(), 0x6e78_9e6a_a1b9_65f4);
        assert_eq!(random.next(), 0x06c4_5d18_8009_454f);
    }

    #[test]
    fn numbers_stay_below_their_bound_and_reach_all_of_it() {
        let mut random = Random::for_object(1, 2, 0);
        let mut seen = [0; 7];
        for _ in 0..700 {
            seen[random.below(7)] += 1;
        }
        assert!(seen.iter().all(|count| (60..140).contains(count)), "{seen:?}");
        assert_eq!(random.below(1), 0);
        assert_ne!(Random::for_object(1, 2, 0).next(), Random::for_object(1, 3, 0).next());
        assert_ne!(Random::for_object(1, 2, 0).next(), Random::for_object(1, 2, 1).next());
    }
}
