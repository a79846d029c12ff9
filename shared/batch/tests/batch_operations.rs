//! S3 Batch Operations: an event of either schema is answered in its own form, with the code that its sender acts on.
#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

use batch::{Answer, BatchError, Budget, Deadline, MAX_TASKS, ResultCode, TaskAnswer, TaskAnswers, Worker, answer};
use object_store::fakes::{BodyFault, FaultyStore, MemoryStore, WriteStep};
use object_store::{ErrorClass, ObjectAddress, ObjectStore, Places};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const JOB: &str = "s3://jobs/job.yaml";

fn address(bucket: &str, key: &str) -> ObjectAddress {
    ObjectAddress::parse(bucket, key).unwrap()
}

/// A store with a job from `raw/in/` to `clean/out/` and two objects.
fn store() -> MemoryStore {
    let store = MemoryStore::with_buckets(&["raw", "clean", "jobs"]);
    let job = "{version: 1, name: j, source: {bucket: raw, prefix: in/}, output: {bucket: clean, prefix: out/, \
               compression: none}, on_failure: fail}";
    store.insert(&address("jobs", "job.yaml"), job);
    store.insert(&address("raw", "in/a b+ä.ndjson"), "{}\n{\n{}\n");
    store.insert(&address("raw", "in/broken.json"), "[");
    store.insert(&address("raw", "in/folder/"), "");
    store
}

fn fixture(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/batch_operations").join(name);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// An event of schema 1.0 with a task for each key.
fn event(keys: &[&str]) -> Value {
    let mut event = fixture("schema_1.json");
    let task = event["tasks"][0].clone();
    let tasks = keys.iter().enumerate().map(|(number, key)| {
        let mut task = task.clone();
        task["taskId"] = json!(format!("task-{number}"));
        task["s3Key"] = json!(key);
        task
    });
    event["tasks"] = tasks.collect();
    event
}

async fn ask(
    store: Arc<dyn ObjectStore>,
    event: &Value,
    job: Option<&str>,
    deadline: Deadline,
) -> Result<Answer, BatchError> {
    let places = |text: &str| text.parse::<Places>().unwrap();
    let worker = Worker::new(store, places("raw/in/,jobs"), places("clean/out/"), Budget::of_function(128));
    let event = serde_json::value::to_raw_value(event).unwrap();
    answer(&worker, &event, job, deadline).await
}

fn tasks(answer: Result<Answer, BatchError>) -> TaskAnswers {
    match answer.unwrap() {
        Answer::Tasks(answers) => answers,
        Answer::Batch(outcome) => unreachable!("{outcome:?}"),
    }
}

async fn results(store: &MemoryStore, event: &Value, job: Option<&str>) -> Vec<TaskAnswer> {
    tasks(ask(Arc::new(store.clone()), event, job, Deadline::UNKNOWN).await).results
}

#[tokio::test]
async fn both_schemas_are_answered_in_their_form() {
    let check = async |name: &str, job: Option<&str>, schema: &str| {
        let store = store();
        let answer = ask(Arc::new(store.clone()), &fixture(name), job, Deadline::UNKNOWN).await.unwrap();
        let expected = json!({
            "invocationSchemaVersion": schema,
            "treatMissingKeysAs": "PermanentFailure",
            "invocationId": "YXNkbGZqYWRmaiBhc2RmdW9hZHNmZGpmaGFzbGtkaGZza2RmaAo",
            "results": [{
                "taskId": "dGFza2lkZ29lc2hlcmUK",
                "resultCode": "Succeeded",
                "resultString": "records: 3 read, 2 written, 0 filtered, 1 rejected",
            }],
        });
        assert_eq!(serde_json::to_value(answer).unwrap(), expected, "{name}");
        let written = store.addresses().into_iter().map(|address| address.key.as_str().to_owned());
        let written: Vec<String> = written.filter(|key| key.starts_with("out/")).collect();
        let run = "out/_mapmill/f3cc4f60-61f6-4a2b-8a21-d07600c373ce";
        assert!(written.contains(&"out/a b+ä.ndjson.ndjson".to_owned()), "{written:?}");
        assert!(written.iter().any(|key| key.starts_with(&format!("{run}/ledger/"))), "{written:?}");
    };
    check("schema_1.json", Some(JOB), "1.0").await;
    check("schema_2.json", None, "2.0").await;
    check("schema_2.json", Some("s3://jobs/another.yaml"), "2.0").await;
}

#[tokio::test]
async fn every_end_of_an_item_has_its_code() {
    let store = store();
    let event = event(&[
        "in/folder/",
        "in/broken.json",
        "in/missing.csv",
        "elsewhere/a.csv",
        "in/%FF",
        "in/a+b%2B%C3%A4.ndjson",
    ]);
    let results = results(&store, &event, Some(JOB)).await;
    let check = |index: usize, code: ResultCode, words: &str| {
        let result = &results[index];
        assert_eq!(result.task_id, format!("task-{index}"));
        assert_eq!(result.result_code, code, "{result:?}");
        assert!(result.result_string.contains(words), "{result:?}");
    };
    check(0, ResultCode::Succeeded, "skipped: folder_marker");
    check(1, ResultCode::PermanentFailure, "bad_data, unexpected_end: ");
    check(2, ResultCode::PermanentFailure, "not_found, no_such_key: ");
    check(3, ResultCode::PermanentFailure, "configuration, outside_prefix: ");
    check(4, ResultCode::PermanentFailure, "URL-encoded");
    check(5, ResultCode::Succeeded, "3 read");
}

#[tokio::test(start_paused = true)]
async fn what_may_pass_is_temporary() {
    let event = event(&["in/a+b%2B%C3%A4.ndjson"]);
    let check = async |store: FaultyStore, deadline: Deadline, code: ResultCode, words: &str| {
        let result = tasks(ask(Arc::new(store), &event, Some(JOB), deadline).await).results.remove(0);
        assert_eq!(result.result_code, code, "{result:?}");
        assert!(result.result_string.contains(words), "{result:?}");
    };
    let faulty = || FaultyStore::new(Arc::new(store()));
    let temporary = ResultCode::TemporaryFailure;
    for (class, words) in [(ErrorClass::Transient, "transient, "), (ErrorClass::Throttled, "throttled, ")] {
        // The first open is that of the job file.
        let object = faulty().with_bodies([vec![BodyFault::None], vec![BodyFault::Open(class); 10]].concat());
        check(object, Deadline::UNKNOWN, temporary, words).await;
        let job = faulty().with_bodies(vec![BodyFault::Open(class); 10]);
        check(job, Deadline::UNKNOWN, temporary, "Mapmill.T").await;
    }
    let denied = faulty().with_bodies([BodyFault::None, BodyFault::Open(ErrorClass::Denied)]);
    check(denied, Deadline::UNKNOWN, ResultCode::PermanentFailure, "denied, ").await;
    let slow = faulty().with_bodies([vec![BodyFault::None], vec![BodyFault::Stall(0); 100]].concat());
    check(slow, Deadline::after(Duration::from_secs(30)), temporary, "unprocessed: out_of_time").await;
    // The first put is the output, the second the ledger.
    let ledger = faulty().with_write(WriteStep::Put, ErrorClass::Denied).with_write(WriteStep::Put, ErrorClass::Denied);
    check(ledger, Deadline::UNKNOWN, ResultCode::PermanentFailure, "Mapmill.AccessDenied: ").await;
}

#[tokio::test]
async fn a_job_that_cannot_be_used_fails_the_task_and_says_so() {
    let store = store();
    store.insert(&address("jobs", "bad.yaml"), format!("{{{}: 1}}", "x".repeat(3000)));
    let check = async |event: Value, job: Option<&str>, words: &str| {
        let result = results(&store, &event, job).await.remove(0);
        assert_eq!(result.result_code, ResultCode::PermanentFailure, "{result:?}");
        assert!(result.result_string.contains(words), "{result:?}");
        assert!(result.result_string.chars().count() <= 1024);
    };
    let one = || event(&["in/broken.json"]);
    check(one(), None, "MAPMILL_JOB; found none").await;
    check(one(), Some("job.yaml"), "mapmill_job (schema 2.0)").await;
    check(one(), Some("s3://jobs/none.yaml"), "Mapmill.InvalidJob: ").await;
    check(one(), Some("s3://secret/job.yaml"), "MAPMILL_READ").await;
    check(one(), Some("s3://jobs/bad.yaml"), "Mapmill.InvalidJob: ").await;
    let mut without_argument = fixture("schema_2.json");
    without_argument["job"]["userArguments"] = json!({"mapmill_job": ""});
    check(without_argument, Some("s3://jobs/none.yaml"), "s3://jobs/none.yaml").await;
    let mut versioned = one();
    versioned["tasks"][0]["s3VersionId"] = json!("v1");
    check(versioned, Some(JOB), "s3VersionId").await;
    let mut elsewhere = one();
    elsewhere["tasks"][0]["s3BucketArn"] = json!("arn:aws:s3:::other");
    check(elsewhere, Some(JOB), "unexpected_bucket").await;
    let mut nowhere = one();
    nowhere["tasks"][0].as_object_mut().unwrap().remove("s3BucketArn");
    check(nowhere, Some(JOB), "s3Bucket").await;
}

#[tokio::test]
async fn an_event_that_is_neither_is_refused() {
    let check = async |event: Value, words: &str| {
        let error = ask(Arc::new(store()), &event, Some(JOB), Deadline::UNKNOWN).await.unwrap_err();
        assert_eq!(error.name(), "Mapmill.InvalidEvent");
        assert!(error.to_string().contains(words), "{error}");
        assert!(error.to_string().len() < 500, "{error}");
    };
    let with = |name: &str, value: Value| {
        let mut event = event(&["in/x"]);
        event[name] = value;
        event
    };
    check(with("invocationSchemaVersion", json!("3.0")), "expected 1.0 or 2.0").await;
    check(with("job", json!({})), "expected a text in job.id, found null").await;
    check(with("job", json!({"id": "../x"})), "in job.id").await;
    check(with("tasks", json!("x".repeat(5000))), "expected a list in tasks, found a text").await;
    check(with("tasks", json!([5])), "expected a text in a task's taskId, found null").await;
    check(with("invocationId", json!(5)), "found a number").await;
    check(event(&["in/x"; MAX_TASKS + 1]), "at most 100 tasks, found 101").await;
    check(json!({"Records": []}), "expected BatchInput").await;
}

#[tokio::test]
async fn a_batch_is_still_a_batch() {
    let store = store();
    let event = json!({
        "BatchInput": {"mapmill": {"version": 1, "run_id": "r", "job": JOB}},
        "Items": [{"Key": "in/a b+ä.ndjson"}],
    });
    let answer = ask(Arc::new(store), &event, None, Deadline::UNKNOWN).await.unwrap();
    assert_eq!(serde_json::to_value(answer).unwrap()["items"]["succeeded"], 1);
}
