//! Objects of the embedded S3 as the engine reads and writes them: in pieces.

use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt;

use crate::explain::explain;
use crate::s3::{ObjectStore, OpenObject, StoreError, Upload};
use crate::services::{ByteStream, ObjectUpload, ServiceError, StoredObject};

/// What S3 calls the version of objects in buckets without versions, which all buckets are here.
const NO_VERSION: &str = "null";

/// Opens an object.
pub(super) async fn open(
    store: &ObjectStore,
    bucket: &str,
    key: &str,
    version: Option<&str>,
) -> Result<Arc<dyn StoredObject>, ServiceError> {
    let object = store.open(bucket, key).await.map_err(explained)?;
    match version {
        None | Some(NO_VERSION) => Ok(Arc::new(Opened(object))),
        Some(version) => Err(ServiceError::new(format!(
            "key \"{key}\" of bucket \"{bucket}\" has no version \"{version}\": buckets on this machine keep no versions"
        ))),
    }
}

/// Begins to write an object.
pub(super) fn upload(store: &Arc<ObjectStore>, bucket: &str, key: &str) -> Result<Box<dyn ObjectUpload>, ServiceError> {
    Ok(Box::new(Writing(Upload::begin(store, bucket, key).map_err(explained)?)))
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
        let stream = self.0.clone().read(start, length).await.map_err(explained)?;
        Ok(stream.map(|chunk| chunk.map_err(explained)).boxed())
    }
}

struct Writing(Upload);

#[async_trait]
impl ObjectUpload for Writing {
    async fn write(&mut self, bytes: &[u8]) -> Result<(), ServiceError> {
        self.0.write(bytes).await.map_err(explained)
    }

    async fn finish(self: Box<Self>) -> Result<(), ServiceError> {
        self.0.finish().await.map(|_| ()).map_err(explained)
    }
}

fn explained(error: StoreError) -> ServiceError {
    ServiceError::new(explain(&error))
}
