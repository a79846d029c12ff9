//! The one input buffer of a record stream.
//!
//! Chunks are appended at the end, decoders consume from the front. What is left of an unfinished record moves to the
//! front when the next chunk comes, so the buffer holds at most one record and one chunk.

use crate::lines::LineCounter;

/// Bytes not yet consumed, and how far into the object they begin.
#[derive(Debug)]
pub(crate) struct InputBuffer {
    /// Memory that has been written once; the bytes from `start` to `end` count.
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    consumed: u64,
    lines: LineCounter,
}

impl InputBuffer {
    pub(crate) fn new(lines: LineCounter) -> Self {
        Self::at(0, lines)
    }

    /// A buffer for an object that is read from this offset on.
    pub(crate) fn at(consumed: u64, lines: LineCounter) -> Self {
        Self { bytes: Vec::new(), start: 0, end: 0, consumed, lines }
    }

    /// Takes up to so many bytes away as if they had never come; answers how many.
    pub(crate) fn drop_front(&mut self, most: u64) -> u64 {
        let dropped = usize::try_from(most).unwrap_or(usize::MAX).min(self.end - self.start);
        self.start += dropped;
        dropped as u64
    }

    /// Room for at least `at_least` more bytes behind those that are there.
    pub(crate) fn space(&mut self, at_least: usize) -> &mut [u8] {
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.bytes.len() < self.end + at_least {
            self.bytes.resize(self.end + at_least, 0);
        }
        &mut self.bytes[self.end..]
    }

    /// Says that so many bytes of the last [`InputBuffer::space`] were written.
    pub(crate) fn filled(&mut self, count: usize) {
        self.end = (self.end + count).min(self.bytes.len());
    }

    /// Appends a chunk.
    pub(crate) fn fill(&mut self, chunk: &[u8]) {
        self.space(chunk.len())[..chunk.len()].copy_from_slice(chunk);
        self.filled(chunk.len());
    }

    /// The bytes not yet consumed.
    pub(crate) fn unread(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    /// Offset in the object of the first unread byte.
    pub(crate) fn offset(&self) -> u64 {
        self.consumed
    }

    /// The lines up to the first unread byte.
    pub(crate) fn lines(&self) -> LineCounter {
        self.lines
    }

    /// Marks bytes as consumed and counts their lines.
    pub(crate) fn consume(&mut self, count: usize) {
        let count = count.min(self.end - self.start);
        self.lines.count(&self.bytes[self.start..self.start + count]);
        self.start += count;
        self.consumed += count as u64;
    }
}
