//! Who kills the function, and when.

use std::process::Child;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tests::fault_proxy::{Moment, Operation, Record};

/// How often it is looked whether the process has ended.
const POLL: Duration = Duration::from_millis(5);

/// Moments of one run at which a function can be killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Moments {
    /// A request has come, or is done.
    pub(crate) steps: u64,
    /// A piece of a body was passed on.
    pub(crate) pieces: u64,
}

/// Counts the moments of a run and kills the process at the one that was aimed at. Clones are one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Killer(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    process: Option<Child>,
    seen: Moments,
    /// Whether a piece is aimed at, and which.
    aim: Option<(bool, u64)>,
    last: Option<Operation>,
}

impl Killer {
    /// Takes the process of the next run. An older one is dead already.
    pub(crate) fn attach(&self, process: Child) {
        let mut state = self.lock();
        state.seen = Moments::default();
        state.process = Some(process);
    }

    /// The next process dies at this moment, from 0.
    pub(crate) fn aim(&self, at_piece: bool, moment: u64) {
        self.lock().aim = Some((at_piece, moment));
    }

    /// The moments that were seen; nobody is aimed at any more.
    pub(crate) fn take_moments(&self) -> Moments {
        let mut state = self.lock();
        state.aim = None;
        std::mem::take(&mut state.seen)
    }

    /// The operation in which the last kill happened.
    pub(crate) fn last(&self) -> Option<Operation> {
        self.lock().last
    }

    pub(crate) fn observe(&self, record: &Record, moment: Moment) {
        let mut state = self.lock();
        let (is_piece, number) = match moment {
            Moment::Arrived | Moment::Answered => {
                state.seen.steps += 1;
                (false, state.seen.steps - 1)
            }
            Moment::Sent(_) => {
                state.seen.pieces += 1;
                (true, state.seen.pieces - 1)
            }
        };
        if state.aim == Some((is_piece, number)) {
            state.aim = None;
            state.last = Some(record.operation);
            // SIGKILL: the process can do nothing about it.
            state.process.as_mut().unwrap().kill().unwrap();
        }
    }

    /// Ends the process of a run that came to its end.
    pub(crate) fn end(&self) {
        if let Some(mut process) = self.lock().process.take() {
            drop(process.kill());
            drop(process.wait());
        }
    }

    /// Waits until the process has ended.
    pub(crate) async fn death(&self) {
        loop {
            {
                let mut state = self.lock();
                let ended = state.process.as_mut().is_none_or(|process| process.try_wait().unwrap().is_some());
                if ended {
                    state.process = None;
                    return;
                }
            }
            tokio::time::sleep(POLL).await;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
