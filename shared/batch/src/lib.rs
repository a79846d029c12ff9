//! The contract of a Distributed Map worker: a batch of items in, one outcome out, nothing lost and nothing twice.
//!
//! [`Worker::process_batch`] takes the event that Step Functions hands to a child, processes every item and answers an
//! [`Outcome`]. Every item ends as exactly one of succeeded, failed, skipped or unprocessed, with one line in the ledger
//! ([`LedgerLine`]). A bad item never fails the others; errors of the batch as a whole have constant names
//! ([`error_name`]) that a state machine can match.
//!
//! [`answer`] takes the events of S3 Batch Operations as well, and answers each in the form that its sender expects.
//!
//! The crate knows no AWS SDK and no Lambda runtime: it works on the port of `object-store`.

mod assignment;
mod batch_operations;
mod budget;
mod deadline;
mod done;
mod earlier;
mod error;
mod event;
mod item_error;
mod lease;
mod ledger;
mod ledger_file;
mod ledger_reader;
mod log;
mod names;
mod object;
mod observer;
mod outcome;
mod overlap;
mod places;
mod progress;
mod rejects;
mod stream_options;
mod tries;
mod worker;

pub use assignment::skip_reason;
pub use batch_operations::{Answer, JOB_VARIABLE, MAX_TASKS, ResultCode, TaskAnswer, TaskAnswers, answer};
pub use budget::{Budget, MAX_IN_FLIGHT};
pub use deadline::Deadline;
pub use error::{BatchError, error_name};
pub use event::{Event, Item, ItemRange, JobReference, MAX_ITEMS, check_run_id, decode_key};
pub use ledger::{LedgerLine, LinePosition, Status, WrittenObject, batch_id, ledger_address};
pub use log::{STAGE_TARGET, identify, identify_job};
pub use observer::Observer;
pub use outcome::{Address, Bytes, Failure, ItemCounts, MAX_OUTCOME_BYTES, Outcome, Records};
pub use overlap::Overlap;
pub use places::{READ_VARIABLE, WRITE_VARIABLE, check_read, check_write};
pub use worker::Worker;
