//! What a run costs, by the rates: no free tier, no discount, no tax, and nothing for storing and moving the data.

use crate::design::{Design, Strategy};
use crate::kind::Kind;
use crate::quota;
use crate::rates::Rates;
use crate::shape::Shape;
use crate::survey::Survey;
use crate::worker::Worker;
use serde::Serialize;

/// State transitions of the parent: its states, without retries.
const PARENT_TRANSITIONS: f64 = 8.0;

/// State transitions of a group of `nested`: being started, and its states.
const GROUP_TRANSITIONS: f64 = 3.0;

/// An Express execution is charged for memory in steps of 64 MB, and for time in steps of 100 ms.
const EXPRESS_MEMORY_GB: f64 = 64.0 / 1024.0;

/// The part of an output that is written by one request; larger ones are uploaded in such parts.
const PART_BYTES: f64 = (8 << 20) as f64;

/// What a run costs, in the currency of the rates.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Cost {
    /// State transitions, children, Express executions.
    pub step_functions: f64,
    /// Memory of the workers for their time, and invocations.
    pub lambda: f64,
    /// Requests for objects, ledgers and listings.
    pub s3_requests: f64,
    /// All of them.
    pub total: f64,
}

pub(crate) fn cost(design: &Design, shape: &Shape, survey: &Survey, worker: &Worker, rates: &Rates) -> Cost {
    let batches = shape.batches() as f64;
    let prices = &rates.prices;
    let groups = design.group_items.map_or(0, |items| shape.items.div_ceil(items)) as f64;

    let seconds = shape.seconds() + batches * rates.speeds.batch_seconds;
    let express = batches * prices.step_functions.express_request
        + (seconds + batches * (rates.speeds.child_seconds + 0.05))
            * EXPRESS_MEMORY_GB
            * prices.step_functions.express_gb_second;
    let transitions = PARENT_TRANSITIONS + batches + groups * GROUP_TRANSITIONS;
    let step_functions = transitions * prices.step_functions.standard_transition + express;

    let memory_gb = worker.memory_mb() as f64 / 1024.0;
    let lambda = seconds * memory_gb * prices.lambda.arm64_gb_second + batches * prices.lambda.request;

    let pages = survey.listed().div_ceil(quota::LIST_PAGE) as f64;
    // Step Functions lists again where the plan does not write units.
    let listings = if design.strategy.has_units() { 1.0 } else { 2.0 };
    let listed = if design.strategy == Strategy::Repair { 0.0 } else { pages * listings };
    let mut writes = batches * 2.0;
    for (kind, class) in survey.classes() {
        let expansion = if kind == Kind::Compressed { rates.speeds.expansion } else { 1.0 };
        let output = class.mean() * expansion * rates.speeds.output_ratio;
        let parts = if output <= PART_BYTES { 1.0 } else { (output / PART_BYTES).ceil() + 2.0 };
        writes += class.objects as f64 * parts;
    }
    let reads = shape.items as f64 + batches;
    let s3_requests = listed * prices.s3.list_request + writes * prices.s3.put_request + reads * prices.s3.get_request;
    Cost { step_functions, lambda, s3_requests, total: step_functions + lambda + s3_requests }
}
