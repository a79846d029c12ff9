//! What every Mapmill function needs around its handler.
//!
//! [`serve`] reads the configuration from the environment, starts logs, metrics and traces, opens the store, and answers
//! invocations of the Lambda Runtime API with a handler that knows nothing of Lambda. Errors reach Step Functions under
//! their constant names; so do panics, after which the next invocation works as usual. Where the environment allows
//! several invocations at the same time (Lambda Managed Instances), they share one store and divide the memory.
//!
//! With the feature `testsuite` comes a stand-in for the Lambda service, for tests that run real function processes.

mod config;
mod invocation;
mod logging;
mod memory;
mod metrics;
mod panics;
#[cfg(feature = "testsuite")]
pub mod testsuite;
mod traces;

pub use config::{Config, ConfigError};
/// What ends the process when the runtime itself fails.
pub use lambda_runtime::Error;

use batch::{BatchError, Deadline, Worker};
use invocation::Function;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Runs a function until Lambda ends the process.
///
/// The handler is called for each invocation with a worker, the event as it came and the time left. The runtime would read
/// the event before anything of ours runs, and an event that it cannot read would reach Step Functions under a name of the
/// runtime's, with the event in its message; so it is the handler that reads it. What the worker counts goes to
/// the metrics also when the handler fails. As many invocations run at the same time as `AWS_LAMBDA_MAX_CONCURRENCY`
/// says, one where it is not set.
///
/// # Errors
/// The Runtime API is not there or breaks its contract.
pub async fn serve<Handler, Work, Answer>(handler: Handler) -> Result<(), Error>
where
    Handler: Fn(Worker, Box<RawValue>, Deadline) -> Work + Send + Sync + 'static,
    Work: Future<Output = Result<Answer, BatchError>> + Send + 'static,
    Answer: Serialize + Send + 'static,
{
    let variables: BTreeMap<String, String> = std::env::vars().collect();
    logging::start(&variables);
    panics::log_places();
    let shared = Arc::new((Function::start(&variables).await, handler));
    let service = service_fn(move |event: LambdaEvent<Box<RawValue>>| {
        let shared = Arc::clone(&shared);
        async move {
            let (function, handler) = shared.as_ref();
            function.answer(handler, event).await.map_err(Named)
        }
    });
    lambda_runtime::run_concurrent(service).await
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
}
