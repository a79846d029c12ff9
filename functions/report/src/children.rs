//! Batches as Step Functions tells of them: the result files of every Map Run of the run.
//!
//! Every Map Run has a manifest that names files of children that succeeded, failed (timed out and stopped ones too) and
//! were never started. Of the field names in a child's record, `Input` and `Output` hold JSON as text; where another
//! service writes them as JSON, that is read as well. A nested run has a Map Run over groups of items, labelled `Groups`,
//! and one over batches for every group: only batches do work, but the items of a group whose batches never began are
//! told by the group alone.

use crate::folder::Folder;
use crate::lines::{Ahead, Layout, Lines, whole};
use crate::request::Place;
use batch::{BatchError, Event, ItemCounts};
use object_store::{ObjectAddress, ObjectStore};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::VecDeque;
use std::sync::Arc;

/// The label of the Map over groups.
const GROUPS: &str = "Groups";

/// How the children of a file ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Succeeded,
    Failed,
    NeverStarted,
}

/// A file of results.
#[derive(Debug, Clone)]
pub(crate) struct ResultFile {
    pub(crate) ending: Ending,
    /// Its children are groups of batches.
    pub(crate) has_groups: bool,
    pub(crate) address: ObjectAddress,
}

/// The files of results of a run.
pub(crate) struct ResultFiles {
    place: Place,
    manifests: Folder,
    /// Whether files of children that succeeded are wanted too.
    wants_succeeded: bool,
    waiting: VecDeque<ResultFile>,
    ahead: Ahead<ResultFile>,
    /// What is wrong with manifests.
    pub(crate) problems: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Manifest {
    destination_bucket: String,
    #[serde(default)]
    map_run_arn: String,
    result_files: Files,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "UPPERCASE", default)]
struct Files {
    succeeded: Vec<File>,
    failed: Vec<File>,
    pending: Vec<File>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct File {
    key: String,
}

impl ResultFiles {
    pub(crate) fn new(store: &Arc<dyn ObjectStore>, place: &Place, wants_succeeded: bool) -> Self {
        Self {
            place: place.clone(),
            manifests: Folder::new(store, place, "map-run", "/manifest.json"),
            wants_succeeded,
            waiting: VecDeque::new(),
            ahead: Ahead::new(store),
            problems: Vec::new(),
        }
    }

    /// The next file; none at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<(ResultFile, Lines)>, BatchError> {
        while self.ahead.has_room() {
            if let Some(file) = self.waiting.pop_front() {
                let address = file.address.clone();
                self.ahead.open(file, address);
            } else if let Some((address, begun)) = self.manifests.next().await? {
                match whole::<Manifest>(begun, &address, "the manifest of a Map Run").await {
                    Ok(manifest) => self.take(manifest),
                    Err(BatchError::InvalidEvent(message)) => self.problems.push(message),
                    Err(error) => return Err(error),
                }
            } else {
                break;
            }
        }
        Ok(self.ahead.next().await?.map(|(file, begun)| (file, Lines::new(begun, Layout::Elements))))
    }

    fn take(&mut self, manifest: Manifest) {
        let label = manifest.map_run_arn.rsplit('/').next().and_then(|name| name.split(':').next());
        let has_groups = label == Some(GROUPS);
        let files = manifest.result_files;
        let succeeded = if self.wants_succeeded { files.succeeded } else { Vec::new() };
        for (ending, files) in
            [(Ending::Succeeded, succeeded), (Ending::Failed, files.failed), (Ending::NeverStarted, files.pending)]
        {
            for file in files {
                match self.place.inside("map-run", &manifest.destination_bucket, &file.key) {
                    Some(address) => self.waiting.push_back(ResultFile { ending, has_groups, address }),
                    None => self
                        .problems
                        .push("a manifest of a Map Run names a file outside of the run's folder".to_owned()),
                }
            }
        }
    }
}

/// A child execution.
#[derive(Debug, Default)]
pub(crate) struct Child {
    pub(crate) name: String,
    /// Beginning and end in milliseconds since 1970.
    pub(crate) times: Option<(i64, i64)>,
    pub(crate) error: Option<String>,
    pub(crate) cause: Option<String>,
    /// What the worker answered.
    pub(crate) answer: Option<WorkerAnswer>,
    /// The batch, of children that failed or were never started.
    pub(crate) event: Option<Event>,
}

/// The part of a worker's answer that counts here.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct WorkerAnswer {
    pub(crate) items: ItemCounts,
    #[serde(default)]
    pub(crate) duration_ms: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Record<'a> {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    start_date: Option<Value>,
    #[serde(default)]
    stop_date: Option<Value>,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    cause: Option<String>,
    #[serde(borrow, default)]
    input: Option<&'a RawValue>,
    #[serde(borrow, default)]
    output: Option<&'a RawValue>,
}

impl Child {
    /// Reads a record of a result file; none when it is not one.
    pub(crate) fn parse(line: &[u8], ending: Ending) -> Option<Self> {
        let record: Record<'_> = serde_json::from_slice(line).ok()?;
        let times = record.start_date.as_ref().and_then(time).zip(record.stop_date.as_ref().and_then(time));
        let event = || Event::parse(&inner::<Value>(record.input?)?).ok();
        Some(Self {
            name: record.name.unwrap_or_default(),
            times,
            error: record.error,
            cause: record.cause,
            answer: record.output.and_then(inner),
            event: if ending == Ending::Succeeded { None } else { event() },
        })
    }
}

/// JSON that stands as text or as it is.
fn inner<T: DeserializeOwned>(raw: &RawValue) -> Option<T> {
    if raw.get().starts_with('"') {
        let text: String = serde_json::from_str(raw.get()).ok()?;
        return serde_json::from_str(&text).ok();
    }
    serde_json::from_str(raw.get()).ok()
}

/// A point in time in milliseconds since 1970: RFC 3339, or a number of seconds, or of milliseconds where seconds would
/// lie thousands of years ahead.
fn time(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond),
        Value::Number(number) => {
            let number = number.as_f64().filter(|number| (0.0..1e15).contains(number))?;
            Some(if number < 1e11 { number * 1000.0 } else { number } as i64)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn children_are_read_in_every_notation() {
        let batch = json!({
            "BatchInput": {"mapmill": {"version": 1, "run_id": "r", "job": {"version": 1}}},
            "Items": [{"Key": "in/a", "Etag": "\"1\""}, {"Key": "in/b"}],
        });
        let answer = json!({"items": {"total": 2, "succeeded": 1, "failed": 1, "skipped": 0, "unprocessed": 0},
            "duration_ms": 7, "more": true});
        let check = |record: Value, ending, times: Option<(i64, i64)>, keys: usize, failed: Option<u64>| {
            let child = Child::parse(record.to_string().as_bytes(), ending).unwrap();
            assert_eq!(child.times, times, "{record}");
            assert_eq!(child.event.as_ref().map_or(0, |event| event.items.len()), keys, "{record}");
            assert_eq!(child.answer.map(|answer| answer.items.failed), failed, "{record}");
        };
        let (start, stop) = ("2026-11-22T10:00:00.250Z", "2026-11-22T10:00:01Z");
        let times = Some((1_795_341_600_250, 1_795_341_601_000));
        let texts = json!({"Name": "n", "Status": "FAILED", "StartDate": start, "StopDate": stop, "Error": "E",
            "Input": batch.to_string(), "Output": answer.to_string()});
        check(texts.clone(), Ending::Failed, times, 2, Some(1));
        check(texts, Ending::Succeeded, times, 0, Some(1));
        let plain =
            json!({"Input": batch, "Output": answer, "StartDate": 1_795_341_600.25, "StopDate": 1_795_341_601_000_u64});
        check(plain, Ending::NeverStarted, times, 2, Some(1));
        check(json!({"Input": "{cut", "Output": "no json", "StartDate": "yesterday"}), Ending::Failed, None, 0, None);
        check(json!({"InputDetails": {"Included": false}}), Ending::Failed, None, 0, None);
        assert!(Child::parse(b"[1]", Ending::Failed).is_none());
    }
}
