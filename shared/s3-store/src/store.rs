//! The adapter.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use object_store::{
    ETag, ErrorClass, ListPage, ListRequest, MultipartUpload, ObjectAddress, ObjectError, ObjectHead, ObjectReader,
    ObjectStore, OpenRequest, UploadState, WriteCondition, WriteRequest, Written, code,
};

use crate::attempts::Attempts;
use crate::classify::request_failure;
use crate::client::{self, EnvironmentError};
use crate::list;
use crate::open;
use crate::options::S3Options;
use crate::upload::S3Upload;

/// S3, or a service that speaks its protocol. Cheap to clone; clones share their connections, and slow down
/// together when the service asks for it.
#[derive(Debug, Clone)]
pub struct S3Store {
    client: Client,
    attempts: Arc<Attempts>,
}

impl S3Store {
    /// A store by the environment: the region in `AWS_REGION`, credentials as the SDK finds them, and another endpoint
    /// in `AWS_ENDPOINT_URL_S3` if one is to be used (with an IP address, buckets are put into the path).
    ///
    /// Nothing is sent yet. Missing credentials show at the first request.
    pub async fn from_environment() -> Result<Self, EnvironmentError> {
        let options = S3Options::default();
        Ok(Self::new(client::from_environment(&options).await?, options))
    }

    /// A store at an endpoint such as `http://127.0.0.1:9000`, with the bucket in the path. The environment and profile
    /// files are not looked at for region, endpoint and credentials.
    #[must_use]
    pub fn for_endpoint(endpoint: &str, region: &str, access_key_id: &str, secret_access_key: &str) -> Self {
        Self::for_endpoint_with(endpoint, region, access_key_id, secret_access_key, S3Options::default())
    }

    /// Like [`S3Store::for_endpoint`], with options of one's own.
    #[must_use]
    pub fn for_endpoint_with(
        endpoint: &str,
        region: &str,
        access_key_id: &str,
        secret_access_key: &str,
        options: S3Options,
    ) -> Self {
        let client = client::for_endpoint(endpoint, region, access_key_id, secret_access_key, &options);
        Self::new(client, options)
    }

    fn new(client: Client, options: S3Options) -> Self {
        Self { client, attempts: Arc::new(Attempts::new(options)) }
    }
}

#[async_trait]
impl ObjectStore for S3Store {
    async fn open(&self, request: &OpenRequest) -> Result<ObjectReader, ObjectError> {
        self.attempts.run(|| open::open(&self.client, request)).await
    }

    async fn head(&self, address: &ObjectAddress) -> Result<ObjectHead, ObjectError> {
        let head = || async {
            let answer = self
                .client
                .head_object()
                .bucket(address.bucket.as_str())
                .key(address.key.as_str())
                .send()
                .await
                .map_err(|error| request_failure("head", address, error))?;
            Ok(ObjectHead {
                etag: written_etag("head", address, answer.e_tag())?,
                size: answer.content_length().and_then(|length| u64::try_from(length).ok()).unwrap_or_default(),
                metadata: answer.metadata.unwrap_or_default().into_iter().collect(),
            })
        };
        self.attempts.run(head).await
    }

    async fn list(&self, request: &ListRequest) -> Result<ListPage, ObjectError> {
        self.attempts.run(|| list::list(&self.client, request)).await
    }

    async fn put(&self, request: &WriteRequest, body: Bytes) -> Result<Written, ObjectError> {
        let address = &request.address;
        let bytes = body.len() as u64;
        let put = || async {
            let answer = self
                .client
                .put_object()
                .bucket(address.bucket.as_str())
                .key(address.key.as_str())
                .set_content_type(request.content_type.clone())
                .set_content_encoding(request.content_encoding.clone())
                .set_metadata(Some(request.metadata.clone().into_iter().collect()))
                .set_if_none_match((request.condition == WriteCondition::Absent).then(|| "*".to_owned()))
                .set_if_match(match &request.condition {
                    WriteCondition::Version(etag) => Some(etag.quoted()),
                    WriteCondition::None | WriteCondition::Absent => None,
                })
                .body(ByteStream::from(body.clone()))
                .send()
                .await
                .map_err(|error| request_failure("put", address, error))?;
            Ok(Written { etag: written_etag("put", address, answer.e_tag())?, bytes })
        };
        self.attempts.run(put).await
    }

    async fn begin_upload(&self, request: &WriteRequest) -> Result<Box<dyn MultipartUpload>, ObjectError> {
        Ok(Box::new(S3Upload::begin(self.client.clone(), self.attempts.clone(), request).await?))
    }

    async fn resume_upload(
        &self,
        request: &WriteRequest,
        state: &UploadState,
    ) -> Result<Box<dyn MultipartUpload>, ObjectError> {
        Ok(Box::new(S3Upload::resume(self.client.clone(), self.attempts.clone(), request, state.clone())))
    }
}

/// The ETag of an object that was written.
pub(crate) fn written_etag(
    operation: &'static str,
    address: &ObjectAddress,
    etag: Option<&str>,
) -> Result<ETag, ObjectError> {
    etag.and_then(|etag| ETag::parse(etag).ok()).ok_or_else(|| {
        let message = "expected an ETag in the answer of the service; found none";
        ObjectError::new(ErrorClass::Transient, code::UNREADABLE_ANSWER, operation, address, message)
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use aws_credential_types::provider::error::CredentialsError;
    use aws_credential_types::provider::{ProvideCredentials, future};
    use object_store::Backoff;

    use super::*;

    /// Finds credentials as badly as told.
    #[derive(Debug)]
    struct Failing(fn() -> CredentialsError);

    impl ProvideCredentials for Failing {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            future::ProvideCredentials::ready(Err((self.0)()))
        }
    }

    async fn check(failure: fn() -> CredentialsError, class: ErrorClass) {
        let backoff = Backoff { first: Duration::from_millis(1), longest: Duration::from_millis(1) };
        let options = S3Options { backoff, ..S3Options::default() };
        let client = client::for_endpoint("http://127.0.0.1:9", "us-east-1", "key", "secret", &options);
        let builder = client.config().to_builder().credentials_provider(Failing(failure));
        let store = S3Store::new(Client::from_conf(builder.build()), options);
        let address = ObjectAddress::parse("raw", "a.csv").unwrap();
        let error = store.open(&OpenRequest::whole(address)).await.unwrap_err();
        assert_eq!((error.class, error.code), (class, code::CREDENTIALS), "{error}");
    }

    #[tokio::test]
    async fn missing_credentials_are_named() {
        check(|| CredentialsError::not_loaded("nothing is set"), ErrorClass::Configuration).await;
        check(|| CredentialsError::provider_error("the endpoint is down"), ErrorClass::Transient).await;
    }
}
