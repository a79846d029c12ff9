use std::sync::Arc;

use crate::conformance::check_all;
use crate::fakes::{FaultyStore, MemoryStore};
use crate::names::BucketName;

#[tokio::test]
async fn the_memory_store_conforms() {
    let store = MemoryStore::with_buckets(&["conformance"]);
    check_all(Arc::new(store.clone()), BucketName::parse("conformance").unwrap()).await;
    assert_eq!(store.open_uploads(), 0);
}

#[tokio::test]
async fn a_store_without_faults_conforms() {
    let store = FaultyStore::new(Arc::new(MemoryStore::with_buckets(&["conformance"])));
    check_all(Arc::new(store), BucketName::parse("conformance").unwrap()).await;
}
