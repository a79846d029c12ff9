//! Which variables the states of a definition read, as `DescribeStateMachine` tells.

use std::collections::{BTreeMap, BTreeSet};

use super::{Body, FailText, Given, Items, Selection, State, StateMachine, WaitUntil};
use crate::asl::choice::{Operand, Rule, Test};
use crate::asl::path::{Path, Root};
use crate::asl::template::{Part, Query, Template};

/// The variables that each state reads, by the name of the state; states that read none are left out.
pub(super) fn of(machine: &StateMachine) -> BTreeMap<String, BTreeSet<String>> {
    let mut found = BTreeMap::new();
    collect(machine, &mut found);
    found
}

fn collect(machine: &StateMachine, found: &mut BTreeMap<String, BTreeSet<String>>) {
    for (name, state) in &machine.states {
        let mut names = Names::default();
        names.state(state);
        if !names.0.is_empty() {
            found.entry(name.clone()).or_default().extend(names.0);
        }
        match &state.body {
            Body::Map(map) => collect(&map.processor, found),
            Body::Parallel(parallel) => parallel.branches.iter().for_each(|branch| collect(branch, found)),
            _ => {}
        }
    }
}

#[derive(Default)]
struct Names(BTreeSet<String>);

impl Names {
    fn state(&mut self, state: &State) {
        self.template(state.assign.as_ref());
        self.template(state.output.as_ref());
        for selection in [&state.input_path, &state.output_path] {
            if let Selection::Part(path) = selection {
                self.path(path);
            }
        }
        match &state.body {
            Body::Pass(pass) => self.template(pass.parameters.as_ref()),
            Body::Task(task) => {
                self.template(task.parameters.as_ref());
                self.template(task.result.selector.as_ref());
                self.given(task.timeout.as_ref());
                self.given(task.heartbeat.as_ref());
            }
            Body::Choice(choice) => {
                for choice in &choice.choices {
                    self.rule(&choice.rule);
                    self.template(choice.assign.as_ref());
                    self.template(choice.output.as_ref());
                }
            }
            Body::Wait(wait) => match &wait.until {
                WaitUntil::Seconds(given) => self.given(Some(given)),
                WaitUntil::Timestamp(given) => self.given(Some(given)),
            },
            Body::Succeed => {}
            Body::Fail(fail) => {
                for text in [&fail.error, &fail.cause].into_iter().flatten() {
                    match text {
                        FailText::Fixed(_) => {}
                        FailText::Computed { expression, .. } => expression.each_path(&mut |path| self.path(path)),
                        FailText::Queried(query) => self.query(query),
                    }
                }
            }
            Body::Parallel(parallel) => {
                self.template(parallel.parameters.as_ref());
                self.template(parallel.result.selector.as_ref());
            }
            Body::Map(map) => {
                match &map.items {
                    Items::At(path) => self.path(path),
                    Items::Given(template, _) => self.template(Some(template)),
                }
                self.template(map.item_selector.as_ref());
                self.given(map.max_concurrency.as_ref());
                self.template(map.result.selector.as_ref());
                if let Some(distributed) = &map.distributed {
                    self.given(distributed.tolerated_count.as_ref());
                    self.given(distributed.tolerated_percentage.as_ref());
                    if let Some(reader) = &distributed.reader {
                        self.template(Some(&reader.parameters));
                        self.given(reader.max_items.as_ref());
                    }
                    if let Some(batcher) = &distributed.batcher {
                        self.given(batcher.max_items.as_ref());
                        self.given(batcher.max_bytes.as_ref());
                        self.template(batcher.batch_input.as_ref());
                    }
                    self.template(distributed.writer.parameters.as_ref());
                }
            }
        }
        let handlers = match &state.body {
            Body::Task(task) => &task.handlers.catch[..],
            Body::Map(map) => &map.handlers.catch[..],
            Body::Parallel(parallel) => &parallel.handlers.catch[..],
            _ => &[],
        };
        for catcher in handlers {
            self.template(catcher.assign.as_ref());
            self.template(catcher.output.as_ref());
        }
    }

    fn path(&mut self, path: &Path) {
        if let Root::Variable(name) = path.root() {
            self.0.insert(name.clone());
        }
    }

    fn query(&mut self, query: &Query) {
        let names = query.expression.names().iter();
        self.0.extend(names.filter(|name| *name != "states" && !is_function(query.expression.text(), name)).cloned());
    }

    fn template(&mut self, template: Option<&Template>) {
        if let Some(template) = template {
            template.each(&mut |part| match part {
                Part::Expression(expression) => expression.each_path(&mut |path| self.path(path)),
                Part::Query(query) => self.query(query),
            });
        }
    }

    fn given<T>(&mut self, given: Option<&Given<T>>) {
        match given {
            Some(Given::At(path)) => self.path(path),
            Some(Given::Computed(query)) => self.query(query),
            Some(Given::Fixed(_)) | None => {}
        }
    }

    fn rule(&mut self, rule: &Rule) {
        match rule {
            Rule::And(rules) | Rule::Or(rules) => rules.iter().for_each(|rule| self.rule(rule)),
            Rule::Not(rule) => self.rule(rule),
            Rule::Condition(query) => self.query(query),
            Rule::Constant(_) => {}
            Rule::Test { variable, test } => {
                self.path(variable);
                if let Test::Compare { operand: Operand::At(path), .. } = test {
                    self.path(path);
                }
            }
        }
    }
}

/// True when a name is called or bound in the text itself, so that it is no variable of the workflow.
fn is_function(text: &str, name: &str) -> bool {
    let name = format!("${name}");
    text.match_indices(&name).any(|(at, _)| {
        let rest = text[at + name.len()..].trim_start();
        rest.starts_with('(') || rest.starts_with(":=")
    })
}
