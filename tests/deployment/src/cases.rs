//! What the tests of the template share: stacks with and without every option, and what is not there yet.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a failed expectation is a failed test")]

use crate::definition::Definition;
use crate::root;
use crate::service_calls::KEYS;
use crate::stack::Stack;
use serde_json::Value;
use std::collections::BTreeMap;

/// Functions and state machines that the template names and that are written elsewhere at this time. When one of them is
/// there, `what_is_not_there_yet_is_listed` fails until it is taken out here, and from then on it is tested.
pub const NOT_THERE_YET: [&str; 7] = [
    "functions/plan",
    "functions/report",
    "shared/planner/src/rates.json",
    "statemachine/nested.asl.json",
    "statemachine/packed.asl.json",
    "statemachine/repair.asl.json",
    "statemachine/simple.asl.json with plan and report",
];

/// A stack of which only what must be given is given.
#[must_use]
pub fn plain() -> Stack {
    Stack::new(&[("SourceBucket", "raw"), ("SourcePrefix", "in/"), ("OutputBucket", "clean"), ("OutputPrefix", "out/")])
        .unwrap()
}

/// A stack with every option.
#[must_use]
pub fn full() -> Stack {
    Stack::new(&[
        ("SourceBucket", "raw"),
        ("SourcePrefix", "in/"),
        ("OutputBucket", "clean"),
        ("OutputPrefix", "out/"),
        ("JobBucket", "jobs"),
        ("JobPrefix", "daily/"),
        ("BatchOperationsJob", "s3://jobs/daily/clean.yaml"),
        ("TransformConcurrency", "100"),
        ("KmsKeyArn", KEYS[0]),
        ("SourceKmsKeyArn", KEYS[1]),
        ("VpcId", "vpc-0aa"),
        ("SubnetIds", "subnet-0aa,subnet-0bb"),
        ("RouteTableIds", "rtb-0aa"),
        ("S3PrefixListId", "pl-0aa"),
        ("AlarmTopicArn", "arn:aws:sns:eu-central-1:111122223333:ops"),
        ("NotificationEmail", "ops@example.com"),
    ])
    .unwrap()
}

/// A stack that creates its output bucket.
#[must_use]
pub fn with_own_bucket() -> Stack {
    Stack::new(&[("SourceBucket", "raw"), ("NotificationEmail", "ops@example.com")]).unwrap()
}

/// The state machines whose definitions are there, in whatever form: logical name, properties, definition with placeholders.
#[must_use]
pub fn machines(stack: &Stack) -> BTreeMap<String, (Value, Definition)> {
    let mut found = BTreeMap::new();
    for name in stack.resources("AWS::Serverless::StateMachine").unwrap() {
        let properties = stack.properties(&name).unwrap();
        let path = properties["DefinitionUri"].as_str().unwrap().to_owned();
        if is_missing(&path) && !root().join(&path).exists() {
            println!("left out, because it is not there yet: {path}");
        } else {
            let definition = Definition::read(&path).unwrap();
            found.insert(name, (properties, definition));
        }
    }
    found
}

/// Whether a file is listed as not there yet, in this form or at all.
#[must_use]
pub fn is_missing(path: &str) -> bool {
    NOT_THERE_YET.iter().any(|missing| missing.split(' ').next() == Some(path))
}
