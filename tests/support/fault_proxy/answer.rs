//! The answers of a service in trouble, as S3 words them.

use super::flow::Outgoing;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Response, StatusCode};

/// The error code that S3 sends with a status.
fn code(status: u16) -> &'static str {
    match status {
        403 => "AccessDenied",
        404 => "NoSuchKey",
        409 => "ConditionalRequestConflict",
        412 => "PreconditionFailed",
        416 => "InvalidRange",
        500 => "InternalError",
        503 => "SlowDown",
        400..500 => "InvalidRequest",
        _ => "ServiceUnavailable",
    }
}

/// An error as S3 sends it. An answer to HEAD has no body, and hyper leaves it out.
pub(super) fn error(status: u16, retry_after: Option<u64>) -> Response<Outgoing> {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{}</Code><Message>injected by the fault proxy</Message>\
         <RequestId>FAULTPROXY</RequestId></Error>",
        code(status)
    );
    let body = Full::new(Bytes::from(body)).map_err(|never| match never {}).boxed_unsync();
    let mut answer = Response::new(body);
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = answer.headers_mut();
    headers.insert("content-type", "application/xml".parse().unwrap());
    headers.insert("x-amz-request-id", "FAULTPROXY".parse().unwrap());
    if let Some(seconds) = retry_after {
        headers.insert("retry-after", seconds.into());
    }
    answer
}
