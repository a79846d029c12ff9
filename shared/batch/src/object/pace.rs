//! When the state of a large object is written down, and when the rest of it is left to another invocation.
//!
//! An object is read in steps of the same number of expanded bytes. The time left is looked at only at the end of a step,
//! and compared with the longest step so far: when another one like it may not fit, the object is left there.

use crate::deadline::Deadline;
use std::time::Duration;
use tokio::time::Instant;

/// What to do at the end of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing.
    GoOn,
    /// Write the state down, so that not all is lost if the invocation dies.
    Note,
    /// Write the state down and end.
    Leave,
}

/// Measures the steps of one object.
#[derive(Debug)]
pub(super) struct Pace {
    step_bytes: u64,
    /// Where the step ends, in the expanded object.
    next_step: u64,
    deadline: Deadline,
    note_every: Duration,
    step_began: Instant,
    longest_step: Duration,
    noted: Instant,
}

impl Pace {
    /// The pace of an object that is read in steps of this many bytes from a byte on. One that was left goes on to the step
    /// that was next then.
    pub(super) fn new(
        step_bytes: u64,
        first_byte: u64,
        next_step: Option<u64>,
        deadline: Deadline,
        note_every: Duration,
    ) -> Self {
        let now = Instant::now();
        Self {
            step_bytes,
            next_step: next_step.unwrap_or_else(|| (first_byte / step_bytes + 1).saturating_mul(step_bytes)),
            deadline,
            note_every,
            step_began: now,
            longest_step: Duration::ZERO,
            noted: now,
        }
    }

    /// Bytes from here to the end of the step; zero at the end.
    pub(super) fn bytes_to_step(&self, position: u64) -> usize {
        usize::try_from(self.next_step.saturating_sub(position)).unwrap_or(usize::MAX)
    }

    /// The end of the step.
    pub(super) fn next_step(&self) -> u64 {
        self.next_step
    }

    /// The step is done; the next one begins.
    pub(super) fn step(&mut self) -> Step {
        let now = Instant::now();
        self.next_step = self.next_step.saturating_add(self.step_bytes);
        self.longest_step = self.longest_step.max(now - self.step_began);
        self.step_began = now;
        if !self.deadline.leaves_time_for_step(self.longest_step) {
            return Step::Leave;
        }
        if now - self.noted < self.note_every {
            return Step::GoOn;
        }
        self.noted = now;
        Step::Note
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes steps of these many seconds with so many seconds left at first, noting every 30.
    async fn check(seconds_left: u64, steps: &[u64], expected: &[Step]) {
        let deadline = Deadline::after(Duration::from_secs(seconds_left));
        let mut pace = Pace::new(100, 0, None, deadline, Duration::from_secs(30));
        let mut taken = Vec::new();
        for seconds in steps {
            tokio::time::advance(Duration::from_secs(*seconds)).await;
            taken.push(pace.step());
        }
        assert_eq!(taken, expected, "{seconds_left} s left, steps of {steps:?} s");
    }

    #[tokio::test(start_paused = true)]
    async fn an_object_is_left_when_another_step_may_not_fit() {
        use Step::{GoOn, Leave, Note};
        check(0, &[1000], &[Note]).await;
        check(100, &[10, 10, 10, 10], &[GoOn, GoOn, Note, GoOn]).await;
        check(100, &[20, 20, 20], &[GoOn, Note, Leave]).await;
        check(10, &[2, 2, 2], &[GoOn, Leave, Leave]).await;
        check(10, &[6], &[Leave]).await;
    }

    #[test]
    fn steps_lie_at_multiples() {
        let mut pace = Pace::new(100, 0, None, Deadline::UNKNOWN, Duration::MAX);
        assert_eq!((pace.bytes_to_step(0), pace.bytes_to_step(60), pace.bytes_to_step(100)), (100, 40, 0));
        pace.step();
        assert_eq!((pace.bytes_to_step(100), pace.next_step()), (100, 200));
        let of_range =
            |first_byte, next| Pace::new(100, first_byte, next, Deadline::UNKNOWN, Duration::MAX).next_step();
        assert_eq!((of_range(250, None), of_range(300, None), of_range(290, Some(300))), (300, 400, 300));
    }
}
