//! Runs real function binaries as Lambda does: over the Runtime API.
//!
//! ```text
//! invoke ──► pool (per function) ──► environment ──► listener 127.0.0.1:PORT ◄── the function's process
//!              first come, first       one process      next / response / error / init error
//!              served, or refused      + one listener
//! ```
//!
//! Each execution environment is a process with a listener of its own, because `AWS_LAMBDA_RUNTIME_API` is an address
//! without a path for some runtimes. A pool starts environments when they are needed, up to the function's maximum, and
//! keeps them for later invocations. When all are busy, an invocation is refused with `Lambda.TooManyRequestsException` as
//! in the service ([`WhenBusy::Throttle`]), or waits its turn ([`WhenBusy::Wait`]), which makes local runs faster. The time of waiting counts nowhere:
//! the function's timeout begins with the event, and whoever invokes is told when the waiting is over
//! ([`LambdaHost::invoke_when_free`]), so that `TimeoutSeconds` of a task begins then and the clock of its execution (the
//! 300 s of an express one) stands still until then. Between invocations a process is not frozen. Its memory is measured, and limited where
//! [`FunctionConfig::limit_memory`] says so: `memory` looks at it while it works and kills it when it has too much.
//!
//! Every invocation leaves a `START`, an `END` and a `REPORT` line in the log, as in the service, and the last 4 KiB of its
//! log are part of its outcome where [`InvokeContext::wants_log`] asks for them.
//!
//! A host leaves no process behind. Each environment is a process group of its own, and the whole group is killed after a
//! timeout or a crash, on shutting down, and when the host is dropped; only a process that leaves its group escapes. An
//! interrupt at the terminal does not reach the groups, so `mapmill` itself has to end the host when it is stopped. When
//! `mapmill` is killed outright (SIGKILL) it can do nothing: then a worker ends as soon as it next asks for an invocation,
//! because the listener is gone with `mapmill`, and one that is busy fails at its next request to the embedded S3.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

mod environment;
mod logs;
mod memory;
mod open_files;
mod outcome;
mod pool;
mod process;
mod report;
mod runtime_api;
#[cfg(test)]
mod tests;
mod variables;

pub use logs::{LINE_BYTES_MAX, LOG_TAIL_BYTES_MAX, LogFile, LogLine, LogSink, NoLogs, OutputStream};
pub use open_files::environments_that_fit;
pub use outcome::{FunctionError, InvokeOutcome};
pub(crate) use process::{forget_peak_memory, peak_memory_bytes};

/// Largest event and largest answer of a synchronous invocation, in bytes, as in the service.
pub const PAYLOAD_BYTES_MAX: usize = 6 * 1_024 * 1_024;
/// Longest timeout of a function, as in the service.
pub const TIMEOUT_MAX: Duration = Duration::from_secs(900);
/// Least and most memory of a function in MB, as in the service.
pub const MEMORY_MB_RANGE: std::ops::RangeInclusive<u32> = 128..=10_240;
/// Most environments of one function.
pub const ENVIRONMENTS_MAX: usize = 1_000;

/// Settings of a host.
#[derive(Clone)]
pub struct HostOptions {
    /// Region that functions see and that stands in their ARNs.
    pub region: String,
    /// Account number in ARNs.
    pub account: String,
    /// Longest time from the start of a process to its first request for an invocation; the service allows 10 s.
    pub init_timeout: Duration,
    /// Where the output of the functions goes.
    pub logs: Arc<dyn LogSink>,
}

impl Default for HostOptions {
    fn default() -> Self {
        Self {
            region: "us-east-1".to_owned(),
            account: "000000000000".to_owned(),
            init_timeout: Duration::from_secs(10),
            logs: Arc::new(NoLogs),
        }
    }
}

impl HostOptions {
    /// The ARN that a function of this name has in a host with these settings.
    pub fn function_arn(&self, name: &str) -> String {
        format!("arn:aws:lambda:{}:{}:function:{name}", self.region, self.account)
    }
}

/// A function.
#[derive(Debug, Clone)]
pub struct FunctionConfig {
    /// Name, 1 to 64 letters, digits, `-` and `_`.
    pub name: String,
    /// The program to start.
    pub command: PathBuf,
    /// Its arguments; a Lambda bootstrap takes none.
    pub arguments: Vec<OsString>,
    /// Memory that the function is told it has, in MB.
    pub memory_mb: u32,
    /// Whether a process that has more resident memory than that is killed, as in the service.
    pub limit_memory: bool,
    /// Longest time of one invocation, 1 ms to [`TIMEOUT_MAX`].
    pub timeout: Duration,
    /// Variables of the function's own, besides those that Lambda sets; they win over those.
    pub environment: BTreeMap<String, String>,
    /// Most environments at a time, 1 to [`ENVIRONMENTS_MAX`]; `None`: as many as there are cores.
    pub max_environments: Option<usize>,
    /// What becomes of an invocation when all environments are busy.
    pub when_busy: WhenBusy,
}

/// What becomes of an invocation when all environments of its function are busy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WhenBusy {
    /// It waits until one is free.
    #[default]
    Wait,
    /// It is refused with `TooManyRequestsException`, as in the service.
    Throttle,
}

/// What an invocation carries besides its event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InvokeContext {
    /// The version or alias that was asked for; it becomes part of the function's ARN in the context.
    pub qualifier: Option<String>,
    /// JSON that a client hands to the function, as `X-Amz-Client-Context` has it after decoding.
    pub client_context: Option<String>,
    /// The trace header of the caller; `None`: a new one.
    pub trace_id: Option<String>,
    /// Whether the outcome is to have the end of the log. Waiting for it takes some milliseconds.
    pub wants_log: bool,
}

/// Why the host could not even try.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// A setting is out of its range.
    #[error("function \"{function}\": {setting} is {found}, expected {expected}")]
    InvalidSetting {
        /// Name of the function.
        function: String,
        /// What is wrong.
        setting: &'static str,
        /// What was given.
        found: String,
        /// What is allowed.
        expected: String,
    },
    /// The program does not exist, is no file or is not executable.
    #[error("function \"{function}\": the program {} {problem}; build it first or name another one", .path.display())]
    MissingCommand {
        /// Name of the function.
        function: String,
        /// Path of the program.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A function of this name is there already.
    #[error("function \"{0}\" is registered already")]
    AlreadyRegistered(String),
    /// There is no such function.
    #[error("function \"{function}\" is not registered; registered: {known}")]
    UnknownFunction {
        /// What was asked for.
        function: String,
        /// The ARN that it would have.
        arn: String,
        /// The names there are.
        known: String,
    },
    /// The event is too large.
    #[error("the event has {bytes} bytes, the limit is {PAYLOAD_BYTES_MAX}")]
    EventTooLarge {
        /// Its size.
        bytes: usize,
    },
    /// All environments are busy and the function does not let invocations wait.
    #[error("Rate Exceeded.")]
    Throttled {
        /// Most environments of the function.
        environments: usize,
    },
    /// The host is shutting down.
    #[error("the function host is shut down")]
    ShutDown,
}

/// Hosts functions.
pub struct LambdaHost {
    options: Arc<HostOptions>,
    functions: RwLock<BTreeMap<String, Arc<pool::Pool>>>,
    stop: CancellationToken,
}

impl LambdaHost {
    /// A host without functions. Invocations need a tokio runtime with IO and time.
    pub fn new(options: HostOptions) -> Self {
        Self { options: Arc::new(options), functions: RwLock::new(BTreeMap::new()), stop: CancellationToken::new() }
    }

    /// Adds a function. No process is started before its first invocation.
    ///
    /// # Errors
    /// When a setting is out of range, the program does not exist, or the name is taken.
    pub fn register(&self, config: FunctionConfig) -> Result<(), HostError> {
        config.check()?;
        let name = config.name.clone();
        let mut functions = self.functions.write().unwrap_or_else(PoisonError::into_inner);
        if functions.contains_key(&name) {
            return Err(HostError::AlreadyRegistered(name));
        }
        let pool = pool::Pool::new(config, Arc::clone(&self.options), self.stop.clone());
        functions.insert(name, Arc::new(pool));
        Ok(())
    }

    /// The ARN of a function of this name.
    pub fn function_arn(&self, name: &str) -> String {
        self.options.function_arn(name)
    }

    /// Invokes a function by name or ARN and waits for its answer.
    ///
    /// Dropping the future gives up a place in the queue; an invocation that has begun goes on and its answer is lost.
    ///
    /// # Errors
    /// When the invocation could not begin. A function that fails is no error but an outcome.
    pub async fn invoke(&self, function: &str, event: Bytes) -> Result<InvokeOutcome, HostError> {
        let (begun, _) = oneshot::channel();
        self.invoke_when_free(function, event, begun).await
    }

    /// As [`LambdaHost::invoke`], and tells `begun` when the invocation no longer waits for an environment.
    ///
    /// # Errors
    /// As [`LambdaHost::invoke`].
    pub async fn invoke_when_free(
        &self,
        function: &str,
        event: Bytes,
        begun: oneshot::Sender<()>,
    ) -> Result<InvokeOutcome, HostError> {
        self.invoke_in_context(function, event, InvokeContext::default(), begun).await
    }

    /// As [`LambdaHost::invoke_when_free`], with what a client may hand to the function besides the event.
    ///
    /// # Errors
    /// As [`LambdaHost::invoke`].
    pub async fn invoke_in_context(
        &self,
        function: &str,
        event: Bytes,
        context: InvokeContext,
        begun: oneshot::Sender<()>,
    ) -> Result<InvokeOutcome, HostError> {
        if event.len() > PAYLOAD_BYTES_MAX {
            return Err(HostError::EventTooLarge { bytes: event.len() });
        }
        let pool = self.pool(function)?;
        pool.invoke(event, context, begun).await
    }

    /// Whether there is a function of this name or ARN.
    ///
    /// # Errors
    /// [`HostError::UnknownFunction`].
    pub fn check_function(&self, function: &str) -> Result<(), HostError> {
        self.pool(function).map(|_| ())
    }

    /// Ends all processes and waits until they are gone. Invocations that wait or run end with an error.
    pub async fn shutdown(&self) {
        self.stop.cancel();
        let pools: Vec<_> =
            self.functions.read().unwrap_or_else(PoisonError::into_inner).values().map(Arc::clone).collect();
        for pool in pools {
            pool.shut_down().await;
        }
    }

    fn pool(&self, function: &str) -> Result<Arc<pool::Pool>, HostError> {
        let functions = self.functions.read().unwrap_or_else(PoisonError::into_inner);
        functions.get(bare_name(function)).map(Arc::clone).ok_or_else(|| HostError::UnknownFunction {
            function: function.to_owned(),
            arn: self.function_arn(bare_name(function)),
            known: functions.keys().map(String::as_str).collect::<Vec<_>>().join(", "),
        })
    }
}

impl Drop for LambdaHost {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The name in `name`, `name:version` or an ARN with or without a version.
fn bare_name(function: &str) -> &str {
    let parts: Vec<_> = function.split(':').collect();
    match parts.as_slice() {
        ["arn", _, "lambda", _, _, "function", name, ..] => name,
        [name, ..] => name,
        [] => function,
    }
}

impl FunctionConfig {
    /// Whether a function can be registered.
    ///
    /// # Errors
    /// When a setting is out of range or the program is not one that can be started.
    pub fn check(&self) -> Result<(), HostError> {
        let invalid = |setting, found: String, expected: String| {
            Err(HostError::InvalidSetting { function: self.name.clone(), setting, found, expected })
        };
        let name_fits = (1..=64).contains(&self.name.len())
            && self.name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        if !name_fits {
            return invalid("the name", format!("\"{}\"", self.name), "1 to 64 letters, digits, - and _".to_owned());
        }
        if !MEMORY_MB_RANGE.contains(&self.memory_mb) {
            let (least, most) = (MEMORY_MB_RANGE.start(), MEMORY_MB_RANGE.end());
            return invalid("the memory", format!("{} MB", self.memory_mb), format!("{least} to {most} MB"));
        }
        if self.timeout < Duration::from_millis(1) || self.timeout > TIMEOUT_MAX {
            return invalid("the timeout", format!("{:?}", self.timeout), format!("1 ms to {TIMEOUT_MAX:?}"));
        }
        if let Some(environments) = self.max_environments
            && !(1..=ENVIRONMENTS_MAX).contains(&environments)
        {
            return invalid("the number of environments", environments.to_string(), format!("1 to {ENVIRONMENTS_MAX}"));
        }
        let problem = match std::fs::metadata(&self.command) {
            Ok(metadata) if !metadata.is_file() => "is not a file".to_owned(),
            Ok(metadata) if metadata.permissions().mode() & 0o111 == 0 => "is not executable".to_owned(),
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => "does not exist".to_owned(),
            Err(error) => format!("cannot be looked at ({error})"),
        };
        Err(HostError::MissingCommand { function: self.name.clone(), path: self.command.clone(), problem })
    }
}
