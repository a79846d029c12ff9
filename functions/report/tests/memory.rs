//! Memory does not grow with the run: millions of lines in many ledgers, through the real code, over a store that makes
//! them while they are read.
//!
//! What is measured is the most resident memory of this process (`VmHWM`), which never goes down again. After a first
//! report has been made, one of a run twenty times as long must not raise it by more than a little.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

mod support;

use async_trait::async_trait;
use batch::{Deadline, LedgerLine, Status};
use bytes::Bytes;
use futures::{StreamExt, stream};
use object_store::fakes::MemoryStore;
use object_store::{
    ETag, ErrorClass, ListPage, ListRequest, ListedObject, MultipartUpload, ObjectAddress, ObjectError, ObjectHead,
    ObjectReader, ObjectStore, OpenRequest, UploadState, UploadedPart, WriteRequest, Written, code,
};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use support::{Runs, failed, line, payload, succeeded};

/// Lines of a ledger.
const LINES: u64 = 500;

/// Most by which the longer run may raise the peak.
const MOST_GROWTH: u64 = 16 << 20;

/// A run of so many ledgers. What is written is counted and thrown away, but for small objects.
struct LongRun {
    ledgers: u64,
    small: MemoryStore,
    written: Arc<AtomicU64>,
}

impl LongRun {
    /// The lines of a ledger: one of a hundred failed, one of a hundred was skipped.
    fn body(ledger: u64) -> Vec<u8> {
        let mut body = Vec::new();
        for number in 0..LINES {
            let key = format!("in/folder-{}/object-{ledger}-{number}.json", ledger % 97);
            let line = match number % 100 {
                7 => failed(&key, "bad_data", &format!("code_{}", number % 300)),
                9 => LedgerLine { reason: Some(format!("reason {ledger}")), ..line(&key, Status::Skipped) },
                _ => LedgerLine { duration_ms: (ledger * LINES + number) % 5_000, ..succeeded(&key) },
            };
            serde_json::to_writer(&mut body, &line).unwrap();
            body.push(b'\n');
        }
        body
    }
}

#[async_trait]
impl ObjectStore for LongRun {
    async fn open(&self, request: &OpenRequest) -> Result<ObjectReader, ObjectError> {
        let Some(name) = request.address.key.as_str().strip_prefix("out/_mapmill/r/ledger/") else {
            return self.small.open(request).await;
        };
        let body = Bytes::from(Self::body(name.trim_end_matches(".jsonl").parse().unwrap()));
        let size = body.len() as u64;
        let chunks = stream::unfold(body, |mut rest| async move {
            (!rest.is_empty()).then(|| (Ok(rest.split_to(rest.len().min(64 << 10))), rest))
        });
        let etag = ETag::parse("e").unwrap();
        Ok(ObjectReader {
            etag,
            size,
            content_type: None,
            content_encoding: None,
            checksum: None,
            body: chunks.boxed(),
        })
    }

    async fn head(&self, address: &ObjectAddress) -> Result<ObjectHead, ObjectError> {
        self.small.head(address).await
    }

    async fn list(&self, request: &ListRequest) -> Result<ListPage, ObjectError> {
        let folder = "out/_mapmill/r/ledger/";
        if request.prefix != folder {
            return self.small.list(request).await;
        }
        let last = request.start_after.as_ref().map(|last| last[folder.len()..][..12].parse::<u64>().unwrap());
        let first = last.map_or(0, |last| last + 1);
        let end = self.ledgers.min(first + u64::from(request.most));
        let objects = (first..end).map(|number| ListedObject {
            key: format!("{folder}{number:012}.jsonl"),
            size: 1,
            etag: None,
            last_modified: None,
        });
        Ok(ListPage { objects: objects.collect(), is_last: end == self.ledgers })
    }

    async fn put(&self, request: &WriteRequest, body: Bytes) -> Result<Written, ObjectError> {
        self.written.fetch_add(body.len() as u64, Ordering::Relaxed);
        self.small.put(request, body).await
    }

    async fn begin_upload(&self, _: &WriteRequest) -> Result<Box<dyn MultipartUpload>, ObjectError> {
        Ok(Box::new(Discarded(self.written.clone(), UploadState { id: "u".into(), parts: Vec::new() })))
    }

    async fn resume_upload(
        &self,
        request: &WriteRequest,
        _: &UploadState,
    ) -> Result<Box<dyn MultipartUpload>, ObjectError> {
        let message = "nobody resumes here";
        Err(ObjectError::new(ErrorClass::NotFound, code::NO_SUCH_UPLOAD, "upload", &request.address, message))
    }
}

struct Discarded(Arc<AtomicU64>, UploadState);

#[async_trait]
impl MultipartUpload for Discarded {
    async fn upload_part(&mut self, _: u32, body: Bytes) -> Result<(), ObjectError> {
        self.0.fetch_add(body.len() as u64, Ordering::Relaxed);
        self.1.parts.push(UploadedPart { etag: "e".into(), crc32: None, bytes: body.len() as u64 });
        Ok(())
    }

    fn state(&self) -> UploadState {
        self.1.clone()
    }

    async fn complete(&mut self) -> Result<Written, ObjectError> {
        Ok(Written { etag: ETag::parse("e").unwrap(), bytes: 0 })
    }

    async fn abort(&mut self) -> Result<(), ObjectError> {
        Ok(())
    }
}

/// The most resident memory of this process so far.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

/// Makes the report of a run of so many ledgers; answers the peak and the bytes written.
async fn report(ledgers: u64) -> (u64, u64) {
    let runs = Runs::new();
    runs.plan("r", ledgers * LINES, None);
    let written = Arc::new(AtomicU64::new(0));
    let store = LongRun { ledgers, small: runs.store.clone(), written: written.clone() };
    let deadline = Deadline::after(std::time::Duration::from_secs(86_400));
    let answer = report::handle(runs.worker_on(Arc::new(store)), payload(&runs.event("r")), deadline).await.unwrap();
    let answer = serde_json::to_value(answer).unwrap();
    let (items, hundredth) = (ledgers * LINES, ledgers * LINES / 100);
    assert_eq!(answer["items"]["total"], items);
    assert_eq!((&answer["items"]["failed"], &answer["items"]["skipped"]), (&json!(hundredth), &json!(hundredth)));
    assert_eq!(answer["items"]["missing"], 0);
    (peak(), written.load(Ordering::Relaxed))
}

#[tokio::test]
async fn two_million_lines_take_no_more_memory_than_a_hundred_thousand() {
    let (short, _) = report(200).await;
    let (long, written) = report(4_000).await;
    println!(
        "peak {} MiB, then {} MiB after 2,000,000 lines; {} MB written",
        short >> 20,
        long >> 20,
        written / 1_000_000
    );
    assert!(written > 300_000_000, "the manifest has every output: {written} bytes");
    assert!(long - short < MOST_GROWTH, "the peak grew from {} to {} MiB", short >> 20, long >> 20);
}
