//! Least privilege: every call of a run is allowed, nothing is allowed that no call needs, and what a role must not do
//! it may not do.
#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

use deployment::cases::{full, machines, plain, with_own_bucket};
use deployment::policy::{Call, Statement, allows, unused};
use deployment::stack::{ACCOUNT, REGION, STACK, Stack};
use deployment::{machine, s3, service_calls};
use std::collections::{BTreeMap, BTreeSet};

/// The requests that functions send, by method, path and query. For `transform` a test of the whole holds this table
/// against what the program really sends.
const REQUESTS: [(&str, &str, &str, &str); 22] = [
    ("plan", "GET", "/raw", "list-type=2&prefix=in%2F2026%2F"),
    ("plan", "GET", "/jobs/daily/clean.yaml", ""),
    ("plan", "GET", "/clean/out/2026/_mapmill/run-0/report/failed.jsonl", ""),
    ("plan", "PUT", "/clean/out/2026/_mapmill/run-1/plan.json", ""),
    ("plan", "PUT", "/clean/out/2026/_mapmill/run-1/units/units.jsonl", "partNumber=1&uploadId=u"),
    ("plan", "DELETE", "/clean/out/2026/_mapmill/run-1/units/units.jsonl", "uploadId=u"),
    ("transform", "GET", "/jobs/daily/clean.yaml", ""),
    ("transform", "GET", "/raw/in/2026/a.csv", ""),
    ("transform", "HEAD", "/clean/out/2026/a.csv.ndjson", ""),
    ("transform", "PUT", "/clean/out/2026/a.csv.ndjson", ""),
    ("transform", "POST", "/clean/out/2026/a.csv.ndjson", "uploads"),
    ("transform", "POST", "/clean/out/2026/a.csv.ndjson", "uploadId=u"),
    ("transform", "DELETE", "/clean/out/2026/a.csv.ndjson", "uploadId=u"),
    ("transform", "GET", "/clean/out/2026/_mapmill/run-1/ledger/b.jsonl", ""),
    ("transform", "PUT", "/clean/out/2026/_mapmill/run-1/progress/d.json", ""),
    ("report", "GET", "/jobs/daily/clean.yaml", ""),
    ("report", "GET", "/clean", "list-type=2&prefix=out%2F2026%2F_mapmill%2Frun-1%2Fledger%2F"),
    ("report", "GET", "/clean/out/2026/_mapmill/run-1/ledger/b.jsonl", ""),
    ("report", "GET", "/clean/out/2026/_mapmill/run-1/map-run/0193/manifest.json", ""),
    ("report", "PUT", "/clean/out/2026/_mapmill/run-1/report/report.json", ""),
    ("report", "POST", "/clean/out/2026/_mapmill/run-1/report/failed.jsonl", "uploads"),
    ("report", "DELETE", "/clean/out/2026/_mapmill/run-1/report/failed.jsonl", "uploadId=u"),
];

/// The role of each function and state machine, by the logical name of either.
fn roles(stack: &Stack) -> BTreeMap<String, String> {
    let mut roles = BTreeMap::new();
    for kind in ["AWS::Serverless::Function", "AWS::Serverless::StateMachine"] {
        for name in stack.resources(kind).unwrap() {
            let role =
                stack.properties(&name).unwrap()["Role"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
            roles.insert(name, role);
        }
    }
    roles
}

fn requests_of(function: &str) -> Vec<Call> {
    let own = REQUESTS.iter().filter(|(name, ..)| *name == function);
    own.map(|(_, method, path, query)| s3::call(method, path, query).unwrap()).collect()
}

/// Every principal that can be judged now: its logical name, its statements, its calls.
fn principals(stack: &Stack) -> Vec<(String, Vec<Statement>, Vec<Call>)> {
    let roles = roles(stack);
    let mut found = Vec::new();
    for name in stack.resources("AWS::Serverless::Function").unwrap() {
        let function = name.trim_end_matches("Function").to_lowercase();
        let mut calls = requests_of(&function);
        calls.extend(service_calls::of_function(&function));
        found.push((name.clone(), stack.statements(&roles[&name]).unwrap(), calls));
    }
    for (name, (properties, definition)) in machines(stack) {
        let definition = definition.filled(&properties["DefinitionSubstitutions"]);
        let mut calls = machine::calls(properties["Name"].as_str().unwrap(), &definition).unwrap();
        calls.extend(service_calls::of_machine());
        found.push((name.clone(), stack.statements(&roles[&name]).unwrap(), calls));
    }
    found
}

#[test]
fn every_function_and_machine_has_a_role_of_its_own() {
    let roles = roles(&plain());
    assert_eq!(roles.len(), 7);
    let distinct: BTreeSet<&String> = roles.values().collect();
    assert_eq!(distinct.len(), roles.len(), "{roles:?}");
    let all: BTreeSet<String> = plain().resources("AWS::IAM::Role").unwrap().into_iter().collect();
    assert_eq!(distinct.into_iter().cloned().collect::<BTreeSet<_>>(), all, "no role is left over");
}

#[test]
fn every_call_is_allowed() {
    for (name, statements, calls) in principals(&full()) {
        for call in calls {
            assert!(allows(&statements, &call), "{name} may not do {call:?}");
        }
    }
}

#[test]
fn without_options_every_call_is_allowed_that_does_not_belong_to_one() {
    let belongs_to_option = |call: &Call| {
        call.action.starts_with("kms:")
            || call.action.starts_with("ec2:")
            || call.resource.starts_with("arn:aws:s3:::jobs/")
    };
    for (name, statements, calls) in principals(&plain()) {
        for call in calls {
            assert_eq!(allows(&statements, &call), !belongs_to_option(&call), "{name}: {call:?}");
        }
    }
}

#[test]
fn nothing_is_allowed_that_no_call_needs() {
    for (name, statements, calls) in principals(&full()) {
        let unused = unused(&statements, &calls);
        assert!(unused.is_empty(), "{name} may do what no call needs:\n{}", unused.join("\n"));
    }
}

#[test]
fn what_a_role_must_not_do_it_may_not_do() {
    let states = |rest: &str| format!("arn:aws:states:{REGION}:{ACCOUNT}:{rest}");
    let object = |action: &str, key: &str| Call::new(&format!("s3:{action}"), &format!("arn:aws:s3:::{key}"));
    let list = |bucket: &str, prefix: &str| {
        Call::new("s3:ListBucket", &format!("arn:aws:s3:::{bucket}")).with("s3:prefix", prefix)
    };
    let other = format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:other");
    let start = |machine: &str| Call::new("states:StartExecution", &states(&format!("stateMachine:{machine}")));
    let nobody = vec![
        object("DeleteObject", "clean/out/a"),
        object("GetObject", "other/in/a"),
        object("PutObject", "raw/in/a"),
        object("PutObject", "clean/outside/a"),
        object("PutObjectAcl", "clean/out/a"),
        list("raw", ""),
        list("raw", "inside/"),
        list("clean", "out/"),
        Call::new("lambda:InvokeFunction", &other),
        Call::new(
            "lambda:UpdateFunctionCode",
            &format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{STACK}-transform"),
        ),
        Call::new("iam:PassRole", &format!("arn:aws:iam::{ACCOUNT}:role/TransformRole")),
        Call::new("kms:Decrypt", service_calls::KEYS[0]),
        Call::new("kms:Decrypt", service_calls::KEYS[0]).with("kms:ViaService", "ec2.eu-central-1.amazonaws.com"),
        Call::new("sqs:ReceiveMessage", &format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{STACK}-dead-letters")),
        Call::new("dynamodb:DeleteItem", &format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/FailureTable")),
        Call::new("sts:AssumeRole", "*"),
        start(&format!("{STACK}-other")),
    ];
    let own: [(&str, Vec<Call>); 7] = [
        (
            "PlanFunction",
            vec![object("GetObject", "raw/in/a"), object("PutObject", "clean/out/a"), start("mill-simple")],
        ),
        (
            "TransformFunction",
            vec![
                list("raw", "in/"),
                object("GetObject", "raw/inside"),
                object("ListMultipartUploadParts", "clean/out/a"),
            ],
        ),
        (
            "ReportFunction",
            vec![object("GetObject", "raw/in/a"), object("PutObject", "clean/out/a"), list("raw", "in/")],
        ),
        (
            "SimpleMachine",
            vec![start("mill-nested"), object("GetObject", "raw/in/a"), object("PutObject", "clean/out/a")],
        ),
        ("NestedMachine", vec![start("mill-simple"), object("PutObject", "clean/out/_mapmill/r/ledger/b")]),
        (
            "PackedMachine",
            vec![list("raw", "in/"), object("GetObject", "clean/out/_mapmill/r/ledger/b"), start("mill-repair")],
        ),
        (
            "RepairMachine",
            vec![
                list("raw", "in/"),
                object("PutObject", "clean/out/_mapmill/r/units/units.jsonl"),
                start("mill-packed"),
            ],
        ),
    ];
    let stack = full();
    let roles = roles(&stack);
    for (principal, calls) in own {
        let statements = stack.statements(&roles[principal]).unwrap();
        assert!(statements.len() > 4, "{principal}: {statements:?}");
        for call in nobody.iter().chain(&calls) {
            assert!(!allows(&statements, call), "{principal} may do {call:?}");
        }
    }
}

#[test]
fn a_function_may_not_touch_the_network_interfaces_that_lambda_makes_with_its_role() {
    let statements = full().statements("TransformRole").unwrap();
    let create =
        Call::new("ec2:CreateNetworkInterface", &format!("arn:aws:ec2:{REGION}:{ACCOUNT}:network-interface/x"));
    assert!(allows(&statements, &create));
    let from_inside = create
        .with("lambda:SourceFunctionArn", &format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{STACK}-transform"));
    assert!(!allows(&statements, &from_inside));
}

#[test]
fn a_bucket_that_the_stack_creates_can_be_written() {
    let statements = with_own_bucket().statements("TransformRole").unwrap();
    assert!(allows(&statements, &Call::new("s3:PutObject", "arn:aws:s3:::CreatedOutputBucket/any/thing")));
    assert!(!allows(&statements, &Call::new("s3:PutObject", "arn:aws:s3:::raw/any/thing")));
}
