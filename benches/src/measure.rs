//! Taking time, in turns.
//!
//! A machine is never quite the same for two seconds: other programs come and go, and the processor changes its speed. If
//! one workload were measured wholly before the next, each would meet another machine. So the measurement goes in rounds,
//! and in every round every workload has a turn. A turn is one run, or as many as fill its time. Each run is one figure;
//! the best says what the code can do, the median what one may expect.

use crate::data::Input;
use crate::error::BenchError;
use crate::workloads::{Output, Workload};
use std::ops::ControlFlow;
use std::rc::Rc;
use std::time::Duration;

/// Most runs in one turn: enough for any input that takes a microsecond or more.
const MOST_RUNS_IN_A_TURN: usize = 10_000;

/// A workload with its input.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) workload: Workload,
    pub(crate) input: Rc<Input>,
}

/// How long a workload took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Timing {
    pub(crate) best: Duration,
    pub(crate) median: Duration,
    pub(crate) runs: usize,
}

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    pub(crate) rounds: u32,
    /// Least time of a turn.
    pub(crate) turn: Duration,
}

/// Measures all jobs, round by round. `clock` tells the time used; `observer` hears of every turn that is done.
pub(crate) fn measure(
    jobs: &[Job],
    extent: Extent,
    clock: &mut dyn FnMut() -> Duration,
    observer: &mut dyn FnMut(usize) -> ControlFlow<()>,
) -> Result<Vec<Timing>, BenchError> {
    let mut samples: Vec<Vec<Duration>> = vec![Vec::new(); jobs.len()];
    let mut output = Output::discarding();
    let mut turns_done = 0;
    for _ in 0..extent.rounds {
        for (job, samples) in jobs.iter().zip(&mut samples) {
            take_turn(job, extent.turn, clock, &mut output, samples)?;
            turns_done += 1;
            if observer(turns_done).is_break() {
                return Err(BenchError::Stopped);
            }
        }
    }
    Ok(samples.into_iter().map(summary).collect())
}

fn take_turn(
    job: &Job,
    turn: Duration,
    clock: &mut dyn FnMut() -> Duration,
    output: &mut Output,
    samples: &mut Vec<Duration>,
) -> Result<(), BenchError> {
    let mut used = Duration::ZERO;
    for _ in 0..MOST_RUNS_IN_A_TURN {
        let begun = clock();
        let worked = (job.workload.work)(&job.input.objects, output);
        let taken = clock().saturating_sub(begun);
        worked.map_err(|source| BenchError::Workload { name: job.workload.name, source })?;
        samples.push(taken);
        used += taken;
        if used >= turn {
            break;
        }
    }
    Ok(())
}

fn summary(mut samples: Vec<Duration>) -> Timing {
    samples.sort_unstable();
    let at = |index: usize| samples.get(index).copied().unwrap_or_default();
    Timing { best: at(0), median: at(samples.len() / 2), runs: samples.len() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Data;
    use crate::workloads;

    fn jobs(names: &[&str]) -> Vec<Job> {
        let mut data = Data::new(1_000);
        let all = workloads::all().into_iter().filter(|workload| names.contains(&workload.name));
        all.map(|workload| Job { input: data.input(workload.shape).unwrap(), workload }).collect()
    }

    /// A clock on which the runs take these milliseconds, one after another, then always the last.
    fn clock(milliseconds: &[u64]) -> impl FnMut() -> Duration {
        let mut times = milliseconds.iter().copied();
        let (mut now, mut last, mut is_end) = (0, 0, false);
        move || {
            if is_end {
                last = times.next().unwrap_or(last);
                now += last;
            }
            is_end = !is_end;
            Duration::from_millis(now)
        }
    }

    #[test]
    fn every_workload_has_a_turn_in_every_round() {
        let jobs = jobs(&["memcpy", "utf8"]);
        let extent = Extent { rounds: 3, turn: Duration::ZERO };
        let mut turns = Vec::new();
        let timings = measure(&jobs, extent, &mut clock(&[5, 100, 3, 300, 4, 200]), &mut |done| {
            turns.push(done);
            ControlFlow::Continue(())
        });
        let ms = Duration::from_millis;
        let expected =
            [Timing { best: ms(3), median: ms(4), runs: 3 }, Timing { best: ms(100), median: ms(200), runs: 3 }];
        assert_eq!(timings.unwrap(), expected);
        assert_eq!(turns, [1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn a_turn_is_filled_with_runs_but_not_without_end() {
        let check = |milliseconds: u64, expected: usize| {
            let extent = Extent { rounds: 2, turn: Duration::from_millis(10) };
            let mut go_on = |_| ControlFlow::Continue(());
            let timings = measure(&jobs(&["memcpy"]), extent, &mut clock(&[milliseconds]), &mut go_on).unwrap();
            assert_eq!(timings[0].runs, expected, "{milliseconds} ms a run");
        };
        check(4, 6);
        check(10, 2);
        check(50, 2);
        check(0, 2 * MOST_RUNS_IN_A_TURN);
    }

    #[test]
    fn the_observer_can_stop_it() {
        let extent = Extent { rounds: 5, turn: Duration::ZERO };
        let mut stop_at_two = |done| if done == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        let ended = measure(&jobs(&["memcpy", "utf8"]), extent, &mut clock(&[1]), &mut stop_at_two);
        assert!(matches!(ended, Err(BenchError::Stopped)), "{ended:?}");
    }
}
