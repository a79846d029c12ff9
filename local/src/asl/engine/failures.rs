//! Failures in the history: their fields, and the event of an evaluation that failed.

use serde_json::Value;

use super::history::details;
use super::states::Visit;
use crate::asl::definition::Body;
use crate::asl::error::{StateError, Stop};

/// `cause` and `error` of an event.
pub(super) fn fields(error: &StateError) -> [(&'static str, Option<Value>); 2] {
    let name = (!error.name.is_empty()).then(|| error.name.as_str().into());
    [("cause", error.cause.as_deref().map(Value::from)), ("error", name)]
}

impl Visit<'_> {
    /// Writes the event of a failed evaluation, once.
    ///
    /// # Errors
    /// The history is full.
    pub(super) fn noted(&self, mut error: StateError) -> Result<StateError, Stop> {
        let Some(evaluation) = error.evaluation.take() else { return Ok(error) };
        // The service links the event of these states to what came before them.
        let previous = match &self.state.body {
            Body::Pass(_) | Body::Task(_) | Body::Map(_) | Body::Parallel(_) => self.before_entry,
            _ => self.entered_event,
        };
        let id = self.execution.history.record_behind(previous, "EvaluationFailed", || {
            let [cause, name] = fields(&error);
            let location = evaluation.location.map(Value::from);
            let state = Some(self.state.name.as_str().into());
            details("evaluationFailedEventDetails", [cause, name, ("location", location), ("state", state)])
        })?;
        self.trail.go_on_behind(id);
        Ok(error)
    }
}
