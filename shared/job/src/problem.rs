//! What is wrong with a job file, in words for the person who wrote it.
//!
//! A [`JobError`] is a list of [`Problem`]s. Each says where (the path in the file), what was expected and what was
//! found. Values from the file are quoted shortly, and not at all where they may be data (operands of `where`, values
//! of `set`, null tokens).

use std::fmt;

use crate::limits::MAX_PROBLEMS;

/// Everything that is wrong with a job file. Never empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.lines())]
pub struct JobError {
    problems: Vec<Problem>,
}

impl JobError {
    pub(crate) fn new(mut problems: Vec<Problem>) -> Self {
        problems.truncate(MAX_PROBLEMS);
        Self { problems }
    }

    pub(crate) fn one(problem: Problem) -> Self {
        Self { problems: vec![problem] }
    }

    /// The problems in the order in which they were found.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    fn lines(&self) -> String {
        let lines: Vec<String> = self.problems.iter().map(ToString::to_string).collect();
        lines.join("\n")
    }
}

/// One mistake in a job file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where in the file, for instance `record.types.price` or `source.include[2]`; empty means the whole file.
    pub path: String,
    /// What is wrong there.
    pub kind: ProblemKind,
}

/// The kinds of mistakes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProblemKind {
    /// The value is not what it must be.
    Mismatch {
        /// What may stand there.
        expected: String,
        /// What stands there, in short.
        found: String,
    },
    /// A key that the job file does not know.
    UnknownKey {
        /// The key as written.
        key: String,
        /// The known key that looks most like it, if one does.
        nearest: Option<String>,
        /// All keys that may stand there.
        known: Vec<String>,
    },
    /// A key that must be there is not.
    MissingKey {
        /// The missing key.
        key: String,
    },
    /// The text is neither valid JSON nor valid YAML, or goes over a limit of the text.
    Unreadable {
        /// What the reader says, with line and column where it knows them.
        reason: String,
    },
}

impl Problem {
    pub(crate) fn mismatch(path: impl Into<String>, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self { path: path.into(), kind: ProblemKind::Mismatch { expected: expected.into(), found: found.into() } }
    }

    pub(crate) fn unreadable(reason: impl Into<String>) -> Self {
        Self { path: String::new(), kind: ProblemKind::Unreadable { reason: reason.into() } }
    }

    pub(crate) fn unknown_key(path: String, key: &str, known: &[&str]) -> Self {
        let nearest = nearest(key, known).map(str::to_owned);
        let known = known.iter().map(|name| (*name).to_owned()).collect();
        Self { path, kind: ProblemKind::UnknownKey { key: shorten(key), nearest, known } }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.path.is_empty() { "job file" } else { &self.path };
        match &self.kind {
            ProblemKind::Mismatch { expected, found } => {
                write!(formatter, "{place}: expected {expected}; found {found}")
            }
            ProblemKind::UnknownKey { key, nearest: Some(nearest), .. } => {
                write!(formatter, "{place}: unknown key `{key}`; did you mean `{nearest}`?")
            }
            ProblemKind::UnknownKey { key, nearest: None, known } => {
                write!(formatter, "{place}: unknown key `{key}`; known keys are {}", known.join(", "))
            }
            ProblemKind::MissingKey { key } => write!(formatter, "{place}: missing key `{key}`"),
            ProblemKind::Unreadable { reason } => write!(formatter, "{place}: {reason}"),
        }
    }
}

/// The candidate closest to `word`, if it is close enough to be a slip of the keyboard.
fn nearest<'a>(word: &str, candidates: &[&'a str]) -> Option<&'a str> {
    // The distance costs time quadratic in the length, and no known key is longer than this.
    if word.len() > 40 {
        return None;
    }
    let allowed = (word.chars().count() / 3).clamp(1, 3);
    candidates
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word.to_lowercase(), candidate), *candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Text from the file, cut to a length that fits a message, with control characters escaped.
pub(crate) fn shorten(text: &str) -> String {
    const LONGEST: usize = 60;
    let mut short: String = text.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    if text.chars().nth(LONGEST).is_some() {
        short.push('…');
    }
    short
}
