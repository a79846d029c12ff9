//! What the adapter makes of answers that only a real service or a broken network gives. A server on loopback sends
//! canned answers and counts the requests.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is a failed test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use object_store::{
    ETag, ErrorClass, ObjectAddress, ObjectError, ObjectStore, OpenRequest, ResumeOptions, ResumingReader, WriteRequest,
};
use s3_store::{S3Options, S3Store};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

struct Server {
    store: S3Store,
    requests: Arc<AtomicUsize>,
}

/// Sends the answers in order, one to each request, and the last one to all further requests.
async fn server(answers: Vec<Vec<u8>>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let store =
        S3Store::for_endpoint(&format!("http://{}", listener.local_addr().unwrap()), "us-east-1", "key", "secret");
    let requests = Arc::new(AtomicUsize::new(0));
    let counter = requests.clone();
    tokio::spawn(async move {
        loop {
            let (mut connection, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            let mut buffer = [0; 4096];
            while !request.windows(4).any(|window| window == b"\r\n\r\n") {
                match connection.read(&mut buffer).await {
                    Ok(0) | Err(_) => break,
                    Ok(count) => request.extend_from_slice(&buffer[..count]),
                }
            }
            let index = counter.fetch_add(1, Ordering::SeqCst).min(answers.len() - 1);
            // The client may hang up first, for instance when it sends a body that is not read here.
            drop(connection.write_all(&answers[index]).await);
            drop(connection.shutdown().await);
        }
    });
    Server { store, requests }
}

fn answer(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {status} Status\r\nConnection: close\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if !headers.iter().any(|(name, _)| *name == "Content-Length") {
        text.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    text.push_str("\r\n");
    [text.as_bytes(), body].concat()
}

fn error(status: u16, code: &str) -> Vec<u8> {
    let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>words</Message></Error>");
    answer(status, &[("Content-Type", "application/xml"), ("x-amz-request-id", "REQUEST1")], body.as_bytes())
}

fn request() -> OpenRequest {
    OpenRequest::whole(ObjectAddress::parse("raw", "a.csv").unwrap())
}

async fn check(answers: Vec<Vec<u8>>, class: ErrorClass, code: &str, requests: usize) -> ObjectError {
    let server = server(answers).await;
    let error = server.store.open(&request()).await.expect_err(code);
    assert_eq!((error.class, error.code), (class, code), "{error}");
    assert_eq!(server.requests.load(Ordering::SeqCst), requests, "{code}: requests");
    error
}

#[tokio::test]
async fn refusals_are_final() {
    let refused = check(vec![error(403, "AccessDenied")], ErrorClass::Denied, "access_denied", 1).await;
    assert_eq!(refused.message, "S3 answers AccessDenied: words (request REQUEST1)");
    assert_eq!(
        refused.to_string(),
        "open of s3://raw/a.csv failed: S3 answers AccessDenied: words (request REQUEST1) (access_denied)"
    );
    check(vec![answer(403, &[], b"")], ErrorClass::Denied, "access_denied", 1).await;
    check(vec![error(403, "InvalidAccessKeyId")], ErrorClass::Configuration, "credentials", 1).await;
    check(vec![error(403, "InvalidObjectState")], ErrorClass::BadData, "object_archived", 1).await;
    check(vec![error(404, "NoSuchKey")], ErrorClass::NotFound, "no_such_key", 1).await;
    check(vec![error(404, "NoSuchBucket")], ErrorClass::NotFound, "no_such_bucket", 1).await;
    check(vec![error(412, "PreconditionFailed")], ErrorClass::Changed, "object_changed", 1).await;
    check(vec![error(416, "InvalidRange")], ErrorClass::BadData, "range_outside_object", 1).await;
    check(vec![error(301, "PermanentRedirect")], ErrorClass::Configuration, "wrong_endpoint", 1).await;
}

#[tokio::test]
async fn failures_of_the_service_are_tried_five_times() {
    check(vec![error(503, "SlowDown")], ErrorClass::Throttled, "slow_down", 5).await;
    check(vec![error(500, "InternalError")], ErrorClass::Transient, "service_error", 5).await;
    check(vec![answer(502, &[], b"<html>")], ErrorClass::Transient, "service_error", 5).await;
}

#[tokio::test]
async fn a_failure_that_passes_is_not_seen() {
    let good = answer(200, &[("ETag", "\"abc\"")], b"12345");
    let server = server(vec![error(503, "SlowDown"), error(500, "InternalError"), good]).await;
    let reader = server.store.open(&request()).await.unwrap();
    assert_eq!((reader.size, reader.etag), (5, ETag::parse("abc").unwrap()));
    assert_eq!(server.requests.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_service_that_is_not_there_is_transient() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = S3Store::for_endpoint(&endpoint, "us-east-1", "key", "secret").open(&request()).await.unwrap_err();
    assert_eq!((error.class, error.code), (ErrorClass::Transient, "connection_failed"), "{error}");
}

#[tokio::test]
async fn answers_without_what_is_needed_are_unreadable() {
    check(vec![answer(200, &[], b"12345")], ErrorClass::Transient, "unreadable_answer", 5).await;
    let server = server(vec![answer(200, &[("ETag", "\"abc\"")], b"12345")]).await;
    let range = Some(object_store::ByteRange { start: 2, end: None });
    let error = server.store.open(&OpenRequest { range, ..request() }).await.unwrap_err();
    assert_eq!(error.code, "unreadable_answer", "a service that ignores the range: {error}");
}

#[tokio::test]
async fn a_broken_body_is_resumed_with_range_and_version() {
    let headers = [("ETag", "\"abc\""), ("Content-Length", "10")];
    let rest = [("ETag", "\"abc\""), ("Content-Range", "bytes 4-9/10")];
    let server = server(vec![answer(200, &headers, b"0123"), answer(206, &rest, b"456789")]).await;
    let reader = ResumingReader::open(Arc::new(server.store), request(), ResumeOptions::default()).await;
    assert_eq!(read(reader.unwrap()).await.unwrap(), b"0123456789");
    assert_eq!(server.requests.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn another_checksum_is_noticed() {
    let open = |checksum: &'static str| async move {
        let headers = [("ETag", "\"abc\""), ("x-amz-checksum-crc32", checksum)];
        let server = server(vec![answer(200, &headers, b"123456789")]).await;
        ResumingReader::open(Arc::new(server.store), request(), ResumeOptions::default()).await.unwrap()
    };
    // The CRC-32 of these nine digits is known to be cbf43926.
    assert_eq!(read(open("y/Q5Jg==").await).await.unwrap(), b"123456789");
    let error = read(open("AAAAAA==").await).await.unwrap_err();
    assert_eq!((error.class, error.code), (ErrorClass::Transient, "checksum_mismatch"), "{error}");
}

#[tokio::test]
async fn refused_writes_name_the_operation() {
    let server = server(vec![error(403, "AccessDenied")]).await;
    let request = WriteRequest::new(request().address);
    let error = server.store.put(&request, Bytes::from_static(b"x")).await.unwrap_err();
    assert_eq!((error.class, error.operation), (ErrorClass::Denied, "put"));
    let error = server.store.begin_upload(&request).await.err().unwrap();
    assert_eq!((error.class, error.operation), (ErrorClass::Denied, "upload"));
}

async fn read(mut reader: ResumingReader) -> Result<Vec<u8>, ObjectError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = reader.next().await? {
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

#[tokio::test]
async fn a_silent_service_is_not_asked_again_by_the_reader_when_the_time_of_the_request_is_over() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    tokio::spawn(async move {
        let mut open = Vec::new();
        loop {
            let (connection, _) = listener.accept().await.unwrap();
            counter.fetch_add(1, Ordering::SeqCst);
            open.push(connection);
        }
    });
    // Three attempts at most begin before the time is over, and the reader would be content with five.
    let (read_timeout, operation_timeout) = (Duration::from_millis(200), Duration::from_millis(450));
    let options = S3Options { read_timeout, operation_timeout, ..S3Options::default() };
    let store = S3Store::for_endpoint_with(&endpoint, "us-east-1", "key", "secret", options);
    let request = OpenRequest::whole(ObjectAddress::parse("raw", "a").unwrap());
    let error = ResumingReader::open(Arc::new(store), request, ResumeOptions::default()).await.unwrap_err();
    let asked = u32::try_from(asked.load(Ordering::SeqCst)).unwrap();
    assert_eq!((error.class, error.code, error.is_out_of_time), (ErrorClass::Transient, "timeout", true), "{error}");
    assert!(asked <= 3 && asked == error.attempts, "{asked} requests: {error}");
}
