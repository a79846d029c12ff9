//! A state machine definition as typed structs.
//!
//! [`Definition::parse`] reads the JSON once and refuses, with the path in the definition, everything that the engine
//! would not honour: unknown fields, unsupported values, paths and functions, broken references between states. What is
//! accepted is run; nothing is ignored. `fields` is the reader that keeps the path, `parse` and its neighbours make the
//! structs, `structure` checks how the states hang together, `substitute` fills `${…}` tokens in before parsing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::choice::Rule;
use super::intrinsic::Expression;
use super::path::{Path, Step};
use super::retry::{Catcher, Retrier};
use super::template::{Query, Template};

mod fields;
mod handlers;
mod item_reader;
mod map;
mod parse;
#[cfg(test)]
mod query_tests;
mod references;
mod refusal;
mod rules;
mod structure;
mod substitute;
#[cfg(test)]
mod tests;
mod transport;

pub(crate) use item_reader::{CsvLayout, Dataset, Format, ItemReader};
pub use refusal::{DefinitionError, Diagnostic};
pub use substitute::{SubstituteError, substitute};

/// Largest definition, in bytes, as in the service.
pub const DEFINITION_BYTES_MAX: usize = 1_024 * 1_024;

/// A definition that was read and checked.
#[derive(Debug, Clone)]
pub struct Definition {
    pub(crate) machine: Arc<StateMachine>,
}

impl Definition {
    /// Reads a definition from its JSON text.
    ///
    /// # Errors
    /// Names the field by its path in the definition, what was found there and what is supported.
    pub fn parse(text: &str) -> Result<Self, DefinitionError> {
        if text.len() > DEFINITION_BYTES_MAX {
            let message = format!("the definition has {} bytes, the limit is {DEFINITION_BYTES_MAX}", text.len());
            return Err(DefinitionError::new("", message));
        }
        let value: Value = serde_json::from_str(text).map_err(|error| {
            DefinitionError::new("", format!("the definition is not valid JSON: {error}"))
                .with_code("INVALID_JSON_DESCRIPTION")
        })?;
        let machine = parse::machine(value)?;
        structure::check_maps(&machine)?;
        Ok(Self { machine: Arc::new(machine) })
    }

    /// The comment at the top of the definition.
    pub fn comment(&self) -> Option<&str> {
        self.machine.comment.as_deref()
    }

    /// Which variables each state reads, by the name of the state; states that read none are left out.
    pub fn variable_references(&self) -> BTreeMap<String, BTreeSet<String>> {
        references::of(&self.machine)
    }

    /// Names of the states at the top level, sorted.
    pub fn state_names(&self) -> impl Iterator<Item = &str> {
        self.machine.states.keys().map(String::as_str)
    }
}

/// Parses one rule of a Choice, for the tests of the rules.
#[cfg(test)]
pub(crate) fn parse_rule(value: Value) -> Result<Rule, DefinitionError> {
    rules::nested(value, "rule")
}

/// How a state computes data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    JsonPath,
    Jsonata,
}

/// A machine of states: the whole definition, or what runs for each item or branch.
#[derive(Debug)]
pub(crate) struct StateMachine {
    pub(crate) comment: Option<String>,
    pub(crate) start_at: String,
    pub(crate) timeout: Option<Duration>,
    pub(crate) states: BTreeMap<String, State>,
}

/// One state.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) name: String,
    pub(crate) language: Language,
    /// `Assign`: variables that are set when the state ends.
    pub(crate) assign: Option<Template>,
    /// `Output`, with JSONata.
    pub(crate) output: Option<Template>,
    /// Which part of the input the state sees.
    pub(crate) input_path: Selection,
    /// Which part of the result the next state sees.
    pub(crate) output_path: Selection,
    pub(crate) body: Body,
}

/// What a state does.
#[derive(Debug)]
pub(crate) enum Body {
    Pass(PassState),
    Task(Box<TaskState>),
    Choice(ChoiceState),
    Wait(WaitState),
    Succeed,
    Fail(FailState),
    Map(Box<MapState>),
    Parallel(Box<ParallelState>),
}

/// `InputPath` and `OutputPath`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Selection {
    /// What the path names.
    Part(Path),
    /// `null`: an empty object.
    Nothing,
}

/// `ResultPath`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ResultPath {
    /// Where in the input the result is put; no steps: it replaces the input.
    Place { text: String, steps: Vec<Step> },
    /// `null`: the result is dropped.
    Discard,
}

impl ResultPath {
    /// `$`: the result replaces the input.
    pub(crate) fn whole() -> Self {
        Self::Place { text: "$".to_owned(), steps: Vec::new() }
    }
}

/// Where a state leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Transition {
    Next(String),
    End,
}

/// A value that is written down or found in the data.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Given<T> {
    Fixed(T),
    At(Path),
    /// By a JSONata expression.
    Computed(Query),
}

#[derive(Debug)]
pub(crate) struct PassState {
    pub(crate) parameters: Option<Template>,
    pub(crate) result: Option<Value>,
    pub(crate) result_path: ResultPath,
    pub(crate) transition: Transition,
}

#[derive(Debug)]
pub(crate) struct TaskState {
    pub(crate) resource: TaskResource,
    pub(crate) parameters: Option<Template>,
    pub(crate) timeout: Option<Given<u64>>,
    pub(crate) heartbeat: Option<Given<u64>>,
    pub(crate) result: ResultHandling,
    pub(crate) handlers: Handlers,
    pub(crate) transition: Transition,
}

/// What a Task calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TaskResource {
    /// `arn:aws:states:::lambda:invoke`: function and payload are parameters, the answer comes in an envelope.
    LambdaInvoke(Integration),
    /// A function by ARN: the parameters are the payload, the answer is the result.
    LambdaFunction(String),
    /// An action of another service.
    Service(Integration),
}

/// A service integration as the resource names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Integration {
    /// For instance `sqs` or `aws-sdk:s3`.
    pub(crate) resource_type: String,
    /// For instance `sendMessage`.
    pub(crate) action: String,
    /// `.waitForTaskToken`: the task ends when somebody says so.
    pub(crate) wait_for_token: bool,
}

/// How the result of a Task, Map or Parallel becomes the output.
#[derive(Debug)]
pub(crate) struct ResultHandling {
    pub(crate) selector: Option<Template>,
    pub(crate) path: ResultPath,
}

#[derive(Debug, Default)]
pub(crate) struct Handlers {
    pub(crate) retry: Vec<Retrier>,
    pub(crate) catch: Vec<Catcher>,
}

#[derive(Debug)]
pub(crate) struct ChoiceState {
    pub(crate) choices: Vec<ChoiceRule>,
    pub(crate) default: Option<String>,
}

/// A rule at the top of a Choice.
#[derive(Debug)]
pub(crate) struct ChoiceRule {
    pub(crate) rule: Rule,
    pub(crate) next: String,
    /// `Assign`: variables that are set when the rule holds, instead of the state's own.
    pub(crate) assign: Option<Template>,
    /// `Output` of the rule, instead of the state's own.
    pub(crate) output: Option<Template>,
}

#[derive(Debug)]
pub(crate) struct WaitState {
    pub(crate) until: WaitUntil,
    pub(crate) transition: Transition,
}

#[derive(Debug)]
pub(crate) enum WaitUntil {
    Seconds(Given<u64>),
    Timestamp(Given<jiff::Timestamp>),
}

#[derive(Debug)]
pub(crate) struct FailState {
    pub(crate) error: Option<FailText>,
    pub(crate) cause: Option<FailText>,
}

/// `Error`, `Cause` and their `Path` forms, which may also call intrinsic functions.
#[derive(Debug)]
pub(crate) enum FailText {
    Fixed(String),
    Computed {
        field: &'static str,
        expression: Expression,
    },
    /// By a JSONata expression.
    Queried(Query),
}

#[derive(Debug)]
pub(crate) struct ParallelState {
    pub(crate) parameters: Option<Template>,
    pub(crate) branches: Vec<StateMachine>,
    pub(crate) result: ResultHandling,
    pub(crate) handlers: Handlers,
    pub(crate) transition: Transition,
}

#[derive(Debug)]
pub(crate) struct MapState {
    pub(crate) language: Language,
    pub(crate) items: Items,
    pub(crate) item_selector: Option<Template>,
    pub(crate) max_concurrency: Option<Given<u64>>,
    pub(crate) processor: Arc<StateMachine>,
    /// `None` in INLINE mode.
    pub(crate) distributed: Option<Distributed>,
    pub(crate) result: ResultHandling,
    pub(crate) handlers: Handlers,
    pub(crate) transition: Transition,
}

/// What a Map runs over.
#[derive(Debug)]
pub(crate) enum Items {
    /// `ItemsPath`, or the whole input.
    At(Path),
    /// `Items`, with JSONata; the second is the expression when it is one as a whole.
    Given(Template, Option<Query>),
}

/// What only a Distributed Map has.
#[derive(Debug)]
pub(crate) struct Distributed {
    pub(crate) execution_type: ExecutionType,
    pub(crate) label: Option<String>,
    pub(crate) reader: Option<ItemReader>,
    pub(crate) batcher: Option<ItemBatcher>,
    pub(crate) tolerated_count: Option<Given<u64>>,
    pub(crate) tolerated_percentage: Option<Given<f64>>,
    pub(crate) writer: ResultWriter,
}

/// What kind of executions a state machine or the children of a Map Run are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ExecutionType {
    /// At most a year, with a history that can be read and has a limit.
    #[default]
    Standard,
    /// At most five minutes, without a history.
    Express,
}

impl ExecutionType {
    /// The word that the service uses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "STANDARD",
            Self::Express => "EXPRESS",
        }
    }
}

#[derive(Debug)]
pub(crate) struct ItemBatcher {
    pub(crate) max_items: Option<Given<u64>>,
    pub(crate) max_bytes: Option<Given<u64>>,
    pub(crate) batch_input: Option<Template>,
}

#[derive(Debug)]
pub(crate) struct ResultWriter {
    /// Computes an object with `Bucket` and perhaps `Prefix`; without it the results become the state's output.
    pub(crate) parameters: Option<Template>,
    pub(crate) transformation: Transformation,
    pub(crate) output_type: OutputType,
}

/// What is kept of a child's result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transformation {
    /// Output and metadata.
    None,
    /// Output alone.
    Compact,
    /// Output alone, arrays opened.
    Flatten,
}

/// Format of the result files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutputType {
    Json,
    JsonLines,
}
