//! Executions with JSONata and variables, their histories, services and tasks that others end.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::observer::Unobserved;
use crate::services::fake::{FakeServices, Reply};

const INVOKE: &str = "arn:aws:states:::lambda:invoke";

#[derive(Default)]
struct Historian(Mutex<Vec<HistoryEvent>>);

impl Observer for Historian {
    fn notice(&self, notice: Notice<'_>) {
        if let Notice::History { event, .. } = notice {
            self.0.lock().unwrap().push(event.clone());
        }
    }

    fn wants_history(&self, _execution: &str) -> bool {
        true
    }
}

/// Runs a definition; returns its result and its events as `number<previous type`.
async fn run(definition: Value, input: Value) -> (ExecutionResult, Vec<String>) {
    let services = FakeServices::new()
        .function("echo", |event, _| Reply::Answer(event.clone()))
        .function("fails", |_, _| Reply::Fail("Mine", "because"));
    let historian = Arc::new(Historian::default());
    let observer = Arc::clone(&historian) as Arc<dyn Observer>;
    let engine = Engine::new(Arc::new(services), EngineOptions::default(), observer);
    let definition = Definition::parse(&definition.to_string()).unwrap();
    let result = engine.run(&definition, "one", input, CancellationToken::new()).await;
    let events = historian.0.lock().unwrap();
    let shown = events.iter().map(|event| format!("{}<{} {}", event.id, event.previous_event_id, event.kind)).collect();
    (result, shown)
}

/// Runs states with JSONata and compares the output, or the error and a part of its cause.
async fn check(states: Value, input: Value, expected: Result<Value, (&str, &str)>) {
    let start = states.as_object().unwrap().keys().next().unwrap().clone();
    let (result, _) = run(json!({"QueryLanguage": "JSONata", "StartAt": start, "States": states}), input).await;
    match expected {
        Ok(output) => assert_eq!(result.output, Some(output), "{states}: {:?} {:?}", result.error, result.cause),
        Err((error, part)) => {
            assert_eq!(result.error.as_deref(), Some(error), "{states}: {:?}", result.cause);
            let cause = result.cause.unwrap();
            assert!(cause.contains(part), "{cause}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn expressions_and_variables() {
    check(
        json!({
            "A": {"Type": "Pass", "Assign": {"x": "{% $states.input.n %}", "y": [1, "{% 2 %}"]}, "Next": "B"},
            "B": {"Type": "Pass", "Assign": {"x": 0}, "Output": {"x": "{% $x + 1 %}", "y": "{% $y %}"}, "End": true},
        }),
        json!({"n": 6}),
        Ok(json!({"x": 7, "y": [1, 2]})),
    )
    .await;
    let task = |function: &str, extra: Value| {
        let mut task = json!({"Type": "Task", "Resource": INVOKE, "End": true,
            "Arguments": {"FunctionName": function, "Payload": "{% $states.input %}"}});
        task.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        task
    };
    let output = json!("{% $states.result.Payload & $states.context.State.Name %}");
    check(json!({"T": task("echo", json!({"Output": output}))}), json!("in "), Ok(json!("in T"))).await;
    let catch = json!({"Catch": [{"ErrorEquals": ["Mine"], "Assign": {"e": "{% $states.errorOutput.Error %}"},
        "Output": "{% $states.input %}", "Next": "C"}]});
    let caught =
        json!({"T": task("fails", catch), "C": {"Type": "Pass", "Output": "{% [$e, $states.input] %}", "End": true}});
    check(caught, json!(1), Ok(json!(["Mine", 1]))).await;
    let choice = json!({"Type": "Choice", "Default": "No", "Assign": {"v": "default"}, "Choices": [
        {"Condition": "{% $states.input > 1 %}", "Assign": {"v": "rule"}, "Output": "out", "Next": "Yes"}]});
    let after = || json!({"Type": "Pass", "Output": "{% $states.input & $v %}", "End": true});
    let states = || json!({"S": choice, "Yes": after(), "No": after()});
    check(states(), json!(2), Ok(json!("outrule"))).await;
    check(states(), json!(1), Ok(json!("1default"))).await;
    check(states(), json!(null), Err(("States.QueryEvaluationError", "field 'Choices[0]/Condition' threw"))).await;
    let map = |items: Value| {
        let inner = json!({"StartAt": "P", "States": {"P": {"Type": "Pass", "Assign": {"x": 9}, "End": true,
            "Output": "{% $states.input.v + $x %}"}}});
        json!({"A": {"Type": "Pass", "Assign": {"x": 1}, "Next": "M"},
            "M": {"Type": "Map", "Items": items, "ItemProcessor": inner, "Next": "Z",
                "ItemSelector": {"v": "{% $states.context.Map.Item.Value %}"}},
            "Z": {"Type": "Pass", "Output": "{% $append($states.input, $x) %}", "End": true}})
    };
    check(map(json!("{% $states.input %}")), json!([1, 2]), Ok(json!([2, 3, 1]))).await;
    check(map(json!("{% {'a': 1} %}")), json!([]), Err(("States.QueryEvaluationError",
        "specified for the field 'Items' returned an unexpected result type. Expected 'array', but was 'object' for value: {\"a\":1}"))).await;
    check(
        json!({"F": {"Type": "Fail", "Error": "{% 'E' & 1 %}", "Cause": "{% $states.input %}"}}),
        json!("why"),
        Err(("E1", "why")),
    )
    .await;
    check(
        json!({"W": {"Type": "Wait", "Seconds": "{% -1 %}", "End": true}}),
        json!(1),
        Err(("States.QueryEvaluationError", "negative")),
    )
    .await;
    check(json!({"P": {"Type": "Pass", "Output": "{% $none %}", "End": true}}), json!(1), Err(("States.QueryEvaluationError",
        "(entered at the event id #2). The JSONata expression '$none' specified for the field 'Output' returned nothing"))).await;
}

#[tokio::test(start_paused = true)]
async fn histories_are_linked_as_in_the_service() {
    let inner = |state: Value| json!({"StartAt": "P", "States": {"P": state}});
    let map = |state: Value| json!({"StartAt": "M", "States": {"M": {"Type": "Map", "MaxConcurrency": 1, "End": true, "ItemProcessor": inner(state)}}});
    let (_, events) = run(map(json!({"Type": "Pass", "End": true})), json!([1, 2])).await;
    assert_eq!(
        events,
        [
            "1<0 ExecutionStarted",
            "2<0 MapStateEntered",
            "3<2 MapStateStarted",
            "4<3 MapIterationStarted",
            "5<4 PassStateEntered",
            "6<5 PassStateExited",
            "7<6 MapIterationSucceeded",
            "8<6 MapIterationStarted",
            "9<8 PassStateEntered",
            "10<9 PassStateExited",
            "11<10 MapIterationSucceeded",
            "12<11 MapStateSucceeded",
            "13<11 MapStateExited",
            "14<13 ExecutionSucceeded",
        ]
    );
    let (_, events) = run(map(json!({"Type": "Fail"})), json!([1])).await;
    assert_eq!(
        events[4..],
        ["5<4 FailStateEntered", "6<5 MapIterationFailed", "7<5 MapStateFailed", "8<7 ExecutionFailed"]
    );
    let fails =
        json!({"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:000000000000:function:fails", "End": true});
    let waits = json!({"Type": "Wait", "Seconds": 9, "End": true});
    let parallel = json!({"StartAt": "S", "States": {"S": {"Type": "Parallel", "End": true,
        "Branches": [inner(waits), inner(fails)]}}});
    let (result, events) = run(parallel, json!({})).await;
    assert_eq!(result.error.as_deref(), Some("Mine"));
    let kinds: Vec<_> = events.iter().filter_map(|event| event.split(' ').nth(1)).collect();
    for kind in ["LambdaFunctionFailed", "TaskStateAborted", "WaitStateAborted", "ParallelStateFailed"] {
        assert!(kinds.contains(&kind), "{kind} in {kinds:?}");
    }
    let pass = json!({"QueryLanguage": "JSONata", "StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"},
        "B": {"Type": "Pass", "Output": "{% $none %}", "End": true}}});
    let (_, events) = run(pass, json!({})).await;
    assert_eq!(events[3..], ["4<3 PassStateEntered", "5<3 EvaluationFailed", "6<5 ExecutionFailed"]);
}

#[tokio::test(start_paused = true)]
async fn somebody_else_ends_a_task() {
    let definition = json!({"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": format!("{INVOKE}.waitForTaskToken"),
        "HeartbeatSeconds": 60, "Parameters": {"FunctionName": "take", "Payload": {"token.$": "$$.Task.Token"}}, "End": true}}});
    let definition = Definition::parse(&definition.to_string()).unwrap();
    let (sender, mut tokens) = tokio::sync::mpsc::unbounded_channel();
    let services = FakeServices::new().function("take", move |event, _| {
        sender.send(event["token"].as_str().unwrap().to_owned()).unwrap();
        Reply::Answer(json!("submitted"))
    });
    let engine = Engine::new(Arc::new(services), EngineOptions::default(), Arc::new(Unobserved));
    for ends in ["success", "failure", "silence"] {
        let (runner, definition) = (engine.clone(), definition.clone());
        let running =
            tokio::spawn(async move { runner.run(&definition, "one", json!({}), CancellationToken::new()).await });
        let token = tokens.recv().await.unwrap();
        tokio::time::sleep(Duration::from_secs(50)).await;
        engine.send_task_heartbeat(&token).unwrap();
        tokio::time::sleep(Duration::from_secs(50)).await;
        match ends {
            "success" => engine.send_task_success(&token, json!({"done": 1})).unwrap(),
            "failure" => engine.send_task_failure(&token, Some("E".to_owned()), Some("c".to_owned())).unwrap(),
            _ => {}
        }
        let result = running.await.unwrap();
        let found = (result.output, result.error.as_deref(), result.cause.as_deref());
        let expected = match ends {
            "success" => (Some(json!({"done": 1})), None, None),
            "failure" => (None, Some("E"), Some("c")),
            _ => (None, Some("States.HeartbeatTimeout"), None),
        };
        assert_eq!(found, expected, "{ends}");
        assert_eq!(engine.send_task_heartbeat(&token), Err(TokenError::Unknown));
    }
}
