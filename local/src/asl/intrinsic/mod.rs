//! What may stand in a `.$` field: a path, or a call of an intrinsic function whose arguments are calls, paths, texts,
//! numbers, booleans or null.
//!
//! `parse` makes the tree once, with the definition; `functions` computes it. An unknown function name or a wrong number
//! of arguments is refused when the definition is read.

use std::borrow::Cow;

use serde_json::Value;

use super::context::Scope;
use super::path::Path;

mod arrays;
mod functions;
mod parse;

pub(crate) use functions::{Function, compute_values};
pub(crate) use parse::ExpressionSyntaxError;

/// A parsed expression.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expression {
    /// A place in the data or the context object.
    Path(Path),
    /// A call of an intrinsic function.
    Call(Box<Call>),
    /// A text in single quotes.
    Text(Text),
    /// A number, boolean or null.
    Literal(Value),
}

/// A quoted text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Text {
    /// With its escapes, which the template of `States.Format` still needs to tell `\{` from `{`.
    pub(crate) raw: String,
    /// Without its escapes.
    pub(crate) plain: String,
}

/// A call of an intrinsic function with as many arguments as it takes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Call {
    pub(crate) function: Function,
    pub(crate) arguments: Vec<Expression>,
}

/// Why an expression has no value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum IntrinsicError {
    /// A path names nothing.
    Absent(Path),
    /// A function cannot work with its arguments.
    Function { function: &'static str, message: String },
}

impl Expression {
    /// Parses an expression.
    ///
    /// # Errors
    /// Says what is wrong and where in the text.
    pub(crate) fn parse(text: &str) -> Result<Self, ExpressionSyntaxError> {
        parse::expression(text)
    }

    /// Calls a function with every path in the expression.
    pub(crate) fn each_path(&self, found: &mut dyn FnMut(&Path)) {
        match self {
            Self::Path(path) => found(path),
            Self::Call(call) => call.arguments.iter().for_each(|argument| argument.each_path(found)),
            Self::Text(_) | Self::Literal(_) => {}
        }
    }

    /// Computes the value.
    pub(crate) fn evaluate(&self, scope: Scope<'_>) -> Result<Value, IntrinsicError> {
        match self {
            Self::Path(path) => {
                scope.find(path).map(Cow::into_owned).ok_or_else(|| IntrinsicError::Absent(path.clone()))
            }
            Self::Text(text) => Ok(Value::String(text.plain.clone())),
            Self::Literal(value) => Ok(value.clone()),
            Self::Call(call) => {
                let arguments =
                    call.arguments.iter().map(|argument| argument.evaluate(scope)).collect::<Result<Vec<_>, _>>()?;
                functions::compute(call, &arguments)
                    .map_err(|message| IntrinsicError::Function { function: call.function.name(), message })
            }
        }
    }
}

#[cfg(test)]
mod tests;
