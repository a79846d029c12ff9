//! A batch from event to answer.

use crate::assignment::{Assignment, assign};
use crate::budget::Budget;
use crate::deadline::Deadline;
use crate::done::job_mark;
use crate::earlier::{Earlier, Known, head};
use crate::error::BatchError;
use crate::event::{Event, Item, JobReference};
use crate::item_error::ItemError;
use crate::lease::{Lease, Memory};
use crate::ledger::{BEGUN, LedgerLine, OUT_OF_TIME, Status, batch_id, ledger_address};
use crate::ledger_file::LedgerFile;
use crate::log::{self, Stage};
use crate::object::{Addresses, Noted, Run};
use crate::observer::Observer;
use crate::outcome::Outcome;
use crate::overlap::Overlap;
use crate::places::{check_read, check_write};
use crate::progress::Reading;
use crate::stream_options::StreamPlan;
use crate::tries::{Notes, process_into};
use job::{Job, OnFailure};
use object_store::{ETag, ObjectAddress, ObjectStore, OpenRequest, Places, ResumeOptions, ResumingReader};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::Instrument;

/// Longest job file read from the store, in bytes; the job file's own limit.
const MAX_JOB_BYTES: usize = job::limits::MAX_TEXT_BYTES;

/// How often at most the state of a large object is written down, so that an invocation that dies loses no more.
const NOTE_EVERY: Duration = Duration::from_secs(60);

/// Processes batches. One worker serves a process; it holds nothing of an invocation and may run several at once.
#[derive(Clone)]
pub struct Worker {
    store: Arc<dyn ObjectStore>,
    readable: Places,
    writable: Places,
    budget: Budget,
    overlap: Overlap,
    note_every: Duration,
    reading: ResumeOptions,
    observer: Option<Arc<dyn Observer>>,
}

impl Worker {
    /// A worker that may read and write only in the places given.
    #[must_use]
    pub fn new(store: Arc<dyn ObjectStore>, readable: Places, writable: Places, budget: Budget) -> Self {
        let reading = ResumeOptions::default();
        let (overlap, note_every) = (Overlap::of_process(), NOTE_EVERY);
        Self { store, readable, writable, budget, overlap, reading, note_every, observer: None }
    }

    /// The same worker with another rule about which objects are read, processed and written at the same time.
    #[must_use]
    pub fn with_overlap(self, overlap: Overlap) -> Self {
        Self { overlap, ..self }
    }

    /// The same worker that writes the state of a large object down at every step at which so much time has passed since
    /// it did so last; a minute without this.
    #[must_use]
    pub fn with_notes_every(self, note_every: Duration) -> Self {
        Self { note_every, ..self }
    }

    /// The same worker with another patience in reading objects.
    #[must_use]
    pub fn with_reading(self, reading: ResumeOptions) -> Self {
        Self { reading, ..self }
    }

    /// The same worker, which also tells the numbers of its batches to an observer.
    #[must_use]
    pub fn with_observer(self, observer: Arc<dyn Observer>) -> Self {
        Self { observer: Some(observer), ..self }
    }

    /// Processes a batch and answers its outcome. Items that fail are in the ledger and do not fail the batch, unless
    /// the job says `on_failure: fail`.
    ///
    /// # Errors
    /// The event is no batch, the job is not valid, or the job or the ledger cannot be read or written.
    pub async fn process_batch(&self, event: &Value, deadline: Deadline) -> Result<Outcome, BatchError> {
        self.process_event(&Event::parse(event)?, deadline).await?.into_outcome()
    }

    /// Processes the batch of an event, and also tells how each item ended.
    pub(crate) async fn process_event(&self, event: &Event, deadline: Deadline) -> Result<Finished, BatchError> {
        let started = Instant::now();
        log::identify(event);
        let reading = self.job(&event.job).instrument(log::stage(Stage::ReadJob));
        let job = in_time(deadline, "the job was read", reading).await?;
        log::identify_job(&job);
        let batch = batch_id(&event.items);
        let ledger = ledger_address(job.output.bucket.as_str(), job.output.prefix.as_str(), &event.run_id, &batch);
        let ledger_object = ObjectAddress::parse(&ledger.bucket, &ledger.key)
            .map_err(|error| BatchError::InvalidJob(format!("the ledger's name is not allowed: {error}")))?;
        let allowed = check_write(&self.writable, &ledger_object);
        allowed.map_err(|error| BatchError::from_store("the ledger cannot be written", &error))?;

        let plan = StreamPlan::new(&job).map_err(BatchError::InvalidJob)?;
        let run = Arc::new(Run {
            id: event.run_id.clone(),
            job_mark: job_mark(&job),
            job,
            plan,
            store: self.store.clone(),
            budget: self.budget,
            overlap: self.overlap.clone(),
            deadline,
            reading: self.reading,
            note_every: self.note_every,
            noted: Noted::new(event.items.len()),
        });
        let begun = |item: &Item| LedgerLine {
            reason: Some(BEGUN.to_owned()),
            ..LedgerLine::new(run.job.source.bucket.as_str(), item, Status::Unprocessed)
        };
        let mut lines: Vec<LedgerLine> = event.items.iter().map(begun).collect();
        let mut file = LedgerFile::new(&run, &ledger_object);
        let earlier = in_time(deadline, "the ledger was begun", file.begin(&lines)).await?.map(Arc::new);
        let work = self.process_items(&run, event, earlier.as_ref(), &mut lines);
        let kept = work.instrument(log::stage(Stage::ProcessItems)).await?;
        let nothing = Earlier::default();
        let before = earlier.as_deref().unwrap_or(&nothing);
        before.keep_positions(&mut lines);
        // What was done here, without what is known from earlier invocations.
        let here = lines.iter().zip(&kept).filter(|(_, kept)| !**kept).map(|(line, _)| line);
        let here = Outcome::of(&event.run_id, ledger.clone(), here, elapsed_ms(started));
        file.end(&mut lines).instrument(log::stage(Stage::WriteLedger)).await?;

        let mut outcome = Outcome::of(&event.run_id, ledger, &lines, elapsed_ms(started));
        outcome.continues = outcome.items.unprocessed > 0 && before.has_advanced(&lines);
        log::batch(run.job.source.bucket.as_str(), &here);
        if let Some(observer) = &self.observer {
            observer.batch_finished(run.job.name.as_str(), &here);
        }
        let fails_batch = run.job.on_failure == OnFailure::Fail && outcome.items.failed > 0;
        Ok(Finished { outcome, lines, fails_batch })
    }

    /// The store that the worker works on.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    /// Where the worker may read.
    #[must_use]
    pub fn readable(&self) -> &Places {
        &self.readable
    }

    /// Where the worker may write.
    #[must_use]
    pub fn writable(&self) -> &Places {
        &self.writable
    }

    /// The job that an event carries, or that lies where it says.
    ///
    /// # Errors
    /// The job is not valid, or its file cannot be read.
    pub async fn job(&self, reference: &JobReference) -> Result<Job, BatchError> {
        let parsed = match reference {
            JobReference::Inline(value) => Job::from_value(value.clone()),
            JobReference::Address(address) => Job::parse(&self.job_file(address).await?),
        };
        parsed.map_err(|error| BatchError::InvalidJob(error.to_string()))
    }

    async fn job_file(&self, text: &str) -> Result<String, BatchError> {
        let parts = text.strip_prefix("s3://").and_then(|rest| rest.split_once('/'));
        let address = parts.map(|(bucket, key)| ObjectAddress::parse(bucket, key));
        let Some(Ok(address)) = address else {
            let message = "expected BatchInput.mapmill.job as s3://bucket/key, found another text";
            return Err(BatchError::InvalidJob(message.to_owned()));
        };
        let failed = |error| BatchError::from_store("the job file cannot be read", &error);
        check_read(&self.readable, &address).map_err(failed)?;
        let request = OpenRequest::whole(address.clone());
        let mut reader = ResumingReader::open(self.store.clone(), request, self.reading).await.map_err(failed)?;
        let mut bytes = Vec::new();
        while let Some(chunk) = reader.next().await.map_err(failed)? {
            if bytes.len() + chunk.len() > MAX_JOB_BYTES {
                let message = format!("the job file {address} is longer than {MAX_JOB_BYTES} bytes");
                return Err(BatchError::InvalidJob(message));
            }
            bytes.extend_from_slice(&chunk);
        }
        String::from_utf8(bytes).map_err(|_| BatchError::InvalidJob(format!("the job file {address} is not UTF-8")))
    }

    /// Begins items in order as memory and time allow; the lines are in the order of the items. Answers of which items the
    /// line is that of an earlier invocation.
    async fn process_items(
        &self,
        run: &Arc<Run>,
        event: &Event,
        earlier: Option<&Arc<Earlier>>,
        lines: &mut [LedgerLine],
    ) -> Result<Vec<bool>, BatchError> {
        let deadline = run.deadline;
        let memory = Memory::new(self.budget);
        let mut tasks: JoinSet<Ended> = JoinSet::new();
        let mut longest = Duration::ZERO;
        let mut kept = vec![false; lines.len()];
        for (index, item) in event.items.iter().enumerate() {
            let weight = self.budget.weight(&run.job, &item.key, item.size);
            let lease = loop {
                tokio::select! {
                    biased;
                    Some(done) = tasks.join_next() => settle(done, lines, &mut kept, &mut longest)?,
                    lease = memory.clone().lease(weight) => break Some(lease),
                    () = deadline.passed() => break None,
                }
            };
            let Some(lease) = lease.filter(|_| deadline.leaves_time_for(longest)) else { break };
            let lease = lease.map_err(|error| BatchError::Internal(error.to_string()))?;
            let (worker, run, item, earlier) = (self.clone(), run.clone(), item.clone(), earlier.cloned());
            let work = async move {
                let (line, is_kept) = worker.process_item(&run, (index, &item), earlier.as_deref(), lease).await;
                // An earlier invocation has told of what it finished.
                if !is_kept {
                    log::item(&line);
                }
                Ended { index, line, is_kept }
            };
            tasks.spawn(work.in_current_span());
        }
        loop {
            tokio::select! {
                biased;
                done = tasks.join_next() => match done {
                    Some(done) => settle(done, lines, &mut kept, &mut longest)?,
                    None => break,
                },
                // Giving up what is running, without a trace of its outputs, saves the ledger of all the others.
                () = deadline.passed() => {
                    tasks.shutdown().await;
                    break;
                }
            }
        }
        for (index, line) in lines.iter_mut().enumerate().filter(|(_, line)| line.reason.as_deref() == Some(BEGUN)) {
            line.reason = Some(OUT_OF_TIME.to_owned());
            line.position = run.noted.get(index);
            log::item(line);
        }
        Ok(kept)
    }

    /// Answers the line of an item, and whether it is that of an earlier invocation.
    async fn process_item(
        &self,
        run: &Run,
        (index, item): (usize, &Item),
        earlier: Option<&Earlier>,
        mut lease: Lease,
    ) -> (LedgerLine, bool) {
        let started = Instant::now();
        let mut line = LedgerLine::new(run.job.source.bucket.as_str(), item, Status::Failed);
        match assign(run, (index, item), &self.readable, &self.writable) {
            Err(error) => error.note_in(&mut line),
            Ok(Assignment::Skip(reason)) => {
                line.status = Status::Skipped;
                line.reason = Some(reason.to_owned());
            }
            Ok(Assignment::Process(addresses, etag)) => {
                match known(run, (index, item), &addresses, etag, earlier).await {
                    Ok((Known::Kept(line), _)) => return (line, true),
                    Ok((Known::Ended(known), _)) => line = known,
                    Ok((Known::Nothing, etag)) => {
                        process_object(run, (index, item), &addresses, etag, None, &mut lease, &mut line).await;
                    }
                    Ok((Known::Left(left), etag)) => {
                        process_object(run, (index, item), &addresses, etag, Some(left), &mut lease, &mut line).await;
                    }
                    Err(error) => error.note_in(&mut line),
                }
            }
        }
        line.duration_ms = elapsed_ms(started);
        (line, false)
    }
}

/// A batch that came to its end.
pub(crate) struct Finished {
    pub(crate) outcome: Outcome,
    /// The ledger, in the order of the items.
    pub(crate) lines: Vec<LedgerLine>,
    /// Items failed and the job says `on_failure: fail`.
    pub(crate) fails_batch: bool,
}

impl Finished {
    /// What Step Functions is told.
    pub(crate) fn into_outcome(self) -> Result<Outcome, BatchError> {
        if self.fails_batch { Err(batch_failed(&self.outcome)) } else { Ok(self.outcome) }
    }
}

/// An item whose task has ended.
struct Ended {
    index: usize,
    line: LedgerLine,
    /// The line is that of an earlier invocation.
    is_kept: bool,
}

fn settle(
    done: Result<Ended, tokio::task::JoinError>,
    lines: &mut [LedgerLine],
    kept: &mut [bool],
    longest: &mut Duration,
) -> Result<(), BatchError> {
    let done = done.map_err(|error| BatchError::Internal(format!("a task of the batch ended: {error}")))?;
    let Ended { index, line, is_kept } = done;
    if !is_kept {
        *longest = (*longest).max(Duration::from_millis(line.duration_ms));
    }
    (lines[index], kept[index]) = (line, is_kept);
    Ok(())
}

fn elapsed_ms(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Does what must be done before any item is begun. A function that is killed while it waits has no name for its failure.
async fn in_time<T>(
    deadline: Deadline,
    until: &str,
    work: impl Future<Output = Result<T, BatchError>>,
) -> Result<T, BatchError> {
    tokio::select! {
        biased;
        done = work => done,
        () = deadline.passed() => Err(BatchError::Transient(format!("the time ran out before {until}"))),
    }
}

/// Processes an object, or goes on with one that was left. When what is written down of it is of no use any more, another
/// attempt may have completed it, and if not it is begun anew.
async fn process_object(
    run: &Run,
    item: (usize, &Item),
    addresses: &Addresses,
    etag: Option<ETag>,
    left: Option<Reading>,
    lease: &mut Lease,
    line: &mut LedgerLine,
) {
    let fresh = line.clone();
    if process_into(line, run, addresses, etag.clone(), left, lease).await == Notes::Fine {
        return;
    }
    let present = etag.clone().or_else(|| ETag::parse(line.etag.as_deref()?).ok());
    *line = match Earlier::default().look(run, item, addresses, present.as_ref()).await {
        Ok(Known::Ended(line)) => line,
        _ => fresh,
    };
    if line.status != Status::Succeeded {
        process_into(line, run, addresses, etag, None, lease).await;
    }
}

/// What is known of an item, and the version of its object that is meant.
async fn known(
    run: &Run,
    item: (usize, &Item),
    addresses: &Addresses,
    etag: Option<ETag>,
    earlier: Option<&Earlier>,
) -> Result<(Known, Option<ETag>), ItemError> {
    let Some(earlier) = earlier else { return Ok((Known::Nothing, etag)) };
    let etag = match etag {
        // An item that names no version means the one that is there now.
        None => head(run.store.as_ref(), &addresses.source).await?.map(|head| head.etag),
        etag => etag,
    };
    Ok((earlier.look(run, item, addresses, etag.as_ref()).await?, etag))
}

fn batch_failed(outcome: &Outcome) -> BatchError {
    let (items, ledger) = (outcome.items, &outcome.ledger);
    BatchError::BatchFailed(format!(
        "{} of {} items failed ({} succeeded, {} skipped, {} unprocessed); the ledger is s3://{}/{}",
        items.failed, items.total, items.succeeded, items.skipped, items.unprocessed, ledger.bucket, ledger.key
    ))
}
