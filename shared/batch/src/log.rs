//! What a batch says of itself: one line for every item, one for the batch, and the stages of its time.
//!
//! A line has a constant message; everything that varies is a field. Whoever runs the worker opens a span for the
//! invocation that declares the fields `correlation_id`, `run_id` and `job` empty; [`identify`] and [`identify_job`] fill
//! them as soon as they are known, so that every later line within the invocation carries them, also those of libraries.
//! All fields are listed with their meaning in `docs/logging.md`.
//!
//! A [`stage`] is a span without fields. Nothing is logged of it; a tracing service can show how the time of a batch
//! divides. There are a handful of them in a batch, however many items it has.

use crate::event::Event;
use crate::ledger::{LedgerLine, Status};
use crate::outcome::Outcome;
use job::Job;
use tracing::Span;

/// The target of all stages, by which a subscriber tells them from other spans.
pub const STAGE_TARGET: &str = "batch::stage";

/// A part of a batch whose time is worth knowing.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stage {
    /// The job file is read from the store and checked.
    ReadJob,
    /// The items are processed.
    ProcessItems,
    /// The ledger is written.
    WriteLedger,
}

/// The span of a stage. Its level is the highest, because the level asked for chooses lines and not spans.
pub(crate) fn stage(stage: Stage) -> Span {
    match stage {
        Stage::ReadJob => tracing::error_span!(target: STAGE_TARGET, "read_job"),
        Stage::ProcessItems => tracing::error_span!(target: STAGE_TARGET, "process_items"),
        Stage::WriteLedger => tracing::error_span!(target: STAGE_TARGET, "write_ledger"),
    }
}

/// Names the run in all further lines of the invocation.
pub fn identify(event: &Event) {
    Span::current().record("correlation_id", event.correlation_id.as_str()).record("run_id", event.run_id.as_str());
}

/// Names the job in all further lines of the invocation.
pub fn identify_job(job: &Job) {
    Span::current().record("job", job.name.as_str());
}

/// Writes the line of an item: a warning when it failed or was not done, so that a higher level leaves only those.
pub(crate) fn item(line: &LedgerLine) {
    macro_rules! write_line {
        ($level:expr) => {
            tracing::event!(
                $level,
                bucket = line.bucket,
                file_name = line.key,
                etag = line.etag,
                status = line.status.name(),
                reason = line.reason,
                class = line.class,
                code = line.code,
                error = line.message,
                position_byte = line.position.map(|position| position.byte),
                position_line = line.position.map(|position| position.line),
                position_record = line.position.map(|position| position.record),
                records_read = line.records.read,
                records_written = line.records.written,
                records_filtered = line.records.filtered,
                records_rejected = line.records.rejected,
                bytes_read = line.bytes.read,
                bytes_expanded = line.bytes.expanded,
                bytes_written = line.bytes.written,
                retries = line.retries,
                duration_ms = line.duration_ms,
                "item finished"
            )
        };
    }
    match line.status {
        Status::Succeeded | Status::Skipped => write_line!(tracing::Level::INFO),
        Status::Failed | Status::Unprocessed => write_line!(tracing::Level::WARN),
    }
}

/// Writes the line of a batch that came to its end: a warning when something in it failed or was not done.
pub(crate) fn batch(source_bucket: &str, outcome: &Outcome) {
    macro_rules! write_line {
        ($level:expr) => {
            tracing::event!(
                $level,
                bucket = source_bucket,
                items = outcome.items.total,
                items_succeeded = outcome.items.succeeded,
                items_failed = outcome.items.failed,
                items_skipped = outcome.items.skipped,
                items_unprocessed = outcome.items.unprocessed,
                records_read = outcome.records.read,
                records_written = outcome.records.written,
                records_filtered = outcome.records.filtered,
                records_rejected = outcome.records.rejected,
                bytes_read = outcome.bytes.read,
                bytes_expanded = outcome.bytes.expanded,
                bytes_written = outcome.bytes.written,
                retries = outcome.retries,
                ledger = outcome.ledger.key,
                duration_ms = outcome.duration_ms,
                "batch finished"
            )
        };
    }
    if outcome.items.failed + outcome.items.unprocessed == 0 {
        write_line!(tracing::Level::INFO);
    } else {
        write_line!(tracing::Level::WARN);
    }
}
