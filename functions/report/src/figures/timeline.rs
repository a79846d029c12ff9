//! When batches ran: a fixed number of slices of time, whatever the length of the run and the number of batches.
//!
//! Batches come in no order of time, and nobody knows at first how long the run was. So slices begin narrow, and whenever
//! a batch lies outside of them they become wider, each a multiple of the one before, until all fits. Slices always lie at multiples of
//! their width, so that an old slice falls into exactly one new one and no count is lost.

use serde::{Deserialize, Serialize};

/// Slices that are kept at most.
const SLICES: usize = 160;

/// Up to this width, in milliseconds, the next is five times as wide, and from there twice: 1, 5, 25, 125, 250, 500, 1 s.
const EIGHTH_OF_A_SECOND: i64 = 125;

/// The last millisecond of the year 9999; times behind it are no times.
const LATEST: i64 = 253_402_300_799_999;

/// Batches over time.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Timeline {
    /// When the first batch began, in milliseconds since 1970; none when no batch is known.
    pub started: Option<i64>,
    /// When the last batch ended, in milliseconds since 1970.
    pub ended: Option<i64>,
    /// When the first slice begins, in milliseconds since 1970.
    pub first_slice: i64,
    /// Width of a slice in milliseconds.
    pub slice_ms: u64,
    /// The slices in order.
    pub slices: Vec<Slice>,
}

/// What happened in a slice of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Slice {
    /// Milliseconds that batches ran in it, all together: divided by its width, the batches that ran at the same time.
    pub running_ms: u64,
    /// Batches that began in it.
    pub started: u64,
    /// Batches that failed in it.
    pub failed: u64,
}

impl Timeline {
    /// Milliseconds from the beginning of the first batch to the end of the last.
    #[must_use]
    pub fn duration_ms(&self) -> Option<u64> {
        u64::try_from(self.ended? - self.started?).ok()
    }

    /// The batches that ran at the same time, on average over a slice.
    #[must_use]
    pub fn running(&self, slice: &Slice) -> f64 {
        slice.running_ms as f64 / self.slice_ms.max(1) as f64
    }

    /// Adds a batch by its beginning and end in milliseconds since 1970. Times that cannot be are left out.
    pub(crate) fn add(&mut self, started: i64, ended: i64, has_failed: bool) {
        if started < 0 || ended < started || ended > LATEST {
            return;
        }
        self.started = Some(self.started.map_or(started, |first| first.min(started)));
        self.ended = Some(self.ended.map_or(ended, |last| last.max(ended)));
        self.make_room();
        let width = self.slice_ms as i64;
        let slice_of = |time: i64| usize::try_from((time - self.first_slice) / width).unwrap_or_default();
        let (first, last) = (slice_of(started), slice_of(ended));
        self.slices[first].started += 1;
        self.slices[last].failed += u64::from(has_failed);
        for index in first..=last {
            let begin = self.first_slice + index as i64 * width;
            let overlap = ended.min(begin + width) - started.max(begin);
            self.slices[index].running_ms += u64::try_from(overlap).unwrap_or_default();
        }
    }

    /// Makes the slices reach from the first beginning to the last end.
    fn make_room(&mut self) {
        let (Some(started), Some(ended)) = (self.started, self.ended) else { return };
        let mut width = self.slice_ms.max(1) as i64;
        let slices = |width: i64| ended / width - started / width + 1;
        while slices(width) > SLICES as i64 {
            width *= if width < EIGHTH_OF_A_SECOND { 5 } else { 2 };
        }
        let (first, count) = (started / width * width, slices(width) as usize);
        if (first, count, width as u64) == (self.first_slice, self.slices.len(), self.slice_ms) {
            return;
        }
        let mut wider = vec![Slice::default(); count];
        for (index, slice) in self.slices.iter().enumerate() {
            let begin = self.first_slice + index as i64 * self.slice_ms as i64;
            let place = &mut wider[((begin - first) / width) as usize];
            place.running_ms += slice.running_ms;
            place.started += slice.started;
            place.failed += slice.failed;
        }
        (self.first_slice, self.slice_ms, self.slices) = (first, width as u64, wider);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_batch_is_lost_whatever_the_order(
            batches in prop::collection::vec((0_i64..10_000_000, 0_i64..500_000, any::<bool>()), 1..80)
        ) {
            let mut timeline = Timeline::default();
            for (started, duration, has_failed) in &batches {
                timeline.add(1_700_000_000_000 + started, 1_700_000_000_000 + started + duration, *has_failed);
            }
            prop_assert!(timeline.slices.len() <= SLICES);
            let sum = |count: fn(&Slice) -> u64| timeline.slices.iter().map(count).sum::<u64>();
            prop_assert_eq!(sum(|slice| slice.started), batches.len() as u64);
            prop_assert_eq!(sum(|slice| slice.failed), batches.iter().filter(|batch| batch.2).count() as u64);
            prop_assert_eq!(sum(|slice| slice.running_ms), batches.iter().map(|batch| batch.1 as u64).sum::<u64>());
            let mut other = Timeline::default();
            for (started, duration, has_failed) in batches.iter().rev() {
                other.add(1_700_000_000_000 + started, 1_700_000_000_000 + started + duration, *has_failed);
            }
            prop_assert_eq!(timeline, other);
        }
    }

    #[test]
    fn the_batches_at_the_same_time_are_those_that_overlap() {
        let mut timeline = Timeline::default();
        timeline.add(1_000, 2_000, false);
        timeline.add(1_000, 3_000, false);
        timeline.add(2_000, 3_000, true);
        assert_eq!((timeline.started, timeline.ended, timeline.duration_ms()), (Some(1_000), Some(3_000), Some(2_000)));
        let running: Vec<f64> = timeline.slices.iter().map(|slice| timeline.running(slice)).collect();
        assert!(running[..16].iter().all(|running| *running == 2.0), "{running:?}");
    }

    #[test]
    fn times_that_cannot_be_are_left_out() {
        let mut timeline = Timeline::default();
        for (started, ended) in [(-1, 5), (5, 4), (0, i64::MAX), (i64::MAX, i64::MAX)] {
            timeline.add(started, ended, false);
        }
        assert_eq!(timeline, Timeline::default());
        timeline.add(0, LATEST, false);
        assert!(timeline.slices.len() <= SLICES);
    }
}
