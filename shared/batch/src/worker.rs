//! A batch from event to answer.

use crate::assignment::{Assignment, assign};
use crate::budget::Budget;
use crate::deadline::Deadline;
use crate::done::{job_mark, ledger_metadata};
use crate::earlier::{Earlier, Known};
use crate::error::BatchError;
use crate::event::{Event, Item, JobReference};
use crate::ledger::{LedgerLine, Status, batch_id, ledger_address, to_json_lines};
use crate::log::{self, Stage};
use crate::object::Run;
use crate::observer::Observer;
use crate::outcome::Outcome;
use crate::overlap::Overlap;
use crate::places::{check_read, check_write};
use crate::stream_options::StreamPlan;
use crate::tries::process_into;
use job::{Job, OnFailure};
use object_store::{ObjectAddress, ObjectStore, OpenRequest, Places, ResumeOptions, ResumingReader, WriteRequest};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;
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
        let job = self.job(&event.job).instrument(log::stage(Stage::ReadJob)).await?;
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
            has_advanced: AtomicBool::new(false),
        });
        let pending = |item: &Item| LedgerLine::new(run.job.source.bucket.as_str(), item, Status::Unprocessed);
        let mut lines: Vec<LedgerLine> = event.items.iter().map(pending).collect();
        let earlier = Earlier::read(&self.store, &ledger_object, &run.job_mark, lines.len(), run.reading).await;
        let earlier = earlier.map_err(|error| BatchError::from_store("the ledger cannot be read", &error))?;
        if earlier.is_none() {
            // From here on nobody can miss an item, whatever becomes of this invocation.
            lines.iter_mut().for_each(|line| line.reason = Some("begun".to_owned()));
            self.write_ledger(&run, &ledger_object, &lines).await?;
        }
        let earlier = earlier.map(Arc::new);
        let work = self.process_items(&run, event, earlier.as_ref(), &mut lines);
        work.instrument(log::stage(Stage::ProcessItems)).await?;
        self.write_ledger(&run, &ledger_object, &lines).instrument(log::stage(Stage::WriteLedger)).await?;

        let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut outcome = Outcome::of(&event.run_id, ledger, &lines, duration_ms);
        outcome.continues = outcome.items.unprocessed > 0 && run.has_advanced.load(Ordering::Relaxed);
        log::batch(run.job.source.bucket.as_str(), &outcome);
        if let Some(observer) = &self.observer {
            observer.batch_finished(run.job.name.as_str(), &outcome);
        }
        let fails_batch = run.job.on_failure == OnFailure::Fail && outcome.items.failed > 0;
        Ok(Finished { outcome, lines, fails_batch })
    }

    async fn write_ledger(&self, run: &Run, ledger: &ObjectAddress, lines: &[LedgerLine]) -> Result<(), BatchError> {
        let text = to_json_lines(lines).map_err(|error| BatchError::Internal(error.to_string()))?;
        let request = WriteRequest {
            content_type: Some("application/x-ndjson".to_owned()),
            metadata: ledger_metadata(&run.job_mark),
            ..WriteRequest::new(ledger.clone())
        };
        let written = self.store.put(&request, text.into()).await;
        written.map(drop).map_err(|error| BatchError::from_store("the ledger cannot be written", &error))
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

    /// Begins items in order as memory and time allow; the lines are in the order of the items.
    async fn process_items(
        &self,
        run: &Arc<Run>,
        event: &Event,
        earlier: Option<&Arc<Earlier>>,
        lines: &mut [LedgerLine],
    ) -> Result<(), BatchError> {
        let deadline = run.deadline;
        let memory = Arc::new(Semaphore::new(permits(self.budget.mebibytes()) as usize));
        let mut tasks: JoinSet<(usize, LedgerLine)> = JoinSet::new();
        let mut longest = Duration::ZERO;
        for (index, item) in event.items.iter().enumerate() {
            let weight = permits(self.budget.weight(&run.job, &item.key, item.size));
            let permit = loop {
                tokio::select! {
                    biased;
                    Some(done) = tasks.join_next() => settle(done, lines, &mut longest)?,
                    permit = memory.clone().acquire_many_owned(weight) => break Some(permit),
                    () = deadline.passed() => break None,
                }
            };
            let Some(permit) = permit.filter(|_| deadline.leaves_time_for(longest)) else { break };
            let permit = permit.map_err(|error| BatchError::Internal(error.to_string()))?;
            let (worker, run, item, earlier) = (self.clone(), run.clone(), item.clone(), earlier.cloned());
            let work = async move {
                let line = worker.process_item(&run, (index, &item), earlier.as_deref()).await;
                drop(permit);
                log::item(&line);
                (index, line)
            };
            tasks.spawn(work.in_current_span());
        }
        loop {
            tokio::select! {
                biased;
                done = tasks.join_next() => match done {
                    Some(done) => settle(done, lines, &mut longest)?,
                    None => break,
                },
                // Giving up what is running, without a trace of its outputs, saves the ledger of all the others.
                () = deadline.passed() => {
                    tasks.shutdown().await;
                    break;
                }
            }
        }
        let unfinished = lines.iter_mut().filter(|line| line.status == Status::Unprocessed);
        unfinished.for_each(|line| {
            line.reason = Some("out_of_time".to_owned());
            log::item(line);
        });
        Ok(())
    }

    async fn process_item(&self, run: &Run, (index, item): (usize, &Item), earlier: Option<&Earlier>) -> LedgerLine {
        let started = Instant::now();
        let mut line = LedgerLine::new(run.job.source.bucket.as_str(), item, Status::Failed);
        match assign(run, item, &self.readable, &self.writable) {
            Err(error) => error.note_in(&mut line),
            Ok(Assignment::Skip(reason)) => {
                line.status = Status::Skipped;
                line.reason = Some(reason.to_owned());
            }
            Ok(Assignment::Process(addresses, etag)) => {
                let known = match earlier {
                    Some(earlier) => earlier.look(run, (index, item), &addresses, etag.as_ref()).await,
                    None => Ok(Known::Nothing),
                };
                match known {
                    Ok(Known::Ended(line)) => return line,
                    Ok(Known::Left(left)) => process_into(&mut line, run, &addresses, etag, Some(left)).await,
                    Ok(Known::Nothing) => process_into(&mut line, run, &addresses, etag, None).await,
                    Err(error) => error.note_in(&mut line),
                }
            }
        }
        if line.status != Status::Unprocessed {
            run.has_advanced.store(true, Ordering::Relaxed);
        }
        line.duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        line
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

/// Semaphores count in 32 bits; a function has at most 10,240 MiB.
fn permits(mebibytes: u64) -> u32 {
    u32::try_from(mebibytes).unwrap_or(u32::MAX >> 4)
}

fn settle(
    done: Result<(usize, LedgerLine), tokio::task::JoinError>,
    lines: &mut [LedgerLine],
    longest: &mut Duration,
) -> Result<(), BatchError> {
    let (index, line) = done.map_err(|error| BatchError::Internal(format!("a task of the batch ended: {error}")))?;
    *longest = (*longest).max(Duration::from_millis(line.duration_ms));
    lines[index] = line;
    Ok(())
}

fn batch_failed(outcome: &Outcome) -> BatchError {
    let (items, ledger) = (outcome.items, &outcome.ledger);
    BatchError::BatchFailed(format!(
        "{} of {} items failed ({} succeeded, {} skipped, {} unprocessed); the ledger is s3://{}/{}",
        items.failed, items.total, items.succeeded, items.skipped, items.unprocessed, ledger.bucket, ledger.key
    ))
}
