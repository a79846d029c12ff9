//! The state machine of a run, and the functions that it names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use planner::Strategy;
use serde_json::Value;

use super::CommandError;
use crate::asl::{DEFINITION_BYTES_MAX, Definition, substitute};
use crate::bounded_file;

/// The state machines that are deployed.
const SIMPLE: &str = include_str!("../../../../statemachine/simple.asl.json");
const NESTED: &str = include_str!("../../../../statemachine/nested.asl.json");
const PACKED: &str = include_str!("../../../../statemachine/packed.asl.json");
const REPAIR: &str = include_str!("../../../../statemachine/repair.asl.json");

/// What stands for the resources that a template makes. Here they are played (`services::endpoints`).
const RESOURCES: [(&str, &str); 3] = [
    ("NotificationTopicArn", "arn:aws:sns:us-east-1:000000000000:mapmill"),
    ("DeadLetterQueueUrl", "https://sqs.us-east-1.amazonaws.com/000000000000/mapmill"),
    ("FailureTableName", FAILURE_TABLE),
];

/// The table of failed batches.
pub(super) const FAILURE_TABLE: &str = "mapmill-failures";
/// The attributes of its key.
pub(super) const FAILURE_KEY: [&str; 2] = ["run_id", "batch"];

/// Tokens of this form stand for the ARN of a function: `${TransformFunctionArn}` for the program `transform`.
const SUFFIX: &str = "FunctionArn";

/// A definition before its functions are known.
pub(in crate::cli) struct Machine {
    /// Name of the state machine: that of its file without `.asl.json`.
    pub(super) name: String,
    text: String,
    /// Token to function name.
    tokens: BTreeMap<String, String>,
}

impl Machine {
    /// Reads a definition file, or takes the built-in one of a strategy.
    pub(in crate::cli) fn load(strategy: Strategy, path: Option<&Path>) -> Result<Self, CommandError> {
        let Some(path) = path else { return Ok(Self::built_in(strategy)) };
        let bytes = bounded_file::read(path, DEFINITION_BYTES_MAX as u64).map_err(CommandError::usage)?;
        let text =
            String::from_utf8(bytes).map_err(|_| CommandError::usage(format!("{} is not UTF-8", path.display())))?;
        let file = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let stem = file.split('.').next().filter(|stem| !stem.is_empty()).unwrap_or("machine");
        let name: String =
            stem.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).collect();
        Ok(Self::of_text(&name, text))
    }

    fn built_in(strategy: Strategy) -> Self {
        let text = match strategy {
            Strategy::Simple => SIMPLE,
            Strategy::Nested => NESTED,
            Strategy::Packed => PACKED,
            Strategy::Repair => REPAIR,
        };
        Self::of_text(strategy.name(), text.to_owned())
    }

    fn of_text(name: &str, text: String) -> Self {
        let mut tokens = BTreeMap::new();
        let found = text.split("${").skip(1).filter_map(|rest| rest.split_once('}').map(|(token, _)| token));
        for token in found {
            if let Some(function) = token.strip_suffix(SUFFIX).filter(|function| !function.is_empty()) {
                tokens.insert(token.to_owned(), kebab_case(function));
            }
        }
        Self { name: name.to_owned(), text, tokens }
    }

    /// The functions that the definition names.
    pub(in crate::cli) fn functions(&self) -> BTreeSet<&str> {
        self.tokens.values().map(String::as_str).collect()
    }

    /// The definition with the functions' ARNs filled in.
    pub(in crate::cli) fn definition(&self, arn: impl Fn(&str) -> String) -> Result<Definition, CommandError> {
        let functions = self.tokens.iter().map(|(token, function)| (token.clone(), arn(function)));
        let resources = RESOURCES.iter().filter(|(token, _)| self.text.contains(token));
        let values =
            functions.chain(resources.map(|(token, value)| ((*token).to_owned(), (*value).to_owned()))).collect();
        let text = substitute(&self.text, &values).map_err(CommandError::usage)?;
        Definition::parse(&text).map_err(CommandError::usage)
    }

    /// Names of the Map states that have another Distributed Map inside: their children are no batches of objects.
    pub(in crate::cli) fn outer_maps(&self) -> BTreeSet<String> {
        let mut outer = BTreeSet::new();
        if let Ok(machine) = serde_json::from_str(&self.text) {
            collect_outer_maps(&machine, &mut outer);
        }
        outer
    }
}

/// Whether a Distributed Map is in a machine or a machine within it; those that hold another one are collected.
fn collect_outer_maps(machine: &Value, outer: &mut BTreeSet<String>) -> bool {
    let mut found = false;
    for (name, state) in machine["States"].as_object().into_iter().flatten() {
        let mut has_inner = collect_outer_maps(&state["ItemProcessor"], outer);
        for branch in state["Branches"].as_array().into_iter().flatten() {
            has_inner |= collect_outer_maps(branch, outer);
        }
        let is_distributed = state["ItemProcessor"]["ProcessorConfig"]["Mode"] == "DISTRIBUTED";
        if is_distributed && has_inner {
            outer.insert(name.clone());
        }
        found |= is_distributed || has_inner;
    }
    found
}

/// `MyTransform` as `my-transform`, the way programs are named.
fn kebab_case(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !text.is_empty() {
            text.push('-');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_follow_from_the_tokens() {
        let text = r#"{"a": "${TransformFunctionArn}", "b": "${MyOwnWorkerFunctionArn} ${TransformFunctionArn}"}"#;
        let machine = Machine::of_text("x", text.to_owned());
        assert_eq!(machine.functions().into_iter().collect::<Vec<_>>(), ["my-own-worker", "transform"]);
    }

    #[test]
    fn maps_around_distributed_maps_are_found() {
        let map = |mode: &str, states: &str| {
            format!(r#"{{"ItemProcessor": {{"ProcessorConfig": {{"Mode": "{mode}"}}, "States": {{{states}}}}}}}"#)
        };
        let inner = format!(r#""Inner": {}"#, map("DISTRIBUTED", ""));
        let parallel = format!(r#""Both": {{"Branches": [{{"States": {{{inner}}}}}]}}"#);
        let check = |mode: &str, states: &str, expected: &[&str]| {
            let machine = Machine::of_text("x", format!(r#"{{"States": {{"Top": {}}}}}"#, map(mode, states)));
            assert_eq!(machine.outer_maps().into_iter().collect::<Vec<_>>(), expected);
        };
        check("DISTRIBUTED", "", &[]);
        check("DISTRIBUTED", &inner, &["Top"]);
        check("DISTRIBUTED", &parallel, &["Top"]);
        check("INLINE", &inner, &[]);
    }

    #[test]
    fn the_built_in_state_machines_are_accepted() {
        for strategy in [Strategy::Simple, Strategy::Nested, Strategy::Packed, Strategy::Repair] {
            let machine = Machine::load(strategy, None).unwrap();
            assert_eq!(machine.name, strategy.name());
            assert_eq!(machine.functions().into_iter().collect::<Vec<_>>(), ["plan", "report", "transform"]);
            let arn = |function: &str| format!("arn:aws:lambda:us-east-1:000000000000:function:{function}");
            machine.definition(arn).unwrap();
            let outer: &[&str] = if strategy == Strategy::Nested { &["ProcessGroups"] } else { &[] };
            assert_eq!(machine.outer_maps().into_iter().collect::<Vec<_>>(), outer);
        }
    }
}
