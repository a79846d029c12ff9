//! NDJSON: one record a line.

use super::{Flow, Frame};
use crate::error::Problem;
use crate::json::is_whitespace;
use memchr::memchr;

/// Finds lines. Lines of white space alone are no records.
#[derive(Debug)]
pub(crate) struct LineFramer {
    limit: usize,
    /// Bytes of the unfinished line already searched.
    searched: usize,
    /// The rest of a line that was too long is being thrown away.
    discarding: bool,
}

impl LineFramer {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, searched: 0, discarding: false }
    }

    /// True when the first byte not consumed begins a line.
    pub(crate) fn is_at_line_start(&self) -> bool {
        !self.discarding
    }

    /// Calls `sink` for each line in `input`; answers the bytes consumed.
    pub(crate) fn frame(&mut self, input: &[u8], end_of_input: bool, sink: &mut dyn FnMut(Frame) -> Flow) -> usize {
        let mut start = 0;
        loop {
            let rest = &input[start..];
            if self.discarding {
                match memchr(b'\n', rest) {
                    Some(found) => start += found + 1,
                    None => return input.len(),
                }
                self.discarding = false;
                continue;
            }
            // A line may have `limit` bytes, so its end is at most at that offset.
            let window = &rest[..rest.len().min(self.limit.saturating_add(1))];
            let from = self.searched.min(window.len());
            let (length, next) = match memchr(b'\n', &window[from..]) {
                Some(found) => (from + found, from + found + 1),
                None if window.len() > self.limit => {
                    self.searched = 0;
                    self.discarding = true;
                    let problem = Problem::RecordTooLarge { limit: self.limit };
                    let flow = sink(Frame::Rejected(start..start + self.limit, problem));
                    start += self.limit;
                    if flow == Flow::Stop {
                        return start;
                    }
                    continue;
                }
                None if end_of_input && !rest.is_empty() => (rest.len(), rest.len()),
                None => {
                    self.searched = rest.len();
                    return start;
                }
            };
            self.searched = 0;
            let line = start..start + length;
            start += next;
            if input[line.clone()].iter().all(|byte| is_whitespace(*byte)) {
                continue;
            }
            if sink(Frame::Record(line)) == Flow::Stop {
                return start;
            }
        }
    }
}
