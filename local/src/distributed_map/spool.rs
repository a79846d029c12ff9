//! The children of a Map Run that did not succeed, in a temporary file, for a redrive.
//!
//! A Map Run may have a million failed children, so they are not kept in memory. They are written one after the other as
//! they end and read in that order when the run is redriven. The file is made for the first of them and deleted with the
//! [`Spool`].

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tempfile::{NamedTempFile, TempPath};

use super::batcher::Batch;
use crate::asl::size::json_bytes;
use crate::asl::{Checkpoint, StateError, names};

/// Most bytes of one child in the file: two payloads, in the worst case each character escaped.
const CHILD_BYTES_MAX: u64 = 8 * 1_024 * 1_024;
const PREFIX: &str = "mapmill-redrive-";

/// A child to be run again.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Unfinished {
    pub(super) index: u64,
    pub(super) name: String,
    pub(super) items: u64,
    pub(super) input: Value,
    /// How it ended; `None`: it never started.
    pub(super) ended: Option<Ended>,
    /// Where a STANDARD child goes on.
    pub(super) checkpoint: Option<Checkpoint>,
    /// How often it was redriven.
    pub(super) redrives: u64,
    /// Events that its history has already.
    pub(super) events: u64,
}

/// How a child ended without success.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Ended {
    Failed,
    TimedOut,
    Aborted,
}

impl Unfinished {
    /// The batch that it was made from.
    pub(super) fn batch(&mut self) -> Batch {
        let input = std::mem::take(&mut self.input);
        Batch { bytes: json_bytes(&input), input, items: self.items }
    }
}

/// Children that did not succeed.
pub(super) struct Spool {
    file: Option<BufWriter<NamedTempFile>>,
    bytes: u64,
    bytes_max: u64,
}

/// Children that did not succeed, ready to be read.
pub(super) struct Spooled {
    path: Option<TempPath>,
}

/// Reads them; the file is deleted with it.
pub(super) struct SpoolReader {
    file: Option<BufReader<File>>,
    _path: Option<TempPath>,
}

impl Spool {
    /// Takes at most so many bytes.
    pub(super) fn new(bytes_max: u64) -> Self {
        Self { file: None, bytes: 0, bytes_max }
    }

    /// Adds a child; false when there is no room for it, so that it cannot be redriven.
    ///
    /// The few kilobytes go to a buffer and now and then to the cache of the file system, which is not worth a thread.
    pub(super) fn add(&mut self, child: &Unfinished) -> io::Result<bool> {
        let line = serde_json::to_vec(child)?;
        let bytes = self.bytes + line.len() as u64 + 1;
        if bytes > self.bytes_max || line.len() as u64 > CHILD_BYTES_MAX {
            return Ok(false);
        }
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(BufWriter::new(tempfile::Builder::new().prefix(PREFIX).tempfile()?)),
        };
        file.write_all(&line)?;
        file.write_all(b"\n")?;
        self.bytes = bytes;
        Ok(true)
    }

    /// Ends writing. No file stays open.
    pub(super) fn finish(self) -> io::Result<Spooled> {
        let Some(file) = self.file else { return Ok(Spooled { path: None }) };
        let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok(Spooled { path: Some(file.into_temp_path()) })
    }
}

impl Spooled {
    /// Begins to read.
    pub(super) fn read(self) -> io::Result<SpoolReader> {
        let file = self.path.as_ref().map(File::open).transpose()?;
        Ok(SpoolReader { file: file.map(BufReader::new), _path: self.path })
    }
}

impl SpoolReader {
    /// Nothing to read.
    pub(super) fn empty() -> Self {
        Self { file: None, _path: None }
    }

    /// The next child, `None` after the last one.
    pub(super) fn next(&mut self) -> Result<Option<Unfinished>, StateError> {
        let Some(file) = &mut self.file else { return Ok(None) };
        let mut line = Vec::new();
        file.take(CHILD_BYTES_MAX + 1).read_until(b'\n', &mut line).map_err(broken)?;
        if line.is_empty() {
            return Ok(None);
        }
        serde_json::from_slice(&line).map(Some).map_err(|error| broken(error.into()))
    }
}

/// The temporary file fails.
pub(super) fn broken(error: io::Error) -> StateError {
    StateError::new(names::ITEM_READER_FAILED, format!("the children to be redriven cannot be kept or read: {error}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn child(index: u64) -> Unfinished {
        let checkpoint =
            Checkpoint { state: "S".to_owned(), input: Some(json!([index])), variables: Default::default() };
        Unfinished {
            index,
            name: format!("child-{index}"),
            items: 2,
            input: json!({"Items": ["line\nend", index]}),
            ended: (index > 0).then_some(Ended::TimedOut),
            checkpoint: (index > 1).then_some(checkpoint),
            redrives: index,
            events: 7 * index,
        }
    }

    #[test]
    fn children_come_back_and_leave_nothing() {
        let mut spool = Spool::new(1_000_000);
        for index in 0..3 {
            assert!(spool.add(&child(index)).unwrap());
        }
        let spooled = spool.finish().unwrap();
        let path = spooled.path.as_ref().unwrap().to_path_buf();
        let mut reader = spooled.read().unwrap();
        for index in 0..3 {
            assert_eq!(format!("{:?}", reader.next().unwrap().unwrap()), format!("{:?}", child(index)));
        }
        assert!(reader.next().unwrap().is_none());
        assert!(path.exists());
        drop(reader);
        assert!(!path.exists());
    }

    #[test]
    fn the_room_is_limited() {
        let one = serde_json::to_vec(&child(0)).unwrap().len() as u64 + 1;
        let mut spool = Spool::new(one * 2 - 1);
        assert!(spool.add(&child(0)).unwrap());
        assert!(!spool.add(&child(0)).unwrap());
        let mut reader = spool.finish().unwrap().read().unwrap();
        assert!(reader.next().unwrap().is_some());
        assert!(reader.next().unwrap().is_none());
        assert!(Spool::new(0).finish().unwrap().read().unwrap().next().unwrap().is_none());
    }
}
