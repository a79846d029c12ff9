//! The calls that Step Functions makes for a state machine, as its definition says.

use crate::TemplateError;
use crate::definition::{Definition, State};
use crate::policy::Call;
use crate::stack::{ACCOUNT, REGION};

/// All calls of an execution of the machine of this name.
///
/// # Errors
/// A state calls a service that is not known here, or names what the example of a run does not have.
pub fn calls(machine: &str, definition: &Definition) -> Result<Vec<Call>, TemplateError> {
    let mut calls = Vec::new();
    for state in definition.states()? {
        if state.is_distributed() {
            map_run(machine, &state, &mut calls)?;
        }
        if state.value["Type"] == "Task" {
            calls.push(task(&state)?);
        }
    }
    Ok(calls)
}

/// A Map Run: its children are executions of the same machine under the Map's label; its items come from S3 and its
/// results go there.
fn map_run(machine: &str, state: &State, calls: &mut Vec<Call>) -> Result<(), TemplateError> {
    let states = |rest: &str| format!("arn:aws:states:{REGION}:{ACCOUNT}:{rest}");
    let label = state.value["Label"].as_str().unwrap_or_default();
    calls.push(Call::new("states:StartExecution", &states(&format!("stateMachine:{machine}"))));
    for action in ["states:DescribeExecution", "states:StopExecution"] {
        calls.push(Call::new(action, &states(&format!("execution:{machine}:run-1"))));
        calls.push(Call::new(action, &states(&format!("execution:{machine}/{label}:child"))));
    }
    calls.push(Call::new("states:RedriveExecution", &states(&format!("execution:{machine}/{label}:child"))));

    let reader = &state.value["ItemReader"];
    match reader["Resource"].as_str() {
        Some("arn:aws:states:::s3:listObjectsV2") => {
            let bucket = state.parameter(&reader["Parameters"], "Bucket")?;
            let prefix = state.parameter(&reader["Parameters"], "Prefix")?;
            calls.push(Call::new("s3:ListBucket", &format!("arn:aws:s3:::{bucket}")).with("s3:prefix", &prefix));
        }
        Some("arn:aws:states:::s3:getObject") => {
            let bucket = state.parameter(&reader["Parameters"], "Bucket")?;
            let key = state.parameter(&reader["Parameters"], "Key")?;
            calls.push(Call::new("s3:GetObject", &format!("arn:aws:s3:::{bucket}/{key}")));
        }
        None => {}
        Some(other) => return Err(unknown(state, other)),
    }
    let writer = &state.value["ResultWriter"];
    if !writer["Resource"].is_null() {
        let bucket = state.parameter(&writer["Parameters"], "Bucket")?;
        let prefix = state.parameter(&writer["Parameters"], "Prefix")?;
        let file = format!("arn:aws:s3:::{bucket}/{prefix}/0193-uuid/SUCCEEDED_0.jsonl");
        for action in ["PutObject", "GetObject", "ListMultipartUploadParts", "AbortMultipartUpload"] {
            calls.push(Call::new(&format!("s3:{action}"), &file));
        }
    }
    Ok(())
}

fn task(state: &State) -> Result<Call, TemplateError> {
    let parameters = &state.value["Parameters"];
    let resource = state.value["Resource"].as_str().unwrap_or_default();
    let service = resource.strip_prefix("arn:aws:states:::").unwrap_or_default();
    Ok(match service.split('.').next().unwrap_or_default() {
        "lambda:invoke" => Call::new("lambda:InvokeFunction", &state.parameter(parameters, "FunctionName")?),
        "sns:publish" => Call::new("sns:Publish", &state.parameter(parameters, "TopicArn")?),
        "sqs:sendMessage" => {
            let queue = state.parameter(parameters, "QueueUrl")?;
            let name = queue.rsplit('/').next().unwrap_or_default();
            Call::new("sqs:SendMessage", &format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"))
        }
        "dynamodb:putItem" => {
            let table = state.parameter(parameters, "TableName")?;
            Call::new("dynamodb:PutItem", &format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}"))
        }
        _ => return Err(unknown(state, resource)),
    })
}

fn unknown(state: &State, resource: &str) -> TemplateError {
    TemplateError::Invalid(format!(
        "the state {} calls {resource}; add it to tests/deployment/src/machine.rs",
        state.name
    ))
}
