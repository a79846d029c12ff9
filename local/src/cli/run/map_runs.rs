//! Tallies by Map Run.
//!
//! A Map state with `Retry` makes a new Map Run over the same items for every attempt. An attempt that is made again
//! must not count, so the tally of a failed Map Run is kept apart until it is known whether its state is tried again.

use std::collections::{BTreeMap, BTreeSet};

use super::tally::{Tally, is_outcome};
use crate::asl::ExecutionStatus;
use crate::distributed_map::MapRunSummary;
use crate::observer::Notice;

/// What all Map Runs of an execution came to so far.
#[derive(Debug, Default)]
pub(super) struct MapRuns {
    /// Map states with another Distributed Map inside: their children are no batches of objects.
    outer: BTreeSet<String>,
    /// Map Runs that go on, by ARN.
    open: BTreeMap<String, Open>,
    /// The last failed Map Run of every state that may be tried again.
    failed: BTreeMap<String, Tally>,
    /// All that are sure to count.
    settled: Tally,
}

#[derive(Debug, Default)]
struct Open {
    is_outer: bool,
    tally: Tally,
}

impl MapRuns {
    /// Nothing yet. `outer` names the Map states that have another Distributed Map inside.
    pub(super) fn new(outer: BTreeSet<String>) -> Self {
        Self { outer, ..Self::default() }
    }

    /// Takes a notice in.
    pub(super) fn take(&mut self, notice: &Notice<'_>) {
        match *notice {
            Notice::MapRunStarted { map_run, state, .. } => {
                let open = Open { is_outer: self.outer.contains(state), tally: Tally::default() };
                self.open.insert(map_run.to_owned(), open);
            }
            Notice::ChildFinished { map_run, items, input, status, output, error, cause, .. } => {
                let open = self.open.entry(map_run.to_owned()).or_default();
                // The items of an outer child are counted in the batches of its own Map Runs, and an item of a Map Run whose
                // batches were made by the plan is a batch of objects.
                let objects = input["Items"].as_array().map_or(items, |objects| objects.len() as u64);
                let items = if open.is_outer { 0 } else { objects };
                match status {
                    ExecutionStatus::Succeeded if open.is_outer && !output.is_some_and(is_outcome) => {}
                    ExecutionStatus::Succeeded => open.tally.add_answer(items, output),
                    _ => open.tally.add_end(items, status, error, cause),
                }
            }
            Notice::MapRunFinished { summary } => self.end(summary),
            Notice::RetryScheduled { state, .. } => {
                self.failed.remove(state);
            }
            _ => {}
        }
    }

    fn end(&mut self, summary: &MapRunSummary) {
        let mut tally = self.open.remove(&summary.map_run_arn).unwrap_or_default().tally;
        tally.never_started += summary.items.pending;
        if summary.status == ExecutionStatus::Failed {
            // An earlier one of this state was not tried again, or its retry notice would have taken it away.
            if let Some(earlier) = self.failed.insert(summary.state.clone(), tally) {
                self.settled.merge(earlier);
            }
        } else {
            self.settled.merge(tally);
        }
    }

    /// The sum so far, without attempts that were made again.
    pub(super) fn tally(&self) -> Tally {
        let mut sum = self.settled.clone();
        let unsettled = self.failed.values().chain(self.open.values().map(|open| &open.tally));
        unsettled.for_each(|tally| sum.merge(tally.clone()));
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::run::tally::sample_outcome;
    use crate::distributed_map::Counts;
    use jiff::Timestamp;
    use std::time::Duration;

    impl MapRuns {
        fn start(&mut self, map_run: &str, state: &str) {
            self.take(&Notice::MapRunStarted {
                map_run,
                state,
                max_concurrency: 1,
                tolerated_count: 0,
                tolerated_percentage: 0.0,
                execution_type: crate::asl::ExecutionType::Express,
            });
        }

        fn child(&mut self, map_run: &str, status: ExecutionStatus) {
            let outcome = sample_outcome(0);
            let (output, error) = match status {
                ExecutionStatus::Succeeded => (Some(&outcome), None),
                _ => (None, Some("E")),
            };
            let (child, items, cause, duration) = ("c", 1, None, Duration::ZERO);
            let input = &serde_json::json!({"Items": [{"Key": "a"}, {"Key": "b"}, {"Key": "c"}]});
            self.take(&Notice::ChildFinished { map_run, child, items, input, status, output, error, cause, duration });
        }

        fn finish(&mut self, map_run: &str, state: &str, status: ExecutionStatus, pending: u64) {
            let summary = MapRunSummary {
                map_run_arn: map_run.to_owned(),
                state: state.to_owned(),
                status,
                error: None,
                executions: Counts::default(),
                items: Counts { pending, ..Counts::default() },
                max_concurrency: 1,
                manifest: None,
                start: Timestamp::UNIX_EPOCH,
                stop: Timestamp::UNIX_EPOCH,
            };
            self.take(&Notice::MapRunFinished { summary: &summary });
        }

        fn retry(&mut self, state: &str) {
            let (execution, error, retries, delay) = ("x", "E", 0, Duration::ZERO);
            self.take(&Notice::RetryScheduled { execution, state, error, retries, delay });
        }

        /// Batches answered and failed, items of outcomes, items never started.
        fn sums(&self) -> [u64; 4] {
            let tally = self.tally();
            [tally.batches.answered, tally.batches.failed, tally.items.total, tally.never_started]
        }
    }

    #[test]
    fn an_attempt_that_is_made_again_does_not_count() {
        let mut runs = MapRuns::default();
        runs.start("1", "Map");
        runs.child("1", ExecutionStatus::Succeeded);
        runs.child("1", ExecutionStatus::Failed);
        assert_eq!(runs.sums(), [1, 1, 3, 0], "a run that goes on counts");
        runs.finish("1", "Map", ExecutionStatus::Failed, 6);
        assert_eq!(runs.sums(), [1, 1, 3, 6], "a failed run counts until it is tried again");
        runs.retry("Map");
        assert_eq!(runs.sums(), [0; 4]);
        runs.start("2", "Map");
        runs.child("2", ExecutionStatus::Succeeded);
        runs.finish("2", "Map", ExecutionStatus::Succeeded, 0);
        assert_eq!(runs.sums(), [1, 0, 3, 0]);
    }

    #[test]
    fn failed_runs_of_a_state_that_is_entered_again_all_count() {
        let mut runs = MapRuns::default();
        for map_run in ["1", "2", "3"] {
            runs.start(map_run, "Map");
            runs.child(map_run, ExecutionStatus::Failed);
            runs.finish(map_run, "Map", ExecutionStatus::Failed, 1);
        }
        assert_eq!(runs.sums(), [0, 3, 0, 3]);
        runs.retry("Map");
        assert_eq!(runs.sums(), [0, 2, 0, 2], "the retry is one of the last only");
    }

    #[test]
    fn children_around_a_distributed_map_are_no_batches() {
        let mut runs = MapRuns::new(BTreeSet::from(["Outer".to_owned()]));
        runs.start("1", "Outer");
        runs.start("2", "Inner");
        runs.child("2", ExecutionStatus::Succeeded);
        runs.finish("2", "Inner", ExecutionStatus::Succeeded, 0);
        let output = serde_json::json!({"MapRunArn": "2"});
        let (status, duration) = (ExecutionStatus::Succeeded, Duration::ZERO);
        runs.take(&Notice::ChildFinished {
            map_run: "1",
            child: "c",
            items: 1,
            input: &serde_json::json!({}),
            status,
            output: Some(&output),
            error: None,
            cause: None,
            duration,
        });
        runs.finish("1", "Outer", ExecutionStatus::Succeeded, 0);
        assert_eq!(runs.sums(), [1, 0, 3, 0]);
        assert_eq!(runs.tally().batches.ended(), 1);
    }
}
