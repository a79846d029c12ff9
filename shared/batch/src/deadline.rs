//! When to stop beginning new items.

use std::time::Duration;
use tokio::time::Instant;

/// The least time kept for finishing what is in flight and writing the ledger.
const LEAST_RESERVE: Duration = Duration::from_secs(3);

/// The end of an invocation, if it is known.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    ends: Option<Instant>,
    total: Duration,
}

impl Deadline {
    /// No end is known. Some tools that imitate Lambda give a deadline in the past; they are treated so.
    pub const UNKNOWN: Self = Self { ends: None, total: Duration::ZERO };

    /// The invocation ends after this time; zero means that the end is not known.
    #[must_use]
    pub fn after(remaining: Duration) -> Self {
        if remaining.is_zero() {
            return Self::UNKNOWN;
        }
        Self { ends: Instant::now().checked_add(remaining), total: remaining }
    }

    /// What is kept for writing the ledger, whatever is still running: three seconds, a quarter of a short invocation.
    fn last_reserve(&self) -> Duration {
        LEAST_RESERVE.min(self.total / 4)
    }

    /// Waits until what is still running must be given up, so that the ledger can be written; for ever if no end is known.
    pub async fn passed(&self) {
        match self.ends.and_then(|ends| ends.checked_sub(self.last_reserve())) {
            Some(stop) => tokio::time::sleep_until(stop).await,
            None => std::future::pending().await,
        }
    }

    /// True when there is time for another step of an object that has come so far, given how long its longest one took. Two
    /// like it must fit before all is given up, and at least two seconds (an eighth of a short invocation) for writing down
    /// how far the object has come.
    #[must_use]
    pub(crate) fn leaves_time_for_step(&self, longest_step: Duration) -> bool {
        let Some(ends) = self.ends else { return true };
        let reserve = self.last_reserve() + (longest_step * 2).max(Duration::from_secs(2).min(self.total / 8));
        ends.saturating_duration_since(Instant::now()) > reserve
    }

    /// True when there is time to begin another item, given how long the longest one took so far. An item like it must
    /// fit twice, but never more than half of the invocation is held back.
    #[must_use]
    pub fn leaves_time_for(&self, longest_item: Duration) -> bool {
        let Some(ends) = self.ends else { return true };
        let reserve = (longest_item * 2).max(LEAST_RESERVE).min(self.total / 2);
        ends.saturating_duration_since(Instant::now()) > reserve
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_reserve_follows_the_longest_item() {
        let deadline = Deadline::after(Duration::from_secs(60));
        assert!(deadline.leaves_time_for(Duration::ZERO));
        assert!(deadline.leaves_time_for(Duration::from_secs(1000)), "half of the time may always be used");
        tokio::time::advance(Duration::from_secs(31)).await;
        assert!(!deadline.leaves_time_for(Duration::from_secs(20)));
        assert!(deadline.leaves_time_for(Duration::from_secs(10)));
        tokio::time::advance(Duration::from_secs(27)).await;
        assert!(!deadline.leaves_time_for(Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_ends_before_all_is_given_up() {
        for seconds in [1, 4, 10, 60, 900] {
            let deadline = Deadline::after(Duration::from_secs(seconds));
            let begun = Instant::now();
            while deadline.leaves_time_for_step(Duration::from_millis(10)) {
                tokio::time::advance(Duration::from_millis(10)).await;
            }
            let left = begun.elapsed();
            deadline.passed().await;
            let spare = begun.elapsed() - left;
            assert!(spare >= Duration::from_millis(110 * seconds.min(16)), "{seconds} s: {spare:?} to write the state");
            assert!(left * 2 > Duration::from_secs(seconds), "{seconds} s: more than half of the time is used");
        }
    }

    #[test]
    fn an_unknown_deadline_never_stops_anything() {
        assert!(Deadline::UNKNOWN.leaves_time_for(Duration::MAX / 4));
    }
}
