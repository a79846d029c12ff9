//! A plan from payload to answer.

use crate::document::{Answer, Planned, Reply, Units};
use crate::gather::{Gathered, gather};
use crate::names::Names;
use crate::request::Request;
use crate::spool::Spool;
use crate::units;
use batch::{BatchError, Deadline, Worker, identify, identify_job};
use job::Job;
use planner::{Rates, Survey, forecast};
use serde_json::Value;

/// Plans a run, or goes on with planning one.
///
/// # Errors
/// [`BatchError::PlanRefused`] names the quota at which the run would fail. The others say what is wrong with the payload, the
/// job, the rights or the store.
pub async fn plan(worker: &Worker, payload: &Value, rates: &Rates, deadline: Deadline) -> Result<Reply, BatchError> {
    let request = Request::parse(payload)?;
    identify(&request.event);
    let job = worker.job(&request.event.job).await?;
    identify_job(&job);
    let names = Names::new(&job, &request.event.run_id);
    let gathered = gather(worker, &names, &request, &job, deadline).await?;
    let (request, job, names) = (&request, &job, &names);
    let (survey, spool, warnings) = match gathered {
        Gathered::Left { survey, after } if request.survey.is_some() => {
            return Ok(Reply::Survey { version: 1, continues: true, after, survey });
        }
        Gathered::Left { survey, .. } => {
            let items = survey.listed();
            let (survey, warnings) = (&survey, Vec::new());
            let left = Planned { request, job, names, survey, forecast: None, items, units: None, warnings };
            tracing::info!(strategy = request.strategy.name(), items, bytes_read = survey.bytes(), "plan continues");
            return left.answer().map(Reply::of);
        }
        Gathered::All { survey, spool, warnings } => (survey, spool, warnings),
    };
    if request.survey.is_some() {
        return Ok(Reply::Survey { version: 1, continues: false, after: None, survey });
    }
    let answer = write(worker, (request, job, names), &survey, *spool, warnings, rates).await?;
    Ok(Reply::of(answer))
}

/// Writes the batches and the plan of a source that was seen to its end.
async fn write(
    worker: &Worker,
    (request, job, names): (&Request, &Job, &Names),
    survey: &Survey,
    spool: Spool,
    warnings: Vec<String>,
    rates: &Rates,
) -> Result<Answer, BatchError> {
    let forecast = forecast(request.strategy, job, survey, rates, &request.overrides, request.job_bytes)
        .map_err(|refused| BatchError::PlanRefused(refused.to_string()))?;
    let (mut items, mut written) = (forecast.items, None);
    if request.strategy.has_units() {
        let model = planner::Worker::new(job, rates);
        let packed = units::write(worker, names, job, &forecast.design, &model, spool).await?;
        items = packed.items;
        let address = names.units()?;
        let (bucket, key) = (address.bucket.as_str().to_owned(), address.key.as_str().to_owned());
        written = (packed.lines > 0).then_some(Units { bucket, key, lines: packed.lines });
    }
    let planned = Planned { request, job, names, survey, forecast: Some(&forecast), items, units: written, warnings };
    let answer = planned.answer()?;
    planned.write(worker, rates, &answer).await?;
    tracing::info!(
        strategy = answer.strategy,
        items,
        bytes_read = answer.bytes,
        batches = planned.units.as_ref().map_or(forecast.children, |units| units.lines),
        "plan finished"
    );
    Ok(answer)
}
