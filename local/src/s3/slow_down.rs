//! Refusing a share of the requests to a bucket with `SlowDown`, to try how a client takes it.
//!
//! Which requests are refused is not chance: with a share of a quarter it is every fourth. So a test that needs one
//! refusal knows when it comes.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// The shares of all buckets.
#[derive(Debug, Default)]
pub(super) struct SlowDown {
    buckets: Mutex<BTreeMap<String, Bucket>>,
}

#[derive(Debug)]
struct Bucket {
    share: f64,
    /// What is owed: a request is refused when it reaches one.
    owed: f64,
}

impl SlowDown {
    /// Sets the share for a bucket, from 0 (none) to 1 (all).
    pub(super) fn set(&self, bucket: &str, share: f64) {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if share > 0.0 {
            buckets.insert(bucket.to_owned(), Bucket { share: share.min(1.0), owed: 0.0 });
        } else {
            buckets.remove(bucket);
        }
    }

    /// True when this request to a bucket is to be refused.
    pub(super) fn refuses(&self, bucket: &str) -> bool {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(bucket) = buckets.get_mut(bucket) else { return false };
        bucket.owed += bucket.share;
        // A tenth and nine more make not quite one.
        let refused = bucket.owed > 1.0 - 1e-9;
        if refused {
            bucket.owed -= 1.0;
        }
        refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_exact() {
        let check = |share: f64, expected: usize| {
            let slow_down = SlowDown::default();
            slow_down.set("raw", share);
            let refused = (0..1_000).filter(|_| slow_down.refuses("raw")).count();
            assert_eq!(refused, expected, "{share}");
            assert!(!slow_down.refuses("other"));
            slow_down.set("raw", 0.0);
            assert!(!slow_down.refuses("raw"));
        };
        check(0.0, 0);
        check(0.1, 100);
        check(0.25, 250);
        check(1.0, 1_000);
    }
}
