//! Objects in which a name comes twice.
//!
//! JSON allows them and says nothing of their meaning; in this crate the last member counts. The validator has no such
//! notion. So a record is looked through for repeated names first, which costs little, and the rare record that has one
//! is written anew without the members that do not count.

use crate::json::{Kind, Value};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

/// Up to this many members, every pair of names is compared; beyond, the names are sorted.
const FEW: usize = 16;

/// True when a name comes twice in an object of the record.
pub(super) fn has_repeated_names(value: &Value<'_>) -> bool {
    match value.kind() {
        Kind::Object => has_repeated_members(value) || value.members().any(|(_, member)| has_repeated_names(&member)),
        Kind::Array => value.elements().any(|element| has_repeated_names(&element)),
        _ => false,
    }
}

/// Names are told apart by a quick look at both their ends. Only where two look the same are they compared in full.
fn has_repeated_members(object: &Value<'_>) -> bool {
    let count = object.count();
    if count < 2 {
        return false;
    }
    let mut prints = object.members().map(|(name, _)| fingerprint(&name.decoded()));
    let looks_repeated = if count > FEW {
        let mut sorted: Vec<u64> = prints.collect();
        sorted.sort_unstable();
        sorted.windows(2).any(|pair| pair[0] == pair[1])
    } else {
        let mut seen = [0_u64; FEW];
        seen.iter_mut().zip(&mut prints).for_each(|(place, print)| *place = print);
        let seen = &seen[..count];
        seen.iter().enumerate().any(|(at, print)| seen[..at].contains(print))
    };
    looks_repeated && {
        let mut names = HashSet::with_capacity(count);
        object.members().any(|(name, _)| !names.insert(name.decoded()))
    }
}

/// A number that equal names have in common: of their length and the bytes at both ends.
#[inline]
fn fingerprint(name: &[u8]) -> u64 {
    // Any odd number with well mixed bits will do; this is the golden ratio's.
    const MIX: u64 = 0x9E37_79B9_7F4A_7C15;
    let word = |bytes: Option<&[u8; 8]>| bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes));
    let half_word = |bytes: Option<&[u8; 4]>| bytes.map_or(0, |bytes| u64::from(u32::from_le_bytes(*bytes)));
    let (first, last) = match name.len() {
        0..4 => (name.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)), 0),
        4..8 => (half_word(name.first_chunk()), half_word(name.last_chunk())),
        _ => (word(name.first_chunk()), word(name.last_chunk())),
    };
    first.wrapping_mul(MIX) ^ last.rotate_left(32).wrapping_mul(MIX) ^ name.len() as u64
}

/// Writes a record with only the last member of each name.
pub(super) fn write_last_of_each_name(value: &Value<'_>, output: &mut Vec<u8>) {
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
    use crate::schema::NO_LIMITS;
    use proptest::prelude::*;

    /// What the record looks like with the last member of each name, if it has repeated names.
    fn last_of_each(json: &str) -> Option<String> {
        let mut index = Index::default();
        let value = index.build(json.as_bytes(), &NO_LIMITS).unwrap();
        let mut output = Vec::new();
        write_last_of_each_name(&value, &mut output);
        has_repeated_names(&value).then(|| String::from_utf8(output).unwrap())
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
        fn agrees_with_serde_json(names in prop::collection::vec("([ab]{0,2}|abcd[ab]{0,3}|(abcdefgh|ABCDEFGH)[ab]{0,2}(abcdefgh)?)", 0..24)) {
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
