//! Why there are no figures.

use std::error::Error;

/// What went wrong inside a workload.
pub type WorkError = Box<dyn Error + Send + Sync>;

/// Why a run of the measurements ended without figures.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// No workload has this name.
    #[error("no workload is called {name:?}; there are {}", .known.join(", "))]
    UnknownWorkload {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: Vec<&'static str>,
    },
    /// The inputs would be too small to measure or too large for memory.
    #[error("inputs of {found} bytes are outside of the limits, {smallest} to {largest} bytes each")]
    Size {
        /// Bytes asked for.
        found: u64,
        /// Fewest bytes.
        smallest: u64,
        /// Most bytes.
        largest: u64,
    },
    /// Too few or too many rounds.
    #[error("{found} rounds are outside of the limits, 1 to {most}")]
    Rounds {
        /// Rounds asked for.
        found: u32,
        /// Most rounds.
        most: u32,
    },
    /// An input could not be made.
    #[error("cannot compress an input")]
    Data(#[source] std::io::Error),
    /// A workload failed on generated data.
    #[error("the workload {name} failed")]
    Workload {
        /// Its name.
        name: &'static str,
        /// What it said.
        source: WorkError,
    },
    /// Two ways of doing the same job gave different records, so their speed means nothing.
    #[error("the workload {name} gives other records than {reference}: {difference}")]
    WrongAnswer {
        /// The workload.
        name: &'static str,
        /// The workload it was compared with.
        reference: &'static str,
        /// Where they part.
        difference: String,
    },
    /// The observer asked to stop.
    #[error("stopped before the measurements were complete")]
    Stopped,
}
