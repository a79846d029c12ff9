//! Counts the events of an execution as the service numbers them, and stops a standard execution that has too many.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::asl::error::{StateError, Stop};

/// Most events in the history of a standard execution, as in the service.
pub(crate) const STANDARD_EVENTS_MAX: u64 = 25_000;

/// The number of events so far.
#[derive(Debug)]
pub(crate) struct History {
    events: AtomicU64,
    most: Option<u64>,
}

impl History {
    /// A history of at most this many events; express executions have no limit.
    pub(crate) fn new(most: Option<u64>) -> Self {
        Self { events: AtomicU64::new(0), most }
    }

    /// Adds events and returns the number of the last one.
    pub(crate) fn record(&self, events: u64) -> Result<u64, Stop> {
        let last = self.events.fetch_add(events, Ordering::Relaxed) + events;
        match self.most {
            Some(most) if last > most => Err(StateError::runtime(format!(
                "The execution reached the maximum number of history events ({most})."
            ))
            .into()),
            _ => Ok(last),
        }
    }
}
