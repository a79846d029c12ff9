//! States that do work and may fail: Task, Map and Parallel, with their retries and catchers.

use serde_json::{Value, json};

use super::states::{Flow, Visit};
use crate::asl::context::Scope;
use crate::asl::definition::{Body, Handlers, ResultHandling, Transition};
use crate::asl::error::{StateError, Stop};
use crate::asl::retry::{Retries, catcher};
use crate::observer::Notice;

impl Visit<'_> {
    /// Tries until the work is done, an error is caught, or nothing handles it.
    pub(super) async fn work(&self, raw: Value) -> Result<Flow, Stop> {
        let (handlers, transition) = match &self.state.body {
            Body::Task(task) => (&task.handlers, &task.transition),
            Body::Map(map) => (&map.handlers, &map.transition),
            Body::Parallel(parallel) => (&parallel.handlers, &parallel.transition),
            _ => return Err(self.located(StateError::runtime("The state does no work.")).into()),
        };
        let mut retries = Retries::new(&handlers.retry);
        loop {
            let error = match self.attempt(&raw, retries.count()).await {
                Ok(output) => return Ok(Flow::along(transition, output)),
                Err(Stop::Failed(error)) => error,
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
                None => return self.catch(handlers, &raw, error),
            }
        }
    }

    async fn attempt(&self, raw: &Value, retries: u64) -> Result<Value, Stop> {
        match &self.state.body {
            Body::Task(task) => {
                let result = self.task(task, raw, retries).await?;
                self.finish(raw, result, &task.result, retries)
            }
            Body::Map(map) => {
                let result = match &map.distributed {
                    Some(distributed) => crate::distributed_map::run(self, map, distributed, raw, retries).await?,
                    None => self.inline_map(map, raw, retries).await?,
                };
                self.finish(raw, result, &map.result, retries)
            }
            Body::Parallel(parallel) => {
                let result = self.parallel(parallel, raw, retries).await?;
                self.finish(raw, result, &parallel.result, retries)
            }
            _ => Err(self.located(StateError::runtime("The state does no work.")).into()),
        }
    }

    /// Applies `ResultSelector`, `ResultPath` and `OutputPath`.
    fn finish(&self, raw: &Value, result: Value, handling: &ResultHandling, retries: u64) -> Result<Value, Stop> {
        let context = self.context(Some(retries));
        let result = match &handling.selector {
            None => result,
            Some(selector) => {
                selector.fill(Scope { input: &result, context: &context }).map_err(|error| self.located(error))?
            }
        };
        Ok(self.output(raw, result, &handling.path, &context)?)
    }

    /// Leads a caught error on; the state's input stays as it was, but for the error put into it.
    fn catch(&self, handlers: &Handlers, raw: &Value, error: StateError) -> Result<Flow, Stop> {
        let Some(catcher) = catcher(&handlers.catch, &error) else { return Err(error.into()) };
        // Where there is no cause the service gives an empty one, so that paths to it find something.
        let caught = json!({"Error": error.name, "Cause": error.cause.unwrap_or_default()});
        let output = self.combine(raw, caught, &catcher.result_path)?;
        let output = self.limited(output, "The output of the state")?;
        Ok(Flow::along(&Transition::Next(catcher.next.clone()), output))
    }
}
