//! Runs executions.
//!
//! An execution is one pass through a machine of states. [`Engine::run`] makes the top one; a Distributed Map makes one
//! more for each batch. `states` moves from state to state, `work` runs those that do something (Task, Map, Parallel)
//! with their retries and catchers, `task` calls functions, `nested` runs inline maps and branches, `clock` measures how
//! long an execution took, `history` numbers events as the service does, `checkpoint` keeps what a
//! redrive goes on from, `quotas` says what executions may use, `tokens` lets others end tasks.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use self::checkpoint::{Redrivable, Redrivables};
use super::context::Identity;
use super::definition::{Definition, ExecutionType, StateMachine};
use super::error::{StateError, Stop};
use super::size::exceeds;
use super::time;
use crate::distributed_map::{MapRunSummary, MapRuns};
use crate::observer::{Notice, Observer};
use crate::services::Services;

mod checkpoint;
mod clock;
mod failures;
pub(crate) mod history;
mod nested;
pub(crate) mod numbers;
#[cfg(test)]
mod query_tests;
#[cfg(test)]
mod quota_tests;
mod quotas;
mod states;
mod task;
#[cfg(test)]
mod tests;
mod tokens;
mod wait;
mod work;

pub(crate) use checkpoint::{Checkpoint, Whereabouts};
pub use checkpoint::{EXECUTIONS_REDRIVABLE_MAX, REDRIVES_MAX, RedriveError};
pub(crate) use clock::Clock;
pub use history::HistoryEvent;
pub(crate) use history::{History, Trail};
pub(crate) use nested::items;
pub use quotas::{PAYLOAD_BYTES_WITHOUT_QUOTAS, Quotas, STANDARD_EVENTS_MAX};
pub(crate) use states::Visit;
pub use tokens::TokenError;

/// Longest run of an express execution, as in the service.
pub(crate) const EXPRESS_DURATION_MAX: Duration = Duration::from_secs(300);
/// Bytes of a result file, as in the service.
const RESULT_FILE_BYTES_MAX: u64 = 5_000_000_000;
/// Bytes of children that wait for a redrive: ten thousand with the largest input.
const REDRIVE_BYTES_MAX: u64 = 4 * 1_024 * 1_024 * 1_024;
/// Steps of reading items, of all Map Runs together, that may block at a time.
const READING_STEPS: usize = 4;
/// Most Map Runs that a result lists; later ones are only observed.
const MAP_RUNS_LISTED_MAX: usize = 1_000;

/// Where the engine pretends to be, and what it may use.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// Name of the state machine, part of ARNs.
    pub state_machine_name: String,
    /// Region in ARNs.
    pub region: String,
    /// Account number in ARNs.
    pub account: String,
    /// Most bytes of child inputs, as JSON text, that one Map Run keeps in memory at a time. The service has no such
    /// limit; here it keeps ten thousand parallel children of 256 KiB from filling the memory of one machine (parsed
    /// JSON takes several times the bytes of its text). At least one child always runs.
    pub child_input_bytes_max: usize,
    /// Bytes after which a result file is closed and the next one begun.
    pub result_file_bytes_max: u64,
    /// Most bytes of children that did not succeed that one Map Run keeps in a temporary file for a redrive. What does
    /// not fit is not run again.
    pub redrive_bytes_max: u64,
    /// What kind of executions [`Engine::run`] makes.
    pub execution_type: ExecutionType,
    /// What executions may use.
    pub quotas: Quotas,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            state_machine_name: "mapmill".to_owned(),
            region: "us-east-1".to_owned(),
            account: "000000000000".to_owned(),
            child_input_bytes_max: 16 * 1_024 * 1_024,
            result_file_bytes_max: RESULT_FILE_BYTES_MAX,
            redrive_bytes_max: REDRIVE_BYTES_MAX,
            execution_type: ExecutionType::Standard,
            quotas: Quotas::default(),
        }
    }
}

/// Runs state machines against services.
#[derive(Clone)]
pub struct Engine {
    pub(crate) core: Arc<Core>,
}

/// What all executions of an engine share.
pub(crate) struct Core {
    pub(crate) services: Arc<dyn Services>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) options: EngineOptions,
    pub(crate) map_runs: MapRuns,
    /// Places for steps of reading items that block.
    pub(crate) reading: Arc<Semaphore>,
    redrivables: Redrivables,
    pub(crate) tokens: tokens::Tokens,
}

impl Core {
    pub(crate) fn new(services: Arc<dyn Services>, options: EngineOptions, observer: Arc<dyn Observer>) -> Self {
        Self {
            services,
            observer,
            options,
            map_runs: MapRuns::default(),
            reading: Arc::new(Semaphore::new(READING_STEPS)),
            redrivables: Redrivables::default(),
            tokens: tokens::Tokens::default(),
        }
    }

    /// An ARN of the Step Functions service.
    pub(crate) fn arn(&self, kind: &str, rest: &str) -> String {
        format!("arn:aws:states:{}:{}:{kind}:{rest}", self.options.region, self.options.account)
    }
}

/// How an execution ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecutionStatus {
    /// It reached an end.
    Succeeded,
    /// A state failed and nothing handled it.
    Failed,
    /// It took longer than allowed.
    TimedOut,
    /// Somebody stopped it.
    Aborted,
}

impl ExecutionStatus {
    /// The word that the service uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::TimedOut => "TIMED_OUT",
            Self::Aborted => "ABORTED",
        }
    }
}

impl std::fmt::Display for ExecutionStatus {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// What became of an execution.
#[derive(Debug, Clone)]
pub struct ExecutionResult {
    /// Its ARN.
    pub execution_arn: String,
    /// How it ended.
    pub status: ExecutionStatus,
    /// Its output, when it succeeded.
    pub output: Option<Value>,
    /// Error name, when it failed and there is one.
    pub error: Option<String>,
    /// Cause, when it failed and there is one.
    pub cause: Option<String>,
    /// When it started.
    pub start: Timestamp,
    /// When it ended.
    pub stop: Timestamp,
    /// The Map Runs it started itself, in order of their end, at most a thousand.
    pub map_runs: Vec<MapRunSummary>,
}

impl Engine {
    /// An engine that reaches the world through `services` and tells `observer` what happens.
    pub fn new(services: Arc<dyn Services>, options: EngineOptions, observer: Arc<dyn Observer>) -> Self {
        Self { core: Arc::new(Core::new(services, options, observer)) }
    }

    /// Ends a task that waits for this token with a result.
    ///
    /// # Errors
    /// No task waits for the token.
    pub fn send_task_success(&self, token: &str, output: Value) -> Result<(), TokenError> {
        self.core.tokens.send(token, tokens::Signal::Success(output))
    }

    /// Ends a task that waits for this token with an error.
    ///
    /// # Errors
    /// No task waits for the token.
    pub fn send_task_failure(
        &self,
        token: &str,
        error: Option<String>,
        cause: Option<String>,
    ) -> Result<(), TokenError> {
        self.core.tokens.send(token, tokens::Signal::Failure { error, cause })
    }

    /// Gives a sign of life for a task that waits for this token.
    ///
    /// # Errors
    /// No task waits for the token.
    pub fn send_task_heartbeat(&self, token: &str) -> Result<(), TokenError> {
        self.core.tokens.send(token, tokens::Signal::Heartbeat)
    }

    /// A new ARN for an execution of this name. That of an express execution is never the same again.
    #[must_use]
    pub fn new_execution_arn(&self, name: &str) -> String {
        let machine = &self.core.options.state_machine_name;
        match self.core.options.execution_type {
            ExecutionType::Standard => self.core.arn("execution", &format!("{machine}:{name}")),
            ExecutionType::Express => self.core.arn("express", &format!("{machine}:{name}:{}", uuid::Uuid::new_v4())),
        }
    }

    /// Runs a definition from its first state to an end.
    ///
    /// When `cancel` is cancelled, listing stops, running children are aborted, the results so far are written, and the
    /// status is [`ExecutionStatus::Aborted`]. Never fails itself: whatever goes wrong is in the result.
    pub async fn run(
        &self,
        definition: &Definition,
        name: &str,
        input: Value,
        cancel: CancellationToken,
    ) -> ExecutionResult {
        self.run_as(definition, &self.new_execution_arn(name), name, input, cancel).await
    }

    /// As [`Engine::run`], under an ARN that [`Engine::new_execution_arn`] has made.
    pub async fn run_as(
        &self,
        definition: &Definition,
        execution_arn: &str,
        name: &str,
        input: Value,
        cancel: CancellationToken,
    ) -> ExecutionResult {
        let (input, start, execution_arn) = (Arc::new(input), Timestamp::now(), execution_arn.to_owned());
        let machine = &definition.machine;
        let attempt = Attempt { machine, execution_arn, name, input, start, redrives: 0, events: 0, checkpoint: None };
        self.attempt(attempt, cancel).await
    }

    /// Runs an execution that ended without success once more, from the state where it failed. A Distributed Map there
    /// goes on with its Map Run: children that succeeded are not run again. The history goes on where it ended.
    ///
    /// # Errors
    /// [`RedriveError`] when nothing is known of such an execution, or it was redriven too often.
    pub async fn redrive(
        &self,
        execution_arn: &str,
        cancel: CancellationToken,
    ) -> Result<ExecutionResult, RedriveError> {
        let Redrivable { machine, name, start, redrives, events, kept } = self.core.redrivables.take(execution_arn)?;
        let forgotten = |_| RedriveError::NotRedrivable(execution_arn.to_owned());
        let (input, checkpoint) = serde_json::from_str(&kept).map_err(forgotten)?;
        let (name, redrives) = (name.as_str(), redrives + 1);
        let (input, execution_arn) = (Arc::new(input), execution_arn.to_owned());
        let attempt = Attempt { machine: &machine, execution_arn, name, input, start, redrives, events, checkpoint };
        Ok(self.attempt(attempt, cancel).await)
    }

    /// The Map Runs of this engine.
    pub fn map_runs(&self) -> &MapRuns {
        &self.core.map_runs
    }

    async fn attempt(&self, attempt: Attempt<'_>, cancel: CancellationToken) -> ExecutionResult {
        let Attempt { machine, execution_arn, name, input, start, redrives, events, checkpoint } = attempt;
        let core = &self.core;
        let machine_name = &core.options.state_machine_name;
        let identity = Identity {
            execution_id: execution_arn.clone(),
            execution_name: name.to_owned(),
            role: role(&core.options),
            start_time: time::text(start),
            input: Arc::clone(&input),
            state_machine_id: core.arn("stateMachine", machine_name),
            state_machine_name: machine_name.clone(),
            redrive_count: redrives,
            redrive_time: (redrives > 0).then(time::now_text),
        };
        core.observer.notice(Notice::ExecutionStarted { execution: &execution_arn });
        // A child token, so that a timeout of this execution does not cancel what belongs to the caller.
        let (history, limit) = match core.options.execution_type {
            ExecutionType::Standard => {
                let history = History::of_standard(&execution_arn, &core.options.quotas, &core.observer);
                (history.behind(events), machine.timeout)
            }
            ExecutionType::Express => {
                let limit = machine.timeout.unwrap_or(EXPRESS_DURATION_MAX).min(EXPRESS_DURATION_MAX);
                (History::of_express(&execution_arn, &core.observer), Some(limit))
            }
        };
        let execution = Arc::new(Execution {
            core: Arc::clone(core),
            identity,
            cancel: cancel.child_token(),
            history,
            clock: Clock::default(),
            top: true,
            map_runs: Mutex::new(Vec::new()),
            whereabouts: Whereabouts::new(checkpoint, true),
        });
        let ending = Ending::from(execution.run(machine, limit).await);
        core.observer.notice(Notice::ExecutionFinished { execution: &execution_arn, status: ending.status });
        if ending.status != ExecutionStatus::Succeeded
            && core.options.execution_type == ExecutionType::Standard
            && let Ok(kept) = serde_json::to_string(&(&*input, execution.whereabouts.take()))
        {
            let (machine, name, events) = (Arc::clone(machine), name.to_owned(), execution.history.events());
            core.redrivables.keep(&execution_arn, Redrivable { machine, name, start, redrives, events, kept });
        }
        let map_runs = std::mem::take(&mut *execution.map_runs.lock().unwrap_or_else(PoisonError::into_inner));
        let Ending { status, output, error, cause } = ending;
        ExecutionResult { execution_arn, status, output, error, cause, start, stop: Timestamp::now(), map_runs }
    }
}

/// The first run of an execution, or a redrive.
struct Attempt<'a> {
    machine: &'a Arc<StateMachine>,
    execution_arn: String,
    name: &'a str,
    input: Arc<Value>,
    start: Timestamp,
    redrives: u64,
    /// Events that its history has already.
    events: u64,
    checkpoint: Option<Checkpoint>,
}

/// The role that the context object names; nothing checks it here.
pub(crate) fn role(options: &EngineOptions) -> String {
    format!("arn:aws:iam::{}:role/{}", options.account, options.state_machine_name)
}

/// One execution, top or child.
pub(crate) struct Execution {
    pub(crate) core: Arc<Core>,
    pub(crate) identity: Identity,
    pub(crate) cancel: CancellationToken,
    pub(crate) history: History,
    /// Measures the execution's own time limit.
    pub(crate) clock: Clock,
    /// True for the execution that [`Engine::run`] made; only this one tells of its states.
    pub(crate) top: bool,
    pub(crate) map_runs: Mutex<Vec<MapRunSummary>>,
    pub(crate) whereabouts: Whereabouts,
}

impl Execution {
    /// Runs a machine on the execution's input, for at most `limit` on its clock.
    pub(crate) async fn run(self: &Arc<Self>, machine: &StateMachine, limit: Option<Duration>) -> Result<Value, Stop> {
        let trail = Trail::default();
        let ended = self.run_in(machine, limit, &trail).await;
        match &ended {
            Ok(output) => self.history.end(trail.last(), "ExecutionSucceeded", || {
                let mut details = json!({});
                history::data(&mut details, "output", output);
                Some(("executionSucceededEventDetails", details))
            }),
            Err(Stop::Failed(error)) => self.history.end(trail.last(), "ExecutionFailed", || {
                history::failure("executionFailedEventDetails", Some(&error.name), error.cause.as_deref())
            }),
            // The two come from outside and follow no event.
            Err(Stop::TimedOut) => self
                .history
                .end(0, "ExecutionTimedOut", || history::failure("executionTimedOutEventDetails", None, None)),
            Err(Stop::Aborted) => {
                self.history
                    .end(0, "ExecutionAborted", || history::failure("executionAbortedEventDetails", None, None));
            }
        }
        ended
    }

    async fn run_in(
        self: &Arc<Self>,
        machine: &StateMachine,
        limit: Option<Duration>,
        trail: &Trail,
    ) -> Result<Value, Stop> {
        if self.identity.redrive_time.is_some() {
            trail.go_on_behind(self.history.events());
            self.history.record(trail, "ExecutionRedriven", || {
                Some(("executionRedrivenEventDetails", json!({"redriveCount": self.identity.redrive_count})))
            })?;
        } else {
            self.history.record(&Trail::default(), "ExecutionStarted", || {
                let mut details = json!({"roleArn": self.identity.role});
                history::data(&mut details, "input", &self.identity.input);
                Some(("executionStartedEventDetails", details))
            })?;
        }
        let most = self.core.options.quotas.payload_bytes;
        if exceeds(&self.identity.input, most) {
            return Err(StateError::state_data_limit(format!(
                "The input of the execution is larger than the maximum of {most} bytes."
            ))
            .into());
        }
        let work = states::run_outermost(self, trail, machine);
        let Some(limit) = limit else { return work.await };
        tokio::pin!(work);
        tokio::select! {
            biased;
            ended = &mut work => ended,
            () = self.clock.runs_out(limit) => {
                // Cancelled work comes to its end in order, so that results so far are written.
                self.cancel.cancel();
                match work.await {
                    Err(Stop::Aborted) | Ok(_) => Err(Stop::TimedOut),
                    Err(stop) => Err(stop),
                }
            }
        }
    }

    /// Keeps what became of a Map Run and tells the observer.
    pub(crate) fn map_run_finished(&self, summary: MapRunSummary) {
        self.core.observer.notice(Notice::MapRunFinished { summary: &summary });
        let mut map_runs = self.map_runs.lock().unwrap_or_else(PoisonError::into_inner);
        if map_runs.len() < MAP_RUNS_LISTED_MAX {
            map_runs.push(summary);
        }
    }
}

/// The end of an execution in the words of the service.
pub(crate) struct Ending {
    pub(crate) status: ExecutionStatus,
    pub(crate) output: Option<Value>,
    pub(crate) error: Option<String>,
    pub(crate) cause: Option<String>,
}

impl From<Result<Value, Stop>> for Ending {
    fn from(ended: Result<Value, Stop>) -> Self {
        let (status, output, error, cause) = match ended {
            Ok(output) => (ExecutionStatus::Succeeded, Some(output), None, None),
            Err(Stop::Failed(error)) => (ExecutionStatus::Failed, None, Some(error.name), error.cause),
            // The service names no error for an execution that timed out as a whole.
            Err(Stop::TimedOut) => (ExecutionStatus::TimedOut, None, None, None),
            Err(Stop::Aborted) => (ExecutionStatus::Aborted, None, None, None),
        };
        Self { status, output, error: error.filter(|name| !name.is_empty()), cause }
    }
}
