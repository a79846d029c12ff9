//! The one input buffer of a record stream.
//!
//! Chunks are appended at the end, decoders consume from the front. What is left of an unfinished record moves to the
//! front when the next chunk comes, so the buffer holds at most one record and one chunk.

/// Bytes not yet consumed, and how far into the object they begin.
#[derive(Debug, Default)]
pub(crate) struct InputBuffer {
    bytes: Vec<u8>,
    start: usize,
    consumed: u64,
    lines: u64,
}

impl InputBuffer {
    /// Appends a chunk.
    pub(crate) fn fill(&mut self, chunk: &[u8]) {
        if self.start > 0 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        self.bytes.extend_from_slice(chunk);
    }

    /// The bytes not yet consumed.
    pub(crate) fn unread(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    /// Offset in the object of the first unread byte.
    pub(crate) fn offset(&self) -> u64 {
        self.consumed
    }

    /// Line of the first unread byte, from 1.
    pub(crate) fn line(&self) -> u64 {
        self.lines + 1
    }

    /// Marks bytes as consumed and counts their lines.
    pub(crate) fn consume(&mut self, count: usize) {
        let count = count.min(self.bytes.len() - self.start);
        self.lines += count_lines(&self.bytes[self.start..self.start + count]);
        self.start += count;
        self.consumed += count as u64;
    }
}

/// Number of line feeds.
pub(crate) fn count_lines(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}
