//! A scripted world for the engine's tests: functions are closures, buckets are lists or generators.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::Value;
use tokio::sync::Semaphore;

use super::{LambdaAnswer, LambdaRequest, ListPage, ListRequest, ObjectSummary, ServiceError, Services, TaskFailure};

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
    pub(crate) pages: AtomicU64,
    puts: Mutex<Vec<(String, Bytes)>>,
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
        })
    }

    async fn list_objects(&self, request: ListRequest<'_>) -> Result<ListPage, ServiceError> {
        let page = self.pages.fetch_add(1, Ordering::SeqCst);
        if self.fail_listing_after.is_some_and(|pages| page >= pages) {
            return Err(ServiceError::new(format!("bucket \"{}\" does not exist", request.bucket)));
        }
        let from: u64 = request.continuation.map_or(0, |token| token.parse().expect("our own token"));
        let to = (from + u64::from(request.max_keys)).min(self.objects);
        let objects = (from..to)
            .map(|number| ObjectSummary {
                key: format!("{}{number:07}.json", request.prefix),
                etag: format!("\"{number:032x}\""),
                size: number,
                last_modified: 1_789_180_622.0,
                storage_class: "STANDARD".to_owned(),
            })
            .collect();
        Ok(ListPage { objects, next: (to < self.objects).then(|| to.to_string()) })
    }

    async fn put_object(&self, bucket: &str, key: &str, body: Bytes) -> Result<(), ServiceError> {
        if self.fail_put_of.is_some_and(|suffix| key.ends_with(suffix)) {
            return Err(ServiceError::new(format!("bucket \"{bucket}\" does not exist")));
        }
        self.puts.lock().unwrap().push((key.to_owned(), body));
        Ok(())
    }
}
