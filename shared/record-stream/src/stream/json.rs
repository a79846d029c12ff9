//! JSON objects in a stream.

use super::{DuplicateKeys, RecordFormat, StreamOptions, Work, check_utf8};
use crate::checkpoint::{Checkpoint, Framing};
use crate::error::{Problem, StreamError};
use crate::frame::{Frame, JsonFramer, LineFramer};
use crate::json::Index;
use crate::limits::RecordLimits;
use crate::reshape::{Fate, JsonShaper};
use std::ops::Range;

#[derive(Debug)]
enum Framer {
    Lines(LineFramer),
    Structure(JsonFramer),
}

#[derive(Debug)]
pub(super) struct JsonSource {
    framer: Framer,
    records: Records,
}

#[derive(Debug)]
struct Records {
    index: Index,
    limits: RecordLimits,
    duplicate_keys: DuplicateKeys,
    shaper: JsonShaper,
}

impl JsonSource {
    pub(super) fn new(options: &StreamOptions) -> Self {
        let framer = match &options.format {
            RecordFormat::Json(layout) => Framer::Structure(JsonFramer::new(layout.clone(), &options.limits)),
            RecordFormat::NdJson | RecordFormat::Csv(_) => Framer::Lines(LineFramer::new(options.limits.record_bytes)),
        };
        let shaper = JsonShaper::new(&options.reshape, options.limits);
        Self {
            framer,
            records: Records {
                index: Index::default(),
                limits: options.limits,
                duplicate_keys: options.duplicate_keys,
                shaper,
            },
        }
    }

    /// A source that goes on between two records.
    pub(super) fn resume(options: &StreamOptions, checkpoint: &Checkpoint) -> Result<Self, Problem> {
        let mut source = Self::new(options);
        match (&mut source.framer, &checkpoint.framing) {
            (Framer::Lines(_), Framing::Lines) => {}
            (Framer::Structure(framer), framing) => framer.resume(checkpoint.byte, framing)?,
            _ => return Err(Problem::CheckpointMismatch),
        }
        Ok(source)
    }

    pub(super) fn checkpoint(&self) -> Option<Framing> {
        match &self.framer {
            Framer::Lines(framer) => framer.is_at_line_start().then_some(Framing::Lines),
            Framer::Structure(framer) => framer.checkpoint(),
        }
    }

    pub(super) fn skip(&mut self, bytes: usize) {
        if let Framer::Structure(framer) = &mut self.framer {
            framer.skip(bytes);
        }
    }

    /// Works through the input; answers the bytes consumed.
    pub(super) fn process(&mut self, work: &mut Work<'_>) -> (usize, Result<(), StreamError>) {
        let (input, end_of_input) = (work.input, work.end_of_input);
        let records = &mut self.records;
        let mut sink = |frame: Frame| match frame {
            Frame::Record(range) => {
                let result = records.shape(&input[range.clone()], &mut work.counts.duplicate_keys, work.output);
                work.settle(range.start, range.end, result)
            }
            Frame::Rejected(Range { start, end }, problem) => work.settle(start, end, Err(problem)),
        };
        match &mut self.framer {
            Framer::Lines(framer) => (framer.frame(input, end_of_input, &mut sink), Ok(())),
            Framer::Structure(framer) => match framer.frame(input, end_of_input, &mut sink) {
                Ok(consumed) => (consumed, Ok(())),
                Err(failure) => (0, Err(work.error(failure.offset, failure.problem))),
            },
        }
    }
}

impl Records {
    #[inline]
    fn shape(&mut self, record: &[u8], duplicate_keys: &mut u64, output: &mut Vec<u8>) -> Result<Fate, Problem> {
        check_utf8(record)?;
        self.index.build(record, &self.limits)?;
        let has_repeated_names = self.index.has_repeated_names(record);
        if has_repeated_names {
            *duplicate_keys += 1;
            if self.duplicate_keys == DuplicateKeys::Reject {
                return Err(Problem::DuplicateKey);
            }
        }
        self.shaper.shape(&self.index.root(record), has_repeated_names, output)
    }
}
