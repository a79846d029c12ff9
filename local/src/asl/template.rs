//! Payload templates: the JSON of `Parameters`, `ResultSelector`, `ItemSelector` and `BatchInput`.
//!
//! With JSONPath a field whose name ends in `.$` holds a path or an intrinsic function call instead of a value; with
//! JSONata any text between `{%` and `%}` is an expression. Templates are parsed with the definition, so a run never meets
//! a malformed one.

use serde_json::{Map, Value};

use super::context::Scope;
use super::error::{StateError, names};
use super::intrinsic::{Expression, IntrinsicError};
use super::jsonata;

/// A parsed payload template.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Template {
    /// Nothing in it has to be computed.
    Fixed(Value),
    /// An object with at least one computed part.
    Object(Vec<(String, Template)>),
    /// An array with at least one computed part.
    Array(Vec<Template>),
    /// The value of a `.$` field.
    Computed {
        /// Name of the field with its `.$`, for error causes.
        field: String,
        /// What to compute.
        expression: Expression,
    },
    /// The value of a JSONata expression.
    Query(Query),
}

/// A JSONata expression with the place it stands at.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Query {
    /// The field, for instance `Arguments/FunctionName`.
    pub(crate) location: String,
    pub(crate) expression: jsonata::Expression,
}

/// A malformed template: where in it, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TemplateSyntaxError {
    /// Field names down from the template's root, joined by dots; empty at the root.
    pub(crate) place: String,
    pub(crate) message: String,
}

impl Template {
    /// Parses a template.
    pub(crate) fn parse(value: &Value) -> Result<Self, TemplateSyntaxError> {
        Self::parse_at(value, "")
    }

    fn parse_at(value: &Value, place: &str) -> Result<Self, TemplateSyntaxError> {
        match value {
            Value::Object(fields) => {
                let parsed: Result<Vec<_>, _> =
                    fields.iter().map(|(name, value)| Self::parse_field(fields, name, value, place)).collect();
                let parsed = parsed?;
                let fixed = parsed.iter().all(|(_, template)| matches!(template, Self::Fixed(_)));
                Ok(if fixed { Self::Fixed(value.clone()) } else { Self::Object(parsed) })
            }
            Value::Array(elements) => {
                let parsed = elements
                    .iter()
                    .enumerate()
                    .map(|(index, element)| Self::parse_at(element, &format!("{place}[{index}]")))
                    .collect::<Result<Vec<_>, _>>()?;
                let fixed = parsed.iter().all(|template| matches!(template, Self::Fixed(_)));
                Ok(if fixed { Self::Fixed(value.clone()) } else { Self::Array(parsed) })
            }
            _ => Ok(Self::Fixed(value.clone())),
        }
    }

    fn parse_field(
        siblings: &Map<String, Value>,
        name: &str,
        value: &Value,
        place: &str,
    ) -> Result<(String, Self), TemplateSyntaxError> {
        let here = if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") };
        let fail = |message: String| TemplateSyntaxError { place: here.clone(), message };
        let Some(bare) = name.strip_suffix(".$") else {
            return Ok((name.to_owned(), Self::parse_at(value, &here)?));
        };
        if siblings.contains_key(bare) {
            return Err(fail(format!("both \"{bare}\" and \"{name}\" are given; keep one")));
        }
        let text = value.as_str().ok_or_else(|| {
            fail("expected a path or an intrinsic function call as text, because the name ends in \".$\"".to_owned())
        })?;
        let expression = Expression::parse(text).map_err(|error| fail(error.to_string()))?;
        Ok((bare.to_owned(), Self::Computed { field: name.to_owned(), expression }))
    }

    /// Parses a template of JSONata expressions; `location` is the field it stands in.
    pub(crate) fn parse_queries(value: &Value, location: &str) -> Result<Self, TemplateSyntaxError> {
        Ok(match value {
            Value::Object(fields) => {
                let parsed = fields
                    .iter()
                    .map(|(name, value)| Ok((name.clone(), Self::parse_queries(value, &format!("{location}/{name}"))?)))
                    .collect::<Result<Vec<_>, _>>()?;
                let fixed = parsed.iter().all(|(_, template)| matches!(template, Self::Fixed(_)));
                if fixed { Self::Fixed(value.clone()) } else { Self::Object(parsed) }
            }
            Value::Array(elements) => {
                let parsed = elements
                    .iter()
                    .enumerate()
                    .map(|(index, element)| Self::parse_queries(element, &format!("{location}[{index}]")))
                    .collect::<Result<Vec<_>, _>>()?;
                let fixed = parsed.iter().all(|template| matches!(template, Self::Fixed(_)));
                if fixed { Self::Fixed(value.clone()) } else { Self::Array(parsed) }
            }
            Value::String(text) => match Query::parse(text, location) {
                Some(query) => Self::Query(query?),
                None => Self::Fixed(value.clone()),
            },
            _ => Self::Fixed(value.clone()),
        })
    }

    /// Calls a function with every expression and path in the template.
    pub(crate) fn each(&self, found: &mut dyn FnMut(Part<'_>)) {
        match self {
            Self::Fixed(_) => {}
            Self::Object(fields) => fields.iter().for_each(|(_, template)| template.each(found)),
            Self::Array(elements) => elements.iter().for_each(|template| template.each(found)),
            Self::Computed { expression, .. } => found(Part::Expression(expression)),
            Self::Query(query) => found(Part::Query(query)),
        }
    }

    /// Computes the value of the template.
    pub(crate) fn fill(&self, scope: Scope<'_>) -> Result<Value, StateError> {
        match self {
            Self::Fixed(value) => Ok(value.clone()),
            Self::Object(fields) => fields
                .iter()
                .map(|(name, template)| Ok((name.clone(), template.fill(scope)?)))
                .collect::<Result<Map<_, _>, _>>()
                .map(Value::Object),
            Self::Array(elements) => {
                elements.iter().map(|template| template.fill(scope)).collect::<Result<_, _>>().map(Value::Array)
            }
            Self::Computed { field, expression } => evaluate(expression, field, scope),
            Self::Query(query) => query.evaluate(scope),
        }
    }
}

/// A part of a template that is computed.
pub(crate) enum Part<'t> {
    Expression(&'t Expression),
    Query(&'t Query),
}

impl Query {
    /// The expression between the marks of a text; `None` when it has none.
    pub(crate) fn parse(text: &str, location: &str) -> Option<Result<Self, TemplateSyntaxError>> {
        let between = jsonata::between_marks(text)?;
        let place = location.split_once('/').map_or("", |(_, rest)| rest).replace('/', ".");
        Some(match jsonata::Expression::parse(between) {
            Ok(expression) => Ok(Self { location: location.to_owned(), expression }),
            Err(message) => Err(TemplateSyntaxError {
                place,
                message: format!("the JSONata expression \"{between}\" cannot be read: {message}"),
            }),
        })
    }

    /// Computes the value.
    pub(crate) fn evaluate(&self, scope: Scope<'_>) -> Result<Value, StateError> {
        self.expression.evaluate(scope).map_err(|failure| {
            let reason = match failure {
                jsonata::Failure::Undefined => "returned nothing (undefined).".to_owned(),
                jsonata::Failure::Unsupported => "returned an unsupported result type.".to_owned(),
                jsonata::Failure::Threw(message) => format!("threw an error during evaluation. {message}"),
            };
            self.fail(&reason)
        })
    }

    /// The error of a value that has another type than the field takes.
    pub(crate) fn unexpected(&self, expected: &str, value: &Value) -> StateError {
        let kind = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        self.fail(&format!(
            "returned an unexpected result type. Expected '{expected}', but was '{kind}' for value: {value}"
        ))
    }

    fn fail(&self, reason: &str) -> StateError {
        let (text, location) = (self.expression.text(), &self.location);
        let cause = format!("The JSONata expression '{text}' specified for the field '{location}' {reason}");
        StateError::evaluation(Some(location), cause)
    }
}

/// Evaluates an expression that stands in a field of this name.
pub(crate) fn evaluate(expression: &Expression, field: &str, scope: Scope<'_>) -> Result<Value, StateError> {
    expression.evaluate(scope).map_err(|error| match error {
        IntrinsicError::Absent(path) => StateError::runtime(format!(
            "The JSONPath '{}' specified for the field '{field}' could not be found in the input '{}'",
            path.text(),
            scope.root_text(&path),
        )),
        IntrinsicError::Function { function, message } => StateError::new(
            names::INTRINSIC_FAILURE,
            format!("The function '{function}' in the field '{field}' failed: {message}"),
        ),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::context::Context;
    use super::super::context::tests::identity;
    use super::*;

    #[test]
    fn fills_and_refuses() {
        let identity = identity();
        let context = Context::new(&identity, "Here", "now", None, None);
        let input = json!({"a": 1, "list": [1, 2]});
        let check = |template: Value, expected: Result<Value, &str>| {
            let filled =
                Template::parse(&template).map_err(|error| format!("{}: {}", error.place, error.message)).and_then(
                    |parsed| parsed.fill(Scope { input: &input, context: &context }).map_err(|error| error.to_string()),
                );
            match (filled, expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected),
                (Err(found), Err(part)) => assert!(found.contains(part), "{found}"),
                (found, expected) => panic!("{found:?}, expected {expected:?}"),
            }
        };
        check(json!({"x.$": "$.a", "fixed": "$.a"}), Ok(json!({"x": 1, "fixed": "$.a"})));
        check(json!([{"x.$": "$$.Execution.Name"}, "$.a"]), Ok(json!([{"x": "one"}, "$.a"])));
        check(json!({"deep": {"er.$": "States.ArrayLength($.list)"}}), Ok(json!({"deep": {"er": 2}})));
        check(json!({"x.$": "$.b"}), Err("The JSONPath '$.b' specified for the field 'x.$' could not be found"));
        check(json!({"x.$": 1}), Err("x.$: expected a path"));
        check(json!({"x": 2, "x.$": "$.a"}), Err("x.$: both"));
        check(json!({"deep": [{"x.$": "a"}]}), Err("deep[0].x.$"));
        check(json!({"x.$": "States.Nonsense()"}), Err("States.Nonsense"));
    }
}
