//! Items that should have a line in a ledger, and whether they have been seen there.
//!
//! Batches that failed or were never started name their items in the result files of Step Functions, and a repair knows
//! its items beforehand. All ledgers are held against them, in whatever batches the items came: what was not seen is
//! missing, by name. Of an item only a hash of eight bytes is kept, so four million items take 36 MiB; of two items with
//! the same hash one would not be named, which the counts would still show.

use batch::{Item, LedgerLine};
use std::hash::{BuildHasher, RandomState};

/// Items that are kept at most.
pub(crate) const MAX_ITEMS: usize = 4_000_000;

/// What makes an item that item: bucket, key and range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Identity<'a> {
    pub(crate) bucket: &'a str,
    pub(crate) key: &'a str,
    pub(crate) range: Option<&'a str>,
}

impl<'a> Identity<'a> {
    pub(crate) fn of_line(line: &'a LedgerLine) -> Self {
        Self { bucket: &line.bucket, key: &line.key, range: line.range.as_deref() }
    }

    /// `range` is the item's, as text; `bucket` is that of items without one.
    pub(crate) fn of_item(item: &'a Item, bucket: &'a str, range: Option<&'a str>) -> Self {
        Self { bucket: item.bucket.as_deref().unwrap_or(bucket), key: &item.key, range }
    }
}

/// Items that are to be seen.
#[derive(Debug, Clone)]
pub(crate) struct Unseen {
    keys: RandomState,
    most: usize,
    /// Sorted once all are known.
    hashes: Vec<u64>,
    /// For each hash whether it was seen; empty until all are known.
    is_seen: Vec<bool>,
    /// Items that came when there were too many already.
    pub(crate) left_out: u64,
}

impl Unseen {
    pub(crate) fn new(most: usize) -> Self {
        Self { keys: RandomState::new(), most, hashes: Vec::new(), is_seen: Vec::new(), left_out: 0 }
    }

    /// Adds an item that is to be seen.
    pub(crate) fn expect(&mut self, item: &Identity<'_>) {
        if self.hashes.len() < self.most {
            self.hashes.push(self.keys.hash_one(item));
        } else {
            self.left_out += 1;
        }
    }

    /// All that are to be seen are known.
    pub(crate) fn settle(&mut self) {
        self.hashes.sort_unstable();
        self.hashes.dedup();
        self.is_seen = vec![false; self.hashes.len()];
    }

    /// True when nothing is to be seen.
    pub(crate) fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// Sees an item. True when it was to be seen and had not been.
    pub(crate) fn see(&mut self, item: &Identity<'_>) -> bool {
        if self.hashes.is_empty() {
            return false;
        }
        let place = self.hashes.binary_search(&self.keys.hash_one(item));
        place.is_ok_and(|place| self.is_seen.get_mut(place).is_some_and(|seen| !std::mem::replace(seen, true)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(key: &str) -> Identity<'_> {
        Identity { bucket: "raw", key, range: None }
    }

    #[test]
    fn what_is_expected_is_seen_once() {
        let mut unseen = Unseen::new(100);
        for key in ["a", "b", "a", "c"] {
            unseen.expect(&identity(key));
        }
        unseen.expect(&Identity { range: Some("0..9"), ..identity("a") });
        unseen.settle();
        assert!(unseen.see(&identity("a")));
        assert!(!unseen.see(&identity("a")), "seen before");
        assert!(!unseen.see(&identity("d")), "nobody expects it");
        assert!(!unseen.see(&Identity { bucket: "other", ..identity("b") }));
        assert!(unseen.see(&Identity { range: Some("0..9"), ..identity("a") }), "a part is another item");
        assert!(unseen.see(&identity("b")) && unseen.see(&identity("c")));
    }

    #[test]
    fn more_than_the_limit_are_counted_only() {
        let mut unseen = Unseen::new(3);
        for key in ["a", "b", "c", "d", "e"] {
            unseen.expect(&identity(key));
        }
        unseen.settle();
        assert_eq!(unseen.left_out, 2);
        assert!(unseen.see(&identity("c")) && !unseen.see(&identity("d")));
        assert!(!Unseen::new(0).see(&identity("a")));
    }
}
