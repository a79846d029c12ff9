//! JSONata: the expressions between `{%` and `%}`.
//!
//! The language itself is the work of the crate `jsonata-core`; this room is the only one that names it. Here it gets its
//! limits (time, depth, length of sequences), the functions that Step Functions adds to it and lacks of it (`functions`),
//! and the two names that an expression may begin with: `$states` and the workflow variables.
//!
//! The crate bounds neither the length of one text nor the memory of one array literal: an expression that doubles a
//! text over and over can use all memory before its time is over. Definitions are trusted that far.

use std::collections::BTreeSet;
use std::sync::Arc;

use jsonata_core::ast::AstNode;
use jsonata_core::evaluator::{Context as Bindings, Evaluator, EvaluatorOptions};
use jsonata_core::parser;
use jsonata_core::value::JValue;
use serde_json::Value;

use super::context::Scope;

mod convert;
mod functions;
#[cfg(test)]
mod tests;

/// Longest text of an expression, in bytes.
const TEXT_BYTES_MAX: usize = 10_000;
/// Longest time that one evaluation may take.
const MILLISECONDS_MAX: u64 = 5_000;
/// Deepest nesting of one evaluation.
const DEPTH_MAX: usize = 1_000;
/// Longest sequence that an expression may make.
const SEQUENCE_LENGTH_MAX: usize = 100_000;

/// A parsed expression.
#[derive(Debug, Clone)]
pub(crate) struct Expression {
    text: Arc<str>,
    tree: Arc<AstNode>,
    /// Names after `$` in the text: what has to be bound before it is evaluated.
    names: Arc<BTreeSet<String>>,
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// Why an expression has no value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Failure {
    /// It ended with nothing.
    Undefined,
    /// It ended with a function or a pattern, which are no data.
    Unsupported,
    /// It broke off; the message begins with JSONata's code.
    Threw(String),
}

/// The text between the marks, `None` for a text that is no expression.
pub(crate) fn between_marks(text: &str) -> Option<&str> {
    text.strip_prefix("{%")?.strip_suffix("%}").map(str::trim)
}

impl Expression {
    /// Parses the text between the marks.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(format!("an expression has {} bytes, the limit is {TEXT_BYTES_MAX}", text.len()));
        }
        let tree = parser::parse(text).map_err(|error| error.display_message())?;
        Ok(Self { text: text.into(), tree: Arc::new(tree), names: Arc::new(names(text)) })
    }

    /// The text between the marks.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Names after `$` in the text, `states` among them when it is used.
    pub(crate) fn names(&self) -> &BTreeSet<String> {
        &self.names
    }

    /// Computes the value.
    pub(crate) fn evaluate(&self, scope: Scope<'_>) -> Result<Value, Failure> {
        let mut bindings = Bindings::new();
        for name in &*self.names {
            if name == "states" {
                bindings.bind(name.clone(), convert::from_json(&scope.context.states(scope.input, &self.text)));
            } else if let Some(value) = scope.context.variable(name) {
                bindings.bind(name.clone(), convert::from_json(value));
            }
        }
        let options = EvaluatorOptions {
            timeout_ms: Some(MILLISECONDS_MAX),
            max_stack_depth: Some(DEPTH_MAX),
            max_sequence_length: Some(SEQUENCE_LENGTH_MAX),
            ..EvaluatorOptions::default()
        };
        let mut evaluator = Evaluator::with_options(bindings, options);
        functions::register(&mut evaluator).map_err(|error| Failure::Threw(error.message().to_owned()))?;
        let value = evaluator
            .evaluate(&self.tree, &JValue::Undefined)
            .map_err(|error| Failure::Threw(error.message().to_owned()))?;
        match value {
            JValue::Undefined => Err(Failure::Undefined),
            value => convert::to_json(&value).ok_or(Failure::Unsupported),
        }
    }
}

/// Names after `$`, outside of texts in quotes. Names inside of patterns and comments do no harm: nothing is bound then.
fn names(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut quote = None;
    let mut signs = text.char_indices().peekable();
    while let Some((position, sign)) = signs.next() {
        match (quote, sign) {
            (Some(_), '\\') => {
                signs.next();
            }
            (Some(open), _) if sign == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'' | '`') => quote = Some(sign),
            (None, '$') => {
                let rest = &text[position + 1..];
                let end = rest.find(|sign: char| !sign.is_alphanumeric() && sign != '_').unwrap_or(rest.len());
                if end > 0 {
                    names.insert(rest[..end].to_owned());
                }
            }
            (None, _) => {}
        }
    }
    names
}
