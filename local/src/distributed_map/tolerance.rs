//! How many failed items a Map Run tolerates.

/// The thresholds of a state; without any, one failed item is too many.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Tolerance {
    /// Most failed items.
    pub(super) count: Option<u64>,
    /// Largest share of failed items, 0 to 100.
    pub(super) percentage: Option<f64>,
}

impl Tolerance {
    /// True when more items failed than are tolerated. The share can be judged only once all items are known.
    pub(super) fn exceeded(&self, failed: u64, total: Option<u64>) -> bool {
        if failed == 0 {
            return false;
        }
        let over_count = self.count.is_some_and(|most| failed > most);
        let over_share = match (self.percentage, total) {
            (Some(most), Some(total)) => failed as f64 * 100.0 > most * total as f64,
            // With nothing tolerated, the first failure decides whatever the total will be.
            (Some(most), None) => most == 0.0,
            (None, _) => false,
        };
        over_count || over_share || (self.count.is_none() && self.percentage.is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds() {
        let check = |count, percentage, failed, total, expected| {
            let tolerance = Tolerance { count, percentage };
            assert_eq!(tolerance.exceeded(failed, total), expected, "{tolerance:?} {failed} of {total:?}");
        };
        check(None, None, 0, Some(10), false);
        check(None, None, 1, None, true);
        check(Some(0), None, 1, None, true);
        check(Some(2), None, 2, None, false);
        check(Some(2), None, 3, None, true);
        check(None, Some(0.0), 1, None, true);
        check(None, Some(50.0), 9, None, false);
        check(None, Some(50.0), 5, Some(10), false);
        check(None, Some(50.0), 6, Some(10), true);
        check(Some(9), Some(10.0), 2, Some(10), true);
        check(Some(1), Some(100.0), 2, Some(10), true);
        check(None, Some(100.0), 10, Some(10), false);
    }
}
