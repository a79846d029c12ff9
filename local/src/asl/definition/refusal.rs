//! Why a definition is refused: for a person, and in the words of the service.

/// A definition that cannot be run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{}{message}", path, if path.is_empty() { "" } else { ": " })]
pub struct DefinitionError {
    /// Where in the definition, for instance `States.Work.Retry[0].MaxAttempts`; empty for the definition as a whole.
    pub path: String,
    /// What was expected and what was found.
    pub message: String,
    /// True when the service would run it and only this engine does not.
    pub unsupported: bool,
    service: Option<Box<Diagnostic>>,
}

/// What the service says of a definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// For instance `SCHEMA_VALIDATION_FAILED`.
    pub code: &'static str,
    /// Where, for instance `/States/Work`.
    pub location: String,
    /// What is wrong.
    pub message: String,
}

const SCHEMA_VALIDATION_FAILED: &str = "SCHEMA_VALIDATION_FAILED";

impl DefinitionError {
    pub(crate) fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into(), unsupported: false, service: None }
    }

    /// The definition is fine, but this engine cannot run it.
    pub(crate) fn unsupported(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { unsupported: true, ..Self::new(path, message) }
    }

    /// Adds what the service says; `path` is where it says so.
    pub(crate) fn in_service_words(mut self, path: &str, message: impl Into<String>) -> Self {
        let (code, location) = (SCHEMA_VALIDATION_FAILED, location(path));
        self.service = Some(Box::new(Diagnostic { code, location, message: message.into() }));
        self
    }

    /// The same with another code.
    pub(crate) fn with_code(mut self, code: &'static str) -> Self {
        let mut diagnostic = self.diagnostic();
        diagnostic.code = code;
        self.service = Some(Box::new(diagnostic));
        self
    }

    /// What the service says, or the nearest to it: code, location and message.
    pub fn diagnostic(&self) -> Diagnostic {
        self.service.as_deref().cloned().unwrap_or_else(|| Diagnostic {
            code: SCHEMA_VALIDATION_FAILED,
            location: location(&self.path),
            message: self.message.clone(),
        })
    }

    /// The message of `CreateStateMachine`'s `InvalidDefinition`.
    pub fn service_message(&self) -> String {
        let Diagnostic { code, location, message } = self.diagnostic();
        format!("Invalid State Machine Definition: '{code}: {message} at {location}'")
    }
}

/// A path with dots as the service writes it.
fn location(path: &str) -> String {
    format!("/{}", path.replace('.', "/"))
}
