//! Operations on state machines.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::error::ApiError;
use super::fields::Fields;
use super::machines::{Configurations, MACHINES_MAX, Machine};
use super::pages::Page;
use super::records::put;
use super::store::Recorder;
use super::{Api, seconds};
use crate::asl::{DEFINITION_BYTES_MAX, Definition, Diagnostic, Engine, EngineOptions, ExecutionType};

pub(super) const TYPES: [(&str, ExecutionType); 2] =
    [("STANDARD", ExecutionType::Standard), ("EXPRESS", ExecutionType::Express)];
const INCLUDED: [(&str, bool); 2] = [("ALL_DATA", true), ("METADATA_ONLY", false)];
/// Most diagnostics that a client may ask for.
const DIAGNOSTICS_MAX: u64 = 100;

impl Api {
    pub(super) fn create_state_machine(&self, mut fields: Fields) -> Result<Value, ApiError> {
        let name = fields.name("name")?.ok_or_else(|| ApiError::missing("name"))?;
        let text = fields.required_text("definition")?;
        let role = fields.required_text("roleArn")?;
        let execution_type = fields.word("type", &TYPES)?.unwrap_or_default();
        let configurations = configurations(&mut fields, &Configurations::default());
        let tags = match fields.any("tags") {
            Some(Value::Array(tags)) => tags,
            _ => Vec::new(),
        };
        refuse_versions(&mut fields)?;
        fields.finish()?;
        let arn = self.machine_arn(&name);
        let definition = parse_definition(&text)?;
        let mut state = self.store.lock();
        if let Some(known) = state.machines.get(&arn) {
            if known.is_created_by(&text, execution_type, &configurations) {
                return Ok(json!({"stateMachineArn": arn, "creationDate": seconds(known.created)}));
            }
            return Err(ApiError::new("StateMachineAlreadyExists", format!("State Machine Already Exists: '{arn}'")));
        }
        if state.machines.len() >= MACHINES_MAX {
            let message = format!("the limit of {MACHINES_MAX} state machines is reached: delete some");
            return Err(ApiError::new("StateMachineLimitExceeded", message));
        }
        let now = Timestamp::now();
        let machine = Machine {
            engine: self.engine(&name, execution_type),
            arn: arn.clone(),
            name,
            execution_type,
            text,
            definition,
            role,
            created: now,
            updated: now,
            revision: None,
            configurations,
            tags,
        };
        state.machines.insert(arn.clone(), Arc::new(machine));
        Ok(json!({"stateMachineArn": arn, "creationDate": seconds(now)}))
    }

    pub(super) fn update_state_machine(&self, mut fields: Fields) -> Result<Value, ApiError> {
        let arn = fields.arn("stateMachineArn", &["stateMachine"])?;
        let text = fields.text("definition")?;
        let role = fields.text("roleArn")?;
        let mut state = self.store.lock();
        let known = state.machines.get(&arn).cloned().ok_or_else(|| ApiError::no_machine(&arn))?;
        let configurations = configurations(&mut fields, &known.configurations);
        refuse_versions(&mut fields)?;
        fields.finish()?;
        if text.is_none() && role.is_none() && configurations == known.configurations {
            let message = "Either the definition, the role ARN, the LoggingConfiguration, or the TracingConfiguration \
                           must be specified";
            return Err(ApiError::new("MissingRequiredParameter", message));
        }
        let definition = match &text {
            Some(text) => parse_definition(text)?,
            None => known.definition.clone(),
        };
        let revision = uuid::Uuid::new_v4().to_string();
        let now = Timestamp::now();
        let machine = Machine {
            engine: known.engine.clone(),
            arn: arn.clone(),
            name: known.name.clone(),
            execution_type: known.execution_type,
            text: text.unwrap_or_else(|| known.text.clone()),
            definition,
            role: role.unwrap_or_else(|| known.role.clone()),
            created: known.created,
            updated: now,
            revision: Some(revision.clone()),
            configurations,
            tags: known.tags.clone(),
        };
        state.machines.insert(arn, Arc::new(machine));
        Ok(json!({"updateDate": seconds(now), "revisionId": revision}))
    }

    pub(super) fn delete_state_machine(&self, mut fields: Fields) -> Result<Value, ApiError> {
        let arn = fields.arn("stateMachineArn", &["stateMachine"])?;
        fields.finish()?;
        // What runs goes on to its end, as in the service; a machine that is not there is deleted already.
        self.store.lock().machines.remove(&arn);
        Ok(json!({}))
    }

    pub(super) fn describe_state_machine(&self, mut fields: Fields) -> Result<Value, ApiError> {
        let arn = fields.arn("stateMachineArn", &["stateMachine"])?;
        let with_data = fields.word("includedData", &INCLUDED)?.unwrap_or(true);
        fields.finish()?;
        let machine = self.machine(&arn)?;
        let mut described = described(&machine, with_data);
        if let Value::Object(fields) = &mut described {
            fields.insert("status".to_owned(), json!("ACTIVE"));
            fields.insert("type".to_owned(), json!(machine.execution_type.as_str()));
            fields.insert("creationDate".to_owned(), seconds(machine.created));
        }
        Ok(described)
    }

    pub(super) fn describe_state_machine_for_execution(&self, mut fields: Fields) -> Result<Value, ApiError> {
        let arn = fields.arn("executionArn", &["execution", "express"])?;
        let with_data = fields.word("includedData", &INCLUDED)?.unwrap_or(true);
        fields.finish()?;
        let execution = self.store.execution(&arn).ok_or_else(|| ApiError::no_execution(&arn))?;
        let mut described = described(&execution.machine, with_data);
        if let Value::Object(fields) = &mut described {
            fields.insert("updateDate".to_owned(), seconds(execution.machine.updated));
            if let Some((map_run, _)) = &execution.parent {
                fields.insert("mapRunArn".to_owned(), json!(&**map_run));
                fields.insert("stateMachineArn".to_owned(), json!(&*execution.machine_arn));
                put(fields, "label", execution.machine_arn.rsplit_once('/').map(|(_, label)| label));
            }
        }
        Ok(described)
    }

    pub(super) fn list_state_machines(&self, mut fields: Fields) -> Result<Value, ApiError> {
        let page = Page::read(&mut fields, "machines")?;
        fields.finish()?;
        let skipped = page.from.unwrap_or(0);
        let state = self.store.lock();
        let entries = state.machines.values().zip(1..).skip(usize::try_from(skipped).unwrap_or(usize::MAX));
        let (machines, next) = page.cut(entries.map(|(machine, position)| {
            let entry = json!({
                "stateMachineArn": machine.arn,
                "name": machine.name,
                "type": machine.execution_type.as_str(),
                "creationDate": seconds(machine.created),
            });
            (position, entry)
        }));
        Ok(listed("stateMachines", machines, next))
    }

    pub(super) fn list_tags(&self, mut fields: Fields) -> Result<Value, ApiError> {
        let arn = fields.arn("resourceArn", &["stateMachine"])?;
        fields.finish()?;
        let state = self.store.lock();
        let machine = state.machines.get(&arn);
        let machine =
            machine.ok_or_else(|| ApiError::new("ResourceNotFound", format!("Resource not found: '{arn}'")))?;
        Ok(json!({"tags": machine.tags}))
    }

    pub(super) fn machine(&self, arn: &str) -> Result<Arc<Machine>, ApiError> {
        self.store.lock().machines.get(arn).cloned().ok_or_else(|| ApiError::no_machine(arn))
    }

    fn machine_arn(&self, name: &str) -> String {
        format!("arn:aws:states:{}:{}:stateMachine:{name}", self.options.region, self.options.account)
    }

    fn engine(&self, name: &str, execution_type: ExecutionType) -> Engine {
        let options = EngineOptions {
            state_machine_name: name.to_owned(),
            region: self.options.region.clone(),
            account: self.options.account.clone(),
            execution_type,
            quotas: self.options.quotas,
            ..EngineOptions::default()
        };
        Engine::new(Arc::clone(&self.services), options, Arc::new(Recorder(Arc::clone(&self.store))))
    }
}

/// A page of a list.
pub(super) fn listed(name: &str, entries: Vec<Value>, next: Option<String>) -> Value {
    let mut listed = serde_json::Map::new();
    listed.insert(name.to_owned(), Value::Array(entries));
    put(&mut listed, "nextToken", next);
    Value::Object(listed)
}

/// What all descriptions of a state machine have.
fn described(machine: &Machine, with_data: bool) -> Value {
    let Configurations { logging, tracing, encryption } = &machine.configurations;
    let mut described = json!({
        "stateMachineArn": machine.arn,
        "name": machine.name,
        "roleArn": machine.role,
        "definition": if with_data { machine.text.as_str() } else { "{}" },
        "loggingConfiguration": logging,
        "tracingConfiguration": tracing,
        "encryptionConfiguration": encryption,
        "variableReferences": machine.definition.variable_references(),
    });
    if let Value::Object(fields) = &mut described {
        put(fields, "revisionId", machine.revision.as_deref());
    }
    described
}

fn configurations(fields: &mut Fields, known: &Configurations) -> Configurations {
    Configurations {
        logging: fields.any("loggingConfiguration").unwrap_or_else(|| known.logging.clone()),
        tracing: fields.any("tracingConfiguration").unwrap_or_else(|| known.tracing.clone()),
        encryption: fields.any("encryptionConfiguration").unwrap_or_else(|| known.encryption.clone()),
    }
}

/// Versions do not exist here, so none can be published.
fn refuse_versions(fields: &mut Fields) -> Result<(), ApiError> {
    if fields.boolean("publish")? == Some(true) || fields.text("versionDescription")?.is_some() {
        return Err(ApiError::validation("versions of state machines are not supported here: leave 'publish' out"));
    }
    Ok(())
}

fn parse_definition(text: &str) -> Result<Definition, ApiError> {
    if text.len() > DEFINITION_BYTES_MAX {
        let constraint = format!("Member must have length less than or equal to {DEFINITION_BYTES_MAX}");
        return Err(ApiError::constraint("definition", &format!("{} bytes", text.len()), &constraint));
    }
    Definition::parse(text).map_err(|error| ApiError::new("InvalidDefinition", error.service_message()))
}

/// ValidateStateMachineDefinition: the first mistake of a definition, if it has one.
pub(super) fn validate(mut fields: Fields) -> Result<Value, ApiError> {
    let text = fields.required_text("definition")?;
    fields.word("type", &TYPES)?;
    // There are no warnings here, so both severities give the same.
    fields.word("severity", &[("ERROR", ()), ("WARNING", ())])?;
    fields.whole("maxResults", DIAGNOSTICS_MAX)?;
    fields.finish()?;
    if text.len() > DEFINITION_BYTES_MAX {
        parse_definition(&text)?;
    }
    Ok(match Definition::parse(&text) {
        Ok(_) => json!({"result": "OK", "diagnostics": [], "truncated": false}),
        Err(error) => {
            let Diagnostic { code, location, message } = error.diagnostic();
            let mut diagnostic = json!({"severity": "ERROR", "code": code, "message": message});
            // What is no JSON has no places.
            if let (Value::Object(fields), true) = (&mut diagnostic, code != "INVALID_JSON_DESCRIPTION") {
                fields.insert("location".to_owned(), json!(location));
            }
            json!({"result": "FAIL", "diagnostics": [diagnostic], "truncated": false})
        }
    })
}
