//! What the state machine hands over.

use batch::{BatchError, Event, JobReference, check_run_id};
use planner::{Overrides, Strategy, Survey};
use serde::Deserialize;
use serde_json::Value;

/// A request for a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The run, its correlation id and its job.
    pub event: Event,
    /// The strategy of the state machine.
    pub strategy: Strategy,
    /// What whoever started the run wants otherwise.
    pub overrides: Overrides,
    /// The manifest of an S3 Inventory that is read in place of a listing.
    pub inventory: Option<String>,
    /// The run that is to be repaired; only for the strategy `repair`.
    pub repairs: Option<String>,
    /// The job as it stands in the input of every batch, in bytes.
    pub job_bytes: u64,
    /// The source is only to be looked at, and nothing to be written.
    pub survey: Option<SoFar>,
}

/// A survey that is to be made, or to be gone on with.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SoFar {
    /// The last key that was seen.
    pub after: Option<String>,
    /// What was counted up to there.
    pub counted: Option<Survey>,
}

/// `batch` of the execution's input.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Wishes {
    max_items: Option<u64>,
    max_concurrency: Option<u64>,
    tolerated_failure_percentage: Option<f64>,
    inventory: Option<String>,
}

/// `repair` of the execution's input.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Repair {
    run: String,
}

impl Request {
    /// Reads the payload of the state `Plan`.
    ///
    /// # Errors
    /// [`BatchError::InvalidEvent`] names the field.
    pub fn parse(payload: &Value) -> Result<Self, BatchError> {
        let event = Event::parse(payload)?;
        let strategy = payload.get("strategy").and_then(Value::as_str).unwrap_or_default();
        let strategy: Strategy = strategy.parse().map_err(|error| invalid(&format!("{error}")))?;
        let wishes: Option<Wishes> = part(payload, "batch")?;
        let Wishes { max_items, max_concurrency, tolerated_failure_percentage, inventory } = wishes.unwrap_or_default();
        for (name, number) in [("max_items", max_items), ("max_concurrency", max_concurrency)] {
            if number == Some(0) {
                return Err(invalid(&format!("expected 1 or more in batch.{name}, found 0")));
            }
        }
        if tolerated_failure_percentage.is_some_and(|percent| !(0.0..=100.0).contains(&percent)) {
            return Err(invalid("expected 0 to 100 in batch.tolerated_failure_percentage, found another number"));
        }
        if inventory.is_some() && strategy != Strategy::Packed {
            let message = "batch.inventory is for the strategy packed: the others list the source themselves";
            return Err(invalid(message));
        }
        let repair: Option<Repair> = part(payload, "repair")?;
        let repairs = match (strategy, repair) {
            (Strategy::Repair, Some(Repair { run })) => {
                check_run_id(&run, "repair.run")?;
                if run == event.run_id {
                    return Err(invalid("expected another run in repair.run, found this one"));
                }
                Some(run)
            }
            (Strategy::Repair, None) => return Err(invalid("expected the run that is to be repaired in repair.run")),
            _ => None,
        };
        let job_bytes = match &event.job {
            JobReference::Inline(job) => job.to_string().len(),
            JobReference::Address(address) => address.len() + 2,
        };
        let overrides = Overrides { max_items, max_concurrency, tolerated_failure_percentage };
        let survey = part(payload, "survey")?;
        Ok(Self { event, strategy, overrides, inventory, repairs, job_bytes: job_bytes as u64, survey })
    }
}

fn part<Part: serde::de::DeserializeOwned>(payload: &Value, name: &str) -> Result<Option<Part>, BatchError> {
    let part = payload.get(name).filter(|part| !part.is_null());
    let part = part.map(|part| serde_json::from_value(part.clone())).transpose();
    part.map_err(|error| invalid(&format!("{name}: {error}")))
}

fn invalid(message: &str) -> BatchError {
    BatchError::InvalidEvent(format!("not a request for a plan: {message}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn payload(parts: Value) -> Value {
        let job = json!({"version": 1, "name": "j"});
        let mut payload = json!({"mapmill": {"version": 1, "run_id": "r", "job": job}, "strategy": "packed"});
        for (name, part) in parts.as_object().unwrap() {
            payload[name] = part.clone();
        }
        payload
    }

    #[test]
    fn requests_are_read() {
        let request = Request::parse(&payload(json!({}))).unwrap();
        assert_eq!(
            (request.strategy, request.overrides, request.job_bytes),
            (Strategy::Packed, Overrides::default(), 24)
        );
        let batch = json!({"max_items": 5, "max_concurrency": null, "inventory": "s3://b/manifest.json"});
        let request = Request::parse(&payload(json!({"batch": batch, "repair": null}))).unwrap();
        assert_eq!((request.overrides.max_items, request.inventory.is_some()), (Some(5), true));
        let request = Request::parse(&payload(json!({"strategy": "repair", "repair": {"run": "before"}}))).unwrap();
        assert_eq!(request.repairs.as_deref(), Some("before"));
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let check = |parts: Value, words: &str| {
            let error = Request::parse(&payload(parts)).unwrap_err();
            assert!(error.to_string().contains(words) && error.name() == "Mapmill.InvalidEvent", "{error}");
        };
        check(json!({"strategy": "fast"}), "expected simple, nested, packed or repair");
        check(json!({"batch": {"max_item": 5}}), "max_item");
        check(json!({"batch": {"max_items": 0}}), "batch.max_items, found 0");
        check(json!({"batch": {"tolerated_failure_percentage": 101}}), "0 to 100");
        check(json!({"strategy": "simple", "batch": {"inventory": "s3://b/m"}}), "for the strategy packed");
        check(json!({"strategy": "repair"}), "repair.run");
        check(json!({"strategy": "repair", "repair": {"run": "../x"}}), "repair.run");
        check(json!({"strategy": "repair", "repair": {"run": "r"}}), "another run");
    }
}
