//! What a worker answers: counts, the ledger's address and the first failures, always small.

use crate::ledger::{LedgerLine, Status};
use serde::{Deserialize, Serialize};
use std::ops::AddAssign;

/// Longest answer in bytes. Step Functions carries at most 256 KiB per state; this leaves room for many batches.
pub const MAX_OUTCOME_BYTES: usize = 32 * 1024;

/// Most failures listed in an answer; the ledger has all of them.
const MAX_FAILURES: usize = 10;

/// Longest text shown of a failure, in characters. A control character takes six bytes as JSON, so that ten failures may
/// still be too long; then fewer are shown.
const MAX_SHOWN_CHARACTERS: usize = 200;

/// The answer of a worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Version of this shape, 1.
    pub version: u32,
    /// The run that the batch belongs to.
    pub run_id: String,
    /// How the items ended.
    pub items: ItemCounts,
    /// Records of all items.
    pub records: Records,
    /// Bytes of all items.
    pub bytes: Bytes,
    /// Where the batch's ledger lies.
    pub ledger: Address,
    /// The first failures.
    pub failures: Vec<Failure>,
    /// Items are unprocessed, and the batch has come further: invoked again with the same event, the function goes on.
    /// Without it such an invocation would end as this one did.
    #[serde(default)]
    pub continues: bool,
    /// Requests that were sent again, of all items.
    #[serde(default)]
    pub retries: u64,
    /// Time taken in milliseconds.
    pub duration_ms: u64,
}

/// How items ended. `total` is the sum of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ItemCounts {
    /// Items of the batch.
    pub total: u64,
    /// Processed, output written.
    pub succeeded: u64,
    /// Not processed, no output; the ledger says why.
    pub failed: u64,
    /// Not to be processed: folder markers, empty objects, keys that the job leaves out.
    pub skipped: u64,
    /// Not begun or not ended, because the time of the invocation ran out.
    pub unprocessed: u64,
}

/// Records of items that succeeded: `read` and `exploded` together are `written`, `filtered` and `rejected` together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Records {
    /// Records found.
    pub read: u64,
    /// Records that came in addition, because an array was exploded into more than one.
    #[serde(default)]
    pub exploded: u64,
    /// Records written.
    pub written: u64,
    /// Records left out by `where`.
    pub filtered: u64,
    /// Records refused.
    pub rejected: u64,
    /// Of the records found, those with a JSON object in which a name comes twice.
    #[serde(default)]
    pub duplicate_keys: u64,
}

/// Counts may come from a file, so a sum stops at the largest number. All are named, so that one that is added later
/// cannot be forgotten.
impl AddAssign for Records {
    fn add_assign(&mut self, other: Self) {
        let Self { read, exploded, written, filtered, rejected, duplicate_keys } = other;
        add(&mut self.read, read);
        add(&mut self.exploded, exploded);
        add(&mut self.written, written);
        add(&mut self.filtered, filtered);
        add(&mut self.rejected, rejected);
        add(&mut self.duplicate_keys, duplicate_keys);
    }
}

/// Bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Bytes {
    /// Read from the store, compressed as they lie there.
    pub read: u64,
    /// After decompression.
    pub expanded: u64,
    /// Written to the store, compressed as they lie there.
    pub written: u64,
}

/// As [`Records`] are.
impl AddAssign for Bytes {
    fn add_assign(&mut self, other: Self) {
        let Self { read, expanded, written } = other;
        add(&mut self.read, read);
        add(&mut self.expanded, expanded);
        add(&mut self.written, written);
    }
}

fn add(sum: &mut u64, count: u64) {
    *sum = sum.saturating_add(count);
}

/// An object's address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// Bucket.
    pub bucket: String,
    /// Key.
    pub key: String,
}

/// One failure, cut to size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The object's key.
    pub key: String,
    /// The class of the error.
    pub class: String,
    /// The stable name of the error.
    pub code: String,
    /// What was expected and what was found.
    pub message: String,
}

impl Outcome {
    /// Adds up the lines of a ledger.
    #[must_use]
    pub fn of<'a>(
        run_id: &str,
        ledger: Address,
        lines: impl IntoIterator<Item = &'a LedgerLine>,
        duration_ms: u64,
    ) -> Self {
        let mut outcome = Self {
            version: 1,
            run_id: run_id.to_owned(),
            items: ItemCounts::default(),
            records: Records::default(),
            bytes: Bytes::default(),
            ledger,
            failures: Vec::new(),
            continues: false,
            retries: 0,
            duration_ms,
        };
        for line in lines {
            outcome.add(line);
        }
        outcome.fit();
        outcome
    }

    /// Leaves out failures until the answer is short enough; all the rest of it always is.
    fn fit(&mut self) {
        let is_too_long =
            |outcome: &Self| serde_json::to_string(outcome).is_ok_and(|text| text.len() > MAX_OUTCOME_BYTES);
        while is_too_long(self) && self.failures.pop().is_some() {}
    }

    fn add(&mut self, line: &LedgerLine) {
        self.items.total += 1;
        match line.status {
            Status::Succeeded => self.items.succeeded += 1,
            Status::Failed => self.items.failed += 1,
            Status::Skipped => self.items.skipped += 1,
            Status::Unprocessed => self.items.unprocessed += 1,
        }
        self.records += line.records;
        self.bytes += line.bytes;
        add(&mut self.retries, line.retries);
        if line.status == Status::Failed && self.failures.len() < MAX_FAILURES {
            let text = |part: Option<&str>| shorten(part.unwrap_or_default());
            self.failures.push(Failure {
                key: shorten(&line.key),
                class: text(line.class.as_deref()),
                code: text(line.code.as_deref()),
                message: text(line.message.as_deref()),
            });
        }
    }
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN_CHARACTERS) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Item;
    use serde_json::{Value, json};

    /// Counts in which every field has another number, whatever fields there are.
    fn distinct<T: Default + Serialize + for<'de> Deserialize<'de>>(first: u64) -> T {
        let mut counts = serde_json::to_value(T::default()).unwrap();
        for (number, count) in (first..).zip(counts.as_object_mut().unwrap().values_mut()) {
            *count = number.into();
        }
        serde_json::from_value(counts).unwrap()
    }

    #[test]
    fn every_count_of_every_line_is_in_the_sum() {
        let item = Item { key: "k".into(), ..Item::default() };
        let lines = [100, 2000].map(|first| LedgerLine {
            records: distinct(first),
            bytes: distinct(first),
            ..LedgerLine::new("b", &item, Status::Succeeded)
        });
        let outcome = Outcome::of("r", Address { bucket: "b".into(), key: "k".into() }, &lines, 1);
        let check = |counts: Value| {
            for (number, (name, count)) in (0_u64..).zip(counts.as_object().unwrap()) {
                assert_eq!(count, &json!(2100 + 2 * number), "{name}");
            }
        };
        check(serde_json::to_value(outcome.records).unwrap());
        check(serde_json::to_value(outcome.bytes).unwrap());
        assert_eq!((outcome.items.total, outcome.items.succeeded), (2, 2));
    }

    #[test]
    fn an_answer_is_never_longer_than_its_limit() {
        let check = |text: &str, shown: usize| {
            let item = Item { key: text.into(), ..Item::default() };
            let [class, code, message] = [(); 3].map(|()| Some(text.to_owned()));
            let line = LedgerLine { class, code, message, ..LedgerLine::new("b", &item, Status::Failed) };
            // The longest name of a ledger, in characters that are as long as JSON has them.
            let ledger = Address { bucket: "b".repeat(63), key: "\u{1}".repeat(1024) };
            let outcome = Outcome::of(&"r".repeat(80), ledger, &vec![line; 20], u64::MAX);
            let length = serde_json::to_string(&outcome).unwrap().len();
            assert!(length <= MAX_OUTCOME_BYTES, "{length} bytes");
            assert_eq!((outcome.failures.len(), outcome.items.failed), (shown, 20), "{length} bytes");
        };
        check("a", 10);
        check(&"a".repeat(1000), 10);
        check(&"\u{1f600}".repeat(1000), 8);
        check(&"\u{1}".repeat(1000), 5);
    }

    #[test]
    fn a_sum_stops_at_the_largest_number() {
        let item = Item { key: "k".into(), ..Item::default() };
        let line = LedgerLine {
            records: distinct(u64::MAX - 9),
            bytes: distinct(u64::MAX - 9),
            retries: u64::MAX,
            ..LedgerLine::new("b", &item, Status::Succeeded)
        };
        let outcome = Outcome::of("r", Address { bucket: "b".into(), key: "k".into() }, &[line.clone(), line], 1);
        assert_eq!((outcome.records.read, outcome.bytes.written, outcome.retries), (u64::MAX, u64::MAX, u64::MAX));
    }
}
