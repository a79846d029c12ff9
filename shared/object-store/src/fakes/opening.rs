//! An object store that opens objects in its own way.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::{ErrorClass, ObjectError, code};
use crate::listing::{ListPage, ListRequest};
use crate::names::ObjectAddress;
use crate::store::{
    MultipartUpload, ObjectHead, ObjectReader, ObjectStore, OpenRequest, UploadState, WriteRequest, Written,
};

/// A store around another one. A function changes what comes of every opening; all else is as the other one does it.
pub struct OpeningStore<F> {
    inner: Arc<dyn ObjectStore>,
    change: F,
    heads_fail: Option<ErrorClass>,
}

impl<F> OpeningStore<F>
where
    F: Fn(&OpenRequest, Result<ObjectReader, ObjectError>) -> Result<ObjectReader, ObjectError> + Send + Sync + 'static,
{
    /// A store that hands every opened object, and every failure to open one, through this function.
    pub fn new(inner: Arc<dyn ObjectStore>, change: F) -> Self {
        Self { inner, change, heads_fail: None }
    }

    /// The same store, which does not answer what it is asked about objects but fails with this class.
    #[must_use]
    pub fn with_failing_heads(self, class: ErrorClass) -> Self {
        Self { heads_fail: Some(class), ..self }
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
        match self.heads_fail {
            Some(class) => Err(ObjectError::new(class, code::ACCESS_DENIED, "head", address, "as told")),
            None => self.inner.head(address).await,
        }
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
