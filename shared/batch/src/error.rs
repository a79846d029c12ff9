//! What a batch as a whole can fail with, under names that a state machine can match.

use object_store::{ErrorClass, ObjectError};

/// The error names that reach Step Functions (`ErrorEquals`). Each is constant, and the state machines match each.
pub mod error_name {
    /// The event is not a batch of a Distributed Map.
    pub const INVALID_EVENT: &str = "Mapmill.InvalidEvent";
    /// The job in the event is not a valid job.
    pub const INVALID_JOB: &str = "Mapmill.InvalidJob";
    /// The function may not read or write what the job needs.
    pub const ACCESS_DENIED: &str = "Mapmill.AccessDenied";
    /// Something that usually passes: try again.
    pub const TRANSIENT: &str = "Mapmill.Transient";
    /// Too many requests: try again later.
    pub const THROTTLED: &str = "Mapmill.Throttled";
    /// Items failed and the job says `on_failure: fail`.
    pub const BATCH_FAILED: &str = "Mapmill.BatchFailed";
    /// A run as planned would fail; the message names the quota.
    pub const PLAN_REFUSED: &str = "Mapmill.PlanRefused";
    /// A fault of Mapmill itself.
    pub const INTERNAL: &str = "Mapmill.Internal";

    /// A run whose report says that it failed. No function raises it: the state machines end with it.
    pub const RUN_FAILED: &str = "Mapmill.RunFailed";

    /// All that functions raise.
    pub const ALL: [&str; 8] =
        [INVALID_EVENT, INVALID_JOB, ACCESS_DENIED, TRANSIENT, THROTTLED, BATCH_FAILED, PLAN_REFUSED, INTERNAL];
}

/// Why a batch has no outcome. Items that fail do not fail their batch unless the job says so.
#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    /// The event is not a batch; says what was expected where.
    #[error("{0}")]
    InvalidEvent(String),
    /// The job is not valid; lists what is wrong with it.
    #[error("{0}")]
    InvalidJob(String),
    /// The function's places or its role do not allow what the job needs.
    #[error("{0}")]
    AccessDenied(String),
    /// The job or the ledger could not be read or written for a reason that usually passes.
    #[error("{0}")]
    Transient(String),
    /// The job or the ledger could not be read or written because of too many requests.
    #[error("{0}")]
    Throttled(String),
    /// Items failed and the job says `on_failure: fail`.
    #[error("{0}")]
    BatchFailed(String),
    /// A run as planned would fail; names the quota.
    #[error("{0}")]
    PlanRefused(String),
    /// A fault of Mapmill itself.
    #[error("{0}")]
    Internal(String),
}

impl BatchError {
    /// The constant name under which Step Functions sees the error.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::InvalidEvent(_) => error_name::INVALID_EVENT,
            Self::InvalidJob(_) => error_name::INVALID_JOB,
            Self::AccessDenied(_) => error_name::ACCESS_DENIED,
            Self::Transient(_) => error_name::TRANSIENT,
            Self::Throttled(_) => error_name::THROTTLED,
            Self::BatchFailed(_) => error_name::BATCH_FAILED,
            Self::PlanRefused(_) => error_name::PLAN_REFUSED,
            Self::Internal(_) => error_name::INTERNAL,
        }
    }

    /// An error of the store on something that the whole batch needs. `doing` begins the message.
    #[must_use]
    pub fn from_store(doing: &str, error: &ObjectError) -> Self {
        let message = format!("{doing}: {error}");
        match error.class {
            // Replaced between two requests: another attempt reads one version of it.
            ErrorClass::Transient | ErrorClass::Changed => Self::Transient(message),
            ErrorClass::Throttled => Self::Throttled(message),
            ErrorClass::Denied => Self::AccessDenied(message),
            ErrorClass::NotFound | ErrorClass::BadData | ErrorClass::TooLarge => Self::InvalidJob(message),
            ErrorClass::Configuration => Self::AccessDenied(message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::{ObjectAddress, code};

    #[test]
    fn the_class_of_an_error_of_the_store_gives_its_name() {
        let check = |class: ErrorClass, name: &str| {
            let address = ObjectAddress::parse("jobs", "job.yaml").unwrap();
            let error = ObjectError::new(class, code::SERVICE_ERROR, "open", &address, "no");
            let error = BatchError::from_store("the job file cannot be read", &error);
            assert_eq!(error.name(), name, "{class}");
            assert!(error.to_string().starts_with("the job file cannot be read: open of"), "{error}");
        };
        check(ErrorClass::Transient, "Mapmill.Transient");
        check(ErrorClass::Changed, "Mapmill.Transient");
        check(ErrorClass::Throttled, "Mapmill.Throttled");
        check(ErrorClass::Denied, "Mapmill.AccessDenied");
        check(ErrorClass::Configuration, "Mapmill.AccessDenied");
        check(ErrorClass::NotFound, "Mapmill.InvalidJob");
        check(ErrorClass::BadData, "Mapmill.InvalidJob");
        check(ErrorClass::TooLarge, "Mapmill.InvalidJob");
    }
}
