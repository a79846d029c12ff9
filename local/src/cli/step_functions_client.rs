//! A client of the Step Functions API for `mapmill history`, `mapmill failures` and `mapmill messages`: a running `mapmill serve`, at its
//! endpoint.

use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use http_body_util::{BodyExt, Full, Limited};
use hyper::Request;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

use super::CommandError;

/// Largest answer that is read: a page of a history, which `mapmill serve` cuts at 8 MiB.
const ANSWER_BYTES_MAX: usize = 64 * 1_024 * 1_024;
/// How long one answer may take.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Most pages of one list.
const PAGES_MAX: usize = 10_000;

/// Where the API is.
#[derive(Debug, Args)]
pub(super) struct Endpoint {
    /// The endpoint of Step Functions, as `mapmill serve` prints it; without it AWS_ENDPOINT_URL_SFN
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
}

/// Calls operations.
pub(super) struct StepFunctions {
    endpoint: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// A call that failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    /// The API refused it.
    #[error("{operation}: {kind}: {message}")]
    Refused {
        /// The operation.
        operation: &'static str,
        /// Error type.
        kind: String,
        /// Its message.
        message: String,
    },
    /// There was no answer that could be read.
    #[error("{operation} at {endpoint}: {problem}; is `mapmill serve` running there?")]
    NoAnswer {
        /// The operation.
        operation: &'static str,
        /// Where.
        endpoint: String,
        /// What happened.
        problem: String,
    },
}

/// The header of an operation; those of Mapmill itself have their whole name.
fn target(operation: &str) -> String {
    if operation.contains('.') { operation.to_owned() } else { format!("AWSStepFunctions.{operation}") }
}

impl StepFunctions {
    /// A client of the endpoint that was given or is in the environment.
    pub(super) fn new(endpoint: &Endpoint) -> Result<Self, CommandError> {
        let given = endpoint.endpoint.clone().or_else(|| std::env::var("AWS_ENDPOINT_URL_SFN").ok());
        let endpoint = given.filter(|endpoint| endpoint.starts_with("http://")).ok_or_else(|| {
            let message =
                "give --endpoint http://127.0.0.1:PORT or set AWS_ENDPOINT_URL_SFN, as `mapmill serve` prints it";
            CommandError::usage(message)
        })?;
        Ok(Self { endpoint, client: Client::builder(TokioExecutor::new()).build_http() })
    }

    /// Calls an operation.
    ///
    /// # Errors
    /// [`CallError`].
    pub(super) async fn call(&self, operation: &'static str, input: Value) -> Result<Value, CallError> {
        let no_answer = |problem: String| CallError::NoAnswer { operation, endpoint: self.endpoint.clone(), problem };
        let request = Request::post(&self.endpoint)
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", target(operation))
            .body(Full::new(Bytes::from(input.to_string())))
            .map_err(|error| no_answer(error.to_string()))?;
        let exchange = async {
            let answer =
                self.client.request(request).await.map_err(|error| no_answer(crate::explain::explain(&error)))?;
            let status = answer.status();
            let limited = Limited::new(answer.into_body(), ANSWER_BYTES_MAX);
            #[expect(clippy::disallowed_methods, reason = "the body is limited")]
            let body = limited.collect().await.map_err(|error| no_answer(error.to_string()))?.to_bytes();
            Ok::<_, CallError>((status, body))
        };
        let (status, body) = tokio::time::timeout(TIMEOUT, exchange)
            .await
            .map_err(|_| no_answer(format!("no answer within {} s", TIMEOUT.as_secs())))??;
        let answer: Value =
            serde_json::from_slice(&body).map_err(|_| no_answer("the answer is not JSON".to_owned()))?;
        if status.is_success() {
            return Ok(answer);
        }
        let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
        Err(CallError::Refused { operation, kind: text("__type"), message: text("message") })
    }

    /// Calls an operation that lists, page after page, until `take` has enough (it returns false) or there is no more.
    ///
    /// # Errors
    /// [`CallError`].
    pub(super) async fn list(
        &self,
        operation: &'static str,
        mut input: Value,
        field: &str,
        mut take: impl FnMut(&Value) -> bool,
    ) -> Result<(), CallError> {
        for _ in 0..PAGES_MAX {
            let page = self.call(operation, input.clone()).await?;
            for entry in page[field].as_array().into_iter().flatten() {
                if !take(entry) {
                    return Ok(());
                }
            }
            match page.get("nextToken") {
                Some(token) => input["nextToken"] = json!(token),
                None => return Ok(()),
            }
        }
        Ok(())
    }
}
