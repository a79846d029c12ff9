//! The history of an execution: numbers its events as the service does, tells the observer of each, and stops a standard
//! execution that has too many.
//!
//! Every event names the one that led to it. Within one line of states that is the event before; the branches of a
//! Parallel and the iterations of an inline Map are lines of their own. A [`Trail`] is such a line: it remembers the
//! number of its last event. The details of an event hold whole inputs and outputs, so they are made only for an
//! observer that wants them ([`Observer::wants_history`]).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::quotas::Quotas;
use crate::asl::error::{StateError, Stop};
use crate::observer::{Notice, Observer};

/// What an event says besides its type: the name of the field and its content.
pub(crate) type Details = (&'static str, Value);

/// One event of a history.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryEvent {
    /// Its number, from 1.
    pub id: u64,
    /// The number of the event that led to it; 0 for none.
    pub previous_event_id: u64,
    /// Its type, for instance `PassStateEntered`.
    pub kind: &'static str,
    /// When it happened.
    pub timestamp: Timestamp,
    /// The field that tells more, for instance `stateEnteredEventDetails`, and its content. Inputs and outputs are values.
    pub details: Option<(&'static str, Map<String, Value>)>,
}

impl HistoryEvent {
    /// The event as `GetExecutionHistory` shows it, but for its `timestamp`: inputs and outputs are JSON text.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut event = json!({"id": self.id, "previousEventId": self.previous_event_id, "type": self.kind});
        let (Some((name, details)), Value::Object(fields)) = (&self.details, &mut event) else { return event };
        let mut shown = Map::new();
        for (name, value) in details {
            match name.as_str() {
                "input" | "output" => {
                    shown.insert(name.clone(), json!(value.to_string()));
                    shown.insert(format!("{name}Details"), json!({"truncated": false}));
                }
                "parameters" => drop(shown.insert(name.clone(), json!(value.to_string()))),
                "assignedVariables" => {
                    let variables = value.as_object().into_iter().flatten();
                    let texts: Map<_, _> =
                        variables.map(|(name, value)| (name.clone(), json!(value.to_string()))).collect();
                    shown.insert(name.clone(), Value::Object(texts));
                    shown.insert(format!("{name}Details"), json!({"truncated": false}));
                }
                _ => drop(shown.insert(name.clone(), value.clone())),
            }
        }
        fields.insert((*name).to_owned(), Value::Object(shown));
        event
    }
}

/// One line of events.
#[derive(Debug, Default)]
pub(crate) struct Trail {
    last: AtomicU64,
    /// The event of the state it stands in being broken off.
    aborted: Mutex<Option<&'static str>>,
}

impl Trail {
    /// A line that begins behind an event.
    pub(crate) fn behind(event: u64) -> Self {
        Self { last: AtomicU64::new(event), aborted: Mutex::default() }
    }

    /// The number of the last event of the line, 0 before the first.
    pub(crate) fn last(&self) -> u64 {
        self.last.load(Ordering::Relaxed)
    }

    /// Lets the next event follow another one.
    pub(crate) fn go_on_behind(&self, event: u64) {
        self.last.store(event, Ordering::Relaxed);
    }

    /// A state begins; this is the event of its being broken off, where it has one.
    pub(super) fn begin(&self, aborted: Option<&'static str>) {
        *self.aborted.lock().unwrap_or_else(PoisonError::into_inner) = aborted;
    }

    /// The event of the state that goes on being broken off; asked once.
    pub(super) fn broken_off(&self) -> Option<&'static str> {
        self.aborted.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The events of one execution so far.
pub(crate) struct History {
    execution: String,
    events: AtomicU64,
    most: Option<u64>,
    observer: Arc<dyn Observer>,
    wanted: bool,
}

impl History {
    /// The history of a standard execution, which the quotas limit.
    pub(crate) fn of_standard(execution: &str, quotas: &Quotas, observer: &Arc<dyn Observer>) -> Self {
        Self::new(execution, quotas.history_events, observer)
    }

    /// The history of an express execution, which has no limit.
    pub(crate) fn of_express(execution: &str, observer: &Arc<dyn Observer>) -> Self {
        Self::new(execution, None, observer)
    }

    fn new(execution: &str, most: Option<u64>, observer: &Arc<dyn Observer>) -> Self {
        Self {
            execution: execution.to_owned(),
            events: AtomicU64::new(0),
            most,
            observer: Arc::clone(observer),
            wanted: observer.wants_history(execution),
        }
    }

    /// The history of a redrive, which goes on behind the events of the runs before.
    pub(crate) fn behind(mut self, events: u64) -> Self {
        self.events = AtomicU64::new(events);
        self
    }

    /// The number of events so far.
    pub(crate) fn events(&self) -> u64 {
        self.events.load(Ordering::Relaxed)
    }

    /// Adds an event to a line and returns its number. The last place of a limited history is kept for its end.
    pub(crate) fn record(
        &self,
        trail: &Trail,
        kind: &'static str,
        details: impl FnOnce() -> Option<Details>,
    ) -> Result<u64, Stop> {
        let id = self.record_beside(trail, kind, details)?;
        trail.go_on_behind(id);
        Ok(id)
    }

    /// As [`History::record`], but the line goes on from where it was.
    pub(crate) fn record_beside(
        &self,
        trail: &Trail,
        kind: &'static str,
        details: impl FnOnce() -> Option<Details>,
    ) -> Result<u64, Stop> {
        self.record_behind(trail.last(), kind, details)
    }

    /// Adds an event behind another one, in no line.
    pub(crate) fn record_behind(
        &self,
        previous: u64,
        kind: &'static str,
        details: impl FnOnce() -> Option<Details>,
    ) -> Result<u64, Stop> {
        let most = self.most.unwrap_or(u64::MAX);
        let added = self.events.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |events| {
            (events.saturating_add(1) < most).then_some(events + 1)
        });
        match added {
            Ok(before) => Ok(self.tell(before + 1, previous, kind, details)),
            Err(_) => Err(StateError::runtime(format!(
                "The execution reached the maximum number of history events ({most})."
            ))
            .into()),
        }
    }

    /// Adds the last event.
    pub(crate) fn end(&self, previous: u64, kind: &'static str, details: impl FnOnce() -> Option<Details>) {
        let id = self.events.fetch_add(1, Ordering::Relaxed) + 1;
        self.tell(id, previous, kind, details);
    }

    fn tell(
        &self,
        id: u64,
        previous_event_id: u64,
        kind: &'static str,
        details: impl FnOnce() -> Option<Details>,
    ) -> u64 {
        if self.wanted {
            let details = details().and_then(|(name, details)| match details {
                Value::Object(details) => Some((name, details)),
                _ => None,
            });
            let event = HistoryEvent { id, previous_event_id, kind, timestamp: Timestamp::now(), details };
            self.observer.notice(Notice::History { execution: &self.execution, event: &event });
        }
        id
    }
}

/// For events that have a type and nothing more.
pub(crate) fn nothing() -> Option<Details> {
    None
}

/// An error name and a cause, each where there is one.
pub(crate) fn failure(field: &'static str, error: Option<&str>, cause: Option<&str>) -> Option<Details> {
    let mut details = Map::new();
    if let Some(error) = error.filter(|error| !error.is_empty()) {
        details.insert("error".to_owned(), json!(error));
    }
    if let Some(cause) = cause {
        details.insert("cause".to_owned(), json!(cause));
    }
    Some((field, Value::Object(details)))
}

/// Adds an input or output.
pub(crate) fn data(details: &mut Value, field: &str, value: &Value) {
    if let Value::Object(details) = details {
        details.insert(field.to_owned(), value.clone());
    }
}

/// The details of an event from fields; those without a value are left out.
pub(crate) fn details<const N: usize>(name: &'static str, fields: [(&str, Option<Value>); N]) -> Option<Details> {
    let fields = fields.into_iter().filter_map(|(field, value)| Some((field.to_owned(), value?)));
    Some((name, Value::Object(fields.collect())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_in_the_shape_of_the_service() {
        let fields = [
            ("assignedVariables", Some(json!({"x": [1]}))),
            ("name", Some(json!("S"))),
            ("output", Some(json!({"a": 1}))),
            ("cause", None),
        ];
        let (name, details) = details("stateExitedEventDetails", fields).unwrap();
        let details = Some((name, details.as_object().unwrap().clone()));
        let timestamp = Timestamp::UNIX_EPOCH;
        let event = HistoryEvent { id: 3, previous_event_id: 2, kind: "PassStateExited", timestamp, details };
        assert_eq!(
            event.to_json(),
            json!({
                "id": 3, "previousEventId": 2, "type": "PassStateExited",
                "stateExitedEventDetails": {
                    "assignedVariables": {"x": "[1]"}, "assignedVariablesDetails": {"truncated": false}, "name": "S",
                    "output": "{\"a\":1}", "outputDetails": {"truncated": false},
                },
            })
        );
    }
}
