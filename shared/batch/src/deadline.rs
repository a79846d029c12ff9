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

    /// Waits until what is still running must be given up, so that the ledger can be written; for ever if no end is known.
    pub async fn passed(&self) {
        let reserve = LEAST_RESERVE.min(self.total / 2);
        match self.ends.and_then(|ends| ends.checked_sub(reserve)) {
            Some(stop) => tokio::time::sleep_until(stop).await,
            None => std::future::pending().await,
        }
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

    #[test]
    fn an_unknown_deadline_never_stops_anything() {
        assert!(Deadline::UNKNOWN.leaves_time_for(Duration::MAX / 4));
    }
}
