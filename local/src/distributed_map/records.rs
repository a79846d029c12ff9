//! The result of a child in the service's words: the records of transformation NONE.

use serde::Serialize;
use serde_json::Value;

use super::child::{Child, Finished};
use crate::asl::{ExecutionStatus, time};

/// Output and metadata of a child. The input and output are JSON texts inside of the JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Record<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    execution_arn: &'a str,
    input: String,
    input_details: Included,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_details: Option<Included>,
    redrive_count: u64,
    redrive_status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    redrive_status_reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_date: Option<String>,
    state_machine_arn: &'a str,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_date: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Included {
    included: bool,
}

impl<'a> Record<'a> {
    /// The record of a child that has ended.
    pub(super) fn of(finished: &'a Finished) -> Self {
        let succeeded = finished.status == ExecutionStatus::Succeeded;
        Self {
            cause: finished.cause.as_deref(),
            error: finished.error.as_deref(),
            output: finished.output.as_ref().map(Value::to_string),
            output_details: finished.output.is_some().then_some(Included { included: true }),
            redrive_status: if succeeded { "NOT_REDRIVABLE" } else { "REDRIVABLE_BY_MAP_RUN" },
            redrive_status_reason: succeeded.then_some("Execution is SUCCEEDED and cannot be redriven"),
            start_date: Some(time::text(finished.start)),
            status: finished.status.as_str(),
            stop_date: Some(time::text(finished.stop)),
            ..Self::pending(&finished.child)
        }
    }

    /// The record of a child that was never started.
    pub(super) fn pending(child: &'a Child) -> Self {
        Self {
            cause: None,
            error: None,
            execution_arn: &child.arn,
            input: child.input.to_string(),
            input_details: Included { included: true },
            name: &child.name,
            output: None,
            output_details: None,
            redrive_count: child.redrives,
            redrive_status: "REDRIVABLE_BY_MAP_RUN",
            redrive_status_reason: None,
            start_date: None,
            state_machine_arn: &child.state_machine_arn,
            status: "PENDING",
            stop_date: None,
        }
    }
}
