//! The template and the code agree: variables, folders, memory and time, and what every option changes.
#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

use deployment::cases::{full, machines, plain, with_own_bucket};
use deployment::{definition::Definition, read, root, stack};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The sources below a folder of the checkout, as one text.
fn sources(folder: &str) -> String {
    let mut text = String::new();
    let mut waiting = vec![root().join(folder)];
    while let Some(next) = waiting.pop() {
        for entry in std::fs::read_dir(next).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                text.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
    text
}

/// The variables of ours that a function reads: constants of the shared crates, used by it or by the shell around it.
fn variables_read(function: &str) -> BTreeSet<String> {
    let own = sources(&format!("functions/{function}/src"));
    let shell = sources("shared/lambda-shell/src");
    let mut found = BTreeSet::new();
    for text in [sources("shared/batch/src"), shell.clone(), own.clone()] {
        for line in text.lines().filter(|line| line.contains("const ") && line.contains("\"MAPMILL_")) {
            let constant = line.split("const ").nth(1).and_then(|rest| rest.split(':').next()).unwrap();
            let is_read =
                [&own, &shell].iter().any(|text| text.matches(constant).count() > usize::from(text.contains(line)));
            if is_read {
                found.insert(line.split('"').nth(1).unwrap().to_owned());
            }
        }
    }
    assert!(found.contains("MAPMILL_READ"), "the constants are found: {found:?}");
    found
}

#[test]
fn every_variable_that_a_function_reads_is_set_and_no_other() {
    let stack = full();
    for name in stack.resources("AWS::Serverless::Function").unwrap() {
        let properties = stack.properties(&name).unwrap();
        let folder = properties["CodeUri"].as_str().unwrap();
        let variables = properties["Environment"]["Variables"].as_object().unwrap();
        let set: BTreeSet<String> = variables.keys().cloned().collect();
        assert_eq!(set, variables_read(folder.trim_start_matches("functions/")), "{name}");
    }
}

#[test]
fn places_are_written_as_the_functions_read_them() {
    let variables =
        |stack: &stack::Stack, function: &str| stack.properties(function).unwrap()["Environment"]["Variables"].clone();
    assert_eq!(variables(&plain(), "TransformFunction")["MAPMILL_READ"], "raw/in/");
    assert_eq!(variables(&plain(), "TransformFunction")["MAPMILL_JOB"], Value::Null);
    assert_eq!(variables(&full(), "TransformFunction")["MAPMILL_READ"], "raw/in/,jobs/daily/");
    assert_eq!(variables(&full(), "PlanFunction")["MAPMILL_READ"], "raw/in/,clean/out/,jobs/daily/");
    assert_eq!(variables(&full(), "ReportFunction")["MAPMILL_WRITE"], "clean/out/");
    assert_eq!(variables(&with_own_bucket(), "TransformFunction")["MAPMILL_WRITE"], "CreatedOutputBucket/");
}

#[test]
fn every_resource_can_be_created_with_and_without_options() {
    for stack in [plain(), full(), with_own_bucket()] {
        let all = stack.template()["Resources"].as_object().unwrap();
        let kinds: BTreeSet<&str> = all.values().map(|resource| resource["Type"].as_str().unwrap()).collect();
        let names: Vec<String> = kinds.iter().flat_map(|kind| stack.resources(kind).unwrap()).collect();
        assert!(names.len() > 40, "{names:?}");
        for name in names {
            let resolved = stack.properties(&name).unwrap();
            assert!(!resolved.to_string().contains("Fn::"), "{name}: {resolved}");
        }
        for output in stack.template()["Outputs"].as_object().unwrap().values() {
            assert!(stack.resolve(&output["Value"]).unwrap().is_some());
        }
    }
    let exists = |stack: &stack::Stack, name: &str| stack.properties(name).is_ok();
    assert!(exists(&with_own_bucket(), "CreatedOutputBucket") && !exists(&plain(), "CreatedOutputBucket"));
    assert!(exists(&full(), "S3Endpoint") && !exists(&plain(), "S3Endpoint"));
    assert!(exists(&plain(), "AlarmTopic") && !exists(&full(), "AlarmTopic"));
}

#[test]
fn every_parameter_and_condition_is_used() {
    let template = plain().template().clone();
    let mut used = stack::references(&template["Resources"]);
    used.extend(stack::references(&template["Globals"]));
    used.extend(stack::references(&template["Conditions"]));
    for name in template["Parameters"].as_object().unwrap().keys() {
        assert!(used.contains(name), "the parameter {name} changes nothing");
    }
    let grouped = template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"].as_array().unwrap();
    let grouped: BTreeSet<&str> = grouped
        .iter()
        .flat_map(|group| group["Parameters"].as_array().unwrap())
        .map(|name| name.as_str().unwrap())
        .collect();
    let parameters: BTreeSet<&str> = template["Parameters"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(grouped, parameters, "the groups of parameters");
    let text = template.to_string();
    for name in template["Conditions"].as_object().unwrap().keys() {
        assert!(text.matches(&format!("\"{name}\"")).count() > 1, "the condition {name} decides nothing");
    }
}

#[test]
fn documentation_names_every_parameter() {
    let documentation = read("docs/deploying.md").unwrap();
    for name in plain().template()["Parameters"].as_object().unwrap().keys() {
        assert!(documentation.contains(&format!("`{name}`")), "docs/deploying.md says nothing of {name}");
    }
}

/// The number that a parameter has as its `Default`, `MinValue` or `MaxValue`.
fn number(parameter: &str, field: &str) -> u64 {
    plain().template()["Parameters"][parameter][field].as_u64().unwrap()
}

#[test]
fn a_function_ends_before_its_task_does() {
    let mut times: BTreeMap<&str, Vec<(String, Option<u64>)>> = BTreeMap::new();
    let files = std::fs::read_dir(root().join("statemachine")).unwrap();
    for file in files {
        let path = format!("statemachine/{}", file.unwrap().file_name().into_string().unwrap());
        if !path.ends_with(".asl.json") {
            continue;
        }
        for state in Definition::read(&path).unwrap().states().unwrap() {
            let function = state.value["Parameters"]["FunctionName"].as_str().unwrap_or_default();
            for name in ["Plan", "Transform", "Report"] {
                if function == format!("${{{name}FunctionArn}}") {
                    let seconds = state.value["TimeoutSeconds"].as_u64();
                    times.entry(name).or_default().push((format!("{path}: {}", state.name), seconds));
                }
            }
        }
    }
    assert!(times.contains_key("Transform"), "the states that invoke functions are found");
    for (name, states) in times {
        for (state, seconds) in states {
            let seconds = seconds.unwrap_or_else(|| panic!("{state} has no TimeoutSeconds"));
            let longest = number(&format!("{name}Timeout"), "MaxValue");
            assert!(
                longest < seconds || (longest == 900 && seconds >= 900),
                "{state}: {seconds} s, {name} has up to {longest} s"
            );
            // Below, the task would wait for nothing: a function that is killed is known to be dead at its own timeout.
            let usual = number(&format!("{name}Timeout"), "Default");
            assert!(usual * 2 > seconds, "{state}: {seconds} s, {name} has {usual} s");
        }
    }
}

#[test]
fn the_planner_assumes_the_worker_that_is_deployed() {
    let path = "shared/planner/src/rates.json";
    let rates: Value = serde_json::from_str(&read(path).unwrap()).unwrap();
    assert_eq!(rates["worker"]["memory_mb"], number("TransformMemory", "Default"));
    // And is told when it is another one.
    let variables = full().properties("PlanFunction").unwrap()["Environment"]["Variables"].clone();
    let told: Value = serde_json::from_str(variables["MAPMILL_RATES"].as_str().unwrap()).unwrap();
    assert_eq!(told["worker"]["memory_mb"], number("TransformMemory", "Default"));
}

#[test]
fn everything_of_the_checkout_is_deployed() {
    let stack = plain();
    let mut named = BTreeSet::new();
    for kind in ["AWS::Serverless::Function", "AWS::Serverless::StateMachine"] {
        for name in stack.resources(kind).unwrap() {
            let properties = stack.properties(&name).unwrap();
            let path = properties.get("CodeUri").or_else(|| properties.get("DefinitionUri")).unwrap();
            let path = path.as_str().unwrap().to_owned();
            assert!(root().join(&path).exists(), "the template names {path}, which is not there");
            named.insert(path);
        }
    }
    for (folder, files) in [("functions", "functions/"), ("statemachine", "statemachine/")] {
        for entry in std::fs::read_dir(root().join(folder)).unwrap() {
            let path = format!("{files}{}", entry.unwrap().file_name().into_string().unwrap());
            assert!(named.contains(&path), "the template does not deploy {path}");
        }
    }
}

#[test]
fn functions_are_built_from_their_own_binaries() {
    let template = plain().template().clone();
    for (name, resource) in template["Resources"].as_object().unwrap() {
        if resource["Type"] == "AWS::Serverless::Function" {
            assert_eq!(resource["Metadata"]["BuildMethod"], "rust-cargolambda", "{name}");
            let binary = resource["Metadata"]["BuildProperties"]["Binary"].as_str().unwrap();
            assert_eq!(resource["Properties"]["CodeUri"], format!("functions/{binary}"), "{name}");
        }
    }
}

#[test]
fn substitutions_are_given_and_used() {
    for (name, (properties, definition)) in machines(&plain()) {
        let given: BTreeSet<String> =
            properties["DefinitionSubstitutions"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(definition.placeholders(), given, "{name} ({})", definition.path);
    }
}

#[test]
fn each_star_says_why() {
    let text = read("template.yaml").unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let is_star =
        |line: &str| ["Resource: '*'", "Resource: \"*\"", "Resource: *", "- '*'", "Action: '*'"].contains(&line.trim());
    let stars: Vec<usize> = (0..lines.len()).filter(|number| is_star(lines[*number])).collect();
    assert!(stars.len() > 3, "stars are found");
    for number in stars {
        assert!(lines[number - 1].trim().starts_with("# "), "template.yaml:{}: why this star?", number + 1);
    }
}
