//! Calls that AWS makes by itself with a role, and that no program of ours sends.
//!
//! They stand in no definition and cannot be recorded outside of AWS, so they are listed here by hand, each group with
//! the page of the documentation that asks for it.

use crate::policy::Call;
use crate::stack::{ACCOUNT, REGION, STACK};

/// The keys of the customer in the tests: for what Mapmill writes, and for the source.
pub const KEYS: [&str; 2] = [
    "arn:aws:kms:eu-central-1:111122223333:key/1111aaaa-22bb-33cc-44dd-555555eeeeee",
    "arn:aws:kms:eu-central-1:111122223333:key/9999aaaa-22bb-33cc-44dd-555555eeeeee",
];

/// What Lambda and S3 do with the role of a function.
#[must_use]
pub fn of_function(function: &str) -> Vec<Call> {
    let arn = |service: &str, rest: &str| format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}");
    // "Sending Lambda function logs to CloudWatch Logs", "Visualize Lambda function invocations using AWS X-Ray".
    let stream = arn("logs", &format!("log-group:/aws/lambda/{STACK}-{function}:log-stream:2026/11/22/[1]a"));
    let mut calls: Vec<Call> =
        ["logs:CreateLogStream", "logs:PutLogEvents"].into_iter().map(|action| Call::new(action, &stream)).collect();
    calls.extend(["xray:PutTraceSegments", "xray:PutTelemetryRecords"].map(|action| Call::new(action, "*")));
    // "Adding a dead-letter queue": Lambda sends the event with the role of the function.
    calls.push(Call::new("sqs:SendMessage", &arn("sqs", &format!("{STACK}-dead-letters"))));
    // "Giving Lambda functions access to resources in an Amazon VPC".
    for resource in ["network-interface/eni-1", "subnet/subnet-0aa", "security-group/FunctionSecurityGroup"] {
        calls.push(Call::new("ec2:CreateNetworkInterface", &arn("ec2", resource)));
    }
    for action in ["DeleteNetworkInterface", "AssignPrivateIpAddresses", "UnassignPrivateIpAddresses"] {
        calls.push(Call::new(&format!("ec2:{action}"), &arn("ec2", "network-interface/eni-1")));
    }
    calls.extend(["ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"].map(|action| Call::new(action, "*")));
    // "Protecting data with server-side encryption using AWS KMS keys": decrypting reads and parts, a data key for writes.
    calls.extend(with_key(&["kms:Decrypt", "kms:GenerateDataKey"], KEYS[0], &["s3", "sqs"]));
    calls.extend(with_key(&["kms:Decrypt"], KEYS[1], &["s3"]));
    calls
}

/// What Step Functions does with the role of a state machine, beside what the definition says.
#[must_use]
pub fn of_machine() -> Vec<Call> {
    // "Using CloudWatch Logs to log execution history in Step Functions".
    let mut calls: Vec<Call> = [
        "CreateLogDelivery",
        "DeleteLogDelivery",
        "DescribeLogGroups",
        "DescribeResourcePolicies",
        "GetLogDelivery",
        "ListLogDeliveries",
        "PutResourcePolicy",
        "UpdateLogDelivery",
    ]
    .map(|action| Call::new(&format!("logs:{action}"), "*"))
    .into();
    // "Trace Step Functions request data in AWS X-Ray".
    let traces = ["GetSamplingRules", "GetSamplingTargets", "PutTelemetryRecords", "PutTraceSegments"];
    calls.extend(traces.map(|action| Call::new(&format!("xray:{action}"), "*")));
    // "IAM policies for using Distributed Map states" asks for kms:Encrypt beside the two, for results in many parts.
    let services = ["s3", "sns", "sqs", "dynamodb"];
    calls.extend(with_key(&["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"], KEYS[0], &services));
    calls
}

/// The use of a key by a service on behalf of the role.
fn with_key(actions: &[&str], key: &str, services: &[&str]) -> Vec<Call> {
    let via = |service: &&str| format!("{service}.{REGION}.amazonaws.com");
    let calls = actions.iter().flat_map(|action| services.iter().map(move |service| (action, via(service))));
    calls.map(|(action, via)| Call::new(action, key).with("kms:ViaService", &via)).collect()
}
