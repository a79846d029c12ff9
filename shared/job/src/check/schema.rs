//! Rules of `record.schema`: it must be a JSON Schema of draft 2020-12 that can be used.
//!
//! Two looks at it. The first holds it against the schema of schemas, which finds wrong values of keywords, all at once.
//! The second builds the validator as the workers will, which finds regular expressions that are none (or that need
//! look-around or back references, which take exponential time) and references that lead nowhere. References are never
//! fetched: a schema stands whole in the job file.

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{JsonType, PatternOptions, ReferencingError, ValidationError, draft202012};
use serde_json::Value;

use crate::condition::is_inexact;
use crate::decode::kind;
use crate::place::{Step, display, find};
use crate::problem::{Problem, shorten};
use crate::record_schema::RecordSchema;

/// The address of the draft that is understood.
const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";
/// Most memory of one compiled pattern in bytes.
const MAX_PATTERN_BYTES: usize = 10 << 20;
/// Most mistakes of one schema that are looked at; one mistake often breaks several rules.
const MAX_MISTAKES: usize = 50;

pub(super) fn check(schema: &RecordSchema, problems: &mut Vec<Problem>) {
    let tree = schema.as_value();
    if let Some(draft) = tree.get("$schema").filter(|draft| !is_known_draft(draft)) {
        let place = problem_path(&[Step::key("$schema")]);
        problems.push(Problem::mismatch(place, format!("`{DRAFT}`, the only draft of JSON Schema"), describe(draft)));
        return;
    }
    if let Some(place) = find(tree, &|_, value| is_inexact(value)) {
        let expected = "a number that 64 bits hold exactly";
        problems.push(Problem::mismatch(problem_path(&place), expected, "a larger number"));
    }
    let known = problems.len();
    for error in draft202012::meta::validator().iter_errors(tree).take(MAX_MISTAKES) {
        let problem = mistake(tree, &error);
        // A wrong value is reported once for each part of the schema of schemas that it breaks.
        if !problems[known..].iter().any(|earlier| earlier.path == problem.path) {
            problems.push(problem);
        }
    }
    let patterns = PatternOptions::regex().size_limit(MAX_PATTERN_BYTES);
    if problems.len() == known
        && let Err(error) = draft202012::options().offline().with_pattern_options(patterns).build(tree)
    {
        problems.push(match error.kind() {
            ValidationErrorKind::Referencing(error) => reference(tree, error),
            _ => mistake(tree, &error),
        });
    }
}

fn is_known_draft(draft: &Value) -> bool {
    draft.as_str().is_some_and(|draft| draft.strip_suffix('#').unwrap_or(draft) == DRAFT)
}

/// The path of a place inside the schema, as it is shown in messages.
fn problem_path(place: &[Step]) -> String {
    let root = [Step::key("record"), Step::key("schema")];
    display(&[&root, place].concat())
}

fn mistake(tree: &Value, error: &ValidationError<'_>) -> Problem {
    let error = deepest(error);
    let (place, value) = resolve(tree, error.instance_path().as_str());
    Problem::mismatch(problem_path(&place), expectation(error.kind()), describe(value))
}

/// Of a choice that failed, the branch that got furthest: it says most about what was meant.
fn deepest<'e, 'i>(error: &'e ValidationError<'i>) -> &'e ValidationError<'i>
where
    'static: 'i,
{
    let ValidationErrorKind::AnyOf { context } = error.kind() else { return error };
    let length = error.instance_path().as_str().len();
    context.iter().flatten().find(|inner| inner.instance_path().as_str().len() > length).unwrap_or(error)
}

/// The place in the tree that a JSON Pointer names, and the value there.
fn resolve<'a>(tree: &'a Value, pointer: &str) -> (Vec<Step>, &'a Value) {
    let mut place = Vec::new();
    let mut value = tree;
    for token in crate::names::pointer_tokens(pointer).unwrap_or_default() {
        let (step, inner) = match value {
            Value::Array(items) => {
                let index = token.parse().unwrap_or_default();
                (Step::Index(index), items.get(index))
            }
            other => (Step::key(&token), other.get(&token)),
        };
        place.push(step);
        // The name of a property can be wrong, too: then the place is that of its value.
        let Some(inner) = inner else { break };
        value = inner;
    }
    (place, value)
}

fn expectation(kind: &ValidationErrorKind) -> String {
    match kind {
        ValidationErrorKind::AnyOf { context } => {
            let mut choices: Vec<String> =
                context.iter().filter_map(|errors| errors.first()).map(|error| expectation(error.kind())).collect();
            choices.dedup();
            choices.join(", or ")
        }
        ValidationErrorKind::Type { kind: TypeKind::Single(only) } => type_name(*only).to_owned(),
        ValidationErrorKind::Type { kind: TypeKind::Multiple(types) } => {
            types.iter().map(type_name).collect::<Vec<_>>().join(" or ")
        }
        ValidationErrorKind::Enum { options } => {
            let names = options.as_array().map(Vec::as_slice).unwrap_or_default();
            let names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
            format!("one of {}", names.join(", "))
        }
        ValidationErrorKind::Minimum { limit } => format!("a number of at least {limit}"),
        ValidationErrorKind::ExclusiveMinimum { limit } => format!("a number above {limit}"),
        ValidationErrorKind::MinItems { limit } => format!("a list of at least {limit} entries"),
        ValidationErrorKind::UniqueItems => "each entry once".to_owned(),
        ValidationErrorKind::Pattern { pattern } => format!("text of the form `{pattern}`"),
        ValidationErrorKind::Format { .. } => {
            "a regular expression of moderate size without look-around and back references".to_owned()
        }
        other => format!("a value by the rule `{}` of JSON Schema", other.keyword()),
    }
}

fn type_name(name: JsonType) -> &'static str {
    match name {
        JsonType::Array => "a list",
        JsonType::Boolean => "true or false",
        JsonType::Integer => "a whole number",
        JsonType::Null => "null",
        JsonType::Number => "a number",
        JsonType::Object => "a mapping",
        JsonType::String => "a string",
    }
}

/// What stands there: a keyword's value is not data of a record, so short ones are shown.
fn describe(value: &Value) -> String {
    match value {
        Value::String(text) => format!("\"{}\"", shorten(text)),
        Value::Number(number) => number.to_string(),
        other => kind(other).to_owned(),
    }
}

/// A reference that leads nowhere. The validator names its target only, so the place is looked for.
fn reference(tree: &Value, error: &ReferencingError) -> Problem {
    const KEYWORDS: [&str; 4] = ["$ref", "$dynamicRef", "$id", "$anchor"];
    let (expected, target, leads_to): (&str, &str, fn(&str, &str) -> bool) = match error {
        ReferencingError::Unretrievable { uri, .. } => (
            "a reference to a part of this schema, as in `#/$defs/name`; others are not fetched",
            uri.split('#').next().unwrap_or_default(),
            has_address,
        ),
        ReferencingError::PointerToNowhere { pointer }
        | ReferencingError::InvalidPercentEncoding { pointer, .. }
        | ReferencingError::InvalidArrayIndex { pointer, .. } => {
            ("a reference to a part of this schema that is there", pointer, has_fragment)
        }
        ReferencingError::NoSuchAnchor { anchor } | ReferencingError::InvalidAnchor { anchor } => {
            ("a reference to an anchor of this schema that is there", anchor, has_fragment)
        }
        _ => ("references by the rules of URIs", "", |_, _| false),
    };
    let is_reference = |key: Option<&str>, value: &Value| {
        key.is_some_and(|key| KEYWORDS.contains(&key)) && value.as_str().is_some_and(|text| leads_to(text, target))
    };
    let place = find(tree, &is_reference).unwrap_or_default();
    let text = place.iter().try_fold(tree, |value, step| match step {
        Step::Key(key) => value.get(key),
        Step::Index(index) => value.get(index),
    });
    let found = match text {
        Some(Value::String(text)) => format!("\"{}\"", shorten(text)),
        _ => shorten(&error.to_string()),
    };
    Problem::mismatch(problem_path(&place), expected, found)
}

/// True for a reference whose address was made part of this one.
fn has_address(reference: &str, target: &str) -> bool {
    let address = reference.split('#').next().unwrap_or_default();
    !address.is_empty() && target.ends_with(address)
}

/// True for a reference with this behind its `#`.
fn has_fragment(reference: &str, target: &str) -> bool {
    reference.strip_suffix(target).is_some_and(|start| start.is_empty() || start.ends_with('#'))
}
