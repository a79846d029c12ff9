//! The memory that an item holds while it is worked on.
//!
//! Every item takes its weight before it begins. What an item weighs is told from its name and listed size, and both may be
//! wrong: an object may be larger than the row of a file said, expand more than usual, or become an output that is much
//! larger than itself. So an item may need more than it took.
//!
//! * An object that turns out to be large gives back what it holds and waits in line as a large one. It has read nothing
//!   but its first bytes, so while it waits it holds next to nothing.
//! * An item that grows while it is worked on takes more if there is more. If not, it waits for the one place of growth: a
//!   part of the budget that is kept back for one item at a time. Its holder can always go on to its end and gives
//!   everything back, so nobody waits for ever.

use crate::budget::Budget;
use std::sync::Arc;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

/// The memory of a batch.
#[derive(Debug, Clone)]
pub(crate) struct Memory {
    items: Arc<Semaphore>,
    growth: Arc<Semaphore>,
}

impl Memory {
    /// All that the items of a batch may take.
    pub(crate) fn new(budget: Budget) -> Self {
        let items = Semaphore::new(permits(budget.for_items()) as usize);
        Self { items: Arc::new(items), growth: Arc::new(Semaphore::new(1)) }
    }

    /// Waits until an item of this weight in MiB may begin.
    pub(crate) async fn lease(self, mebibytes: u64) -> Result<Lease, AcquireError> {
        let held = self.items.clone().acquire_many_owned(permits(mebibytes)).await?;
        Ok(Lease { memory: self, mebibytes, held: Some(held), grown: None })
    }
}

/// What one item holds; dropping it gives everything back.
#[derive(Debug)]
pub(crate) struct Lease {
    memory: Memory,
    mebibytes: u64,
    /// None only while it waits for another weight.
    held: Option<OwnedSemaphorePermit>,
    grown: Option<OwnedSemaphorePermit>,
}

impl Lease {
    /// If this weight in MiB is more than what is held, gives that back and waits for it.
    pub(crate) async fn exchange(&mut self, mebibytes: u64) {
        if mebibytes <= self.mebibytes {
            return;
        }
        (self.held, self.mebibytes) = (None, mebibytes);
        // Nobody closes the semaphore.
        self.held = self.memory.items.clone().acquire_many_owned(permits(mebibytes)).await.ok();
    }

    /// Takes this much more, in MiB and at most what is kept back for growth; once is enough for an item.
    pub(crate) async fn grow(&mut self, mebibytes: u64) {
        if self.grown.is_some() {
            return;
        }
        self.grown = match self.memory.items.clone().try_acquire_many_owned(permits(mebibytes)) {
            Ok(more) => Some(more),
            Err(_) => self.memory.growth.clone().acquire_owned().await.ok(),
        };
    }
}

/// Semaphores count in 32 bits; a function has at most 10,240 MiB.
fn permits(mebibytes: u64) -> u32 {
    u32::try_from(mebibytes).unwrap_or(u32::MAX >> 4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::timeout;

    async fn waits<T>(work: impl Future<Output = T>) -> bool {
        timeout(Duration::from_secs(1), work).await.is_err()
    }

    #[tokio::test(start_paused = true)]
    async fn one_item_grows_beyond_the_budget_and_the_next_one_waits_for_it() {
        let budget = Budget::of_function(128);
        let memory = Memory::new(budget);
        let half = budget.for_items() / 2;
        let mut first = memory.clone().lease(half).await.unwrap();
        let mut second = memory.clone().lease(budget.for_items() - half).await.unwrap();
        assert!(waits(memory.clone().lease(1)).await, "all is taken");
        assert!(!waits(first.grow(24)).await, "what is kept back is for one");
        assert!(waits(second.grow(24)).await, "and for one only");
        assert!(!waits(first.grow(24)).await, "growing once is enough");
        drop(first);
        assert!(!waits(second.grow(half)).await);
        assert!(waits(memory.lease(1)).await, "it grew into what the first one gave back");
    }

    #[tokio::test(start_paused = true)]
    async fn an_item_that_is_larger_than_it_said_waits_without_holding_anything() {
        let budget = Budget::of_function(128);
        let (memory, all) = (Memory::new(budget), budget.for_items());
        let mut first = memory.clone().lease(all / 2).await.unwrap();
        let mut second = memory.clone().lease(all / 2).await.unwrap();
        let both = async {
            tokio::join!(first.exchange(all), async {
                second.exchange(all).await;
                drop(second);
            });
        };
        // Each wants all; holding on to its half none of them would ever get it.
        assert!(waits(both).await, "the first one holds all until it is dropped");
        drop(first);
        assert!(!waits(memory.lease(all)).await);
    }
}
