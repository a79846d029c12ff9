//! Adding up what the workers answered.

use serde_json::Value;

/// Most failures and failed batches that are kept to be shown; the ledger and the result files have all.
const MOST_SHOWN: usize = 20;

/// Sums over the answers of all batches so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Tally {
    /// Batches that ended, and those of them that failed.
    pub(super) batches: u64,
    pub(super) failed_batches: u64,
    /// Items in batches that ended.
    pub(super) items_done: u64,
    /// Items in batches that failed as a whole: their ledger may be missing.
    pub(super) items_in_failed_batches: u64,
    /// Batches whose answer was an outcome of a Mapmill worker.
    pub(super) outcomes: u64,
    pub(super) items: Items,
    pub(super) records: Records,
    pub(super) bytes: Bytes,
    /// Key, code and message of the first failed objects.
    pub(super) failures: Vec<[String; 3]>,
    /// Error and cause of the first failed batches.
    pub(super) batch_failures: Vec<[String; 2]>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Items {
    pub(super) total: u64,
    pub(super) succeeded: u64,
    pub(super) failed: u64,
    pub(super) skipped: u64,
    pub(super) unprocessed: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Records {
    pub(super) read: u64,
    pub(super) written: u64,
    pub(super) filtered: u64,
    pub(super) rejected: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bytes {
    pub(super) read: u64,
    pub(super) expanded: u64,
    pub(super) written: u64,
}

impl Tally {
    /// A batch ended well with this answer.
    pub(super) fn add_answer(&mut self, items: u64, answer: Option<&Value>) {
        self.batches += 1;
        self.items_done += items;
        let Some(answer) = answer.filter(|answer| is_outcome(answer)) else { return };
        self.outcomes += 1;
        let number = |pointer: &str| answer.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
        self.items.total += number("/items/total");
        self.items.succeeded += number("/items/succeeded");
        self.items.failed += number("/items/failed");
        self.items.skipped += number("/items/skipped");
        self.items.unprocessed += number("/items/unprocessed");
        self.records.read += number("/records/read");
        self.records.written += number("/records/written");
        self.records.filtered += number("/records/filtered");
        self.records.rejected += number("/records/rejected");
        self.bytes.read += number("/bytes/read");
        self.bytes.expanded += number("/bytes/expanded");
        self.bytes.written += number("/bytes/written");
        for failure in answer["failures"].as_array().into_iter().flatten() {
            if self.failures.len() < MOST_SHOWN {
                let text = |name: &str| failure[name].as_str().unwrap_or_default().to_owned();
                self.failures.push([text("key"), text("code"), text("message")]);
            }
        }
    }

    /// A batch failed as a whole.
    pub(super) fn add_failure(&mut self, items: u64, error: Option<&str>, cause: Option<&str>) {
        self.batches += 1;
        self.failed_batches += 1;
        self.items_done += items;
        self.items_in_failed_batches += items;
        if self.batch_failures.len() < MOST_SHOWN {
            self.batch_failures.push([error.unwrap_or("unknown").to_owned(), message_of(cause.unwrap_or_default())]);
        }
    }
}

/// The answer of a Mapmill worker, as opposed to that of any other function or state.
fn is_outcome(answer: &Value) -> bool {
    answer["version"] == 1 && answer["items"]["total"].is_u64() && answer["ledger"]["key"].is_string()
}

/// A failed function's cause is JSON with the message inside.
fn message_of(cause: &str) -> String {
    let parsed: Option<Value> = serde_json::from_str(cause).ok();
    let message = parsed.as_ref().and_then(|cause| cause["errorMessage"].as_str());
    message.unwrap_or(cause).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn outcomes_are_added_and_other_answers_only_counted() {
        let outcome = json!({
            "version": 1, "ledger": {"bucket": "b", "key": "k"},
            "items": {"total": 3, "succeeded": 1, "failed": 1, "skipped": 1, "unprocessed": 0},
            "records": {"read": 5, "written": 4, "filtered": 0, "rejected": 1},
            "bytes": {"read": 10, "expanded": 20, "written": 5},
            "failures": [{"key": "a", "class": "bad_data", "code": "invalid_json", "message": "m"}],
        });
        let mut tally = Tally::default();
        tally.add_answer(3, Some(&outcome));
        tally.add_answer(3, Some(&outcome));
        tally.add_answer(2, Some(&json!({"ok": true})));
        tally.add_failure(4, Some("E"), Some(r#"{"errorType":"E","errorMessage":"why"}"#));
        assert_eq!((tally.batches, tally.outcomes, tally.failed_batches), (4, 2, 1));
        assert_eq!((tally.items_done, tally.items_in_failed_batches), (12, 4));
        assert_eq!(tally.items, Items { total: 6, succeeded: 2, failed: 2, skipped: 2, unprocessed: 0 });
        assert_eq!(tally.records.written, 8);
        assert_eq!(tally.bytes.expanded, 40);
        assert_eq!(tally.failures.len(), 2);
        assert_eq!(tally.batch_failures, [["E".to_owned(), "why".to_owned()]]);
    }
}
