//! Prices, speeds and limits of the account: everything that changes with time, region and account, in one dated file.
//!
//! The file `rates.json` beside this module is built in. Whoever knows better hands over a file with the same names and
//! only those members that differ; it is laid over the built-in one, and names that do not exist are refused. Where each
//! number comes from is told in `docs/planning.md`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

const BUILT_IN: &str = include_str!("rates.json");

/// The longest file of rates in bytes.
const MAX_BYTES: usize = 64 * 1024;

/// Prices, speeds and limits, as of a day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rates {
    /// The day of which the numbers are, as in `2026-11-22`.
    pub date: String,
    /// The region whose prices they are.
    pub region: String,
    /// The currency of the prices.
    pub currency: String,
    /// What things cost.
    pub prices: Prices,
    /// What the account may do.
    pub account: Account,
    /// How fast things are.
    pub speeds: Speeds,
    /// How the worker function is set up, and what makes a good batch.
    pub worker: WorkerSettings,
}

/// What things cost, without free tiers, taxes and discounts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    /// AWS Step Functions.
    pub step_functions: StepFunctionsPrices,
    /// AWS Lambda.
    pub lambda: LambdaPrices,
    /// Amazon S3.
    pub s3: S3Prices,
}

/// Prices of AWS Step Functions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepFunctionsPrices {
    /// A state transition of a Standard workflow, and the start of a child.
    pub standard_transition: f64,
    /// An Express execution.
    pub express_request: f64,
    /// A gigabyte of memory of an Express execution for a second; counted in steps of 64 MB and 100 ms.
    pub express_gb_second: f64,
}

/// Prices of AWS Lambda.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LambdaPrices {
    /// A gigabyte of memory of a function for arm64 for a second.
    pub arm64_gb_second: f64,
    /// An invocation.
    pub request: f64,
}

/// Prices of Amazon S3, of the storage class Standard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3Prices {
    /// A PUT, COPY or POST.
    pub put_request: f64,
    /// A page of a listing.
    pub list_request: f64,
    /// A GET or HEAD.
    pub get_request: f64,
}

/// Quotas that AWS raises when asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// Concurrent executions of all functions, or of the worker function where concurrency is reserved for it.
    pub lambda_concurrency: u64,
    /// Environments of a function that may be added in ten seconds.
    pub lambda_starts_per_10_seconds: u64,
    /// State transitions of Standard workflows that may happen at once.
    pub state_transitions_burst: u64,
    /// State transitions of Standard workflows a second after that.
    pub state_transitions_per_second: u64,
}

/// How fast things are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Speeds {
    /// Bytes that one function environment reads or writes a second for long.
    pub network_bytes_per_second: f64,
    /// The most that an environment reads in a second at its best. What cannot be done at this speed is refused.
    pub network_ceiling_bytes_per_second: f64,
    /// Expanded bytes that one processor (1,769 MB of memory) reads, reshapes and writes a second.
    pub cpu_bytes_per_second: f64,
    /// Expanded bytes of one compressed byte.
    pub expansion: f64,
    /// Bytes written of one expanded byte.
    pub output_ratio: f64,
    /// From asking for an object to its first byte.
    pub get_seconds: f64,
    /// Writing a small object.
    pub put_seconds: f64,
    /// What every object costs a processor, however small.
    pub object_cpu_seconds: f64,
    /// A page of a listing.
    pub list_page_seconds: f64,
    /// The first invocation of an environment, in addition.
    pub cold_start_seconds: f64,
    /// Reading and writing the ledger of a batch.
    pub batch_seconds: f64,
    /// What Step Functions takes for a child beside the function.
    pub child_seconds: f64,
    /// Children that one Map Run starts in a second.
    pub child_starts_per_second: f64,
    /// What a Map Run takes beside its children: to begin, and to write its results.
    pub map_run_seconds: f64,
    /// The report on a run.
    pub report_seconds: f64,
}

/// How the worker function is set up, and what makes a good batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkerSettings {
    /// The memory of the worker function in MB.
    pub memory_mb: u64,
    /// A batch should not be shorter than this, or starting it costs more than it does.
    pub least_batch_seconds: f64,
    /// A batch should not be longer than this: far below the five minutes that it has.
    pub target_batch_seconds: f64,
    /// Where there is work for it, every worker gets so many batches one after another, so that all end at the same time.
    pub batches_for_each_worker: u64,
}

/// A file of rates that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RatesError {
    /// It is longer than 64 KiB.
    #[error("expected at most {MAX_BYTES} bytes of rates, found {0}")]
    TooLong(usize),
    /// It is not JSON, a name is unknown, or a value is of the wrong kind.
    #[error("rates: {0}")]
    Invalid(String),
    /// A number is outside of what makes sense.
    #[error("rates: expected {expected} in {name}, found {found}")]
    OutOfRange {
        /// The member.
        name: String,
        /// What was expected.
        expected: &'static str,
        /// What was found.
        found: String,
    },
}

impl Rates {
    /// The built-in rates.
    ///
    /// # Errors
    /// Never; a test reads them.
    pub fn built_in() -> Result<Self, RatesError> {
        Self::with_overrides("{}")
    }

    /// The built-in rates, with members of a JSON text laid over them.
    ///
    /// # Errors
    /// The text is longer than 64 KiB, no JSON object, or has a name or a value that makes no sense.
    pub fn with_overrides(text: &str) -> Result<Self, RatesError> {
        if text.len() > MAX_BYTES {
            return Err(RatesError::TooLong(text.len()));
        }
        let invalid = |error: serde_json::Error| RatesError::Invalid(error.to_string());
        let mut rates: Value = serde_json::from_str(BUILT_IN).map_err(invalid)?;
        lay_over(&mut rates, serde_json::from_str(text).map_err(invalid)?, "")?;
        let rates: Self = serde_json::from_value(rates).map_err(invalid)?;
        rates.check()?;
        Ok(rates)
    }

    fn check(&self) -> Result<(), RatesError> {
        let Self { prices: Prices { step_functions, lambda, s3 }, account, speeds, worker, .. } = self;
        let not_negative = [
            ("prices.step_functions.standard_transition", step_functions.standard_transition),
            ("prices.step_functions.express_request", step_functions.express_request),
            ("prices.step_functions.express_gb_second", step_functions.express_gb_second),
            ("prices.lambda.arm64_gb_second", lambda.arm64_gb_second),
            ("prices.lambda.request", lambda.request),
            ("prices.s3.put_request", s3.put_request),
            ("prices.s3.list_request", s3.list_request),
            ("prices.s3.get_request", s3.get_request),
            ("speeds.output_ratio", speeds.output_ratio),
            ("speeds.get_seconds", speeds.get_seconds),
            ("speeds.put_seconds", speeds.put_seconds),
            ("speeds.object_cpu_seconds", speeds.object_cpu_seconds),
            ("speeds.list_page_seconds", speeds.list_page_seconds),
            ("speeds.cold_start_seconds", speeds.cold_start_seconds),
            ("speeds.batch_seconds", speeds.batch_seconds),
            ("speeds.child_seconds", speeds.child_seconds),
            ("speeds.map_run_seconds", speeds.map_run_seconds),
            ("speeds.report_seconds", speeds.report_seconds),
        ];
        let positive = [
            ("speeds.network_bytes_per_second", speeds.network_bytes_per_second),
            ("speeds.network_ceiling_bytes_per_second", speeds.network_ceiling_bytes_per_second),
            ("speeds.cpu_bytes_per_second", speeds.cpu_bytes_per_second),
            ("speeds.expansion", speeds.expansion),
            ("speeds.child_starts_per_second", speeds.child_starts_per_second),
            ("worker.least_batch_seconds", worker.least_batch_seconds),
            ("worker.target_batch_seconds", worker.target_batch_seconds),
        ];
        let counts = [
            ("account.lambda_concurrency", account.lambda_concurrency),
            ("account.lambda_starts_per_10_seconds", account.lambda_starts_per_10_seconds),
            ("account.state_transitions_burst", account.state_transitions_burst),
            ("account.state_transitions_per_second", account.state_transitions_per_second),
            ("worker.batches_for_each_worker", worker.batches_for_each_worker),
        ];
        for (name, value) in not_negative {
            in_range(name, value, (0.0..1e6).contains(&value), "a number from 0 to 1,000,000")?;
        }
        for (name, value) in positive {
            in_range(name, value, value > 0.0 && value < 1e12, "a number above 0")?;
        }
        for (name, value) in counts {
            in_range(name, value, (1..=1_000_000).contains(&value), "a whole number from 1 to 1,000,000")?;
        }
        let memory = worker.memory_mb;
        let fits = (crate::quota::LEAST_FUNCTION_MEMORY_MB..=crate::quota::FUNCTION_MEMORY.limit).contains(&memory);
        in_range("worker.memory_mb", memory, fits, "128 to 10,240 MB")
    }
}

fn in_range(name: &str, value: impl ToString, fits: bool, expected: &'static str) -> Result<(), RatesError> {
    if fits {
        return Ok(());
    }
    Err(RatesError::OutOfRange { name: name.to_owned(), expected, found: value.to_string() })
}

/// Puts the members of one object over those of the other, and refuses names that the other does not have.
fn lay_over(base: &mut Value, over: Value, place: &str) -> Result<(), RatesError> {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (name, value) in over {
                let place = if place.is_empty() { name.clone() } else { format!("{place}.{name}") };
                let Some(member) = base.get_mut(&name) else {
                    return Err(RatesError::Invalid(format!("there is no {place}")));
                };
                lay_over(member, value, &place)?;
            }
            Ok(())
        }
        (Value::Object(_), _) => {
            let place = if place.is_empty() { "the file" } else { place };
            Err(RatesError::Invalid(format!("expected an object as {place}")))
        }
        (base, over) => {
            *base = over;
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_rates_are_complete_and_dated() {
        let rates = Rates::built_in().unwrap();
        assert_eq!(rates.date.len(), 10);
        assert!(rates.prices.s3.put_request > rates.prices.s3.get_request);
    }

    #[test]
    fn single_numbers_can_be_laid_over() {
        let text = r#"{"date": "2027-01-01", "account": {"lambda_concurrency": 5000}}"#;
        let rates = Rates::with_overrides(text).unwrap();
        let expected = Rates::built_in().unwrap();
        assert_eq!((rates.date.as_str(), rates.account.lambda_concurrency), ("2027-01-01", 5000));
        assert_eq!((rates.prices, rates.speeds, rates.worker), (expected.prices, expected.speeds, expected.worker));
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        let check = |text: &str, words: &str| {
            let error = Rates::with_overrides(text).unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        };
        check("[]", "expected an object as the file");
        check(r#"{"prices": 3}"#, "expected an object as prices");
        check(r#"{"prices": {"s3": {"delete_request": 1}}}"#, "there is no prices.s3.delete_request");
        check(r#"{"prices": {"s3": {"put_request": "1"}}}"#, "string");
        check(r#"{"prices": {"s3": {"put_request": -1}}}"#, "prices.s3.put_request, found -1");
        check(r#"{"speeds": {"expansion": 0}}"#, "a number above 0 in speeds.expansion");
        check(r#"{"worker": {"memory_mb": 64}}"#, "128 to 10,240 MB in worker.memory_mb");
        check(r#"{"account": {"lambda_concurrency": 0}}"#, "account.lambda_concurrency");
        check(&" ".repeat(70_000), "at most 65536 bytes");
    }
}
