//! Objects in which a name comes twice.
//!
//! JSON allows them and says nothing of their meaning; in this crate the last member counts, and the records that have
//! such an object are counted or refused. While a record is indexed, a fingerprint of each name is kept until its object
//! ends. Only where two fingerprints of an object are equal, or a name has escapes, are names compared in full.

use super::node::{Kind, Node};
use super::value::Value;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

/// Up to this many members, a name is compared with those before it; beyond, all are sorted in the end.
const FEW: u32 = 64;

/// True when a name comes twice in an object of the record.
pub(super) fn has_repeated_names(value: &Value<'_>) -> bool {
    match value.kind() {
        Kind::Object => has_repeated_members(value) || value.members().any(|(_, member)| has_repeated_names(&member)),
        Kind::Array => value.elements().any(|element| has_repeated_names(&element)),
        _ => false,
    }
}

fn has_repeated_members(object: &Value<'_>) -> bool {
    let mut names = HashSet::with_capacity(object.count());
    object.members().any(|(name, _)| !names.insert(name.decoded()))
}

/// The names of an object that is being read, each by one bit of its hash. A name whose bit is new cannot have come
/// before; for the others the names before it are looked at.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Names(u64);

impl Names {
    /// Enters a name; true when an equal one may have come before.
    #[inline(always)]
    pub(super) fn enter(&mut self, text: &[u8], start: usize, end: usize) -> bool {
        let bit = 1_u64 << (fingerprint(text, start, end).wrapping_mul(MIX) >> 58);
        let looks_repeated = self.0 & bit != 0;
        self.0 |= bit;
        looks_repeated
    }
}

/// True when the last of `count` names of the object that begins at a node looks like one before it. With many names
/// that is for [`any_equal`] to find out.
#[inline(never)]
pub(super) fn last_looks_repeated(nodes: &[Node], object: usize, count: u32, text: &[u8]) -> bool {
    let Some(last) = nodes.last().filter(|_| count <= FEW) else { return false };
    let print = fingerprint(text, last.start as usize, last.end as usize);
    names(nodes, object, count - 1).any(|name| fingerprint(text, name.start as usize, name.end as usize) == print)
}

/// True when two names of an object may be equal. Only of objects with more than a few names this is not known already.
#[inline(always)]
pub(super) fn may_be_equal(nodes: &[Node], object: usize, count: u32, text: &[u8]) -> bool {
    count > FEW && any_equal(nodes, object, count, text)
}

#[cold]
fn any_equal(nodes: &[Node], object: usize, count: u32, text: &[u8]) -> bool {
    let prints = names(nodes, object, count).map(|name| fingerprint(text, name.start as usize, name.end as usize));
    let mut prints: Vec<u64> = prints.collect();
    prints.sort_unstable();
    prints.windows(2).any(|pair| pair[0] == pair[1])
}

/// The first names of an object whose node may not be closed yet.
fn names(nodes: &[Node], object: usize, count: u32) -> impl Iterator<Item = &Node> {
    let mut at = object + 1;
    (0..count).map_while(move |_| {
        let name = nodes.get(at)?;
        at = nodes.get(at + 1).map_or(at, |value| value.next as usize);
        Some(name)
    })
}

/// Any odd number with well mixed bits will do; this is the golden ratio's.
const MIX: u64 = 0x9E37_79B9_7F4A_7C15;

/// A number that equal names have in common, made of the eight bytes at both their ends. `start` and `end` delimit the
/// name in `text`.
#[inline(always)]
fn fingerprint(text: &[u8], start: usize, end: usize) -> u64 {
    let word = |at: usize| match text.get(at..at + 8).map(<[u8; 8]>::try_from) {
        Some(Ok(bytes)) => u64::from_le_bytes(bytes),
        _ => last_word(text.get(at..).unwrap_or_default()),
    };
    let first = word(start);
    match end - start {
        0 => 0,
        // The bytes behind a short name are shifted out.
        length @ 1..=8 => first << (64 - 8 * length),
        _ => first ^ word(end - 8).rotate_left(29),
    }
}

/// The bytes at the end of a text, fewer than eight, as the first bytes of a word.
#[cold]
fn last_word(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

/// Writes a record with only the last member of each name.
pub(crate) fn write_last_of_each_name(value: &Value<'_>, output: &mut Vec<u8>) {
    match value.kind() {
        Kind::Object => {
            let names = value.members().enumerate().map(|(at, (name, _))| (name.decoded(), at));
            let last: HashMap<Cow<'_, [u8]>, usize> = names.collect();
            let counts = value.members().enumerate().filter(|(at, (name, _))| last.get(&name.decoded()) == Some(at));
            output.push(b'{');
            let start = output.len();
            for (_, (name, member)) in counts {
                if output.len() > start {
                    output.push(b',');
                }
                output.push(b'"');
                output.extend_from_slice(name.raw());
                output.extend_from_slice(b"\":");
                write_last_of_each_name(&member, output);
            }
            output.push(b'}');
        }
        Kind::Array => {
            output.push(b'[');
            let start = output.len();
            for element in value.elements() {
                if output.len() > start {
                    output.push(b',');
                }
                write_last_of_each_name(&element, output);
            }
            output.push(b']');
        }
        _ => output.extend_from_slice(value.raw()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Index;
    use crate::limits::RecordLimits;
    use proptest::prelude::*;

    /// What the record looks like with the last member of each name, if it has repeated names.
    fn last_of_each(json: &str) -> Option<String> {
        let mut index = Index::default();
        let value = index.build(json.as_bytes(), &RecordLimits::default()).unwrap();
        let mut output = Vec::new();
        write_last_of_each_name(&value, &mut output);
        let exact = has_repeated_names(&value);
        assert_eq!(index.has_repeated_names(json.as_bytes()), exact);
        exact.then(|| String::from_utf8(output).unwrap())
    }

    #[test]
    fn repeated_names_are_found_and_the_last_is_kept() {
        assert_eq!(last_of_each(r#"{"a":1,"b":[{"a":2}],"":3,"abcdefgh":4,"abcdefghi":5}"#), None);
        assert_eq!(last_of_each(r#"{"a":1,"b":2,"\u0061":3}"#).as_deref(), Some(r#"{"b":2,"\u0061":3}"#));
        let nested = r#"[{"x":{"k":1, "k":{"n":0,"n":[]}}}]"#;
        assert_eq!(last_of_each(nested).as_deref(), Some(r#"[{"x":{"k":{"n":[]}}}]"#));
    }

    proptest! {
        #[test]
        fn agrees_with_serde_json(names in prop::collection::vec("([ab]{0,2}|abcd[ab]{0,3}|(abcdefgh|ABCDEFGH)[ab]{0,2}(abcdefgh)?|[a-j]{2})", 0..90)) {
            let members: Vec<String> = names.iter().enumerate().map(|(at, name)| format!("\"{name}\":{at}")).collect();
            let json = format!("{{{}}}", members.join(","));
            let expected: serde_json::Value = serde_json::from_str(&json).unwrap();
            let found = last_of_each(&json);
            prop_assert_eq!(found.is_some(), expected.as_object().unwrap().len() < names.len());
            let found: serde_json::Value = serde_json::from_str(&found.unwrap_or(json)).unwrap();
            prop_assert_eq!(found, expected);
        }
    }
}
