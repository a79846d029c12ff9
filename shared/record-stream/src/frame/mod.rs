//! Framing: bytes to record slices.
//!
//! A framer is handed all bytes not yet consumed and calls a sink for every record it finds in them. It answers how many
//! bytes are done with; the caller keeps the rest and comes back with more behind it. A framer remembers how far it has
//! looked into an unfinished record, so nothing is scanned twice however small the chunks are.

mod json;
mod lines;
mod structure;
mod walker;

pub(crate) use json::JsonFramer;
pub use json::{JsonLayout, JsonMode};
pub(crate) use lines::LineFramer;

use crate::error::Problem;
use std::ops::Range;

/// What a framer found. Ranges are offsets in the input of this call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Frame {
    /// The bytes of one record.
    Record(Range<usize>),
    /// A record that is refused unread; the stream goes on after it.
    Rejected(Range<usize>, Problem),
}

/// What the sink wants next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Go on with the next record.
    Continue,
    /// Return now; the frame just handed out counts as consumed.
    Stop,
}

/// The object cannot be read further.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) problem: Problem,
    /// Offset in the input where the unreadable part begins.
    pub(crate) offset: usize,
}
