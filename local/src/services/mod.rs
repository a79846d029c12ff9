//! The port between the engine and the outside world.
//!
//! The engine knows how a state machine moves. What a state machine touches (functions, buckets) it reaches only through
//! [`Services`]. `mapmill run` gives it the Lambda host and the embedded S3; the tests give it a fake that lies beside
//! this file. Every method may be called from many tasks at once.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Map, Value, json};
use tokio::sync::oneshot;

pub(crate) mod actions;
pub mod endpoints;
#[cfg(test)]
pub(crate) mod fake;
mod objects;

pub use endpoints::Recorder;
pub use objects::{ByteStream, ObjectUpload, StoredObject};

/// Most keys that one listing page may hold, as in S3.
pub const LIST_PAGE_MAX: u32 = 1_000;

/// What the engine asks of the outside world.
#[async_trait]
pub trait Services: Send + Sync {
    /// Runs a function to its end and returns its answer.
    ///
    /// Where functions have a limited number of places, this waits for a free one first; no clock of the state machine
    /// counts that time, because it begins with [`LambdaRequest::begun`].
    ///
    /// A function that fails, crashes, times out or does not exist is a [`TaskFailure`] whose `error` is the name that
    /// `ErrorEquals` matches. The future may be dropped at any time (a task timeout does so); the function itself may
    /// then go on, as it does on AWS.
    async fn invoke_lambda(&self, request: LambdaRequest<'_>) -> Result<LambdaAnswer, TaskFailure>;

    /// Returns one page of the objects under a prefix, in key order.
    async fn list_objects(&self, request: ListRequest<'_>) -> Result<ListPage, ServiceError>;

    /// Calls an action of another service, such as `sqs` `sendMessage` or `aws-sdk:s3` `getObject`, and returns its result
    /// in the shape that a state sees.
    ///
    /// A world without such services says so by the error `States.Runtime`.
    async fn call_service(&self, request: ServiceRequest<'_>) -> Result<Value, TaskFailure> {
        let ServiceRequest { resource_type, action, .. } = request;
        Err(TaskFailure {
            error: "States.Runtime".to_owned(),
            cause: format!("No service is connected that could answer {resource_type}:{action}"),
        })
    }

    /// What was sent to services that are played in this process; `None` where none are.
    fn recorder(&self) -> Option<&Recorder> {
        None
    }

    /// Stores an object under a key, replacing what was there. It becomes visible whole or not at all.
    async fn put_object(&self, bucket: &str, key: &str, body: Bytes) -> Result<(), ServiceError>;

    /// Opens an object to be read in pieces; `version` is an S3 version id.
    async fn open_object(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
    ) -> Result<Arc<dyn StoredObject>, ServiceError>;

    /// Begins to write an object in pieces.
    async fn upload_object(&self, bucket: &str, key: &str) -> Result<Box<dyn ObjectUpload>, ServiceError>;
}

/// One call of a function.
#[derive(Debug)]
pub struct LambdaRequest<'a> {
    /// Function name or ARN, with or without a version, as the state machine names it.
    pub function: &'a str,
    /// The event, as JSON text.
    pub payload: Bytes,
    /// JSON in Base64 that the function is handed besides the event.
    pub client_context: Option<&'a str>,
    /// Whether the answer is to have the end of the log.
    pub wants_log: bool,
    /// To be told when the function has its place, before it runs. Dropping it says the same.
    pub begun: oneshot::Sender<()>,
}

/// One call of an action of a service.
#[derive(Debug)]
pub struct ServiceRequest<'a> {
    /// The service as the resource names it: `sqs`, or `aws-sdk:sqs` for the integration that is the same for all.
    pub resource_type: &'a str,
    /// For instance `sendMessage`.
    pub action: &'a str,
    /// The parameters as the state computed them.
    pub parameters: Map<String, Value>,
}

/// What optimised integrations add to a result: how the service answered over HTTP.
pub(crate) fn metadata(
    request_id: &str,
    content_type: &str,
    content_length: &str,
    extra: &[(&str, &str)],
) -> Map<String, Value> {
    let date = jiff::Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let mut headers = vec![
        ("Connection", "keep-alive"),
        ("Content-Length", content_length),
        ("Content-Type", content_type),
        ("Date", date.as_str()),
        ("x-amzn-RequestId", request_id),
    ];
    headers.extend(extra);
    let single: Map<_, _> = headers.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    let all: Map<_, _> = headers.iter().map(|(name, value)| ((*name).to_owned(), json!([value]))).collect();
    let http = json!({"AllHttpHeaders": all, "HttpHeaders": single, "HttpStatusCode": 200});
    Map::from_iter([
        ("SdkHttpMetadata".to_owned(), http),
        ("SdkResponseMetadata".to_owned(), json!({"RequestId": request_id})),
    ])
}

/// A refusal of Lambda itself in the words in which a state sees it.
pub(crate) fn refused_by_lambda(code: &str, status: u16, message: &str) -> TaskFailure {
    let id = uuid::Uuid::new_v4();
    TaskFailure {
        error: format!("Lambda.{code}"),
        cause: format!(
            "{message} (Service: AWSLambda; Status Code: {status}; Error Code: {code}; Request ID: {id}; Proxy: null)"
        ),
    }
}

/// What a function that did not fail has answered.
#[derive(Debug, Clone)]
pub struct LambdaAnswer {
    /// The answer as the function sent it; usually JSON, but the engine checks.
    pub payload: Bytes,
    /// The version that ran, `$LATEST` for unpublished functions.
    pub executed_version: String,
    /// Id of this invocation.
    pub request_id: String,
    /// The end of the log in Base64, when it was asked for.
    pub log_result: Option<String>,
}

/// A failed task, in the words a state machine sees.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{error}: {cause}")]
pub struct TaskFailure {
    /// Error name, matched by `Retry` and `Catch`.
    pub error: String,
    /// Explanation; for a failing function its error JSON as text.
    pub cause: String,
}

/// One page of a listing.
#[derive(Debug, Clone)]
pub struct ListRequest<'a> {
    /// Bucket to list.
    pub bucket: &'a str,
    /// Only keys that start with this; empty for all.
    pub prefix: &'a str,
    /// `next` of the page before, `None` for the first page.
    pub continuation: Option<&'a str>,
    /// Most keys to return, 1 to [`LIST_PAGE_MAX`].
    pub max_keys: u32,
}

/// A page of objects.
#[derive(Debug, Clone, Default)]
pub struct ListPage {
    /// Objects in key order.
    pub objects: Vec<ObjectSummary>,
    /// Token of the next page; `None` when this is the last one.
    pub next: Option<String>,
}

/// What a listing says of one object.
#[derive(Debug, Clone, PartialEq)]
pub struct ObjectSummary {
    /// The whole key.
    pub key: String,
    /// Entity tag with its inner quotes, as S3 sends it.
    pub etag: String,
    /// Size in bytes.
    pub size: u64,
    /// Seconds since 1970 with fraction.
    pub last_modified: f64,
    /// For instance `STANDARD`.
    pub storage_class: String,
}

/// A storage call that failed; the message names what was asked and what was found, never contents.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ServiceError {
    /// What went wrong.
    pub message: String,
}

impl ServiceError {
    /// A failure with this message.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }
}
