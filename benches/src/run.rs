//! One run: choose the workloads, check their answers, measure them.

use crate::clock::thread_cpu_time;
use crate::data::Data;
use crate::error::BenchError;
use crate::guard::check_answers;
use crate::measure::{Extent, Job, measure};
use crate::report::Report;
use crate::workloads::{MEMCPY, Workload};
use std::ops::ControlFlow;
use std::time::Duration;

/// Bytes of each input if nothing else is asked for: far more than the caches hold, and little enough for a small
/// machine.
pub const DEFAULT_BYTES: u64 = 64_000_000;
/// Fewest bytes of an input.
pub const SMALLEST_BYTES: u64 = 1_000_000;
/// Most bytes of an input. All inputs together need a little more than four times as much memory, and the copy of
/// `memcpy` once more.
pub const LARGEST_BYTES: u64 = 1_000_000_000;
/// Rounds if nothing else is asked for.
pub const DEFAULT_ROUNDS: u32 = 5;
/// Most rounds.
pub const MOST_ROUNDS: u32 = 1_000;

/// CPU time that every workload gets at least, all rounds together.
const LEAST_TIME: Duration = Duration::from_secs(1);

/// What to measure.
#[derive(Debug, Clone)]
pub struct Options {
    /// Bytes of each input before compression.
    pub bytes: u64,
    /// How often each workload has a turn.
    pub rounds: u32,
    /// Names of workloads; none means all. What they are compared with is measured, too.
    pub only: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { bytes: DEFAULT_BYTES, rounds: DEFAULT_ROUNDS, only: Vec::new() }
    }
}

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The answers are being compared.
    Checking,
    /// The inputs are being made.
    Generating,
    /// So many turns of all are done.
    Measuring {
        /// Turns done.
        done: usize,
        /// All turns.
        total: usize,
    },
}

/// Measures those of `workloads` that `options` name. `observer` hears of every step, and may stop the run there.
///
/// # Errors
/// Options out of their limits; a workload that fails or gives a wrong answer; [`BenchError::Stopped`].
pub fn run(
    options: &Options,
    workloads: &[Workload],
    observer: &mut dyn FnMut(Step) -> ControlFlow<()>,
) -> Result<Report, BenchError> {
    let bytes = check_limits(options)?;
    let selected = select(workloads, &options.only)?;
    let mut tell = |step| if observer(step).is_break() { Err(BenchError::Stopped) } else { Ok(()) };
    tell(Step::Checking)?;
    check_answers(&selected)?;
    tell(Step::Generating)?;
    let mut data = Data::new(bytes);
    let mut jobs = Vec::with_capacity(selected.len());
    for workload in selected {
        jobs.push(Job { input: data.input(workload.shape)?, workload });
    }
    let total = jobs.len() * options.rounds as usize;
    tell(Step::Measuring { done: 0, total })?;
    let extent = Extent { rounds: options.rounds, turn: LEAST_TIME / options.rounds };
    let timings = measure(&jobs, extent, &mut thread_cpu_time, &mut |done| observer(Step::Measuring { done, total }))?;
    Ok(Report::new(&jobs, &timings))
}

/// The size of the inputs, if all options are within their limits.
fn check_limits(options: &Options) -> Result<usize, BenchError> {
    let Options { bytes: found, rounds, .. } = *options;
    let (smallest, largest) = (SMALLEST_BYTES, LARGEST_BYTES);
    let size = usize::try_from(found).ok().filter(|_| (smallest..=largest).contains(&found));
    if !(1..=MOST_ROUNDS).contains(&rounds) {
        return Err(BenchError::Rounds { found: rounds, most: MOST_ROUNDS });
    }
    size.ok_or(BenchError::Size { found, smallest, largest })
}

/// The workloads of these names and those that they are compared with, in the order of the table.
fn select(workloads: &[Workload], only: &[String]) -> Result<Vec<Workload>, BenchError> {
    let mut wanted: Vec<&str> = vec![MEMCPY];
    for name in only {
        let Some(found) = workloads.iter().find(|workload| workload.name == name) else {
            let known = workloads.iter().map(|workload| workload.name).collect();
            return Err(BenchError::UnknownWorkload { name: name.clone(), known });
        };
        wanted.push(found.name);
        wanted.extend(found.peer.map(|peer| peer.name));
    }
    let is_wanted = |workload: &&Workload| only.is_empty() || wanted.contains(&workload.name);
    Ok(workloads.iter().filter(is_wanted).copied().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workloads::all;

    #[test]
    fn names_bring_what_they_are_compared_with() {
        let check = |only: &[&str], expected: &[&str]| {
            let only: Vec<String> = only.iter().map(|name| (*name).to_owned()).collect();
            let names: Vec<&str> = select(&all(), &only).unwrap().iter().map(|workload| workload.name).collect();
            assert_eq!(names, expected);
        };
        check(&["csv-typed"], &["memcpy", "csv-direct-typed", "csv-typed"]);
        check(&["serde-tree", "utf8"], &["memcpy", "utf8", "serde-tree"]);
        assert_eq!(select(&all(), &[]).unwrap().len(), all().len());
        let error = select(&all(), &["csv".to_owned()]).unwrap_err().to_string();
        assert!(error.starts_with("no workload is called \"csv\"; there are memcpy, utf8, "), "{error}");
    }

    #[test]
    fn names_are_unique_and_peers_exist() {
        let all = all();
        for workload in &all {
            assert_eq!(all.iter().filter(|other| other.name == workload.name).count(), 1, "{}", workload.name);
            if let Some(peer) = workload.peer {
                assert!(all.iter().any(|other| other.name == peer.name), "{}", peer.name);
            }
        }
    }

    #[test]
    fn options_have_limits() {
        let check = |bytes: u64, rounds: u32, expected: &str| {
            let ended = check_limits(&Options { bytes, rounds, only: Vec::new() });
            let text = ended.map_or_else(|error| error.to_string(), |bytes| bytes.to_string());
            assert!(text.contains(expected), "{text}");
        };
        check(SMALLEST_BYTES, 1, "1000000");
        check(LARGEST_BYTES, MOST_ROUNDS, "1000000000");
        check(SMALLEST_BYTES - 1, 1, "inputs of 999999 bytes");
        check(LARGEST_BYTES + 1, 1, "inputs of 1000000001 bytes");
        check(DEFAULT_BYTES, 0, "0 rounds");
        check(DEFAULT_BYTES, MOST_ROUNDS + 1, "1001 rounds");
    }

    #[test]
    fn a_run_tells_its_steps_and_can_be_stopped_at_each() {
        let options = Options { bytes: SMALLEST_BYTES, rounds: 1, only: vec!["utf8".to_owned()] };
        for last in [Step::Checking, Step::Generating, Step::Measuring { done: 0, total: 2 }] {
            let mut told = Vec::new();
            let ended = run(&options, &all(), &mut |step| {
                told.push(step);
                if step == last { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            assert!(matches!(ended, Err(BenchError::Stopped)), "{ended:?}");
            assert_eq!(told.last(), Some(&last));
        }
    }
}
