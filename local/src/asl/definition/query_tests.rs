//! JSONata in definitions, and refusals in the words of the service.

use serde_json::{Value, json};

use super::*;

fn single(state: Value) -> Value {
    json!({"QueryLanguage": "JSONata", "StartAt": "S", "States": {"S": state}})
}

/// `None`: accepted; otherwise the path and a part of the message.
fn check(definition: Value, expected: Option<(&str, &str)>) {
    match (Definition::parse(&definition.to_string()), expected) {
        (Ok(_), None) => {}
        (Err(error), Some((path, part))) => {
            assert_eq!(error.path, path, "{error}");
            assert!(error.message.contains(part), "{error}");
        }
        (found, expected) => panic!("{definition}: {found:?}, expected {expected:?}"),
    }
}

#[test]
fn languages_and_their_fields() {
    let pass = |extra: Value| {
        let mut state = json!({"Type": "Pass", "End": true});
        state.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        state
    };
    check(single(pass(json!({"Output": {"a": ["{% $states.input %}"]}, "Assign": {"x": "{% 1 %}"}}))), None);
    check(single(pass(json!({"Output": "{% $x. %}"}))), Some(("States.S.Output", "cannot be read")));
    check(single(pass(json!({"Output": {"a": "{% ( %}"}}))), Some(("States.S.Output.a", "cannot be read")));
    check(single(pass(json!({"InputPath": "$"}))), Some(("States.S.InputPath", "none of")));
    check(single(pass(json!({"Result": 1}))), Some(("States.S.Result", "none of")));
    check(single(pass(json!({"QueryLanguage": "JSONPath"}))), Some(("States.S.QueryLanguage", "can not be")));
    check(single(pass(json!({"Assign": {"states": 1}}))), Some(("States.S.Assign.states", "variable's name")));
    check(single(pass(json!({"Assign": {"1x": 1}}))), Some(("States.S.Assign.1x", "variable's name")));
    let paths = |state: Value| json!({"StartAt": "S", "States": {"S": state}});
    check(paths(pass(json!({"QueryLanguage": "JSONata", "Output": 1}))), None);
    check(paths(pass(json!({"Output": 1}))), Some(("States.S.Output", "not supported")));
    check(paths(pass(json!({"Assign": {"x.$": "$.a", "y": 1}}))), None);
    check(paths(pass(json!({"InputPath": "$x.y"}))), None);
    let choice = |rule: Value| single(json!({"Type": "Choice", "Choices": [rule], "Default": "S"}));
    check(choice(json!({"Condition": 1, "Next": "S"})), Some(("States.S.Choices[0].Condition", "found a number")));
    check(choice(json!({"Variable": "$.a", "Next": "S"})), Some(("States.S.Choices[0]", "\"Condition\"")));
    let map = |items: Value| {
        let inner = json!({"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true, "Output": "{% 1 %}"}}});
        single(json!({"Type": "Map", "Items": items, "MaxConcurrency": "{% 2 %}", "ItemProcessor": inner, "End": true}))
    };
    check(map(json!("{% [1] %}")), None);
    check(map(json!([1, "{% 2 %}"])), None);
    check(map(json!("text")), Some(("States.S.Items", "expected an array")));
}

#[test]
fn refusals_in_the_words_of_the_service() {
    let check = |definition: Value, expected: &str| {
        let error = Definition::parse(&definition.to_string()).unwrap_err();
        assert_eq!(error.service_message(), format!("Invalid State Machine Definition: '{expected}'"));
    };
    check(json!({}), "SCHEMA_VALIDATION_FAILED: These fields are required: [States, StartAt] at /");
    check(
        json!({"StartAt": "S", "States": {"S": {"Type": "Wait", "Timestamp": "noon", "End": true}}}),
        "SCHEMA_VALIDATION_FAILED: String does not match RFC3339 timestamp at /States/S/Timestamp",
    );
    let parameters =
        |value: Value| json!({"StartAt": "S", "States": {"S": {"Type": "Pass", "Parameters": value, "End": true}}});
    let message = "SCHEMA_VALIDATION_FAILED: The value for the field 'a.$' must be a valid JSONPath or a valid intrinsic \
                   function call at /States/S/Parameters";
    check(parameters(json!({"a.$": "States.Nope("})), message);
    check(parameters(json!({"deep": {"a.$": "x"}})), &format!("{message}/deep"));
    check(
        json!({"StartAt": "T", "States": {"S": {"Type": "Pass", "Next": "T"}}}),
        "MISSING_TRANSITION_TARGET: Missing 'Next' target: T at /StartAt",
    );
}

#[test]
fn variables_that_states_read() {
    let definition = single(json!({
        "Type": "Pass", "End": true,
        "Output": {"a": "{% $x + $sum([$y]) + ($z := 1; $z) & '$text' %}", "b": "{% $states.input %}"},
    }));
    let references = Definition::parse(&definition.to_string()).unwrap().variable_references();
    assert_eq!(json!(references), json!({"S": ["x", "y"]}));
}
