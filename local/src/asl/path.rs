//! Reference paths: `$.a.b[0]['c d']` into the data, `$$.Execution.Id` into the context object.
//!
//! A path is parsed once, with the definition, and names at most one place. What JSONPath can do beyond that (wildcards,
//! filters, slices, recursive descent, functions) is refused by name, so that a definition never means something else
//! here than on AWS.

use serde_json::{Map, Value};

/// Longest path text, in bytes.
const PATH_BYTES_MAX: usize = 4_096;

/// What a path starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Root {
    /// `$`: the data of the state.
    Input,
    /// `$$`: the context object.
    Context,
}

/// One step down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// A field of an object.
    Field(String),
    /// An element of an array, from 0.
    Index(usize),
}

/// A parsed reference path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Path {
    text: String,
    root: Root,
    steps: Vec<Step>,
}

/// Why a text is no path that this engine knows; the message names the unknown part.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct PathSyntaxError(String);

impl Path {
    /// Parses a path.
    ///
    /// # Errors
    /// Says what is not a reference path, naming the JSONPath feature where it is a known one.
    pub(crate) fn parse(text: &str) -> Result<Self, PathSyntaxError> {
        let fail = |message: &str| PathSyntaxError(format!("path \"{text}\" {message}"));
        if text.len() > PATH_BYTES_MAX {
            return Err(PathSyntaxError(format!("a path has {} bytes, the limit is {PATH_BYTES_MAX}", text.len())));
        }
        let (root, mut rest) = match (text.strip_prefix("$$"), text.strip_prefix('$')) {
            (Some(rest), _) => (Root::Context, rest),
            (None, Some(rest)) => (Root::Input, rest),
            (None, None) => return Err(fail("does not start with \"$\"")),
        };
        let mut steps = Vec::new();
        while !rest.is_empty() {
            if rest.starts_with("..") {
                return Err(fail("uses recursive descent (\"..\"), which is not supported by the local engine yet"));
            }
            if let Some(after) = rest.strip_prefix('.') {
                let end = after.find(['.', '[']).unwrap_or(after.len());
                let (name, remaining) = after.split_at(end);
                check_name(name).map_err(|message| fail(&message))?;
                steps.push(Step::Field(name.to_owned()));
                rest = remaining;
            } else if let Some(after) = rest.strip_prefix('[') {
                let (step, remaining) = bracket(after).map_err(|message| fail(&message))?;
                steps.push(step);
                rest = remaining;
            } else {
                return Err(fail(
                    "has a name directly after \"$\": workflow variables are not supported by the local engine yet",
                ));
            }
        }
        Ok(Self { text: text.to_owned(), root, steps })
    }

    /// The path `$`.
    pub(crate) fn input() -> Self {
        Self { text: "$".to_owned(), root: Root::Input, steps: Vec::new() }
    }

    /// The text as written.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// What it starts from.
    pub(crate) fn root(&self) -> Root {
        self.root
    }

    /// The steps down from the root.
    pub(crate) fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Follows the steps from a value; `None` when one of them leads nowhere.
    pub(crate) fn find<'v>(&self, from: &'v Value) -> Option<&'v Value> {
        walk(from, &self.steps)
    }

    /// Says where the way from `from` breaks off, in the words of the service.
    pub(crate) fn explain_absence(&self, from: &Value) -> String {
        let mut value = from;
        let mut way = String::from("$");
        for (position, step) in self.steps.iter().enumerate() {
            match step {
                Step::Field(name) => way.push_str(&format!("['{name}']")),
                Step::Index(index) => way.push_str(&format!("[{index}]")),
            }
            match walk(value, std::slice::from_ref(step)) {
                Some(next) => value = next,
                None if position + 1 < self.steps.len() => {
                    return format!("Invalid path '{}' : Missing property in path {way}", self.text);
                }
                None => return format!("Invalid path '{}' : No results for path: {way}", self.text),
            }
        }
        format!("Invalid path '{}'", self.text)
    }
}

/// A dotted name may hold anything but the signs that JSONPath gives a meaning.
fn check_name(name: &str) -> Result<(), String> {
    if name == "*" {
        return Err("uses a wildcard (\"*\"), which is not supported by the local engine yet".to_owned());
    }
    if name.is_empty() {
        return Err("has an empty name".to_owned());
    }
    if name.ends_with("()") {
        return Err(format!("uses the path function \"{name}\", which is not supported by the local engine yet"));
    }
    match name.chars().find(|sign| sign.is_whitespace() || sign.is_control() || "*?@()'\"]{},:&|<>=!".contains(*sign)) {
        Some(sign) => Err(format!("has {sign:?} in a dotted name; write it as ['name']")),
        None => Ok(()),
    }
}

/// Parses what follows an opening bracket, up to and with the closing one.
fn bracket(text: &str) -> Result<(Step, &str), String> {
    if let Some(quote) = text.chars().next().filter(|sign| matches!(sign, '\'' | '"')) {
        return quoted_name(&text[1..], quote);
    }
    let end = text.find(']').ok_or("has no closing \"]\"")?;
    let (inside, rest) = (text[..end].trim(), &text[end + 1..]);
    if !inside.is_empty() && inside.bytes().all(|byte| byte.is_ascii_digit()) {
        let index = inside.parse().map_err(|_| format!("has the index {inside}, which is too large"))?;
        return Ok((Step::Index(index), rest));
    }
    let feature = match inside {
        "*" => "a wildcard (\"[*]\")",
        _ if inside.starts_with('?') => "a filter (\"[?…]\")",
        _ if inside.starts_with('(') => "a script (\"[(…)]\")",
        _ if inside.contains(':') => "a slice (\"[a:b]\")",
        _ if inside.contains(',') => "a union (\"[a,b]\")",
        _ if inside.starts_with('-') => "an index from the end (\"[-1]\")",
        _ => return Err(format!("has \"[{inside}]\", which is neither an index nor a quoted name")),
    };
    Err(format!("uses {feature}, which is not supported by the local engine yet"))
}

fn quoted_name(text: &str, quote: char) -> Result<(Step, &str), String> {
    let mut name = String::new();
    let mut signs = text.char_indices().peekable();
    while let Some((position, sign)) = signs.next() {
        if sign == '\\' {
            // Only the quote and the backslash can be escaped; before anything else a backslash stands for itself.
            match signs.peek() {
                Some((_, escaped)) if *escaped == quote || *escaped == '\\' => {
                    name.push(*escaped);
                    signs.next();
                }
                _ => name.push('\\'),
            }
        } else if sign == quote {
            let rest = text[position + 1..].trim_start();
            return match rest.strip_prefix(']') {
                Some(rest) => Ok((Step::Field(name), rest)),
                None if rest.starts_with(',') => {
                    Err("uses a union (\"[a,b]\"), which is not supported by the local engine yet".to_owned())
                }
                None => Err("has no \"]\" after a quoted name".to_owned()),
            };
        } else {
            name.push(sign);
        }
    }
    Err("has an unclosed quote".to_owned())
}

/// Follows steps down from a value.
pub(crate) fn walk<'v>(from: &'v Value, steps: &[Step]) -> Option<&'v Value> {
    steps.iter().try_fold(from, |value, step| match step {
        Step::Field(name) => value.as_object()?.get(name),
        Step::Index(index) => value.as_array()?.get(*index),
    })
}

/// Puts a result into the data at the place that the steps name, making the objects on the way.
///
/// # Errors
/// Returns the step that cannot be taken: a field of something that is no object, or an element that does not exist.
pub(crate) fn place(target: &mut Value, steps: &[Step], result: Value) -> Result<(), Step> {
    let mut here = target;
    for step in steps {
        here = match (step, here) {
            (Step::Field(name), Value::Object(fields)) => {
                fields.entry(name.clone()).or_insert_with(|| Value::Object(Map::new()))
            }
            (Step::Index(index), Value::Array(elements)) if *index < elements.len() => &mut elements[*index],
            _ => return Err(step.clone()),
        };
    }
    *here = result;
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn finds_places_and_refuses_by_name() {
        let data = json!({"a": {"b": [10, {"c d": "deep"}]}, "x'y": 1, "back\\slash": 2, "ä-1_z": 3});
        let check = |text: &str, expected: Result<Option<Value>, &str>| match (Path::parse(text), expected) {
            (Ok(path), Ok(value)) => assert_eq!(path.find(&data).cloned(), value, "{text}"),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{text}: {error}"),
            (found, expected) => panic!("{text}: {found:?}, expected {expected:?}"),
        };
        check("$", Ok(Some(data.clone())));
        check("$.a.b[0]", Ok(Some(json!(10))));
        check("$.a.b[1]['c d']", Ok(Some(json!("deep"))));
        check("$['a'][\"b\"][1]['c d']", Ok(Some(json!("deep"))));
        check("$['x\\'y']", Ok(Some(json!(1))));
        check("$['back\\slash']", Ok(Some(json!(2))));
        check("$.ä-1_z", Ok(Some(json!(3))));
        check("$.a.b[7]", Ok(None));
        check("$.a.b.c", Ok(None));
        check("a.b", Err("does not start with"));
        check("$.a[*]", Err("wildcard"));
        check("$.*", Err("wildcard"));
        check("$..a", Err("recursive descent"));
        check("$.a[1:2]", Err("slice"));
        check("$.a[0,1]", Err("union"));
        check("$['a','b']", Err("union"));
        check("$.a[-1]", Err("from the end"));
        check("$.a[?(@.b)]", Err("filter"));
        check("$.a.length()", Err("path function"));
        check("$variable", Err("workflow variables"));
        check("$.a b", Err("dotted name"));
        check("$.", Err("empty name"));
        check("$['a", Err("unclosed quote"));
        check("$[a]", Err("neither an index"));
        check("$[0", Err("closing"));
    }

    #[test]
    fn explains_where_the_way_breaks_off() {
        let check = |text: &str, expected: &str| {
            let path = Path::parse(text).unwrap();
            assert_eq!(path.explain_absence(&json!({"a": {}})), expected);
        };
        check("$.no.such", "Invalid path '$.no.such' : Missing property in path $['no']");
        check("$.a.such", "Invalid path '$.a.such' : No results for path: $['a']['such']");
    }

    #[test]
    fn places_results() {
        let check = |data: Value, text: &str, expected: Result<Value, Step>| {
            let mut target = data;
            let placed = place(&mut target, Path::parse(text).unwrap().steps(), json!(1));
            assert_eq!(placed.map(|()| target), expected, "{text}");
        };
        check(json!({"a": 5}), "$", Ok(json!(1)));
        check(json!({"a": 5}), "$.b.c", Ok(json!({"a": 5, "b": {"c": 1}})));
        check(json!({"a": [0, 0]}), "$.a[1]", Ok(json!({"a": [0, 1]})));
        check(json!({"a": [0]}), "$.a[1]", Err(Step::Index(1)));
        check(json!("text"), "$.a", Err(Step::Field("a".to_owned())));
        check(json!({"a": 5}), "$.a.b", Err(Step::Field("b".to_owned())));
    }
}
