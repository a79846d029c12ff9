//! A function process as Lambda runs it: the real program, the Runtime API, and an S3 whose buckets are folders.

use crate::programs;
use lambda_shell::testsuite::{Answer, FunctionProcess, Invocation, RuntimeApi};
use local::s3::{ObjectStore, S3Server, StoreOptions};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::runtime::Runtime;

/// A trace header as Lambda gives it to an invocation that is traced. The id begins with the time of the trace.
#[must_use]
pub fn trace_header(number: usize) -> String {
    let seconds = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    format!("Root=1-{seconds:08x}-{number:024x};Parent=53995c3f42cd8ad8;Sampled=1")
}

/// The objects of the bucket `raw`, and the place of the bucket `clean`.
pub struct Workshop {
    folder: tempfile::TempDir,
}

/// What came of invocations.
pub struct Ended {
    /// The answers in the order in which they came.
    pub answers: Vec<Answer>,
    /// The lines of the function's log.
    pub log: Vec<Value>,
    /// The most invocations that ran at the same time.
    pub most_at_once: usize,
}

impl Workshop {
    /// Two empty buckets.
    #[must_use]
    pub fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("raw")).unwrap();
        std::fs::create_dir(folder.path().join("clean")).unwrap();
        Self { folder }
    }

    /// Puts an object into `raw`.
    pub fn put(&self, key: &str, body: &str) {
        let path = self.path("raw", key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, body).unwrap();
    }

    /// Reads an object of `clean`.
    #[must_use]
    pub fn read(&self, key: &str) -> String {
        std::fs::read_to_string(self.path("clean", key)).unwrap_or_else(|error| format!("{key}: {error}"))
    }

    /// Puts a file into `clean`, as an earlier part of a run leaves it, and answers its path.
    pub fn leave(&self, key: &str, body: &str) -> PathBuf {
        let path = self.path("clean", key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, body).unwrap();
        path
    }

    /// The folder of a bucket.
    #[must_use]
    pub fn folder(&self, bucket: &str) -> PathBuf {
        self.folder.path().join(bucket)
    }

    fn path(&self, bucket: &str, key: &str) -> PathBuf {
        self.folder.path().join(bucket).join(key)
    }

    /// Runs `transform` with these variables until it has answered all invocations, as many of them at the same time as
    /// `together`.
    ///
    /// # Panics
    /// The function does not answer, or writes what is no JSON.
    #[must_use]
    pub fn run(&self, invocations: Vec<Invocation>, together: usize, variables: &[(&str, &str)]) -> Ended {
        self.run_program("transform", invocations, together, variables)
    }

    /// As [`Workshop::run`], with a function of another name. What earlier functions wrote into `clean` is there.
    ///
    /// # Panics
    /// As [`Workshop::run`].
    #[must_use]
    pub fn run_program(
        &self,
        program: &str,
        invocations: Vec<Invocation>,
        together: usize,
        variables: &[(&str, &str)],
    ) -> Ended {
        let runtime = Runtime::new().unwrap();
        let store = Arc::new(ObjectStore::new(StoreOptions::default()).unwrap());
        store.mount("raw", &self.folder.path().join("raw")).unwrap();
        store.reopen("clean", &self.folder.path().join("clean")).unwrap();
        let server = runtime.block_on(S3Server::start(store, 0)).unwrap();
        let environment = server.environment();
        let mut all: Vec<(&str, &str)> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        all.extend([("MAPMILL_READ", "raw/"), ("MAPMILL_WRITE", "clean/")]);
        all.extend(variables);
        let count = invocations.len();
        let api = RuntimeApi::start(invocations, together);
        let function = FunctionProcess::start(&programs().join(program), &api, &all);
        let answers = api.answers(count);
        let ended = Ended { answers, log: function.end(), most_at_once: api.most_at_once() };
        runtime.block_on(server.shutdown());
        ended
    }
}

/// A batch of a run as Step Functions hands it over: these keys of `raw`, by a job with these parts besides its name.
#[must_use]
pub fn batch(run: &str, job: &str, parts: &Value, keys: &[&str]) -> Value {
    let mut job = json!({"version": 1, "name": job, "source": {"bucket": "raw"}, "output": {"bucket": "clean", "compression": "none"}});
    job.as_object_mut().unwrap().extend(parts.as_object().unwrap().clone());
    let items: Vec<Value> = keys.iter().map(|key| json!({"Key": key})).collect();
    let mapmill = json!({"version": 1, "run_id": run, "correlation_id": format!("arn:{run}"), "job": job});
    json!({"BatchInput": {"mapmill": mapmill}, "Items": items})
}
