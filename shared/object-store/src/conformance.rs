//! What every implementation of the port must do, as checks that panic when it does not.
//!
//! [`check_all`] needs a store with one empty bucket. Objects are written under `conformance/`.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::TryStreamExt;

use crate::error::{ErrorClass, ObjectError, code};
use crate::listing::{ListRequest, Listing};
use crate::names::{BucketName, ETag, ObjectAddress, ObjectKey};
use crate::resume::{ResumeOptions, ResumingReader};
use crate::store::{ByteRange, ObjectReader, ObjectStore, OpenRequest, WriteCondition, WriteRequest};
use crate::writer::{ObjectWriter, WriterOptions};

/// The smallest part that S3 takes.
const PART_BYTES: usize = 5 << 20;

/// Runs every check.
pub async fn check_all(store: Arc<dyn ObjectStore>, bucket: BucketName) {
    let suite = Suite { store, bucket };
    suite.what_is_put_is_read().await;
    suite.empty_objects_exist().await;
    suite.attributes_are_kept().await;
    suite.odd_keys_are_kept_apart().await;
    suite.a_put_replaces_the_object().await;
    suite.ranges_are_parts_of_the_object().await;
    suite.ranges_outside_the_object_are_refused().await;
    suite.versions_are_checked().await;
    suite.what_is_missing_is_not_found().await;
    suite.uploads_become_visible_when_complete().await;
    suite.aborted_uploads_leave_nothing().await;
    suite.uploads_go_on_in_another_writer().await;
    suite.heads_tell_what_is_there().await;
    suite.large_objects_are_streamed().await;
    suite.listings_are_in_order_and_in_pages().await;
    suite.writes_may_ask_for_what_is_there().await;
}

struct Suite {
    store: Arc<dyn ObjectStore>,
    bucket: BucketName,
}

/// Bytes that differ everywhere, so that a part at the wrong place is noticed.
fn pattern(length: usize, seed: u32) -> Bytes {
    let mut state = seed | 1;
    let mut bytes = BytesMut::with_capacity(length + 4);
    while bytes.len() < length {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        bytes.extend_from_slice(&state.rotate_left(11).to_le_bytes());
    }
    bytes.truncate(length);
    bytes.freeze()
}

async fn read_all(reader: ObjectReader) -> Bytes {
    let collected: Result<BytesMut, ObjectError> = reader
        .body
        .try_fold(BytesMut::new(), |mut bytes, chunk| async move {
            bytes.extend_from_slice(&chunk);
            Ok(bytes)
        })
        .await;
    require(collected, "reading the body").freeze()
}

#[track_caller]
#[expect(clippy::panic, reason = "a check that fails panics, as assertions do")]
fn require<T, E: std::fmt::Display>(result: Result<T, E>, what: &str) -> T {
    result.unwrap_or_else(|error| panic!("{what}: {error}"))
}

#[track_caller]
#[expect(clippy::panic, reason = "a check that fails panics, as assertions do")]
fn require_error<T>(result: Result<T, ObjectError>, class: ErrorClass, code: &str) {
    match result {
        Ok(_) => panic!("expected {code}; found success"),
        Err(error) => assert_eq!((error.class, error.code), (class, code), "{error}"),
    }
}

impl Suite {
    fn address(&self, name: &str) -> ObjectAddress {
        let key = require(ObjectKey::parse(&format!("conformance/{name}")), "a key");
        ObjectAddress { bucket: self.bucket.clone(), key }
    }

    async fn put(&self, name: &str, body: &Bytes) -> ETag {
        let request = WriteRequest::new(self.address(name));
        let written = require(self.store.put(&request, body.clone()).await, name);
        assert_eq!(written.bytes, body.len() as u64, "{name}: bytes written");
        written.etag
    }

    async fn open(
        &self,
        name: &str,
        range: Option<ByteRange>,
        if_match: Option<ETag>,
    ) -> Result<ObjectReader, ObjectError> {
        self.store.open(&OpenRequest { address: self.address(name), range, if_match }).await
    }

    async fn what_is_put_is_read(&self) {
        let body = pattern(100_000, 1);
        let etag = self.put("small", &body).await;
        let reader = require(self.open("small", None, None).await, "open");
        assert_eq!(reader.etag, etag, "the ETag of reading is that of writing");
        assert_eq!(reader.size, 100_000);
        assert_eq!(read_all(reader).await, body);
    }

    async fn empty_objects_exist(&self) {
        self.put("empty", &Bytes::new()).await;
        let reader = require(self.open("empty", None, None).await, "open an empty object");
        assert_eq!(reader.size, 0);
        assert_eq!(read_all(reader).await, Bytes::new());
    }

    async fn attributes_are_kept(&self) {
        let metadata = BTreeMap::from([("mapmill-job".to_owned(), "abc".to_owned())]);
        let request = |name: &str| WriteRequest {
            address: self.address(name),
            content_type: Some("application/x-ndjson".to_owned()),
            content_encoding: Some("gzip".to_owned()),
            metadata: metadata.clone(),
            condition: WriteCondition::None,
        };
        require(self.store.put(&request("attributes-put"), pattern(10, 2)).await, "put");
        let mut upload = require(self.store.begin_upload(&request("attributes-upload")).await, "begin");
        require(upload.upload_part(1, pattern(10, 2)).await, "part");
        require(upload.complete().await, "complete");
        for name in ["attributes-put", "attributes-upload"] {
            let reader = require(self.open(name, None, None).await, name);
            assert_eq!(reader.content_type.as_deref(), Some("application/x-ndjson"), "{name}");
            assert_eq!(reader.content_encoding.as_deref(), Some("gzip"), "{name}");
            assert_eq!(read_all(reader).await, pattern(10, 2), "{name}: the body is not decoded");
        }
    }

    async fn odd_keys_are_kept_apart(&self) {
        let long = "k".repeat(ObjectKey::MAX_BYTES - "conformance/".len());
        let names = [
            "a b",
            "a+b",
            "a%20b",
            "a%2Fb",
            "größe/日本語",
            "x",
            "x/y",
            "q?a=b&c#d",
            "'quoted\"",
            "semi;colon,comma",
            "star*",
            ".dot",
            "back\\slash",
            "tail ",
            &long,
        ];
        for (seed, name) in (100_u32..).zip(names) {
            self.put(name, &pattern(50, seed)).await;
        }
        for (seed, name) in (100_u32..).zip(names) {
            let reader = require(self.open(name, None, None).await, name);
            assert_eq!(read_all(reader).await, pattern(50, seed), "{name}");
        }
    }

    async fn a_put_replaces_the_object(&self) {
        let first = self.put("replaced", &pattern(1000, 3)).await;
        let second = self.put("replaced", &pattern(500, 4)).await;
        assert_ne!(first, second);
        let reader = require(self.open("replaced", None, None).await, "open");
        assert_eq!((reader.size, &reader.etag), (500, &second));
        assert_eq!(read_all(reader).await, pattern(500, 4));
    }

    async fn ranges_are_parts_of_the_object(&self) {
        let body = pattern(10_000, 5);
        self.put("ranges", &body).await;
        let ranges =
            [(0, Some(1)), (0, None), (9_999, None), (9_999, Some(10_000)), (17, Some(4_000)), (5_000, Some(20_000))];
        for (start, end) in ranges {
            let reader = require(self.open("ranges", Some(ByteRange { start, end }), None).await, "open a range");
            assert_eq!(reader.size, 10_000, "the size is that of the whole object");
            let end = usize::try_from(end.unwrap_or(10_000)).unwrap_or(usize::MAX).min(10_000);
            let start = usize::try_from(start).unwrap_or(usize::MAX);
            assert_eq!(read_all(reader).await, body.slice(start..end), "{start}..{end}");
        }
    }

    async fn ranges_outside_the_object_are_refused(&self) {
        self.put("short", &pattern(10, 6)).await;
        self.put("none", &Bytes::new()).await;
        for (name, start) in [("short", 10), ("short", 1 << 40), ("none", 0)] {
            let opened = self.open(name, Some(ByteRange { start, end: None }), None).await;
            require_error(opened, ErrorClass::BadData, code::RANGE_OUTSIDE_OBJECT);
        }
    }

    async fn versions_are_checked(&self) {
        let old = self.put("versions", &pattern(1000, 7)).await;
        require(self.open("versions", None, Some(old.clone())).await, "the version that is there");
        let new = self.put("versions", &pattern(1000, 8)).await;
        let range = Some(ByteRange { start: 10, end: None });
        require_error(self.open("versions", None, Some(old.clone())).await, ErrorClass::Changed, code::OBJECT_CHANGED);
        require_error(self.open("versions", range, Some(old)).await, ErrorClass::Changed, code::OBJECT_CHANGED);
        let reader = require(self.open("versions", range, Some(new)).await, "a part of the version that is there");
        assert_eq!(read_all(reader).await, pattern(1000, 8).slice(10..));
    }

    async fn what_is_missing_is_not_found(&self) {
        require_error(self.open("missing", None, None).await, ErrorClass::NotFound, code::NO_SUCH_KEY);
        let bucket = require(BucketName::parse("no-such-bucket-for-conformance"), "a bucket name");
        let address = ObjectAddress { bucket, ..self.address("missing") };
        let opened = self.store.open(&OpenRequest::whole(address.clone())).await;
        require_error(opened, ErrorClass::NotFound, code::NO_SUCH_BUCKET);
        let request = WriteRequest::new(address);
        let put = self.store.put(&request, pattern(10, 9)).await;
        require_error(put, ErrorClass::NotFound, code::NO_SUCH_BUCKET);
        require_error(self.store.begin_upload(&request).await, ErrorClass::NotFound, code::NO_SUCH_BUCKET);
    }

    async fn uploads_become_visible_when_complete(&self) {
        let body = pattern(2 * PART_BYTES + 1234, 10);
        let request = WriteRequest::new(self.address("uploaded"));
        let mut upload = require(self.store.begin_upload(&request).await, "begin");
        for (number, start) in [(1, 0), (2, PART_BYTES), (3, 2 * PART_BYTES)] {
            let part = body.slice(start..body.len().min(start + PART_BYTES));
            require(upload.upload_part(number, part).await, "part");
            require_error(self.open("uploaded", None, None).await, ErrorClass::NotFound, code::NO_SUCH_KEY);
        }
        let written = require(upload.complete().await, "complete");
        assert_eq!(written.bytes, body.len() as u64);
        let reader = require(self.open("uploaded", None, None).await, "open");
        assert_eq!((reader.size, &reader.etag), (written.bytes, &written.etag));
        assert_eq!(read_all(reader).await, body);
    }

    async fn aborted_uploads_leave_nothing(&self) {
        let request = WriteRequest::new(self.address("aborted"));
        let mut upload = require(self.store.begin_upload(&request).await, "begin");
        require(upload.upload_part(1, pattern(1000, 11)).await, "part");
        require(upload.abort().await, "abort");
        require_error(self.open("aborted", None, None).await, ErrorClass::NotFound, code::NO_SUCH_KEY);
        assert!(upload.upload_part(2, pattern(1000, 11)).await.is_err(), "an aborted upload takes no more parts");
    }

    async fn large_objects_are_streamed(&self) {
        let body = pattern(3 * PART_BYTES + 77, 12);
        let options = WriterOptions { part_bytes: PART_BYTES, ..WriterOptions::default() };
        let request = WriteRequest::new(self.address("large"));
        let mut writer = ObjectWriter::new(self.store.clone(), request, options);
        for chunk in body.chunks(300_007) {
            require(writer.write(chunk).await, "write");
        }
        let written = require(writer.finish().await, "finish");
        assert_eq!(written.bytes, body.len() as u64);

        let request = OpenRequest::whole(self.address("large"));
        let mut reader =
            require(ResumingReader::open(self.store.clone(), request, ResumeOptions::default()).await, "open");
        assert_eq!(*reader.etag(), written.etag);
        let mut position = 0;
        while let Some(chunk) = require(reader.next().await, "read") {
            assert_eq!(chunk, body.slice(position..position + chunk.len()), "at byte {position}");
            position += chunk.len();
        }
        assert_eq!(position, body.len());
    }

    async fn uploads_go_on_in_another_writer(&self) {
        let options = WriterOptions { part_bytes: PART_BYTES, ..WriterOptions::default() };
        let request = WriteRequest::new(self.address("continued"));
        let body = pattern(2 * PART_BYTES + 7000, 23);
        for cut in [10, PART_BYTES + 3000, body.len()] {
            let mut first = ObjectWriter::new(self.store.clone(), request.clone(), options);
            require(first.write(&body[..cut]).await, "the first writer");
            let (state, buffer) = first.checkpoint();
            let buffer = buffer.to_vec();
            // What comes after the checkpoint does not count, also not a part of it.
            require(first.write(&pattern(PART_BYTES + 1, 29)).await, "the first writer goes on");
            if state.upload.is_some() {
                drop(first);
            } else {
                require(first.abort().await, "an upload that no checkpoint needs");
            }
            let resumed = ObjectWriter::resume(self.store.clone(), request.clone(), options, state, buffer).await;
            let mut second = require(resumed, "the second writer");
            require(second.write(&body[cut..]).await, "the second writer");
            let written = require(second.finish().await, "finishing");
            assert_eq!(written.bytes, body.len() as u64, "bytes of both writers");
            assert_eq!(read_all(require(self.open("continued", None, None).await, "open")).await, body);
        }
    }

    async fn listings_are_in_order_and_in_pages(&self) {
        // In the order of their bytes, which is another one than that of letters.
        let names = ["list/A", "list/a", "list/a b+c%20", "list/a/b", "list/a0", "list/ä", "list/\u{10000}"];
        let mut etags = Vec::new();
        for (number, name) in names.iter().enumerate().rev() {
            etags.insert(0, self.put(name, &pattern(number, 31)).await);
        }
        self.put("listed-elsewhere", &pattern(1, 31)).await;
        for most in [1, 3, 1000] {
            let request = ListRequest { most, ..ListRequest::new(self.bucket.clone(), "conformance/list/") };
            let mut listing = Listing::new(self.store.clone(), request);
            let mut found = Vec::new();
            while let Some(page) = require(listing.next_page().await, "a page") {
                assert!(page.len() <= usize::from(most), "a page of {most}");
                found.extend(page);
            }
            let keys: Vec<&str> = found.iter().map(|object| object.key.as_str()).collect();
            let expected: Vec<String> = names.iter().map(|name| format!("conformance/{name}")).collect();
            assert_eq!(keys, expected, "pages of {most}");
            for (number, object) in found.iter().enumerate() {
                assert_eq!((object.size, object.etag.as_ref()), (number as u64, Some(&etags[number])), "{object:?}");
            }
        }
        let bucket = require(BucketName::parse("no-such-bucket-for-conformance"), "a bucket name");
        let listed = self.store.list(&ListRequest::new(bucket, "")).await;
        require_error(listed, ErrorClass::NotFound, code::NO_SUCH_BUCKET);
    }

    async fn writes_may_ask_for_what_is_there(&self) {
        let put = async |name: &str, condition, body: &'static [u8]| {
            let request = WriteRequest { condition, ..WriteRequest::new(self.address(name)) };
            self.store.put(&request, Bytes::from_static(body)).await
        };
        let missing = ETag::of_hash(7);
        let version = WriteCondition::Version;
        let first = require(put("condition", WriteCondition::Absent, b"first").await, "a write where nothing is").etag;
        let again = put("condition", WriteCondition::Absent, b"again").await;
        require_error(again, ErrorClass::Changed, code::OBJECT_CHANGED);
        let second =
            require(put("condition", version(first.clone()), b"second").await, "a write over its version").etag;
        let late = put("condition", version(first), b"late").await;
        require_error(late, ErrorClass::Changed, code::OBJECT_CHANGED);
        let nothing = put("condition-missing", version(missing), b"nothing").await;
        require_error(nothing, ErrorClass::NotFound, code::NO_SUCH_KEY);
        let head = require(self.store.head(&self.address("condition")).await, "the head");
        assert_eq!((head.etag, head.size), (second, 6), "the second write is what is there");
    }

    async fn heads_tell_what_is_there(&self) {
        let metadata = BTreeMap::from([("mapmill-job".to_owned(), "abc".to_owned())]);
        let request = WriteRequest { metadata: metadata.clone(), ..WriteRequest::new(self.address("asked")) };
        let written = require(self.store.put(&request, Bytes::from_static(b"1234")).await, "put");
        let head = require(self.store.head(&request.address).await, "head");
        assert_eq!((head.etag, head.size, head.metadata), (written.etag, 4, metadata));
        require_error(self.store.head(&self.address("never")).await, ErrorClass::NotFound, code::NO_SUCH_KEY);
    }
}
