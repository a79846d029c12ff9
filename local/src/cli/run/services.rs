//! What the engine reaches: the embedded S3 and the Lambda host.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::Value;

use super::endpoints::{DeclaredTable, ServiceEndpoint, ServiceOptions};
use super::machine::{FAILURE_KEY, FAILURE_TABLE};
use super::objects;
use crate::api::lambda::RemoteLambda;
use crate::cli::CommandError;
use crate::explain::explain;
use crate::lambda_host::{InvokeContext, LambdaHost};
use crate::s3::{self, Attributes, ObjectStore, WriteCondition};
use crate::services::endpoints::{Recorder, Resources, ServiceEndpoints};
use crate::services::{
    LambdaAnswer, LambdaRequest, ListPage, ListRequest, ObjectSummary, ObjectUpload, ServiceError, ServiceRequest,
    Services, StoredObject, TaskFailure,
};

/// How the invocations of a run went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::cli) struct Invocations {
    /// All of them, retries included.
    pub(in crate::cli) count: u64,
    /// Those that failed.
    pub(in crate::cli) failed: u64,
    /// Those that had to start an environment.
    pub(in crate::cli) cold: u64,
    /// The largest resident memory of a function process, in bytes.
    pub(in crate::cli) peak_memory_bytes: u64,
}

/// The services of a local run.
pub(in crate::cli) struct LocalServices {
    store: Arc<ObjectStore>,
    functions: Functions,
    endpoints: ServiceEndpoints,
    invocations: Mutex<Invocations>,
}

/// Where functions run.
enum Functions {
    Here(Arc<LambdaHost>),
    /// At another endpoint, of which nothing but the answers is known.
    There(Box<RemoteLambda>),
}

impl LocalServices {
    pub(in crate::cli) fn new(store: Arc<ObjectStore>, host: Arc<LambdaHost>) -> Self {
        Self::with(store, Functions::Here(host))
    }

    /// Every function is invoked at another endpoint.
    pub(in crate::cli) fn with_remote(store: Arc<ObjectStore>, remote: RemoteLambda) -> Self {
        Self::with(store, Functions::There(Box::new(remote)))
    }

    fn with(store: Arc<ObjectStore>, functions: Functions) -> Self {
        let endpoints = ServiceEndpoints::new(Arc::clone(&store), s3::REGION, Resources::default());
        Self { store, functions, endpoints, invocations: Mutex::default() }
    }

    /// Sets up the services besides functions and S3, as the command line says.
    pub(in crate::cli) fn set_up(&mut self, options: &ServiceOptions) -> Result<(), CommandError> {
        let failures = || (FAILURE_TABLE.to_owned(), FAILURE_KEY.map(str::to_owned).to_vec());
        let declared = options.table.iter().map(|DeclaredTable { name, keys }| (name.clone(), keys.clone()));
        let tables = (!options.table.is_empty()).then(|| declared.chain([failures()]).collect());
        let resources = Resources { tables, ..Resources::default() };
        self.endpoints = ServiceEndpoints::new(Arc::clone(&self.store), s3::REGION, resources);
        for ServiceEndpoint { service, url } in &options.endpoint {
            let reached = self.endpoints.reach(*service, url);
            reached.map_err(|error| CommandError::usage(format!("--endpoint: {error}")))?;
        }
        Ok(())
    }

    pub(in crate::cli) fn invocations(&self) -> Invocations {
        *self.invocations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The JSON that a client context is in Base64.
fn client_context(encoded: &str) -> Result<String, TaskFailure> {
    let decoded = STANDARD.decode(encoded).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    decoded.ok_or_else(|| TaskFailure {
        error: "Lambda.InvalidRequestContentException".to_owned(),
        cause: "Client context must be a valid Base64-encoded JSON object.".to_owned(),
    })
}

#[async_trait]
impl Services for LocalServices {
    async fn invoke_lambda(&self, request: LambdaRequest<'_>) -> Result<LambdaAnswer, TaskFailure> {
        let host = match &self.functions {
            Functions::Here(host) => host,
            Functions::There(remote) => {
                return remote.invoke(request).await;
            }
        };
        let context = InvokeContext {
            client_context: request.client_context.map(client_context).transpose()?,
            wants_log: request.wants_log,
            ..InvokeContext::default()
        };
        let outcome = host.invoke_in_context(request.function, request.payload, context, request.begun).await?;
        {
            let mut invocations = self.invocations.lock().unwrap_or_else(PoisonError::into_inner);
            invocations.count += 1;
            invocations.failed += u64::from(outcome.result.is_err());
            invocations.cold += u64::from(outcome.cold_start());
            let peak = outcome.peak_memory_bytes.unwrap_or_default();
            invocations.peak_memory_bytes = invocations.peak_memory_bytes.max(peak);
        }
        outcome.into_answer()
    }

    async fn call_service(&self, request: ServiceRequest<'_>) -> Result<Value, TaskFailure> {
        self.endpoints.call(request).await
    }

    fn recorder(&self) -> Option<&Recorder> {
        Some(self.endpoints.recorder())
    }

    async fn list_objects(&self, request: ListRequest<'_>) -> Result<ListPage, ServiceError> {
        let wanted = s3::ListRequest {
            prefix: request.prefix.to_owned(),
            continuation: request.continuation.map(str::to_owned),
            max_entries: usize::try_from(request.max_keys).ok(),
            ..s3::ListRequest::default()
        };
        let page = self.store.list(request.bucket, &wanted).map_err(|error| ServiceError::new(explain(&error)))?;
        let objects = page.objects.into_iter().map(|object| ObjectSummary {
            key: object.key,
            etag: format!("\"{}\"", object.tag),
            size: object.size,
            last_modified: object.modified.duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64()),
            storage_class: "STANDARD".to_owned(),
        });
        Ok(ListPage { objects: objects.collect(), next: page.continuation })
    }

    async fn put_object(&self, bucket: &str, key: &str, body: Bytes) -> Result<(), ServiceError> {
        let put = self.store.put(bucket, key, &body, Attributes::default(), WriteCondition::default()).await;
        put.map(|_| ()).map_err(|error| ServiceError::new(explain(&error)))
    }

    async fn open_object(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
    ) -> Result<Arc<dyn StoredObject>, ServiceError> {
        objects::open(&self.store, bucket, key, version).await
    }

    async fn upload_object(&self, bucket: &str, key: &str) -> Result<Box<dyn ObjectUpload>, ServiceError> {
        objects::upload(&self.store, bucket, key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lambda_host::HostOptions;
    use crate::s3::StoreOptions;

    #[tokio::test]
    async fn failures_of_the_file_system_are_told_with_their_cause() {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(ObjectStore::new(StoreOptions::default()).unwrap());
        store.materialise("out", folder.path()).unwrap();
        let services = LocalServices::new(store, Arc::new(LambdaHost::new(HostOptions::default())));
        std::fs::remove_dir_all(folder.path().join(".mapmill/staging")).unwrap();
        let error = services.put_object("out", "k", Bytes::from_static(b"x")).await.unwrap_err().to_string();
        assert!(error.starts_with("cannot create ") && error.contains("No such file or directory"), "{error}");
    }
}
