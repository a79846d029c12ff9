//! The one budget of bytes that the store may hold in memory.
//!
//! Bodies reserve what they buffer and give it back when they are dropped. A reservation that does not fit is no error:
//! the body goes to a file instead.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A shared budget in bytes.
#[derive(Clone, Debug)]
pub(super) struct MemoryBudget {
    limit: u64,
    used: Arc<AtomicU64>,
}

impl MemoryBudget {
    pub(super) fn new(limit: u64) -> Self {
        Self { limit, used: Arc::default() }
    }

    /// A reservation of nothing, to be grown.
    pub(super) fn reserve_nothing(&self) -> Reservation {
        Reservation { budget: self.clone(), bytes: 0 }
    }

    /// Bytes in use now.
    pub(super) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }
}

/// A share of the budget, given back when dropped.
#[derive(Debug)]
pub(super) struct Reservation {
    budget: MemoryBudget,
    bytes: u64,
}

impl Reservation {
    /// Takes `bytes` more. `false`: they do not fit and nothing changed.
    pub(super) fn grow(&mut self, bytes: u64) -> bool {
        let limit = self.budget.limit;
        let taken = self.budget.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
            used.checked_add(bytes).filter(|total| *total <= limit)
        });
        if taken.is_ok() {
            self.bytes += bytes;
        }
        taken.is_ok()
    }

    /// Gives everything back.
    pub(super) fn release(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
        self.bytes = 0;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reservations_add_up_to_the_limit_and_come_back() {
        let budget = MemoryBudget::new(10);
        let mut first = budget.reserve_nothing();
        let mut second = budget.reserve_nothing();
        assert!(first.grow(6));
        assert!(!second.grow(5));
        assert!(second.grow(4));
        assert_eq!(budget.used(), 10);
        drop(first);
        assert!(second.grow(6));
        assert_eq!(budget.used(), 10);
        drop(second);
        assert_eq!(budget.used(), 0);
    }
}
