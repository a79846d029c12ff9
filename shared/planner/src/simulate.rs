//! The time that batches take together, played through event by event.
//!
//! A Map starts its children one after another, as fast as it can and no more than are allowed at the same time. Lambda does
//! not have all environments at once: it adds a thousand in every ten seconds. A child that finds no environment waits; one
//! that finds a new environment takes a cold start longer. What comes out of this is not the sum of anything, so it is
//! played: a clock goes from one event (a child ends, environments are added) to the next.
//!
//! At most [`MOST_EVENTS`] children are played one by one; of more, each stands for several.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Most children that are played.
const MOST_EVENTS: u64 = 100_000;

/// A moment in nanoseconds: whole numbers have an order.
type Moment = u64;

/// Children that take the same time, one after another in the order of starting.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wave {
    /// How many.
    pub children: u64,
    /// How long each takes, in seconds.
    pub seconds: f64,
}

/// What bounds how fast children start.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ramp {
    /// Most children at the same time.
    pub concurrency: u64,
    /// Children that are started in a second at most.
    pub starts_per_second: f64,
    /// Environments that are added in every ten seconds, the first ones at once; none where children need no function.
    pub environments_per_10_seconds: Option<u64>,
    /// What the first child in an environment takes longer, in seconds.
    pub cold_start_seconds: f64,
}

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Simulated {
    /// From the first start to the last end, in seconds.
    pub seconds: f64,
    /// Most children at the same time.
    pub peak: u64,
}

/// Plays the children through.
#[must_use]
pub fn simulate(waves: &[Wave], ramp: &Ramp) -> Simulated {
    let children: u64 = waves.iter().map(|wave| wave.children).fold(0, u64::saturating_add);
    let each_stands_for = children.div_ceil(MOST_EVENTS).max(1);
    let mut play = Play::new(ramp, each_stands_for);
    for wave in waves {
        for _ in 0..wave.children.div_ceil(each_stands_for) {
            play.start(moment(wave.seconds));
        }
    }
    Simulated { seconds: play.last_end as f64 / 1e9, peak: play.peak.saturating_mul(each_stands_for).min(children) }
}

fn moment(seconds: f64) -> Moment {
    (seconds.max(0.0) * 1e9) as Moment
}

/// Ten seconds, after which environments are added.
const STEP: Moment = 10_000_000_000;

struct Play {
    now: Moment,
    running: BinaryHeap<Reverse<Moment>>,
    last_end: Moment,
    peak: u64,
    concurrency: u64,
    between_starts: Moment,
    environments_per_step: u64,
    cold_start: Moment,
}

impl Play {
    fn new(ramp: &Ramp, each_stands_for: u64) -> Self {
        let share = |count: u64| (count / each_stands_for).max(1);
        Self {
            now: 0,
            running: BinaryHeap::new(),
            last_end: 0,
            peak: 0,
            concurrency: share(ramp.concurrency),
            between_starts: moment(each_stands_for as f64 / ramp.starts_per_second.max(1e-6)),
            environments_per_step: ramp.environments_per_10_seconds.map_or(u64::MAX, share),
            cold_start: moment(ramp.cold_start_seconds),
        }
    }

    fn capacity(&self) -> u64 {
        self.environments_per_step.saturating_mul(self.now / STEP + 1).min(self.concurrency)
    }

    /// Starts a child as soon as there is a place for it.
    fn start(&mut self, takes: Moment) {
        loop {
            while self.running.peek().is_some_and(|Reverse(end)| *end <= self.now) {
                self.running.pop();
            }
            if (self.running.len() as u64) < self.capacity() {
                break;
            }
            let next_end = self.running.peek().map_or(Moment::MAX, |Reverse(end)| *end);
            let next_step = if self.capacity() < self.concurrency { (self.now / STEP + 1) * STEP } else { Moment::MAX };
            self.now = next_end.min(next_step);
        }
        let is_new = self.running.len() as u64 >= self.peak;
        let end = self.now + takes + if is_new { self.cold_start } else { 0 };
        self.running.push(Reverse(end));
        self.peak = self.peak.max(self.running.len() as u64);
        self.last_end = self.last_end.max(end);
        self.now += self.between_starts;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FREE: Ramp = Ramp {
        concurrency: 1_000_000,
        starts_per_second: 1e6,
        environments_per_10_seconds: None,
        cold_start_seconds: 0.0,
    };

    fn check(waves: &[(u64, f64)], ramp: Ramp, seconds: f64, peak: u64) {
        let waves: Vec<Wave> =
            waves.iter().map(|(children, seconds)| Wave { children: *children, seconds: *seconds }).collect();
        let played = simulate(&waves, &ramp);
        assert!((played.seconds - seconds).abs() <= 0.02 * seconds + 0.01, "{waves:?} {ramp:?}: {played:?}");
        assert_eq!(played.peak, peak, "{waves:?} {ramp:?}");
    }

    #[test]
    fn children_overlap_as_far_as_they_may() {
        check(&[], FREE, 0.0, 0);
        check(&[(100, 5.0)], FREE, 5.0, 100);
        check(&[(100, 5.0)], Ramp { concurrency: 10, ..FREE }, 50.0, 10);
        check(&[(101, 5.0)], Ramp { concurrency: 10, ..FREE }, 55.0, 10);
        check(&[(100, 5.0), (1, 60.0)], Ramp { concurrency: 100, ..FREE }, 65.0, 100);
        check(&[(1, 60.0), (100, 5.0)], Ramp { concurrency: 100, ..FREE }, 60.0, 100);
    }

    #[test]
    fn starting_takes_time() {
        check(&[(1000, 1.0)], Ramp { starts_per_second: 100.0, ..FREE }, 11.0, 100);
        check(&[(10, 1.0)], Ramp { cold_start_seconds: 2.0, ..FREE }, 3.0, 10);
        // Warm environments are used again.
        check(&[(20, 1.0)], Ramp { concurrency: 10, cold_start_seconds: 2.0, ..FREE }, 4.0, 10);
    }

    #[test]
    fn environments_come_in_steps() {
        let ramp = Ramp { environments_per_10_seconds: Some(1000), ..FREE };
        check(&[(3000, 100.0)], ramp, 120.0, 3000);
        check(&[(1000, 100.0)], ramp, 100.0, 1000);
        check(&[(4000, 5.0)], ramp, 15.0, 2000);
    }

    #[test]
    fn millions_are_played_in_groups() {
        check(&[(10_000_000, 10.0)], Ramp { concurrency: 10_000, ..FREE }, 10_000.0, 10_000);
    }
}
