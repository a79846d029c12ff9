//! `plan.json`, which has everything, and the answer, which has what the state machine needs.

use crate::names::Names;
use crate::request::Request;
use batch::{BatchError, Worker, check_write};
use jiff::Timestamp;
use job::Job;
use object_store::WriteRequest;
use planner::{Forecast, Rates, Survey};
use serde::Serialize;
use serde_json::{Value, json};

/// Records of failed batches are kept so long in the table.
const FAILURES_KEPT_SECONDS: i64 = 90 * 24 * 60 * 60;

/// Most warnings of an answer.
const MAX_WARNINGS: usize = 10;

/// A bucket and the beginning of keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The bucket.
    pub bucket: String,
    /// The beginning of keys.
    pub prefix: String,
}

/// The numbers for the state machine's Maps.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BatchNumbers {
    /// Most items of a batch.
    pub max_items: u64,
    /// Most batches of a Map at the same time.
    pub max_concurrency: u64,
    /// Percent of items in failed batches before a Map is given up.
    pub tolerated_failure_percentage: f64,
    /// Items of a group; only of nested.
    pub group_items: Option<u64>,
    /// Groups at the same time; only of nested.
    pub group_concurrency: Option<u64>,
}

/// Where the batches lie.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Units {
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// How many batches.
    pub lines: u64,
}

/// What the plan answers, below 32 KiB.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Answer {
    /// Version of this shape, 1.
    pub version: u32,
    /// The run.
    pub run_id: String,
    /// The strategy.
    pub strategy: &'static str,
    /// Time ran out while the source was listed: invoked again with the same payload, the function goes on. The numbers
    /// below are then those so far.
    pub continues: bool,
    /// What is read.
    pub source: Place,
    /// Where is written.
    pub output: Place,
    /// Items that workers will answer for.
    pub items: u64,
    /// Bytes of the objects.
    pub bytes: u64,
    /// The numbers for the Maps; none while the plan continues.
    pub batch: Option<BatchNumbers>,
    /// The batches; only of packed and repair.
    pub units: Option<Units>,
    /// Where Step Functions puts its results.
    pub results: Place,
    /// The address of `plan.json`.
    pub plan: String,
    /// There is nothing to do.
    pub is_empty: bool,
    /// When records of failed batches may be forgotten, in seconds since 1970.
    pub expires_at: i64,
    /// What is allowed and will hurt.
    pub warnings: Vec<String>,
}

/// What an invocation answers.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Reply {
    /// To a state machine.
    Answer(Box<Answer>),
    /// To whoever only wants the source looked at (`survey` in the payload).
    Survey {
        /// Version of this shape, 1.
        version: u32,
        /// Time ran out: invoked again with `survey: {after, counted}`, the function goes on.
        continues: bool,
        /// The last key that was seen, if it continues.
        after: Option<String>,
        /// What is known of the source.
        survey: Box<Survey>,
    },
}

impl Reply {
    pub(crate) fn of(answer: Answer) -> Self {
        Self::Answer(Box::new(answer))
    }
}

/// All that is known of a run that was planned, or is being planned.
pub(crate) struct Planned<'a> {
    pub(crate) request: &'a Request,
    pub(crate) job: &'a Job,
    pub(crate) names: &'a Names,
    pub(crate) survey: &'a Survey,
    pub(crate) forecast: Option<&'a Forecast>,
    pub(crate) items: u64,
    pub(crate) units: Option<Units>,
    pub(crate) warnings: Vec<String>,
}

impl Planned<'_> {
    /// The answer for the state machine.
    pub(crate) fn answer(&self) -> Result<Answer, BatchError> {
        let Self { request, job, names, survey, forecast, items, units, warnings } = self;
        let batch = forecast.map(|forecast| BatchNumbers {
            max_items: forecast.design.max_items,
            max_concurrency: forecast.design.max_concurrency,
            tolerated_failure_percentage: forecast.design.tolerated_failure_percentage,
            group_items: forecast.design.group_items,
            group_concurrency: forecast.design.group_concurrency,
        });
        let warnings = forecast.iter().flat_map(|forecast| &forecast.warnings).chain(warnings).take(MAX_WARNINGS);
        let place = |bucket: &str, prefix: &str| Place { bucket: bucket.to_owned(), prefix: prefix.to_owned() };
        Ok(Answer {
            version: 1,
            run_id: request.event.run_id.clone(),
            strategy: request.strategy.name(),
            continues: forecast.is_none(),
            source: place(job.source.bucket.as_str(), job.source.prefix.as_str()),
            output: place(job.output.bucket.as_str(), job.output.prefix.as_str()),
            items: *items,
            bytes: survey.bytes(),
            batch,
            units: units.clone(),
            results: place(job.output.bucket.as_str(), &names.results_prefix()),
            plan: names.plan().map(|plan| format!("s3://{}/{}", plan.bucket.as_str(), plan.key.as_str()))?,
            is_empty: *items == 0,
            expires_at: Timestamp::now().as_second() + FAILURES_KEPT_SECONDS,
            warnings: warnings.cloned().collect(),
        })
    }

    /// Writes `plan.json`.
    pub(crate) async fn write(&self, worker: &Worker, rates: &Rates, answer: &Answer) -> Result<(), BatchError> {
        let failed = |error| BatchError::from_store("the plan cannot be written", &error);
        let address = self.names.plan()?;
        check_write(worker.writable(), &address).map_err(failed)?;
        let text = serde_json::to_vec_pretty(&self.document(rates, answer))
            .map_err(|error| BatchError::Internal(error.to_string()))?;
        let request = WriteRequest { content_type: Some("application/json".to_owned()), ..WriteRequest::new(address) };
        worker.store().put(&request, text.into()).await.map(drop).map_err(failed)
    }

    fn document(&self, rates: &Rates, answer: &Answer) -> Value {
        let repair = self.request.repairs.as_ref().map(|run| json!({"run": run}));
        let prices = &rates.prices;
        let memory_mb = self.forecast.map(|forecast| forecast.memory_mb);
        let expected = self.forecast.map(|forecast| {
            let cost = &forecast.cost;
            json!({
                "children": forecast.children,
                "duration_seconds": forecast.seconds.total,
                "cost": {
                    "step_functions": cost.step_functions,
                    "lambda": cost.lambda,
                    "s3": cost.s3_requests,
                    "total": cost.total,
                },
            })
        });
        json!({
            "version": 1,
            "run_id": answer.run_id,
            "strategy": answer.strategy,
            "created_at": Timestamp::now().to_string(),
            "repair": repair,
            "inventory": self.request.inventory,
            "job": self.job,
            "source": answer.source,
            "output": answer.output,
            "items": answer.items,
            "bytes": answer.bytes,
            "batch": answer.batch,
            "units": answer.units,
            "results": answer.results,
            "function": {"memory_mb": memory_mb},
            "expected": expected,
            "forecast": self.forecast,
            "survey": self.survey,
            "prices": {
                "date": rates.date,
                "region": rates.region,
                "currency": rates.currency,
                "lambda_gb_second": prices.lambda.arm64_gb_second,
                "lambda_request": prices.lambda.request,
                "step_functions_transition": prices.step_functions.standard_transition,
                "express_request": prices.step_functions.express_request,
                "express_gb_second": prices.step_functions.express_gb_second,
                "s3_get": prices.s3.get_request,
                "s3_put": prices.s3.put_request,
                "s3_list": prices.s3.list_request,
            },
            "rates": rates,
            "warnings": answer.warnings,
        })
    }
}
