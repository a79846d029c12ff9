//! The structural index of one JSON record.

use super::fast::FastBuilder;
use super::node::Node;
use super::{exact, repeated, value::Value};
use crate::error::Problem;
use crate::limits::RecordLimits;

/// A reusable index: its vectors grow to the largest record seen and are then allocation free.
#[derive(Debug, Default)]
pub struct Index {
    nodes: Vec<Node>,
    fast: FastBuilder,
    /// Two names of one object look alike.
    may_repeat: bool,
}

impl Index {
    /// Checks a record against the JSON grammar and the limits and lists its values. The caller has checked UTF-8.
    ///
    /// # Errors
    /// The first place where the record is not JSON or passes a limit.
    #[inline]
    pub fn build<'a>(&'a mut self, record: &'a [u8], limits: &RecordLimits) -> Result<Value<'a>, Problem> {
        if u32::try_from(record.len()).is_err() {
            return Err(Problem::RecordTooLarge { limit: u32::MAX as usize });
        }
        self.nodes.clear();
        match self.fast.build(&mut self.nodes, record, limits) {
            Some(may_repeat) => self.may_repeat = may_repeat,
            None => {
                self.nodes.clear();
                exact::build(&mut self.nodes, record, limits)?;
                self.may_repeat = true;
            }
        }
        Ok(Value::root(record, &self.nodes))
    }

    /// True when an object of the record last built has two members with one name. `record` is that record's text.
    #[must_use]
    #[inline]
    pub fn has_repeated_names(&self, record: &[u8]) -> bool {
        self.may_repeat && repeated::has_repeated_names(&Value::root(record, &self.nodes))
    }

    /// The record last built; `record` is its text.
    pub(crate) fn root<'a>(&'a self, record: &'a [u8]) -> Value<'a> {
        Value::root(record, &self.nodes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Pieces of JSON, some of them broken: joined at random they make texts that are nearly right.
    const PIECES: [&str; 36] = [
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"a\"",
        "\"\"",
        "\"long name of a member\"",
        "\"\\u00e9\\n\"",
        "\"\\ud83d\\ude00\"",
        "\"\\ud83d\"",
        "\"\\x\"",
        "\"\u{1}\"",
        "\"é\"",
        "\"",
        "\\",
        "1",
        "-0",
        "01",
        "-",
        "123456789012",
        "0.5",
        "1.",
        "2e10",
        "1E+",
        "12345678e-1234567890",
        "true",
        "false",
        "null",
        "nul",
        " ",
        "\n",
        "\t \r",
        "\u{c}",
        "é",
    ];

    fn check(text: &[u8], limits: &RecordLimits) -> bool {
        let mut expected = Vec::new();
        let exact = exact::build(&mut expected, text, limits);
        let mut found = Vec::new();
        let fast = FastBuilder::default().build(&mut found, text, limits);
        assert_eq!(fast.is_some(), exact.is_ok(), "{exact:?}");
        if exact.is_ok() {
            assert_eq!(found, expected);
        }
        exact.is_ok()
    }

    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<f64>().prop_map(Into::into),
            ".{0,20}".prop_map(Into::into),
        ];
        leaf.prop_recursive(5, 60, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
                prop::collection::hash_map(".{0,9}", inner, 0..6)
                    .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_fast_way_agrees_with_the_exact_one_on_rubbish(pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..12)) {
            check(pieces.concat().as_bytes(), &RecordLimits::default());
        }

        #[test]
        fn the_fast_way_agrees_with_the_exact_one_on_json(
            value in any_json(),
            is_pretty in any::<bool>(),
            changes in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(&b"{}[],:\"\\ 0-.eEtn\n"[..])), 0..3),
        ) {
            let text = if is_pretty { serde_json::to_vec_pretty(&value) } else { serde_json::to_vec(&value) };
            let mut text = text.unwrap();
            prop_assert!(check(&text, &RecordLimits::default()));
            for (at, byte) in changes {
                let at = at.index(text.len());
                text[at] = byte;
            }
            check(&text, &RecordLimits::default());
            check(&text, &RecordLimits { depth: 3, fields: 3, values: 9, ..RecordLimits::default() });
        }
    }
}
