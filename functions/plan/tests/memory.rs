//! Memory does not grow with the source: ten million objects, listed by a store that makes them up.
//!
//! Reads the peak resident size of this test's own process (`VmHWM`), so it is alone in its program. What the plan writes
//! goes to files, as it would go to S3. `MAPMILL_TEST_OBJECTS` sets another number of objects.
#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

mod support;

use async_trait::async_trait;
use batch::Deadline;
use bytes::Bytes;
use futures::StreamExt;
use object_store::fakes::MemoryStore;
use object_store::{
    ETag, ListPage, ListRequest, MultipartUpload, ObjectAddress, ObjectError, ObjectHead, ObjectReader, ObjectStore,
    OpenRequest, UploadState, WriteRequest, Written,
};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use support::{Listed, SyntheticStore, job, payload, plan_with};

/// Most resident memory of the process.
const MOST_MEMORY: u64 = 96 << 20;

/// Keeps objects in files of a folder.
struct FileStore(PathBuf);

impl FileStore {
    fn path(&self, address: &ObjectAddress) -> PathBuf {
        self.0.join(address.key.as_str().replace('/', "~"))
    }
}

struct FileUpload {
    path: PathBuf,
    bytes: u64,
}

fn written(bytes: u64) -> Written {
    Written { etag: ETag::parse("file").unwrap(), bytes }
}

#[async_trait]
impl ObjectStore for FileStore {
    async fn open(&self, request: &OpenRequest) -> Result<ObjectReader, ObjectError> {
        let Ok(file) = std::fs::File::open(self.path(&request.address)) else {
            return MemoryStore::with_buckets(&["clean"]).open(request).await;
        };
        let size = file.metadata().unwrap().len();
        let chunks = futures::stream::unfold(file, |mut file| async move {
            let mut chunk = vec![0; 256 * 1024];
            let count = file.read(&mut chunk).unwrap();
            chunk.truncate(count);
            (count > 0).then(|| (Ok(Bytes::from(chunk)), file))
        });
        let etag = ETag::parse("file").unwrap();
        Ok(ObjectReader {
            etag,
            size,
            content_type: None,
            content_encoding: None,
            checksum: None,
            body: chunks.boxed(),
        })
    }

    async fn head(&self, _: &ObjectAddress) -> Result<ObjectHead, ObjectError> {
        unreachable!("nobody asks here")
    }

    async fn list(&self, _: &ListRequest) -> Result<ListPage, ObjectError> {
        unreachable!("the listing is made up")
    }

    async fn put(&self, request: &WriteRequest, body: Bytes) -> Result<Written, ObjectError> {
        std::fs::write(self.path(&request.address), &body).unwrap();
        Ok(written(body.len() as u64))
    }

    async fn begin_upload(&self, request: &WriteRequest) -> Result<Box<dyn MultipartUpload>, ObjectError> {
        let path = self.path(&request.address);
        std::fs::File::create(&path).unwrap();
        Ok(Box::new(FileUpload { path, bytes: 0 }))
    }

    async fn resume_upload(&self, _: &WriteRequest, _: &UploadState) -> Result<Box<dyn MultipartUpload>, ObjectError> {
        unreachable!("a plan does not go on with uploads")
    }
}

#[async_trait]
impl MultipartUpload for FileUpload {
    async fn upload_part(&mut self, _: u32, body: Bytes) -> Result<(), ObjectError> {
        std::fs::OpenOptions::new().append(true).open(&self.path).unwrap().write_all(&body).unwrap();
        self.bytes += body.len() as u64;
        Ok(())
    }

    fn state(&self) -> UploadState {
        unreachable!("a plan makes no checkpoints of uploads")
    }

    async fn complete(&mut self) -> Result<Written, ObjectError> {
        Ok(written(self.bytes))
    }

    async fn abort(&mut self) -> Result<(), ObjectError> {
        Ok(())
    }
}

fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn millions_of_objects_are_packed_in_little_memory() {
    let objects: u64 = std::env::var("MAPMILL_TEST_OBJECTS").map_or(10_000_000, |text| text.parse().unwrap());
    let object: fn(u64) -> Listed = |number| Listed {
        key: format!("in/year=2026/month={:02}/part-{number:09}.ndjson", number / 900_000),
        size: if number % 1_000_000 == 7 { 5 << 30 } else { number * 7919 % 400_000 + 1 },
    };
    let folder = tempfile::tempdir().unwrap();
    let inner = Arc::new(FileStore(folder.path().to_path_buf()));
    let store = Arc::new(SyntheticStore { inner, objects, object, page: Duration::ZERO });
    let payload = payload("packed", &job(json!({})), json!({}));
    let answer = plan_with(store, &payload, Deadline::UNKNOWN).await.unwrap();
    let peak = peak_bytes();
    let units = answer.units.unwrap();
    println!("{objects} objects: {} items in {} batches, peak {} MiB", answer.items, units.lines, peak >> 20);
    let file = std::fs::File::open(folder.path().join(units.key.replace('/', "~"))).unwrap();
    let (mut lines, mut whole, mut items, mut bytes) = (0, 0, 0, 0);
    for line in BufReader::new(file).lines() {
        let unit: Value = serde_json::from_str(&line.unwrap()).unwrap();
        for item in unit["Items"].as_array().unwrap() {
            items += 1;
            match item.get("Range") {
                None => (whole, bytes) = (whole + 1, bytes + item["Size"].as_u64().unwrap()),
                Some(range) => bytes += range["End"].as_u64().unwrap() - range["Start"].as_u64().unwrap(),
            }
        }
        lines += 1;
    }
    assert_eq!((lines, items, bytes), (units.lines, answer.items, answer.bytes));
    assert_eq!(whole, objects - objects.saturating_sub(8) / 1_000_000 - 1, "one of every million is cut");
    assert!(peak < MOST_MEMORY, "{} MiB resident, at most {} MiB", peak >> 20, MOST_MEMORY >> 20);
}
