use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{address, noise};
use crate::error::{ErrorClass, ObjectError};
use crate::fakes::{BodyFault, FaultyStore, MemoryStore};
use crate::resume::{ResumeOptions, ResumingReader};
use crate::store::{ByteRange, OpenRequest};

const SIZE: u64 = 100_000;

struct Outcome {
    bytes: Vec<u8>,
    error: Option<ObjectError>,
    resumptions: u32,
}

async fn read(store: &FaultyStore, request: OpenRequest) -> Result<Outcome, ObjectError> {
    let mut reader = ResumingReader::open(Arc::new(store.clone()), request, ResumeOptions::default()).await?;
    let mut bytes = Vec::new();
    loop {
        match reader.next().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => return Ok(Outcome { bytes, error: None, resumptions: reader.resumptions() }),
            Err(error) => {
                assert!(matches!(reader.next().await, Ok(None)), "an error ends the reader");
                return Ok(Outcome { bytes, error: Some(error), resumptions: reader.resumptions() });
            }
        }
    }
}

fn store(faults: &[BodyFault]) -> (MemoryStore, FaultyStore, Vec<u8>) {
    let memory = MemoryStore::default();
    let body = noise(usize::try_from(SIZE).unwrap());
    memory.insert(&address(), body.clone());
    memory.set_chunk_bytes(7_001);
    let faulty = FaultyStore::new(Arc::new(memory.clone())).with_bodies(faults.iter().copied());
    (memory, faulty, body)
}

/// With these faults all bytes come, after this many resumptions.
async fn check(faults: &[BodyFault], resumptions: u32) {
    let (_, store, body) = store(faults);
    let outcome = read(&store, OpenRequest::whole(address())).await.unwrap();
    assert!(outcome.error.is_none(), "{faults:?}: {:?}", outcome.error);
    assert!(outcome.bytes == body, "{faults:?}: the bytes differ");
    assert_eq!((outcome.resumptions, store.faults_left()), (resumptions, 0), "{faults:?}");
}

#[tokio::test(start_paused = true)]
async fn broken_short_and_stalled_bodies_are_resumed() {
    use BodyFault::{Break, End, None, Open, Stall};
    use ErrorClass::{Throttled, Transient};
    check(&[], 0).await;
    check(&[Break(0)], 1).await;
    check(&[Break(1), Break(1), Break(7_001), Break(90_000)], 4).await;
    check(&[End(50_000), End(49_999)], 2).await;
    check(&[Stall(12_345), Stall(0), End(0)], 3).await;
    check(&[Break(500), Open(Transient), Open(Throttled), Break(0), None], 4).await;
    // Progress after each four attempts in vain: the count of attempts begins again.
    check(&[Break(9), Break(0), Break(0), Break(0), Break(0), Break(1), Break(0), Break(0), Break(0), Break(0)], 10)
        .await;
}

async fn check_failure(faults: &[BodyFault], bytes: u64, class: ErrorClass, code: &str, message: &str) {
    let (_, store, body) = store(faults);
    let outcome = read(&store, OpenRequest::whole(address())).await.unwrap();
    let error = outcome.error.expect("an error");
    assert_eq!((error.class, error.code), (class, code), "{error}");
    assert!(error.message.contains(message), "{error}");
    assert!(outcome.bytes == body[..usize::try_from(bytes).unwrap()]);
}

#[tokio::test(start_paused = true)]
async fn attempts_are_bounded() {
    use BodyFault::{Break, End, Open, Stall};
    let limit = "after 5 attempts without progress";
    check_failure(&[[Break(10)].as_slice(), &[Break(0); 5]].concat(), 10, ErrorClass::Transient, "body_broken", limit)
        .await;
    check_failure(&[End(0); 6], 0, ErrorClass::Transient, "body_ended_early", limit).await;
    check_failure(&[Stall(0); 6], 0, ErrorClass::Transient, "body_stalled", "no bytes for 20 s at byte 0").await;
    check_failure(&[BodyFault::Mismatch], SIZE, ErrorClass::Transient, "checksum_mismatch", "checksum").await;
    let denied = [Break(20), Open(ErrorClass::Denied)];
    check_failure(&denied, 20, ErrorClass::Denied, "service_error", "injected").await;
    let trickle = vec![Break(1); 101];
    check_failure(&trickle, 101, ErrorClass::Transient, "body_broken", "given up at byte 101 after 100 resumptions")
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_stall_is_noticed_in_time() {
    let (_, store, _) = store(&[BodyFault::Stall(0)]);
    let start = Instant::now();
    read(&store, OpenRequest::whole(address())).await.unwrap();
    assert!(start.elapsed() >= Duration::from_secs(20) && start.elapsed() < Duration::from_secs(21));
}

#[tokio::test(start_paused = true)]
async fn opening_is_not_tried_again() {
    let (memory, store, _) = store(&[BodyFault::Open(ErrorClass::Transient)]);
    let error = read(&store, OpenRequest::whole(address())).await.err().unwrap();
    assert_eq!(error.class, ErrorClass::Transient);
    assert_eq!(memory.opens(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_object_that_changes_while_it_is_read_is_noticed() {
    let (memory, store, body) = store(&[BodyFault::Break(30_000)]);
    let mut reader =
        ResumingReader::open(Arc::new(store), OpenRequest::whole(address()), ResumeOptions::default()).await.unwrap();
    memory.insert(&address(), noise(5));
    let mut bytes = Vec::new();
    let error = loop {
        match reader.next().await {
            Ok(chunk) => bytes.extend_from_slice(&chunk.expect("an error before the end")),
            Err(error) => break error,
        }
    };
    assert_eq!((error.class, error.code), (ErrorClass::Changed, "object_changed"));
    assert!(bytes == body[..30_000]);
}

#[tokio::test(start_paused = true)]
async fn ranges_are_resumed_inside_the_range() {
    let (_, store, body) = store(&[BodyFault::Break(100), BodyFault::End(1)]);
    let request =
        OpenRequest { address: address(), range: Some(ByteRange { start: 500, end: Some(20_000) }), if_match: None };
    let outcome = read(&store, request).await.unwrap();
    assert!(outcome.error.is_none());
    assert!(outcome.bytes == body[500..20_000]);
}

#[tokio::test]
async fn an_empty_object_has_no_bytes() {
    let memory = MemoryStore::default();
    memory.insert(&address(), Vec::new());
    let outcome = read(&FaultyStore::new(Arc::new(memory)), OpenRequest::whole(address())).await.unwrap();
    assert!(outcome.bytes.is_empty() && outcome.error.is_none());
}
