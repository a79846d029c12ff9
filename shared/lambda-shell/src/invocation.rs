//! One invocation: a span with its ids, a handler that may fail or panic, one line if it failed, one line of metrics.
//!
//! Several invocations may run at the same time in one process (Lambda Managed Instances). So everything that belongs to
//! an invocation is made here and handed on; a [`Function`] holds what is the same for all of them, and the one thing in
//! it that changes is whether an invocation was the first.

use crate::config::{Config, function_name, log_level};
use crate::metrics::{self, Metrics};
use crate::panics::guarded;
use crate::traces;
use batch::{BatchError, Deadline, Worker};
use lambda_runtime::{Context, LambdaEvent};
use s3_store::S3Store;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tracing::field::Empty;
use tracing::{Instrument, Span};

/// What serves all invocations of a process.
pub(crate) struct Function {
    name: String,
    /// The worker, or why there is none.
    worker: Result<Worker, String>,
    metrics: Option<Metrics>,
    is_cold: AtomicBool,
}

impl Function {
    /// Reads the configuration and opens the store. A variable that cannot be used is told to whoever invokes the
    /// function, not only to its log.
    pub(crate) async fn start(variables: &BTreeMap<String, String>) -> Self {
        let name = function_name(variables);
        let config = Config::from_variables(variables).map_err(|error| error.to_string());
        let metrics = config.as_ref().ok().and_then(|config| {
            let namespace = config.metrics_namespace.clone()?;
            let (function, level) = (name.clone(), log_level(variables));
            Some(Metrics { namespace, function, level, memory_bytes: config.memory_bytes })
        });
        let worker = match config {
            Ok(config) => worker(config).await,
            Err(message) => Err(message),
        };
        Self { name, worker, metrics, is_cold: AtomicBool::new(true) }
    }

    /// Answers an invocation with what the handler answers.
    ///
    /// # Errors
    /// Those of the handler; [`BatchError::AccessDenied`] when the function is not configured; [`BatchError::Internal`]
    /// when the handler panics.
    pub(crate) async fn answer<Handler, Work, Answer>(
        &self,
        handler: &Handler,
        event: LambdaEvent<Box<RawValue>>,
    ) -> Result<Answer, BatchError>
    where
        Handler: Fn(Worker, Box<RawValue>, Deadline) -> Work,
        Work: Future<Output = Result<Answer, BatchError>>,
    {
        let started = Instant::now();
        let LambdaEvent { payload, context } = event;
        let span = self.span(&context);
        let work = async {
            let batch = metrics::observer();
            let result = match &self.worker {
                Ok(worker) => {
                    let worker = worker.clone().with_observer(batch.clone());
                    guarded(async { handler(worker, payload, deadline(&context)).await }).await
                }
                Err(message) => Err(BatchError::AccessDenied(message.clone())),
            };
            let error = result.as_ref().err();
            if let Some(error) = error {
                tracing::error!(error_name = error.name(), %error, "invocation failed");
            }
            if let Some(metrics) = &self.metrics {
                let (request_id, batch) = (context.request_id.as_str(), batch.as_ref());
                metrics.write(&metrics::Invocation { request_id, batch, error, duration: started.elapsed() });
            }
            result
        };
        work.instrument(span).await
    }

    /// The span whose fields stand in every line of the invocation. The level is the highest, so that they do so at every
    /// level of the log. The last three are filled by `batch` when it knows them.
    fn span(&self, context: &Context) -> Span {
        let trace_header = context.xray_trace_id.as_deref();
        let span = tracing::error_span!(
            target: traces::INVOCATION_TARGET,
            "batch",
            function_name = self.name,
            request_id = context.request_id,
            xray_trace_id = trace_header.and_then(traces::trace_id),
            cold_start = self.is_cold.swap(false, Ordering::Relaxed),
            correlation_id = Empty,
            run_id = Empty,
            job = Empty,
        );
        traces::put_under_segment(&span, trace_header);
        span
    }
}

/// The worker that serves all invocations, or why there is none.
async fn worker(config: Config) -> Result<Worker, String> {
    let store = S3Store::from_environment().await.map_err(|error| error.to_string())?;
    Ok(Worker::new(Arc::new(store), config.readable, config.writable, config.budget))
}

/// The time left. Tools that imitate Lambda may give a deadline in the past, which tells nothing.
fn deadline(context: &Context) -> Deadline {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Deadline::after(Duration::from_millis(context.deadline).saturating_sub(now))
}
