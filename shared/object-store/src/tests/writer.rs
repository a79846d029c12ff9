use std::sync::Arc;
use std::time::Duration;

use super::{address, noise};
use crate::error::{ErrorClass, ObjectError};
use crate::fakes::{FaultyStore, MemoryStore, WriteStep};
use crate::store::{UploadState, UploadedPart, WriteRequest, Written};
use crate::writer::{ObjectWriter, WriterOptions, WriterState};

const OPTIONS: WriterOptions = WriterOptions { part_bytes: 1000, parts: 4 };

async fn write(store: FaultyStore, bytes: &[u8], chunk: usize) -> Result<Written, ObjectError> {
    let mut writer = ObjectWriter::new(Arc::new(store), WriteRequest::new(address()), OPTIONS);
    for chunk in bytes.chunks(chunk) {
        writer.write(chunk).await?;
    }
    assert_eq!(writer.bytes(), bytes.len() as u64);
    writer.finish().await
}

async fn check(length: usize, chunk: usize, puts: usize, parts: usize) {
    let memory = MemoryStore::with_buckets(&["raw"]);
    let bytes = noise(length);
    let written = write(FaultyStore::new(Arc::new(memory.clone())), &bytes, chunk).await.unwrap();
    assert_eq!(written.bytes, length as u64);
    assert!(memory.get(&address()).unwrap() == bytes, "{length} in chunks of {chunk}");
    assert_eq!(
        (memory.puts(), memory.parts(), memory.open_uploads()),
        (puts, parts, 0),
        "{length} in chunks of {chunk}"
    );
}

#[tokio::test]
async fn small_objects_take_one_request_and_larger_ones_parts() {
    for chunk in [1, 7, 999, 1000, 1001, 5000] {
        check(0, chunk, 1, 0).await;
        check(1, chunk, 1, 0).await;
        check(999, chunk, 1, 0).await;
        check(1000, chunk, 1, 0).await;
        check(1001, chunk, 0, 2).await;
        check(2000, chunk, 0, 2).await;
        check(3999, chunk, 0, 4).await;
        check(4000, chunk, 0, 4).await;
    }
}

#[tokio::test]
async fn too_many_parts_are_refused() {
    let memory = MemoryStore::with_buckets(&["raw"]);
    let error = write(FaultyStore::new(Arc::new(memory.clone())), &noise(4001), 500).await.unwrap_err();
    assert_eq!((error.class, error.code), (ErrorClass::TooLarge, "too_many_parts"));
    assert!(error.message.contains("at most 4 parts of 1000 bytes"), "{error}");
    assert_eq!((memory.addresses().len(), memory.open_uploads()), (0, 0));
}

async fn check_failure(step: WriteStep, length: usize) {
    let memory = MemoryStore::with_buckets(&["raw"]);
    let store = FaultyStore::new(Arc::new(memory.clone())).with_write(step, ErrorClass::Denied);
    let error = write(store, &noise(length), 300).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Denied, "{step:?}");
    assert_eq!((memory.addresses().len(), memory.open_uploads()), (0, 0), "{step:?}");
}

#[tokio::test]
async fn a_failed_writer_leaves_nothing() {
    check_failure(WriteStep::Put, 500).await;
    check_failure(WriteStep::Begin, 2500).await;
    check_failure(WriteStep::Part(1), 2500).await;
    check_failure(WriteStep::Part(2), 2500).await;
    check_failure(WriteStep::Part(3), 2500).await;
    check_failure(WriteStep::Complete, 2500).await;
}

#[tokio::test]
async fn the_first_error_is_reported_when_aborting_fails_too() {
    let memory = MemoryStore::with_buckets(&["raw"]);
    let store = FaultyStore::new(Arc::new(memory.clone()))
        .with_write(WriteStep::Part(2), ErrorClass::Throttled)
        .with_write(WriteStep::Abort, ErrorClass::Transient);
    let error = write(store, &noise(2500), 2500).await.unwrap_err();
    assert_eq!((error.class, error.code), (ErrorClass::Throttled, "slow_down"));
    assert!(memory.addresses().is_empty());
}

#[tokio::test]
async fn a_failed_writer_takes_no_more_bytes() {
    let memory = MemoryStore::with_buckets(&["raw"]);
    let store = FaultyStore::new(Arc::new(memory)).with_write(WriteStep::Part(1), ErrorClass::Transient);
    let mut writer = ObjectWriter::new(Arc::new(store), WriteRequest::new(address()), OPTIONS);
    writer.write(&noise(1500)).await.unwrap_err();
    assert_eq!(writer.write(b"x").await.unwrap_err().code, "writer_failed");
    assert_eq!(writer.finish().await.unwrap_err().code, "writer_failed");
}

#[tokio::test]
async fn an_aborted_writer_leaves_nothing() {
    for length in [0, 500, 2500] {
        let memory = MemoryStore::with_buckets(&["raw"]);
        let mut writer = ObjectWriter::new(Arc::new(memory.clone()), WriteRequest::new(address()), OPTIONS);
        writer.write(&noise(length)).await.unwrap();
        writer.abort().await.unwrap();
        assert_eq!((memory.addresses().len(), memory.open_uploads()), (0, 0), "{length}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_writer_frees_its_upload() {
    let memory = MemoryStore::with_buckets(&["raw"]);
    let mut writer = ObjectWriter::new(Arc::new(memory.clone()), WriteRequest::new(address()), OPTIONS);
    writer.write(&noise(2500)).await.unwrap();
    assert_eq!(memory.open_uploads(), 1);
    drop(writer);
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!((memory.addresses().len(), memory.open_uploads()), (0, 0));
}

#[tokio::test]
async fn a_state_that_no_writer_was_in_is_refused() {
    let check = async |parts: Option<&[u64]>, buffer: usize, bytes: u64, expected: Result<(), &str>| {
        let part = |bytes: &u64| UploadedPart { etag: "e".into(), crc32: None, bytes: *bytes };
        let upload = parts.map(|parts| UploadState { id: "u".into(), parts: parts.iter().map(part).collect() });
        let store = Arc::new(MemoryStore::with_buckets(&["raw"]));
        let (request, state) = (WriteRequest::new(address()), WriterState { upload, bytes });
        let resumed = ObjectWriter::resume(store, request, OPTIONS, state, vec![0; buffer]).await;
        let found = resumed.map(drop).map_err(|error| error.code);
        assert_eq!(found, expected, "{parts:?}, {buffer} in the buffer, {bytes} in all");
    };
    let refused = Err("checkpoint_mismatch");
    check(None, 0, 0, Ok(())).await;
    check(None, 1000, 1000, Ok(())).await;
    check(Some(&[1000; 4]), 1000, 5000, Ok(())).await;
    // More than a buffer holds, more parts than there may be, a part that is too long.
    check(None, 1001, 1001, refused).await;
    check(Some(&[1000; 5]), 0, 5000, refused).await;
    check(Some(&[1001]), 0, 1001, refused).await;
    // Sums that are not those of the parts, or beyond all numbers.
    check(None, 7, 8, refused).await;
    check(Some(&[1000]), 7, 7, refused).await;
    check(Some(&[1000]), 7, u64::MAX, refused).await;
    check(Some(&[u64::MAX, u64::MAX]), 2, 0, refused).await;
}
