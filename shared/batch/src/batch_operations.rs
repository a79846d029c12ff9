//! S3 Batch Operations as a second way in.
//!
//! S3 Batch Operations goes through a manifest of objects and invokes a function for each, without a state machine. Its
//! event names the job by an id and the objects as tasks, of which S3 sends one at a time; the answer has a result code
//! for every task. [`answer`] tells such an event from a batch of a Distributed Map and gives each task to the worker as a
//! batch of one item: so it has the same checks, the same outputs and a ledger of its own, and the id is the run's.
//!
//! The event cannot carry a job inline. Schema 2.0 has `userArguments` for its address; with 1.0, which has none, the
//! function's environment names it.
//!
//! | the item is | result code | what S3 does |
//! |---|---|---|
//! | succeeded, skipped | `Succeeded` | puts the result string into the report |
//! | failed as `transient` or `throttled`, unprocessed | `TemporaryFailure` | tries again before its job ends |
//! | failed otherwise | `PermanentFailure` | puts the task among the failed ones |
//!
//! A job that cannot be read or used fails every task with it. Shapes and codes are those of
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-invoke-lambda.html>, the limits of an argument those of
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_control_LambdaInvokeOperation.html>.

use crate::deadline::Deadline;
use crate::error::BatchError;
use crate::event::{Event, Item, JobReference, check_run_id, decode_key, kind, parts, unreadable};
use crate::ledger::{LedgerLine, Status};
use crate::outcome::Outcome;
use crate::worker::Worker;
use object_store::ErrorClass;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

/// The environment variable with the `s3://` address of the job for S3 Batch Operations.
pub const JOB_VARIABLE: &str = "MAPMILL_JOB";

/// The user argument with that address; it goes before the variable.
const JOB_ARGUMENT: &str = "mapmill_job";

/// Most tasks of one event. S3 sends one.
pub const MAX_TASKS: usize = 100;

/// Longest result string in characters.
const MAX_RESULT_CHARACTERS: usize = 1024;

/// What a function answers, in the form that belongs to its event. It is written as what it holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// To a batch of a Distributed Map.
    Batch(Outcome),
    /// To S3 Batch Operations.
    Tasks(TaskAnswers),
}

/// The answer to S3 Batch Operations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskAnswers {
    /// The schema of the event, `1.0` or `2.0`.
    pub invocation_schema_version: String,
    /// What becomes of tasks without an answer; there are none.
    pub treat_missing_keys_as: ResultCode,
    /// The id of the event.
    pub invocation_id: String,
    /// One answer for every task, in their order.
    pub results: Vec<TaskAnswer>,
}

/// The answer for one task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskAnswer {
    /// The id of the task.
    pub task_id: String,
    /// How it ended.
    pub result_code: ResultCode,
    /// What was done, or why it was not; at most 1,024 characters.
    pub result_string: String,
}

/// How a task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ResultCode {
    /// It is done.
    Succeeded,
    /// It may be done another time.
    TemporaryFailure,
    /// It cannot be done.
    PermanentFailure,
}

/// Answers an event of either kind, as it came. `default_job` is the value of [`JOB_VARIABLE`].
///
/// # Errors
/// A batch of a Distributed Map that cannot be processed as a whole, or an event that is of neither kind. What goes wrong
/// with a task of S3 Batch Operations is in its answer.
pub async fn answer(
    worker: &Worker,
    event: &RawValue,
    default_job: Option<&str>,
    deadline: Deadline,
) -> Result<Answer, BatchError> {
    if !parts(event)?.contains_key("invocationSchemaVersion") {
        let finished = worker.process_event(&Event::read(event)?, deadline).await?;
        return finished.into_outcome().map(Answer::Batch);
    }
    let event = serde_json::from_str(event.get()).map_err(|error| invalid(&unreadable("the event", &error)))?;
    let invocation = Invocation::parse(&event)?;
    let job = invocation.job_address(default_job);
    let mut results = Vec::with_capacity(invocation.tasks.len());
    for task in &invocation.tasks {
        let (result_code, text) = match &job {
            Ok(job) => invocation.process(worker, task, job, deadline).await,
            Err(missing) => (ResultCode::PermanentFailure, missing.clone()),
        };
        let result_string = text.chars().take(MAX_RESULT_CHARACTERS).collect();
        results.push(TaskAnswer { task_id: task.id.clone(), result_code, result_string });
    }
    Ok(Answer::Tasks(TaskAnswers {
        invocation_schema_version: invocation.schema_version,
        treat_missing_keys_as: ResultCode::PermanentFailure,
        invocation_id: invocation.id,
        results,
    }))
}

/// The event, as far as it is of use.
#[derive(Debug)]
struct Invocation {
    schema_version: String,
    id: String,
    /// The id of the S3 job, which becomes the run's.
    job_id: String,
    /// From the user arguments of schema 2.0: at most ten texts, of at most 1,024 characters each.
    job_argument: Option<String>,
    tasks: Vec<Task>,
}

#[derive(Debug)]
struct Task {
    id: String,
    /// URL-encoded, as it stands in the manifest.
    key: String,
    /// Only of manifests with versions.
    has_version: bool,
    bucket: Option<String>,
}

impl Invocation {
    fn parse(event: &Value) -> Result<Self, BatchError> {
        let schema_version = text(event, "invocationSchemaVersion", "")?;
        if !matches!(schema_version.as_str(), "1.0" | "2.0") {
            return Err(invalid("expected 1.0 or 2.0 in invocationSchemaVersion, found another text"));
        }
        let job_id = text(&event["job"], "id", "job.")?;
        check_run_id(&job_id, "job.id")?;
        let tasks = match &event["tasks"] {
            Value::Array(tasks) if tasks.len() > MAX_TASKS => {
                return Err(invalid(&format!("expected at most {MAX_TASKS} tasks, found {}", tasks.len())));
            }
            Value::Array(tasks) => tasks.iter().map(Task::parse).collect::<Result<_, _>>()?,
            other => return Err(invalid(&format!("expected a list in tasks, found {}", kind(other)))),
        };
        Ok(Self {
            schema_version,
            id: text(event, "invocationId", "")?,
            job_id,
            job_argument: event["job"]["userArguments"][JOB_ARGUMENT].as_str().map(str::to_owned),
            tasks,
        })
    }

    /// The address of the job file, or why there is none.
    fn job_address(&self, default_job: Option<&str>) -> Result<String, String> {
        let argument = self.job_argument.as_deref().filter(|argument| !argument.is_empty());
        let address = argument.or(default_job).unwrap_or_default();
        if address.starts_with("s3://") {
            return Ok(address.to_owned());
        }
        Err(format!(
            "expected the job's address, s3://bucket/key, in job.userArguments.{JOB_ARGUMENT} (schema 2.0) or in the \
             function's environment variable {JOB_VARIABLE}; found {}",
            if address.is_empty() { "none" } else { "another text" }
        ))
    }

    /// One task as a batch of one item.
    async fn process(&self, worker: &Worker, task: &Task, job: &str, deadline: Deadline) -> (ResultCode, String) {
        let item = match task.item() {
            Ok(item) => item,
            Err(message) => return (ResultCode::PermanentFailure, message.to_owned()),
        };
        let event = Event {
            run_id: self.job_id.clone(),
            correlation_id: self.id.chars().take(512).collect(),
            job: JobReference::Address(job.to_owned()),
            items: vec![item],
        };
        match worker.process_event(&event, deadline).await {
            Ok(finished) => match finished.lines.first() {
                Some(line) => of_line(line),
                None => (ResultCode::PermanentFailure, "no answer; this is a fault in Mapmill".to_owned()),
            },
            Err(error) => of_error(&event, &error),
        }
    }
}

impl Task {
    fn parse(task: &Value) -> Result<Self, BatchError> {
        // Schema 2.0 names the bucket, 1.0 has its ARN.
        let of_arn = || task["s3BucketArn"].as_str()?.rsplit(':').next();
        Ok(Self {
            id: text(task, "taskId", "a task's ")?,
            key: text(task, "s3Key", "a task's ")?,
            has_version: task["s3VersionId"].as_str().is_some_and(|version| !version.is_empty()),
            bucket: task["s3Bucket"].as_str().or_else(of_arn).map(str::to_owned),
        })
    }

    fn item(&self) -> Result<Item, &'static str> {
        if self.has_version {
            return Err(
                "s3VersionId: expected none, because Mapmill reads the present version; use a manifest without \
                        version ids",
            );
        }
        if self.bucket.is_none() {
            return Err("expected a bucket in s3Bucket or s3BucketArn, found none");
        }
        Ok(Item { key: decode_key(&self.key)?, bucket: self.bucket.clone(), ..Item::default() })
    }
}

fn text(fields: &Value, name: &str, place: &str) -> Result<String, BatchError> {
    let found = &fields[name];
    let text = found.as_str().map(str::to_owned);
    text.ok_or_else(|| invalid(&format!("expected a text in {place}{name}, found {}", kind(found))))
}

fn invalid(message: &str) -> BatchError {
    BatchError::InvalidEvent(format!("not an event of S3 Batch Operations: {message}"))
}

/// How an item ended, as a result.
fn of_line(line: &LedgerLine) -> (ResultCode, String) {
    let text = |part: &Option<String>| part.clone().unwrap_or_default();
    match line.status {
        Status::Succeeded => {
            let records = line.records;
            let counts = format!(
                "records: {} read, {} written, {} filtered, {} rejected",
                records.read, records.written, records.filtered, records.rejected
            );
            (ResultCode::Succeeded, counts)
        }
        Status::Skipped => (ResultCode::Succeeded, format!("skipped: {}", text(&line.reason))),
        Status::Unprocessed => (ResultCode::TemporaryFailure, format!("unprocessed: {}", text(&line.reason))),
        Status::Failed => {
            let class = text(&line.class);
            let passes = [ErrorClass::Transient, ErrorClass::Throttled].iter().any(|other| other.as_str() == class);
            let code = if passes { ResultCode::TemporaryFailure } else { ResultCode::PermanentFailure };
            (code, format!("{class}, {}: {}", text(&line.code), text(&line.message)))
        }
    }
}

/// What failed before the item was looked at, as a result. Nothing else would tell of it, so it is logged.
fn of_error(event: &Event, error: &BatchError) -> (ResultCode, String) {
    let name = error.name();
    let message = error.to_string();
    tracing::error!(
        correlation_id = event.correlation_id,
        run_id = event.run_id,
        code = name,
        error = message,
        "batch failed"
    );
    let code = match error {
        BatchError::Transient(_) | BatchError::Throttled(_) => ResultCode::TemporaryFailure,
        _ => ResultCode::PermanentFailure,
    };
    (code, format!("{name}: {message}"))
}
