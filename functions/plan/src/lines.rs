//! The lines of an object of any size, one at a time.

use batch::BatchError;
use object_store::{
    Compression, Expander, ExpansionLimits, ObjectAddress, ObjectStore, OpenRequest, ResumeOptions, ResumingReader,
};
use std::sync::Arc;

/// The longest line, in bytes. An item has a key of at most 1,024 bytes, each of at most six as JSON.
pub(crate) const LONGEST_LINE: usize = 64 * 1024;

/// Reads lines.
pub(crate) struct Lines {
    expander: Expander,
    address: ObjectAddress,
    buffer: Vec<u8>,
    /// What is in the buffer and was not handed out.
    start: usize,
    end: usize,
    is_at_end: bool,
    number: u64,
}

impl Lines {
    /// Opens an object; `doing` begins the message of an error.
    pub(crate) async fn open(
        store: &Arc<dyn ObjectStore>,
        address: &ObjectAddress,
        compression: Compression,
        limits: ExpansionLimits,
        doing: &str,
    ) -> Result<Self, BatchError> {
        let request = OpenRequest::whole(address.clone());
        let reader = ResumingReader::open(store.clone(), request, ResumeOptions::default()).await;
        let reader = reader.map_err(|error| BatchError::from_store(doing, &error))?;
        let expander = Expander::new(reader.into_body(), compression, limits, address.clone());
        let buffer = vec![0; 2 * LONGEST_LINE];
        Ok(Self { expander, address: address.clone(), buffer, start: 0, end: 0, is_at_end: false, number: 0 })
    }

    /// The next line without its end; none at the end of the object. Empty lines are passed over.
    pub(crate) async fn next(&mut self) -> Result<Option<&str>, BatchError> {
        let (start, end) = loop {
            let waiting = &self.buffer[self.start..self.end];
            if let Some(length) = memchr::memchr(b'\n', waiting) {
                let start = self.start;
                (self.start, self.number) = (start + length + 1, self.number + 1);
                if length > 0 {
                    break (start, start + length);
                }
            } else if self.is_at_end {
                let start = std::mem::replace(&mut self.start, self.end);
                self.number += 1;
                if start == self.end {
                    return Ok(None);
                }
                break (start, self.end);
            } else {
                self.fill().await?;
            }
        };
        let line = self.buffer[start..end].strip_suffix(b"\r").unwrap_or(&self.buffer[start..end]);
        let number = self.number;
        std::str::from_utf8(line)
            .map(Some)
            .map_err(|_| BatchError::InvalidJob(format!("line {number} of {} is not UTF-8", self.address)))
    }

    /// What a line should have been, for errors about the one that was handed out last.
    pub(crate) fn unexpected(&self, expected: &str) -> BatchError {
        BatchError::InvalidJob(format!("expected {expected} in line {} of {}", self.number, self.address))
    }

    async fn fill(&mut self) -> Result<(), BatchError> {
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        if self.end >= LONGEST_LINE {
            let (number, address) = (self.number + 1, &self.address);
            return Err(BatchError::InvalidJob(format!(
                "line {number} of {address} is longer than {LONGEST_LINE} bytes"
            )));
        }
        let count = self.expander.read_chunk(&mut self.buffer[self.end..]).await;
        let count = count.map_err(|error| BatchError::from_store("the object cannot be read", &error))?;
        self.end += count;
        self.is_at_end = count == 0;
        Ok(())
    }
}
