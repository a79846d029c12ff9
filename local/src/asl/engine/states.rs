//! Moves from state to state, and does what a state does that calls nothing.

use std::borrow::Cow;
use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::{Map, Value};

use super::Execution;
use super::checkpoint::Whereabouts;
use crate::asl::context::{Context, ItemContext, Scope};
use crate::asl::definition::{
    Body, ChoiceState, FailState, FailText, PassState, ResultPath, Selection, State, StateMachine, Transition,
};
use crate::asl::error::{StateError, Stop, names};
use crate::asl::path::{Step, place};
use crate::asl::size::{PAYLOAD_BYTES_MAX, exceeds};
use crate::asl::template::{Template, evaluate};
use crate::asl::time;
use crate::observer::Notice;

/// Where the data goes after a state.
pub(super) enum Flow {
    Next(String, Value),
    End(Value),
}

impl Flow {
    pub(super) fn along(transition: &Transition, output: Value) -> Self {
        match transition {
            Transition::Next(next) => Self::Next(next.clone(), output),
            Transition::End => Self::End(output),
        }
    }
}

/// Runs a machine from its first state to an end. `item` is what `$$.Map.Item` is in an inline Map.
pub(super) fn run<'a>(
    execution: &'a Arc<Execution>,
    machine: &'a StateMachine,
    input: Value,
    item: Option<&'a ItemContext>,
) -> BoxFuture<'a, Result<Value, Stop>> {
    Box::pin(walk(execution, machine, machine.start_at.clone(), input, item, None))
}

/// Runs the whole machine of an execution, in a redrive from the state where it failed.
pub(super) fn run_outermost<'a>(
    execution: &'a Arc<Execution>,
    machine: &'a StateMachine,
) -> BoxFuture<'a, Result<Value, Stop>> {
    let whereabouts = &execution.whereabouts;
    let start = whereabouts.start();
    let name = start.map_or(&machine.start_at, |checkpoint| &checkpoint.state).clone();
    let input = start.and_then(|checkpoint| checkpoint.input.as_ref()).unwrap_or(&execution.identity.input);
    Box::pin(walk(execution, machine, name, input.clone(), None, Some(whereabouts)))
}

async fn walk<'a>(
    execution: &'a Arc<Execution>,
    machine: &'a StateMachine,
    mut name: String,
    mut data: Value,
    item: Option<&'a ItemContext>,
    whereabouts: Option<&'a Whereabouts>,
) -> Result<Value, Stop> {
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
        let entered_event = execution.history.record(1)?;
        let visit = Visit { execution, state, item, resumed, entered_event, entered_time: time::now_text() };
        match visit.run(data).await? {
            Flow::Next(next, output) => {
                name = next;
                data = output;
            }
            Flow::End(output) => return Ok(output),
        }
        resumed = false;
        if let Some(whereabouts) = whereabouts {
            whereabouts.enter(&name, &data);
        }
    }
}

/// One visit to one state.
pub(crate) struct Visit<'a> {
    pub(crate) execution: &'a Arc<Execution>,
    pub(crate) state: &'a State,
    pub(super) item: Option<&'a ItemContext>,
    /// A redrive goes on with this visit.
    pub(crate) resumed: bool,
    pub(super) entered_event: u64,
    pub(super) entered_time: String,
}

impl Visit<'_> {
    async fn run(&self, raw: Value) -> Result<Flow, Stop> {
        let flow = match &self.state.body {
            Body::Pass(pass) => self.pass(pass, raw)?,
            Body::Choice(choice) => self.choice(choice, &raw)?,
            Body::Wait(wait) => self.wait(wait, raw).await?,
            Body::Succeed => Flow::End(self.select_through(&raw)?),
            Body::Fail(fail) => return Err(self.fail(fail, &raw)?.into()),
            Body::Task(_) | Body::Map(_) | Body::Parallel(_) => self.work(raw).await?,
        };
        self.execution.history.record(1)?;
        Ok(flow)
    }

    /// The context object of this visit.
    pub(crate) fn context(&self, retry_count: Option<u64>) -> Context<'_> {
        let identity = &self.execution.identity;
        Context::new(identity, &self.state.name, &self.entered_time, retry_count, self.item)
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
            Selection::Part(path) if path.steps().is_empty() && path.text() == "$" => combined,
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
        if exceeds(&payload, PAYLOAD_BYTES_MAX) {
            let name = &self.state.name;
            return Err(StateError::state_data_limit(format!(
                "{what} '{name}' is larger than the maximum of {PAYLOAD_BYTES_MAX} bytes."
            )));
        }
        Ok(payload)
    }

    fn pass(&self, pass: &PassState, raw: Value) -> Result<Flow, StateError> {
        let context = self.context(None);
        let effective = self.effective_input(pass.parameters.as_ref(), &raw, &context)?;
        let result = pass.result.clone().unwrap_or(effective);
        let output = self.output(&raw, result, &pass.result_path, &context)?;
        Ok(Flow::along(&pass.transition, output))
    }

    /// Applies `InputPath` and `OutputPath` of a state that passes its input on.
    pub(super) fn select_through(&self, raw: &Value) -> Result<Value, StateError> {
        let context = self.context(None);
        let selected = self.select(&self.state.input_path, Scope { input: raw, context: &context })?;
        self.select(&self.state.output_path, Scope { input: &selected, context: &context })
    }

    fn choice(&self, choice: &ChoiceState, raw: &Value) -> Result<Flow, StateError> {
        let context = self.context(None);
        let selected = self.select(&self.state.input_path, Scope { input: raw, context: &context })?;
        let scope = Scope { input: &selected, context: &context };
        let mut next = choice.default.as_ref();
        for (rule, target) in &choice.choices {
            let holds = rule.holds(scope).map_err(|absent| {
                let cause = format!(
                    "Invalid path '{}': The choice state's condition path references an invalid value.",
                    absent.0
                );
                self.located(StateError::runtime(cause))
            })?;
            if holds {
                next = Some(target);
                break;
            }
        }
        let next = next.ok_or_else(|| {
            let cause = "Failed to transition out of the state. The state does not point to a next state.";
            self.located(StateError::new(names::NO_CHOICE_MATCHED, cause))
        })?;
        let output = self.select(&self.state.output_path, scope)?;
        Ok(Flow::Next(next.clone(), output))
    }

    fn fail(&self, fail: &FailState, raw: &Value) -> Result<StateError, StateError> {
        let context = self.context(None);
        let scope = Scope { input: raw, context: &context };
        let text = |text: &Option<FailText>| match text {
            None => Ok(None),
            Some(FailText::Fixed(text)) => Ok(Some(text.clone())),
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
