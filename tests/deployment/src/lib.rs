//! Reads `template.yaml` as AWS would, so that it can be tested without an account.
//!
//! CloudFormation reads the file, puts the values of parameters in and leaves out what a condition excludes:
//! [`yaml`] and [`stack`] do the same. IAM then decides for each call whether the caller's role allows it: [`policy`] decides
//! alike, for the operators that the template uses, and refuses others by name. Which calls there are follows from the
//! state machines ([`machine`]), from HTTP requests that functions really sent ([`s3`]), and from a table of what AWS does
//! by itself with a role ([`service_calls`]).
//!
//! The tests beside this crate put the two together, for the stacks in [`cases`]: each call is allowed, and nothing is allowed that no call needs.

pub mod cases;
pub mod definition;
pub mod machine;
pub mod policy;
pub mod s3;
pub mod service_calls;
pub mod stack;
pub mod yaml;

use std::path::{Path, PathBuf};

/// The checkout.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).map(Path::to_path_buf).unwrap_or_default()
}

/// Why the template cannot be read or decided about.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The file is not there or no text.
    #[error("{path} cannot be read: {source}")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is no YAML, or has a tag that CloudFormation does not know.
    #[error("template.yaml cannot be parsed: {0}")]
    NotYaml(#[from] serde_saphyr::Error),
    /// A state machine is no JSON.
    #[error("{path} cannot be parsed: {source}")]
    NotJson {
        /// The file.
        path: String,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// A reference to something that does not exist, or a function with arguments that it does not take.
    #[error("{0}")]
    Invalid(String),
}

/// Reads a file of the checkout.
///
/// # Errors
/// It is not there, or no text.
pub fn read(path: &str) -> Result<String, TemplateError> {
    std::fs::read_to_string(root().join(path))
        .map_err(|source| TemplateError::Unreadable { path: path.to_owned(), source })
}
