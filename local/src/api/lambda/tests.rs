//! The server and the client over real HTTP, with processes of `/bin/sh` as functions.
//!
//! The processes do not speak the Runtime API; they fail in ways that show which invocation reached them. That answers of
//! real functions arrive is shown by the tests of the whole command.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hyper::Method;

use super::*;
use crate::api::test_client::{Answer, exchange};
use crate::lambda_host::{FunctionConfig, HostOptions, LambdaHost, PAYLOAD_BYTES_MAX, WhenBusy};
use crate::services::LambdaRequest;

async fn server(script: &str) -> LambdaServer {
    let host = LambdaHost::new(HostOptions { init_timeout: Duration::from_secs(5), ..HostOptions::default() });
    let config = FunctionConfig {
        name: "work".to_owned(),
        command: PathBuf::from("/bin/sh"),
        arguments: vec!["-c".into(), script.into()],
        memory_mb: 128,
        limit_memory: false,
        timeout: Duration::from_secs(3),
        environment: BTreeMap::new(),
        max_environments: Some(1),
        when_busy: WhenBusy::Throttle,
    };
    host.register(config).unwrap();
    LambdaServer::start(Arc::new(host), 0).await.unwrap()
}

async fn invoke(server: &LambdaServer, name: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Answer {
    exchange(server.address(), Method::POST, &format!("{PATH_BEFORE}{name}{PATH_AFTER}"), headers, body).await
}

#[tokio::test]
async fn functions_fail_with_a_header_and_refusals_with_a_status() {
    let server = server("exit 3").await;
    let check =
        async |name: &str, headers: &[(&str, &str)], body: &str, status: u16, header: (&str, &str), part: &str| {
            let answer = invoke(&server, name, headers, body.to_owned()).await;
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            assert_eq!(answer.status, status, "{name}: {text}");
            assert_eq!(answer.header(header.0), header.1, "{name}: {text}");
            assert!(text.contains(part), "{name}: {text}");
        };
    let failed = (FUNCTION_ERROR, "Unhandled");
    check("work", &[], "{}", 200, failed, "Runtime.ExitError").await;
    check("work", &[], "", 200, failed, "exit status 3").await;
    check("work%3Alive", &[], "{}", 200, failed, "Runtime.ExitError").await;
    let arn = "arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Awork";
    check(arn, &[], "{}", 200, failed, "Runtime.ExitError").await;
    let kind = "x-amzn-errortype";
    check("other", &[], "{}", 404, (kind, "ResourceNotFoundException"), "not registered").await;
    check("work", &[], "{", 400, (kind, "InvalidRequestContentException"), "Could not parse request body").await;
    let large = "1".repeat(PAYLOAD_BYTES_MAX + 1);
    check("work", &[], &large, 413, (kind, "RequestTooLargeException"), "").await;
    check("work", &[("x-amz-invocation-type", "DryRun")], "{}", 204, (kind, ""), "").await;
    check("other", &[("x-amz-invocation-type", "DryRun")], "{}", 404, (kind, "ResourceNotFoundException"), "").await;
    check("work", &[("x-amz-invocation-type", "Event")], "{}", 202, (kind, ""), "").await;
    let wrong = [("x-amz-invocation-type", "Later")];
    check("work", &wrong, "{}", 400, (kind, "InvalidParameterValueException"), "Later").await;
    let get = exchange(server.address(), Method::GET, "/2015-03-31/functions/work/invocations", &[], "").await;
    assert_eq!(get.status, 404);
}

#[tokio::test]
async fn a_busy_function_throttles() {
    let server = Arc::new(server("sleep 60").await);
    let first = tokio::spawn({
        let server = Arc::clone(&server);
        async move { invoke(&server, "work", &[], "{}").await }
    });
    let mut answer = invoke(&server, "work", &[], "{}").await;
    // Whichever of the two came first has the only place.
    if answer.status != 429 {
        answer = first.await.unwrap();
    }
    assert_eq!((answer.status, answer.header("x-amzn-errortype")), (429, "TooManyRequestsException"));
    assert_eq!(answer.json()["Reason"], "ReservedFunctionConcurrentInvocationLimitExceeded");
}

fn request(function: &str) -> LambdaRequest<'_> {
    let payload = Bytes::from_static(b"{}");
    let (begun, _) = tokio::sync::oneshot::channel();
    LambdaRequest { function, payload, client_context: None, wants_log: true, begun }
}

#[tokio::test]
async fn a_remote_endpoint_is_invoked_and_its_errors_are_named() {
    let server = server("exit 3").await;
    let remote = RemoteLambda::new(&server.endpoint()).unwrap();
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:work:live";
    let failure = remote.invoke(request(arn)).await.unwrap_err();
    assert_eq!(failure.error, "Runtime.ExitError");
    assert!(failure.cause.contains("exit status 3"), "{}", failure.cause);
    let failure = remote.invoke(request("other")).await.unwrap_err();
    assert_eq!(failure.error, "Lambda.ResourceNotFoundException");
    let cause = "(Service: AWSLambda; Status Code: 404; Error Code: ResourceNotFoundException; Request ID: ";
    assert!(failure.cause.contains(cause), "{}", failure.cause);
    let nowhere = RemoteLambda::new("http://127.0.0.1:1").unwrap();
    let failure = nowhere.invoke(request("work")).await.unwrap_err();
    assert_eq!(failure.error, "Lambda.SdkClientException");
}

#[tokio::test]
async fn the_client_context_is_checked() {
    let server = server("exit 3").await;
    let good = STANDARD.encode("{\"custom\":{}}");
    assert_eq!(invoke(&server, "work", &[("x-amz-client-context", &good)], "{}").await.status, 200);
    assert_eq!(invoke(&server, "work", &[("x-amz-client-context", "%%")], "{}").await.status, 400);
    let split = STANDARD.encode("{\r\n}");
    assert_eq!(invoke(&server, "work", &[("x-amz-client-context", &split)], "{}").await.status, 400);
}
