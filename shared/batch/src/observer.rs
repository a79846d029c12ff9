//! Who is told what came of a batch, besides Step Functions.
//!
//! A batch that fails because of its items (`on_failure: fail`) has no answer, yet its numbers are what an operator wants
//! to see. So the worker tells them to an observer, whichever way the batch ends.

use crate::outcome::Outcome;

/// Is told the numbers of batches, for metrics.
pub trait Observer: Send + Sync {
    /// A batch of the job with this name came to its end, and its ledger is written.
    fn batch_finished(&self, job: &str, outcome: &Outcome);
}
