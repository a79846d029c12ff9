//! The transform function: JSON and CSV objects in, clean reshaped objects out.
//!
//! All of its work is [`batch::answer`], which serves Distributed Map and S3 Batch Operations; this crate is the name under
//! which it is deployed.

use batch::{Answer, BatchError, Deadline, JOB_VARIABLE, Worker};
use serde_json::value::RawValue;
use std::sync::LazyLock;

/// The job for S3 Batch Operations, read once in the life of the process.
static DEFAULT_JOB: LazyLock<Option<String>> = LazyLock::new(|| std::env::var(JOB_VARIABLE).ok());

/// Answers one invocation: an event as `batch::Event` describes it, an outcome back; or one of S3 Batch Operations.
///
/// # Errors
/// The batch as a whole cannot be processed; see [`BatchError`].
pub async fn handle(worker: Worker, event: Box<RawValue>, deadline: Deadline) -> Result<Answer, BatchError> {
    batch::answer(&worker, &event, DEFAULT_JOB.as_deref(), deadline).await
}
