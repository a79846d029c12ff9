//! Inline Maps and Parallel states: machines that run inside of the same execution.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;

use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use serde_json::Value;

use super::history::{Details, Trail, details, nothing};
use super::numbers;
use super::states::{self, Visit};
use crate::asl::context::{Context, ItemContext, Scope};
use crate::asl::definition::{Items, Language, MapState, ParallelState, StateMachine};
use crate::asl::error::{Reach, StateError, Stop};

/// Most iterations of an inline Map at a time, as in the service.
pub(super) const INLINE_CONCURRENCY_MAX: u64 = 40;

/// A machine that waits for its turn.
struct Branch<'a> {
    machine: &'a StateMachine,
    input: Value,
    item: Option<&'a ItemContext>,
}

/// Whose branches run, for their events.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Map,
    Parallel,
}

/// A branch that has ended.
struct Ended {
    position: usize,
    trail: Arc<Trail>,
    output: Result<Value, Stop>,
}

impl Visit<'_> {
    /// Runs the machine for each element of the array and returns their outputs in order.
    pub(super) async fn inline_map(&self, map: &MapState, raw: &Value, retries: u64) -> Result<Value, Stop> {
        let (items, inputs, concurrency) = {
            let context = self.context(Some(retries));
            self.inline_items(map, raw, &context)?
        };
        let branches: VecDeque<_> = items
            .iter()
            .zip(inputs)
            .map(|(item, input)| Branch { machine: &map.processor, input, item: Some(item) })
            .collect();
        self.record("MapStateStarted", || {
            details("mapStateStartedEventDetails", [("length", Some(branches.len().into()))])
        })?;
        let outputs = self.run_branches(branches, concurrency, Kind::Map).await?;
        self.record_beside("MapStateSucceeded", nothing)?;
        Ok(outputs)
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
        let most = self.execution.core.options.quotas.inline_concurrency;
        let concurrency = if wanted == 0 { most } else { wanted.min(most) };
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
        self.record("ParallelStateStarted", nothing)?;
        let concurrency = branches.len();
        let outputs = self.run_branches(branches, concurrency, Kind::Parallel).await?;
        self.record_beside("ParallelStateSucceeded", nothing)?;
        Ok(outputs)
    }

    /// Runs branches, some at a time; the first failure breaks the others off.
    async fn run_branches(
        &self,
        mut waiting: VecDeque<Branch<'_>>,
        concurrency: usize,
        kind: Kind,
    ) -> Result<Value, Stop> {
        let history = &self.execution.history;
        let mut outputs = vec![Value::Null; waiting.len()];
        let mut next = 0;
        let mut trails: Vec<(usize, Arc<Trail>)> = Vec::new();
        let mut running: FuturesUnordered<BoxFuture<'_, Ended>> = FuturesUnordered::new();
        // An iteration follows the one whose place it takes.
        let started = self.trail.last();
        let mut freed = VecDeque::new();
        let mut last_done = started;
        loop {
            while running.len() < concurrency
                && let Some(branch) = waiting.pop_front()
            {
                let position = next;
                next += 1;
                let trail = Arc::new(Trail::behind(freed.pop_front().unwrap_or(started)));
                if kind == Kind::Map {
                    let started = || self.iteration("mapIterationStartedEventDetails", position);
                    history.record(&trail, "MapIterationStarted", started)?;
                }
                trails.push((position, Arc::clone(&trail)));
                let (execution, variables) = (self.execution, self.variables.clone());
                running.push(Box::pin(async move {
                    let Branch { machine, input, item } = branch;
                    let output = states::run(execution, &trail, machine, input, item, variables).await;
                    Ended { position, trail, output }
                }));
            }
            let Some(Ended { position, trail, output }) = running.next().await else {
                self.trail.go_on_behind(last_done);
                return Ok(Value::Array(outputs));
            };
            trails.retain(|(running, _)| *running != position);
            let last = trail.last();
            match output {
                Ok(output) => {
                    outputs[position] = output;
                    freed.push_back(last);
                    last_done = last;
                    if kind == Kind::Map {
                        let succeeded = || self.iteration("mapIterationSucceededEventDetails", position);
                        last_done = history.record_beside(&trail, "MapIterationSucceeded", succeeded)?;
                    }
                }
                Err(stop) => {
                    self.trail.go_on_behind(last);
                    if let Stop::Failed(StateError { reach: Reach::Handled | Reach::NamedOnly, .. }) = &stop {
                        self.broken_off(kind, position, &trail, &trails)?;
                    }
                    return Err(stop);
                }
            }
        }
    }

    /// The events of a branch that has failed and of those that it takes with it.
    fn broken_off(
        &self,
        kind: Kind,
        position: usize,
        failed: &Trail,
        others: &[(usize, Arc<Trail>)],
    ) -> Result<(), Stop> {
        let history = &self.execution.history;
        match kind {
            Kind::Map => {
                let iteration = || self.iteration("mapIterationFailedEventDetails", position);
                history.record_beside(failed, "MapIterationFailed", iteration)?;
            }
            Kind::Parallel => {
                if let Some(kind) = failed.broken_off() {
                    history.record_beside(failed, kind, nothing)?;
                }
            }
        }
        for (position, trail) in others {
            if let Some(kind) = trail.broken_off() {
                history.record_beside(trail, kind, nothing)?;
            }
            if kind == Kind::Map {
                let aborted = || self.iteration("mapIterationAbortedEventDetails", *position);
                history.record_beside(trail, "MapIterationAborted", aborted)?;
            }
        }
        Ok(())
    }

    fn iteration(&self, name: &'static str, index: usize) -> Option<Details> {
        details(name, [("index", Some(index.into())), ("name", Some(self.state.name.as_str().into()))])
    }
}

/// The array that a Map runs over.
pub(crate) fn items(map: &MapState, scope: Scope<'_>) -> Result<Vec<Value>, StateError> {
    match &map.items {
        Items::At(path) => match scope.find(path).map(Cow::into_owned) {
            Some(Value::Array(items)) => Ok(items),
            Some(other) if map.language == Language::Jsonata => {
                Err(StateError::evaluation(None, format!("Map state input must be an array but was: {other}")))
            }
            Some(_) => Err(StateError::runtime(format!("Reference path \"{}\" must point to array.", path.text()))),
            None => Err(StateError::runtime(scope.explain_absence(path))),
        },
        Items::Given(template, query) => match (template.fill(scope)?, query) {
            (Value::Array(items), _) => Ok(items),
            (other, Some(query)) => Err(query.unexpected("array", &other)),
            (other, None) => Err(StateError::evaluation(
                Some("Items"),
                format!("Map state items must be an array but were: {other}"),
            )),
        },
    }
}
