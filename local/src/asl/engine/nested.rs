//! Inline Maps and Parallel states: machines that run inside of the same execution.

use std::borrow::Cow;
use std::collections::VecDeque;

use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use serde_json::Value;

use super::numbers;
use super::states::{self, Visit};
use crate::asl::context::{Context, ItemContext, Scope};
use crate::asl::definition::{MapState, ParallelState, StateMachine};
use crate::asl::error::{StateError, Stop};

/// Most iterations of an inline Map at a time, as in the service.
const INLINE_CONCURRENCY_MAX: u64 = 40;

/// A machine that waits for its turn.
struct Branch<'a> {
    machine: &'a StateMachine,
    input: Value,
    item: Option<&'a ItemContext>,
}

impl Visit<'_> {
    /// Runs the machine for each element of the array and returns their outputs in order.
    pub(super) async fn inline_map(&self, map: &MapState, raw: &Value, retries: u64) -> Result<Value, Stop> {
        let (items, inputs, concurrency) = {
            let context = self.context(Some(retries));
            self.inline_items(map, raw, &context)?
        };
        let branches = items
            .iter()
            .zip(inputs)
            .map(|(item, input)| Branch { machine: &map.processor, input, item: Some(item) })
            .collect();
        self.execution.history.record(1)?;
        self.run_branches(branches, concurrency).await
    }

    fn inline_items(
        &self,
        map: &MapState,
        raw: &Value,
        context: &Context<'_>,
    ) -> Result<(Vec<ItemContext>, Vec<Value>, usize), StateError> {
        let effective = self.effective_input(None, raw, context)?;
        let scope = Scope { input: &effective, context };
        let items: Vec<_> = items(map, scope)
            .map_err(|error| self.located(error))?
            .into_iter()
            .enumerate()
            .map(|(index, value)| ItemContext { index: index as u64, key: None, value, source: None })
            .collect();
        let inputs = items
            .iter()
            .map(|item| match &map.item_selector {
                None => Ok(item.value.clone()),
                Some(selector) => {
                    let context = context.with_item(item);
                    let filled = selector.fill(Scope { input: &effective, context: &context });
                    filled.map_err(|error| self.located(error))
                }
            })
            .collect::<Result<Vec<_>, _>>()?;
        let wanted = match &map.max_concurrency {
            Some(given) => numbers::count(given, "MaxConcurrency", scope).map_err(|error| self.located(error))?,
            None => 0,
        };
        let concurrency = if wanted == 0 { INLINE_CONCURRENCY_MAX } else { wanted.min(INLINE_CONCURRENCY_MAX) };
        Ok((items, inputs, concurrency as usize))
    }

    /// Runs all branches on the same input and returns their outputs in order.
    pub(super) async fn parallel(&self, parallel: &ParallelState, raw: &Value, retries: u64) -> Result<Value, Stop> {
        let input = {
            let context = self.context(Some(retries));
            self.effective_input(parallel.parameters.as_ref(), raw, &context)?
        };
        let branch = |machine| Branch { machine, input: input.clone(), item: self.item };
        let branches: VecDeque<_> = parallel.branches.iter().map(branch).collect();
        self.execution.history.record(1)?;
        let concurrency = branches.len();
        self.run_branches(branches, concurrency).await
    }

    /// Runs branches, some at a time; the first failure drops the others.
    async fn run_branches(&self, mut waiting: VecDeque<Branch<'_>>, concurrency: usize) -> Result<Value, Stop> {
        let mut outputs = vec![Value::Null; waiting.len()];
        let mut next = 0;
        let mut running: FuturesUnordered<BoxFuture<'_, (usize, Result<Value, Stop>)>> = FuturesUnordered::new();
        loop {
            while running.len() < concurrency
                && let Some(branch) = waiting.pop_front()
            {
                let position = next;
                next += 1;
                let run = states::run(self.execution, branch.machine, branch.input, branch.item);
                running.push(Box::pin(async move { (position, run.await) }));
            }
            match running.next().await {
                None => return Ok(Value::Array(outputs)),
                Some((position, output)) => outputs[position] = output?,
            }
        }
    }
}

/// The array that a Map runs over.
pub(crate) fn items(map: &MapState, scope: Scope<'_>) -> Result<Vec<Value>, StateError> {
    let path = &map.items_path;
    match scope.find(path).map(Cow::into_owned) {
        Some(Value::Array(items)) => Ok(items),
        Some(_) => Err(StateError::runtime(format!("Reference path \"{}\" must point to array.", path.text()))),
        None => Err(StateError::runtime(scope.explain_absence(path))),
    }
}
