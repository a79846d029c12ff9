//! The transform function: JSON and CSV objects in, clean reshaped objects out.
//!
//! All of its work is [`batch::Worker::process_batch`]; this crate is the name under which it is deployed.

use batch::{BatchError, Deadline, Outcome, Worker};
use serde_json::Value;

/// Answers one invocation: an event as `batch::Event` describes it, an outcome back.
///
/// # Errors
/// The batch as a whole cannot be processed; see [`BatchError`].
pub async fn handle(worker: Worker, event: Value, deadline: Deadline) -> Result<Outcome, BatchError> {
    worker.process_batch(&event, deadline).await
}
