//! The server over real HTTP, with requests signed as an SDK signs them.

use std::fmt::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use sha2::{Digest, Sha256};

use super::server::{ACCESS_KEY_ID, REGION, S3Server, SECRET_ACCESS_KEY};
use super::store::{ObjectStore, StoreOptions};

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let mut block = [0_u8; 64];
    block[..key.len()].copy_from_slice(key);
    let inner = Sha256::new().chain_update(block.map(|byte| byte ^ 0x36)).chain_update(text).finalize();
    Sha256::new().chain_update(block.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize().to_vec()
}

pub(super) struct Client {
    server: S3Server,
    secret: &'static str,
}

pub(super) struct Answer {
    pub(super) status: StatusCode,
    headers: hyper::HeaderMap,
    body: Bytes,
}

impl Answer {
    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Client {
    pub(super) async fn start(store: ObjectStore) -> Self {
        Self { server: S3Server::start(Arc::new(store), 0).await.unwrap(), secret: SECRET_ACCESS_KEY }
    }

    pub(super) async fn shutdown(self) {
        self.server.shutdown().await;
    }

    /// Sends one request signed with version 4; `query` in the order of its names, encoded.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        query: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let host = self.server.address().to_string();
        let payload = hex::encode(Sha256::digest(body));
        let time = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
        let day = time.split('T').next().unwrap();
        let mut signed = vec![("host", host.as_str()), ("x-amz-content-sha256", &payload), ("x-amz-date", &time)];
        signed.extend(headers);
        signed.sort_unstable();
        let names = signed.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        let mut canonical = format!("{method}\n{path}\n{query}\n");
        for (name, value) in &signed {
            writeln!(canonical, "{name}:{value}").unwrap();
        }
        write!(canonical, "\n{names}\n{payload}").unwrap();
        let scope = format!("{day}/{REGION}/s3/aws4_request");
        let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", hex::encode(Sha256::digest(canonical)));
        let key = [day, REGION, "s3", "aws4_request"]
            .iter()
            .fold(format!("AWS4{}", self.secret).into_bytes(), |key, part| hmac(&key, part));
        let signature = hex::encode(hmac(&key, &text));
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={ACCESS_KEY_ID}/{scope}, SignedHeaders={names}, Signature={signature}"
        );
        let uri = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
        let mut request = Request::builder().method(method).uri(uri).header("authorization", authorization);
        for (name, value) in signed {
            request = request.header(name, value);
        }
        self.exchange(request.body(Full::new(Bytes::from(body.to_owned()))).unwrap()).await
    }

    pub(super) async fn exchange(&self, request: Request<Full<Bytes>>) -> Answer {
        let stream = tokio::net::TcpStream::connect(self.server.address()).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let (parts, body) = sender.send_request(request).await.unwrap().into_parts();
        let body = Limited::new(body, 1 << 20);
        #[expect(clippy::disallowed_methods, reason = "the body is limited")]
        let body = body.collect().await.unwrap().to_bytes();
        Answer { status: parts.status, headers: parts.headers, body }
    }
}

pub(super) fn new_store() -> ObjectStore {
    ObjectStore::new(StoreOptions::default()).unwrap()
}

#[tokio::test]
async fn objects_over_http() {
    let client = Client::start(new_store()).await;
    let send = async |method: Method, path: &str, headers: &[(&str, &str)], body: &str| {
        client.send(method, path, "", headers, body).await
    };
    assert_eq!(send(Method::PUT, "/raw/k", &[], "x").await.status, StatusCode::NOT_FOUND);
    assert_eq!(send(Method::PUT, "/raw", &[], "").await.status, StatusCode::OK);
    let headers = [("content-type", "text/csv"), ("x-amz-meta-colour", "red"), ("x-amz-checksum-crc32", "y/Q5Jg==")];
    let put = send(Method::PUT, "/raw/a/k%20%C3%BC", &headers, "123456789").await;
    assert_eq!(put.status, StatusCode::OK, "{}", put.text());
    assert_eq!(put.header("etag"), "\"25f9e794323b453885f5181f1b624d0b\"");
    let wrong = [("x-amz-checksum-crc32", "AAAAAA==")];
    let refused = send(Method::PUT, "/raw/bad", &wrong, "123456789").await;
    assert_eq!((refused.status, refused.text().contains("BadDigest")), (StatusCode::BAD_REQUEST, true));
    assert_eq!(send(Method::GET, "/raw/bad", &[], "").await.status, StatusCode::NOT_FOUND);

    let get = send(Method::GET, "/raw/a/k%20%C3%BC", &[("x-amz-checksum-mode", "ENABLED")], "").await;
    assert_eq!((get.status, get.text()), (StatusCode::OK, "123456789"));
    assert_eq!(get.header("content-type"), "text/csv");
    assert_eq!(get.header("x-amz-meta-colour"), "red");
    assert_eq!(get.header("x-amz-checksum-crc32"), "y/Q5Jg==");
    assert_eq!(get.header("content-length"), "9");
    let part = send(Method::GET, "/raw/a/k%20%C3%BC", &[("range", "bytes=-4")], "").await;
    assert_eq!((part.status, part.text()), (StatusCode::PARTIAL_CONTENT, "6789"));
    assert_eq!(part.header("content-range"), "bytes 5-8/9");
    let behind = send(Method::GET, "/raw/a/k%20%C3%BC", &[("range", "bytes=9-")], "").await;
    assert_eq!(behind.status, StatusCode::RANGE_NOT_SATISFIABLE);
    let head = send(Method::HEAD, "/raw/a/k%20%C3%BC", &[], "").await;
    assert_eq!((head.status, head.header("content-length")), (StatusCode::OK, "9"));

    let check = async |headers: &[(&str, &str)], status: StatusCode| {
        let answer = send(Method::GET, "/raw/a/k%20%C3%BC", headers, "").await;
        assert_eq!(answer.status, status, "{headers:?}");
    };
    check(&[("if-match", "\"25f9e794323b453885f5181f1b624d0b\"")], StatusCode::OK).await;
    check(&[("if-match", "\"00\"")], StatusCode::PRECONDITION_FAILED).await;
    check(&[("if-none-match", "\"25f9e794323b453885f5181f1b624d0b\"")], StatusCode::NOT_MODIFIED).await;
    check(&[("if-modified-since", "Thu, 01 Jan 2015 00:00:00 GMT")], StatusCode::OK).await;
    check(&[("if-unmodified-since", "Thu, 01 Jan 2015 00:00:00 GMT")], StatusCode::PRECONDITION_FAILED).await;
    let exists = send(Method::PUT, "/raw/a/k%20%C3%BC", &[("if-none-match", "*")], "x").await;
    assert_eq!(exists.status, StatusCode::PRECONDITION_FAILED);
    assert_eq!(send(Method::DELETE, "/raw/a/k%20%C3%BC", &[], "").await.status, StatusCode::NO_CONTENT);
    let missing = send(Method::GET, "/raw/a/k%20%C3%BC", &[], "").await;
    assert_eq!((missing.status, missing.text().contains("NoSuchKey")), (StatusCode::NOT_FOUND, true));
    client.server.shutdown().await;
}

#[tokio::test]
async fn listing_and_multipart_over_http() {
    let data = tempfile::tempdir().unwrap();
    std::fs::create_dir(data.path().join("d")).unwrap();
    for name in ["d/1 & 2", "d/3", "e"] {
        std::fs::write(data.path().join(name), name).unwrap();
    }
    let store = new_store();
    store.mount("raw", data.path()).unwrap();
    let client = Client::start(store).await;
    let page = client.send(Method::GET, "/raw", "list-type=2&max-keys=1&prefix=d%2F", &[], "").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text().contains("<Key>d/1 &amp; 2</Key>") && page.text().contains("<IsTruncated>true</IsTruncated>"));
    let token = page.text().split("NextContinuationToken>").nth(1).unwrap().trim_end_matches("</");
    let query = format!("continuation-token={token}&delimiter=&encoding-type=url&list-type=2&max-keys=1&prefix=d%2F");
    let page = client.send(Method::GET, "/raw", &query, &[], "").await;
    assert!(page.text().contains("<Key>d/3</Key>") && page.text().contains("<IsTruncated>false</IsTruncated>"));
    let page = client.send(Method::GET, "/raw", "delimiter=%2F&list-type=2", &[], "").await;
    assert!(page.text().contains("<Prefix>d/</Prefix>") && page.text().contains("<Key>e</Key>"), "{}", page.text());

    let begun = client.send(Method::POST, "/raw/m", "uploads=", &[], "").await;
    assert_eq!(begun.status, StatusCode::OK, "{}", begun.text());
    let id = begun.text().split("UploadId>").nth(1).unwrap().trim_end_matches("</").to_owned();
    let part = client.send(Method::PUT, "/raw/m", &format!("partNumber=1&uploadId={id}"), &[], "part").await;
    assert_eq!(part.status, StatusCode::OK, "{}", part.text());
    let complete = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{}</ETag></Part></CompleteMultipartUpload>",
        part.header("etag")
    );
    let done = client.send(Method::POST, "/raw/m", &format!("uploadId={id}"), &[], &complete).await;
    assert_eq!(done.status, StatusCode::OK, "{}", done.text());
    assert_eq!(client.send(Method::GET, "/raw/m", "", &[], "").await.text(), "part");
    let gone = client.send(Method::DELETE, "/raw/m", &format!("uploadId={id}"), &[], "").await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
    client.server.shutdown().await;
}

#[tokio::test]
async fn what_is_not_allowed_or_not_there() {
    let mut client = Client::start(new_store()).await;
    let unsigned = Request::get("/raw").header("host", "127.0.0.1").body(Full::default()).unwrap();
    assert_eq!(client.exchange(unsigned).await.status, StatusCode::FORBIDDEN);
    let unknown = client.send(Method::GET, "/raw", "acl=", &[], "").await;
    assert_eq!((unknown.status, unknown.text().contains("NotImplemented")), (StatusCode::NOT_IMPLEMENTED, true));
    let version = client.send(Method::GET, "/raw/k", "versionId=1", &[], "").await;
    assert_eq!((version.status, version.text().contains("versionId")), (StatusCode::NOT_IMPLEMENTED, true));
    let bucket = client.send(Method::GET, "/raw", "list-type=2", &[], "").await;
    assert_eq!((bucket.status, bucket.text().contains("NoSuchBucket")), (StatusCode::NOT_FOUND, true));
    client.secret = "another";
    assert_eq!(client.send(Method::GET, "/", "", &[], "").await.status, StatusCode::FORBIDDEN);
    let address = client.server.address();
    assert!(address.ip().is_loopback());
    client.server.shutdown().await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_large_file_is_streamed_in_order() {
    let data = tempfile::tempdir().unwrap();
    let content: String = (0..200_000).map(|number| format!("{number:07}\n")).collect();
    std::fs::write(data.path().join("big"), &content).unwrap();
    let store = new_store();
    store.mount("raw", data.path()).unwrap();
    let client = Client::start(store).await;
    let range = [("range", "bytes=100000-1000000")];
    let part = client.send(Method::GET, "/raw/big", "", &range, "").await;
    assert_eq!(part.status, StatusCode::PARTIAL_CONTENT);
    assert!(part.text() == &content[100_000..=1_000_000]);
    client.server.shutdown().await;
}
