//! The world of a scenario: functions that behave as described, and the embedded S3 with what lay in it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use local::asl::HistoryEvent;
use local::observer::{Notice, Observer};
use local::s3::{self, Attributes, ObjectStore, OpenObject, StoreOptions, Upload, WriteCondition};
use local::services::endpoints::{Resources, ServiceEndpoints};
use local::services::{
    ByteStream, LambdaAnswer, LambdaRequest, ListPage, ListRequest, ObjectSummary, ObjectUpload, ServiceError,
    ServiceRequest, Services, StoredObject, TaskFailure,
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

pub(crate) const REGION: &str = "us-east-1";
pub(crate) const ACCOUNT: &str = "123456789012";

/// Functions, objects and services.
pub(crate) struct World {
    store: Arc<ObjectStore>,
    endpoints: ServiceEndpoints,
    /// Behaviours by the function's real name.
    functions: BTreeMap<String, Value>,
}

impl World {
    /// Makes everything that a scenario needs; its tokens are filled in already.
    pub(crate) async fn of(scenario: &Value, tokens: &BTreeMap<String, String>) -> Self {
        let store = Arc::new(ObjectStore::new(StoreOptions::default()).unwrap());
        for bucket in scenario["buckets"].as_array().into_iter().flatten() {
            store.create_bucket(bucket.as_str().unwrap()).unwrap();
        }
        for object in scenario["s3"].as_array().into_iter().flatten() {
            let (bucket, key) = (object["bucket"].as_str().unwrap(), object["key"].as_str().unwrap());
            let body = object["body"].as_str().map_or_else(|| object["body"].to_string(), str::to_owned);
            store.create_bucket(bucket).unwrap();
            let put = store.put(bucket, key, body.as_bytes(), Attributes::default(), WriteCondition::default());
            put.await.unwrap();
        }
        let existing = |kind: &str, name: &str| -> Vec<String> {
            let all = scenario["resources"][kind].as_array().into_iter().flatten();
            let exists = |resource: &&Value| resource["deletedBeforeExecution"] != json!(true);
            all.filter(exists).map(|resource| resource[name].as_str().unwrap().to_owned()).collect()
        };
        let tables = scenario["resources"]["dynamodbTables"].as_array().into_iter().flatten();
        let key = |table: &Value| vec![table["partition_key"].as_str().unwrap().to_owned()];
        let resources = Resources {
            queues: Some(existing("sqsQueues", "url")),
            topics: Some(existing("snsTopics", "arn")),
            tables: Some(tables.map(|table| (table["name"].as_str().unwrap().to_owned(), key(table))).collect()),
        };
        let named = |name: &str| tokens[&format!("${{FunctionName:{name}}}")].clone();
        let functions = scenario["functions"].as_object().into_iter().flatten();
        Self {
            endpoints: ServiceEndpoints::new(Arc::clone(&store), REGION, resources),
            store,
            functions: functions.map(|(name, behaviour)| (named(name), behaviour.clone())).collect(),
        }
    }
}

fn answer(payload: String) -> Result<LambdaAnswer, TaskFailure> {
    Ok(LambdaAnswer {
        payload: Bytes::from(payload),
        executed_version: "$LATEST".to_owned(),
        request_id: uuid::Uuid::new_v4().to_string(),
        log_result: None,
    })
}

/// The end of a log, in Base64.
const LOG: &str = "U1RBUlQgUmVxdWVzdElkCkVORCBSZXF1ZXN0SWQK";

#[async_trait]
impl Services for World {
    async fn invoke_lambda(&self, request: LambdaRequest<'_>) -> Result<LambdaAnswer, TaskFailure> {
        let name = request.function.rsplit_once("function:").map_or(request.function, |(_, name)| name);
        let name = name.split(':').next().unwrap_or_default();
        let _ = request.begun.send(());
        let event = || String::from_utf8(request.payload.to_vec()).unwrap();
        match self.functions.get(name) {
            None => Err(TaskFailure {
                error: "Lambda.ResourceNotFoundException".to_owned(),
                cause: format!(
                    "Function not found: arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}:$LATEST (Service: AWSLambda; \
                     Status Code: 404; Error Code: ResourceNotFoundException; Request ID: {}; Proxy: null)",
                    uuid::Uuid::new_v4()
                ),
            }),
            Some(Value::String(echo)) if echo == "echo" => {
                let log_result = request.wants_log.then(|| LOG.to_owned());
                answer(event()).map(|answer| LambdaAnswer { log_result, ..answer })
            }
            Some(behaviour) => {
                if let Some(value) = behaviour.get("returns") {
                    return answer(value.to_string());
                }
                if let Some(seconds) = behaviour.get("sleepSeconds") {
                    tokio::time::sleep(Duration::from_secs(seconds.as_u64().unwrap())).await;
                    return answer(event());
                }
                if let Some(text) = behaviour.get("returnsRawText") {
                    let count = usize::try_from(text["count"].as_u64().unwrap()).unwrap();
                    return answer(text["repeat"].as_str().unwrap().repeat(count));
                }
                let mut error = behaviour["raises"].clone();
                error["requestId"] = json!(uuid::Uuid::new_v4().to_string());
                let name = error["errorType"].as_str().unwrap().to_owned();
                Err(TaskFailure { error: name, cause: error.to_string() })
            }
        }
    }

    async fn call_service(&self, request: ServiceRequest<'_>) -> Result<Value, TaskFailure> {
        self.endpoints.call(request).await
    }

    async fn list_objects(&self, request: ListRequest<'_>) -> Result<ListPage, ServiceError> {
        let wanted = s3::ListRequest {
            prefix: request.prefix.to_owned(),
            continuation: request.continuation.map(str::to_owned),
            max_entries: usize::try_from(request.max_keys).ok(),
            ..s3::ListRequest::default()
        };
        let page = self.store.list(request.bucket, &wanted).map_err(|error| ServiceError::new(error.to_string()))?;
        let objects = page.objects.into_iter().map(|object| ObjectSummary {
            key: object.key,
            etag: format!("\"{}\"", object.tag),
            size: object.size,
            last_modified: object.modified.duration_since(UNIX_EPOCH).unwrap().as_secs_f64(),
            storage_class: "STANDARD".to_owned(),
        });
        Ok(ListPage { objects: objects.collect(), next: page.continuation })
    }

    async fn put_object(&self, bucket: &str, key: &str, body: Bytes) -> Result<(), ServiceError> {
        let put = self.store.put(bucket, key, &body, Attributes::default(), WriteCondition::default()).await;
        put.map(|_| ()).map_err(|error| ServiceError::new(error.to_string()))
    }

    async fn open_object(
        &self,
        bucket: &str,
        key: &str,
        _version: Option<&str>,
    ) -> Result<Arc<dyn StoredObject>, ServiceError> {
        let opened = self.store.open(bucket, key).await.map_err(|error| ServiceError::new(error.to_string()))?;
        Ok(Arc::new(Opened(opened)))
    }

    async fn upload_object(&self, bucket: &str, key: &str) -> Result<Box<dyn ObjectUpload>, ServiceError> {
        let upload = Upload::begin(&self.store, bucket, key);
        Ok(Box::new(Writing(upload.map_err(|error| ServiceError::new(error.to_string()))?)))
    }
}

struct Opened(OpenObject);

#[async_trait]
impl StoredObject for Opened {
    fn size(&self) -> u64 {
        self.0.size()
    }

    fn etag(&self) -> String {
        format!("\"{}\"", self.0.tag())
    }

    async fn read(&self, start: u64, length: u64) -> Result<ByteStream, ServiceError> {
        let explained = |error: s3::StoreError| ServiceError::new(error.to_string());
        let stream = self.0.clone().read(start, length).await.map_err(explained)?;
        Ok(stream.map(move |chunk| chunk.map_err(explained)).boxed())
    }
}

struct Writing(Upload);

#[async_trait]
impl ObjectUpload for Writing {
    async fn write(&mut self, bytes: &[u8]) -> Result<(), ServiceError> {
        self.0.write(bytes).await.map_err(|error| ServiceError::new(error.to_string()))
    }

    async fn finish(self: Box<Self>) -> Result<(), ServiceError> {
        self.0.finish().await.map(|_| ()).map_err(|error| ServiceError::new(error.to_string()))
    }
}

/// Keeps the history of the execution and does what the scenario wants done meanwhile.
pub(crate) struct Watcher {
    pub(crate) execution: String,
    pub(crate) actions: Vec<Value>,
    pub(crate) cancel: CancellationToken,
    pub(crate) events: Mutex<Vec<HistoryEvent>>,
}

impl Observer for Watcher {
    fn notice(&self, notice: Notice<'_>) {
        let Notice::History { execution, event } = notice else { return };
        if execution != self.execution {
            return;
        }
        let name = event.details.as_ref().and_then(|(_, details)| details.get("name"));
        for action in &self.actions {
            let when = &action["when"];
            if when["eventType"] == event.kind && when.get("stateName").is_none_or(|state| Some(state) == name) {
                assert_eq!(action["do"], "StopExecution");
                self.cancel.cancel();
            }
        }
        self.events.lock().unwrap().push(event.clone());
    }

    fn wants_history(&self, execution: &str) -> bool {
        execution == self.execution
    }
}
