//! An object that is read, processed and written at the same time comes out as one that is processed in turn: the same
//! bytes, counts, errors and ledger lines. And what goes on beside the records ends with them.
#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

use async_trait::async_trait;
use batch::{Budget, Deadline, LedgerLine, Outcome, Overlap, Status, Worker};
use bytes::Bytes;
use futures::StreamExt;
use object_store::fakes::{BodyFault, FaultyStore, MemoryStore, WriteStep};
use object_store::{
    Compressor, ErrorClass, ListPage, ListRequest, MultipartUpload, ObjectAddress, ObjectError, ObjectHead,
    ObjectReader, ObjectStore, OpenRequest, OutputCompression, Places, UploadState, WriteRequest, Written,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::oneshot;

fn address(bucket: &str, key: &str) -> ObjectAddress {
    ObjectAddress::parse(bucket, key).unwrap()
}

fn compress(compression: OutputCompression, text: &[u8]) -> Vec<u8> {
    let mut compressor = Compressor::new(compression, address("raw", "x")).unwrap();
    compressor.write(text).unwrap();
    compressor.finish().unwrap()
}

/// Lines of about 100 bytes, every 500th of them refused.
fn lines(bytes: usize) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes + 200);
    let mut number = 0_u64;
    while text.len() < bytes {
        number += 1;
        let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let end = if number.is_multiple_of(500) { "" } else { "}" };
        let line = format!("{{\"number\":{number},\"mixed\":\"{mixed:x}{:x}\",\"plain\":\"some text\"{end}\n", !mixed);
        text.extend_from_slice(line.as_bytes());
    }
    text
}

/// A store with one object in it, the event of its batch, and faults that are the same for every run.
struct Case {
    key: &'static str,
    body: Vec<u8>,
    chunk_bytes: usize,
    faults: Vec<BodyFault>,
    write_fault: Option<(WriteStep, ErrorClass)>,
    job: Value,
}

/// All that a run leaves behind.
#[derive(Debug, PartialEq)]
struct Left {
    lines: Vec<LedgerLine>,
    objects: BTreeMap<String, Bytes>,
    open_uploads: usize,
}

impl Case {
    fn new(key: &'static str, body: Vec<u8>) -> Self {
        let job = json!({
            "version": 1,
            "name": "test",
            "source": {"bucket": "raw"},
            "output": {"bucket": "clean", "compression": "zstd"},
            "rejects": {"max_per_object": 1_000_000},
        });
        Self { key, body, chunk_bytes: 64 << 10, faults: Vec::new(), write_fault: None, job }
    }

    fn in_chunks(self, chunk_bytes: usize) -> Self {
        Self { chunk_bytes, ..self }
    }

    fn with_faults(self, faults: &[BodyFault]) -> Self {
        Self { faults: faults.to_vec(), ..self }
    }

    fn with_write_fault(self, step: WriteStep) -> Self {
        Self { write_fault: Some((step, ErrorClass::Transient)), ..self }
    }

    fn with_job(mut self, room: &str, rules: Value) -> Self {
        for (name, value) in rules.as_object().unwrap() {
            self.job[room][name] = value.clone();
        }
        self
    }

    async fn run(&self, overlap: Overlap, deadline: Deadline) -> Left {
        let memory = MemoryStore::with_buckets(&["raw", "clean"]);
        memory.set_chunk_bytes(self.chunk_bytes);
        let etag = memory.insert(&address("raw", self.key), self.body.clone());
        let mut store = FaultyStore::new(Arc::new(memory.clone())).with_bodies(self.faults.iter().copied());
        if let Some((step, class)) = self.write_fault {
            store = store.with_write(step, class);
        }
        let event = json!({
            "BatchInput": {"mapmill": {"version": 1, "run_id": "r1", "job": self.job}},
            "Items": [{"Key": self.key, "Etag": etag.quoted(), "Size": self.body.len(), "LastModified": 1.7e9}],
        });
        let outcome = process(Arc::new(store), &event, overlap, deadline).await;
        let ledger = memory.get(&address(&outcome.ledger.bucket, &outcome.ledger.key)).unwrap();
        let mut lines: Vec<LedgerLine> =
            ledger.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
        assert_eq!(lines.len(), 1);
        lines[0].duration_ms = 0;
        // What was given up is removed by tasks that may run after the batch.
        for _ in 0..1000 {
            if memory.open_uploads() > 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        let written = memory.addresses().into_iter().filter(|address| address.bucket.as_str() == "clean");
        let written = written.filter(|address| !address.key.as_str().contains("/ledger/"));
        let objects = written.map(|address| (address.to_string(), memory.get(&address).unwrap())).collect();
        Left { lines, objects, open_uploads: memory.open_uploads() }
    }

    /// Runs both ways, finds the same, and answers the ledger's line.
    async fn check(self, status: Status, code: Option<&str>) -> LedgerLine {
        let in_turn = self.run(Overlap::never(), Deadline::UNKNOWN).await;
        let at_once = self.run(Overlap::always(), Deadline::UNKNOWN).await;
        assert_eq!(in_turn.lines, at_once.lines, "{}", self.key);
        let keys = |left: &Left| left.objects.keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&in_turn), keys(&at_once), "{}", self.key);
        assert!(in_turn.objects == at_once.objects, "{}: the bytes of an object differ", self.key);
        assert_eq!((in_turn.open_uploads, at_once.open_uploads), (0, 0), "{}", self.key);
        let line = at_once.lines.into_iter().next().unwrap();
        assert_eq!((line.status, line.code.as_deref()), (status, code), "{}: {line:?}", self.key);
        line
    }
}

async fn process(store: Arc<dyn ObjectStore>, event: &Value, overlap: Overlap, deadline: Deadline) -> Outcome {
    let places = |text: &str| text.parse::<Places>().unwrap();
    let worker = Worker::new(store, places("raw"), places("clean"), Budget::of_function(512)).with_overlap(overlap);
    worker.process_batch(event, deadline).await.unwrap()
}

async fn check_whole_objects() {
    let (text, ok) = (lines(3 << 20), Status::Succeeded);
    let plain = Case::new("a.ndjson", text.clone()).check(ok, None).await;
    assert!(plain.records.rejected > 50 && plain.rejects.is_some());
    let small_chunks = Case::new("a.ndjson", text.clone()).in_chunks(1000).check(ok, None).await;
    assert_eq!((plain.bytes, plain.records), (small_chunks.bytes, small_chunks.records));
    for compression in [OutputCompression::Gzip, OutputCompression::Zstd] {
        let line = Case::new("a.ndjson", compress(compression, &text)).check(ok, None).await;
        assert_eq!(line.records, plain.records);
    }
    // Around the sizes of the first bytes and of a chunk, and an output of several parts.
    for length in [1, 4095, 4096, 4097, (4 << 10) + (128 << 10), (4 << 10) + (128 << 10) + 1] {
        let exact: Vec<u8> = lines(length)[..length].to_vec();
        Case::new("a.ndjson", exact).with_job("rejects", json!({"max_ratio": 1})).check(ok, None).await;
    }
    Case::new("large.ndjson", lines(20 << 20)).with_job("output", json!({"compression": "none"})).check(ok, None).await;
    // One record of several megabytes among short ones.
    let long = format!("{{\"long\":\"{}\"}}\n", "x".repeat(5 << 20)).into_bytes();
    let long = [lines(300_000), long.clone(), lines(300_000), long].concat();
    Case::new("long.ndjson", long).check(ok, None).await;
}

async fn check_objects_that_fail() {
    let (text, failed) = (lines(3 << 20), Status::Failed);
    let gzip = compress(OutputCompression::Gzip, &text);
    for end in [15, gzip.len() / 2, gzip.len() - 3] {
        Case::new("cut.ndjson", gzip[..end].to_vec()).check(failed, Some("truncated_gzip")).await;
    }
    let mut damaged = gzip.clone();
    damaged[gzip.len() - 6] ^= 1;
    let line = Case::new("damaged.ndjson", damaged).check(failed, Some("corrupt_gzip")).await;
    assert_eq!(line.bytes.expanded, text.len() as u64, "what came before the checksum was processed");
    assert!(line.rejects.is_some(), "{line:?}");
    let followed = [gzip.as_slice(), b"{}\n"].concat();
    Case::new("followed.ndjson", followed).check(failed, Some("corrupt_gzip")).await;
    let limit = json!({"expanded_bytes": "1MiB"});
    let line =
        Case::new("a.ndjson", gzip.clone()).with_job("limits", limit).check(failed, Some("expanded_bytes_exceeded"));
    assert_eq!(line.await.bytes.expanded, 1 << 20);
    // The records fail long before the bytes are at their end: what was read ahead does not count.
    let rules = json!({"max_per_object": 3});
    let line =
        Case::new("a.ndjson", gzip.clone()).with_job("rejects", rules).check(failed, Some("too_many_rejects")).await;
    assert!(line.bytes.expanded < 1 << 20, "{line:?}");
    Case::new("a.ndjson", gzip)
        .with_job("rejects", json!({"policy": "fail"}))
        .check(failed, Some("invalid_json"))
        .await;
    let open_quote = [b"a,b\n".to_vec(), b"1,2\n".repeat(200_000), b"\"x\n".to_vec()].concat();
    Case::new("quote.csv", open_quote).check(failed, Some("csv_unclosed_quote")).await;
}

#[tokio::test]
async fn both_ways_give_the_same_with_one_thread() {
    check_whole_objects().await;
    check_objects_that_fail().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_ways_give_the_same_with_several_threads() {
    check_whole_objects().await;
    check_objects_that_fail().await;
}

#[tokio::test(start_paused = true)]
async fn broken_bodies_are_resumed_in_both_ways() {
    let text = lines(3 << 20);
    let gzip = compress(OutputCompression::Gzip, &text);
    let broken = [BodyFault::Break(100_000), BodyFault::End(7), BodyFault::Stall(50_000), BodyFault::None];
    Case::new("a.ndjson", text.clone()).with_faults(&broken).check(Status::Succeeded, None).await;
    Case::new("a.ndjson", gzip).with_faults(&broken).check(Status::Succeeded, None).await;
    let given_up = [vec![BodyFault::Break(1 << 20)], vec![BodyFault::Break(0); 10]].concat();
    let line =
        Case::new("a.ndjson", text.clone()).with_faults(&given_up).check(Status::Failed, Some("body_broken")).await;
    assert_eq!(line.bytes.expanded, 1 << 20, "what came before the break was processed");
    let denied = [BodyFault::Break(1 << 20), BodyFault::Open(ErrorClass::Denied)];
    Case::new("a.ndjson", text.clone()).with_faults(&denied).check(Status::Failed, Some("service_error")).await;
    // Damaged bytes are read again, and their rejects are not those of the object.
    let damaged = |times: usize| Case::new("a.ndjson", text.clone()).with_faults(&vec![BodyFault::Mismatch; times]);
    let line = damaged(2).check(Status::Succeeded, None).await;
    assert_eq!(line.retries, 2);
    let at_once = Case::new("a.ndjson", text.clone()).check(Status::Succeeded, None).await;
    assert_eq!(LedgerLine { retries: 0, ..line }, at_once);
    let line = damaged(3).check(Status::Failed, Some("checksum_mismatch")).await;
    assert_eq!(line.rejects, None);
}

async fn check_failed_writes() {
    let gzip = compress(OutputCompression::Gzip, &lines(20 << 20));
    for step in [WriteStep::Begin, WriteStep::Part(1), WriteStep::Part(2), WriteStep::Complete] {
        // The object may end with an error too: that of writing concerns earlier lines, unless it comes at the very end.
        let at_end = if step == WriteStep::Complete { "truncated_gzip" } else { "service_error" };
        for (body, code) in [(&gzip[..], "service_error"), (&gzip[..gzip.len() - 3], at_end)] {
            let case = Case::new("a.ndjson", body.to_vec())
                .with_job("output", json!({"compression": "none"}))
                .with_job("rejects", json!({"policy": "drop"}))
                .with_write_fault(step);
            let [in_turn, at_once] = [
                case.run(Overlap::never(), Deadline::UNKNOWN).await,
                case.run(Overlap::always(), Deadline::UNKNOWN).await,
            ];
            for left in [&in_turn, &at_once] {
                assert_eq!(left.lines[0].code.as_deref(), Some(code), "{step:?}: {:?}", left.lines[0]);
                // What was uploaded whole is kept, with a note of it, for the next attempt to complete.
                let kept = usize::from(step == WriteStep::Complete && code == "service_error");
                assert_eq!((left.objects.len(), left.open_uploads), (kept, kept), "{step:?}");
            }
            assert_eq!(in_turn.lines[0].message, at_once.lines[0].message);
        }
    }
}

#[tokio::test]
async fn failed_writes_fail_the_object_in_both_ways() {
    check_failed_writes().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_writes_fail_the_object_with_several_threads() {
    check_failed_writes().await;
}

#[tokio::test(start_paused = true)]
async fn what_does_not_end_in_time_leaves_nothing_in_both_ways() {
    let stalls = [vec![BodyFault::Stall(17 << 20)], vec![BodyFault::Stall(0); 100]].concat();
    let case =
        Case::new("a.ndjson", lines(20 << 20)).with_job("output", json!({"compression": "none"})).with_faults(&stalls);
    for overlap in [Overlap::never(), Overlap::always()] {
        let left = case.run(overlap, Deadline::after(Duration::from_secs(60))).await;
        assert_eq!((left.lines[0].status, left.lines[0].reason.as_deref()), (Status::Unprocessed, Some("out_of_time")));
        assert_eq!((left.objects.len(), left.open_uploads), (0, 0), "{:?}", left.objects.keys());
    }
}

/// What a [`Trap`] does.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Catch {
    /// The body panics after this many bytes.
    Body(usize),
    /// The body gives this many bytes, then nothing more.
    Wait(usize),
    /// The first part that is uploaded panics.
    Part,
}

/// A store whose object does something bad.
struct Trap {
    inner: MemoryStore,
    catch: Catch,
    /// Dropped with the body.
    tell: Mutex<Option<oneshot::Sender<()>>>,
}

#[async_trait]
impl ObjectStore for Trap {
    async fn open(&self, request: &OpenRequest) -> Result<ObjectReader, ObjectError> {
        let reader = self.inner.open(request).await?;
        let (Catch::Body(length) | Catch::Wait(length)) = self.catch else { return Ok(reader) };
        let catch = self.catch;
        let tell = self.tell.lock().unwrap().take();
        let mut given = 0;
        let body = reader.body.then(move |chunk| {
            let _kept_with_the_body = &tell;
            given += chunk.as_ref().map_or(0, Bytes::len);
            let is_over = given > length;
            async move {
                if is_over && matches!(catch, Catch::Wait(_)) {
                    std::future::pending::<()>().await;
                }
                assert!(!is_over, "the body panics as told");
                chunk
            }
        });
        Ok(ObjectReader { body: body.boxed(), ..reader })
    }

    async fn head(&self, address: &ObjectAddress) -> Result<ObjectHead, ObjectError> {
        self.inner.head(address).await
    }

    async fn list(&self, request: &ListRequest) -> Result<ListPage, ObjectError> {
        self.inner.list(request).await
    }

    async fn put(&self, request: &WriteRequest, body: Bytes) -> Result<Written, ObjectError> {
        self.inner.put(request, body).await
    }

    async fn begin_upload(&self, request: &WriteRequest) -> Result<Box<dyn MultipartUpload>, ObjectError> {
        let inner = self.inner.begin_upload(request).await?;
        Ok(Box::new(TrapUpload { inner, panics: self.catch == Catch::Part }))
    }

    async fn resume_upload(
        &self,
        request: &WriteRequest,
        state: &UploadState,
    ) -> Result<Box<dyn MultipartUpload>, ObjectError> {
        self.inner.resume_upload(request, state).await
    }
}

struct TrapUpload {
    inner: Box<dyn MultipartUpload>,
    panics: bool,
}

#[async_trait]
impl MultipartUpload for TrapUpload {
    async fn upload_part(&mut self, number: u32, body: Bytes) -> Result<(), ObjectError> {
        assert!(!self.panics, "the part panics as told");
        self.inner.upload_part(number, body).await
    }

    fn state(&self) -> UploadState {
        self.inner.state()
    }

    async fn complete(&mut self) -> Result<Written, ObjectError> {
        self.inner.complete().await
    }

    async fn abort(&mut self) -> Result<(), ObjectError> {
        self.inner.abort().await
    }
}

/// Runs a batch of one object on a trap; the receiver hears when the body is dropped.
async fn run_trap(catch: Catch, overlap: Overlap, deadline: Deadline) -> (Outcome, MemoryStore, oneshot::Receiver<()>) {
    let memory = MemoryStore::with_buckets(&["raw", "clean"]);
    memory.insert(&address("raw", "a.ndjson"), lines(20 << 20));
    let (sender, dropped) = oneshot::channel();
    let trap = Trap { inner: memory.clone(), catch, tell: Mutex::new(Some(sender)) };
    let job = json!({"version": 1, "name": "t", "source": {"bucket": "raw"}, "output": {"bucket": "clean", "compression": "none"}});
    let event = json!({
        "BatchInput": {"mapmill": {"version": 1, "run_id": "r1", "job": job}},
        "Items": [{"Key": "a.ndjson"}],
    });
    let outcome = process(Arc::new(trap), &event, overlap, deadline).await;
    (outcome, memory, dropped)
}

async fn check_panics() {
    for overlap in [Overlap::never(), Overlap::always()] {
        for catch in [Catch::Body(0), Catch::Body(10 << 20), Catch::Part] {
            let (outcome, memory, _) = run_trap(catch, overlap.clone(), Deadline::UNKNOWN).await;
            assert_eq!(outcome.failures[0].code, "worker_panic", "{catch:?} {overlap:?}: {outcome:?}");
            let written = memory.addresses().into_iter().filter(|address| address.bucket.as_str() == "clean").count();
            assert_eq!(written, 1, "nothing but the ledger");
        }
    }
}

#[tokio::test]
async fn panics_fail_the_object_with_one_thread() {
    check_panics().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn panics_fail_the_object_with_several_threads() {
    check_panics().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_read_ahead_ends_when_time_is_over() {
    for overlap in [Overlap::never(), Overlap::always()] {
        let soon = Deadline::after(Duration::from_millis(300));
        let (outcome, memory, dropped) = run_trap(Catch::Wait(12 << 20), overlap, soon).await;
        assert_eq!(outcome.items.unprocessed, 1, "{outcome:?}");
        tokio::time::timeout(Duration::from_secs(60), dropped).await.expect("the body is dropped").unwrap_err();
        let ended = async {
            while memory.open_uploads() > 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), ended).await.expect("the upload is given up");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_never_comes_is_no_object() {
    // The first bytes are waited for before anything overlaps.
    let stalls = vec![BodyFault::Stall(0); 100];
    let case = Case::new("a.ndjson", lines(1 << 20)).with_faults(&stalls);
    case.check(Status::Failed, Some("body_stalled")).await;
}
