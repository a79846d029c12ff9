//! One execution environment: a process and its listener, from start to end.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::logs::{InvocationLog, LogLine, LogSink, OutputStream};
use super::memory;
use super::outcome::FunctionError;
use super::process::{self, Process};
use super::report::Report;
use super::runtime_api::{Invocation, Reply, RuntimeApi};
use super::{FunctionConfig, HostOptions, InvokeContext, PAYLOAD_BYTES_MAX};

/// A process that has asked for an invocation and waits for one.
pub(super) struct Environment {
    pub(super) number: u64,
    api: RuntimeApi,
    process: Process,
    /// What the process has written during the present invocation.
    log: Arc<InvocationLog>,
    logs: Arc<dyn LogSink>,
}

/// What an environment is to do.
pub(super) struct Work<'a> {
    pub(super) request_id: &'a str,
    pub(super) event: Bytes,
    pub(super) function_arn: String,
    pub(super) context: InvokeContext,
}

/// Why there is no answer.
pub(super) enum Broken {
    /// The function failed in a way that ended its process.
    Failed(FunctionError),
    /// The host is shutting down.
    ShutDown,
}

/// What an invocation gave.
pub(super) struct Answered {
    pub(super) result: Result<Bytes, FunctionError>,
    pub(super) duration: Duration,
    pub(super) cpu_time: Option<Duration>,
    pub(super) peak_memory_bytes: Option<u64>,
    /// False when the process is gone.
    pub(super) usable: bool,
    pub(super) log_tail: String,
}

impl Environment {
    /// Starts a process and waits until it is ready.
    pub(super) async fn start(
        config: &FunctionConfig,
        options: &HostOptions,
        number: u64,
        request_id: &str,
        stop: &CancellationToken,
    ) -> Result<Self, Broken> {
        let failed =
            |error_type: &str, message: &str| Broken::Failed(FunctionError::reported(error_type, request_id, message));
        let api = RuntimeApi::open().await.map_err(|error| {
            failed("Runtime.Unknown", &format!("no listener for the Runtime API could be opened: {error}"))
        })?;
        let log = Arc::new(InvocationLog::default());
        let started = process::start(config, options, number, &api.address.to_string(), &log);
        let mut process = started.map_err(|error| {
            let path = config.command.display();
            failed("Runtime.InvalidEntrypoint", &format!("fork/exec {path}: {error}"))
        })?;
        let watched = process.watched();
        let initialised = tokio::select! {
            biased;
            () = stop.cancelled() => Err(Broken::ShutDown),
            ready = api.initialised() => ready.map_err(Broken::Failed),
            exited = process.wait() => Err(failed("Runtime.ExitError", &process::describe_exit(exited))),
            () = memory::exceeded(config, watched) => Err(failed(memory::ERROR_TYPE, memory::MESSAGE)),
            () = tokio::time::sleep(options.init_timeout) => {
                let seconds = options.init_timeout.as_secs_f64();
                Err(failed("Sandbox.Timedout", &format!("Init timed out after {seconds:.2} seconds")))
            }
        };
        if let Err(broken) = initialised {
            process.end().await;
            return Err(broken);
        }
        Ok(Self { number, api, process, log, logs: Arc::clone(&options.logs) })
    }

    /// Runs one invocation to its end or its timeout.
    pub(super) async fn invoke(
        &mut self,
        config: &FunctionConfig,
        work: Work<'_>,
        init_duration: Option<Duration>,
        stop: &CancellationToken,
    ) -> Result<Answered, Broken> {
        let Work { request_id, event, function_arn, context } = work;
        let wants_log = context.wants_log;
        self.log.begin();
        self.write(config, &format!("START RequestId: {request_id} Version: $LATEST"));
        let cpu_before = process::cpu_time(self.process.id());
        let started = Instant::now();
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let (reply, replied) = oneshot::channel();
        let invocation = Invocation {
            request_id: request_id.to_owned(),
            event,
            deadline: since_epoch + config.timeout,
            function_arn,
            trace_id: context.trace_id.unwrap_or_else(|| trace_id(since_epoch)),
            client_context: context.client_context,
            reply,
        };
        let answered = async {
            self.api.hand_out(invocation).await;
            match replied.await {
                Ok(reply) => reply,
                // Nobody will answer any more, so the process is gone or about to be found so.
                Err(_) => std::future::pending().await,
            }
        };
        let watched = self.process.watched();
        let mut out_of_memory = false;
        let ended = tokio::select! {
            biased;
            () = stop.cancelled() => Err(None),
            reply = answered => Ok(reply),
            exited = self.process.wait() => {
                let message = process::describe_exit(exited);
                Err(Some(FunctionError::reported("Runtime.ExitError", request_id, &message)))
            }
            () = memory::exceeded(config, watched) => {
                out_of_memory = true;
                Err(Some(FunctionError::reported(memory::ERROR_TYPE, request_id, memory::MESSAGE)))
            }
            () = tokio::time::sleep(config.timeout) => {
                let message = format!("Task timed out after {:.2} seconds", config.timeout.as_secs_f64());
                Err(Some(FunctionError::reported("Sandbox.Timedout", request_id, &message)))
            }
        };
        let duration = started.elapsed();
        let cpu_time =
            process::cpu_time(self.process.id()).zip(cpu_before).map(|(now, before)| now.saturating_sub(before));
        let peak_memory_bytes = process::peak_memory_bytes(self.process.id());
        let (result, usable) = match ended {
            Ok(Reply::Response(body)) => (Ok(body), true),
            Ok(Reply::Error(error)) => (Err(error), true),
            Ok(Reply::TooLarge) => {
                let message =
                    format!("Response payload size exceeded maximum allowed payload size ({PAYLOAD_BYTES_MAX} bytes).");
                (Err(FunctionError::reported("Function.ResponseSizeTooLarge", request_id, &message)), true)
            }
            Err(Some(error)) => (Err(error), false),
            Err(None) => {
                self.process.end().await;
                return Err(Broken::ShutDown);
            }
        };
        if !usable {
            self.process.end().await;
        }
        // What the process has written before its answer is on its way through a pipe, which takes a moment.
        if wants_log {
            self.log.settle().await;
        }
        if let Err(error) = &result
            && !usable
        {
            self.write(config, &format!("{} {}", request_id, error.error_type));
        }
        self.write(config, &format!("END RequestId: {request_id}"));
        let status = match &result {
            Err(_) if out_of_memory => Some(memory::REPORTED_TYPE),
            result => result.as_ref().err().map(|error| error.error_type.as_str()),
        };
        let memory_mb = config.memory_mb;
        let report = Report { request_id, duration, init_duration, memory_mb, peak_memory_bytes, failure: status };
        self.write(config, &report.to_string());
        let log_tail = if wants_log { self.log.end() } else { String::new() };
        Ok(Answered { result, duration, cpu_time, peak_memory_bytes, usable, log_tail })
    }

    /// Adds a line of the host's own to the log.
    fn write(&self, config: &FunctionConfig, text: &str) {
        self.log.add(text);
        let (function, environment) = (config.name.as_str(), self.number);
        self.logs.line(LogLine { function, environment, stream: OutputStream::Platform, text, dropped_bytes: 0 });
    }

    /// True while the process runs.
    pub(super) fn is_alive(&mut self) -> bool {
        self.process.is_alive()
    }

    /// Id of the process.
    #[cfg(test)]
    pub(super) fn process(&self) -> Option<u32> {
        self.process.id()
    }

    /// Ends the process and waits until it is gone.
    pub(super) async fn shut_down(mut self) {
        self.process.end().await;
    }
}

/// A trace header of the form that X-Ray uses; nothing is sampled here.
fn trace_id(since_epoch: Duration) -> String {
    let random = uuid::Uuid::new_v4().simple().to_string();
    let parent = &uuid::Uuid::new_v4().simple().to_string()[..16];
    format!("Root=1-{:08x}-{};Parent={parent};Sampled=0", since_epoch.as_secs(), &random[..24])
}
