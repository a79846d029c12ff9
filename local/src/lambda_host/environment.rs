//! One execution environment: a process and its listener, from start to end.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::outcome::FunctionError;
use super::process::{self, Process};
use super::runtime_api::{Invocation, Reply, RuntimeApi};
use super::{FunctionConfig, HostOptions, PAYLOAD_BYTES_MAX};

/// A process that has asked for an invocation and waits for one.
pub(super) struct Environment {
    pub(super) number: u64,
    api: RuntimeApi,
    process: Process,
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
    pub(super) peak_memory_bytes: Option<u64>,
    /// False when the process is gone.
    pub(super) usable: bool,
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
        let mut process = process::start(config, options, number, &api.address.to_string()).map_err(|error| {
            let path = config.command.display();
            failed("Runtime.InvalidEntrypoint", &format!("fork/exec {path}: {error}"))
        })?;
        let initialised = tokio::select! {
            biased;
            () = stop.cancelled() => Err(Broken::ShutDown),
            ready = api.initialised() => ready.map_err(Broken::Failed),
            exited = process.wait() => Err(failed("Runtime.ExitError", &process::describe_exit(exited))),
            () = tokio::time::sleep(options.init_timeout) => {
                let seconds = options.init_timeout.as_secs_f64();
                Err(failed("Sandbox.Timedout", &format!("Init timed out after {seconds:.2} seconds")))
            }
        };
        if let Err(broken) = initialised {
            process.end().await;
            return Err(broken);
        }
        Ok(Self { number, api, process })
    }

    /// Runs one invocation to its end or its timeout.
    pub(super) async fn invoke(
        &mut self,
        config: &FunctionConfig,
        function_arn: &str,
        request_id: &str,
        event: Bytes,
        stop: &CancellationToken,
    ) -> Result<Answered, Broken> {
        let started = Instant::now();
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let (reply, replied) = oneshot::channel();
        let invocation = Invocation {
            request_id: request_id.to_owned(),
            event,
            deadline: since_epoch + config.timeout,
            function_arn: function_arn.to_owned(),
            trace_id: trace_id(since_epoch),
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
        let ended = tokio::select! {
            biased;
            () = stop.cancelled() => Err(None),
            reply = answered => Ok(reply),
            exited = self.process.wait() => {
                let message = process::describe_exit(exited);
                Err(Some(FunctionError::reported("Runtime.ExitError", request_id, &message)))
            }
            () = tokio::time::sleep(config.timeout) => {
                let message = format!("Task timed out after {:.2} seconds", config.timeout.as_secs_f64());
                Err(Some(FunctionError::reported("Sandbox.Timedout", request_id, &message)))
            }
        };
        let duration = started.elapsed();
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
        Ok(Answered { result, duration, peak_memory_bytes, usable })
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
