//! Whether a run is good: the counts held against the tolerances of the job.

use crate::figures::Items;
use batch::Records;
use job::Tolerance;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Reasons that are given at most.
pub(crate) const MAX_REASONS: usize = 10;

/// The longest reason, in characters.
const MAX_REASON: usize = 400;

/// Whether a run is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every item is accounted for, and no more went wrong than the job tolerates.
    Succeeded,
    /// Something is not.
    #[default]
    Failed,
}

/// What a verdict follows from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Evidence<'a> {
    pub(crate) items: Items,
    pub(crate) records: Records,
    pub(crate) tolerance: &'a Tolerance,
    /// Items that have a line in a ledger beyond those that were planned.
    pub(crate) surplus: u64,
    /// What ended the Map state, as Step Functions tells it.
    pub(crate) failure: Option<&'a Value>,
    /// Ledgers or result files that could not be read.
    pub(crate) unreadable: &'a [String],
}

/// The verdict, and why it is not a better one.
pub(crate) fn judge(evidence: &Evidence<'_>) -> (Verdict, Vec<String>) {
    let mut reasons = Vec::new();
    let Evidence { items, tolerance, .. } = evidence;
    if let Some(failure) = evidence.failure {
        let part = |name: &str| failure.get(name).and_then(Value::as_str).unwrap_or("not told");
        reasons.push(format!("Step Functions ended the run with {}: {}", part("Error"), part("Cause")));
    }
    if items.missing > 0 {
        reasons.push(format!(
            "{} of {} items have no line in any ledger ({} of them known by name, {} not)",
            items.missing,
            items.total,
            items.missing_named,
            items.missing - items.missing_named
        ));
    }
    if evidence.surplus > 0 {
        reasons.push(format!(
            "the ledgers have {} items more than the {} that were planned: the source changed while the run was planned \
             or began",
            evidence.surplus,
            items.total - evidence.surplus
        ));
    }
    let failed = items.failed + items.unprocessed;
    let allowed = allowed_items(tolerance, items.total - items.skipped);
    if failed > allowed {
        reasons.push(format!(
            "{failed} items have no output ({} failed, {} unprocessed); {allowed} are tolerated",
            items.failed, items.unprocessed
        ));
    }
    let records = &evidence.records;
    let seen = records.written + records.filtered + records.rejected;
    if records.rejected as f64 > tolerance.rejected_records_ratio * seen as f64 {
        reasons.push(format!(
            "{} of {seen} records were rejected; a ratio of {} is tolerated",
            records.rejected, tolerance.rejected_records_ratio
        ));
    }
    reasons.extend(evidence.unreadable.iter().cloned());
    reasons.truncate(MAX_REASONS);
    let reasons: Vec<String> = reasons.iter().map(|reason| crate::figures::shortened(reason, MAX_REASON)).collect();
    (if reasons.is_empty() { Verdict::Succeeded } else { Verdict::Failed }, reasons)
}

/// Items that may be without output: the larger of the number and the part of those that were to be processed.
fn allowed_items(tolerance: &Tolerance, items: u64) -> u64 {
    // The part of a whole number of items: 0.001 of 1,999 items is one item.
    let part = (tolerance.failed_items_ratio * items as f64).floor() as u64;
    tolerance.failed_items.max(part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn tolerance(failed_items: u64, failed_items_ratio: f64, rejected_records_ratio: f64) -> Tolerance {
        Tolerance { failed_items, failed_items_ratio, rejected_records_ratio }
    }

    /// Judges 1,000 items of which 100 were skipped, and 1,000 records.
    fn check(tolerance: &Tolerance, (failed, unprocessed, missing): (u64, u64, u64), rejected: u64, words: &[&str]) {
        let succeeded = 900 - failed - unprocessed - missing;
        let items =
            Items { total: 1000, succeeded, failed, skipped: 100, unprocessed, missing, missing_named: missing / 2 };
        let records = Records { read: 1000, written: 1000 - rejected, rejected, ..Records::default() };
        let evidence = Evidence { items, records, tolerance, surplus: 0, failure: None, unreadable: &[] };
        let (verdict, reasons) = judge(&evidence);
        assert_eq!(verdict == Verdict::Succeeded, words.is_empty(), "{reasons:?}");
        assert_eq!(reasons.len(), words.len(), "{reasons:?}");
        for (reason, word) in reasons.iter().zip(words) {
            assert!(reason.contains(word), "{word:?} is missing in {reason:?}");
        }
    }

    #[test]
    fn the_larger_tolerance_of_items_counts() {
        let none = Tolerance::default();
        check(&none, (0, 0, 0), 0, &[]);
        check(&none, (1, 0, 0), 0, &["1 items have no output (1 failed, 0 unprocessed); 0 are tolerated"]);
        check(&none, (0, 1, 0), 0, &["(0 failed, 1 unprocessed)"]);
        check(&tolerance(5, 0.0, 1.0), (3, 2, 0), 0, &[]);
        check(&tolerance(5, 0.0, 1.0), (3, 3, 0), 0, &["5 are tolerated"]);
        // A hundredth of the 900 items that were not skipped.
        check(&tolerance(5, 0.01, 1.0), (9, 0, 0), 0, &[]);
        check(&tolerance(5, 0.01, 1.0), (10, 0, 0), 0, &["9 are tolerated"]);
        check(&tolerance(0, 0.00111, 1.0), (1, 0, 0), 0, &["0 are tolerated"]);
    }

    #[test]
    fn no_tolerance_covers_a_missing_item() {
        let all = tolerance(1000, 1.0, 1.0);
        check(&all, (0, 0, 5), 0, &["5 of 1000 items have no line in any ledger (2 of them known by name, 3 not)"]);
    }

    #[test]
    fn rejected_records_have_a_tolerance_of_their_own() {
        check(&tolerance(0, 0.0, 0.02), (0, 0, 0), 20, &[]);
        check(&tolerance(0, 0.0, 0.02), (0, 0, 0), 21, &["21 of 1000 records were rejected; a ratio of 0.02"]);
        check(&tolerance(0, 0.0, 0.0), (2, 0, 0), 1, &["2 items have no output", "1 of 1000 records"]);
        check(&Tolerance::default(), (0, 0, 0), 1000, &[]);
    }

    #[test]
    fn what_step_functions_and_the_store_say_counts() {
        let tolerance = tolerance(1000, 1.0, 1.0);
        let failure = json!({"Error": "States.ExceedToleratedFailureThreshold", "Cause": "c".repeat(40_000)});
        let unreadable: Vec<String> = (0..20).map(|number| format!("file {number}")).collect();
        let items = Items { total: 12, succeeded: 12, ..Items::default() };
        let evidence = Evidence {
            items,
            records: Records::default(),
            tolerance: &tolerance,
            surplus: 2,
            failure: Some(&failure),
            unreadable: &unreadable,
        };
        let (verdict, reasons) = judge(&evidence);
        assert_eq!((verdict, reasons.len()), (Verdict::Failed, MAX_REASONS));
        assert!(
            reasons[0].starts_with("Step Functions ended the run with States.ExceedToleratedFailureThreshold: ccc")
        );
        assert!(reasons[0].chars().count() <= MAX_REASON + 1);
        assert!(reasons[1].contains("2 items more than the 10 that were planned"), "{}", reasons[1]);
    }
}
