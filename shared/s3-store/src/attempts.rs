//! Trying a request again.
//!
//! The SDK could do this, but its attempts cannot be counted, it does not know `Retry-After`, requests back off each for
//! itself, and a budget of retries that all requests share ends them at once when many fail. Here every request has the
//! same number of attempts whatever happens to the others, with full jitter between them, and refusals because of too
//! many requests close the [`Gate`] for all.
//!
//! There is a longest time as well, behind which no attempt begins. An error at its end says so
//! ([`ObjectError::is_out_of_time`]), because it comes with fewer attempts than there may be, and a reader that counts
//! them would begin again.

use std::time::Duration;

use object_store::{ErrorClass, ObjectError};
use tokio::time::{Instant, sleep};

use crate::gate::Gate;
use crate::options::S3Options;

/// An attempt that failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: ObjectError,
    /// How long the service wants to be left alone.
    pub(crate) retry_after: Option<Duration>,
}

impl From<ObjectError> for Failure {
    fn from(error: ObjectError) -> Self {
        Self { error, retry_after: None }
    }
}

/// Tries requests. One serves a store with all its clones.
#[derive(Debug)]
pub(crate) struct Attempts {
    options: S3Options,
    gate: Gate,
}

impl Attempts {
    pub(crate) fn new(options: S3Options) -> Self {
        Self { options, gate: Gate::new(options.backoff, options.longest_retry_after) }
    }

    /// Tries until it goes well, cannot go well, or was tried often or long enough.
    pub(crate) async fn run<T, Work>(&self, request: impl Fn() -> Work) -> Result<T, ObjectError>
    where
        Work: Future<Output = Result<T, Failure>>,
    {
        let begun = Instant::now();
        let is_over = || begun.elapsed() >= self.options.operation_timeout;
        let mut attempts = 0;
        let mut last: Option<ObjectError> = None;
        loop {
            let pass = self.gate.pass().await;
            // The time may have passed while it waited. One attempt there is, however long the gate was closed.
            if let Some(error) = last.take().filter(|_| is_over()) {
                return Err(given_up(error, attempts, true));
            }
            let Failure { error, retry_after } = match request().await {
                Ok(answer) => {
                    self.gate.went_well(pass);
                    return Ok(answer);
                }
                Err(failure) => failure,
            };
            attempts += 1;
            if error.class == ErrorClass::Throttled {
                self.gate.refused(pass, retry_after);
            }
            if !error.class.is_retriable() || attempts >= self.options.attempts || is_over() {
                let is_out_of_time = error.class.is_retriable() && is_over();
                return Err(given_up(error, attempts, is_out_of_time));
            }
            if error.class != ErrorClass::Throttled {
                let wished = retry_after.unwrap_or_default().min(self.options.longest_retry_after);
                sleep(self.options.backoff.delay(attempts - 1).max(wished)).await;
            }
            last = Some(error);
        }
    }
}

fn given_up(error: ObjectError, attempts: u32, is_out_of_time: bool) -> ObjectError {
    if attempts == 1 {
        return ObjectError { is_out_of_time, ..error };
    }
    let message = format!("{}, at the last of {attempts} attempts", error.message);
    ObjectError { message, attempts, is_out_of_time, ..error }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use object_store::{ObjectAddress, code};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn failure(class: ErrorClass, retry_after: Option<Duration>) -> Failure {
        let address = ObjectAddress::parse("raw", "a").unwrap();
        Failure { error: ObjectError::new(class, code::SERVICE_ERROR, "open", &address, "no"), retry_after }
    }

    /// Fails so often before it goes well; answers attempts, the error, and the time taken.
    async fn run(failures: u32, class: ErrorClass, retry_after: Option<Duration>) -> (u32, Option<u32>, Duration) {
        let attempts = Attempts::new(S3Options::default());
        let (count, begun) = (Cell::new(0), Instant::now());
        let result = attempts
            .run(|| async {
                count.set(count.get() + 1);
                tokio::time::sleep(SECOND).await;
                if count.get() <= failures { Err(failure(class, retry_after)) } else { Ok(()) }
            })
            .await;
        (count.get(), result.err().map(|error| error.attempts), begun.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_are_counted_and_bounded() {
        let check = async |failures, class, attempts, error: Option<u32>| {
            let (made, failed, _) = run(failures, class, None).await;
            assert_eq!((made, failed), (attempts, error), "{class} {failures}");
        };
        check(0, ErrorClass::Transient, 1, None).await;
        check(4, ErrorClass::Transient, 5, None).await;
        check(5, ErrorClass::Transient, 5, Some(5)).await;
        check(4, ErrorClass::Throttled, 5, None).await;
        check(5, ErrorClass::Throttled, 5, Some(5)).await;
        for class in [ErrorClass::Denied, ErrorClass::NotFound, ErrorClass::Changed, ErrorClass::Configuration] {
            check(9, class, 1, Some(1)).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_wish_of_the_service_is_followed_within_a_limit() {
        for class in [ErrorClass::Transient, ErrorClass::Throttled] {
            let (_, _, short) = run(1, class, Some(3 * SECOND)).await;
            assert!(short >= 5 * SECOND && short < 6 * SECOND, "{class}: {short:?}");
            let (_, _, long) = run(1, class, Some(3600 * SECOND)).await;
            assert!(long >= 22 * SECOND && long < 23 * SECOND, "{class}: {long:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_attempt_begins_after_the_time_is_over() {
        let attempts = Attempts::new(S3Options { attempts: 1000, ..S3Options::default() });
        let (count, begun) = (Cell::new(0), Instant::now());
        let result: Result<(), _> = attempts
            .run(|| async {
                count.set(count.get() + 1);
                tokio::time::sleep(30 * SECOND).await;
                Err(failure(ErrorClass::Transient, None))
            })
            .await;
        let error = result.unwrap_err();
        assert_eq!((count.get(), error.attempts, error.is_out_of_time), (4, 4, true));
        assert!(begun.elapsed() < 140 * SECOND, "{:?}", begun.elapsed());
        assert_eq!(error.message, "no, at the last of 4 attempts");
    }

    #[tokio::test(start_paused = true)]
    async fn no_attempt_begins_after_a_wait_in_which_the_time_is_over() {
        for class in [ErrorClass::Transient, ErrorClass::Throttled] {
            let options = S3Options { attempts: 1000, operation_timeout: 10 * SECOND, ..S3Options::default() };
            let (attempts, count) = (Attempts::new(options), Cell::new(0));
            let result: Result<(), _> = attempts
                .run(|| async {
                    count.set(count.get() + 1);
                    Err(failure(class, Some(15 * SECOND)))
                })
                .await;
            assert_eq!((count.get(), result.unwrap_err().is_out_of_time), (1, true), "{class}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_error_before_the_time_is_over_does_not_say_that_it_is() {
        let attempts = Attempts::new(S3Options::default());
        for class in [ErrorClass::Transient, ErrorClass::Denied] {
            let result: Result<(), _> = attempts.run(|| async { Err(failure(class, None)) }).await;
            assert!(!result.unwrap_err().is_out_of_time, "{class}");
        }
    }
}
