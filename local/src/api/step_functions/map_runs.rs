//! Map Runs as the API keeps them: the engine's own handles, and what the API asks besides.

use std::sync::{Arc, OnceLock};

use serde_json::{Value, json};

use super::records::put;
use super::seconds;
use crate::asl::ExecutionType;
use crate::distributed_map::{Counts, MapRunHandle, MapRunUpdate, UpdateError};

/// A Map Run.
#[derive(Debug)]
pub(super) struct MapRun {
    pub(super) arn: Arc<str>,
    /// ARN of the state machine with the label of the Map state, as ListMapRuns names it.
    pub(super) machine_arn: Arc<str>,
    pub(super) execution_arn: String,
    handle: Arc<MapRunHandle>,
    children_type: OnceLock<ExecutionType>,
}

impl MapRun {
    pub(super) fn new(handle: Arc<MapRunHandle>) -> Self {
        let described = handle.describe();
        Self {
            arn: handle.arn().into(),
            machine_arn: described.state_machine_arn.into(),
            execution_arn: described.execution_arn,
            handle,
            children_type: OnceLock::new(),
        }
    }

    /// Changes the limits of a Map Run that runs.
    pub(super) fn update(&self, update: MapRunUpdate) -> Result<(), UpdateError> {
        self.handle.update(update)
    }

    /// Notes what kind of executions the children are. A redrive says the same again.
    pub(super) fn set_children_type(&self, execution_type: ExecutionType) {
        let _ = self.children_type.set(execution_type);
    }

    pub(super) fn children_type(&self) -> ExecutionType {
        self.children_type.get().copied().unwrap_or_default()
    }

    /// The entry of ListMapRuns.
    pub(super) fn listed(&self) -> Value {
        let described = self.handle.describe();
        let mut listed = json!({
            "executionArn": self.execution_arn,
            "mapRunArn": &*self.arn,
            "stateMachineArn": &*self.machine_arn,
            "startDate": seconds(described.start),
        });
        if let Value::Object(fields) = &mut listed {
            put(fields, "stopDate", described.stop.map(seconds));
        }
        listed
    }

    /// The answer of DescribeMapRun.
    pub(super) fn described(&self) -> Value {
        let now = self.handle.describe();
        // The members about redrives are optional in the API, and the recorded answer for a Map Run that has simply
        // succeeded has none of them.
        let status = now.status.as_str();
        let redrives = now.redrive_count > 0 || !matches!(status, "RUNNING" | "SUCCEEDED");
        let mut described = json!({
            "mapRunArn": &*self.arn,
            "executionArn": self.execution_arn,
            "status": status,
            "startDate": seconds(now.start),
            "maxConcurrency": now.max_concurrency,
            "toleratedFailurePercentage": now.tolerated_failure_percentage,
            "toleratedFailureCount": now.tolerated_failure_count,
            "executionCounts": counts(&now.execution_counts, redrives),
            "itemCounts": counts(&now.item_counts, redrives),
        });
        if let Value::Object(fields) = &mut described {
            put(fields, "stopDate", now.stop.map(seconds));
            put(fields, "redriveCount", redrives.then_some(now.redrive_count));
            put(fields, "redriveDate", now.redrive_time.map(seconds));
        }
        described
    }
}

/// The ARN of a Map Run without its own id.
pub(super) fn family(map_run: &str) -> &str {
    map_run.rsplit_once(':').map_or(map_run, |(family, _)| family)
}

fn counts(counts: &Counts, redrives: bool) -> Value {
    let mut all = json!({
        "pending": counts.pending,
        "running": counts.running,
        "succeeded": counts.succeeded,
        "failed": counts.failed,
        "timedOut": counts.timed_out,
        "aborted": counts.aborted,
        "total": counts.total(),
        "resultsWritten": counts.results_written,
    });
    if let (true, Value::Object(fields)) = (redrives, &mut all) {
        put(fields, "failuresNotRedrivable", Some(counts.failures_not_redrivable));
        put(fields, "pendingRedrive", Some(counts.pending_redrive));
    }
    all
}
