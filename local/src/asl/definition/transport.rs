//! Resources that a Task may name, and the parameters that they take.

use serde_json::Value;

use super::fields::Fields;
use super::{DefinitionError, Integration, Language, TaskResource};
use crate::services::actions;

const STATES_PREFIX: &str = "arn:aws:states:::";
const WAIT_FOR_TOKEN: &str = ".waitForTaskToken";
/// Parameters of lambda:invoke that this engine acts on.
const INVOKE_PARAMETERS: [&str; 6] =
    ["ClientContext", "FunctionName", "InvocationType", "LogType", "Payload", "Qualifier"];

/// Reads `Resource`.
pub(super) fn task_resource(fields: &mut Fields) -> Result<TaskResource, DefinitionError> {
    let resource = fields.required_string("Resource")?;
    if is_function_arn(&resource) {
        return Ok(TaskResource::LambdaFunction(resource));
    }
    let refuse = || {
        let message = format!(
            "\"{resource}\" is not supported by the local engine; supported: {}, \
             arn:aws:lambda:<region>:<account>:function:<name>[:<version>]; those of services also with {WAIT_FOR_TOKEN}",
            actions::list(STATES_PREFIX)
        );
        DefinitionError::unsupported(fields.at("Resource"), message)
    };
    let integration = resource.strip_prefix(STATES_PREFIX).ok_or_else(refuse)?;
    let (integration, wait_for_token) = match integration.strip_suffix(WAIT_FOR_TOKEN) {
        Some(integration) => (integration, true),
        None => (integration, false),
    };
    let (resource_type, action) = integration.rsplit_once(':').ok_or_else(refuse)?;
    if !actions::known(resource_type, action) {
        return Err(refuse());
    }
    let (resource_type, action) = (resource_type.to_owned(), action.to_owned());
    let integration = Integration { resource_type, action, wait_for_token };
    Ok(match (integration.resource_type.as_str(), integration.action.as_str()) {
        ("lambda", "invoke") => TaskResource::LambdaInvoke(integration),
        _ => TaskResource::Service(integration),
    })
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
pub(super) fn check_parameters(fields: &mut Fields, resource: &TaskResource) -> Result<(), DefinitionError> {
    if !matches!(resource, TaskResource::LambdaInvoke(_)) {
        return Ok(());
    }
    let language = fields.language();
    let name = if language == Language::JsonPath { "Parameters" } else { "Arguments" };
    let Some(value) = fields.take(name) else {
        return Err(fields.error(name, "\"FunctionName\" is required"));
    };
    fields.put_back(name, value.clone());
    let parameters = match &value {
        Value::Object(parameters) => parameters,
        // One expression makes all of them.
        Value::String(_) if language == Language::Jsonata => return Ok(()),
        _ => return Err(fields.error(name, "expected an object")),
    };
    for parameter in parameters.keys() {
        let bare = match language {
            Language::JsonPath => parameter.strip_suffix(".$").unwrap_or(parameter),
            Language::Jsonata => parameter,
        };
        if !INVOKE_PARAMETERS.contains(&bare) {
            let message = format!("not supported by the local engine; supported: {}", INVOKE_PARAMETERS.join(", "));
            return Err(DefinitionError::unsupported(fields.at(&format!("{name}.{parameter}")), message));
        }
    }
    if let Some(kind) = parameters.get("InvocationType")
        && kind != "RequestResponse"
        && language == Language::JsonPath
    {
        let message = format!("{kind} is not supported by the local engine; supported: \"RequestResponse\"");
        return Err(DefinitionError::unsupported(fields.at(&format!("{name}.InvocationType")), message));
    }
    match (parameters.get("FunctionName"), parameters.contains_key("FunctionName.$")) {
        (None, true) | (Some(Value::String(_)), false) => Ok(()),
        (Some(_), true) => Err(fields.error(name, "FunctionName and FunctionName.$ exclude each other; keep one")),
        (Some(_), false) => Err(fields.error(&format!("{name}.FunctionName"), "expected a string")),
        (None, false) => Err(fields.error(name, "\"FunctionName\" is required")),
    }
}
