//! What went wrong, by kind, with a few examples of each: a limited number of kinds, however many items.

use super::{MAX_TEXT, shortened};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Kinds that are told apart at most. Mapmill has fewer; a ledger of something else might have any number.
const MAX_KINDS: usize = 64;

/// Examples of each kind.
const MAX_EXAMPLES: usize = 3;

/// The longest name of a kind that is shown, in characters.
const MAX_NAME: usize = 80;

/// Items or batches that ended in the same way.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Kind {
    /// The class of the error; `unprocessed` and `missing` for items that nothing is known to be wrong with; for batches,
    /// the name of the error.
    pub class: String,
    /// The code of the error, or the reason.
    pub code: String,
    /// How many.
    pub count: u64,
    /// The first ones.
    pub examples: Vec<Example>,
}

/// One of many.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Example {
    /// The key of the object, or the name of the batch.
    pub name: String,
    /// What was expected and what was found.
    pub message: String,
}

/// Counts by kind.
#[derive(Debug, Clone, Default)]
pub(crate) struct Kinds {
    kinds: BTreeMap<(String, String), Kind>,
    /// Things of kinds that came when there were too many already.
    others: u64,
}

impl Kinds {
    pub(crate) fn add(&mut self, class: &str, code: &str, example: impl FnOnce() -> Example) {
        let name = (shortened(class, MAX_NAME), shortened(code, MAX_NAME));
        if self.kinds.len() >= MAX_KINDS && !self.kinds.contains_key(&name) {
            self.others += 1;
            return;
        }
        let (class, code) = name.clone();
        let kind = self.kinds.entry(name).or_insert_with(|| Kind { class, code, ..Kind::default() });
        kind.count += 1;
        if kind.examples.len() < MAX_EXAMPLES {
            let example = example();
            kind.examples.push(Example {
                name: shortened(&example.name, MAX_TEXT),
                message: shortened(&example.message, MAX_TEXT),
            });
        }
    }

    /// All kinds, the most frequent first.
    pub(crate) fn into_vec(self) -> Vec<Kind> {
        let mut kinds: Vec<Kind> = self.kinds.into_values().collect();
        kinds.sort_by_key(|kind| std::cmp::Reverse(kind.count));
        if self.others > 0 {
            let class = "other".to_owned();
            kinds.push(Kind {
                class,
                code: format!("more_than_{MAX_KINDS}_kinds"),
                count: self.others,
                examples: Vec::new(),
            });
        }
        kinds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_and_examples_are_limited_and_counts_are_not() {
        let mut kinds = Kinds::default();
        for number in 0..10_000 {
            let example = || Example { name: "k".repeat(5_000), message: format!("no {number}") };
            kinds.add("bad_data", &format!("code_{}", number % 100), example);
            kinds.add("transient", "timeout", example);
        }
        let kinds = kinds.into_vec();
        assert_eq!(kinds.len(), MAX_KINDS + 1);
        assert_eq!((kinds[0].code.as_str(), kinds[0].count), ("timeout", 10_000));
        assert_eq!(kinds.iter().map(|kind| kind.count).sum::<u64>(), 20_000);
        assert!(kinds.iter().all(|kind| kind.examples.len() <= MAX_EXAMPLES));
        assert!(kinds[0].examples[0].name.chars().count() <= MAX_TEXT + 1);
        assert_eq!(kinds[1].examples[0].message, "no 0");
    }
}
