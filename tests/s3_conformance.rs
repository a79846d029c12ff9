//! The S3 adapter passes the conformance suite of the port over real HTTP, against the embedded S3.

use std::sync::Arc;

use local::s3::{ACCESS_KEY_ID, ObjectStore as EmbeddedStore, REGION, S3Server, SECRET_ACCESS_KEY, StoreOptions};
use object_store::{BucketName, conformance};
use s3_store::S3Store;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_s3_adapter_conforms_over_http() {
    let embedded = Arc::new(EmbeddedStore::new(StoreOptions::default()).unwrap());
    embedded.create_bucket("conformance").unwrap();
    let server = S3Server::start(embedded, 0).await.unwrap();
    let store = S3Store::for_endpoint(&server.endpoint(), REGION, ACCESS_KEY_ID, SECRET_ACCESS_KEY);
    conformance::check_all(Arc::new(store), BucketName::parse("conformance").unwrap()).await;
    server.shutdown().await;
}
