//! Moves from state to state, and does what a state does that calls nothing.

use std::borrow::Cow;
use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::{Map, Value};

use super::Execution;
use super::checkpoint::{Checkpoint, Whereabouts};
use super::history::{Details, Trail, details};
use crate::asl::choice::Unanswered;
use crate::asl::context::{Context, ItemContext, Scope};
use crate::asl::definition::{
    Body, ChoiceState, FailState, FailText, Language, PassState, ResultPath, Selection, State, StateMachine, Transition,
};
use crate::asl::error::{StateError, Stop, names};
use crate::asl::path::{Step, place};
use crate::asl::size::exceeds;
use crate::asl::template::{Template, evaluate};
use crate::asl::time;
use crate::asl::variables::Variables;
use crate::observer::Notice;

/// How a state was left.
pub(super) struct Departure {
    /// The next state; `None` at the end of the machine.
    pub(super) next: Option<String>,
    pub(super) output: Value,
    /// Variables that the state has set, where it has an `Assign`.
    pub(super) assigned: Option<Map<String, Value>>,
}

impl Departure {
    pub(super) fn along(transition: &Transition, output: Value, assigned: Option<Map<String, Value>>) -> Self {
        let next = match transition {
            Transition::Next(next) => Some(next.clone()),
            Transition::End => None,
        };
        Self { next, output, assigned }
    }
}

/// Runs a machine from its first state to an end. `item` is what `$$.Map.Item` is in an inline Map.
pub(super) fn run<'a>(
    execution: &'a Arc<Execution>,
    trail: &'a Trail,
    machine: &'a StateMachine,
    input: Value,
    item: Option<&'a ItemContext>,
    variables: Variables,
) -> BoxFuture<'a, Result<Value, Stop>> {
    let start = Position { state: machine.start_at.clone(), input, variables };
    Box::pin(walk(execution, trail, machine, start, item, None))
}

/// Runs the whole machine of an execution, in a redrive from the state where it failed.
pub(super) fn run_outermost<'a>(
    execution: &'a Arc<Execution>,
    trail: &'a Trail,
    machine: &'a StateMachine,
) -> BoxFuture<'a, Result<Value, Stop>> {
    let whereabouts = &execution.whereabouts;
    let (state, input, variables) = match whereabouts.start() {
        Some(Checkpoint { state, input, variables }) => (state, input.as_ref(), variables.clone()),
        None => (&machine.start_at, None, Variables::default()),
    };
    let input = input.unwrap_or(&execution.identity.input).clone();
    let start = Position { state: state.clone(), input, variables };
    Box::pin(walk(execution, trail, machine, start, None, Some(whereabouts)))
}

/// The state that a machine comes to next, its input and the variables that it sees.
struct Position {
    state: String,
    input: Value,
    variables: Variables,
}

async fn walk<'a>(
    execution: &'a Arc<Execution>,
    trail: &'a Trail,
    machine: &'a StateMachine,
    start: Position,
    item: Option<&'a ItemContext>,
    whereabouts: Option<&'a Whereabouts>,
) -> Result<Value, Stop> {
    let Position { state: mut name, input: mut data, mut variables } = start;
    let mut resumed = whereabouts.is_some_and(|whereabouts| whereabouts.start().is_some());
    if let Some(whereabouts) = whereabouts {
        whereabouts.begin(&name);
    }
    loop {
        if execution.cancel.is_cancelled() {
            return Err(Stop::Aborted);
        }
        let state = machine
            .states
            .get(&name)
            .ok_or_else(|| StateError::runtime(format!("The state '{name}' does not exist.")))?;
        if execution.top && item.is_none() {
            execution.core.observer.notice(Notice::StateEntered { state: &state.name });
        }
        let kinds = EventKinds::of(&state.body);
        let before_entry = trail.last();
        let entered_event = execution.history.record(trail, kinds.entered, || {
            let fields = [("input", Some(data.clone())), ("name", Some(state.name.as_str().into()))];
            details("stateEnteredEventDetails", fields)
        })?;
        trail.begin(kinds.aborted);
        let entered_time = time::now_text();
        let visit = Visit {
            execution,
            trail,
            state,
            item,
            variables: &variables,
            resumed,
            before_entry,
            entered_event,
            entered_time,
        };
        let departure = match visit.run(data).await {
            Ok(departure) => departure,
            Err(Stop::Failed(error)) => return Err(visit.noted(error)?.into()),
            Err(stop) => return Err(stop),
        };
        trail.begin(None);
        execution.history.record(trail, kinds.exited, || {
            let fields = [
                ("assignedVariables", departure.assigned.clone().filter(|all| !all.is_empty()).map(Value::Object)),
                ("name", Some(state.name.as_str().into())),
                ("output", Some(departure.output.clone())),
            ];
            details("stateExitedEventDetails", fields)
        })?;
        if let Some(assigned) = departure.assigned {
            variables.assign(assigned.into_iter().collect())?;
        }
        match departure.next {
            Some(next) => {
                name = next;
                data = departure.output;
            }
            None => return Ok(departure.output),
        }
        resumed = false;
        if let Some(whereabouts) = whereabouts {
            whereabouts.enter(&name, &data, &variables);
        }
    }
}

/// The names of a state's events.
struct EventKinds {
    entered: &'static str,
    exited: &'static str,
    /// For states that something can break off.
    aborted: Option<&'static str>,
}

impl EventKinds {
    fn of(body: &Body) -> Self {
        let (entered, exited, aborted) = match body {
            Body::Pass(_) => ("PassStateEntered", "PassStateExited", None),
            Body::Task(_) => ("TaskStateEntered", "TaskStateExited", Some("TaskStateAborted")),
            Body::Choice(_) => ("ChoiceStateEntered", "ChoiceStateExited", None),
            Body::Wait(_) => ("WaitStateEntered", "WaitStateExited", Some("WaitStateAborted")),
            Body::Succeed => ("SucceedStateEntered", "SucceedStateExited", None),
            Body::Fail(_) => ("FailStateEntered", "FailStateExited", None),
            Body::Map(_) => ("MapStateEntered", "MapStateExited", Some("MapStateAborted")),
            Body::Parallel(_) => ("ParallelStateEntered", "ParallelStateExited", Some("ParallelStateAborted")),
        };
        Self { entered, exited, aborted }
    }
}

/// One visit to one state.
pub(crate) struct Visit<'a> {
    pub(crate) execution: &'a Arc<Execution>,
    /// The thread of control that the visit is on.
    pub(crate) trail: &'a Trail,
    pub(crate) state: &'a State,
    pub(super) item: Option<&'a ItemContext>,
    /// A redrive goes on with this visit.
    pub(crate) resumed: bool,
    pub(super) variables: &'a Variables,
    /// The event before the state was entered.
    pub(super) before_entry: u64,
    pub(super) entered_event: u64,
    pub(super) entered_time: String,
}

impl Visit<'_> {
    async fn run(&self, raw: Value) -> Result<Departure, Stop> {
        Ok(match &self.state.body {
            Body::Pass(pass) => self.pass(pass, raw)?,
            Body::Choice(choice) => self.choice(choice, &raw)?,
            Body::Wait(wait) => self.wait(wait, raw).await?,
            Body::Succeed => Departure { next: None, output: self.pass_through(&raw)?, assigned: None },
            Body::Fail(fail) => return Err(self.fail(fail, &raw)?.into()),
            Body::Task(_) | Body::Map(_) | Body::Parallel(_) => self.work(raw).await?,
        })
    }

    /// Adds an event to the history, in the line of this visit.
    pub(crate) fn record(&self, kind: &'static str, details: impl FnOnce() -> Option<Details>) -> Result<u64, Stop> {
        self.execution.history.record(self.trail, kind, details)
    }

    /// The same, but the line goes on from where it was.
    pub(crate) fn record_beside(
        &self,
        kind: &'static str,
        details: impl FnOnce() -> Option<Details>,
    ) -> Result<u64, Stop> {
        self.execution.history.record_beside(self.trail, kind, details)
    }

    /// The context object of this visit.
    pub(crate) fn context(&self, retry_count: Option<u64>) -> Context<'_> {
        let identity = &self.execution.identity;
        let context = Context::new(identity, &self.state.name, &self.entered_time, retry_count, self.item);
        context.with_variables(self.variables)
    }

    /// Puts the state before the cause of an error that the engine itself found.
    pub(crate) fn located(&self, error: StateError) -> StateError {
        error.in_state(&self.state.name, self.entered_event)
    }

    /// Applies `InputPath` or `OutputPath`.
    pub(super) fn select(&self, selection: &Selection, scope: Scope<'_>) -> Result<Value, StateError> {
        match selection {
            Selection::Nothing => Ok(Value::Object(Map::new())),
            Selection::Part(path) => scope
                .find(path)
                .map(Cow::into_owned)
                .ok_or_else(|| self.located(StateError::runtime(scope.explain_absence(path)))),
        }
    }

    /// Applies `InputPath` and `Parameters` to the state's input.
    pub(crate) fn effective_input(
        &self,
        parameters: Option<&Template>,
        raw: &Value,
        context: &Context<'_>,
    ) -> Result<Value, StateError> {
        let selected = self.select(&self.state.input_path, Scope { input: raw, context })?;
        let Some(parameters) = parameters else { return Ok(selected) };
        let effective = parameters.fill(Scope { input: &selected, context }).map_err(|error| self.located(error))?;
        self.limited(effective, "The input of the state after Parameters")
    }

    /// Applies `ResultPath` and `OutputPath`.
    pub(super) fn output(
        &self,
        raw: &Value,
        result: Value,
        result_path: &ResultPath,
        context: &Context<'_>,
    ) -> Result<Value, StateError> {
        let combined = self.combine(raw, result, result_path)?;
        let output = match &self.state.output_path {
            Selection::Part(path) if path.is_input() => combined,
            selection => self.select(selection, Scope { input: &combined, context })?,
        };
        self.limited(output, "The output of the state")
    }

    /// Puts a result into the state's input.
    pub(super) fn combine(&self, raw: &Value, result: Value, path: &ResultPath) -> Result<Value, StateError> {
        let (text, steps) = match path {
            ResultPath::Discard => return Ok(raw.clone()),
            ResultPath::Place { steps, .. } if steps.is_empty() => return Ok(result),
            ResultPath::Place { text, steps } => (text, steps),
        };
        let mut combined = raw.clone();
        place(&mut combined, steps, result).map_err(|step| {
            let step = match step {
                Step::Field(name) => format!("\"{name}\""),
                Step::Index(index) => format!("[{index}]"),
            };
            let cause = format!("Unable to apply step {step} of the ResultPath '{text}' to the input of the state.");
            self.located(StateError::new(names::RESULT_PATH_MATCH_FAILURE, cause))
        })?;
        Ok(combined)
    }

    /// Refuses a payload that is larger than the service allows.
    pub(crate) fn limited(&self, payload: Value, what: &str) -> Result<Value, StateError> {
        let most = self.execution.core.options.quotas.payload_bytes;
        if exceeds(&payload, most) {
            let name = &self.state.name;
            return Err(StateError::state_data_limit(format!(
                "{what} '{name}' is larger than the maximum of {most} bytes."
            )));
        }
        Ok(payload)
    }

    fn pass(&self, pass: &PassState, raw: Value) -> Result<Departure, StateError> {
        let context = self.context(None);
        let effective = self.effective_input(pass.parameters.as_ref(), &raw, &context)?;
        let result = pass.result.clone().unwrap_or(effective);
        let scope = Scope { input: &result, context: &context };
        let assigned = self.assigned(self.state.assign.as_ref(), scope)?;
        let output = match self.state.language {
            Language::JsonPath => self.output(&raw, result, &pass.result_path, &context)?,
            Language::Jsonata => self.computed_output(self.state.output.as_ref(), scope)?,
        };
        Ok(Departure::along(&pass.transition, output, assigned))
    }

    /// The output of a state that passes its input on.
    pub(super) fn pass_through(&self, raw: &Value) -> Result<Value, StateError> {
        let context = self.context(None);
        if self.state.language == Language::Jsonata {
            return self.computed_output(self.state.output.as_ref(), Scope { input: raw, context: &context });
        }
        let selected = self.select(&self.state.input_path, Scope { input: raw, context: &context })?;
        self.select(&self.state.output_path, Scope { input: &selected, context: &context })
    }

    /// The variables that an `Assign` sets.
    pub(super) fn assigned(
        &self,
        assign: Option<&Template>,
        scope: Scope<'_>,
    ) -> Result<Option<Map<String, Value>>, StateError> {
        let Some(assign) = assign else { return Ok(None) };
        match assign.fill(scope).map_err(|error| self.located(error))? {
            Value::Object(assigned) => Ok(Some(assigned)),
            // The definition was refused if it is no object.
            _ => Ok(None),
        }
    }

    /// `Output`, or the scope's input where there is none.
    pub(super) fn computed_output(&self, output: Option<&Template>, scope: Scope<'_>) -> Result<Value, StateError> {
        let output = match output {
            Some(output) => output.fill(scope).map_err(|error| self.located(error))?,
            None => scope.input.clone(),
        };
        self.limited(output, "The output of the state")
    }

    fn choice(&self, choice: &ChoiceState, raw: &Value) -> Result<Departure, StateError> {
        let context = self.context(None);
        let selected = self.select(&self.state.input_path, Scope { input: raw, context: &context })?;
        let scope = Scope { input: &selected, context: &context };
        let mut chosen = None;
        for candidate in &choice.choices {
            let holds = candidate.rule.holds(scope).map_err(|unanswered| match unanswered {
                Unanswered::Failed(error) => self.located(error),
                Unanswered::Absent(path) => self.located(StateError::runtime(format!(
                    "Invalid path '{path}': The choice state's condition path references an invalid value."
                ))),
            })?;
            if holds {
                chosen = Some(candidate);
                break;
            }
        }
        let (next, assign, output) = match (chosen, &choice.default) {
            (Some(rule), _) => (&rule.next, &rule.assign, &rule.output),
            (None, Some(default)) => (default, &self.state.assign, &self.state.output),
            (None, None) => {
                let cause = "Failed to transition out of the state. The state does not point to a next state.";
                return Err(self.located(StateError::new(names::NO_CHOICE_MATCHED, cause)));
            }
        };
        let assigned = self.assigned(assign.as_ref(), scope)?;
        let output = match self.state.language {
            Language::JsonPath => self.select(&self.state.output_path, scope)?,
            Language::Jsonata => self.computed_output(output.as_ref(), scope)?,
        };
        Ok(Departure { next: Some(next.clone()), output, assigned })
    }

    fn fail(&self, fail: &FailState, raw: &Value) -> Result<StateError, StateError> {
        let context = self.context(None);
        let scope = Scope { input: raw, context: &context };
        let text = |text: &Option<FailText>| match text {
            None => Ok(None),
            Some(FailText::Fixed(text)) => Ok(Some(text.clone())),
            Some(FailText::Queried(query)) => match query.evaluate(scope).map_err(|error| self.located(error))? {
                Value::String(text) => Ok(Some(text)),
                other => Err(self.located(query.unexpected("string", &other))),
            },
            Some(FailText::Computed { field, expression }) => {
                let value = evaluate(expression, field, scope).map_err(|error| self.located(error))?;
                match value {
                    Value::String(text) => Ok(Some(text)),
                    other => Err(self.located(StateError::runtime(format!(
                        "The {field} field must be a string, but it is: {other}"
                    )))),
                }
            }
        };
        Ok(StateError::stated(text(&fail.error)?, text(&fail.cause)?))
    }
}
