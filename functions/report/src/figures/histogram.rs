//! How values are spread: fixed buckets to show, and fine ones to read quantiles from. Memory is the same for any number
//! of values.

use serde::{Deserialize, Serialize};

/// Upper ends of the buckets of durations, in milliseconds: one and three in every power of ten, then what people say.
const DURATIONS: [u64; 12] = [10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000, 60_000, 300_000, 900_000, 3_600_000];

/// Upper ends of the buckets of sizes, in bytes: from a kilobyte to a terabyte.
const SIZES: [u64; 10] = [
    1_000,
    10_000,
    100_000,
    1_000_000,
    10_000_000,
    100_000_000,
    1_000_000_000,
    10_000_000_000,
    100_000_000_000,
    1_000_000_000_000,
];

/// Fine buckets for each power of two: quantiles are at most an eighth too large.
const FINE_STEPS: usize = 8;

/// A bucket of a histogram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket {
    /// The smallest value in it.
    pub from: u64,
    /// One past the largest value in it; none means that there is no end.
    pub to: Option<u64>,
    /// Values in it.
    pub count: u64,
}

/// How values are spread.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Spread {
    /// Values counted.
    pub count: u64,
    /// Half of the values are at most this, about (at most an eighth too large).
    pub median: u64,
    /// 95 of 100 values are at most this, about.
    pub most: u64,
    /// The largest value, exact.
    pub largest: u64,
    /// The buckets, without the empty ones at both ends.
    pub buckets: Vec<Bucket>,
}

/// Counts values.
#[derive(Debug, Clone)]
pub(crate) struct Histogram {
    ends: &'static [u64],
    counts: Vec<u64>,
    fine: Vec<u64>,
    largest: u64,
}

impl Histogram {
    /// For durations in milliseconds.
    pub(crate) fn of_durations() -> Self {
        Self::new(&DURATIONS)
    }

    /// For sizes in bytes.
    pub(crate) fn of_sizes() -> Self {
        Self::new(&SIZES)
    }

    fn new(ends: &'static [u64]) -> Self {
        Self { ends, counts: vec![0; ends.len() + 1], fine: vec![0; 65 * FINE_STEPS], largest: 0 }
    }

    pub(crate) fn add(&mut self, value: u64) {
        self.counts[self.ends.partition_point(|end| *end <= value)] += 1;
        self.fine[fine_bucket(value)] += 1;
        self.largest = self.largest.max(value);
    }

    pub(crate) fn spread(&self) -> Spread {
        let buckets = self.counts.iter().enumerate().map(|(index, count)| Bucket {
            from: if index == 0 { 0 } else { self.ends[index - 1] },
            to: self.ends.get(index).copied(),
            count: *count,
        });
        let first = self.counts.iter().position(|count| *count > 0).unwrap_or(0);
        let last = self.counts.iter().rposition(|count| *count > 0).unwrap_or(0);
        let count: u64 = self.counts.iter().sum();
        let buckets = if count == 0 { Vec::new() } else { buckets.skip(first).take(last - first + 1).collect() };
        Spread { count, median: self.quantile(50), most: self.quantile(95), largest: self.largest, buckets }
    }

    /// The end of the fine bucket in which so many of a hundred values are reached.
    fn quantile(&self, percent: u64) -> u64 {
        let count: u64 = self.fine.iter().sum();
        let wanted = (u128::from(count) * u128::from(percent)).div_ceil(100);
        let mut seen = 0_u128;
        for (index, values) in self.fine.iter().enumerate() {
            seen += u128::from(*values);
            if *values > 0 && seen >= wanted {
                return fine_end(index).min(self.largest);
            }
        }
        0
    }
}

/// Values under 8 have a bucket each; above, every power of two has eight.
fn fine_bucket(value: u64) -> usize {
    if value < FINE_STEPS as u64 {
        return value as usize;
    }
    let power = value.ilog2();
    let step = (value >> (power - 3)) as usize - FINE_STEPS;
    (power as usize - 2) * FINE_STEPS + step
}

/// The largest value of a fine bucket.
fn fine_end(bucket: usize) -> u64 {
    if bucket < FINE_STEPS {
        return bucket as u64;
    }
    let (power, step) = (bucket / FINE_STEPS + 2, bucket % FINE_STEPS);
    let end = ((FINE_STEPS + step + 1) as u128) << (power - 3);
    u64::try_from(end - 1).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn quantiles_are_at_most_an_eighth_too_large(mut values in prop::collection::vec(any::<u64>(), 1..200)) {
            let mut histogram = Histogram::of_durations();
            values.iter().for_each(|value| histogram.add(*value));
            values.sort_unstable();
            let exact = values[(values.len() * 50).div_ceil(100) - 1];
            let found = histogram.spread().median;
            prop_assert!(found >= exact && found - exact <= exact / 8 + 1, "{found} for {exact}");
        }

        #[test]
        fn every_value_is_in_the_fine_bucket_that_ends_behind_it(value: u64) {
            let bucket = fine_bucket(value);
            prop_assert!(value <= fine_end(bucket));
            prop_assert!(bucket == 0 || value > fine_end(bucket - 1));
        }
    }

    #[test]
    fn every_value_is_in_the_bucket_that_says_so() {
        let mut histogram = Histogram::of_sizes();
        for value in [0, 999, 1_000, 5_000_000, u64::MAX] {
            histogram.add(value);
        }
        let spread = histogram.spread();
        assert_eq!((spread.count, spread.largest), (5, u64::MAX));
        let found: Vec<(u64, u64)> =
            spread.buckets.iter().filter(|bucket| bucket.count > 0).map(|bucket| (bucket.from, bucket.count)).collect();
        assert_eq!(found, [(0, 2), (1_000, 1), (1_000_000, 1), (1_000_000_000_000, 1)]);
        assert_eq!(spread.buckets.last().unwrap().to, None);
    }

    #[test]
    fn empty_buckets_at_the_ends_are_left_out() {
        let mut histogram = Histogram::of_durations();
        histogram.add(50);
        histogram.add(500);
        let buckets = histogram.spread().buckets;
        assert_eq!(
            buckets.iter().map(|bucket| (bucket.from, bucket.count)).collect::<Vec<_>>(),
            [(30, 1), (100, 0), (300, 1)]
        );
        assert_eq!(Histogram::of_durations().spread(), Spread::default());
    }
}
