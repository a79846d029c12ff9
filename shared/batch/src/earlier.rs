//! What an earlier attempt at the same batch left behind.
//!
//! The ledger of a batch has a name that follows from its items, and it is there from the beginning: its first version
//! says of every item that it was begun. So an attempt that finds a ledger knows that it is not the first one, and looks
//! before it works: what is final in the ledger stays as it is, an output that says of itself that this job made it of
//! this version of the object is done, and an object that was left is taken up where it was left. An attempt that is the
//! first one asks nothing.

use crate::done::{Counts, Identity, counts, is_ledger_of, note};
use crate::event::Item;
use crate::item_error::ItemError;
use crate::ledger::{LedgerLine, Status};
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

/// What is known of an item before anything is done about it.
#[derive(Debug)]
pub(crate) enum Known {
    Nothing,
    /// It ended; this is its line.
    Ended(LedgerLine),
    /// It was left between two records.
    Left(Reading),
}

impl Earlier {
    /// Reads the ledger of a batch of so many items; `None` when there is none of this job. One that cannot be that of
    /// the batch has no lines.
    pub(crate) async fn read(
        store: &Arc<dyn ObjectStore>,
        ledger: &ObjectAddress,
        job_mark: &str,
        items: usize,
        reading: ResumeOptions,
    ) -> Result<Option<Self>, ObjectError> {
        let Some(head) = head(store.as_ref(), ledger).await? else { return Ok(None) };
        if !is_ledger_of(job_mark, &head) {
            return Ok(None);
        }
        let request = OpenRequest { if_match: Some(head.etag), ..OpenRequest::whole(ledger.clone()) };
        let mut reader = ResumingReader::open(store.clone(), request, reading).await?;
        let mut lines = LedgerReader::new(items);
        while let Some(chunk) = reader.next().await? {
            if lines.take(&chunk).is_none() {
                return Ok(Some(Self::default()));
            }
        }
        Ok(Some(Self { lines: lines.end().unwrap_or_default() }))
    }

    /// What is known of an item and of the object that it names.
    pub(crate) async fn look(
        &self,
        run: &Run,
        (index, item): (usize, &Item),
        addresses: &Addresses,
        etag: Option<&ETag>,
    ) -> Result<Known, ItemError> {
        let line = self.lines.get(index).filter(|line| {
            line.version == 1 && line.key == item.key && line.range == item.range.map(|range| range.to_string())
        });
        if let Some(line) = line.filter(|line| has_failed_for_good(line)) {
            return Ok(Known::Ended(line.clone()));
        }
        // Without the version that the item means nothing can be told of what is there.
        let Some(etag) = etag else { return Ok(Known::Nothing) };
        let identity = Identity { job: run.job_mark.clone(), etag: etag.as_str().to_owned() };
        let output = head(run.store.as_ref(), &addresses.output).await?.filter(|head| identity.is_of(head));
        if let (Some(line), Some(output)) = (line, &output)
            && line.status == Status::Succeeded
            && line.outputs.first().is_some_and(|written| written.etag.as_deref() == Some(output.etag.as_str()))
        {
            return Ok(Known::Ended(line.clone()));
        }
        let ended = |head: &ObjectHead, counts: Counts| {
            let mut line = LedgerLine::new(run.job.source.bucket.as_str(), item, Status::Succeeded);
            note(&mut line, head, &addresses.output, &addresses.rejects, counts);
            Known::Ended(line)
        };
        if let Some((head, counts)) = output.as_ref().and_then(|head| Some((head, counts(head)?))) {
            return Ok(ended(head, counts));
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

/// Failures of the data; others may be gone by now.
fn has_failed_for_good(line: &LedgerLine) -> bool {
    let class = line.class.as_deref();
    line.status == Status::Failed && FINAL_CLASSES.iter().any(|is_final| class == Some(is_final.as_str()))
}

/// Asks about an object. S3 says `denied` of one that is not there to whom may not list the bucket.
async fn head(store: &dyn ObjectStore, address: &ObjectAddress) -> Result<Option<ObjectHead>, ObjectError> {
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
