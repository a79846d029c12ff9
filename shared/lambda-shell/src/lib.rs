//! What every Mapmill function needs around its handler.
//!
//! [`serve`] reads the configuration from the environment, starts logging, opens the store, and answers invocations of
//! the Lambda Runtime API with a handler that knows nothing of Lambda. Errors reach Step Functions under their constant
//! names; so do panics, after which the next invocation works as usual.

mod config;
mod logging;

pub use config::{Config, ConfigError};
/// What ends the process when the runtime itself fails.
pub use lambda_runtime::Error;

use batch::{BatchError, Deadline, Worker};
use lambda_runtime::{Context, Diagnostic, LambdaEvent, service_fn};
use s3_store::S3Store;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::time::{SystemTime, UNIX_EPOCH};
use tracing::Instrument;

/// Runs a function until Lambda ends the process.
///
/// # Errors
/// The Runtime API is not there or breaks its contract.
pub async fn serve<Handler, Work, Answer>(handler: Handler) -> Result<(), Error>
where
    Handler: Fn(Worker, Value, Deadline) -> Work,
    Work: Future<Output = Result<Answer, BatchError>>,
    Answer: Serialize,
{
    let variables: BTreeMap<String, String> = std::env::vars().collect();
    logging::start(&variables);
    // A variable that cannot be used is told to whoever invokes the function, not only to its log.
    let worker = worker(&variables).await;
    let is_cold = AtomicBool::new(true);
    let (worker, is_cold, handler) = (&worker, &is_cold, &handler);
    let service = service_fn(move |event: LambdaEvent<Value>| async move {
        let LambdaEvent { payload, context } = event;
        let span = tracing::info_span!(
            "invocation",
            request_id = context.request_id,
            xray_trace_id = context.xray_trace_id,
            cold_start = is_cold.swap(false, Ordering::Relaxed),
        );
        let result = match worker {
            Ok(worker) => guarded(handler(worker.clone(), payload, deadline(&context))).instrument(span).await,
            Err(message) => Err(BatchError::AccessDenied(message.clone())),
        };
        result.map_err(Named)
    });
    lambda_runtime::run(service).await
}

/// The worker that serves all invocations, or why there is none.
async fn worker(variables: &BTreeMap<String, String>) -> Result<Worker, String> {
    let config = Config::from_variables(variables).map_err(|error| error.to_string())?;
    let store = S3Store::from_environment().await.map_err(|error| error.to_string())?;
    Ok(Worker::new(Arc::new(store), config.readable, config.writable, config.budget))
}

/// Turns a panic into an error, so that Step Functions sees its constant name.
async fn guarded<Answer>(work: impl Future<Output = Result<Answer, BatchError>>) -> Result<Answer, BatchError> {
    use futures::FutureExt;
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|_| {
        Err(BatchError::Internal("the function panicked; this is a fault in Mapmill, and the log has its place".into()))
    })
}

/// The time left. Tools that imitate Lambda may give a deadline in the past, which tells nothing.
fn deadline(context: &Context) -> Deadline {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Deadline::after(Duration::from_millis(context.deadline).saturating_sub(now))
}

/// An error with the name under which Step Functions shall see it.
#[derive(Debug)]
struct Named(BatchError);

impl From<Named> for Diagnostic {
    fn from(Named(error): Named) -> Self {
        Self { error_type: error.name().to_owned(), error_message: error.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_keep_their_names() {
        let diagnostic = Diagnostic::from(Named(BatchError::Throttled("slow down".into())));
        assert_eq!(diagnostic.error_type, "Mapmill.Throttled");
        assert_eq!(diagnostic.error_message, "slow down");
    }

    #[tokio::test]
    async fn a_panic_is_an_error_with_a_name() {
        let result = guarded::<()>(async { panic!("secret record contents") }).await;
        let error = result.unwrap_err();
        assert_eq!(error.name(), "Mapmill.Internal");
        assert!(!error.to_string().contains("secret"));
    }
}
