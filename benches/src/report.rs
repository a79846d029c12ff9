//! The figures of one run, for programs. The table for people is made from them.

use crate::data::Input;
use crate::measure::{Job, Timing};
use crate::workloads::{Kind, MEMCPY};
use serde::Serialize;
use std::time::Duration;

/// The figures of one run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Whether the program was built with optimisation. Without it, figures mean little.
    pub optimised: bool,
    /// What was read.
    pub inputs: Vec<InputLine>,
    /// What was measured, in the order of the table.
    pub results: Vec<ResultLine>,
}

/// One input.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct InputLine {
    /// What it is.
    pub name: &'static str,
    /// Bytes before compression.
    pub bytes: u64,
    /// Records in it.
    pub records: u64,
    /// Objects that they lie in.
    pub objects: usize,
}

/// One workload.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ResultLine {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub about: &'static str,
    /// Who does it.
    pub kind: Kind,
    /// Runs that were measured.
    pub runs: usize,
    /// Million bytes of uncompressed input in a second of CPU time, in the median run.
    pub median_mb_per_s: f64,
    /// The same in the best run. The ratios below are of best runs.
    pub best_mb_per_s: f64,
    /// Its rate as a part of that of `memcpy`.
    pub of_memcpy: Option<f64>,
    /// The workload that it is held against.
    pub peer: Option<&'static str>,
    /// How many times as fast as the peer it is.
    pub of_peer: Option<f64>,
    /// How many times as fast as the peer it is meant to be.
    pub target_of_peer: Option<f64>,
}

impl Report {
    pub(crate) fn new(jobs: &[Job], timings: &[Timing]) -> Self {
        let mut inputs: Vec<InputLine> = Vec::new();
        for job in jobs {
            let name = job.workload.shape.name();
            if inputs.iter().all(|line| line.name != name) {
                let Input { objects, bytes, records } = &*job.input;
                inputs.push(InputLine { name, bytes: *bytes, records: *records, objects: objects.len() });
            }
        }
        let best = |name: &str| {
            let found = jobs.iter().zip(timings).find(|(job, _)| job.workload.name == name);
            found.map(|(job, timing)| rate(job.input.bytes, timing.best))
        };
        let memcpy = best(MEMCPY);
        let results = jobs.iter().zip(timings).map(|(job, timing)| {
            let workload = &job.workload;
            let best_mb_per_s = rate(job.input.bytes, timing.best);
            ResultLine {
                name: workload.name,
                about: workload.about,
                kind: workload.kind,
                runs: timing.runs,
                median_mb_per_s: rate(job.input.bytes, timing.median),
                best_mb_per_s,
                of_memcpy: memcpy.map(|memcpy| best_mb_per_s / memcpy),
                peer: workload.peer.map(|peer| peer.name),
                of_peer: workload.peer.and_then(|peer| best(peer.name)).map(|peer| best_mb_per_s / peer),
                target_of_peer: workload.peer.and_then(|peer| peer.target),
            }
        });
        Self { optimised: !cfg!(debug_assertions), inputs, results: results.collect() }
    }
}

/// Million bytes a second. A run shorter than the clock can tell counts as a nanosecond.
fn rate(bytes: u64, time: Duration) -> f64 {
    bytes as f64 / 1e6 / time.max(Duration::from_nanos(1)).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Data;
    use crate::workloads::all;

    fn report(timed: &[(&str, u64)]) -> Report {
        let mut data = Data::new(10_000);
        let (mut jobs, mut timings) = (Vec::new(), Vec::new());
        for (name, microseconds) in timed {
            let workload = all().into_iter().find(|workload| workload.name == *name).unwrap();
            jobs.push(Job { input: data.input(workload.shape).unwrap(), workload });
            let best = Duration::from_micros(*microseconds);
            timings.push(Timing { best, median: best * 2, runs: 5 });
        }
        Report::new(&jobs, &timings)
    }

    fn is_near(found: Option<f64>, expected: f64) -> bool {
        found.is_some_and(|found| (found / expected - 1.0).abs() < 1e-9)
    }

    #[test]
    fn rates_and_ratios_are_of_the_best_runs() {
        let report = report(&[("memcpy", 2), ("serde-reshape", 100), ("ndjson-reshape", 20)]);
        assert_eq!(report.inputs.len(), 1, "one input for all");
        let ours = &report.results[2];
        let bytes = report.inputs[0].bytes as f64;
        assert!(is_near(Some(ours.best_mb_per_s), bytes / 20.0), "{ours:?}");
        assert!(is_near(Some(ours.median_mb_per_s), bytes / 40.0), "{ours:?}");
        assert!(is_near(ours.of_memcpy, 0.1), "{ours:?}");
        assert!(is_near(ours.of_peer, 5.0), "{ours:?}");
        assert_eq!(ours.peer, Some("serde-reshape"));
        assert!(report.results[1].of_peer.is_none());
    }

    #[test]
    fn compressed_input_is_rated_by_what_it_expands_to() {
        let report = report(&[("memcpy", 1), ("gunzip", 1)]);
        assert_eq!(report.inputs[0].bytes, report.inputs[1].bytes);
        assert!(is_near(report.results[1].of_memcpy, 1.0), "{report:?}");
    }

    #[test]
    fn a_ratio_to_what_was_not_measured_is_unknown() {
        let report = report(&[("ndjson-reshape", 20)]);
        assert_eq!((report.results[0].of_memcpy, report.results[0].of_peer), (None, None));
    }
}
