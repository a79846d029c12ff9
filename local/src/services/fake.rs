//! A scripted world for the engine's tests: functions are closures, buckets are lists or generators.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use serde_json::Value;
use tokio::sync::Semaphore;

use super::{
    ByteStream, LambdaAnswer, LambdaRequest, ListPage, ListRequest, ObjectSummary, ObjectUpload, ServiceError,
    Services, StoredObject, TaskFailure,
};

/// Bytes of the pieces in which objects arrive.
const FAKE_PIECE_BYTES: usize = 61;

/// What a scripted function does with its event: the number is how often it was called before.
pub(crate) type Behaviour = Box<dyn Fn(&Value, u64) -> Reply + Send + Sync>;

/// How a scripted function ends.
pub(crate) enum Reply {
    Answer(Value),
    Raw(String),
    Fail(&'static str, &'static str),
    AnswerAfter(Duration, Value),
}

struct Function {
    calls: AtomicU64,
    running: AtomicU64,
    most_running: AtomicU64,
    behaviour: Behaviour,
}

/// The fake. Everything it is asked is counted, everything put is kept.
#[derive(Default)]
pub(crate) struct FakeServices {
    functions: BTreeMap<String, Function>,
    objects: u64,
    places: Option<Semaphore>,
    pub(crate) fail_listing_after: Option<u64>,
    pub(crate) fail_put_of: Option<&'static str>,
    /// What opened objects say of their size, whatever they hold.
    pub(crate) claimed_size: Option<u64>,
    pub(crate) pages: AtomicU64,
    puts: Arc<Mutex<Vec<(String, Bytes)>>>,
    files: Mutex<BTreeMap<(String, String), Bytes>>,
}

impl FakeServices {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn function(
        mut self,
        name: &str,
        behaviour: impl Fn(&Value, u64) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let function = Function {
            calls: AtomicU64::new(0),
            running: AtomicU64::new(0),
            most_running: AtomicU64::new(0),
            behaviour: Box::new(behaviour),
        };
        self.functions.insert(name.to_owned(), function);
        self
    }

    /// Lets this many calls run at a time, of all functions together; the others wait for a place.
    pub(crate) fn places(mut self, count: usize) -> Self {
        self.places = Some(Semaphore::new(count));
        self
    }

    /// A bucket of this many generated objects, `data/0000000.json` and so on.
    pub(crate) fn objects(mut self, count: u64) -> Self {
        self.objects = count;
        self
    }

    /// An object with content. A bucket with such objects is listed as these.
    pub(crate) fn file(self, bucket: &str, key: &str, body: impl Into<Bytes>) -> Self {
        self.put_file(bucket, key, body);
        self
    }

    pub(crate) fn put_file(&self, bucket: &str, key: &str, body: impl Into<Bytes>) {
        self.files.lock().unwrap().insert((bucket.to_owned(), key.to_owned()), body.into());
    }

    pub(crate) fn calls(&self, name: &str) -> u64 {
        self.functions[name].calls.load(Ordering::SeqCst)
    }

    pub(crate) fn most_running(&self, name: &str) -> u64 {
        self.functions[name].most_running.load(Ordering::SeqCst)
    }

    pub(crate) fn put_keys(&self) -> Vec<String> {
        self.puts.lock().unwrap().iter().map(|(key, _)| key.clone()).collect()
    }

    /// What lies under the only key that ends like this, the last put winning.
    pub(crate) fn stored(&self, suffix: &str) -> Value {
        let puts = self.puts.lock().unwrap();
        let (_, body) = puts.iter().rev().find(|(key, _)| key.ends_with(suffix)).expect("object was put");
        serde_json::from_slice(body).expect("object is JSON")
    }

    pub(crate) fn stored_text(&self, suffix: &str) -> String {
        let puts = self.puts.lock().unwrap();
        let (_, body) = puts.iter().rev().find(|(key, _)| key.ends_with(suffix)).expect("object was put");
        String::from_utf8(body.to_vec()).expect("object is text")
    }
}

/// Counts a call as running until it is dropped, so that aborted calls are counted off too.
struct Running<'a>(&'a Function);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl Services for FakeServices {
    async fn invoke_lambda(&self, request: LambdaRequest<'_>) -> Result<LambdaAnswer, TaskFailure> {
        let name = request.function.rsplit(':').next().unwrap_or_default();
        let Some(function) = self.functions.get(name) else {
            return Err(TaskFailure {
                error: "Lambda.ResourceNotFoundException".to_owned(),
                cause: format!("Function not found: {}", request.function),
            });
        };
        let _place = match &self.places {
            Some(places) => Some(places.acquire().await.expect("never closed")),
            None => None,
        };
        let _ = request.begun.send(());
        let before = function.calls.fetch_add(1, Ordering::SeqCst);
        let running = function.running.fetch_add(1, Ordering::SeqCst) + 1;
        function.most_running.fetch_max(running, Ordering::SeqCst);
        let _running = Running(function);
        let event: Value = serde_json::from_slice(&request.payload).expect("the engine sends JSON");
        let payload = match (function.behaviour)(&event, before) {
            Reply::Answer(value) => value.to_string(),
            Reply::Raw(text) => text,
            Reply::Fail(error, cause) => {
                return Err(TaskFailure { error: error.to_owned(), cause: cause.to_owned() });
            }
            Reply::AnswerAfter(delay, value) => {
                tokio::time::sleep(delay).await;
                value.to_string()
            }
        };
        Ok(LambdaAnswer {
            payload: Bytes::from(payload),
            executed_version: "$LATEST".to_owned(),
            request_id: format!("request-{before}"),
            log_result: request.wants_log.then(|| "TE9H".to_owned()),
        })
    }

    async fn list_objects(&self, request: ListRequest<'_>) -> Result<ListPage, ServiceError> {
        let page = self.pages.fetch_add(1, Ordering::SeqCst);
        if self.fail_listing_after.is_some_and(|pages| page >= pages) {
            return Err(ServiceError::new(format!("bucket \"{}\" does not exist", request.bucket)));
        }
        let files = self.files.lock().unwrap();
        if files.keys().any(|(bucket, _)| bucket == request.bucket) {
            let after = request.continuation.unwrap_or_default();
            let listed = |key: &str| key.starts_with(request.prefix) && (after.is_empty() || key > after);
            let keys = files.iter().filter(|((bucket, key), _)| bucket == request.bucket && listed(key));
            let found: Vec<_> = keys.take(2).map(|((_, key), body)| summary(key.clone(), body.len() as u64)).collect();
            // Two to a page; the page after the last one is empty.
            let next = (found.len() == 2).then(|| found[1].key.clone());
            return Ok(ListPage { objects: found, next });
        }
        let from: u64 = request.continuation.map_or(0, |token| token.parse().expect("our own token"));
        let to = (from + u64::from(request.max_keys)).min(self.objects);
        let objects = (from..to).map(|number| summary(format!("{}{number:07}.json", request.prefix), number)).collect();
        Ok(ListPage { objects, next: (to < self.objects).then(|| to.to_string()) })
    }

    async fn put_object(&self, bucket: &str, key: &str, body: Bytes) -> Result<(), ServiceError> {
        if self.fail_put_of.is_some_and(|suffix| key.ends_with(suffix)) {
            return Err(ServiceError::new(format!("bucket \"{bucket}\" does not exist")));
        }
        self.puts.lock().unwrap().push((key.to_owned(), body));
        Ok(())
    }

    async fn open_object(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
    ) -> Result<Arc<dyn StoredObject>, ServiceError> {
        let files = self.files.lock().unwrap();
        let found = files.get(&(bucket.to_owned(), key.to_owned())).filter(|_| version.is_none());
        let body = found.cloned().ok_or_else(|| ServiceError::new(format!("key {key:?} does not exist")))?;
        Ok(Arc::new(FakeObject { size: self.claimed_size.unwrap_or(body.len() as u64), body }))
    }

    async fn upload_object(&self, bucket: &str, key: &str) -> Result<Box<dyn ObjectUpload>, ServiceError> {
        if self.fail_put_of.is_some_and(|suffix| key.ends_with(suffix)) {
            return Err(ServiceError::new(format!("bucket \"{bucket}\" does not exist")));
        }
        Ok(Box::new(FakeUpload { puts: Arc::clone(&self.puts), key: key.to_owned(), body: Vec::new() }))
    }
}

fn summary(key: String, size: u64) -> ObjectSummary {
    ObjectSummary {
        key,
        etag: format!("\"{size:032x}\""),
        size,
        last_modified: 1_789_180_622.0,
        storage_class: "STANDARD".to_owned(),
    }
}

struct FakeObject {
    body: Bytes,
    size: u64,
}

#[async_trait]
impl StoredObject for FakeObject {
    fn size(&self) -> u64 {
        self.size
    }

    fn etag(&self) -> String {
        format!("\"{}\"", self.body.len())
    }

    async fn read(&self, start: u64, length: u64) -> Result<ByteStream, ServiceError> {
        let end = (start + length).min(self.body.len() as u64);
        // Small pieces, so that every reader meets borders in the middle of everything.
        let part = self.body.slice(start.min(end) as usize..end as usize);
        let pieces: Vec<_> = part.chunks(FAKE_PIECE_BYTES).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        Ok(futures::stream::iter(pieces).boxed())
    }
}

struct FakeUpload {
    puts: Arc<Mutex<Vec<(String, Bytes)>>>,
    key: String,
    body: Vec<u8>,
}

#[async_trait]
impl ObjectUpload for FakeUpload {
    async fn write(&mut self, bytes: &[u8]) -> Result<(), ServiceError> {
        self.body.extend_from_slice(bytes);
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<(), ServiceError> {
        self.puts.lock().unwrap().push((self.key, Bytes::from(self.body)));
        Ok(())
    }
}
