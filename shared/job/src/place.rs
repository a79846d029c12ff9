//! Places in a job file, and how messages show them.
//!
//! A place is a list of steps from the whole file to a value inside it. Shown, it reads like a path in a programming
//! language: `source.include[2]`, `record.types['a.b']`.

use serde_json::Value;

use crate::problem::shorten;

/// One step from a value to a value inside it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    Key(String),
    Index(usize),
}

impl Step {
    pub(crate) fn key(name: &str) -> Self {
        Self::Key(name.to_owned())
    }
}

/// The first place in a tree that is wanted, by its key in the mapping around it (if one is) and its value.
///
/// The nesting of the file is limited, so the recursion is too.
pub(crate) fn find(tree: &Value, is_wanted: &dyn Fn(Option<&str>, &Value) -> bool) -> Option<Vec<Step>> {
    fn walk(
        key: Option<&str>,
        value: &Value,
        is_wanted: &dyn Fn(Option<&str>, &Value) -> bool,
        place: &mut Vec<Step>,
    ) -> bool {
        let mut inside = |step: Step, key: Option<&str>, inner: &Value| {
            place.push(step);
            let is_found = walk(key, inner, is_wanted, place);
            if !is_found {
                place.pop();
            }
            is_found
        };
        is_wanted(key, value)
            || match value {
                Value::Array(items) => {
                    items.iter().enumerate().any(|(index, item)| inside(Step::Index(index), None, item))
                }
                Value::Object(entries) => entries.iter().any(|(key, entry)| inside(Step::key(key), Some(key), entry)),
                _ => false,
            }
    }
    let mut place = Vec::new();
    walk(None, tree, is_wanted, &mut place).then_some(place)
}

pub(crate) fn display(place: &[Step]) -> String {
    let mut text = String::new();
    for step in place {
        match step {
            Step::Index(index) => text.push_str(&format!("[{index}]")),
            Step::Key(key) if is_plain(key) => {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(key);
            }
            Step::Key(key) => text.push_str(&format!("['{}']", shorten(key))),
        }
    }
    text
}

fn is_plain(key: &str) -> bool {
    !key.is_empty() && key.len() <= 60 && key.chars().all(|letter| letter.is_alphanumeric() || "_-$ ".contains(letter))
}

/// The path of an entry of a mapping, as it is shown in messages.
pub(crate) fn entry_path(parent: &str, key: &str) -> String {
    if is_plain(key) { format!("{parent}.{key}") } else { format!("{parent}['{}']", shorten(key)) }
}
