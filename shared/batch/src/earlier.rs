//! What an earlier attempt at the same batch left behind.
//!
//! The ledger of a batch has a name that follows from its items, and it is there from the beginning: its first version
//! says of every item that it was begun. So an attempt that finds a ledger knows that it is not the first one, and looks
//! before it works: what is final in the ledger stays as it is, an output that says of itself that this job made it of
//! this version of the object is done, and an object that was left is taken up where it was left. An attempt that is the
//! first one asks nothing.

use crate::done::{Counts, Identity, counts, is_ledger_of, note};
use crate::event::Item;
use crate::item_error::{ItemError, WORKER_PANIC};
use crate::ledger::{BEGUN, LedgerLine, LinePosition, Status};
use crate::ledger_reader::LedgerReader;
use crate::object::{Addresses, Run};
use crate::progress::{Finished, Progress, Reading, State};
use object_store::{
    ETag, ErrorClass, ObjectAddress, ObjectError, ObjectHead, ObjectStore, OpenRequest, ResumeOptions, ResumingReader,
    WriteRequest, code,
};
use std::sync::Arc;

/// Classes of failures that come again however often an item is tried.
const FINAL_CLASSES: [ErrorClass; 3] = [ErrorClass::BadData, ErrorClass::TooLarge, ErrorClass::Changed];

/// The lines of an earlier ledger of the same batch, in the order of the items.
#[derive(Debug, Default)]
pub(crate) struct Earlier {
    lines: Vec<LedgerLine>,
}

/// What was found under the name of a ledger.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The version that is there, whoever wrote it.
    pub(crate) version: Option<ETag>,
    /// Its lines, if it is one of this job.
    pub(crate) earlier: Option<Earlier>,
}

/// What is known of an item before anything is done about it.
#[derive(Debug)]
pub(crate) enum Known {
    Nothing,
    /// It ended, and the ledger says so.
    Kept(LedgerLine),
    /// It ended, and its output says so; this is its line.
    Ended(LedgerLine),
    /// It was left between two records.
    Left(Reading),
}

impl Earlier {
    /// Reads the ledger of a batch of so many items. One that cannot be that of the batch has no lines.
    pub(crate) async fn read(
        store: &Arc<dyn ObjectStore>,
        ledger: &ObjectAddress,
        job_mark: &str,
        items: usize,
        reading: ResumeOptions,
    ) -> Result<Found, ObjectError> {
        let Some(head) = head(store.as_ref(), ledger).await? else { return Ok(Found::default()) };
        let version = Some(head.etag.clone());
        if !is_ledger_of(job_mark, &head) {
            return Ok(Found { version, earlier: None });
        }
        let request = OpenRequest { if_match: Some(head.etag), ..OpenRequest::whole(ledger.clone()) };
        let mut reader = ResumingReader::open(store.clone(), request, reading).await?;
        let mut lines = LedgerReader::new(items);
        while let Some(chunk) = reader.next().await? {
            if lines.take(&chunk).is_none() {
                return Ok(Found { version, earlier: Some(Self::default()) });
            }
        }
        Ok(Found { version, earlier: Some(Self { lines: lines.end().unwrap_or_default() }) })
    }

    /// What is known of an item and of the object that it names.
    pub(crate) async fn look(
        &self,
        run: &Run,
        (index, item): (usize, &Item),
        addresses: &Addresses,
        etag: Option<&ETag>,
    ) -> Result<Known, ItemError> {
        // Without the version that the item means nothing can be told of what is there.
        let Some(etag) = etag else { return Ok(Known::Nothing) };
        let line = self.line(index, &item.key, item.range.map(|range| range.to_string()).as_deref());
        // An item that names no version means the one that is there now.
        let line = line.filter(|line| line.etag.as_deref().is_none_or(|of_line| of_line == etag.as_str()));
        if let Some(line) = line.filter(|line| has_failed_for_good(line)) {
            return Ok(Known::Kept(line.clone()));
        }
        let identity = Identity { job: run.job_mark.clone(), etag: etag.as_str().to_owned() };
        let output = head(run.store.as_ref(), &addresses.output).await?.filter(|head| identity.is_of(head));
        if let (Some(line), Some(output)) = (line, &output)
            && line.status == Status::Succeeded
            && line.outputs.first().is_some_and(|written| written.etag.as_deref() == Some(output.etag.as_str()))
        {
            return Ok(Known::Kept(line.clone()));
        }
        let ended = |head: &ObjectHead, counts: Counts| {
            let mut line = LedgerLine::new(run.job.source.bucket.as_str(), item, Status::Succeeded);
            note(&mut line, head, &addresses.output, &addresses.rejects, counts);
            Known::Ended(line)
        };
        if let Some((head, counts)) = output.as_ref().and_then(|head| Some((head, counts(head)?))) {
            // Rejects have the run in their name, and another run may have made the output.
            let are_there = counts.rejects_are_there(run.store.as_ref(), &addresses.rejects).await?;
            return Ok(if are_there { ended(head, counts) } else { Known::Nothing });
        }
        let progress = Progress::read(&run.store, &addresses.progress, run.reading).await?;
        let progress =
            progress.filter(|progress| progress.belongs_to(&identity.job, &addresses.source, &identity.etag));
        match (progress.map(|progress| progress.state), output) {
            (Some(State::Reading(reading)), None) => Ok(Known::Left(reading)),
            (Some(State::Written(finished)), Some(head)) => Ok(ended(&head, finished.counts())),
            (Some(State::Written(finished)), None) => {
                let head = complete(run, &addresses.output, &identity, &finished).await?;
                Ok(head.map_or(Known::Nothing, |head| ended(&head, finished.counts())))
            }
            _ => Ok(Known::Nothing),
        }
    }
}

impl Earlier {
    fn line(&self, index: usize, key: &str, range: Option<&str>) -> Option<&LedgerLine> {
        let line = self.lines.get(index)?;
        (line.version == 1 && line.key == key && line.range.as_deref() == range).then_some(line)
    }

    fn line_of(&self, index: usize, line: &LedgerLine) -> Option<&LedgerLine> {
        self.line(index, &line.key, line.range.as_deref())
    }

    /// Puts a line in the place of another attempt's where this one's says more.
    pub(crate) fn merge_into(&self, lines: &mut [LedgerLine]) {
        for (index, line) in lines.iter_mut().enumerate() {
            if let Some(other) = self.line_of(index, line).filter(|other| worth(other) > worth(line)) {
                *line = other.clone();
            }
        }
    }

    /// Keeps how far items had come of which nothing more is known now.
    pub(crate) fn keep_positions(&self, lines: &mut [LedgerLine]) {
        for (index, line) in lines.iter_mut().enumerate().filter(|(_, line)| line.status == Status::Unprocessed) {
            line.position = line.position.or_else(|| self.line_of(index, line)?.position);
        }
    }

    /// True when an item that had not ended has ended or has come further.
    pub(crate) fn has_advanced(&self, lines: &[LedgerLine]) -> bool {
        lines.iter().enumerate().any(|(index, line)| {
            let (status, position) = self
                .line_of(index, line)
                .map_or((Status::Unprocessed, None), |before| (before.status, before.position));
            status == Status::Unprocessed
                && (line.status != Status::Unprocessed || byte(line.position) > byte(position))
        })
    }
}

fn byte(position: Option<LinePosition>) -> u64 {
    position.map_or(0, |position| position.byte)
}

/// How much a line says: an end more than none, what is done more than what failed.
fn worth(line: &LedgerLine) -> (u8, u64) {
    let rank = match line.status {
        Status::Succeeded | Status::Skipped => 4,
        Status::Failed if has_failed_for_good(line) => 3,
        Status::Failed => 2,
        Status::Unprocessed => u8::from(line.reason.as_deref() != Some(BEGUN)),
    };
    (rank, if line.status == Status::Unprocessed { byte(line.position) } else { 0 })
}

/// Failures of the data; others may be gone by now, and a fault of Mapmill is none of the data.
fn has_failed_for_good(line: &LedgerLine) -> bool {
    let class = line.class.as_deref();
    line.status == Status::Failed
        && line.code.as_deref() != Some(WORKER_PANIC)
        && FINAL_CLASSES.iter().any(|is_final| class == Some(is_final.as_str()))
}

impl Counts {
    async fn rejects_are_there(&self, store: &dyn ObjectStore, address: &ObjectAddress) -> Result<bool, ObjectError> {
        let Some(etag) = self.rejects_etag() else { return Ok(true) };
        Ok(head(store, address).await?.is_some_and(|head| Some(head.etag.as_str()) == etag))
    }
}

/// Asks about an object. S3 says `denied` of one that is not there to whom may not list the bucket.
pub(crate) async fn head(store: &dyn ObjectStore, address: &ObjectAddress) -> Result<Option<ObjectHead>, ObjectError> {
    match store.head(address).await {
        Ok(head) => Ok(Some(head)),
        Err(error) if matches!(error.class, ErrorClass::NotFound | ErrorClass::Denied) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes an output visible whose parts are all uploaded; `None` when the upload is gone.
async fn complete(
    run: &Run,
    output: &ObjectAddress,
    identity: &Identity,
    finished: &Finished,
) -> Result<Option<ObjectHead>, ItemError> {
    let metadata = identity.metadata(None);
    let request = WriteRequest { metadata: metadata.clone(), ..WriteRequest::new(output.clone()) };
    let mut upload = run.store.resume_upload(&request, &finished.upload).await?;
    match upload.complete().await {
        Ok(written) => Ok(Some(ObjectHead { etag: written.etag, size: written.bytes, metadata })),
        Err(error) if error.code == code::NO_SUCH_UPLOAD => Ok(None),
        Err(error) => Err(error.into()),
    }
}

impl Finished {
    fn counts(&self) -> Counts {
        Counts::new(self.records, self.bytes, self.rejects.as_ref())
    }
}
