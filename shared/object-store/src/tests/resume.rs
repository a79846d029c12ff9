use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, stream};
use tokio::time::Instant;

use super::{address, noise};
use crate::error::{ErrorClass, ObjectError};
use crate::fakes::{BodyFault, FaultyStore, MemoryStore, OpeningStore};
use crate::listing::{ListPage, ListRequest};
use crate::names::{ETag, ObjectAddress};
use crate::resume::{ResumeOptions, ResumingReader};
use crate::store::{
    ByteRange, MultipartUpload, ObjectHead, ObjectReader, ObjectStore, OpenRequest, UploadState, WriteRequest, Written,
};

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
async fn a_changed_byte_is_noticed_also_in_a_body_that_was_resumed() {
    use BodyFault::{Break, End, Flip, Open, Stall};
    let check = async |faults: &[BodyFault]| {
        let (_, store, body) = store(faults);
        let outcome = read(&store, OpenRequest::whole(address())).await.unwrap();
        let error = outcome.error.expect("an error");
        assert_eq!((error.class, error.code), (ErrorClass::Transient, "checksum_mismatch"), "{faults:?}");
        assert_eq!((outcome.bytes.len(), store.faults_left()), (body.len(), 0), "{faults:?}");
    };
    check(&[Flip(0)]).await;
    check(&[Flip(SIZE - 1)]).await;
    check(&[Break(7_001), Flip(0)]).await;
    check(&[End(50_000), Stall(10), Open(ErrorClass::Transient), Flip(20_000)]).await;
    // A range has no checksum of its own.
    let (_, store, _) = store(&[Flip(3)]);
    let range = Some(ByteRange { start: 1, end: None });
    let outcome = read(&store, OpenRequest { range, ..OpenRequest::whole(address()) }).await.unwrap();
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
}

#[tokio::test(start_paused = true)]
async fn a_stall_is_noticed_in_time() {
    let (_, store, _) = store(&[BodyFault::Stall(0)]);
    let start = Instant::now();
    read(&store, OpenRequest::whole(address())).await.unwrap();
    assert!(start.elapsed() >= Duration::from_secs(20) && start.elapsed() < Duration::from_secs(21));
}

#[tokio::test(start_paused = true)]
async fn opening_is_tried_again_as_often_as_reading() {
    use BodyFault::Open;
    let check = async |faults: &[BodyFault], expected: Option<ErrorClass>, left: usize| {
        let (_, store, body) = store(faults);
        let result = read(&store, OpenRequest::whole(address())).await;
        assert_eq!(result.as_ref().err().map(|error| error.class), expected, "{faults:?}");
        assert!(result.is_err() || result.is_ok_and(|outcome| outcome.bytes == body));
        assert_eq!(store.faults_left(), left, "{faults:?}");
    };
    check(&[Open(ErrorClass::Transient)], None, 0).await;
    check(&[[Open(ErrorClass::Throttled); 3].as_slice(), &[Open(ErrorClass::Transient)]].concat(), None, 0).await;
    check(&[Open(ErrorClass::Transient); 7], Some(ErrorClass::Transient), 2).await;
    check(&[Open(ErrorClass::Denied); 3], Some(ErrorClass::Denied), 2).await;
}

#[tokio::test(start_paused = true)]
async fn attempts_of_the_adapter_count() {
    use BodyFault::{Break, Open};
    let check = async |faults: &[BodyFault], attempts: u32, opens: u32| {
        let (_, inner, _) = store(faults);
        let opened = Arc::new(AtomicU32::new(0));
        let counter = opened.clone();
        // It fails after attempts of its own, as an adapter does.
        let patient = OpeningStore::new(Arc::new(inner), move |_, result| {
            counter.fetch_add(1, Ordering::SeqCst);
            result.map_err(|error| ObjectError { attempts, ..error })
        });
        let reader = ResumingReader::open(Arc::new(patient), OpenRequest::whole(address()), ResumeOptions::default());
        let failed = async {
            let mut reader = reader.await?;
            while reader.next().await?.is_some() {}
            Ok::<(), ObjectError>(())
        };
        assert_eq!(failed.await.unwrap_err().class, ErrorClass::Transient);
        assert_eq!(opened.load(Ordering::SeqCst), opens, "{faults:?}");
    };
    let gone = [Open(ErrorClass::Transient); 20];
    check(&gone, 1, 5).await;
    check(&gone, 5, 1).await;
    check(&gone, 3, 2).await;
    check(&[[Break(9)].as_slice(), &gone].concat(), 1, 6).await;
    check(&[[Break(9)].as_slice(), &gone].concat(), 5, 2).await;
}

#[tokio::test(start_paused = true)]
async fn an_adapter_whose_time_is_over_is_not_asked_again() {
    use BodyFault::{Break, Open};
    let check = async |faults: &[BodyFault], opens: u32, message: &str| {
        let (_, inner, _) = store(faults);
        let opened = Arc::new(AtomicU32::new(0));
        let counter = opened.clone();
        let slow = OpeningStore::new(Arc::new(inner), move |_, result| {
            counter.fetch_add(1, Ordering::SeqCst);
            result.map_err(|error| ObjectError { attempts: 4, is_out_of_time: true, ..error })
        });
        let reader = ResumingReader::open(Arc::new(slow), OpenRequest::whole(address()), ResumeOptions::default());
        let failed = async {
            let mut reader = reader.await?;
            while reader.next().await?.is_some() {}
            Ok::<(), ObjectError>(())
        };
        let error = failed.await.unwrap_err();
        assert_eq!((error.class, opened.load(Ordering::SeqCst)), (ErrorClass::Transient, opens), "{faults:?}");
        assert!(error.message.contains(message), "{error}");
    };
    let gone = [Open(ErrorClass::Transient); 20];
    check(&gone, 1, "injected").await;
    let after_some = [[Break(9)].as_slice(), &gone].concat();
    check(&after_some, 2, "given up at byte 9 after the longest time of a request").await;
}

/// A store whose bodies bring one byte after each pause.
struct Slow {
    pause: Duration,
    size: u64,
    opens: AtomicU32,
}

#[async_trait]
impl ObjectStore for Slow {
    async fn open(&self, request: &OpenRequest) -> Result<ObjectReader, ObjectError> {
        self.opens.fetch_add(1, Ordering::SeqCst);
        let start = request.range.map_or(0, |range| range.start);
        let pause = self.pause;
        let body = stream::iter(start..self.size).then(move |_| async move {
            tokio::time::sleep(pause).await;
            Ok(Bytes::from_static(b"x"))
        });
        let etag = ETag::parse("slow").unwrap();
        let (size, body) = (self.size, body.boxed());
        Ok(ObjectReader { etag, size, content_type: None, content_encoding: None, checksum: None, body })
    }

    async fn head(&self, _: &ObjectAddress) -> Result<ObjectHead, ObjectError> {
        unreachable!("nobody asks here")
    }

    async fn list(&self, _: &ListRequest) -> Result<ListPage, ObjectError> {
        unreachable!("nobody lists here")
    }

    async fn put(&self, _: &WriteRequest, _: Bytes) -> Result<Written, ObjectError> {
        unreachable!("nothing is written here")
    }

    async fn resume_upload(&self, _: &WriteRequest, _: &UploadState) -> Result<Box<dyn MultipartUpload>, ObjectError> {
        unreachable!("nothing is written here")
    }

    async fn begin_upload(&self, _: &WriteRequest) -> Result<Box<dyn MultipartUpload>, ObjectError> {
        unreachable!("nothing is written here")
    }
}

#[tokio::test(start_paused = true)]
async fn a_trickle_is_given_up_and_a_slow_reader_is_not() {
    let check = async |pause: Duration, thinking: Duration, expected: Result<(), &str>| {
        let slow = Arc::new(Slow { pause, size: 30_000, opens: AtomicU32::new(0) });
        let options = ResumeOptions { least_bytes_per_second: 100, ..ResumeOptions::default() };
        let begun = Instant::now();
        let mut reader = ResumingReader::open(slow.clone(), OpenRequest::whole(address()), options).await.unwrap();
        let result = loop {
            match reader.next().await {
                Ok(Some(_)) => tokio::time::sleep(thinking).await,
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        assert_eq!(result.as_ref().map_err(|error| error.code).copied(), expected, "{pause:?}");
        (slow.opens.load(Ordering::SeqCst), begun.elapsed(), result.err().map(|error| error.message))
    };
    let (opens, _, _) = check(Duration::from_millis(5), Duration::ZERO, Ok(())).await;
    assert_eq!(opens, 1, "200 bytes a second are enough");
    let (opens, _, _) = check(Duration::from_millis(5), Duration::from_secs(1), Ok(())).await;
    assert_eq!(opens, 1, "the reader is the slow one");
    let (opens, waited, message) = check(Duration::from_millis(50), Duration::ZERO, Err("body_stalled")).await;
    assert_eq!(opens, 6);
    assert!(waited < Duration::from_secs(150), "{waited:?}");
    let message = message.unwrap();
    assert!(message.contains("expected at least 100 bytes a second; found 400 bytes in 20.0 s"), "{message}");
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
