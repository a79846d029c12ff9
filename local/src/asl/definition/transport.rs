//! Resources that a Task may name, and the parameters that they take.

use serde_json::Value;

use super::fields::Fields;
use super::{DefinitionError, TaskResource};

const LAMBDA_INVOKE: &str = "arn:aws:states:::lambda:invoke";
const SUPPORTED: &str = "arn:aws:states:::lambda:invoke, arn:aws:lambda:<region>:<account>:function:<name>[:<version>]";
/// Parameters of lambda:invoke that this engine acts on.
const INVOKE_PARAMETERS: [&str; 4] = ["FunctionName", "FunctionName.$", "Payload", "Payload.$"];

/// Reads `Resource`.
pub(super) fn task_resource(fields: &mut Fields) -> Result<TaskResource, DefinitionError> {
    let resource = fields.required_string("Resource")?;
    if resource == LAMBDA_INVOKE {
        return Ok(TaskResource::LambdaInvoke);
    }
    if is_function_arn(&resource) {
        return Ok(TaskResource::LambdaFunction(resource));
    }
    let message = format!("\"{resource}\" is not supported by the local engine yet; supported: {SUPPORTED}");
    Err(fields.error("Resource", message))
}

/// `arn:<partition>:lambda:<region>:<account>:function:<name>` with an optional version or alias.
fn is_function_arn(text: &str) -> bool {
    let parts: Vec<_> = text.split(':').collect();
    match parts.as_slice() {
        ["arn", partition, "lambda", region, account, "function", name, version @ ..] => {
            [*partition, *region, *account, *name].iter().all(|part| !part.is_empty()) && version.len() <= 1
        }
        _ => false,
    }
}

/// Refuses parameters of lambda:invoke that would be ignored.
pub(super) fn check_invoke_parameters(fields: &mut Fields) -> Result<(), DefinitionError> {
    let Some(value) = fields.take("Parameters") else {
        return Err(fields.error("Parameters", "\"FunctionName\" or \"FunctionName.$\" is required"));
    };
    let Value::Object(parameters) = &value else {
        return Err(fields.error("Parameters", "expected an object"));
    };
    if let Some(name) = parameters.keys().find(|name| !INVOKE_PARAMETERS.contains(&name.as_str())) {
        return Err(fields.error(
            &format!("Parameters.{name}"),
            format!("not supported by the local engine yet; supported: {}", INVOKE_PARAMETERS.join(", ")),
        ));
    }
    match (parameters.get("FunctionName"), parameters.contains_key("FunctionName.$")) {
        (None, true) | (Some(Value::String(_)), false) => {}
        (Some(_), true) => {
            return Err(fields.error("Parameters", "FunctionName and FunctionName.$ exclude each other; keep one"));
        }
        (Some(_), false) => return Err(fields.error("Parameters.FunctionName", "expected a string")),
        (None, false) => {
            return Err(fields.error("Parameters", "\"FunctionName\" or \"FunctionName.$\" is required"));
        }
    }
    fields.put_back("Parameters", value);
    Ok(())
}
