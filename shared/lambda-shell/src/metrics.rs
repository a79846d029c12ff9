//! Metrics: one line of the CloudWatch embedded metric format for every invocation.
//!
//! CloudWatch reads such a line from the log and makes metrics of it; no call of an API is needed, and the line stays in
//! the log for queries. It is one JSON object: `_aws` says which members are metrics and which are dimensions, everything
//! else may be added. The rules are those of the "Specification: Embedded metric format" of the CloudWatch user guide.
//!
//! The crates for the format are made for something else: `metrics_cloudwatch_embedded` gathers numbers in a recorder of
//! the whole process, where those of invocations at the same time would mix, and `metrique` is a framework of macros and
//! queues. What is needed is one object, so it is written here.
//!
//! A line has the dimensions `service`, `function` and `job`; one that failed before its job was known has the first two.
//! CloudWatch makes a metric of every value that a dimension takes, so nothing that grows (runs, keys) is a dimension.

use crate::logging;
use crate::memory;
use batch::{BatchError, Observer, Outcome};
use serde_json::{Map, Value, json};
use std::io::Write;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The value of the dimension `service`.
const SERVICE: &str = "mapmill";

/// The numbers of the batch of one invocation. A handler that fails still leaves them here.
#[derive(Default)]
pub(crate) struct BatchNumbers(OnceLock<(String, Outcome)>);

impl Observer for BatchNumbers {
    fn batch_finished(&self, job: &str, outcome: &Outcome) {
        // An invocation has one batch. Were there a second, its numbers would not be added to those of another job.
        let _first = self.0.set((job.to_owned(), outcome.clone()));
    }
}

/// Writes the metrics of a function.
#[derive(Debug)]
pub(crate) struct Metrics {
    /// The namespace in CloudWatch.
    pub(crate) namespace: String,
    /// The name of the function.
    pub(crate) function: String,
    /// The level of the function's log.
    pub(crate) level: tracing::Level,
    /// The memory of the function in bytes.
    pub(crate) memory_bytes: u64,
}

/// What is known of an invocation that ended.
pub(crate) struct Invocation<'ended> {
    /// The id that Lambda gave it.
    pub(crate) request_id: &'ended str,
    /// The numbers of its batch, if it came to have any.
    pub(crate) batch: &'ended BatchNumbers,
    /// Why it failed, if it did.
    pub(crate) error: Option<&'ended BatchError>,
    /// Time taken.
    pub(crate) duration: Duration,
}

impl Metrics {
    /// Writes the line of an invocation to standard output.
    pub(crate) fn write(&self, invocation: &Invocation<'_>) {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut text = self.line(invocation, milliseconds(since_1970), memory::peak_bytes()).to_string();
        text.push('\n');
        // There is nowhere to tell that the log is gone.
        let _written = std::io::stdout().lock().write_all(text.as_bytes());
    }

    fn line(&self, invocation: &Invocation<'_>, milliseconds_since_1970: u64, peak_bytes: Option<u64>) -> Value {
        let mut line = Map::new();
        let mut dimensions = vec!["service", "function"];
        line.insert("service".to_owned(), Value::from(SERVICE));
        line.insert("function".to_owned(), Value::from(self.function.as_str()));
        let mut metrics = vec![
            ("FailedBatches", "Count", u64::from(invocation.error.is_some())),
            ("Duration", "Milliseconds", milliseconds(invocation.duration)),
        ];
        metrics.extend(peak_bytes.map(|bytes| ("PeakMemory", "Bytes", bytes)));
        if let Some((job, outcome)) = invocation.batch.0.get() {
            dimensions.push("job");
            line.insert("job".to_owned(), Value::from(job.as_str()));
            line.insert("run_id".to_owned(), Value::from(outcome.run_id.as_str()));
            metrics.extend(numbers(outcome));
        }
        if let Some(error) = invocation.error {
            line.insert("error_name".to_owned(), Value::from(error.name()));
        }
        line.insert("request_id".to_owned(), Value::from(invocation.request_id));
        line.insert("memory_bytes".to_owned(), Value::from(self.memory_bytes));
        // Lambda takes a line without level and timestamp for INFO and drops it where the function's level is higher.
        line.insert("level".to_owned(), Value::from(self.level.as_str()));
        line.insert("timestamp".to_owned(), Value::from(logging::timestamp()));
        let definitions: Vec<Value> =
            metrics.iter().map(|(name, unit, _)| json!({"Name": name, "Unit": unit})).collect();
        let directive = json!({"Namespace": self.namespace, "Dimensions": [dimensions], "Metrics": definitions});
        line.insert("_aws".to_owned(), json!({"Timestamp": milliseconds_since_1970, "CloudWatchMetrics": [directive]}));
        line.extend(metrics.into_iter().map(|(name, _, value)| (name.to_owned(), Value::from(value))));
        Value::Object(line)
    }
}

/// Name, unit and value of what a batch counted.
fn numbers(outcome: &Outcome) -> [(&'static str, &'static str, u64); 12] {
    let Outcome { items, records, bytes, .. } = outcome;
    [
        ("ItemsSucceeded", "Count", items.succeeded),
        ("ItemsFailed", "Count", items.failed),
        ("ItemsSkipped", "Count", items.skipped),
        ("ItemsUnprocessed", "Count", items.unprocessed),
        ("RecordsRead", "Count", records.read),
        ("RecordsWritten", "Count", records.written),
        ("RecordsFiltered", "Count", records.filtered),
        ("RecordsRejected", "Count", records.rejected),
        ("BytesRead", "Bytes", bytes.read),
        ("BytesExpanded", "Bytes", bytes.expanded),
        ("BytesWritten", "Bytes", bytes.written),
        ("Retries", "Count", outcome.retries),
    ]
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The observer of an invocation, for the worker and for the metrics.
pub(crate) fn observer() -> Arc<BatchNumbers> {
    Arc::default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use batch::{Address, Bytes, ItemCounts, Records};

    fn metrics() -> Metrics {
        let (namespace, function) = ("Mapmill".to_owned(), "transform".to_owned());
        Metrics { namespace, function, level: tracing::Level::WARN, memory_bytes: 128 << 20 }
    }

    fn outcome() -> Outcome {
        Outcome {
            version: 1,
            run_id: "run-1".to_owned(),
            items: ItemCounts { total: 10, succeeded: 1, failed: 2, skipped: 3, unprocessed: 4 },
            records: Records { read: 5, exploded: 0, written: 6, filtered: 7, rejected: 8, duplicate_keys: 0 },
            bytes: Bytes { read: 9, expanded: 10, written: 11 },
            ledger: Address { bucket: "b".to_owned(), key: "k".to_owned() },
            failures: Vec::new(),
            continues: false,
            retries: 12,
            duration_ms: 13,
        }
    }

    fn line(batch: &BatchNumbers, error: Option<&BatchError>, peak_bytes: Option<u64>) -> Value {
        let invocation = Invocation { request_id: "r", batch, error, duration: Duration::from_millis(14) };
        metrics().line(&invocation, 1_700_000_000_000, peak_bytes)
    }

    #[test]
    fn every_number_of_a_batch_is_a_metric() {
        let batch = BatchNumbers::default();
        batch.batch_finished("weather", &outcome());
        let line = line(&batch, None, Some(15));
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(directive["Dimensions"], json!([["service", "function", "job"]]));
        let values: Vec<(&str, u64)> = directive["Metrics"]
            .as_array()
            .unwrap()
            .iter()
            .map(|metric| {
                let name = metric["Name"].as_str().unwrap();
                (name, line[name].as_u64().unwrap())
            })
            .collect();
        let expected = [
            ("FailedBatches", 0),
            ("Duration", 14),
            ("PeakMemory", 15),
            ("ItemsSucceeded", 1),
            ("ItemsFailed", 2),
            ("ItemsSkipped", 3),
            ("ItemsUnprocessed", 4),
            ("RecordsRead", 5),
            ("RecordsWritten", 6),
            ("RecordsFiltered", 7),
            ("RecordsRejected", 8),
            ("BytesRead", 9),
            ("BytesExpanded", 10),
            ("BytesWritten", 11),
            ("Retries", 12),
        ];
        assert_eq!(values, expected);
        assert_eq!(
            (&line["job"], &line["run_id"], &line["level"]),
            (&json!("weather"), &json!("run-1"), &json!("WARN"))
        );
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let line = line(&BatchNumbers::default(), Some(&BatchError::InvalidJob("no job".to_owned())), None);
        assert_eq!(line["_aws"]["CloudWatchMetrics"][0]["Dimensions"], json!([["service", "function"]]));
        assert_eq!((&line["FailedBatches"], &line["error_name"]), (&json!(1), &json!("Mapmill.InvalidJob")));
        for absent in ["job", "run_id", "PeakMemory", "ItemsFailed"] {
            assert!(line.get(absent).is_none(), "{absent} in {line}");
        }
    }
}
