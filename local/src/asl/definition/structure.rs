//! How the states of a machine hang together: every reference leads to a state, every state is reached, some state ends.

use std::collections::BTreeSet;

use super::{Body, DefinitionError, ExecutionType, State, StateMachine, Transition};

/// Checks one machine; machines inside of its states are checked when they are parsed.
pub(super) fn check(machine: &StateMachine, path: &str, start_path: &str) -> Result<(), DefinitionError> {
    if machine.states.is_empty() {
        return Err(DefinitionError::new(path, "at least one state is required"));
    }
    if !machine.states.contains_key(&machine.start_at) {
        let service = format!("Missing 'Next' target: {}", machine.start_at);
        return Err(DefinitionError::new(start_path, no_such_state(&machine.start_at))
            .in_service_words(start_path, service)
            .with_code("MISSING_TRANSITION_TARGET"));
    }
    for (name, state) in &machine.states {
        for (field, target) in targets(state) {
            if !machine.states.contains_key(target) {
                let place = format!("{path}.{name}.{field}");
                let service = format!("Missing 'Next' target: {target}");
                return Err(DefinitionError::new(&place, no_such_state(target))
                    .in_service_words(&place, service)
                    .with_code("MISSING_TRANSITION_TARGET"));
            }
        }
    }
    let reached = reached(machine);
    if let Some(name) = machine.states.keys().find(|name| !reached.contains(name.as_str())) {
        let (place, service) = (format!("{path}.{name}"), format!("State \"{name}\" is not reachable."));
        return Err(DefinitionError::new(&place, "no state leads here")
            .in_service_words(&place, service)
            .with_code("MISSING_TRANSITION_TARGET"));
    }
    if !machine.states.values().any(is_terminal) {
        return Err(DefinitionError::new(
            path,
            "no state ends the machine: one needs \"End\": true or type Succeed or Fail",
        ));
    }
    Ok(())
}

/// Checks what the Maps of a whole definition must keep to among each other: labels name Map Runs, so each may be used
/// once, and only STANDARD executions may run a Distributed Map, so the children of an EXPRESS one may not.
pub(super) fn check_maps(machine: &StateMachine) -> Result<(), DefinitionError> {
    check_maps_below(machine, "States", ExecutionType::Standard, &mut BTreeSet::new())
}

fn check_maps_below(
    machine: &StateMachine,
    path: &str,
    parent: ExecutionType,
    labels: &mut BTreeSet<String>,
) -> Result<(), DefinitionError> {
    for (name, state) in &machine.states {
        let path = format!("{path}.{name}");
        match &state.body {
            Body::Map(map) => {
                let processor = format!("{path}.ItemProcessor");
                if let Some(distributed) = &map.distributed {
                    if parent == ExecutionType::Express {
                        let message = "\"DISTRIBUTED\" is not allowed here: the children of the Map around it are \
                                       EXPRESS executions, and only STANDARD ones may run a Distributed Map";
                        return Err(DefinitionError::new(format!("{processor}.ProcessorConfig.Mode"), message));
                    }
                    if let Some(label) = &distributed.label
                        && !labels.insert(label.clone())
                    {
                        let message = format!("\"{label}\" is used by another Map already");
                        return Err(DefinitionError::new(format!("{path}.Label"), message));
                    }
                }
                let own = map.distributed.as_ref().map_or(parent, |distributed| distributed.execution_type);
                check_maps_below(&map.processor, &format!("{processor}.States"), own, labels)?;
            }
            Body::Parallel(parallel) => {
                for (index, branch) in parallel.branches.iter().enumerate() {
                    check_maps_below(branch, &format!("{path}.Branches[{index}].States"), parent, labels)?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn no_such_state(name: &str) -> String {
    format!("there is no state \"{name}\" at this level")
}

fn reached(machine: &StateMachine) -> BTreeSet<&str> {
    let mut reached = BTreeSet::new();
    let mut open = vec![machine.start_at.as_str()];
    while let Some(name) = open.pop() {
        if reached.insert(name)
            && let Some(state) = machine.states.get(name)
        {
            open.extend(targets(state).into_iter().map(|(_, target)| target));
        }
    }
    reached
}

/// Every state that a state may lead to, with the field that says so.
fn targets(state: &State) -> Vec<(String, &str)> {
    let (transition, catch) = match &state.body {
        Body::Pass(pass) => (Some(&pass.transition), &[][..]),
        Body::Wait(wait) => (Some(&wait.transition), &[][..]),
        Body::Task(task) => (Some(&task.transition), &task.handlers.catch[..]),
        Body::Map(map) => (Some(&map.transition), &map.handlers.catch[..]),
        Body::Parallel(parallel) => (Some(&parallel.transition), &parallel.handlers.catch[..]),
        Body::Succeed | Body::Fail(_) => (None, &[][..]),
        Body::Choice(choice) => {
            let rules = choice.choices.iter().enumerate();
            let mut targets: Vec<_> =
                rules.map(|(index, rule)| (format!("Choices[{index}].Next"), rule.next.as_str())).collect();
            targets.extend(choice.default.iter().map(|default| ("Default".to_owned(), default.as_str())));
            return targets;
        }
    };
    let mut targets: Vec<_> = catch
        .iter()
        .enumerate()
        .map(|(index, catcher)| (format!("Catch[{index}].Next"), catcher.next.as_str()))
        .collect();
    if let Some(Transition::Next(next)) = transition {
        targets.push(("Next".to_owned(), next));
    }
    targets
}

fn is_terminal(state: &State) -> bool {
    let transition = match &state.body {
        Body::Succeed | Body::Fail(_) => return true,
        Body::Choice(_) => return false,
        Body::Pass(pass) => &pass.transition,
        Body::Wait(wait) => &wait.transition,
        Body::Task(task) => &task.transition,
        Body::Map(map) => &map.transition,
        Body::Parallel(parallel) => &parallel.transition,
    };
    *transition == Transition::End
}
