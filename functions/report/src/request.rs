//! What the function is asked for, and where the things of a run lie.

use crate::plan_file::PlanFile;
use batch::{BatchError, Event, Worker, check_read};
use job::Job;
use object_store::{BucketName, ObjectAddress, ObjectKey};
use serde_json::Value;

/// The payload of an invocation.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Request {
    /// The run and its job. An event of a worker has the same member `mapmill`; its items mean nothing here.
    pub(crate) event: Event,
    /// `s3://bucket/key` of the plan, if it is told.
    pub(crate) plan: Option<String>,
    /// Bucket and key of the manifest of a Map Run, if it is told.
    pub(crate) map_run: Option<(String, String)>,
    /// What ended the Map state, if it failed.
    pub(crate) failure: Option<Value>,
}

impl Request {
    /// Reads a payload.
    pub(crate) fn parse(payload: &Value) -> Result<Self, BatchError> {
        let event = Event::parse(payload)?;
        let member = |name: &str| payload.get(name).filter(|value| !value.is_null());
        let invalid =
            |expected: &str| Err(BatchError::InvalidEvent(format!("not a request for a report: expected {expected}")));
        let plan = match member("plan") {
            None => None,
            Some(Value::String(plan)) => Some(plan.clone()),
            Some(_) => return invalid("the s3:// address of the plan in plan, or null"),
        };
        let map_run = match member("map_run") {
            None => None,
            Some(place) => {
                let part = |long: &str, short: &str| {
                    place.get(long).or_else(|| place.get(short)).and_then(Value::as_str).map(str::to_owned)
                };
                match (part("bucket", "Bucket"), part("key", "Key")) {
                    (Some(bucket), Some(key)) => Some((bucket, key)),
                    _ => return invalid("bucket and key of a manifest in map_run, or null"),
                }
            }
        };
        Ok(Self { event, plan, map_run, failure: member("failure").cloned() })
    }
}

/// Where the things of a run lie.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    bucket: BucketName,
    /// `<output prefix>_mapmill/`.
    root: String,
    run: String,
}

impl Place {
    pub(crate) fn new(job: &Job, run: &str) -> Result<Self, BatchError> {
        let bucket = BucketName::parse(job.output.bucket.as_str());
        let bucket = bucket.map_err(|error| BatchError::InvalidJob(format!("output.bucket: {error}")))?;
        Ok(Self { bucket, root: format!("{}_mapmill/", job.output.prefix.as_str()), run: run.to_owned() })
    }

    /// The bucket in which the run lies.
    pub(crate) fn bucket(&self) -> &BucketName {
        &self.bucket
    }

    /// The place of another run of the same job.
    pub(crate) fn of_run(&self, run: &str) -> Self {
        Self { run: run.to_owned(), ..self.clone() }
    }

    /// The beginning of the keys of a folder of the run.
    pub(crate) fn folder(&self, name: &str) -> String {
        format!("{}{}/{name}/", self.root, self.run)
    }

    /// An object of the run.
    pub(crate) fn object(&self, name: &str) -> Result<ObjectAddress, BatchError> {
        let key = ObjectKey::parse(&format!("{}{}/{name}", self.root, self.run));
        let key = key.map_err(|error| BatchError::InvalidJob(format!("the name of {name} is not allowed: {error}")))?;
        Ok(ObjectAddress { bucket: self.bucket.clone(), key })
    }

    /// An address that somebody else names, if it lies in a folder of the run.
    pub(crate) fn inside(&self, folder: &str, bucket: &str, key: &str) -> Option<ObjectAddress> {
        let address = ObjectAddress::parse(bucket, key).ok()?;
        let is_inside = address.bucket == self.bucket && address.key.as_str().starts_with(&self.folder(folder));
        is_inside.then_some(address)
    }
}

/// The plan that the request names, else the one in the folder of the run, if there is one.
pub(crate) async fn plan(worker: &Worker, request: &Request, place: &Place) -> Result<Option<PlanFile>, BatchError> {
    let own = place.object("plan.json")?;
    let (address, is_needed) = match &request.plan {
        None => (own, false),
        Some(text) => {
            let parts = text.strip_prefix("s3://").and_then(|rest| rest.split_once('/'));
            let Some(Ok(address)) = parts.map(|(bucket, key)| ObjectAddress::parse(bucket, key)) else {
                let message = "not a request for a report: expected plan as s3://bucket/key, found another text";
                return Err(BatchError::InvalidEvent(message.to_owned()));
            };
            // What a function may write it may also read; other places must be listed.
            if address != own {
                check_read(worker.readable(), &address)
                    .map_err(|error| BatchError::from_store("the plan cannot be read", &error))?;
            }
            (address, true)
        }
    };
    crate::lines::json(worker.store(), &address, "the plan", is_needed).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(parts: Value, words: Option<&str>) {
        let mapmill = json!({"version": 1, "run_id": "r", "correlation_id": "arn:r", "job": "s3://jobs/j.yaml"});
        let mut payload = json!({"mapmill": mapmill});
        payload.as_object_mut().unwrap().extend(parts.as_object().unwrap().clone());
        match (Request::parse(&payload), words) {
            (Ok(_), None) => {}
            (Err(error), Some(words)) => assert!(error.to_string().contains(words), "{error}"),
            (found, _) => panic!("{parts}: {found:?}"),
        }
    }

    #[test]
    fn payloads_are_checked_at_the_door() {
        check(json!({}), None);
        check(json!({"plan": null, "map_run": null, "failure": null}), None);
        check(
            json!({"plan": "s3://b/p.json", "map_run": {"bucket": "b", "key": "k"}, "failure": {"Error": "E"}}),
            None,
        );
        check(json!({"map_run": {"Bucket": "b", "Key": "k"}}), None);
        check(json!({"plan": 7}), Some("plan, or null"));
        check(json!({"map_run": "s3://b/k"}), Some("bucket and key of a manifest"));
        let error = Request::parse(&json!({"mapmill": {"version": 1, "run_id": "../x", "job": {}}})).unwrap_err();
        assert!(error.to_string().contains("mapmill.run_id"), "{error}");
    }
}
