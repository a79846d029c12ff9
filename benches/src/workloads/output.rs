//! Where the records of a workload go.
//!
//! A worker hands its output on in parts. So does a workload: it writes into a buffer of about one chunk, and drains it.
//! While measuring, what is drained is thrown away, yet so that the compiler cannot leave out the work. For the guard,
//! it is kept.

use super::CHUNK;
use std::hint::black_box;

/// Takes the records of a workload.
#[derive(Debug)]
pub struct Output {
    /// Lines of NDJSON that have not been drained.
    pub buffer: Vec<u8>,
    /// Memory that a workload may use and find again in its next run.
    pub scratch: Vec<u8>,
    kept: Option<Vec<u8>>,
}

impl Output {
    /// Throws away what is drained.
    #[must_use]
    pub fn discarding() -> Self {
        Self { buffer: Vec::with_capacity(2 * CHUNK), scratch: Vec::new(), kept: None }
    }

    /// Keeps what is drained.
    #[must_use]
    pub fn keeping() -> Self {
        Self { kept: Some(Vec::new()), ..Self::discarding() }
    }

    /// Ends a record that was written to the buffer.
    #[inline]
    pub fn end_record(&mut self) {
        self.buffer.push(b'\n');
        if self.buffer.len() >= CHUNK {
            self.drain();
        }
    }

    /// Hands on what is in the buffer.
    pub fn drain(&mut self) {
        if let Some(kept) = &mut self.kept {
            kept.extend_from_slice(&self.buffer);
        }
        black_box(&self.buffer);
        self.buffer.clear();
    }

    /// Hands on the scratch memory, and leaves it as it is.
    pub fn hand_on_scratch(&mut self) {
        if let Some(kept) = &mut self.kept {
            kept.extend_from_slice(&self.scratch);
        }
        black_box(&self.scratch);
    }

    /// Everything that was handed on, if it was kept.
    #[must_use]
    pub fn into_kept(mut self) -> Vec<u8> {
        self.drain();
        self.kept.unwrap_or_default()
    }
}
