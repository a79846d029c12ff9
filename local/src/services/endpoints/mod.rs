//! The services that a state machine calls besides functions.
//!
//! S3 is always the embedded one. SQS, SNS, EventBridge and DynamoDB are reached at the endpoint given for them, over plain
//! HTTP in their own protocols (`http`); without one they are played here: messages and events are recorded and can be
//! read back (`recorder`), items lie in tables in memory (`tables`). `words` puts failures into the words in which a state
//! sees them, which differ between the optimised integrations and the one that is the same for all services.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::actions::SDK;
use super::{ServiceRequest, TaskFailure, metadata};
use crate::s3::ObjectStore;

mod http;
mod objects;
mod recorder;
mod tables;
#[cfg(test)]
mod tests;
mod update;
mod words;

pub use http::EndpointError;
pub use recorder::{MESSAGES_BYTES_MAX, Message, Recorder};

use http::Endpoint;
use tables::Tables;
use words::Fault;

/// A service that can be played here or reached at an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// Queues.
    Sqs,
    /// Topics.
    Sns,
    /// Tables.
    DynamoDb,
    /// Event buses.
    EventBridge,
}

impl Service {
    /// The service of this name, as `--endpoint NAME=URL` gives it.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "sqs" => Some(Self::Sqs),
            "sns" => Some(Self::Sns),
            "dynamodb" => Some(Self::DynamoDb),
            "events" | "eventbridge" => Some(Self::EventBridge),
            _ => None,
        }
    }
}

/// What exists in the services that are played here.
#[derive(Debug, Clone, Default)]
pub struct Resources {
    /// URLs or names of queues; `None`: every queue exists.
    pub queues: Option<Vec<String>>,
    /// ARNs of topics; `None`: every topic exists.
    pub topics: Option<Vec<String>>,
    /// Tables with the attributes of their keys; `None`: every table exists, and the first call that names a key tells which
    /// attributes it has.
    pub tables: Option<BTreeMap<String, Vec<String>>>,
}

/// All services that a state machine may call besides functions.
pub struct ServiceEndpoints {
    store: Arc<ObjectStore>,
    region: String,
    endpoints: BTreeMap<Service, Endpoint>,
    resources: Resources,
    recorder: Recorder,
    tables: Tables,
}

impl ServiceEndpoints {
    /// Services that are all played here, with this S3.
    #[must_use]
    pub fn new(store: Arc<ObjectStore>, region: &str, resources: Resources) -> Self {
        Self {
            store,
            region: region.to_owned(),
            endpoints: BTreeMap::new(),
            tables: Tables::new(resources.tables.as_ref()),
            resources,
            recorder: Recorder::default(),
        }
    }

    /// Reaches a service at a URL instead of playing it here.
    ///
    /// # Errors
    /// The URL is no `http://host[:port]`.
    pub fn reach(&mut self, service: Service, url: &str) -> Result<(), EndpointError> {
        self.endpoints.insert(service, Endpoint::parse(url, &self.region)?);
        Ok(())
    }

    /// What was sent to the queues, topics and buses that are played here.
    #[must_use]
    pub fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// Calls an action.
    ///
    /// # Errors
    /// What the service says, in the words in which a state sees it.
    pub async fn call(&self, request: ServiceRequest<'_>) -> Result<Value, TaskFailure> {
        let ServiceRequest { resource_type, action, parameters } = request;
        let (sdk, name) = match resource_type.strip_prefix(SDK) {
            Some(name) => (true, name),
            None => (false, resource_type),
        };
        let answered = match Service::named(name) {
            Some(service) => self.reached_or_played(service, action, parameters, sdk).await,
            None if name == "s3" => objects::call(&self.store, action, &parameters).await,
            None => Err(Fault::unsupported(format!("{resource_type}:{action} is not supported by the local engine"))),
        };
        let mut result = answered.map_err(|fault| fault.into_failure(name, sdk))?;
        if !sdk {
            let (content_type, length) = (words::content_type(name), Value::Object(result.clone()).to_string().len());
            result.extend(metadata(&request_id(), content_type, &length.to_string(), &[]));
        }
        Ok(Value::Object(result))
    }

    async fn reached_or_played(
        &self,
        service: Service,
        action: &str,
        mut parameters: Map<String, Value>,
        sdk: bool,
    ) -> Result<Map<String, Value>, Fault> {
        if !sdk {
            texts_of_objects(service, &mut parameters);
        }
        if let Some(endpoint) = self.endpoints.get(&service) {
            return endpoint.call(service, action, &parameters).await;
        }
        match service {
            Service::Sqs => self.recorder.send_message(&parameters, self.resources.queues.as_deref()),
            Service::Sns => self.recorder.publish(&parameters, self.resources.topics.as_deref()),
            Service::EventBridge => self.recorder.put_events(&parameters),
            Service::DynamoDb => {
                let answer = self.tables.call(action, &parameters)?;
                if let Some(action) = tables::WRITES.into_iter().find(|write| *write == action) {
                    let table = tables::name(&parameters).to_owned();
                    self.recorder.keep("dynamodb", action, &table, Value::Object(parameters));
                }
                Ok(answer)
            }
        }
    }
}

/// The optimised integrations take objects where the service takes JSON text.
fn texts_of_objects(service: Service, parameters: &mut Map<String, Value>) {
    let text = |value: &mut Value| {
        if !value.is_string() && !value.is_null() {
            *value = json!(value.to_string());
        }
    };
    match service {
        Service::Sqs => parameters.get_mut("MessageBody").map(text),
        Service::Sns => parameters.get_mut("Message").map(text),
        Service::EventBridge => {
            let entries = parameters.get_mut("Entries").and_then(Value::as_array_mut);
            entries.into_iter().flatten().filter_map(|entry| entry.get_mut("Detail")).for_each(text);
            None
        }
        Service::DynamoDb => None,
    };
}

fn request_id() -> String {
    uuid::Uuid::new_v4().to_string()
}
