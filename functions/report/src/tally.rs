//! What lines of ledgers and children add up to.

use crate::children::{Child, Ending};
use crate::cost::Usage;
use crate::figures::{
    Batches, Example, Figures, Histogram, Items, Kinds, Largest, LongBatch, MAX_TEXT, Objects, Rejecting, Slow,
    Timeline, count_reason, shortened,
};
use crate::files::FailedLine;
use batch::{Bytes, LedgerLine, Records, Status, WrittenObject};
use std::collections::BTreeMap;

/// Items, batches and the like that are listed by name.
const MAX_LISTED: usize = 20;

/// The sums over a run.
pub(crate) struct Tally {
    pub(crate) items: Items,
    pub(crate) records: Records,
    pub(crate) bytes: Bytes,
    pub(crate) retries: u64,
    pub(crate) outputs: Objects,
    pub(crate) rejects: Objects,
    pub(crate) skipped: BTreeMap<String, u64>,
    pub(crate) ledgers: u64,
    pub(crate) usage: Usage,
    failures: Kinds,
    durations: Histogram,
    sizes: Histogram,
    slowest: Largest<Slow>,
    most_rejects: Largest<Rejecting>,
    batches: Batches,
    batch_errors: Kinds,
    batch_durations: Histogram,
    longest: Largest<LongBatch>,
    timeline: Timeline,
}

impl Tally {
    pub(crate) fn new() -> Self {
        Self {
            items: Items::default(),
            records: Records::default(),
            bytes: Bytes::default(),
            retries: 0,
            outputs: Objects::default(),
            rejects: Objects::default(),
            skipped: BTreeMap::new(),
            ledgers: 0,
            usage: Usage::default(),
            failures: Kinds::default(),
            durations: Histogram::of_durations(),
            sizes: Histogram::of_sizes(),
            slowest: Largest::new(MAX_LISTED),
            most_rejects: Largest::new(MAX_LISTED),
            batches: Batches::default(),
            batch_errors: Kinds::default(),
            batch_durations: Histogram::of_durations(),
            longest: Largest::new(MAX_LISTED),
            timeline: Timeline::default(),
        }
    }

    /// Items that have a line in a ledger.
    pub(crate) fn seen(&self) -> u64 {
        self.items.succeeded + self.items.failed + self.items.skipped + self.items.unprocessed
    }

    /// Adds a line of a ledger.
    pub(crate) fn line(&mut self, line: &LedgerLine) {
        let example = || Example {
            name: named(&line.key, line.range.as_deref()),
            message: line.message.clone().unwrap_or_default(),
        };
        let text = |part: &Option<String>| part.clone().unwrap_or_default();
        match line.status {
            Status::Succeeded => self.items.succeeded += 1,
            Status::Failed => {
                self.items.failed += 1;
                self.failures.add(&text(&line.class), &text(&line.code), example);
            }
            Status::Skipped => {
                self.items.skipped += 1;
                count_reason(&mut self.skipped, line.reason.as_deref().unwrap_or_default());
            }
            Status::Unprocessed => {
                self.items.unprocessed += 1;
                self.failures.add("unprocessed", &text(&line.reason), example);
            }
        }
        self.records += line.records;
        self.bytes += line.bytes;
        self.retries += line.retries;
        for output in &line.outputs {
            self.outputs.add(output);
        }
        if let Some(rejects) = &line.rejects {
            self.rejects.add(rejects);
        }
        self.usage.writes += line.outputs.len() as u64 + u64::from(line.rejects.is_some());
        if matches!(line.status, Status::Succeeded | Status::Failed) {
            self.work(line);
        }
    }

    /// Adds an item that was worked on.
    fn work(&mut self, line: &LedgerLine) {
        self.usage.reads += 1 + line.retries;
        self.durations.add(line.duration_ms);
        self.sizes.add(line.size.unwrap_or(line.bytes.read));
        self.slowest.add(line.duration_ms, || Slow {
            key: shortened(&line.key, MAX_TEXT),
            range: line.range.clone(),
            status: line.status.name().to_owned(),
            duration_ms: line.duration_ms,
            bytes: line.bytes.read,
            records: line.records.read,
            retries: line.retries,
        });
        if line.records.rejected > 0 {
            self.most_rejects.add(line.records.rejected, || Rejecting {
                key: shortened(&line.key, MAX_TEXT),
                range: line.range.clone(),
                rejected: line.records.rejected,
                records: line.records.read,
                rejects: line
                    .rejects
                    .as_ref()
                    .map(|object| shortened(&format!("s3://{}/{}", object.bucket, object.key), 2 * MAX_TEXT)),
            });
        }
    }

    /// Adds an item without a line in any ledger.
    pub(crate) fn missing(&mut self, line: &FailedLine) {
        self.items.missing_named += 1;
        let message = "it has no line in any ledger of the run".to_owned();
        self.failures.add("missing", line.reason.as_deref().unwrap_or_default(), || Example {
            name: named(&line.key, line.range.as_deref()),
            message,
        });
    }

    /// Adds a batch.
    pub(crate) fn batch(&mut self, child: &Child, ending: Ending) {
        self.batches.total += 1;
        match ending {
            Ending::Succeeded => self.batches.succeeded += 1,
            Ending::NeverStarted => {
                self.batches.never_started += 1;
                return;
            }
            Ending::Failed => {
                self.batches.failed += 1;
                let error = child.error.as_deref().unwrap_or("stopped");
                self.batch_errors.add(error, "", || Example {
                    name: child.name.clone(),
                    message: child.cause.clone().unwrap_or_default(),
                });
            }
        }
        self.usage.batches += 1;
        let Some((started, ended)) = child.times else { return };
        let duration_ms = u64::try_from(ended - started).unwrap_or_default();
        self.usage.batch_ms += duration_ms;
        self.usage.function_ms += child.answer.map_or(duration_ms, |answer| answer.duration_ms);
        self.timeline.add(started, ended, ending == Ending::Failed);
        self.batch_durations.add(duration_ms);
        self.longest.add(duration_ms, || LongBatch {
            name: shortened(&child.name, MAX_TEXT),
            started,
            duration_ms,
            items: child.answer.map(|answer| answer.items.total).or_else(|| {
                let event = child.event.as_ref()?;
                Some(event.items.len() as u64)
            }),
            without_output: child.answer.map(|answer| answer.items.failed + answer.items.unprocessed),
            error: child.error.as_deref().map(|error| shortened(error, MAX_TEXT)),
        });
    }

    /// Puts the sums into the figures.
    pub(crate) fn fill(self, figures: &mut Figures) {
        figures.items = self.items;
        figures.records = self.records;
        figures.bytes = self.bytes;
        figures.retries = self.retries;
        figures.outputs = self.outputs;
        figures.rejects = self.rejects;
        figures.skipped = self.skipped;
        figures.failures = self.failures.into_vec();
        figures.durations = self.durations.spread();
        figures.sizes = self.sizes.spread();
        figures.slowest = self.slowest.into_vec();
        figures.most_rejects = self.most_rejects.into_vec();
        figures.timeline = self.timeline;
        figures.batches = Batches {
            ledgers: self.ledgers,
            errors: self.batch_errors.into_vec(),
            durations: self.batch_durations.spread(),
            longest: self.longest.into_vec(),
            ..self.batches
        };
    }

    /// Adds the objects with most rejects of an earlier run.
    pub(crate) fn earlier_rejects(&mut self, earlier: &[Rejecting]) {
        for item in earlier {
            self.most_rejects.add(item.rejected, || item.clone());
        }
    }
}

impl Objects {
    fn add(&mut self, written: &WrittenObject) {
        self.objects += 1;
        self.bytes += written.bytes;
        self.records += written.records;
    }
}

fn named(key: &str, range: Option<&str>) -> String {
    match range {
        None => key.to_owned(),
        Some(range) => format!("{key} (bytes {range})"),
    }
}
