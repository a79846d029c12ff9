//! Measures the record engine beside the crates that one would use instead.
//!
//! A figure means something only next to another one from the same run: machines differ, and other work on a machine
//! moves every figure. So one run generates its data, checks that all ways of doing a job give the same records, and
//! then measures all of them in turns. What it prints are ratios as much as rates.
//!
//! | room | what it does |
//! |---|---|
//! | `data` | makes the inputs: events, one array of them, CSV rows, large documents; the same bytes on every machine |
//! | `workloads` | the jobs: by our engine, by other crates, and what the machine can do at most |
//! | `guard` | compares the answers of all workloads that do the same job |
//! | `measure`, `clock` | takes CPU time, in turns |
//! | `report`, `table` | the figures for programs, and for people |
//! | `run` | all of the above |
//!
//! The engine is measured through its public interface, whole jobs in chunks as a worker feeds it. Framing alone cannot
//! be reached that way: the engine hands out no record that it has not checked.

mod clock;
pub mod data;
mod error;
mod guard;
mod measure;
mod report;
mod run;
mod table;
pub mod workloads;

pub use error::{BenchError, WorkError};
pub use guard::check_answers;
pub use report::{InputLine, Report, ResultLine};
pub use run::{DEFAULT_BYTES, DEFAULT_ROUNDS, LARGEST_BYTES, MOST_ROUNDS, Options, SMALLEST_BYTES, Step, run};
pub use table::list;
