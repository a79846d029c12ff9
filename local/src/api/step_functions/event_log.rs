//! The kept events of one execution.
//!
//! What events hold of inputs and outputs is counted against a limit of the execution and one of all executions
//! together. Over either, an event is kept without its data and says so (`"truncated": true`, as the service's API has
//! it), so a history is always complete but for data.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::records::put;
use crate::asl::HistoryEvent;

/// Most bytes of data in the history of one execution.
pub(super) const EXECUTION_BYTES_MAX: u64 = 64 * 1_024 * 1_024;
/// Most events kept of one execution: four times what the quota allows, for runs without quotas. Later ones are counted.
pub(super) const EVENTS_KEPT_MAX: usize = 100_000;
/// What an event takes besides its text, about.
const EVENT_BYTES: u64 = 96;

/// The members of event details that hold data, with the member that says whether it is whole.
const DATA: [(&str, Option<&str>); 4] = [
    ("input", Some("inputDetails")),
    ("output", Some("outputDetails")),
    ("parameters", None),
    ("assignedVariables", Some("assignedVariablesDetails")),
];

/// Memory for the data of all executions.
#[derive(Debug)]
pub(super) struct Budget {
    used: AtomicU64,
    most: u64,
}

impl Budget {
    pub(super) fn new(most: u64) -> Arc<Self> {
        Arc::new(Self { used: AtomicU64::new(0), most })
    }

    /// Counts bytes, whether they fit or not.
    pub(super) fn add(&self, bytes: u64) {
        self.used.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn release(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(super) fn is_exceeded(&self) -> bool {
        self.used.load(Ordering::Relaxed) > self.most
    }
}

/// An event as JSON text, which takes a tenth of the memory of its tree.
#[derive(Debug)]
pub(super) struct KeptEvent {
    id: u64,
    kind: &'static str,
    time: Timestamp,
    /// As it is shown, without its time.
    text: Box<str>,
}

/// Events in the order of their numbers.
#[derive(Debug)]
pub(super) struct EventLog {
    events: Vec<KeptEvent>,
    bytes: u64,
    budget: Arc<Budget>,
}

impl EventLog {
    pub(super) fn new(budget: Arc<Budget>) -> Self {
        Self { events: Vec::new(), bytes: 0, budget }
    }

    /// Keeps an event. Concurrent branches may tell theirs in another order than they were numbered.
    pub(super) fn add(&mut self, event: &HistoryEvent) {
        if self.events.len() >= EVENTS_KEPT_MAX && !is_end(event.kind) {
            return;
        }
        let mut shown = event.to_json();
        let mut text = shown.to_string();
        if self.bytes + text.len() as u64 > EXECUTION_BYTES_MAX || self.budget.is_exceeded() {
            drop_data(&mut shown);
            text = shown.to_string();
        }
        let kept = KeptEvent { id: event.id, kind: event.kind, time: event.timestamp, text: text.into() };
        self.bytes += kept.bytes();
        self.budget.add(kept.bytes());
        let place = self.events.iter().rposition(|known| known.id < event.id).map_or(0, |before| before + 1);
        self.events.insert(place, kept);
        if is_end(event.kind) {
            self.events.shrink_to_fit();
        }
    }

    pub(super) fn events(&self) -> &[KeptEvent] {
        &self.events
    }

    /// Says why an execution was stopped, which only the one who stopped it knows.
    pub(super) fn explain_abort(&mut self, error: Option<&str>, cause: Option<&str>) {
        let Some(last) = self.events.last_mut().filter(|last| last.kind == "ExecutionAborted") else { return };
        let mut details = Map::new();
        put(&mut details, "error", error);
        put(&mut details, "cause", cause);
        let mut shown = last.parsed();
        if let Value::Object(fields) = &mut shown {
            fields.insert("executionAbortedEventDetails".to_owned(), Value::Object(details));
        }
        last.text = shown.to_string().into();
    }
}

impl Drop for EventLog {
    fn drop(&mut self) {
        self.budget.release(self.bytes);
    }
}

fn is_end(kind: &str) -> bool {
    matches!(kind, "ExecutionSucceeded" | "ExecutionFailed" | "ExecutionTimedOut" | "ExecutionAborted")
}

/// The details of an event as it is shown.
fn details(shown: &mut Value) -> Option<&mut Map<String, Value>> {
    let found = shown.as_object_mut()?.iter_mut().find(|(name, _)| name.ends_with("EventDetails"));
    found.and_then(|(_, details)| details.as_object_mut())
}

/// Leaves the data out and notes that it is missing.
fn drop_data(shown: &mut Value) {
    let Some(details) = details(shown) else { return };
    for (name, note) in DATA {
        if details.remove(name).is_some()
            && let Some(note) = note
        {
            details.insert(note.to_owned(), json!({"truncated": true}));
        }
    }
}

impl KeptEvent {
    fn bytes(&self) -> u64 {
        self.text.len() as u64 + EVENT_BYTES
    }

    fn parsed(&self) -> Value {
        // It was written by us.
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// The event as `GetExecutionHistory` shows it, and about how many bytes that has.
    pub(super) fn shown(&self, with_data: bool) -> (Value, u64) {
        let mut shown = self.parsed();
        if !with_data && let Some(details) = details(&mut shown) {
            details.retain(|name, _| !DATA.iter().any(|(data, note)| name == data || Some(name.as_str()) == *note));
        }
        if let Value::Object(fields) = &mut shown {
            fields.insert("timestamp".to_owned(), super::seconds(self.time));
        }
        (shown, if with_data { self.bytes() } else { EVENT_BYTES })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: u64, input: &str) -> HistoryEvent {
        let details = json!({"name": "S", "input": input});
        HistoryEvent {
            id,
            previous_event_id: id.saturating_sub(1),
            kind: "PassStateEntered",
            timestamp: Timestamp::UNIX_EPOCH,
            details: details.as_object().cloned().map(|details| ("stateEnteredEventDetails", details)),
        }
    }

    #[test]
    fn events_are_kept_in_order_and_without_data_over_the_limit() {
        let budget = Budget::new(2_000);
        let mut log = EventLog::new(Arc::clone(&budget));
        log.add(&event(1, "x"));
        log.add(&event(3, &"x".repeat(2_000)));
        log.add(&event(2, "x"));
        let shown: Vec<_> = log.events().iter().map(|kept| kept.shown(true).0).collect();
        assert_eq!(shown.iter().map(|event| event["id"].as_u64()).collect::<Vec<_>>(), [Some(1), Some(2), Some(3)]);
        assert_eq!(shown[0]["stateEnteredEventDetails"]["input"], "\"x\"");
        let late = &shown[1]["stateEnteredEventDetails"];
        assert_eq!((late.get("input"), &late["inputDetails"]["truncated"]), (None, &json!(true)));
        let bare = log.events()[0].shown(false).0;
        assert_eq!(bare["stateEnteredEventDetails"], json!({"name": "S"}));
        drop(log);
        assert!(!budget.is_exceeded());
        assert_eq!(budget.used.load(Ordering::Relaxed), 0, "a dropped log gives its memory back");
    }
}
