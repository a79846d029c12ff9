//! How states fail: the reserved error names, and which of them `Retry` and `Catch` may handle.

use std::fmt;

/// Longest cause kept, in bytes, as in the service.
pub const CAUSE_BYTES_MAX: usize = 32_768;

/// Reserved error names that the engine itself raises or matches.
pub mod names {
    /// Wildcard of `ErrorEquals`.
    pub const ALL: &str = "States.ALL";
    /// Wildcard of `ErrorEquals` for everything but timeouts.
    pub const TASK_FAILED: &str = "States.TaskFailed";
    /// A task or execution took longer than allowed.
    pub const TIMEOUT: &str = "States.Timeout";
    /// The definition and the data do not fit together.
    pub const RUNTIME: &str = "States.Runtime";
    /// A payload is larger than 256 KiB.
    pub const DATA_LIMIT_EXCEEDED: &str = "States.DataLimitExceeded";
    /// No rule of a Choice matched and it has no default.
    pub const NO_CHOICE_MATCHED: &str = "States.NoChoiceMatched";
    /// `ResultPath` names a place that the data does not have.
    pub const RESULT_PATH_MATCH_FAILURE: &str = "States.ResultPathMatchFailure";
    /// An intrinsic function got arguments it cannot work with.
    pub const INTRINSIC_FAILURE: &str = "States.IntrinsicFailure";
    /// A JSONata expression has no value, or one of the wrong type.
    pub const QUERY_EVALUATION_ERROR: &str = "States.QueryEvaluationError";
    /// A task that somebody else has to end sent no sign of life.
    pub const HEARTBEAT_TIMEOUT: &str = "States.HeartbeatTimeout";
    /// The items of a Distributed Map could not be read.
    pub const ITEM_READER_FAILED: &str = "States.ItemReaderFailed";
    /// The results of a Distributed Map could not be written.
    pub const RESULT_WRITER_FAILED: &str = "States.ResultWriterFailed";
    /// More items failed than the Distributed Map tolerates.
    pub const EXCEED_TOLERATED_FAILURE_THRESHOLD: &str = "States.ExceedToleratedFailureThreshold";
}

/// Which handlers may see an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Any handler.
    Handled,
    /// Only handlers that name it: a wildcard does not match.
    NamedOnly,
    /// None: the execution fails.
    Never,
}

/// An error of a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StateError {
    /// Error name, matched by `ErrorEquals`.
    pub(crate) name: String,
    /// Explanation, where there is one.
    pub(crate) cause: Option<String>,
    pub(crate) reach: Reach,
    /// Set while a failed evaluation is not in the history yet.
    pub(crate) evaluation: Option<Evaluation>,
}

/// Where an evaluation has failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Evaluation {
    /// The field, for instance `Arguments/FunctionName`, where one is at fault.
    pub(crate) location: Option<String>,
}

impl StateError {
    /// An error that any handler may handle.
    pub(crate) fn new(name: impl Into<String>, cause: impl Into<String>) -> Self {
        Self { name: name.into(), cause: Some(bounded(cause.into())), reach: Reach::Handled, evaluation: None }
    }

    /// The definition and the data do not fit together: no handler sees this.
    pub(crate) fn runtime(cause: impl Into<String>) -> Self {
        Self { reach: Reach::Never, ..Self::new(names::RUNTIME, cause) }
    }

    /// A JSONata expression has no value that the field can take.
    pub(crate) fn evaluation(location: Option<&str>, cause: impl Into<String>) -> Self {
        let evaluation = Some(Evaluation { location: location.map(str::to_owned) });
        Self { evaluation, ..Self::new(names::QUERY_EVALUATION_ERROR, cause) }
    }

    /// An input or output of a state outgrew the payload limit; wildcards do not match it.
    pub(crate) fn state_data_limit(cause: impl Into<String>) -> Self {
        Self { reach: Reach::NamedOnly, ..Self::new(names::DATA_LIMIT_EXCEEDED, cause) }
    }

    /// What a `Fail` state says.
    pub(crate) fn stated(name: Option<String>, cause: Option<String>) -> Self {
        Self { name: name.unwrap_or_default(), cause: cause.map(bounded), reach: Reach::Handled, evaluation: None }
    }

    /// Puts the state's name and the number of its entry before the cause of an error that the engine raised itself.
    pub(crate) fn in_state(mut self, state: &str, entered_event: u64) -> Self {
        let cause = self.cause.take().unwrap_or_default();
        let text = format!(
            "An error occurred while executing the state '{state}' (entered at the event id #{entered_event}). {cause}"
        );
        self.cause = Some(bounded(text));
        self
    }

    /// True when an entry of `ErrorEquals` matches this error.
    pub(crate) fn matches(&self, pattern: &str) -> bool {
        let wildcard = match self.reach {
            Reach::Never => return false,
            Reach::NamedOnly => false,
            Reach::Handled => match pattern {
                names::ALL => true,
                names::TASK_FAILED => self.name != names::TIMEOUT,
                // A missed sign of life is a timeout of its own kind.
                names::TIMEOUT => self.name == names::HEARTBEAT_TIMEOUT || self.name == names::TIMEOUT,
                _ => false,
            },
        };
        wildcard || pattern == self.name
    }
}

impl fmt::Display for StateError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Some(cause) => write!(formatter, "{}: {cause}", self.name),
            None => formatter.write_str(&self.name),
        }
    }
}

/// Cuts a cause at a character boundary below the limit.
fn bounded(mut cause: String) -> String {
    if cause.len() > CAUSE_BYTES_MAX {
        cause.truncate(cause.floor_char_boundary(CAUSE_BYTES_MAX));
    }
    cause
}

/// Why an execution stopped before its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stop {
    /// A state failed and nothing handled it.
    Failed(StateError),
    /// The execution took longer than allowed.
    TimedOut,
    /// Somebody stopped it.
    Aborted,
}

impl From<StateError> for Stop {
    fn from(error: StateError) -> Self {
        Self::Failed(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_what_they_may() {
        let check = |error: &StateError, pattern: &str, expected: bool| {
            assert_eq!(error.matches(pattern), expected, "{error} against {pattern}");
        };
        let own = StateError::new("Mine", "");
        check(&own, "Mine", true);
        check(&own, "mine", false);
        check(&own, names::ALL, true);
        check(&own, names::TASK_FAILED, true);
        let timeout = StateError::new(names::TIMEOUT, "");
        check(&timeout, names::ALL, true);
        check(&timeout, names::TASK_FAILED, false);
        check(&timeout, names::TIMEOUT, true);
        let limit = StateError::state_data_limit("");
        check(&limit, names::ALL, false);
        check(&limit, names::TASK_FAILED, false);
        check(&limit, names::DATA_LIMIT_EXCEEDED, true);
        let runtime = StateError::runtime("");
        check(&runtime, names::ALL, false);
        check(&runtime, names::RUNTIME, false);
    }

    #[test]
    fn causes_are_cut_at_a_character() {
        let error = StateError::new("Mine", "ä".repeat(CAUSE_BYTES_MAX));
        assert_eq!(error.cause.map(|cause| cause.len()), Some(CAUSE_BYTES_MAX));
    }
}
