//! The quotas that a run can meet, each with where it is written.
//!
//! A quota is a number of somebody else: of AWS, which cannot be argued with, or of the worker, which keeps within what AWS
//! gives it. Nothing else in the crate has such a number. Those that an account can have raised are in
//! [`Account`](crate::Account) instead.

use serde::Serialize;

/// A limit that a run may not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Quota {
    /// What is limited.
    pub name: &'static str,
    /// The most.
    pub limit: u64,
    /// What is counted.
    pub unit: &'static str,
    /// Where the limit is written.
    pub source: &'static str,
}

const STEP_FUNCTIONS: &str = "AWS Step Functions Developer Guide, Service quotas";
const ITEM_READER: &str = "AWS Step Functions Developer Guide, ItemReader (Map)";
const LAMBDA: &str = "AWS Lambda Developer Guide, Lambda quotas";
const MAPMILL: &str = "docs/limits.md";

const fn quota(name: &'static str, limit: u64, unit: &'static str, source: &'static str) -> Quota {
    Quota { name, limit, unit, source }
}

/// Input and output of a state or an execution.
pub const STATE_BYTES: Quota = quota("input of a state or execution", 262_144, "bytes", STEP_FUNCTIONS);
/// What the state machines let a batch have of it; the rest is for what is added on the way.
pub const BATCH_BYTES: Quota = quota("input of a batch (MaxInputBytesPerBatch)", 225_280, "bytes", MAPMILL);
/// Events of a Standard execution. Express executions have no such quota.
pub const HISTORY_EVENTS: Quota = quota("events of an execution's history", 25_000, "events", STEP_FUNCTIONS);
/// Children of one Map Run that run at the same time.
pub const PARALLEL_CHILDREN: Quota =
    quota("children of a Map Run at the same time (MaxConcurrency)", 10_000, "children", STEP_FUNCTIONS);
/// Map Runs that are open at the same time; more of them wait.
pub const OPEN_MAP_RUNS: Quota = quota("open Map Runs of an account and region", 1_000, "Map Runs", STEP_FUNCTIONS);
/// Items that one Map Run may read.
pub const ITEMS: Quota = quota("items that a Map Run reads (MaxItems)", 100_000_000, "items", ITEM_READER);
/// The life of an Express execution, and so of all invocations for one batch.
pub const EXPRESS_SECONDS: Quota = quota("duration of an Express execution", 300, "seconds", STEP_FUNCTIONS);
/// One task of a child, as the state machines set it.
pub const TASK_SECONDS: Quota = quota("duration of a batch's task (TimeoutSeconds)", 290, "seconds", MAPMILL);
/// Items of one batch.
pub const BATCH_ITEMS: Quota = quota("items of a batch", 10_000, "items", MAPMILL);
/// The memory of a function.
pub const FUNCTION_MEMORY: Quota = quota("memory of a function", 10_240, "MB", LAMBDA);
/// The smallest function.
pub const LEAST_FUNCTION_MEMORY_MB: u64 = 128;
/// One processor's worth of memory (AWS Lambda Developer Guide, Configure Lambda function memory).
pub const MEMORY_MB_OF_A_CPU: u64 = 1_769;
/// An output object: 10,000 parts of 8 MiB.
pub const OUTPUT_BYTES: Quota = quota("size of an output object", 10_000 * (8 << 20), "bytes", MAPMILL);
/// Keys of one page of a listing (Amazon S3 API Reference, `ListObjectsV2`).
pub const LIST_PAGE: u64 = 1_000;
/// Reads of one prefix that S3 promises; more may be answered with 503 (Amazon S3 User Guide, performance guidelines).
pub const PREFIX_READS: Quota =
    quota("reads of one prefix", 5_500, "requests per second", "Amazon S3 User Guide, performance guidelines");
/// Writes of one prefix that S3 promises.
pub const PREFIX_WRITES: Quota =
    quota("writes to one prefix", 3_500, "requests per second", "Amazon S3 User Guide, performance guidelines");
