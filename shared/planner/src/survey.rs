//! What is known of a source: how many objects, how large, with how long keys.
//!
//! A survey is gathered object by object and has the same few kilobytes for ten objects and for a hundred million. Sizes go
//! into classes by powers of two, each with the exact number and sum of its objects, so that totals are exact and only the
//! distribution inside a class is lost. Surveys of parts of a source can be merged, in any order, into the survey of all.

use crate::kind::Kind;
use serde::{Deserialize, Serialize};

/// Classes of sizes: empty objects, and one for every power of two up to 2^63.
const CLASSES: usize = 65;

/// How many of the largest objects are kept by name.
pub(crate) const LARGEST: usize = 10;

/// Longest key that is kept by name, in bytes.
const KEY_BYTES: usize = 200;

/// Objects of one class of sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SizeClass {
    /// The largest size that belongs to the class, in bytes; those of the class before do not.
    pub up_to: u64,
    /// Objects.
    pub objects: u64,
    /// Their bytes together.
    pub bytes: u64,
}

impl SizeClass {
    /// The average size in bytes; zero without objects.
    #[must_use]
    pub fn mean(&self) -> f64 {
        if self.objects == 0 { 0.0 } else { self.bytes as f64 / self.objects as f64 }
    }
}

/// A histogram of sizes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sizes {
    /// Classes that have objects, from the smallest.
    classes: Vec<SizeClass>,
}

impl Sizes {
    /// Classes that have objects, from the smallest.
    #[must_use]
    pub fn classes(&self) -> &[SizeClass] {
        &self.classes
    }

    /// Objects of all classes.
    #[must_use]
    pub fn objects(&self) -> u64 {
        self.classes.iter().map(|class| class.objects).fold(0, u64::saturating_add)
    }

    /// Bytes of all classes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.classes.iter().map(|class| class.bytes).fold(0, u64::saturating_add)
    }

    /// Adds so many objects of one size.
    pub fn add(&mut self, size: u64, objects: u64) {
        if objects > 0 {
            self.add_class(SizeClass { up_to: up_to(size), objects, bytes: size.saturating_mul(objects) });
        }
    }

    fn add_class(&mut self, added: SizeClass) {
        match self.classes.binary_search_by_key(&added.up_to, |class| class.up_to) {
            Ok(index) => {
                if let Some(class) = self.classes.get_mut(index) {
                    class.objects = class.objects.saturating_add(added.objects);
                    class.bytes = class.bytes.saturating_add(added.bytes);
                }
            }
            Err(index) if self.classes.len() < CLASSES => self.classes.insert(index, added),
            Err(_) => {}
        }
    }

    fn merge(&mut self, other: &Self) {
        other.classes.iter().for_each(|class| self.add_class(*class));
    }
}

/// The largest size of the class of a size: one less than a power of two.
fn up_to(size: u64) -> u64 {
    match size.checked_ilog2() {
        None => 0,
        Some(63) => u64::MAX,
        Some(power) => (1 << (power + 1)) - 1,
    }
}

/// A large object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LargeObject {
    /// Its key, cut at 200 bytes.
    pub key: String,
    /// Its size.
    pub bytes: u64,
    /// What can be done with it.
    pub kind: Kind,
}

/// Lengths of keys, in bytes as they stand in JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct KeyLengths {
    /// All keys together.
    pub total: u64,
    /// The longest one.
    pub longest: u64,
}

/// Keys below the prefix that are not to be processed, by the reason that the ledger would give. A packed run leaves them out;
/// the workers of the other strategies skip them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LeftOut {
    /// Left out by `source.include`.
    pub not_included: u64,
    /// Empty objects that stand for folders.
    pub folder_marker: u64,
    /// Objects without a byte.
    pub empty_object: u64,
    /// What an earlier run wrote.
    pub written_by_mapmill: u64,
    /// Rows of an inventory that are no present objects.
    #[serde(default)]
    pub not_present: u64,
}

impl LeftOut {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        let Self { not_included, folder_marker, empty_object, written_by_mapmill, not_present } = self;
        not_included + folder_marker + empty_object + written_by_mapmill + not_present
    }

    /// Counts a key by the reason that the ledger would give for skipping it.
    pub fn count(&mut self, reason: &str) {
        match reason {
            "not_included" => self.not_included += 1,
            "folder_marker" => self.folder_marker += 1,
            "empty_object" => self.empty_object += 1,
            "written_by_mapmill" => self.written_by_mapmill += 1,
            _ => self.not_present += 1,
        }
    }

    fn merge(&mut self, other: &Self) {
        self.not_included += other.not_included;
        self.folder_marker += other.folder_marker;
        self.empty_object += other.empty_object;
        self.written_by_mapmill += other.written_by_mapmill;
        self.not_present += other.not_present;
    }
}

/// What is known of a source.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Survey {
    /// Sizes of objects that can be cut into ranges.
    pub lines: Sizes,
    /// Sizes of objects that are processed as a whole and are not compressed.
    pub whole: Sizes,
    /// Sizes of objects that are compressed or may be.
    pub compressed: Sizes,
    /// The ten largest objects, the largest first.
    pub largest: Vec<LargeObject>,
    /// Lengths of keys of all objects that are counted above.
    pub keys: KeyLengths,
    /// What is not to be processed.
    pub left_out: LeftOut,
}

impl Survey {
    /// A survey of objects of one size with keys of one length, for questions without a bucket.
    #[must_use]
    pub fn uniform(objects: u64, size: u64, key_bytes: u64, kind: Kind) -> Self {
        let mut survey = Self::default();
        survey.sizes_mut(kind).add(size, objects);
        survey.keys = KeyLengths { total: objects.saturating_mul(key_bytes), longest: key_bytes };
        survey
    }

    /// Adds an object that is to be processed.
    pub fn add(&mut self, key: &str, size: u64, kind: Kind) {
        self.sizes_mut(kind).add(size, 1);
        let length = json_bytes(key);
        self.keys.total = self.keys.total.saturating_add(length);
        self.keys.longest = self.keys.longest.max(length);
        if self.largest.len() < LARGEST || self.largest.last().is_some_and(|last| size >= last.bytes) {
            let key = key.get(..key.floor_char_boundary(KEY_BYTES)).unwrap_or_default().to_owned();
            self.keep_large(LargeObject { key, bytes: size, kind });
        }
    }

    /// Adds what another survey saw of the same source.
    pub fn merge(&mut self, other: &Self) {
        self.lines.merge(&other.lines);
        self.whole.merge(&other.whole);
        self.compressed.merge(&other.compressed);
        self.keys.total = self.keys.total.saturating_add(other.keys.total);
        self.keys.longest = self.keys.longest.max(other.keys.longest);
        self.left_out.merge(&other.left_out);
        other.largest.iter().for_each(|object| self.keep_large(object.clone()));
    }

    /// Objects that are to be processed.
    #[must_use]
    pub fn objects(&self) -> u64 {
        self.all().map(Sizes::objects).fold(0, u64::saturating_add)
    }

    /// Their bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.all().map(Sizes::bytes).fold(0, u64::saturating_add)
    }

    /// Keys that were seen, also of what is not to be processed.
    #[must_use]
    pub fn listed(&self) -> u64 {
        self.objects().saturating_add(self.left_out.total())
    }

    /// The average length of a key in JSON text, in bytes; zero without objects.
    #[must_use]
    pub fn mean_key_bytes(&self) -> f64 {
        let objects = self.objects();
        if objects == 0 { 0.0 } else { self.keys.total as f64 / objects as f64 }
    }

    /// Every class of sizes with its kind.
    pub fn classes(&self) -> impl Iterator<Item = (Kind, SizeClass)> {
        let of = |kind, sizes: &Sizes| sizes.classes.clone().into_iter().map(move |class| (kind, class));
        of(Kind::Lines, &self.lines).chain(of(Kind::Whole, &self.whole)).chain(of(Kind::Compressed, &self.compressed))
    }

    fn all(&self) -> impl Iterator<Item = &Sizes> {
        [&self.lines, &self.whole, &self.compressed].into_iter()
    }

    fn sizes_mut(&mut self, kind: Kind) -> &mut Sizes {
        match kind {
            Kind::Lines => &mut self.lines,
            Kind::Whole => &mut self.whole,
            Kind::Compressed => &mut self.compressed,
        }
    }

    fn keep_large(&mut self, object: LargeObject) {
        // Ties are broken by the key, so that the order of merging does not matter.
        let order = |one: &LargeObject| (std::cmp::Reverse(one.bytes), one.key.clone(), one.kind as u8);
        let place = self.largest.partition_point(|kept| order(kept) <= order(&object));
        self.largest.insert(place, object);
        self.largest.truncate(LARGEST);
    }
}

/// The length of a text in JSON, without the quotes around it.
fn json_bytes(text: &str) -> u64 {
    let length = |letter: char| match letter {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\u{0}'..='\u{1f}' => 6,
        other => other.len_utf8() as u64,
    };
    text.chars().map(length).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_fall_into_powers_of_two() {
        for (size, expected) in [(0, 0), (1, 1), (2, 3), (3, 3), (4, 7), (1 << 62, (1 << 63) - 1), (u64::MAX, u64::MAX)]
        {
            assert_eq!(up_to(size), expected, "{size}");
        }
    }

    #[test]
    fn keys_are_measured_as_json() {
        for key in ["a/b.csv", "größe", "q\"uote\\", "line\nend\u{1}", "日本"] {
            let text = serde_json::to_string(key).unwrap();
            assert_eq!(json_bytes(key), text.len() as u64 - 2, "{key}");
        }
    }

    #[test]
    fn the_largest_objects_are_kept_by_name() {
        let mut survey = Survey::default();
        for number in 0..1000_u64 {
            survey.add(&format!("key-{number:04}"), number * 7 % 1000, Kind::Whole);
        }
        assert_eq!(survey.largest.len(), LARGEST);
        assert_eq!((survey.largest[0].bytes, survey.largest[9].bytes), (999, 990));
        assert_eq!((survey.objects(), survey.bytes(), survey.keys.longest), (1000, 499_500, 8));
        let long = "k".repeat(1000);
        survey.add(&long, 5000, Kind::Lines);
        assert_eq!(survey.largest[0].key.len(), KEY_BYTES);
    }
}
