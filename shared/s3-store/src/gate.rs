//! One gate for all requests of a store, closed for a while when the service asks to slow down.
//!
//! A service that is asked too much answers `SlowDown`, and S3 asks it of a whole bucket or prefix, not of one request.
//! If every request backed off for itself, those that were not refused yet would go on at full speed. So the first
//! refusal closes the gate: no request of the process passes before its time is over, and then each waits a little longer
//! by chance, so that they do not come all at once. Refused again, the gate stays closed twice as long; each success makes
//! it milder by one step.
//!
//! Requests that were on their way when the gate was closed may be refused too. They say nothing new, so every request
//! carries the number of the closing it knows of, and only refusals after the last closing count.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use object_store::Backoff;
use tokio::time::{Instant, sleep_until};

/// Closings that one request waits for before it goes all the same: others must not keep it waiting for ever.
const MOST_WAITS: u32 = 5;

/// The gate. Open at first.
#[derive(Debug)]
pub(crate) struct Gate {
    backoff: Backoff,
    longest_retry_after: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// How often the gate was closed.
    closings: u64,
    /// How far the waiting time has grown; 0 when all is well.
    level: u32,
    opens: Option<Instant>,
}

/// The right to send one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pass {
    closings: u64,
}

impl Gate {
    pub(crate) fn new(backoff: Backoff, longest_retry_after: Duration) -> Self {
        Self { backoff, longest_retry_after, state: Mutex::default() }
    }

    /// Waits until a request may be sent.
    pub(crate) async fn pass(&self) -> Pass {
        for _ in 0..MOST_WAITS {
            let Some(turn) = self.turn() else { break };
            sleep_until(turn).await;
        }
        Pass { closings: self.lock().closings }
    }

    /// A request was refused because there are too many; the service may have said how long to wait.
    pub(crate) fn refused(&self, pass: Pass, retry_after: Option<Duration>) {
        let wished = retry_after.unwrap_or_default().min(self.longest_retry_after);
        let mut state = self.lock();
        let mut wait = wished;
        if pass.closings == state.closings {
            wait = wait.max(self.backoff.ceiling(state.level));
            state.closings += 1;
            state.level = state.level.saturating_add(1);
        }
        state.opens = state.opens.max(Instant::now().checked_add(wait));
    }

    /// A request was not refused.
    pub(crate) fn went_well(&self, pass: Pass) {
        let mut state = self.lock();
        if pass.closings == state.closings {
            state.level = state.level.saturating_sub(1);
        }
    }

    /// When a request that comes now may be sent; none means at once.
    fn turn(&self) -> Option<Instant> {
        let state = self.lock();
        let opens = state.opens.filter(|opens| *opens > Instant::now())?;
        Some(opens + self.backoff.delay(state.level.saturating_sub(1)))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn gate() -> Gate {
        Gate::new(Backoff { first: SECOND, longest: 8 * SECOND }, 20 * SECOND)
    }

    /// Passes, and tells how long that took.
    async fn wait(gate: &Gate) -> (Pass, Duration) {
        let begun = Instant::now();
        let pass = gate.pass().await;
        (pass, begun.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn an_open_gate_costs_nothing() {
        let gate = gate();
        let (pass, waited) = wait(&gate).await;
        gate.went_well(pass);
        assert_eq!(waited, Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn one_refusal_holds_all_requests_back() {
        let gate = gate();
        let (refused, _) = wait(&gate).await;
        gate.refused(refused, None);
        let waits = futures::future::join_all((0..50).map(|_| wait(&gate))).await;
        let waits: Vec<Duration> = waits.into_iter().map(|(_, waited)| waited).collect();
        assert!(waits.iter().all(|waited| (SECOND..=2 * SECOND + SECOND / 100).contains(waited)), "{waits:?}");
        assert!(waits.iter().max() > waits.iter().min(), "they come one after another");
        assert_eq!(wait(&gate).await.1, Duration::ZERO, "open again");
    }

    #[tokio::test(start_paused = true)]
    async fn refusals_of_requests_on_their_way_count_once() {
        let gate = gate();
        let passes = futures::future::join_all((0..50).map(|_| gate.pass())).await;
        for pass in passes {
            gate.refused(pass, None);
        }
        assert!(wait(&gate).await.1 <= 2 * SECOND + SECOND / 100);
    }

    #[tokio::test(start_paused = true)]
    async fn refused_again_it_stays_closed_twice_as_long_up_to_a_limit() {
        let gate = gate();
        for least in [0, 1, 2, 4, 8, 8, 8] {
            let (pass, waited) = wait(&gate).await;
            let range = least * SECOND..=2 * least * SECOND + SECOND / 100;
            assert!(range.contains(&waited), "{waited:?} is not in {range:?}");
            gate.refused(pass, None);
        }
        for _ in 0..7 {
            let (pass, _) = wait(&gate).await;
            gate.went_well(pass);
        }
        let pass = gate.pass().await;
        gate.refused(pass, None);
        assert!(wait(&gate).await.1 <= 2 * SECOND + SECOND / 100, "all was well in between");
    }

    #[tokio::test(start_paused = true)]
    async fn the_service_is_believed_within_a_limit() {
        for (seconds, expected) in [(0, 1), (1, 1), (7, 7), (20, 20), (86_400, 20)] {
            let gate = gate();
            let pass = gate.pass().await;
            gate.refused(pass, Some(seconds * SECOND));
            let range = expected * SECOND..=(expected + 1) * SECOND + SECOND / 100;
            let waited = wait(&gate).await.1;
            assert!(range.contains(&waited), "Retry-After {seconds}: {waited:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_kept_waiting_for_ever() {
        let gate = gate();
        let patient = wait(&gate);
        let pass = gate.pass().await;
        gate.refused(pass, None);
        let others = async {
            loop {
                let pass = Pass { closings: gate.lock().closings };
                gate.refused(pass, None);
                tokio::time::sleep(SECOND / 2).await;
            }
        };
        let waited = tokio::select! {
            (_, waited) = patient => waited,
            () = others => Duration::MAX,
        };
        assert!(waited <= 5 * 16 * SECOND + SECOND, "{waited:?}");
    }
}
