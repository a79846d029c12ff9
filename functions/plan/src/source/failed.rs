//! The failures of an earlier run as the source.
//!
//! The report of a run writes a line for every item that failed, was not done or is missing. Each becomes an item again, just
//! as it was: a range stays that range, or its output would get another name than in a run without faults. An object that
//! failed, or whose version is not known, is asked for the present one: whoever mends it repairs the run behind it.
//!
//! A range of an object that was changed cannot be repaired: its other ranges are of the version before. It stays as it is
//! and fails again, and the plan warns of it.

use crate::found::{Found, Range};
use crate::lines::Lines;
use batch::{BatchError, Worker, check_read, check_write};
use futures::{StreamExt, stream};
use job::Job;
use object_store::{Compression, ErrorClass, ExpansionLimits, ObjectAddress};
use serde::Deserialize;

/// Lines that are handed on at a time.
const PAGE: usize = 1000;

/// Objects that are asked for at the same time.
const AT_ONCE: usize = 16;

/// What is read of a line.
#[derive(Debug, Deserialize)]
struct Line {
    bucket: Option<String>,
    key: String,
    etag: Option<String>,
    size: Option<u64>,
    range: Option<String>,
    class: Option<String>,
}

/// Failures of an earlier run.
pub(crate) struct Failures {
    worker: Worker,
    lines: Lines,
    bucket: String,
    changed_ranges: u64,
}

impl Failures {
    pub(super) async fn open(worker: &Worker, address: ObjectAddress, job: &Job) -> Result<Self, BatchError> {
        let doing = "the failures of the run that is to be repaired cannot be read; its report writes them";
        // They lie where this run writes too.
        check_write(worker.writable(), &address).map_err(|error| BatchError::from_store(doing, &error))?;
        let lines = Lines::open(worker.store(), &address, Compression::None, ExpansionLimits::default(), doing).await?;
        let bucket = job.source.bucket.as_str().to_owned();
        Ok(Self { worker: worker.clone(), lines, bucket, changed_ranges: 0 })
    }

    pub(super) fn warnings(&self) -> Vec<String> {
        let count = self.changed_ranges;
        let warning = || {
            format!(
                "{count} ranges of objects that were changed cannot be repaired, because their other ranges are of the \
                 version before; run the job again for these objects"
            )
        };
        (count > 0).then(warning).into_iter().collect()
    }

    pub(super) async fn next_page(&mut self) -> Result<Option<Vec<Found>>, BatchError> {
        let mut page = Vec::new();
        while page.len() < PAGE {
            let Some(text) = self.lines.next().await? else { break };
            let line = serde_json::from_str::<Line>(text).ok();
            let line = line.filter(|line| line.bucket.as_ref().is_none_or(|bucket| *bucket == self.bucket));
            let read = line.and_then(|line| {
                let range = match &line.range {
                    None => None,
                    Some(text) => Some(Range::parse(text)?),
                };
                Some((range, line))
            });
            let Some((range, line)) = read else {
                return Err(self.lines.unexpected("the key, version and range of an object of source.bucket"));
            };
            let is_changed = line.class.as_deref() == Some(ErrorClass::Changed.as_str());
            if is_changed && range.is_some() {
                self.changed_ranges += 1;
            }
            let etag = line.etag.map(|etag| etag.trim_matches('"').to_owned()).filter(|etag| !etag.is_empty());
            let is_asked_for = range.is_none() && (line.class.is_some() || etag.is_none() || line.size.is_none());
            let found = Found { key: line.key, size: line.size, etag, range, not_present: false };
            page.push((found, is_asked_for));
        }
        if page.is_empty() {
            return Ok(None);
        }
        let asked = stream::iter(page).map(|(found, is_asked_for)| {
            let (worker, bucket) = (&self.worker, &self.bucket);
            async move { if is_asked_for { present(worker, bucket, found).await } else { Ok(found) } }
        });
        let page: Vec<Result<Found, BatchError>> = asked.buffered(AT_ONCE).collect().await;
        page.into_iter().collect::<Result<Vec<_>, _>>().map(Some)
    }
}

/// The object in its present version. One that is gone, or whose key is none, stays as it is: the worker says so.
async fn present(worker: &Worker, bucket: &str, found: Found) -> Result<Found, BatchError> {
    let Ok(address) = ObjectAddress::parse(bucket, &found.key) else { return Ok(found) };
    let doing = "an object cannot be asked for";
    check_read(worker.readable(), &address).map_err(|error| BatchError::from_store(doing, &error))?;
    match worker.store().head(&address).await {
        Ok(head) => Ok(Found { size: Some(head.size), etag: Some(head.etag.as_str().to_owned()), ..found }),
        Err(error) if error.class.is_retriable() => Err(BatchError::from_store(doing, &error)),
        Err(_) => Ok(found),
    }
}
