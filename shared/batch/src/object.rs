//! One object: read, expand, reshape, compress, write.
//!
//! The work has three parts: bytes are read and expanded ([`input`]), records are found and reshaped (here), lines are
//! compressed and written ([`output`]). An object that has the cores for it does all three at the same time, each part a
//! [`stage`] ahead of or behind the records; any other does them in turn. Both ways give the same bytes, counts and
//! errors: what is read ahead counts only when the records reach it, and an error of writing comes before the errors of
//! records that were read while it happened. Only then can the two ways differ: the quarantine object may hold rejects
//! from behind the lines that could not be written, and the bytes read may be more.

mod input;
mod output;
mod stage;

use crate::budget::{Budget, is_small};
use crate::item_error::ItemError;
use crate::ledger::WrittenObject;
use crate::outcome::{Bytes, Records};
use crate::overlap::Overlap;
use crate::rejects::RejectHandler;
use crate::stream_options::StreamPlan;
use input::Input;
use job::Job;
use object_store::{ETag, ObjectAddress, ObjectStore, OpenRequest, ResumeOptions, ResumingReader};
use output::{Lines, Output};
use record_stream::{Progress, RecordCounts};
use std::sync::Arc;

/// Lines gather up to this many bytes before they are compressed and handed on.
const LINES_TARGET: usize = 128 * 1024;

/// What is the same for every object of a batch.
pub(crate) struct Run {
    pub(crate) id: String,
    pub(crate) job: Job,
    pub(crate) plan: StreamPlan,
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) budget: Budget,
    pub(crate) overlap: Overlap,
}

/// Where an object is and where what becomes of it goes; all are checked to be allowed.
pub(crate) struct Addresses {
    pub(crate) source: ObjectAddress,
    pub(crate) output: ObjectAddress,
    pub(crate) rejects: ObjectAddress,
}

/// What came of an object, also of one that failed on the way.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) etag: Option<String>,
    pub(crate) records: Records,
    pub(crate) bytes: Bytes,
    pub(crate) outputs: Vec<WrittenObject>,
    pub(crate) rejects: Option<WrittenObject>,
}

/// Processes one object. The report is filled as far as things went.
pub(crate) async fn process(
    run: &Run,
    Addresses { source, output: target, rejects: quarantine }: Addresses,
    etag: Option<ETag>,
    report: &mut Report,
) -> Result<(), ItemError> {
    let source = &source;
    let request = OpenRequest { if_match: etag, ..OpenRequest::whole(source.clone()) };
    let reader = ResumingReader::open(run.store.clone(), request, ResumeOptions::default()).await?;
    report.etag = Some(reader.etag().as_str().to_owned());
    let is_large = !is_small(&run.job, source.key.as_str(), Some(reader.size()));
    let turn = run.overlap.enter(is_large);
    let mut input = Input::open(run, source, reader, turn.overlaps).await?;
    let mut rejects = RejectHandler::new(&run.job.rejects, source, quarantine, run.store.clone());
    let mut lines = Lines::new(Output::new(run, target)?, turn.overlaps);
    let mut result = stream_records(&mut input, &mut rejects, &mut lines, report).await;
    report.bytes.read = input.chunks.compressed_bytes();
    report.bytes.expanded = input.chunks.expanded_bytes();
    // What was read ahead is not needed any more.
    drop(input);
    let (output, written) = lines.end().await;
    // The lines lie before the record at which reading ended.
    result = written.and(result);
    // The quarantine object appears also when the object fails: it shows why. It comes before the output, so that an
    // output never stands there without its rejects.
    match rejects.finish().await {
        Ok(set_aside) => report.rejects = set_aside,
        Err(error) => result = result.and(Err(error)),
    }
    if let Err(error) = result {
        return Err(output.abort(error).await);
    }
    let written = output.finish().await?;
    report.bytes.written = written.bytes + report.rejects.as_ref().map_or(0, |object| object.bytes);
    report.outputs.push(WrittenObject { records: report.records.written, ..written });
    Ok(())
}

async fn stream_records(
    input: &mut Input,
    rejects: &mut RejectHandler,
    lines: &mut Lines,
    report: &mut Report,
) -> Result<(), ItemError> {
    let Input { stream, first, chunks } = input;
    let mut ready = Vec::new();
    let mut chunk: &[u8] = first;
    loop {
        let is_end = chunk.is_empty();
        stream.fill(chunk);
        loop {
            let progress = stream.process(is_end, &mut ready, LINES_TARGET, &mut |reject| {
                let flow = rejects.take(&reject);
                if rejects.pending_bytes() >= LINES_TARGET { record_stream::Flow::Stop } else { flow }
            });
            rejects.flush().await?;
            let progress = progress?;
            lines.write(&mut ready).await?;
            match progress {
                Progress::OutputFull | Progress::Stopped => {}
                Progress::NeedInput => break,
                Progress::Finished => {
                    let counts = stream.counts();
                    rejects.judge(counts)?;
                    report.records = records(counts);
                    return Ok(());
                }
            }
        }
        chunk = chunks.next().await?;
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
