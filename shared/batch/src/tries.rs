//! The tries that one object is given within an invocation.
//!
//! A service announces the checksum of a body before it and the bytes are compared at the end, when they have long been
//! processed. They cannot be taken back one by one, but nothing of them is visible yet. So the output is given up and the
//! object is processed from its beginning, a few times at most.

use crate::item_error::{ItemError, WORKER_PANIC};
use crate::lease::Lease;
use crate::ledger::{LedgerLine, OUT_OF_TIME, Status};
use crate::object::{Addresses, End, Report, Run, process};
use crate::progress::{Progress, Reading, State};
use futures::FutureExt;
use object_store::{ETag, ErrorClass, code};
use std::panic::AssertUnwindSafe;

/// How often an object is processed when its bytes have another checksum or size each time, the first time included.
const READINGS: u32 = 3;

/// True when an object may be all right although it failed.
pub(crate) fn is_damaged(error: &ItemError) -> bool {
    [code::CHECKSUM_MISMATCH, code::SIZE_MISMATCH].contains(&error.code)
}

/// True when an object cannot go on where it was left: its upload is gone, or another Mapmill left it.
fn is_stale(error: &ItemError) -> bool {
    [code::NO_SUCH_UPLOAD, "checkpoint_mismatch"].contains(&error.code)
}

/// Whether what was written down of an object was of use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notes {
    Fine,
    /// The object could not go on where it was left, or another attempt has taken it up meanwhile.
    Stale,
}

/// Processes an object and writes into its line what came of it.
pub(crate) async fn process_into(
    line: &mut LedgerLine,
    run: &Run,
    addresses: &Addresses,
    etag: Option<ETag>,
    left: Option<Reading>,
    lease: &mut Lease,
) -> Notes {
    let mut report = Report::default();
    let was_left = left.is_some();
    let work = process_until_whole(run, addresses, etag, left, lease, &mut report);
    // A fault in Mapmill is one item's failure and not the loss of the others.
    let result = AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|_| {
        let message = "the worker panicked on this object; this is a fault in Mapmill";
        Err(ItemError::new(ErrorClass::BadData, WORKER_PANIC, message))
    });
    let is_stale = matches!(&result, Err(error) if is_stale(error) && (was_left || report.is_noted));
    line.etag = report.etag.or(line.etag.take());
    line.bytes = report.bytes;
    line.retries = report.retries;
    match result {
        Ok(End::Done) => {
            line.status = Status::Succeeded;
            line.records = report.records;
            line.outputs = report.outputs;
        }
        Ok(End::Left(position)) => {
            line.status = Status::Unprocessed;
            line.reason = Some(OUT_OF_TIME.to_owned());
            line.position = Some(position.into());
        }
        Err(error) => error.note_in(line),
    }
    line.rejects = report.rejects;
    if is_stale { Notes::Stale } else { Notes::Fine }
}

/// Processes an object until its bytes came as they were announced. The report is that of the last time.
async fn process_until_whole(
    run: &Run,
    addresses: &Addresses,
    etag: Option<ETag>,
    mut left: Option<Reading>,
    lease: &mut Lease,
    report: &mut Report,
) -> Result<End, ItemError> {
    let (mut readings, mut retries) = (1, 0);
    loop {
        *report = Report::default();
        let result = process(run, addresses.clone(), etag.clone(), left.take(), lease, report).await;
        report.retries += retries;
        match result {
            Err(error) if is_damaged(&error) && readings < READINGS => {
                tracing::warn!(file_name = addresses.source.key.as_str(), readings, "the object is read again");
                forget(run, addresses, report).await?;
                tokio::time::sleep(run.reading.backoff.delay(readings - 1)).await;
                readings += 1;
                retries = report.retries + 1;
            }
            Err(error) if is_damaged(&error) => {
                forget(run, addresses, report).await?;
                return Err(error);
            }
            result => return result,
        }
    }
}

/// What was written down of damaged bytes is never taken up.
async fn forget(run: &Run, addresses: &Addresses, report: &Report) -> Result<(), ItemError> {
    let Some(etag) = report.etag.as_ref().filter(|_| report.is_noted) else { return Ok(()) };
    let nothing = Progress::new(&run.job_mark, &addresses.source, etag, State::Forgotten);
    Ok(nothing.write(run.store.as_ref(), &addresses.progress).await?)
}
