//! What the tests of the template share: stacks with and without every option.
#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

use crate::definition::Definition;
use crate::service_calls::KEYS;
use crate::stack::Stack;
use serde_json::Value;
use std::collections::BTreeMap;

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

/// The state machines: logical name, properties, definition with placeholders.
#[must_use]
pub fn machines(stack: &Stack) -> BTreeMap<String, (Value, Definition)> {
    let mut found = BTreeMap::new();
    for name in stack.resources("AWS::Serverless::StateMachine").unwrap() {
        let properties = stack.properties(&name).unwrap();
        let path = properties["DefinitionUri"].as_str().unwrap().to_owned();
        let definition = Definition::read(&path).unwrap();
        found.insert(name, (properties, definition));
    }
    found
}
