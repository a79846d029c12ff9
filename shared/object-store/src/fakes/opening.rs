//! An object store that opens objects in its own way.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::ObjectError;
use crate::listing::{ListPage, ListRequest};
use crate::names::ObjectAddress;
use crate::store::{
    MultipartUpload, ObjectHead, ObjectReader, ObjectStore, OpenRequest, UploadState, WriteRequest, Written,
};

/// A store around another one. A function changes what comes of every opening; all else is as the other one does it.
pub struct OpeningStore<F> {
    inner: Arc<dyn ObjectStore>,
    change: F,
}

impl<F> OpeningStore<F>
where
    F: Fn(&OpenRequest, Result<ObjectReader, ObjectError>) -> Result<ObjectReader, ObjectError> + Send + Sync + 'static,
{
    /// A store that hands every opened object, and every failure to open one, through this function.
    pub fn new(inner: Arc<dyn ObjectStore>, change: F) -> Self {
        Self { inner, change }
    }
}

#[async_trait]
impl<F> ObjectStore for OpeningStore<F>
where
    F: Fn(&OpenRequest, Result<ObjectReader, ObjectError>) -> Result<ObjectReader, ObjectError> + Send + Sync + 'static,
{
    async fn open(&self, request: &OpenRequest) -> Result<ObjectReader, ObjectError> {
        let opened = self.inner.open(request).await;
        (self.change)(request, opened)
    }

    async fn head(&self, address: &ObjectAddress) -> Result<ObjectHead, ObjectError> {
        self.inner.head(address).await
    }

    async fn list(&self, request: &ListRequest) -> Result<ListPage, ObjectError> {
        self.inner.list(request).await
    }

    async fn put(&self, request: &WriteRequest, body: Bytes) -> Result<Written, ObjectError> {
        self.inner.put(request, body).await
    }

    async fn begin_upload(&self, request: &WriteRequest) -> Result<Box<dyn MultipartUpload>, ObjectError> {
        self.inner.begin_upload(request).await
    }

    async fn resume_upload(
        &self,
        request: &WriteRequest,
        state: &UploadState,
    ) -> Result<Box<dyn MultipartUpload>, ObjectError> {
        self.inner.resume_upload(request, state).await
    }
}
