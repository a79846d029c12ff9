//! Why one item failed.

use crate::ledger::LedgerLine;
use object_store::{ErrorClass, ObjectError};
use record_stream::{Position, Problem, StreamError};

/// The failure of one item, as its ledger line shows it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct ItemError {
    pub(crate) class: ErrorClass,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) position: Option<Position>,
}

impl ItemError {
    pub(crate) fn new(class: ErrorClass, code: &'static str, message: impl Into<String>) -> Self {
        Self { class, code, message: message.into(), position: None }
    }

    /// A record problem that ends the object, at the record where it was found.
    pub(crate) fn of_record(problem: &Problem, position: Position) -> Self {
        let class = match problem {
            _ if problem.is_configuration() => ErrorClass::Configuration,
            _ if problem.is_limit() => ErrorClass::TooLarge,
            _ => ErrorClass::BadData,
        };
        let message = format!("{position}: {problem}");
        Self { class, code: problem.code(), message, position: Some(position) }
    }

    pub(crate) fn note_in(self, line: &mut LedgerLine) {
        line.class = Some(self.class.as_str().to_owned());
        line.code = Some(self.code.to_owned());
        line.message = Some(self.message);
        line.position = self.position.map(Into::into);
    }
}

impl From<ObjectError> for ItemError {
    fn from(error: ObjectError) -> Self {
        Self { class: error.class, code: error.code, message: error.to_string(), position: None }
    }
}

impl From<StreamError> for ItemError {
    fn from(error: StreamError) -> Self {
        Self::of_record(&error.problem, error.position)
    }
}
