//! States that do work and may fail: Task, Map and Parallel, with their retries and catchers.

use serde_json::{Value, json};

use super::history::nothing;
use super::states::{Departure, Visit};
use crate::asl::context::Scope;
use crate::asl::definition::{Body, Handlers, Language, ResultHandling, Transition};
use crate::asl::error::{Reach, StateError, Stop};
use crate::asl::retry::{Retries, catcher};
use crate::observer::Notice;

impl Visit<'_> {
    /// Tries until the work is done, an error is caught, or nothing handles it.
    pub(super) async fn work(&self, raw: Value) -> Result<Departure, Stop> {
        let (handlers, handling, transition) = match &self.state.body {
            Body::Task(task) => (&task.handlers, &task.result, &task.transition),
            Body::Map(map) => (&map.handlers, &map.result, &map.transition),
            Body::Parallel(parallel) => (&parallel.handlers, &parallel.result, &parallel.transition),
            _ => return Err(self.located(StateError::runtime("The state does no work.")).into()),
        };
        let mut retries = Retries::new(&handlers.retry);
        loop {
            let attempted = match self.attempt(&raw, retries.count()).await {
                Ok(result) => self.finish(&raw, result, handling, transition, retries.count()).map_err(Stop::from),
                Err(stop) => Err(stop),
            };
            let error = match attempted {
                Ok(departure) => return Ok(departure),
                Err(Stop::Failed(error)) => self.noted(error)?,
                Err(stop) => return Err(stop),
            };
            // Stopping ends the functions' processes too; what fails because of it is not to be retried.
            if self.execution.cancel.is_cancelled() {
                return Err(Stop::Aborted);
            }
            let made = retries.count();
            match retries.next(&error) {
                Some(delay) => {
                    self.execution.core.observer.notice(Notice::RetryScheduled {
                        execution: &self.execution.identity.execution_id,
                        state: &self.state.name,
                        error: &error.name,
                        retries: made,
                        delay,
                    });
                    self.sleep(delay).await?;
                }
                None => {
                    self.tell_failed(&error)?;
                    return self.catch(handlers, &raw, error);
                }
            }
        }
    }

    async fn attempt(&self, raw: &Value, retries: u64) -> Result<Value, Stop> {
        match &self.state.body {
            Body::Task(task) => self.task(task, raw, retries).await,
            Body::Map(map) => match &map.distributed {
                Some(distributed) => crate::distributed_map::run(self, map, distributed, raw, retries).await,
                None => self.inline_map(map, raw, retries).await,
            },
            Body::Parallel(parallel) => self.parallel(parallel, raw, retries).await,
            _ => Err(self.located(StateError::runtime("The state does no work.")).into()),
        }
    }

    /// Applies `Assign`, `ResultSelector`, `ResultPath` and `OutputPath`, or `Assign` and `Output`.
    fn finish(
        &self,
        raw: &Value,
        result: Value,
        handling: &ResultHandling,
        transition: &Transition,
        retries: u64,
    ) -> Result<Departure, StateError> {
        let context = self.context(Some(retries));
        let assign = self.state.assign.as_ref();
        if self.state.language == Language::Jsonata {
            let context = context.with_result(&result);
            let scope = Scope { input: raw, context: &context };
            let assigned = self.assigned(assign, scope)?;
            let output = match &self.state.output {
                Some(output) => self.computed_output(Some(output), scope)?,
                None => self.limited(result.clone(), "The output of the state")?,
            };
            return Ok(Departure::along(transition, output, assigned));
        }
        let scope = Scope { input: &result, context: &context };
        let assigned = self.assigned(assign, scope)?;
        let selected = match &handling.selector {
            None => result,
            Some(selector) => selector.fill(scope).map_err(|error| self.located(error))?,
        };
        let output = self.output(raw, selected, &handling.path, &context)?;
        Ok(Departure::along(transition, output, assigned))
    }

    /// Tells that a Map or Parallel has failed; what no handler may see fails the execution at once.
    fn tell_failed(&self, error: &StateError) -> Result<(), Stop> {
        let kind = match &self.state.body {
            Body::Map(_) => "MapStateFailed",
            Body::Parallel(_) => "ParallelStateFailed",
            _ => return Ok(()),
        };
        if error.reach != Reach::Never {
            self.record(kind, nothing)?;
        }
        Ok(())
    }

    /// Leads a caught error on; the state's input stays as it was, but for the error put into it.
    fn catch(&self, handlers: &Handlers, raw: &Value, error: StateError) -> Result<Departure, Stop> {
        let Some(catcher) = catcher(&handlers.catch, &error) else { return Err(error.into()) };
        // Where there is no cause the service gives an empty one, so that paths to it find something.
        let caught = json!({"Error": error.name, "Cause": error.cause.unwrap_or_default()});
        let context = self.context(None);
        let transition = Transition::Next(catcher.next.clone());
        if self.state.language == Language::Jsonata {
            let context = context.with_error_output(&caught);
            let scope = Scope { input: raw, context: &context };
            let assigned = self.assigned(catcher.assign.as_ref(), scope)?;
            let output = match &catcher.output {
                Some(output) => self.computed_output(Some(output), scope)?,
                None => caught.clone(),
            };
            return Ok(Departure::along(&transition, output, assigned));
        }
        let assigned = self.assigned(catcher.assign.as_ref(), Scope { input: &caught, context: &context })?;
        let output = self.combine(raw, caught, &catcher.result_path)?;
        let output = self.limited(output, "The output of the state")?;
        Ok(Departure::along(&transition, output, assigned))
    }
}
