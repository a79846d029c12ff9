//! Retriers and catchers: which error they handle, and how long to wait before the next attempt.

use std::time::Duration;

use super::definition::ResultPath;
use super::error::StateError;
use super::template::Template;

/// One entry of `Retry`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Retrier {
    pub(crate) error_equals: Vec<String>,
    pub(crate) interval_seconds: f64,
    pub(crate) max_attempts: u64,
    pub(crate) backoff_rate: f64,
    pub(crate) max_delay_seconds: Option<f64>,
    pub(crate) full_jitter: bool,
}

/// One entry of `Catch`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Catcher {
    pub(crate) error_equals: Vec<String>,
    pub(crate) result_path: ResultPath,
    /// `Assign`: variables that are set when it catches.
    pub(crate) assign: Option<Template>,
    /// `Output`, with JSONata.
    pub(crate) output: Option<Template>,
    pub(crate) next: String,
}

/// How often each retrier of a state has been used since the state was entered.
#[derive(Debug)]
pub(crate) struct Retries<'d> {
    retriers: &'d [Retrier],
    used: Vec<u64>,
}

impl Retrier {
    /// The wait before retry number `used`, counted from 0; `chance` from 0 to 1 decides within the jitter.
    fn delay(&self, used: u64, chance: f64) -> Duration {
        let exponent = i32::try_from(used).unwrap_or(i32::MAX);
        let mut seconds = self.interval_seconds * self.backoff_rate.powi(exponent);
        if let Some(most) = self.max_delay_seconds {
            seconds = seconds.min(most);
        }
        if self.full_jitter {
            seconds *= chance;
        }
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }
}

impl<'d> Retries<'d> {
    pub(crate) fn new(retriers: &'d [Retrier]) -> Self {
        Self { retriers, used: vec![0; retriers.len()] }
    }

    /// Retries made since the state was entered.
    pub(crate) fn count(&self) -> u64 {
        self.used.iter().sum()
    }

    /// The wait before the next attempt after this error; `None` when there is to be none.
    pub(crate) fn next(&mut self, error: &StateError) -> Option<Duration> {
        let position = self.retriers.iter().position(|retrier| handles(&retrier.error_equals, error))?;
        let (retrier, used) = (&self.retriers[position], self.used[position]);
        if used >= retrier.max_attempts {
            return None;
        }
        self.used[position] += 1;
        Some(retrier.delay(used, chance()))
    }
}

/// The first catcher that handles an error.
pub(crate) fn catcher<'d>(catchers: &'d [Catcher], error: &StateError) -> Option<&'d Catcher> {
    catchers.iter().find(|catcher| handles(&catcher.error_equals, error))
}

fn handles(patterns: &[String], error: &StateError) -> bool {
    patterns.iter().any(|pattern| error.matches(pattern))
}

/// A random number from 0 to below 1.
fn chance() -> f64 {
    const STEPS: u64 = 1 << 53;
    (uuid::Uuid::new_v4().as_u64_pair().0 % STEPS) as f64 / STEPS as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retrier() -> Retrier {
        Retrier {
            error_equals: vec!["Mine".to_owned()],
            interval_seconds: 2.0,
            max_attempts: 3,
            backoff_rate: 2.0,
            max_delay_seconds: Some(5.0),
            full_jitter: false,
        }
    }

    #[test]
    fn waits_longer_up_to_the_limit_and_then_gives_up() {
        let retriers = [retrier()];
        let mut retries = Retries::new(&retriers);
        let error = StateError::new("Mine", "");
        let waits: Vec<_> = (0..4).map(|_| retries.next(&error)).collect();
        assert_eq!(
            waits,
            [Some(Duration::from_secs(2)), Some(Duration::from_secs(4)), Some(Duration::from_secs(5)), None]
        );
        assert_eq!(retries.count(), 3);
        assert_eq!(retries.next(&StateError::new("Other", "")), None);
    }

    #[test]
    fn jitter_stays_within_the_wait() {
        let jittered = Retrier { full_jitter: true, ..retrier() };
        assert_eq!(jittered.delay(0, 0.0), Duration::ZERO);
        assert_eq!(jittered.delay(1, 0.5), Duration::from_secs(2));
        assert!((0..1_000).all(|_| (0.0..1.0).contains(&chance())));
        let endless = Retrier { max_delay_seconds: None, ..retrier() };
        assert_eq!(endless.delay(u64::MAX, 1.0), Duration::MAX);
    }
}
