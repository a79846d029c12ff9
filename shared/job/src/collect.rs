//! Finds all mistakes of a job file, not only the first.
//!
//! A serde deserializer stops at its first error. So the tree is decoded in rounds: when a round fails, the mistake is
//! noted and cut out of the tree (a required value is replaced by a stand-in), and the next round goes past it. When a
//! round succeeds, the rules between values are checked too. The job is given out only when nothing was noted.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use serde_path_to_error::Segment;

use crate::decode::{DecodeError, Node, kind};
use crate::limits::MAX_PROBLEMS;
use crate::model::Job;
use crate::place::{Step, display};
use crate::problem::{JobError, Problem, ProblemKind};
use crate::{check, text};

/// Decodes a tree into a job, or reports everything that is wrong with it.
pub(crate) fn decode(mut tree: Value) -> Result<Job, JobError> {
    text::check_nesting(&tree)?;
    if !tree.is_object() {
        return Err(JobError::one(Problem::mismatch("", "a mapping of keys to values", kind(&tree))));
    }
    // A build may have told `serde_json` to keep the order of members. What a job means, which mistake comes first and the
    // bytes that `set` writes are the same in all builds, so members go by name, here and wherever the tree is changed.
    tree.sort_all_objects();
    let mut collected = Collected::default();
    while collected.problems.len() < MAX_PROBLEMS {
        match serde_path_to_error::deserialize::<_, Job>(Node(&tree)) {
            Ok(job) => {
                let structure_is_sound = collected.problems.is_empty();
                collected.problems.extend(check::problems(&job, structure_is_sound));
                return if collected.problems.is_empty() { Ok(job) } else { Err(JobError::new(collected.problems)) };
            }
            Err(error) => {
                let place = steps(error.path());
                if !collected.note(&mut tree, place, error.into_inner()) {
                    break;
                }
            }
        }
    }
    Err(JobError::new(collected.problems))
}

fn steps(path: &serde_path_to_error::Path) -> Vec<Step> {
    path.iter()
        .filter_map(|segment| match segment {
            Segment::Seq { index } => Some(Step::Index(*index)),
            Segment::Map { key } => Some(Step::Key(key.clone())),
            Segment::Enum { .. } | Segment::Unknown => None,
        })
        .collect()
}

/// The mistakes so far, and which list entries were cut out because of them.
#[derive(Default)]
struct Collected {
    problems: Vec<Problem>,
    /// Original place of a list to the original indexes that are gone from it, ascending.
    removed: BTreeMap<Vec<Step>, Vec<usize>>,
}

impl Collected {
    /// Notes one mistake and cuts it out. False when nothing could be cut out, so that another round would not help.
    fn note(&mut self, tree: &mut Value, mut place: Vec<Step>, error: DecodeError) -> bool {
        if let DecodeError::UnknownKey { key, .. } = &error
            && place.last() != Some(&Step::Key(key.clone()))
        {
            place.push(Step::Key(key.clone()));
        }
        let original = self.original(&place);
        let path = display(&original);
        self.problems.push(match error {
            DecodeError::UnknownKey { key, known } => Problem::unknown_key(path, &key, known),
            DecodeError::MissingKey(key) => {
                place.push(Step::Key(key.to_owned()));
                Problem { path, kind: ProblemKind::MissingKey { key: key.to_owned() } }
            }
            DecodeError::Mismatch { expected, found } => {
                // Operands and values may be data, so only their kind is told.
                let found =
                    if may_be_data(&original) && found.starts_with('"') { "a string".to_owned() } else { found };
                Problem::mismatch(path, expected, found)
            }
        });
        self.cut(tree, place)
    }

    /// The place in the file as it was before list entries were cut out.
    fn original(&self, place: &[Step]) -> Vec<Step> {
        let mut original = Vec::with_capacity(place.len());
        for step in place {
            let step = match step {
                Step::Key(key) => Step::Key(key.clone()),
                Step::Index(index) => {
                    let gone = self.removed.get(&original).map(Vec::as_slice).unwrap_or_default();
                    Step::Index(gone.iter().fold(*index, |index, gone| if *gone <= index { index + 1 } else { index }))
                }
            };
            original.push(step);
        }
        original
    }

    fn cut(&mut self, tree: &mut Value, mut place: Vec<Step>) -> bool {
        // Half a type rule, half a condition or an empty list would be another mistake, so what holds it goes as a whole.
        if is_in_type_rule(&place) {
            place.truncate(TYPE_RULE_STEPS);
        }
        let in_condition = place.starts_with(&condition_root());
        loop {
            let goes_further_up = match place.last() {
                Some(Step::Index(_)) => is_only_entry(tree, &place),
                _ => in_condition && place.len() > 2,
            };
            if !goes_further_up {
                break;
            }
            place.pop();
        }
        if let Some(stand_in) = stand_in(&place) {
            return put(tree, &place, stand_in);
        }
        let original = self.original(&place);
        let Some(last) = place.pop() else { return false };
        let Some(parent) = find(tree, &place) else { return false };
        match (last, parent) {
            (Step::Key(key), Value::Object(entries)) => {
                let was_there = entries.remove(&key).is_some();
                entries.sort_keys();
                was_there
            }
            (Step::Index(index), Value::Array(items)) if index < items.len() => {
                items.remove(index);
                if let Some((Step::Index(gone), list)) = original.split_last() {
                    let indexes = self.removed.entry(list.to_vec()).or_default();
                    indexes.push(*gone);
                    indexes.sort_unstable();
                }
                true
            }
            _ => false,
        }
    }
}

fn is_only_entry(tree: &mut Value, place: &[Step]) -> bool {
    let list = place.split_last().and_then(|(_, list)| find(tree, list));
    list.and_then(|list| list.as_array()).is_some_and(|items| items.len() == 1)
}

fn condition_root() -> [Step; 2] {
    [Step::key("record"), Step::key("where")]
}

/// `record`, `types` or `cast`, and the field.
const TYPE_RULE_STEPS: usize = 3;

fn is_in_type_rule(place: &[Step]) -> bool {
    let in_rules = ["types", "cast"].map(|rules| [Step::key("record"), Step::key(rules)]);
    place.len() > TYPE_RULE_STEPS && in_rules.iter().any(|rules| place.starts_with(rules))
}

fn may_be_data(place: &[Step]) -> bool {
    let key = |index: usize| match place.get(index) {
        Some(Step::Key(key)) => key.as_str(),
        _ => "",
    };
    key(0) == "record" && matches!(key(1), "where" | "set" | "null_tokens")
}

/// A valid value for a key that must be there, so that the rest of the file can still be checked.
fn stand_in(place: &[Step]) -> Option<Value> {
    match display(place).as_str() {
        "version" => Some(json!(1)),
        "name" => Some(json!("stand-in")),
        "source" => Some(json!({"bucket": "stand-in-source"})),
        "source.bucket" => Some(json!("stand-in-source")),
        "output" => Some(json!({"bucket": "stand-in-output"})),
        "output.bucket" => Some(json!("stand-in-output")),
        _ => None,
    }
}

/// Puts a value at a place whose parent is a mapping.
fn put(tree: &mut Value, place: &[Step], value: Value) -> bool {
    let Some((Step::Key(key), parent)) = place.split_last() else { return false };
    let Some(Value::Object(entries)) = find(tree, parent) else { return false };
    entries.insert(key.clone(), value);
    entries.sort_keys();
    true
}

fn find<'a>(tree: &'a mut Value, place: &[Step]) -> Option<&'a mut Value> {
    place.iter().try_fold(tree, |value, step| match step {
        Step::Key(key) => value.get_mut(key),
        Step::Index(index) => value.get_mut(index),
    })
}
