//! How a command ends.

use std::error::Error;
use std::process::ExitCode;

use super::signals::StopSignal;

/// How a command ended that did not break off with an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The work succeeded.
    Success,
    /// The work was done, and its result is a failure that has been reported already.
    Failure,
    /// A signal ended the work early.
    Stopped(StopSignal),
}

impl Exit {
    /// The exit code of the process.
    #[must_use]
    pub fn code(self) -> ExitCode {
        match self {
            Self::Success => ExitCode::SUCCESS,
            Self::Failure => ExitCode::from(1),
            Self::Stopped(signal) => ExitCode::from(signal.exit_code()),
        }
    }
}

/// Why a command broke off.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// What the user asked for is wrong: the command line, the job file or a path. Exit code 2.
    #[error(transparent)]
    Usage(Box<dyn Error + Send + Sync>),
    /// The work failed. Exit code 1.
    #[error(transparent)]
    Failed(Box<dyn Error + Send + Sync>),
}

impl CommandError {
    /// The user can put it right by asking for something else.
    pub fn usage(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Usage(source.into())
    }

    /// The work failed.
    pub fn failed(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Failed(source.into())
    }

    /// The exit code of the process.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(2),
            Self::Failed(_) => ExitCode::from(1),
        }
    }
}
