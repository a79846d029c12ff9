use serde_json::json;

use super::*;
use crate::asl::context::Context;
use crate::asl::context::tests::identity;
use crate::asl::variables::Variables;

fn evaluate(text: &str) -> Result<Value, Failure> {
    let identity = identity();
    let mut variables = Variables::default();
    variables.assign(vec![("answer".to_owned(), json!(42)), ("list".to_owned(), json!([3, 1, 2]))]).unwrap();
    let context = Context::new(&identity, "Here", "now", None, None).with_variables(&variables);
    let input = json!({"a": {"b": [1, 2, 3]}, "text": "x"});
    Expression::parse(text).unwrap().evaluate(Scope { input: &input, context: &context })
}

#[test]
fn reads_states_and_variables() {
    let check = |text: &str, expected: Value| assert_eq!(evaluate(text), Ok(expected), "{text}");
    check("$states.input.a.b[1]", json!(2));
    check("$sum($states.input.a.b) + $answer", json!(48));
    check("$states.context.State.Name", json!("Here"));
    check("$list^($)", json!([1, 2, 3]));
    check("{'k': $answer, 'none': $states.input.none}", json!({"k": 42}));
    check("0.1 + 0.2", json!(0.1 + 0.2));
    check("'$answer'", json!("$answer"));
    check("$partition($states.input.a.b, 2)", json!([[1, 2], [3]]));
    check("$range(1, 9, 4)", json!([1, 5, 9]));
    check("$hash('x', 'MD5')", json!("9dd4e461268c8034f5c8564e155c67a6"));
    check("$parse('{\"a\": [1]}')", json!({"a": [1]}));
    check("$random(7) = $random(7) and $random() < 1", json!(true));
    check("$length($uuid())", json!(36));
}

#[test]
fn failures() {
    let check = |text: &str, expected: Failure| assert_eq!(evaluate(text), Err(expected), "{text}");
    check("$none", Failure::Undefined);
    check("$states.input.none.b", Failure::Undefined);
    check("function($x){$x}", Failure::Unsupported);
    let threw = |text: &str, part: &str| match evaluate(text) {
        Err(Failure::Threw(message)) => assert!(message.contains(part), "{message}"),
        other => panic!("{text}: {other:?}"),
    };
    threw("$states.input.text + 1", "T2001");
    threw("$eval('1')", "$eval");
    threw("$partition([1], 0)", "positive");
    assert!(Expression::parse("$states.input.").is_err());
    assert!(Expression::parse(&"1+".repeat(6_000)).unwrap_err().contains("the limit is 10000"));
}

#[test]
fn bombs_are_bounded() {
    let bounded = |text: &str, code: &str| match evaluate(text) {
        Err(Failure::Threw(message)) => assert!(message.contains(code), "{message}"),
        other => panic!("{text}: {other:?}"),
    };
    // Without an end, by tail calls; too deep; too long.
    bounded("($f := function(){ $f() }; $f())", "D1012");
    bounded("($f := function($n){ 1 + $f($n + 1) }; $f(0))", "D1011");
    bounded("[1..10000000]", "D2");
    let brackets = format!("{}1{}", "(".repeat(4_000), ")".repeat(4_000));
    assert!(Expression::parse(&brackets).is_err());
}
