//! What survives a restart, and what else the service does, over real HTTP.

use std::fmt::Write as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::{Method, StatusCode};
use md5::{Digest as _, Md5};

use super::http_tests::{Client, new_store};
use super::*;

fn kept(folder: &Path) -> Result<ObjectStore, StoreError> {
    ObjectStore::new(StoreOptions { kept_in: Some(folder.to_path_buf()), ..StoreOptions::default() })
}

#[tokio::test]
async fn objects_survive_with_everything_that_is_known_of_them() {
    let folder = tempfile::tempdir().unwrap();
    // As long as a key may be, and nothing that a file could be called.
    let long = format!("/../%00/{}", "x".repeat(1_010));
    let long_path = format!("/raw//../%2500/{}", "x".repeat(1_010));
    let headers = [
        ("cache-control", "no-store"),
        ("content-type", "text/csv"),
        ("x-amz-checksum-sha256", "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU="),
        ("x-amz-meta-colour", "red"),
        ("x-amz-tagging", "a=1&b=2"),
    ];
    let client = Client::start(kept(folder.path()).unwrap()).await;
    client.send(Method::PUT, "/raw", "", &[], "").await;
    client.send(Method::PUT, "/empty", "", &[], "").await;
    let body = "123456789";
    let put = client.send(Method::PUT, &long_path, "", &headers, body).await;
    assert_eq!(put.status, StatusCode::OK, "{}", put.text());
    for version in ["first", "second"] {
        assert_eq!(client.send(Method::PUT, "/raw/replaced", "", &[], version).await.status, StatusCode::OK);
    }
    client.send(Method::PUT, "/raw/deleted", "", &[], "x").await;
    client.send(Method::DELETE, "/raw/deleted", "", &[], "").await;
    let listed = client.send(Method::GET, "/raw", "list-type=2", &[], "").await;
    let before = listed.text().to_owned();
    client.shutdown().await;
    let bodies = folder.path().join("raw/bodies");
    assert_eq!(std::fs::read_dir(&bodies).unwrap().count(), 2, "what was replaced or deleted is gone");
    std::fs::write(bodies.join("0000"), "left by a killed process").unwrap();

    let client = Client::start(kept(folder.path()).unwrap()).await;
    assert_eq!(std::fs::read_dir(&bodies).unwrap().count(), 2, "leftovers are deleted");
    assert!(before.contains(&long), "{before}");
    assert_eq!(client.send(Method::GET, "/raw", "list-type=2", &[], "").await.text(), before);
    let get = client.send(Method::GET, &long_path, "", &[("x-amz-checksum-mode", "ENABLED")], "").await;
    assert_eq!(get.text(), body);
    for (name, value) in &headers[..4] {
        assert_eq!(get.header(name), *value, "{name}");
    }
    assert_eq!((get.header("etag"), get.header("x-amz-tagging-count")), (put.header("etag"), "2"));
    assert_eq!(client.send(Method::GET, "/raw/replaced", "", &[], "").await.text(), "second");
    assert_eq!(client.send(Method::HEAD, "/empty", "", &[], "").await.status, StatusCode::OK);
    client.shutdown().await;
}

#[test]
fn a_folder_with_other_files_or_another_owner_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let first = kept(folder.path()).unwrap();
    assert!(matches!(kept(folder.path()), Err(StoreError::FolderInUse { .. })));
    first.create_bucket("raw").unwrap();
    drop(first);
    std::fs::write(folder.path().join("raw/entries/x"), "{}").unwrap();
    let error = kept(folder.path()).unwrap_err().to_string();
    assert!(error.contains("bucket \"raw\" has 1 entries that cannot be read"), "{error}");
    let other = tempfile::tempdir().unwrap();
    std::fs::write(other.path().join("a.csv"), "id\n").unwrap();
    assert!(matches!(kept(other.path()), Err(StoreError::NotAStore { .. })));
}

#[tokio::test]
async fn copies_tags_and_deletions() {
    let client = Client::start(new_store()).await;
    client.send(Method::PUT, "/raw", "", &[], "").await;
    let headers = [("content-type", "text/csv"), ("x-amz-meta-colour", "red"), ("x-amz-tagging", "a=1")];
    let put = client.send(Method::PUT, "/raw/a", "", &headers, "123456789").await;
    let copy = async |to: &str, headers: &[(&str, &str)]| client.send(Method::PUT, to, "", headers, "").await;
    let plain = copy("/raw/b", &[("x-amz-copy-source", "/raw/a")]).await;
    assert_eq!(plain.status, StatusCode::OK, "{}", plain.text());
    assert!(plain.text().contains(put.header("etag").trim_matches('"')), "{}", plain.text());
    let get = client.send(Method::GET, "/raw/b", "", &[], "").await;
    assert_eq!(
        [get.text(), get.header("x-amz-meta-colour"), get.header("x-amz-tagging-count")],
        ["123456789", "red", "1"]
    );
    let replace = [
        ("content-type", "text/plain"),
        ("x-amz-copy-source", "raw/a"),
        ("x-amz-metadata-directive", "REPLACE"),
        ("x-amz-tagging-directive", "REPLACE"),
    ];
    assert_eq!(copy("/raw/c", &replace).await.status, StatusCode::OK);
    let get = client.send(Method::GET, "/raw/c", "", &[], "").await;
    assert_eq!(
        [get.header("content-type"), get.header("x-amz-meta-colour"), get.header("x-amz-tagging-count")],
        ["text/plain", "", ""]
    );
    let check = async |to: &str, headers: &[(&str, &str)], status: u16, code: &str| {
        let answer = copy(to, headers).await;
        assert_eq!(answer.status.as_u16(), status, "{to}: {}", answer.text());
        assert!(answer.text().contains(code), "{to}: {}", answer.text());
    };
    check("/raw/a", &[("x-amz-copy-source", "raw/a")], 400, "InvalidArgument").await;
    check("/raw/d", &[("x-amz-copy-source", "raw/none")], 404, "NoSuchKey").await;
    let changed = [("x-amz-copy-source", "raw/a"), ("x-amz-copy-source-if-match", "\"other\"")];
    check("/raw/d", &changed, 412, "PreconditionFailed").await;
    let same = [("x-amz-copy-source", "raw/a"), ("x-amz-copy-source-if-none-match", put.header("etag"))];
    check("/raw/d", &same, 412, "PreconditionFailed").await;

    let tagging = "<Tagging><TagSet><Tag><Key>x</Key><Value>1 &amp; 2</Value></Tag></TagSet></Tagging>";
    assert_eq!(client.send(Method::PUT, "/raw/a", "tagging=", &[], tagging).await.status, StatusCode::OK);
    let tags = client.send(Method::GET, "/raw/a", "tagging=", &[], "").await;
    assert!(tags.text().contains("<Key>x</Key><Value>1 &amp; 2</Value>"), "{}", tags.text());
    assert_eq!(client.send(Method::HEAD, "/raw/a", "", &[], "").await.header("etag"), put.header("etag"));
    assert_eq!(client.send(Method::DELETE, "/raw/a", "tagging=", &[], "").await.status, StatusCode::NO_CONTENT);
    assert!(!client.send(Method::GET, "/raw/a", "tagging=", &[], "").await.text().contains("<Key>"));
    let twice = tagging.replace("</TagSet>", "<Tag><Key>x</Key><Value></Value></Tag></TagSet>");
    let refused = client.send(Method::PUT, "/raw/a", "tagging=", &[], &twice).await;
    assert_eq!((refused.status, refused.text().contains("InvalidTag")), (StatusCode::BAD_REQUEST, true));

    let delete = "<Delete><Object><Key>a</Key></Object><Object><Key>none</Key></Object>\
                  <Object><Key>b</Key><ETag>\"other\"</ETag></Object></Delete>";
    let md5 = STANDARD.encode(Md5::digest(delete));
    let deleted = client.send(Method::POST, "/raw", "delete=", &[("content-md5", &md5)], delete).await;
    let text = deleted.text();
    assert_eq!(deleted.status, StatusCode::OK, "{text}");
    assert!(text.contains("<Deleted><Key>a</Key>") && text.contains("<Deleted><Key>none</Key>"), "{text}");
    assert!(text.contains("PreconditionFailed"), "{text}");
    assert_eq!(client.send(Method::HEAD, "/raw/a", "", &[], "").await.status, StatusCode::NOT_FOUND);
    assert_eq!(client.send(Method::HEAD, "/raw/b", "", &[], "").await.status, StatusCode::OK);
}

fn between<'a>(text: &'a str, name: &str) -> &'a str {
    let (_, rest) = text.split_once(&format!("<{name}>")).unwrap_or_else(|| panic!("no {name} in {text}"));
    rest.split('<').next().unwrap()
}

#[tokio::test]
async fn multipart_uploads_are_listed_copied_and_have_checksums() {
    let client = Client::start(new_store()).await;
    client.send(Method::PUT, "/raw", "", &[], "").await;
    let large = "x".repeat(6 << 20);
    client.send(Method::PUT, "/raw/source", "", &[], &large).await;
    let open = async |key: &str, headers: &[(&str, &str)]| {
        let opened = client.send(Method::POST, &format!("/raw/{key}"), "uploads=", headers, "").await;
        between(opened.text(), "UploadId").to_owned()
    };
    let id = open("joined", &[("x-amz-checksum-algorithm", "CRC32"), ("x-amz-meta-colour", "red")]).await;
    let other = open("other/one", &[]).await;
    let uploads = client.send(Method::GET, "/raw", "uploads=", &[], "").await;
    assert!(uploads.text().contains(&id) && uploads.text().contains(&other), "{}", uploads.text());
    let first = client.send(Method::GET, "/raw", "max-uploads=1&uploads=", &[], "").await;
    assert!(first.text().contains(&id) && first.text().contains("<IsTruncated>true"), "{}", first.text());
    let next = format!("key-marker=joined&upload-id-marker={id}&uploads=");
    let next = client.send(Method::GET, "/raw", &next, &[], "").await;
    assert!(next.text().contains(&other) && !next.text().contains(&format!("<UploadId>{id}")), "{}", next.text());
    let folded = client.send(Method::GET, "/raw", "delimiter=%2F&uploads=", &[], "").await;
    assert!(folded.text().contains("<Prefix>other/</Prefix>") && !folded.text().contains(&other), "{}", folded.text());

    let part = format!("partNumber=1&uploadId={id}");
    let range = [("x-amz-copy-source", "/raw/source"), ("x-amz-copy-source-range", "bytes=0-5242879")];
    let copied = client.send(Method::PUT, "/raw/joined", &part, &range, "").await;
    assert_eq!(copied.status, StatusCode::OK, "{}", copied.text());
    let last = client.send(Method::PUT, "/raw/joined", &format!("partNumber=2&uploadId={id}"), &[], "end").await;
    let parts = client.send(Method::GET, "/raw/joined", &format!("uploadId={id}"), &[], "").await;
    assert!(
        parts.text().contains("<Size>5242880</Size>") && parts.text().contains("<Size>3</Size>"),
        "{}",
        parts.text()
    );
    let page = client.send(Method::GET, "/raw/joined", &format!("max-parts=1&uploadId={id}"), &[], "").await;
    assert!(page.text().contains("<NextPartNumberMarker>1</NextPartNumberMarker>"), "{}", page.text());
    assert!(page.text().contains("<IsTruncated>true</IsTruncated>"), "{}", page.text());
    let mut complete = String::from("<CompleteMultipartUpload>");
    for (number, tag) in
        [(1, between(copied.text(), "ETag").replace("&quot;", "\"")), (2, last.header("etag").to_owned())]
    {
        write!(complete, "<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag></Part>").unwrap();
    }
    complete.push_str("</CompleteMultipartUpload>");
    let done = client.send(Method::POST, "/raw/joined", &format!("uploadId={id}"), &[], &complete).await;
    assert_eq!(done.status, StatusCode::OK, "{}", done.text());
    assert!(between(done.text(), "ChecksumCRC32").ends_with("-2"), "{}", done.text());
    assert_eq!(between(done.text(), "ChecksumType"), "COMPOSITE");
    let head = client.send(Method::HEAD, "/raw/joined", "", &[("x-amz-checksum-mode", "ENABLED")], "").await;
    assert_eq!(head.header("x-amz-checksum-crc32"), between(done.text(), "ChecksumCRC32"));
    assert_eq!([head.header("content-length"), head.header("x-amz-meta-colour")], ["5242883", "red"]);

    let whole = [("x-amz-checksum-algorithm", "CRC32"), ("x-amz-checksum-type", "FULL_OBJECT")];
    let id = open("whole", &whole).await;
    let put = client.send(Method::PUT, "/raw/whole", &format!("partNumber=1&uploadId={id}"), &[], "123456789").await;
    let complete = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{}</ETag></Part>\
                            </CompleteMultipartUpload>",
        put.header("etag")
    );
    let wrong = [("x-amz-checksum-crc32", "AAAAAA=="), ("x-amz-checksum-type", "FULL_OBJECT")];
    let refused = client.send(Method::POST, "/raw/whole", &format!("uploadId={id}"), &wrong, &complete).await;
    assert!(refused.text().contains("BadDigest"), "{}", refused.text());
    let done = client.send(Method::POST, "/raw/whole", &format!("uploadId={id}"), &[], &complete).await;
    assert_eq!(between(done.text(), "ChecksumCRC32"), "y/Q5Jg==", "the CRC-32 of 123456789");
    assert_eq!(between(done.text(), "ChecksumType"), "FULL_OBJECT");
}

#[tokio::test]
async fn a_share_of_requests_is_slowed_down() {
    let store = new_store();
    store.create_bucket("raw").unwrap();
    store.create_bucket("other").unwrap();
    store.slow_down("raw", 0.25);
    let client = Client::start(store).await;
    let mut refused = 0;
    for _ in 0..8 {
        let answer = client.send(Method::GET, "/raw", "list-type=2", &[], "").await;
        if answer.status == StatusCode::SERVICE_UNAVAILABLE {
            assert!(answer.text().contains("<Code>SlowDown</Code>"), "{}", answer.text());
            refused += 1;
        }
        assert_eq!(client.send(Method::GET, "/other", "list-type=2", &[], "").await.status, StatusCode::OK);
    }
    assert_eq!(refused, 2);
    let unsigned = hyper::Request::get("/raw").header("host", "x").body(http_body_util::Full::default()).unwrap();
    assert_eq!(client.exchange(unsigned).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_hundred_thousand_keys_are_listed_in_order() {
    const KEYS: usize = 100_000;
    let store = new_store();
    store.create_bucket("raw").unwrap();
    // 7 shares no factor with the number, so this is every key once, in another order.
    for number in (0..KEYS).map(|number| number * 7 % KEYS) {
        let key = format!("k/{number:06}");
        store.put("raw", &key, b"x", Attributes::default(), WriteCondition::default()).await.unwrap();
    }
    let client = Client::start(store).await;
    let (mut token, mut keys, mut pages) = (None::<String>, Vec::with_capacity(KEYS), 0);
    loop {
        let query = match &token {
            None => "list-type=2".to_owned(),
            Some(token) => {
                assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric()), "needs no encoding: {token}");
                format!("continuation-token={token}&list-type=2")
            }
        };
        let page = client.send(Method::GET, "/raw", &query, &[], "").await;
        pages += 1;
        keys.extend(page.text().split("<Key>").skip(1).map(|rest| rest.split('<').next().unwrap().to_owned()));
        if page.text().contains("<IsTruncated>false") {
            break;
        }
        token = Some(between(page.text(), "NextContinuationToken").to_owned());
    }
    assert_eq!((keys.len(), pages), (KEYS, 100));
    assert!(keys.is_sorted() && keys[0] == "k/000000");
}
