//! Why one item failed.

use crate::ledger::LedgerLine;
use object_store::{ErrorClass, ObjectError};
use record_stream::{Position, Problem, StreamError};

/// The code of a fault of Mapmill itself that one item met.
pub(crate) const WORKER_PANIC: &str = "worker_panic";

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_class_of_a_record_problem_says_who_can_mend_it() {
        let check = |problem: Problem, class: ErrorClass, code: &str| {
            let error = ItemError::of_record(&problem, Position { byte: 7, line: 2, record: 1 });
            assert_eq!((error.class, error.code), (class, code), "{problem}");
            assert_eq!(error.message, format!("record 1 (line 2, byte 7): {problem}"));
        };
        check(Problem::NotForCsv { place: "record.explode" }, ErrorClass::Configuration, "not_for_csv");
        check(Problem::ExplodeTooLarge { limit: 9 }, ErrorClass::TooLarge, "explode_too_large");
        check(Problem::OutputTooLarge { limit: 9 }, ErrorClass::TooLarge, "output_too_large");
        check(Problem::HeaderTooLarge { limit: 9 }, ErrorClass::TooLarge, "header_too_large");
        check(Problem::UnclosedQuote, ErrorClass::BadData, "csv_unclosed_quote");
        check(Problem::DuplicateHeader { first: 1, second: 2 }, ErrorClass::BadData, "csv_duplicate_header");
    }
}
