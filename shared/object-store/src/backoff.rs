//! How long to wait before another attempt.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

/// Exponential backoff with full jitter: a random time between zero and a ceiling that doubles with every attempt.
///
/// Full jitter spreads many workers that failed at the same moment evenly over the waiting time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The ceiling for the first attempt.
    pub first: Duration,
    /// The ceiling never grows beyond this.
    pub longest: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: Duration::from_millis(100), longest: Duration::from_secs(5) }
    }
}

impl Backoff {
    /// The most that is waited before this attempt, counted from 0.
    #[must_use]
    pub fn ceiling(&self, attempt: u32) -> Duration {
        self.first.saturating_mul(2_u32.saturating_pow(attempt.min(31))).min(self.longest)
    }

    /// A random waiting time before this attempt, counted from 0.
    #[must_use]
    pub fn delay(&self, attempt: u32) -> Duration {
        // The keys of the standard library's hash maps are random, and good enough to spread waiting times.
        let random = RandomState::new().build_hasher().finish();
        let ceiling = u64::try_from(self.ceiling(attempt).as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(random % ceiling.saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ceiling_doubles_up_to_its_limit() {
        let backoff = Backoff { first: Duration::from_millis(100), longest: Duration::from_secs(2) };
        let ceilings: Vec<u128> = (0..7).map(|attempt| backoff.ceiling(attempt).as_millis()).collect();
        assert_eq!(ceilings, [100, 200, 400, 800, 1600, 2000, 2000]);
        assert_eq!(backoff.ceiling(u32::MAX), backoff.longest);
    }

    #[test]
    fn delays_differ_and_stay_under_the_ceiling() {
        let backoff = Backoff::default();
        let delays: std::collections::BTreeSet<Duration> = (0..50).map(|_| backoff.delay(3)).collect();
        assert!(delays.len() > 10);
        assert!(delays.iter().all(|delay| *delay <= backoff.ceiling(3)));
    }
}
