//! A worker, a fault proxy and an embedded S3, joined.

use batch::{BatchError, Budget, Deadline, LedgerLine, Outcome, Worker};
use local::s3::{
    ACCESS_KEY_ID, Attributes, ListRequest, ObjectStore as EmbeddedStore, REGION, S3Server, SECRET_ACCESS_KEY,
    StoreOptions, WriteCondition,
};
use object_store::{Backoff, ObjectAddress, ObjectStore, ResumeOptions, WriteRequest};
use s3_store::{S3Options, S3Store};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tests::fault_proxy::{FaultProxy, Operation, Plan};

/// The largest object of these tests.
const MAX_OBJECT_BYTES: u64 = 64 << 20;

const BACKOFF: Backoff = Backoff { first: Duration::from_millis(2), longest: Duration::from_millis(20) };

/// As patient as by default in the number of attempts, and with far less waiting between them.
pub(crate) const REQUESTS: S3Options = S3Options {
    attempts: 5,
    backoff: BACKOFF,
    longest_retry_after: Duration::from_millis(50),
    connect_timeout: Duration::from_secs(3),
    read_timeout: Duration::from_secs(30),
    attempt_timeout: Duration::from_secs(45),
    operation_timeout: Duration::from_secs(120),
    stall_grace: Duration::from_secs(20),
};

/// The same for bodies.
pub(crate) fn bodies() -> ResumeOptions {
    ResumeOptions { backoff: BACKOFF, ..ResumeOptions::default() }
}

pub(crate) struct Bench {
    pub(crate) embedded: Arc<EmbeddedStore>,
    pub(crate) proxy: FaultProxy,
    server: S3Server,
    requests: S3Options,
    bodies: ResumeOptions,
    items: Vec<Value>,
}

impl Bench {
    pub(crate) async fn start(plan: Plan) -> Self {
        Self::start_with(|_| plan).await
    }

    /// The plan may need the store, to change objects between requests.
    pub(crate) async fn start_with(plan: impl FnOnce(&Arc<EmbeddedStore>) -> Plan) -> Self {
        let embedded = Arc::new(EmbeddedStore::new(StoreOptions::default()).unwrap());
        for bucket in ["raw", "clean"] {
            embedded.create_bucket(bucket).unwrap();
        }
        let server = S3Server::start(Arc::clone(&embedded), 0).await.unwrap();
        let proxy = FaultProxy::start(server.address(), 0, plan(&embedded)).await.unwrap();
        Self { embedded, proxy, server, requests: REQUESTS, bodies: bodies(), items: Vec::new() }
    }

    pub(crate) fn with_patience(self, requests: S3Options, bodies: ResumeOptions) -> Self {
        Self { requests, bodies, ..self }
    }

    /// Writes an object as every SDK does it, with a checksum, and makes it an item.
    pub(crate) async fn with(mut self, key: &str, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        let address = ObjectAddress::parse("raw", key).unwrap();
        let size = body.len();
        let written = self.direct().put(&WriteRequest::new(address), body.into()).await.unwrap();
        self.items.push(json!({"Key": key, "Etag": written.etag.quoted(), "Size": size, "LastModified": 1.7e9}));
        self
    }

    /// Writes an object without a checksum, as old ones are, and makes it an item.
    pub(crate) async fn with_old(mut self, key: &str, body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let put = self.embedded.put("raw", key, body, Attributes::default(), WriteCondition::default());
        let tag = put.await.unwrap().to_string();
        let etag = format!("\"{}\"", tag.trim_matches('"'));
        self.items.push(json!({"Key": key, "Etag": etag, "Size": body.len(), "LastModified": 1.7e9}));
        self
    }

    /// A store that reaches the S3 past the proxy.
    fn direct(&self) -> S3Store {
        S3Store::for_endpoint(&self.server.endpoint(), REGION, ACCESS_KEY_ID, SECRET_ACCESS_KEY)
    }

    /// The S3 past the proxy.
    pub(crate) fn direct_endpoint(&self) -> String {
        self.server.endpoint()
    }

    pub(crate) fn items(&self) -> &[Value] {
        &self.items
    }

    /// Processes all items through the proxy.
    pub(crate) async fn run(&self, job: &Value) -> Result<Outcome, BatchError> {
        let endpoint = self.proxy.endpoint();
        let store = S3Store::for_endpoint_with(&endpoint, REGION, ACCESS_KEY_ID, SECRET_ACCESS_KEY, self.requests);
        self.run_items(Arc::new(store), job, &self.items).await
    }

    /// Processes items past the proxy.
    pub(crate) async fn run_directly(&self, job: &Value, items: &[Value]) -> Result<Outcome, BatchError> {
        self.run_items(Arc::new(self.direct()), job, items).await
    }

    pub(crate) async fn run_items(
        &self,
        store: Arc<S3Store>,
        job: &Value,
        items: &[Value],
    ) -> Result<Outcome, BatchError> {
        let places = |text: &str| text.parse().unwrap();
        let worker = Worker::new(store, places("raw/in/"), places("clean/out/"), Budget::of_function(512));
        let event = json!({"BatchInput": {"mapmill": {"version": 1, "run_id": "r1", "job": job}}, "Items": items});
        worker.with_reading(self.bodies).process_batch(&event, Deadline::UNKNOWN).await
    }

    /// The ledger that an outcome names.
    pub(crate) async fn ledger(&self, outcome: &Outcome) -> Vec<LedgerLine> {
        let text = self.embedded.get(&outcome.ledger.bucket, &outcome.ledger.key, MAX_OBJECT_BYTES).await.unwrap();
        let text = String::from_utf8(text.to_vec()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// All visible outputs, by key.
    pub(crate) async fn outputs(&self) -> BTreeMap<String, Vec<u8>> {
        let mut outputs = BTreeMap::new();
        let mut request = ListRequest::default();
        loop {
            let page = self.embedded.list("clean", &request).unwrap();
            for object in page.objects.into_iter().filter(|object| !object.key.contains("_mapmill/")) {
                let body = self.embedded.get("clean", &object.key, MAX_OBJECT_BYTES).await.unwrap();
                outputs.insert(object.key, body.to_vec());
            }
            if page.continuation.is_none() {
                return outputs;
            }
            request.continuation = page.continuation;
        }
    }

    /// How many requests for an operation came, on whatever object.
    pub(crate) fn count(&self, operation: Operation) -> usize {
        self.proxy.requests().iter().filter(|record| record.operation == operation).count()
    }
}

/// How an item ended: `succeeded`, or class and code.
pub(crate) fn ending(line: &LedgerLine) -> String {
    match (&line.class, &line.code) {
        (Some(class), Some(code)) => format!("{class} {code}"),
        _ => serde_json::to_value(line.status).unwrap().as_str().unwrap().to_owned(),
    }
}

/// A job from `raw/in/` to `clean/out/` that writes plain lines.
pub(crate) fn job() -> Value {
    json!({
        "version": 1,
        "name": "faults",
        "source": {"bucket": "raw", "prefix": "in/"},
        "output": {"bucket": "clean", "prefix": "out/", "compression": "none"},
    })
}
