//! The HTTP server in front of a store, on loopback only.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::SimpleAuth;
use s3s::path::S3Path;
use s3s::service::S3ServiceBuilder;
use s3s::{S3Error, S3ErrorCode, S3Result};

use super::service::Service;
use super::store::ObjectStore;
use crate::loopback::Loopback;
pub use crate::loopback::ServerError;

/// The access key that clients of the embedded S3 must use. It protects nothing; it makes clients sign, as S3 does.
pub const ACCESS_KEY_ID: &str = "mapmill-local";

/// The secret that belongs to [`ACCESS_KEY_ID`].
pub const SECRET_ACCESS_KEY: &str = "mapmill-local-secret";

/// The region clients should name. Any other is accepted as well.
pub const REGION: &str = "us-east-1";

/// Lets in what is signed, but for the share of requests that is to be slowed down.
struct Access {
    store: Arc<ObjectStore>,
    requests: Arc<Requests>,
}

/// How often each operation was asked for.
#[derive(Debug, Default)]
struct Requests(Mutex<BTreeMap<String, u64>>);

impl Requests {
    fn count(&self, operation: &str) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match counts.get_mut(operation) {
            Some(count) => *count += 1,
            // There are about a hundred operations.
            None => drop(counts.insert(operation.to_owned(), 1)),
        }
    }
}

#[async_trait::async_trait]
impl S3Access for Access {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        self.requests.count(context.s3_op().name());
        if context.credentials().is_none() {
            let message = "the request is not signed: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";
            return Err(S3Error::with_message(S3ErrorCode::AccessDenied, message));
        }
        let (S3Path::Bucket { bucket } | S3Path::Object { bucket, .. }) = context.s3_path() else { return Ok(()) };
        if self.store.refuses(bucket) {
            let message = "Please reduce your request rate.";
            return Err(S3Error::with_message(S3ErrorCode::SlowDown, message));
        }
        Ok(())
    }
}

/// A running server. Dropping it ends the server at once; [`S3Server::shutdown`] lets requests in flight finish.
#[derive(Debug)]
pub struct S3Server {
    loopback: Loopback,
    requests: Arc<Requests>,
}

impl S3Server {
    /// Starts to serve `store` on 127.0.0.1. Port 0 takes any free port. Needs a Tokio runtime.
    ///
    /// # Errors
    /// [`ServerError::Bind`].
    pub async fn start(store: Arc<ObjectStore>, port: u16) -> Result<Self, ServerError> {
        let mut builder = S3ServiceBuilder::new(Service::new(Arc::clone(&store)));
        let requests = Arc::new(Requests::default());
        builder.set_access(Access { store, requests: Arc::clone(&requests) });
        builder.set_auth(SimpleAuth::from_single(ACCESS_KEY_ID, SECRET_ACCESS_KEY));
        Ok(Self { loopback: Loopback::start(port, builder.build()).await?, requests })
    }

    /// The address the server listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.loopback.address()
    }

    /// The endpoint to give to a client. It is an IP address, so SDKs put the bucket into the path.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.loopback.endpoint()
    }

    /// The environment variables by which the `aws` command and every SDK find the server.
    #[must_use]
    pub fn environment(&self) -> [(&'static str, String); 4] {
        [
            ("AWS_ENDPOINT_URL_S3", self.endpoint()),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY.to_owned()),
            ("AWS_REGION", REGION.to_owned()),
        ]
    }

    /// How often each operation was asked for so far, by its name in the API of S3.
    #[must_use]
    pub fn requests(&self) -> BTreeMap<String, u64> {
        self.requests.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Stops accepting, lets requests in flight finish for at most five seconds and ends the server.
    pub async fn shutdown(self) {
        self.loopback.shutdown().await;
    }
}
