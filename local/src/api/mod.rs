//! The APIs of AWS on 127.0.0.1, so that real clients drive the engine and the function host: the `aws` command, boto3,
//! any SDK.
//!
//! ```text
//! Step Functions client ── HTTP ── step_functions (awsJson1_0) ── engine ── Services ──┐
//! Lambda client ────────── HTTP ── lambda (REST) ──────────────────────────────────────┴─ function host, or
//!                                                                     lambda::RemoteLambda ── HTTP ── another endpoint
//! ```
//!
//! Clients sign their requests; the signatures are not looked at, and none is needed. The embedded S3 has a room of its
//! own ([`s3`](crate::s3)), which does check them.

pub mod lambda;
pub mod step_functions;
#[cfg(test)]
pub(crate) mod test_client;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::Response;
use hyper::body::Incoming;

/// Reads the body of a request, which may have at most so many bytes. `None`: it has more, or broke off.
pub(crate) async fn limited_body(body: Incoming, most: usize) -> Option<Bytes> {
    #[expect(clippy::disallowed_methods, reason = "the body is limited")]
    Limited::new(body, most).collect().await.ok().map(http_body_util::Collected::to_bytes)
}

/// An answer with a status, headers and a body. Headers that cannot be sent are left out.
pub(crate) fn answer(status: u16, headers: &[(&'static str, &str)], body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in headers {
        if let Ok(value) = hyper::header::HeaderValue::from_str(value) {
            response.headers_mut().insert(*name, value);
        }
    }
    response
}
