//! One object: read, expand, reshape, compress, write.
//!
//! The work has three parts: bytes are read and expanded ([`input`]), records are found and reshaped (here), lines are
//! compressed and written ([`output`]). An object that has the cores for it does all three at the same time, each part a
//! [`stage`] ahead of or behind the records; any other does them in turn. Both ways give the same bytes, counts and
//! errors: what is read ahead counts only when the records reach it, and an error of writing comes before the errors of
//! records that were read while it happened. Only then can the two ways differ: the quarantine object may hold rejects
//! from behind the lines that could not be written, and the bytes read may be more.
//!
//! An object may take longer than an invocation. At steps of `limits.checkpoint_bytes` of its expanded bytes the compressed
//! output ends a frame, whatever the time; when the time runs short there, and now and then, all that another invocation
//! needs to go on is written down ([`crate::progress`]). So the output has the same bytes however many invocations
//! made it, and none of it is visible before the last one ends.

mod beginning;
mod input;
mod output;
mod pace;
mod part;
mod stage;

use crate::budget::{Budget, GROWTH_MIB, is_more_than_small, is_small};
use crate::deadline::Deadline;
use crate::done::{Counts, Identity};
use crate::event::ItemRange;
use crate::item_error::ItemError;
use crate::lease::Lease;
use crate::ledger::{LinePosition, WrittenObject};
use crate::outcome::{Bytes, Records};
use crate::overlap::Overlap;
use crate::progress::{Finished, Progress, Reading, State};
use crate::rejects::RejectHandler;
use crate::stream_options::StreamPlan;
use crate::tries::is_damaged;
use input::Input;
use job::Job;
use object_store::{ETag, ErrorClass, ObjectAddress, ObjectStore, OpenRequest, ResumeOptions, ResumingReader, code};
use output::{Lines, Output};
use pace::{Pace, Step};
use record_stream::{Checkpoint, Position, Progress as StreamProgress, RecordCounts, RecordStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Lines gather up to this many bytes before they are compressed and handed on.
const LINES_TARGET: usize = 128 * 1024;

/// What is the same for every object of a batch.
pub(crate) struct Run {
    pub(crate) id: String,
    pub(crate) job: Job,
    /// Names the job in outputs.
    pub(crate) job_mark: String,
    pub(crate) plan: StreamPlan,
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) budget: Budget,
    pub(crate) overlap: Overlap,
    pub(crate) deadline: Deadline,
    pub(crate) reading: ResumeOptions,
    /// How often at most the state of a large object is written down while there is time.
    pub(crate) note_every: Duration,
    /// How far each item has come by what is written down of it in this invocation.
    pub(crate) noted: Noted,
}

/// Where another invocation can go on with each item of a batch.
#[derive(Debug)]
pub(crate) struct Noted(Box<[Mutex<Option<LinePosition>>]>);

impl Noted {
    /// Nothing yet, of so many items.
    pub(crate) fn new(items: usize) -> Self {
        Self((0..items).map(|_| Mutex::default()).collect())
    }

    fn set(&self, item: usize, position: LinePosition) {
        if let Some(place) = self.0.get(item) {
            *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(position);
        }
    }

    pub(crate) fn get(&self, item: usize) -> Option<LinePosition> {
        *self.0.get(item)?.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where an object is and where what becomes of it goes; all are checked to be allowed.
#[derive(Debug, Clone)]
pub(crate) struct Addresses {
    /// The place of the item in its batch, from 0.
    pub(crate) item: usize,
    pub(crate) source: ObjectAddress,
    /// The part of it that is to be processed; none means all of it.
    pub(crate) range: Option<ItemRange>,
    /// The size of the source in bytes when it was listed.
    pub(crate) listed_size: Option<u64>,
    pub(crate) output: ObjectAddress,
    pub(crate) rejects: ObjectAddress,
    pub(crate) progress: ObjectAddress,
}

/// What came of an object, also of one that failed on the way.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) etag: Option<String>,
    pub(crate) records: Records,
    pub(crate) bytes: Bytes,
    pub(crate) outputs: Vec<WrittenObject>,
    pub(crate) rejects: Option<WrittenObject>,
    /// How often the body was resumed.
    pub(crate) retries: u64,
    /// Its state was written down.
    pub(crate) is_noted: bool,
}

/// How the work on an object ended when nothing was wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The output is visible.
    Done,
    /// Time ran out between two records; another invocation goes on at this place.
    Left(Position),
}

/// Processes one object, or goes on with one that was left. The report is filled as far as things went.
pub(crate) async fn process(
    run: &Run,
    addresses: Addresses,
    etag: Option<ETag>,
    left: Option<Reading>,
    lease: &mut Lease,
    report: &mut Report,
) -> Result<End, ItemError> {
    let Addresses { item, source, range, output: target, rejects: quarantine, progress, listed_size } = addresses;
    let source = &source;
    let listed_size = listed_size.filter(|_| etag.is_some());
    let request = OpenRequest { if_match: etag, ..OpenRequest::whole(source.clone()) };
    let retries = Arc::<AtomicU64>::default();
    let reader = ResumingReader::open(run.store.clone(), request, run.reading).await?.counting_in(retries.clone());
    let identity = Identity { job: run.job_mark.clone(), etag: reader.etag().as_str().to_owned() };
    report.etag = Some(identity.etag.clone());
    check_size(listed_size, reader.size())?;
    let is_large = !is_small(&run.job, source.key.as_str(), Some(reader.size()));
    // It may weigh more than was known of it.
    lease.exchange(run.budget.weight(&run.job, source.key.as_str(), Some(reader.size()))).await;
    let turn = run.overlap.enter(is_large);
    let (checkpoint, next_step, output, set_aside) = match left {
        Some(Reading { checkpoint, next_step, output, rejects }) => {
            (Some(checkpoint), Some(next_step), Some(output), rejects)
        }
        None => (None, None, None, None),
    };
    let mut input = match range {
        Some(range) => part::open(run, source, reader, turn.overlaps, range, checkpoint.as_ref(), &retries).await?,
        None => Input::open(run, source, reader, turn.overlaps, checkpoint.as_ref(), &retries).await?,
    };
    let step_bytes = run.job.limits.checkpoint_bytes.bytes();
    let mut rejects = RejectHandler::new(&run.job.rejects, source, quarantine, run.store.clone());
    if let Some(set_aside) = set_aside {
        rejects = rejects.resume(set_aside).await?;
    }
    let output = Output::new(run, target, identity.clone(), output).await?;
    let mut work = Work {
        run,
        lines: Lines::new(output, turn.overlaps),
        rejects,
        pace: Pace::new(step_bytes, input.first_byte, next_step, run.deadline, run.note_every),
        note: Note { item, source, identity: &identity, address: &progress },
        lease: (!is_large).then_some(lease),
        is_noted: false,
    };
    let result = work.stream_records(&mut input, report).await;
    report.is_noted = work.is_noted;
    report.retries = retries.load(Ordering::Relaxed);
    report.bytes.read = input.chunks.compressed_bytes();
    report.bytes.expanded = input.chunks.expanded_bytes();
    let left_at = input.stream.checkpoint();
    // What was read ahead is not needed any more.
    drop(input);
    let Work { lines, rejects, .. } = work;
    let (mut output, written) = lines.end().await;
    // The lines lie before the record at which reading ended.
    let mut result = written.and(result);
    if let (Ok(Reached::StepToLeave), Some(at)) = (&result, left_at) {
        // Nothing is finished: the uploads wait for the next invocation.
        return Ok(End::Left(position(&at)));
    }
    // The quarantine object appears also when the object fails: it shows why. It comes before the output, so that an
    // output never stands there without its rejects.
    // What was refused of bytes that were damaged on their way says nothing about the object.
    if !matches!(&result, Err(error) if is_damaged(error)) {
        match rejects.finish().await {
            Ok(set_aside) => report.rejects = set_aside,
            Err(error) => result = result.and(Err(error)),
        }
    }
    if let Err(error) = result {
        return Err(output.abort(error).await);
    }
    let (bytes, upload) = output.end().await?;
    report.bytes.written = bytes + report.rejects.as_ref().map_or(0, |object| object.bytes);
    if let Some(upload) = upload {
        let rejects = report.rejects.clone();
        let finished = Finished { upload, records: report.records, bytes: report.bytes, rejects };
        let progress_of = Note { item, source, identity: &identity, address: &progress };
        progress_of.write(run, State::Written(finished)).await?;
    }
    let counts = Counts::new(report.records, report.bytes, report.rejects.as_ref());
    report.outputs.push(output.finish(&counts).await?);
    Ok(End::Done)
}

/// The same version has the same size, or somebody on the way has cut it off.
fn check_size(listed: Option<u64>, announced: u64) -> Result<(), ItemError> {
    match listed {
        Some(listed) if listed != announced => {
            let message =
                format!("expected {listed} bytes, as listed with the ETag; the service announces {announced}");
            Err(ItemError::new(ErrorClass::Transient, code::SIZE_MISMATCH, message))
        }
        _ => Ok(()),
    }
}

/// The record that is read first when work goes on at a checkpoint.
fn position(checkpoint: &Checkpoint) -> Position {
    Position { byte: checkpoint.byte, line: checkpoint.line, record: checkpoint.counts.read + 1 }
}

/// Where the state of the work is written down, and of which object it is.
#[derive(Clone, Copy)]
struct Note<'a> {
    item: usize,
    source: &'a ObjectAddress,
    identity: &'a Identity,
    address: &'a ObjectAddress,
}

impl Note<'_> {
    async fn write(self, run: &Run, state: State) -> Result<(), ItemError> {
        let reached = match &state {
            State::Reading(reading) => Some(position(&reading.checkpoint)),
            State::Written(_) | State::Forgotten => None,
        };
        let progress = Progress::new(&self.identity.job, self.source, &self.identity.etag, state);
        progress.write(run.store.as_ref(), self.address).await?;
        if let Some(reached) = reached {
            run.noted.set(self.item, reached.into());
        }
        Ok(())
    }
}

/// How far the records of an object were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reached {
    End,
    /// A step at which the rest is left to another invocation; its state is written down.
    StepToLeave,
}

/// The work on the records of one object.
struct Work<'a> {
    run: &'a Run,
    lines: Lines,
    rejects: RejectHandler,
    pace: Pace,
    note: Note<'a>,
    /// Of an object that was taken for a small one.
    lease: Option<&'a mut Lease>,
    is_noted: bool,
}

impl Work<'_> {
    async fn stream_records(&mut self, input: &mut Input, report: &mut Report) -> Result<Reached, ItemError> {
        let mut ready = Vec::new();
        // The first bytes were looked at already; an object that goes on may have none of them left.
        let first = std::mem::take(&mut input.first);
        let mut position = input.first_byte;
        let mut chunk: &[u8] = &first;
        if chunk.is_empty() && position > 0 {
            chunk = input.chunks.next().await?;
        }
        loop {
            let is_end = chunk.is_empty();
            // A chunk is cut at every step, so that what lies before it does not depend on the chunks.
            let (now, later) = chunk.split_at(chunk.len().min(self.pace.bytes_to_step(position)));
            position += now.len() as u64;
            input.stream.fill(now);
            loop {
                let rejects = &mut self.rejects;
                let progress = input.stream.process(is_end, &mut ready, LINES_TARGET, &mut |reject| {
                    let flow = rejects.take(&reject);
                    if rejects.pending_bytes() >= LINES_TARGET { record_stream::Flow::Stop } else { flow }
                });
                self.rejects.flush().await?;
                let progress = progress?;
                self.lines.write(&mut ready).await?;
                self.take_more_memory(position).await;
                match progress {
                    StreamProgress::OutputFull | StreamProgress::Stopped => {}
                    StreamProgress::NeedInput => break,
                    StreamProgress::Finished => {
                        let counts = input.stream.counts();
                        self.rejects.judge(counts)?;
                        report.records = records(counts);
                        return Ok(Reached::End);
                    }
                }
            }
            if self.pace.bytes_to_step(position) == 0 && self.step(&input.stream).await? == Reached::StepToLeave {
                return Ok(Reached::StepToLeave);
            }
            chunk = if later.is_empty() { input.chunks.next().await? } else { later };
        }
    }

    /// What was taken for a small object needs the memory of a large one once it, or what becomes of it, is one.
    async fn take_more_memory(&mut self, expanded: u64) {
        if (is_more_than_small(expanded) || is_more_than_small(self.lines.bytes_kept()))
            && let Some(lease) = self.lease.take()
        {
            lease.grow(GROWTH_MIB).await;
        }
    }

    /// A step is reached: the frame ends, and the state is written down if it is time.
    async fn step(&mut self, stream: &RecordStream) -> Result<Reached, ItemError> {
        self.lines.end_frame().await?;
        let step = self.pace.step();
        let Some(checkpoint) = stream.checkpoint().filter(|_| step != Step::GoOn) else {
            return Ok(Reached::End);
        };
        let output = self.lines.checkpoint().await?;
        let rejects = Some(self.rejects.checkpoint());
        self.is_noted = true;
        self.note
            .write(self.run, State::Reading(Reading { checkpoint, next_step: self.pace.next_step(), output, rejects }))
            .await?;
        Ok(if step == Step::Leave { Reached::StepToLeave } else { Reached::End })
    }
}

fn records(counts: RecordCounts) -> Records {
    Records {
        read: counts.read,
        exploded: counts.exploded,
        written: counts.written,
        filtered: counts.filtered,
        rejected: counts.rejected,
        duplicate_keys: counts.duplicate_keys,
    }
}
