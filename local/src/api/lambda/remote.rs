//! Invokes functions at an endpoint that speaks the Invoke API over plain HTTP.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Request, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::{FUNCTION_ERROR, PATH_AFTER, PATH_BEFORE};
use crate::lambda_host::PAYLOAD_BYTES_MAX;
use crate::services::{LambdaAnswer, LambdaRequest, TaskFailure, refused_by_lambda};

/// How long one invocation may take: the longest timeout of a function, and time for a cold start.
const INVOCATION_TIMEOUT: Duration = Duration::from_secs(930);

/// An endpoint that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the endpoint {found:?} cannot be used: expected http://HOST:PORT")]
pub struct RemoteLambdaError {
    /// What was given.
    pub found: String,
}

/// Functions at another endpoint. Connections are kept and used again.
#[derive(Debug, Clone)]
pub struct RemoteLambda {
    base: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl RemoteLambda {
    /// Takes an endpoint such as `http://127.0.0.1:9000`, perhaps with a path before that of the API.
    ///
    /// # Errors
    /// [`RemoteLambdaError`] when it is not a plain HTTP address. Whether somebody listens there shows only on invoking.
    pub fn new(endpoint: &str) -> Result<Self, RemoteLambdaError> {
        let base = endpoint.trim_end_matches('/');
        let uri: Option<Uri> = base.parse().ok();
        let fits = uri.is_some_and(|uri| {
            uri.scheme_str() == Some("http") && uri.host().is_some_and(|host| !host.is_empty()) && uri.query().is_none()
        });
        if !fits {
            return Err(RemoteLambdaError { found: endpoint.to_owned() });
        }
        Ok(Self { base: base.to_owned(), client: Client::builder(TokioExecutor::new()).build_http() })
    }

    /// Invokes a function by name or ARN and waits for its answer.
    ///
    /// # Errors
    /// A function that fails has the name of its own error. What the endpoint refuses has the name of the service's error,
    /// for instance `Lambda.TooManyRequestsException`; an endpoint that cannot be reached is
    /// `Lambda.SdkClientException`.
    pub async fn invoke(&self, request: LambdaRequest<'_>) -> Result<LambdaAnswer, TaskFailure> {
        let LambdaRequest { function, payload, client_context, wants_log, begun } = request;
        // How long an invocation waits for its place there is not known.
        let _ = begun.send(());
        let (name, qualifier) = name_and_qualifier(function);
        let mut address = format!("{}{PATH_BEFORE}{}{PATH_AFTER}", self.base, utf8_percent_encode(name, SAFE));
        if let Some(qualifier) = qualifier {
            address = format!("{address}?Qualifier={}", utf8_percent_encode(qualifier, SAFE));
        }
        let mut request = Request::post(address)
            .header("content-type", "application/json")
            .header("x-amz-invocation-type", "RequestResponse");
        if wants_log {
            request = request.header("x-amz-log-type", "Tail");
        }
        if let Some(context) = client_context {
            request = request.header("x-amz-client-context", context);
        }
        let request = request.body(Full::new(payload)).map_err(|error| client_failure(&error))?;
        let exchange = async move {
            let (parts, body) =
                self.client.request(request).await.map_err(|error| client_failure(&error))?.into_parts();
            let limited = Limited::new(body, PAYLOAD_BYTES_MAX);
            #[expect(clippy::disallowed_methods, reason = "the body is limited")]
            let body = limited.collect().await.map_err(|error| TaskFailure {
                error: "Lambda.SdkClientException".to_owned(),
                cause: format!("the answer has more than {PAYLOAD_BYTES_MAX} bytes, or broke off: {error}"),
            })?;
            Ok::<_, TaskFailure>((parts, body.to_bytes()))
        };
        let (parts, body) = tokio::time::timeout(INVOCATION_TIMEOUT, exchange).await.map_err(|_| TaskFailure {
            error: "Lambda.SdkClientException".to_owned(),
            cause: format!("{} did not answer within {} s", self.base, INVOCATION_TIMEOUT.as_secs()),
        })??;
        let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
        if !parts.status.is_success() {
            return Err(refusal(parts.status.as_u16(), header("x-amzn-errortype"), &body));
        }
        if header(FUNCTION_ERROR).is_some() {
            return Err(function_failure(&body));
        }
        let version = header("x-amz-executed-version").unwrap_or("$LATEST").to_owned();
        let request_id = header("x-amzn-requestid").map_or_else(|| uuid::Uuid::new_v4().to_string(), str::to_owned);
        let log_result = header("x-amz-log-result").map(str::to_owned);
        Ok(LambdaAnswer { payload: body, executed_version: version, request_id, log_result })
    }
}

/// What stands in a path or query as it is.
const SAFE: &percent_encoding::AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// The bare name and the qualifier in `name`, `name:qualifier` or an ARN.
fn name_and_qualifier(function: &str) -> (&str, Option<&str>) {
    let parts: Vec<_> = function.split(':').collect();
    match parts.as_slice() {
        ["arn", _, "lambda", _, _, "function", name, rest @ ..] => (name, rest.first().copied()),
        [name, qualifier] => (name, Some(qualifier)),
        _ => (function, None),
    }
}

fn client_failure(error: &(dyn std::error::Error + 'static)) -> TaskFailure {
    TaskFailure { error: "Lambda.SdkClientException".to_owned(), cause: crate::explain::explain(error) }
}

/// A function that failed: its own error type, and the whole error as the cause.
fn function_failure(body: &[u8]) -> TaskFailure {
    let text = String::from_utf8_lossy(body).into_owned();
    let parsed: Option<Value> = serde_json::from_slice(body).ok();
    let error_type = parsed.as_ref().and_then(|error| error.get("errorType")?.as_str());
    let error = error_type.filter(|name| !name.is_empty()).unwrap_or("Lambda.Unknown").to_owned();
    TaskFailure { error, cause: text }
}

/// What the endpoint refused, by the name of the error that it gives or that its status stands for.
fn refusal(status: u16, named: Option<&str>, body: &[u8]) -> TaskFailure {
    let parsed: Option<Value> = serde_json::from_slice(body).ok();
    let text = |names: &[&str]| names.iter().find_map(|name| parsed.as_ref()?.get(*name)?.as_str());
    // A header may go on with ":http://…", a body may begin with a name space and "#".
    let named = named.and_then(|name| name.split(':').next());
    let named = named.or_else(|| text(&["__type"]).and_then(|name| name.rsplit('#').next()));
    let name = named.filter(|name| !name.is_empty()).unwrap_or(match status {
        404 => "ResourceNotFoundException",
        413 => "RequestTooLargeException",
        429 => "TooManyRequestsException",
        400..500 => "AWSLambdaException",
        _ => "ServiceException",
    });
    let message = text(&["Message", "message", "errorMessage"]).unwrap_or("no message");
    refused_by_lambda(name, status, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_and_names() {
        let check = |endpoint: &str, fits: bool| assert_eq!(RemoteLambda::new(endpoint).is_ok(), fits, "{endpoint}");
        check("http://127.0.0.1:9000", true);
        check("http://localhost:9000/prefix/", true);
        check("https://lambda.us-east-1.amazonaws.com", false);
        check("127.0.0.1:9000", false);
        check("http://", false);
        check("", false);
        assert_eq!(name_and_qualifier("f"), ("f", None));
        assert_eq!(name_and_qualifier("f:live"), ("f", Some("live")));
        assert_eq!(name_and_qualifier("arn:aws:lambda:r:0:function:f"), ("f", None));
        assert_eq!(name_and_qualifier("arn:aws:lambda:r:0:function:f:7"), ("f", Some("7")));
    }

    #[test]
    fn refusals_have_the_names_of_the_service() {
        let check = |status: u16, named: Option<&str>, body: &str, error: &str, cause: &str| {
            let failure = refusal(status, named, body.as_bytes());
            assert_eq!(failure.error, error);
            assert!(failure.cause.starts_with(cause), "{}", failure.cause);
        };
        check(
            429,
            Some("TooManyRequestsException:http://x"),
            r#"{"message":"Rate Exceeded."}"#,
            "Lambda.TooManyRequestsException",
            "Rate Exceeded. (Service: AWSLambda; Status Code: 429; Error Code: TooManyRequestsException; Request ID: ",
        );
        check(429, None, "", "Lambda.TooManyRequestsException", "no message");
        check(500, None, r#"{"__type":"x#ServiceException","Message":"m"}"#, "Lambda.ServiceException", "m (");
        check(502, None, "<html>", "Lambda.ServiceException", "no message (Service: AWSLambda; Status Code: 502; ");
        check(404, None, "{}", "Lambda.ResourceNotFoundException", "no message");
        check(403, None, "{}", "Lambda.AWSLambdaException", "no message");
        let failed = function_failure(br#"{"errorType":"Mine","errorMessage":"m"}"#);
        assert_eq!((failed.error.as_str(), failed.cause.contains("errorMessage")), ("Mine", true));
        assert_eq!(function_failure(b"null").error, "Lambda.Unknown");
    }
}
