//! What the engine reaches: the embedded S3 and the Lambda host.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::Value;

use super::endpoints::ServiceEndpoint;
use super::objects;
use crate::api::lambda::RemoteLambda;
use crate::cli::CommandError;
use crate::explain::explain;
use crate::lambda_host::LambdaHost;
use crate::s3::{self, Attributes, ObjectStore, WriteCondition};
use crate::services::endpoints::{Resources, ServiceEndpoints};
use crate::services::{
    LambdaAnswer, LambdaRequest, ListPage, ListRequest, ObjectSummary, ObjectUpload, ServiceError, ServiceRequest,
    Services, StoredObject, TaskFailure,
};

/// How the invocations of a run went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Invocations {
    /// All of them, retries included.
    pub(super) count: u64,
    /// Those that failed.
    pub(super) failed: u64,
    /// Those that had to start an environment.
    pub(super) cold: u64,
    /// The largest resident memory of a function process, in bytes.
    pub(super) peak_memory_bytes: u64,
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

    /// Reaches services at the endpoints of the command line instead of playing them.
    pub(in crate::cli) fn reach(&mut self, endpoints: &[ServiceEndpoint]) -> Result<(), CommandError> {
        for ServiceEndpoint { service, url } in endpoints {
            let reached = self.endpoints.reach(*service, url);
            reached.map_err(|error| CommandError::usage(format!("--endpoint: {error}")))?;
        }
        Ok(())
    }

    pub(super) fn invocations(&self) -> Invocations {
        *self.invocations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Services for LocalServices {
    async fn invoke_lambda(&self, request: LambdaRequest<'_>) -> Result<LambdaAnswer, TaskFailure> {
        let host = match &self.functions {
            Functions::Here(host) => host,
            Functions::There(remote) => {
                let _ = request.begun.send(());
                return remote.invoke(request.function, request.payload).await;
            }
        };
        let outcome = host.invoke_when_free(request.function, request.payload, request.begun).await?;
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
