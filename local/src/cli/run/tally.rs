//! Adding up what the workers answered.

use derive_more::AddAssign;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::asl::ExecutionStatus;

/// Most failures and failed batches that are kept to be shown; the ledger and the result files have all.
const MOST_SHOWN: usize = 20;

/// Sums over the answers of batches.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::cli) struct Tally {
    pub(in crate::cli) batches: Batches,
    /// Items in batches that ended, by how the batch ended; what became of those of `answered` is in `items`.
    pub(in crate::cli) given: Given,
    /// Items of Map Runs that ended before a batch with them was started.
    pub(in crate::cli) never_started: u64,
    pub(in crate::cli) items: Items,
    pub(in crate::cli) records: Records,
    pub(in crate::cli) bytes: Bytes,
    /// Key, code and message of the first failed objects.
    pub(in crate::cli) failures: Vec<[String; 3]>,
    /// Error and cause of the first failed batches.
    pub(in crate::cli) batch_failures: Vec<[String; 2]>,
}

/// Batches that ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, AddAssign)]
pub(in crate::cli) struct Batches {
    /// Those that ended with the answer of a Mapmill worker.
    pub(in crate::cli) answered: u64,
    /// Those that ended well with another answer: what became of their items is not known.
    pub(in crate::cli) without_answer: u64,
    /// Those that failed as a whole.
    pub(in crate::cli) failed: u64,
    /// Those that were given up while they ran.
    pub(in crate::cli) stopped: u64,
}

/// Items that batches were given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, AddAssign)]
pub(in crate::cli) struct Given {
    pub(in crate::cli) answered: u64,
    pub(in crate::cli) without_answer: u64,
    /// In batches that failed as a whole: their ledger may be missing.
    pub(in crate::cli) failed: u64,
    pub(in crate::cli) stopped: u64,
}

/// What workers said of their items.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, AddAssign, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::cli) struct Items {
    pub(in crate::cli) total: u64,
    pub(in crate::cli) succeeded: u64,
    pub(in crate::cli) failed: u64,
    pub(in crate::cli) skipped: u64,
    pub(in crate::cli) unprocessed: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, AddAssign, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::cli) struct Records {
    pub(in crate::cli) read: u64,
    pub(in crate::cli) written: u64,
    pub(in crate::cli) filtered: u64,
    pub(in crate::cli) rejected: u64,
    /// Additional records of exploded arrays.
    pub(in crate::cli) exploded: u64,
    /// Records with a JSON object in which a name comes twice.
    pub(in crate::cli) duplicate_keys: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, AddAssign, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::cli) struct Bytes {
    pub(in crate::cli) read: u64,
    pub(in crate::cli) expanded: u64,
    pub(in crate::cli) written: u64,
}

impl Batches {
    pub(super) fn ended(self) -> u64 {
        self.answered + self.without_answer + self.failed + self.stopped
    }
}

impl Given {
    pub(super) fn total(self) -> u64 {
        self.answered + self.without_answer + self.failed + self.stopped
    }
}

impl Tally {
    /// A batch ended well with this answer.
    pub(super) fn add_answer(&mut self, items: u64, answer: Option<&Value>) {
        let Some(answer) = answer.filter(|answer| is_outcome(answer)) else {
            self.batches.without_answer += 1;
            self.given.without_answer += items;
            return;
        };
        self.batches.answered += 1;
        self.given.answered += items;
        self.items += counts(&answer["items"]);
        self.records += counts(&answer["records"]);
        self.bytes += counts(&answer["bytes"]);
        for failure in answer["failures"].as_array().into_iter().flatten() {
            if self.failures.len() < MOST_SHOWN {
                let text = |name: &str| failure[name].as_str().unwrap_or_default().to_owned();
                self.failures.push([text("key"), text("code"), text("message")]);
            }
        }
    }

    /// A batch ended with this status, which is not success.
    pub(super) fn add_end(&mut self, items: u64, status: ExecutionStatus, error: Option<&str>, cause: Option<&str>) {
        if status == ExecutionStatus::Aborted {
            self.batches.stopped += 1;
            self.given.stopped += items;
            return;
        }
        self.batches.failed += 1;
        self.given.failed += items;
        if self.batch_failures.len() < MOST_SHOWN {
            let error = error.unwrap_or(status.as_str()).to_owned();
            self.batch_failures.push([error, message_of(cause.unwrap_or_default())]);
        }
    }

    /// Adds another tally to this one.
    pub(super) fn merge(&mut self, other: Self) {
        self.batches += other.batches;
        self.given += other.given;
        self.never_started += other.never_started;
        self.items += other.items;
        self.records += other.records;
        self.bytes += other.bytes;
        self.failures.extend(other.failures);
        self.failures.truncate(MOST_SHOWN);
        self.batch_failures.extend(other.batch_failures);
        self.batch_failures.truncate(MOST_SHOWN);
    }
}

/// The counts of an answer; what is missing or no count is zero.
fn counts<T: Default + for<'de> Deserialize<'de>>(answer: &Value) -> T {
    let given = answer.as_object().into_iter().flatten().filter(|(_, count)| count.is_u64());
    let given = given.map(|(name, count)| (name.clone(), count.clone())).collect();
    T::deserialize(Value::Object(given)).unwrap_or_default()
}

/// The answer of a Mapmill worker, as opposed to that of any other function or state.
pub(super) fn is_outcome(answer: &Value) -> bool {
    answer["version"] == 1 && answer["items"]["total"].is_u64() && answer["ledger"]["key"].is_string()
}

/// A failed function's cause is JSON with the message inside.
fn message_of(cause: &str) -> String {
    let parsed: Option<Value> = serde_json::from_str(cause).ok();
    let message = parsed.as_ref().and_then(|cause| cause["errorMessage"].as_str());
    message.unwrap_or(cause).to_owned()
}

/// An answer of a worker that had three items, for the tests of this room.
#[cfg(test)]
pub(super) fn sample_outcome(failed: u64) -> Value {
    serde_json::json!({
        "version": 1, "ledger": {"bucket": "b", "key": "k"},
        "items": {"total": 3, "succeeded": 2 - failed, "failed": failed, "skipped": 1, "unprocessed": 0},
        "records": {"read": 4, "exploded": 1, "written": 4, "filtered": 0, "rejected": 1, "duplicate_keys": "?"},
        "bytes": {"read": 10, "expanded": 20, "written": 5},
        "failures": vec![serde_json::json!({"key": "a", "code": "invalid_json", "message": "m"}); failed as usize],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn outcomes_are_added_and_other_answers_only_counted() {
        let outcome = sample_outcome(1);
        let mut tally = Tally::default();
        tally.add_answer(3, Some(&outcome));
        tally.add_answer(3, Some(&outcome));
        tally.add_answer(2, Some(&json!({"ok": true})));
        tally.add_end(4, ExecutionStatus::Failed, Some("E"), Some(r#"{"errorType":"E","errorMessage":"why"}"#));
        tally.add_end(5, ExecutionStatus::Aborted, None, None);
        tally.add_end(1, ExecutionStatus::TimedOut, None, None);
        assert_eq!(tally.batches, Batches { answered: 2, without_answer: 1, failed: 2, stopped: 1 });
        assert_eq!(tally.given, Given { answered: 6, without_answer: 2, failed: 5, stopped: 5 });
        assert_eq!(tally.items, Items { total: 6, succeeded: 2, failed: 2, skipped: 2, unprocessed: 0 });
        let records = Records { read: 8, written: 8, filtered: 0, rejected: 2, exploded: 2, duplicate_keys: 0 };
        assert_eq!(tally.records, records);
        assert_eq!(tally.bytes.expanded, 40);
        assert_eq!(tally.failures.len(), 2);
        let pair = |error: &str, cause: &str| [error.to_owned(), cause.to_owned()];
        assert_eq!(tally.batch_failures, [pair("E", "why"), pair("TIMED_OUT", "")]);

        let mut both = tally.clone();
        both.merge(tally.clone());
        assert_eq!((both.batches.ended(), both.given.total(), both.items.total), (12, 36, 12));
        assert_eq!((both.records.read, both.bytes.read, both.failures.len()), (16, 40, 4));
    }
}
