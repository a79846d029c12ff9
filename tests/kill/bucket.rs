//! The buckets of the test, and what is in them.

use local::s3::{ListRequest, ObjectStore as EmbeddedStore, S3Server, StoreOptions, WriteCondition};
use object_store::{ObjectAddress, ObjectStore, WriteRequest};
use s3_store::S3Store;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

const MAX_OBJECT_BYTES: u64 = 64 << 20;

/// An embedded S3 with the buckets `raw` and `clean`.
pub(crate) struct Bucket {
    embedded: Arc<EmbeddedStore>,
    server: S3Server,
}

impl Bucket {
    /// Puts the objects into `raw`, and answers them as items of a batch.
    pub(crate) async fn start(objects: &BTreeMap<String, Vec<u8>>) -> (Self, Vec<Value>) {
        let embedded = Arc::new(EmbeddedStore::new(StoreOptions::default()).unwrap());
        for bucket in ["raw", "clean"] {
            embedded.create_bucket(bucket).unwrap();
        }
        let server = S3Server::start(Arc::clone(&embedded), 0).await.unwrap();
        let (id, secret) = (local::s3::ACCESS_KEY_ID, local::s3::SECRET_ACCESS_KEY);
        let store = S3Store::for_endpoint(&server.endpoint(), local::s3::REGION, id, secret);
        let mut items = Vec::new();
        for (key, body) in objects {
            let request = WriteRequest::new(ObjectAddress::parse("raw", key).unwrap());
            let written = store.put(&request, body.clone().into()).await.unwrap();
            items.push(json!({"Key": key, "Etag": written.etag.quoted(), "Size": body.len(), "LastModified": 1.7e9}));
        }
        (Self { embedded, server }, items)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// The variables by which a function finds the buckets through another endpoint.
    pub(crate) fn environment(&self, endpoint: &str) -> Vec<(&'static str, String)> {
        let mut variables: Vec<_> = self.server.environment().into();
        for (name, value) in &mut variables {
            if *name == "AWS_ENDPOINT_URL_S3" {
                endpoint.clone_into(value);
            }
        }
        variables.push(("MAPMILL_READ", "raw/in/".to_owned()));
        variables.push(("MAPMILL_WRITE", "clean/out/".to_owned()));
        variables
    }

    /// Everything visible in `clean`, by key.
    pub(crate) async fn written(&self) -> BTreeMap<String, Vec<u8>> {
        let page = self.embedded.list("clean", &ListRequest::default()).unwrap();
        assert!(page.continuation.is_none(), "all objects fit one page");
        let mut written = BTreeMap::new();
        for object in page.objects {
            let body = self.embedded.get("clean", &object.key, MAX_OBJECT_BYTES).await.unwrap();
            written.insert(object.key, body.to_vec());
        }
        written
    }

    /// Deletes everything in `clean`.
    pub(crate) async fn empty(&self) {
        for key in self.written().await.into_keys() {
            self.embedded.delete("clean", &key, WriteCondition::default()).await.unwrap();
        }
    }
}

/// The lines of a ledger without what another run may do in another time.
pub(crate) fn without_times(ledger: &[u8]) -> Vec<Value> {
    let lines = ledger.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let mut lines: Vec<Value> = lines.map(|line| serde_json::from_slice(line).unwrap()).collect();
    for line in &mut lines {
        let line = line.as_object_mut().unwrap();
        for name in ["duration_ms", "retries"] {
            line.remove(name);
        }
        // Who wrote the output is the other thing that differs.
        if line["reason"] == "done_before" {
            line.insert("reason".to_owned(), Value::Null);
        }
    }
    lines
}

/// True for the ledger of a batch that has only begun: it names every item and says nothing of any.
pub(crate) fn is_begun(ledger: &[u8]) -> bool {
    without_times(ledger).iter().all(|line| line["status"] == "unprocessed" && line["reason"] == "begun")
}
