//! Recursive descent over the text of an expression. Depth and length are bounded.

use serde_json::Value;

use super::super::path::Path;
use super::{Call, Expression, Function, Text};

/// Deepest nesting of calls, as in the service.
const DEPTH_MAX: usize = 10;
/// Longest text of an expression, in bytes.
const TEXT_BYTES_MAX: usize = 10_000;

/// A malformed expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}, at character {position} of \"{text}\"")]
pub(crate) struct ExpressionSyntaxError {
    text: String,
    position: usize,
    message: String,
}

/// Parses a whole text.
pub(super) fn expression(text: &str) -> Result<Expression, ExpressionSyntaxError> {
    let mut parser = Parser { text, position: 0 };
    if text.len() > TEXT_BYTES_MAX {
        let message = format!("an expression has {} bytes, the limit is {TEXT_BYTES_MAX}", text.len());
        return Err(ExpressionSyntaxError { text: "…".to_owned(), position: 0, message });
    }
    if text.starts_with('$') {
        return Path::parse(text).map(Expression::Path).map_err(|error| parser.error(error.to_string()));
    }
    if !text.starts_with("States.") {
        return Err(parser.error("expected a path (\"$…\") or a call of an intrinsic function (\"States.…(…)\")"));
    }
    let call = parser.call(1)?;
    parser.skip_spaces();
    if parser.rest().is_empty() { Ok(call) } else { Err(parser.error("expected nothing after the closing \")\"")) }
}

struct Parser<'t> {
    text: &'t str,
    position: usize,
}

impl<'t> Parser<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.position..]
    }

    fn error(&self, message: impl Into<String>) -> ExpressionSyntaxError {
        ExpressionSyntaxError {
            text: self.text.to_owned(),
            position: self.text[..self.position].chars().count(),
            message: message.into(),
        }
    }

    fn skip_spaces(&mut self) {
        self.position += self.rest().len() - self.rest().trim_start().len();
    }

    fn accept(&mut self, sign: char) -> bool {
        let accepted = self.rest().starts_with(sign);
        if accepted {
            self.position += sign.len_utf8();
        }
        accepted
    }

    fn call(&mut self, depth: usize) -> Result<Expression, ExpressionSyntaxError> {
        if depth > DEPTH_MAX {
            return Err(self.error(format!("calls are nested deeper than {DEPTH_MAX}")));
        }
        let end = self
            .rest()
            .find(|sign: char| !sign.is_ascii_alphanumeric() && sign != '.' && sign != '_')
            .unwrap_or(self.rest().len());
        let name = &self.rest()[..end];
        let function = Function::named(name).ok_or_else(|| {
            self.error(format!("\"{name}\" is not supported by the local engine; supported: {}", Function::list()))
        })?;
        self.position += end;
        self.skip_spaces();
        if !self.accept('(') {
            return Err(self.error(format!("expected \"(\" after \"{name}\"")));
        }
        let arguments = self.arguments(depth)?;
        let (least, most) = function.argument_range();
        if arguments.len() < least || arguments.len() > most {
            let found = arguments.len();
            return Err(self.error(format!("\"{name}\" takes {least} to {most} arguments, found {found}")));
        }
        Ok(Expression::Call(Box::new(Call { function, arguments })))
    }

    fn arguments(&mut self, depth: usize) -> Result<Vec<Expression>, ExpressionSyntaxError> {
        let mut arguments = Vec::new();
        self.skip_spaces();
        if self.accept(')') {
            return Ok(arguments);
        }
        loop {
            self.skip_spaces();
            arguments.push(self.argument(depth)?);
            self.skip_spaces();
            if self.accept(')') {
                return Ok(arguments);
            }
            if !self.accept(',') {
                return Err(self.error("expected \",\" or \")\" after an argument"));
            }
        }
    }

    fn argument(&mut self, depth: usize) -> Result<Expression, ExpressionSyntaxError> {
        let rest = self.rest();
        if rest.starts_with("States.") {
            return self.call(depth + 1);
        }
        if self.accept('\'') {
            return self.quoted();
        }
        if rest.starts_with('$') {
            let end = path_end(rest);
            let path = Path::parse(&rest[..end]).map_err(|error| self.error(error.to_string()))?;
            self.position += end;
            return Ok(Expression::Path(path));
        }
        let end = rest.find([',', ')']).unwrap_or(rest.len());
        let word = rest[..end].trim_end();
        let value: Value = serde_json::from_str(word)
            .ok()
            .filter(|value: &Value| value.is_number() || value.is_boolean() || value.is_null())
            .ok_or_else(|| {
                self.error("expected a path, a text in single quotes, a number, true, false, null or a call")
            })?;
        self.position += word.len();
        Ok(Expression::Literal(value))
    }

    /// A text after its opening quote.
    fn quoted(&mut self) -> Result<Expression, ExpressionSyntaxError> {
        let start = self.position;
        let mut plain = String::new();
        let mut signs = self.rest().char_indices();
        while let Some((offset, sign)) = signs.next() {
            match sign {
                '\'' => {
                    let raw = self.text[start..start + offset].to_owned();
                    self.position = start + offset + 1;
                    return Ok(Expression::Text(Text { raw, plain }));
                }
                '\\' => match signs.next() {
                    Some((_, escaped @ ('\'' | '{' | '}' | '\\'))) => plain.push(escaped),
                    _ => {
                        self.position = start + offset;
                        return Err(self.error("only \\' \\{ \\} and \\\\ are escapes in a text"));
                    }
                },
                _ => plain.push(sign),
            }
        }
        self.position = start;
        Err(self.error("a text has no closing quote"))
    }
}

/// Where a path that stands as an argument ends: at a comma, a closing round bracket or a space outside of its own brackets
/// and quotes. The `()` of a function at its end belong to it.
fn path_end(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut quote = None;
    let mut escaped = false;
    for (position, sign) in text.char_indices() {
        match (quote, sign) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), _) if sign == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') if depth > 0 => quote = Some(sign),
            (None, '[' | '(') => depth += 1,
            (None, ']' | ')') if depth > 0 => depth -= 1,
            (None, ',' | ')') if depth == 0 => return position,
            (None, _) if depth == 0 && sign.is_whitespace() => return position,
            (None, _) => {}
        }
    }
    text.len()
}
