//! Errors of the Step Functions API, by the names and in the words of the service.

use serde_json::{Value, json};

/// An answer that refuses a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ApiError {
    /// The error type of the service's model, for instance `ExecutionDoesNotExist`.
    pub(super) kind: &'static str,
    /// What is wrong, with what was found.
    pub(super) message: String,
    /// The HTTP status: 400 for everything that the client can put right.
    pub(super) status: u16,
}

impl ApiError {
    pub(super) fn new(kind: &'static str, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), status: 400 }
    }

    pub(super) fn validation(message: impl Into<String>) -> Self {
        Self::new("ValidationException", message)
    }

    /// A field breaks a constraint of the service's model.
    pub(super) fn constraint(field: &str, found: &str, constraint: &str) -> Self {
        Self::validation(format!(
            "1 validation error detected: Value '{found}' at '{field}' failed to satisfy constraint: {constraint}"
        ))
    }

    pub(super) fn missing(field: &str) -> Self {
        Self::validation(format!(
            "1 validation error detected: Value null at '{field}' failed to satisfy constraint: Member must not be null"
        ))
    }

    pub(super) fn invalid_arn(arn: &str) -> Self {
        Self::new("InvalidArn", format!("Invalid Arn: '{arn}'"))
    }

    pub(super) fn no_machine(arn: &str) -> Self {
        Self::new("StateMachineDoesNotExist", format!("State Machine Does Not Exist: '{arn}'"))
    }

    pub(super) fn no_execution(arn: &str) -> Self {
        Self::new("ExecutionDoesNotExist", format!("Execution Does Not Exist: '{arn}'"))
    }

    pub(super) fn no_map_run(arn: &str) -> Self {
        Self::new("ResourceNotFound", format!("Map Run Does Not Exist: '{arn}'"))
    }

    pub(super) fn wrong_type() -> Self {
        Self::new("StateMachineTypeNotSupported", "This operation is not supported by this type of state machine")
    }

    /// The body of the answer.
    pub(super) fn body(&self) -> Value {
        json!({"__type": self.kind, "message": self.message})
    }
}
