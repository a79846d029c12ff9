//! Executions of small machines against the fake services, on paused time.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::asl::PAYLOAD_BYTES_MAX;
use crate::observer::Unobserved;
use crate::services::fake::{FakeServices, Reply};

/// An output, or an error name and a part of its cause.
type Expected = Result<Value, (&'static str, &'static str)>;

const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:";

async fn run_with(services: FakeServices, definition: Value, input: Value) -> (Arc<FakeServices>, ExecutionResult) {
    let definition = Definition::parse(&definition.to_string()).unwrap();
    let services = Arc::new(services);
    let engine =
        Engine::new(Arc::clone(&services) as Arc<dyn Services>, EngineOptions::default(), Arc::new(Unobserved));
    let result = engine.run(&definition, "one", input, CancellationToken::new()).await;
    (services, result)
}

async fn run(definition: Value, input: Value) -> ExecutionResult {
    run_with(FakeServices::new(), definition, input).await.1
}

fn single(state: Value) -> Value {
    json!({"StartAt": "S", "States": {"S": state}})
}

/// Runs one state and compares its output, or its error name and a part of its cause.
async fn check(state: Value, input: Value, expected: Expected) {
    check_result(&state, run(single(state.clone()), input).await, expected);
}

fn check_result(shown: &Value, result: ExecutionResult, expected: Expected) {
    match expected {
        Ok(output) => assert_eq!(result.output, Some(output), "{shown} {:?} {:?}", result.error, result.cause),
        Err((error, part)) => {
            assert_eq!(result.status, ExecutionStatus::Failed, "{shown}");
            assert_eq!(result.error.as_deref().unwrap_or(""), error, "{shown} {:?}", result.cause);
            let cause = result.cause.unwrap_or_default();
            assert!(cause.contains(part), "{shown}: {cause}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn data_flow_of_pass() {
    let input = || json!({"a": {"b": 1}, "c": 2});
    let pass = |extra: Value| {
        let mut state = json!({"Type": "Pass", "End": true});
        state.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        state
    };
    check(pass(json!({})), input(), Ok(input())).await;
    check(pass(json!({"InputPath": "$.a"})), input(), Ok(json!({"b": 1}))).await;
    check(pass(json!({"InputPath": null})), input(), Ok(json!({}))).await;
    check(pass(json!({"OutputPath": "$.c"})), input(), Ok(json!(2))).await;
    check(pass(json!({"OutputPath": null})), input(), Ok(json!({}))).await;
    check(pass(json!({"InputPath": "$$.Execution.Name"})), input(), Ok(json!("one"))).await;
    check(
        pass(json!({"Parameters": {"x.$": "$.a.b", "n.$": "$$.State.Name"}})),
        input(),
        Ok(json!({"x": 1, "n": "S"})),
    )
    .await;
    check(pass(json!({"Result": [1], "ResultPath": "$.r"})), input(), Ok(json!({"a": {"b": 1}, "c": 2, "r": [1]})))
        .await;
    check(pass(json!({"Result": [1], "ResultPath": null})), input(), Ok(input())).await;
    check(pass(json!({"Result": {"x.$": "$.a"}})), input(), Ok(json!({"x.$": "$.a"}))).await;
    check(
        pass(json!({"InputPath": "$.none"})),
        input(),
        Err(("States.Runtime", "executing the state 'S' (entered at the event id #2). Invalid path '$.none'")),
    )
    .await;
    check(
        pass(json!({"Parameters": {"x.$": "$.none"}})),
        input(),
        Err(("States.Runtime", "specified for the field 'x.$'")),
    )
    .await;
    check(pass(json!({"ResultPath": "$.c.d"})), input(), Err(("States.ResultPathMatchFailure", "step \"d\""))).await;
    check(
        pass(json!({"Parameters": {"x.$": "States.StringToJson('{')"}})),
        input(),
        Err(("States.IntrinsicFailure", "States.StringToJson")),
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn choice_fail_and_succeed() {
    let machine = json!({"StartAt": "C", "States": {
        "C": {"Type": "Choice", "Choices": [{"Variable": "$.x", "NumericEquals": 1, "Next": "Good"}], "OutputPath": "$.x"},
        "Good": {"Type": "Succeed"},
    }});
    let shown = json!("choice");
    check_result(&shown, run(machine.clone(), json!({"x": 1})).await, Ok(json!(1)));
    check_result(
        &shown,
        run(machine.clone(), json!({"x": 2})).await,
        Err(("States.NoChoiceMatched", "Failed to transition")),
    );
    check_result(&shown, run(machine, json!({})).await, Err(("States.Runtime", "Invalid path '$.x'")));
    check(json!({"Type": "Fail", "Error": "E", "Cause": "C"}), json!({}), Err(("E", "C"))).await;
    check(json!({"Type": "Fail"}), json!({}), Err(("", ""))).await;
    let by_path = json!({"Type": "Fail", "ErrorPath": "$.e", "CausePath": "States.Format('no {}', $.c)"});
    check(by_path.clone(), json!({"e": "E", "c": "luck"}), Err(("E", "no luck"))).await;
    check(by_path, json!({"c": 1}), Err(("States.Runtime", "'$.e' specified for the field 'ErrorPath'"))).await;
}

#[tokio::test(start_paused = true)]
async fn waits() {
    let start = Instant::now();
    check(json!({"Type": "Wait", "Seconds": 7, "End": true}), json!({"x": 1}), Ok(json!({"x": 1}))).await;
    assert_eq!(start.elapsed().as_secs(), 7);
    check(json!({"Type": "Wait", "SecondsPath": "$.s", "End": true}), json!({"s": 3}), Ok(json!({"s": 3}))).await;
    assert_eq!(start.elapsed().as_secs(), 10);
    let past = json!({"t": "2016-12-05T21:29:29Z"});
    check(json!({"Type": "Wait", "TimestampPath": "$.t", "End": true}), past.clone(), Ok(past)).await;
    for (value, part) in [(json!(-1), "negative value: $.s == -1"), (json!(1.5), "as a long value: $.s == 1.5")] {
        check(
            json!({"Type": "Wait", "SecondsPath": "$.s", "End": true}),
            json!({"s": value}),
            Err(("States.Runtime", part)),
        )
        .await;
    }
    check(
        json!({"Type": "Wait", "TimestampPath": "$.t", "End": true}),
        json!({"t": "2016-12-05 21:29:29Z"}),
        Err(("States.Runtime", "date-time format string: $.t == 2016-12-05 21:29:29Z")),
    )
    .await;
    let limited =
        json!({"StartAt": "S", "TimeoutSeconds": 5, "States": {"S": {"Type": "Wait", "Seconds": 60, "End": true}}});
    assert_eq!(run(limited, json!({})).await.status, ExecutionStatus::TimedOut);
}

#[tokio::test(start_paused = true)]
async fn lambda_tasks() {
    let services = || {
        FakeServices::new()
            .function("echo", |event, _| Reply::Answer(event.clone()))
            .function("large", |_, _| Reply::Answer(json!("x".repeat(PAYLOAD_BYTES_MAX))))
            .function("raw", |_, _| Reply::Raw("not JSON".to_owned()))
            .function("slow", |_, _| Reply::AnswerAfter(Duration::from_secs(60), json!(1)))
    };
    let invoke = |parameters: Value| {
        json!({"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": parameters, "OutputPath": "$.Payload", "End": true})
    };
    let function = |name: &str, extra: Value| {
        let mut state = json!({"Type": "Task", "Resource": format!("{ARN}{name}"), "End": true});
        state.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        state
    };
    let cases: Vec<(Value, Value, Expected)> = vec![
        (function("echo", json!({})), json!({"x": 1}), Ok(json!({"x": 1}))),
        (
            function(
                "echo",
                json!({"Parameters": {"y.$": "$.x"}, "ResultSelector": {"z.$": "$.y"}, "ResultPath": "$.r"}),
            ),
            json!({"x": 1}),
            Ok(json!({"x": 1, "r": {"z": 1}})),
        ),
        (invoke(json!({"FunctionName": "echo", "Payload.$": "$"})), json!({"x": 1}), Ok(json!({"x": 1}))),
        (invoke(json!({"FunctionName": "echo"})), json!(1), Ok(json!({}))),
        (invoke(json!({"FunctionName": "echo", "Payload": null})), json!(1), Ok(json!({}))),
        (invoke(json!({"FunctionName": "echo", "Payload": "true"})), json!(1), Ok(json!(true))),
        (
            invoke(json!({"FunctionName": "echo", "Payload": "{"})),
            json!(1),
            Err(("Lambda.InvalidRequestContentException", "not valid JSON")),
        ),
        (invoke(json!({"FunctionName.$": "$"})), json!(1), Err(("States.Runtime", "'FunctionName' must be a string"))),
        (function("none", json!({})), json!(1), Err(("Lambda.ResourceNotFoundException", "none"))),
        (function("raw", json!({})), json!(1), Err(("Lambda.Unknown", "returned no JSON"))),
        (
            function("large", json!({})),
            json!(1),
            Err(("States.DataLimitExceeded", "returned a result with a size exceeding")),
        ),
        (function("slow", json!({"TimeoutSeconds": 5})), json!(1), Err(("States.Timeout", ""))),
        (function("slow", json!({"TimeoutSecondsPath": "$.t"})), json!({"t": 70}), Ok(json!(1))),
        (
            function("slow", json!({"TimeoutSecondsPath": "$.t"})),
            json!({"t": 0}),
            Err(("States.Runtime", "must be positive")),
        ),
    ];
    for (state, input, expected) in cases {
        let result = run_with(services(), single(state.clone()), input).await.1;
        check_result(&state, result, expected);
    }
    let mut whole = invoke(json!({"FunctionName": format!("{ARN}echo:$LATEST"), "Payload": 5}));
    whole.as_object_mut().unwrap().remove("OutputPath");
    // The fake knows functions by the last part of the name, so a version is its own function here.
    let services = FakeServices::new().function("$LATEST", |_, _| Reply::Answer(json!(6)));
    let output = run_with(services, single(whole), json!({})).await.1.output.unwrap();
    assert_eq!(output["Payload"], 6);
    assert_eq!(output["StatusCode"], 200);
    assert_eq!(output["ExecutedVersion"], "$LATEST");
    assert_eq!(output["SdkHttpMetadata"]["HttpHeaders"]["Content-Length"], "1");
    assert_eq!(output["SdkResponseMetadata"]["RequestId"], "request-0");
}

#[tokio::test(start_paused = true)]
async fn retries_then_succeeds_or_gives_up() {
    let machine = |retry: Value| {
        single(json!({"Type": "Task", "Resource": format!("{ARN}flaky"), "Retry": retry, "End": true,
            "Parameters": {"try.$": "$$.State.RetryCount"}}))
    };
    let flaky = |failures: u64| {
        FakeServices::new().function("flaky", move |event, calls| {
            if calls < failures { Reply::Fail("Busy", "later") } else { Reply::Answer(event.clone()) }
        })
    };
    let start = Instant::now();
    let retry = json!([{"ErrorEquals": ["Busy"], "IntervalSeconds": 2, "MaxAttempts": 3, "BackoffRate": 3}]);
    let (services, result) = run_with(flaky(2), machine(retry.clone()), json!({})).await;
    assert_eq!(result.output, Some(json!({"try": 2})));
    assert_eq!((services.calls("flaky"), start.elapsed().as_secs()), (3, 2 + 6));
    let (services, result) = run_with(flaky(9), machine(retry), json!({})).await;
    assert_eq!((result.error.as_deref(), result.cause.as_deref()), (Some("Busy"), Some("later")));
    assert_eq!(services.calls("flaky"), 4);
    for (pattern, calls) in [("States.ALL", 2), ("States.TaskFailed", 2), ("States.Timeout", 1), ("Other", 1)] {
        let retry = json!([{"ErrorEquals": [pattern], "MaxAttempts": 1}]);
        let (services, _) = run_with(flaky(9), machine(retry), json!({})).await;
        assert_eq!(services.calls("flaky"), calls, "{pattern}");
    }
    let none = json!([{"ErrorEquals": ["Busy"], "MaxAttempts": 0}, {"ErrorEquals": ["States.ALL"], "MaxAttempts": 5}]);
    let (services, _) = run_with(flaky(9), machine(none), json!({})).await;
    assert_eq!(services.calls("flaky"), 1, "the first retrier that matches decides");
}

#[tokio::test(start_paused = true)]
async fn catches() {
    let machine = |catch: Value, extra: Value| {
        let mut state = json!({"Type": "Task", "Resource": format!("{ARN}bad"), "Catch": [catch], "End": true});
        state.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        json!({"StartAt": "S", "States": {"S": state, "H": {"Type": "Pass", "End": true}}})
    };
    let bad = || {
        FakeServices::new()
            .function("bad", |_, _| Reply::Fail("Bad", "cause"))
            .function("slow", |_, _| Reply::AnswerAfter(Duration::from_secs(9), json!(1)))
            .function("large", |_, _| Reply::Answer(json!("x".repeat(PAYLOAD_BYTES_MAX))))
            .function("fitting", |_, _| Reply::Answer(json!("x".repeat(PAYLOAD_BYTES_MAX - 10))))
    };
    let caught = json!({"Error": "Bad", "Cause": "cause"});
    let cases: Vec<(Value, Value, Expected)> = vec![
        (json!({"ErrorEquals": ["Bad"], "Next": "H"}), json!({}), Ok(caught.clone())),
        (
            json!({"ErrorEquals": ["States.ALL"], "Next": "H", "ResultPath": "$.e"}),
            json!({}),
            Ok(json!({"x": 1, "e": caught})),
        ),
        (json!({"ErrorEquals": ["States.ALL"], "Next": "H", "ResultPath": null}), json!({}), Ok(json!({"x": 1}))),
        (json!({"ErrorEquals": ["Other"], "Next": "H"}), json!({}), Err(("Bad", "cause"))),
        (
            json!({"ErrorEquals": ["States.Timeout"], "Next": "H"}),
            json!({"Resource": format!("{ARN}slow"), "TimeoutSeconds": 1}),
            Ok(json!({"Error": "States.Timeout", "Cause": ""})),
        ),
        // A failure of the task itself, so the wildcard matches.
        (
            json!({"ErrorEquals": ["States.ALL"], "Next": "H", "ResultPath": null}),
            json!({"Resource": format!("{ARN}large")}),
            Ok(json!({"x": 1})),
        ),
        // The state's own output is too large, so it does not.
        (
            json!({"ErrorEquals": ["States.ALL"], "Next": "H"}),
            json!({"Resource": format!("{ARN}fitting"), "ResultPath": "$.result"}),
            Err(("States.DataLimitExceeded", "The output of the state 'S'")),
        ),
        (
            json!({"ErrorEquals": ["States.Runtime"], "Next": "H"}),
            json!({"InputPath": "$.none"}),
            Err(("States.Runtime", "Invalid path")),
        ),
    ];
    for (catch, extra, expected) in cases {
        let result = run_with(bad(), machine(catch.clone(), extra), json!({"x": 1})).await.1;
        check_result(&catch, result, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn inline_maps_and_parallel() {
    let map = |extra: Value| {
        let mut state = json!({"Type": "Map", "End": true, "ItemProcessor": {"StartAt": "W", "States": {
            "W": {"Type": "Task", "Resource": format!("{ARN}work"), "End": true}}}});
        state.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        single(state)
    };
    let services = || {
        FakeServices::new().function("work", |event, _| match event.as_i64() {
            Some(number) if number < 0 => Reply::Fail("Negative", "n"),
            _ => Reply::AnswerAfter(Duration::from_secs(1), json!([event])),
        })
    };
    let (fake, result) = run_with(services(), map(json!({"MaxConcurrency": 2})), json!([1, 2, 3])).await;
    assert_eq!(result.output, Some(json!([[1], [2], [3]])));
    assert_eq!(fake.most_running("work"), 2);
    let many: Vec<u32> = (0..100).collect();
    let (fake, _) = run_with(services(), map(json!({})), json!(many)).await;
    assert_eq!(fake.most_running("work"), 40);
    let selected = map(json!({"ItemsPath": "$.list", "ItemSelector": {"i.$": "$$.Map.Item.Index", "o.$": "$.other",
        "v.$": "$$.Map.Item.Value"}}));
    let (_, result) = run_with(services(), selected.clone(), json!({"list": ["a"], "other": 9})).await;
    assert_eq!(result.output, Some(json!([[{"i": 0, "o": 9, "v": "a"}]])));
    let (_, result) = run_with(services(), selected, json!({"list": {}, "other": 9})).await;
    check_result(&json!("list"), result, Err(("States.Runtime", "Reference path \"$.list\" must point to array.")));
    let (_, result) = run_with(services(), map(json!({})), json!([1, -2])).await;
    check_result(&json!("negative"), result, Err(("Negative", "n")));
    let branch =
        |result: Value| json!({"StartAt": "B", "States": {"B": {"Type": "Pass", "Result": result, "End": true}}});
    check(
        json!({"Type": "Parallel", "Branches": [branch(json!(1)), branch(json!(2))], "End": true}),
        json!({}),
        Ok(json!([1, 2])),
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn quotas() {
    let large = json!("x".repeat(PAYLOAD_BYTES_MAX));
    check(json!({"Type": "Pass", "End": true}), large, Err(("States.DataLimitExceeded", "input of the execution")))
        .await;
    let half = json!({"h": "x".repeat(PAYLOAD_BYTES_MAX / 2)});
    let doubled = json!({"Type": "Pass", "Parameters": {"a.$": "$.h", "b.$": "$.h"}, "End": true});
    check(doubled, half, Err(("States.DataLimitExceeded", "after Parameters 'S'"))).await;
    let endless = json!({"StartAt": "A", "States": {
        "A": {"Type": "Choice", "Choices": [{"Variable": "$", "IsNull": true, "Next": "E"}], "Default": "B"},
        "B": {"Type": "Pass", "Next": "A"},
        "E": {"Type": "Succeed"},
    }});
    check_result(&endless, run(endless.clone(), json!(1)).await, Err(("States.Runtime", "history events (25000)")));
}

#[tokio::test(start_paused = true)]
async fn cancellation_ends_waits_tasks_and_retries() {
    let slow = || FakeServices::new().function("slow", |_, _| Reply::AnswerAfter(Duration::from_secs(600), json!(1)));
    let states = [
        json!({"Type": "Wait", "Seconds": 600, "End": true}),
        json!({"Type": "Task", "Resource": format!("{ARN}slow"), "End": true}),
        json!({"Type": "Task", "Resource": format!("{ARN}none"), "End": true,
            "Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 600}]}),
        json!({"Type": "Parallel", "End": true, "Branches": [
            {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 600, "End": true}}}]}),
    ];
    for state in states {
        let definition = Definition::parse(&single(state.clone()).to_string()).unwrap();
        let engine = Engine::new(Arc::new(slow()), EngineOptions::default(), Arc::new(Unobserved));
        let cancel = CancellationToken::new();
        let start = Instant::now();
        let canceller = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            cancel.cancel();
        };
        let (result, ()) = tokio::join!(engine.run(&definition, "one", json!({}), cancel.clone()), canceller);
        assert_eq!(result.status, ExecutionStatus::Aborted, "{state}");
        assert_eq!(start.elapsed().as_secs(), 1, "{state}");
    }
}

/// Writes notices down in short.
#[derive(Default)]
struct Noted(Mutex<Vec<String>>);

impl Observer for Noted {
    fn notice(&self, notice: Notice<'_>) {
        let text = match notice {
            Notice::ExecutionStarted { .. } => "started".to_owned(),
            Notice::StateEntered { state } => format!("entered {state}"),
            Notice::RetryScheduled { error, retries, .. } => format!("retry {retries} after {error}"),
            Notice::ExecutionFinished { status, .. } => format!("finished {status}"),
            _ => return,
        };
        self.0.lock().unwrap().push(text);
    }
}

#[tokio::test(start_paused = true)]
async fn observers_see_states_and_retries() {
    let definition = json!({"StartAt": "A", "States": {
        "A": {"Type": "Pass", "Next": "B"},
        "B": {"Type": "Task", "Resource": format!("{ARN}none"), "End": true,
            "Retry": [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 1}]},
    }});
    let definition = Definition::parse(&definition.to_string()).unwrap();
    let noted = Arc::new(Noted::default());
    let engine =
        Engine::new(Arc::new(FakeServices::new()), EngineOptions::default(), Arc::clone(&noted) as Arc<dyn Observer>);
    engine.run(&definition, "one", json!({}), CancellationToken::new()).await;
    let expected =
        ["started", "entered A", "entered B", "retry 0 after Lambda.ResourceNotFoundException", "finished FAILED"];
    assert_eq!(*noted.0.lock().unwrap(), expected);
}
