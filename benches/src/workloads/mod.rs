//! The jobs that are measured.
//!
//! A workload is a name, an input, and a function that does a whole job on that input. Three kinds stand beside one
//! another: what the machine can do at most (`limits`), the job done with crates that one would use instead
//! (`json_crates`, `csv_crates`), and the job done by our engine (`engine`). Workloads with the same [`Answer`] must
//! write the same records, which the guard checks before anything is measured.

mod csv_crates;
mod engine;
mod json_crates;
mod limits;
mod output;

pub use csv_crates::{MemberNames, write_text_member};
pub use json_crates::{Event, write_kept_event};
pub use limits::lines;
pub use output::Output;

use crate::data::Shape;
use crate::error::WorkError;

/// Bytes handed on at a time: what a worker reads from an object, and writes to one.
pub const CHUNK: usize = 128 * 1024;

/// Records whose price is above this are kept by the workloads that filter; it is about half of them.
pub const PRICE_ABOVE: f64 = 50.0;

/// Name of the workload that all others are compared with.
pub const MEMCPY: &str = "memcpy";

/// Who does the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// What the machine can do at most, or a step that every job has.
    Limit,
    /// Crates that one would use instead.
    Peer,
    /// Our engine.
    Engine,
}

/// Which records a workload writes. Those with the same answer are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Nothing that could be compared: the input is read and found good.
    Read,
    /// Every event as it came.
    Events,
    /// The events above [`PRICE_ABOVE`] as objects of `id`, `kind`, `price` (a number) and `path`.
    EventsReshaped,
    /// Every document on a line of its own.
    Documents,
    /// Every row as an object of texts.
    Rows,
    /// Every row as an object, with numbers and booleans.
    RowsTyped,
    /// The rows above [`PRICE_ABOVE`] as objects of `id`, `kind`, `price` and `path`.
    RowsReshaped,
}

impl Answer {
    /// The workload that tells what is right; none where there is nothing to compare.
    #[must_use]
    pub fn reference(self) -> Option<&'static str> {
        match self {
            Self::Read => None,
            Self::Events => Some(MEMCPY),
            Self::EventsReshaped => Some("serde-reshape"),
            Self::Documents => Some("serde-documents"),
            Self::Rows => Some("csv-serde-strings"),
            Self::RowsTyped => Some("csv-serde-typed"),
            Self::RowsReshaped => Some("csv-direct-filter"),
        }
    }
}

/// The workload that an engine's workload is held against.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    /// Its name.
    pub name: &'static str,
    /// How many times as fast as the peer the engine is meant to be.
    pub target: Option<f64>,
}

/// Does a whole job: the objects of an input, and where the records go.
pub type Work = fn(&[Vec<u8>], &mut Output) -> Result<(), WorkError>;

/// One thing that is measured.
#[derive(Debug, Clone, Copy)]
pub struct Workload {
    /// Its name in tables and on the command line.
    pub name: &'static str,
    /// What it does, in a few words.
    pub about: &'static str,
    /// Who does it.
    pub kind: Kind,
    /// What it reads.
    pub shape: Shape,
    /// What it writes.
    pub answer: Answer,
    /// What it is held against.
    pub peer: Option<Peer>,
    /// The work.
    pub work: Work,
}

/// Every workload of this room, in the order of the table.
#[must_use]
pub fn all() -> Vec<Workload> {
    [limits::workloads(), json_crates::workloads(), csv_crates::workloads(), engine::workloads()].concat()
}
