//! A bucket that is listed without being there, and plans made of it.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    clippy::allow_attributes,
    reason = "each test program uses a part of this"
)]

use async_trait::async_trait;
use batch::{BatchError, Budget, Deadline, Worker};
use bytes::Bytes;
use object_store::fakes::MemoryStore;
use object_store::{
    ETag, ListPage, ListRequest, ListedObject, MultipartUpload, ObjectAddress, ObjectError, ObjectHead, ObjectReader,
    ObjectStore, OpenRequest, UploadState, WriteRequest, Written,
};
use plan::{Answer, Reply, plan};
use planner::Rates;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// An object of a listing.
pub(crate) struct Listed {
    pub(crate) key: String,
    pub(crate) size: u64,
}

/// Lists the objects below `in/` by their number; everything else is the store inside.
pub(crate) struct SyntheticStore {
    pub(crate) inner: Arc<dyn ObjectStore>,
    pub(crate) objects: u64,
    /// The object of a number. Keys must be in the order of the numbers.
    pub(crate) object: fn(u64) -> Listed,
    /// How long a page takes.
    pub(crate) page: Duration,
}

impl SyntheticStore {
    /// The number of the first object behind a key.
    fn behind(&self, key: &str) -> u64 {
        let (mut low, mut high) = (0, self.objects);
        while low < high {
            let middle = (low + high) / 2;
            if (self.object)(middle).key.as_str() <= key { low = middle + 1 } else { high = middle }
        }
        low
    }
}

#[async_trait]
impl ObjectStore for SyntheticStore {
    async fn list(&self, request: &ListRequest) -> Result<ListPage, ObjectError> {
        if request.bucket.as_str() != "raw" {
            return self.inner.list(request).await;
        }
        tokio::time::sleep(self.page).await;
        assert_eq!(request.prefix, "in/");
        let first = request.start_after.as_deref().map_or(0, |key| self.behind(key));
        let end = self.objects.min(first + u64::from(request.most));
        let listed = |number: u64| {
            let Listed { key, size } = (self.object)(number);
            let etag = ETag::parse(&format!("{number:032x}")).unwrap();
            ListedObject { key, size, etag: Some(etag), last_modified: None }
        };
        Ok(ListPage { objects: (first..end).map(listed).collect(), is_last: end == self.objects })
    }

    async fn open(&self, request: &OpenRequest) -> Result<ObjectReader, ObjectError> {
        self.inner.open(request).await
    }

    async fn head(&self, address: &ObjectAddress) -> Result<ObjectHead, ObjectError> {
        self.inner.head(address).await
    }

    async fn put(&self, request: &WriteRequest, body: Bytes) -> Result<Written, ObjectError> {
        self.inner.put(request, body).await
    }

    async fn begin_upload(&self, request: &WriteRequest) -> Result<Box<dyn MultipartUpload>, ObjectError> {
        self.inner.begin_upload(request).await
    }

    async fn resume_upload(
        &self,
        request: &WriteRequest,
        state: &UploadState,
    ) -> Result<Box<dyn MultipartUpload>, ObjectError> {
        self.inner.resume_upload(request, state).await
    }
}

/// A job from `raw/in/` to `clean/out/`.
pub(crate) fn job(source: Value) -> Value {
    let mut job = json!({
        "version": 1,
        "name": "test",
        "source": {"bucket": "raw", "prefix": "in/"},
        "output": {"bucket": "clean", "prefix": "out/"},
    });
    for (name, part) in source.as_object().unwrap() {
        job["source"][name] = part.clone();
    }
    job
}

pub(crate) fn payload(strategy: &str, job: &Value, parts: Value) -> Value {
    let mut payload = json!({
        "mapmill": {"version": 1, "run_id": "run-1", "correlation_id": "c", "job": job},
        "strategy": strategy,
    });
    for (name, part) in parts.as_object().unwrap() {
        payload[name] = part.clone();
    }
    payload
}

pub(crate) fn worker(store: Arc<dyn ObjectStore>) -> Worker {
    Worker::new(store, "raw,lists".parse().unwrap(), "clean/out/".parse().unwrap(), Budget::of_function(1769))
}

/// The plan of a payload; taken by value in the future, so that it may be made where it is used.
pub(crate) fn plan_with(
    store: Arc<dyn ObjectStore>,
    payload: &Value,
    deadline: Deadline,
) -> impl Future<Output = Result<Answer, BatchError>> + use<> {
    let payload = payload.clone();
    async move {
        match plan(&worker(store), &payload, &Rates::built_in().unwrap(), deadline).await? {
            Reply::Answer(answer) => Ok(*answer),
            Reply::Survey { survey, .. } => panic!("expected a plan, found {survey:?}"),
        }
    }
}

pub(crate) fn address(bucket: &str, key: &str) -> ObjectAddress {
    ObjectAddress::parse(bucket, key).unwrap()
}

/// An object of a memory store as JSON.
pub(crate) fn json_at(store: &MemoryStore, bucket: &str, key: &str) -> Value {
    serde_json::from_slice(&store.get(&address(bucket, key)).unwrap()).unwrap()
}

/// The batches that were written.
pub(crate) fn units(store: &MemoryStore) -> Vec<Value> {
    let text = store.get(&address("clean", "out/_mapmill/run-1/units/units.jsonl")).unwrap_or_default();
    std::str::from_utf8(&text).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
