//! What a run of a strategy comes to, with every number beside its quota.

use crate::checks::{Check, Refused, at_most};
use crate::cost::{Cost, cost};
use crate::design::{Design, Overrides, Strategy};
use crate::history::{self, Events};
use crate::kind::Kind;
use crate::quota;
use crate::rates::Rates;
use crate::shape::Shape;
use crate::simulate::{Ramp, Simulated, Wave, simulate};
use crate::survey::Survey;
use crate::worker::Worker;
use job::Job;
use serde::Serialize;

/// The longest answer of the plan, which stands beside the job in the state of the execution.
const ANSWER_BYTES: u64 = 32 * 1024;

/// Most warnings of a plan.
const MAX_WARNINGS: usize = 10;

/// A packed run must be so much faster than a simple one to be worth its making.
const WORTH_PACKING: f64 = 1.5;

/// And by so many seconds.
const WORTH_PACKING_SECONDS: f64 = 10.0;

/// Where the time of a run goes, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Seconds {
    /// Listing the source, and writing units.
    pub plan: f64,
    /// Starting Map Runs and writing their results.
    pub map_runs: f64,
    /// The batches.
    pub batches: f64,
    /// The report.
    pub report: f64,
    /// All of it.
    pub total: f64,
}

/// What a run comes to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Forecast {
    /// The numbers of the state machine.
    pub design: Design,
    /// Items that workers answer for; of a cut object every range is one.
    pub items: u64,
    /// Bytes of the objects.
    pub bytes: u64,
    /// Batches: children with a worker.
    pub children: u64,
    /// Groups, each a Map Run of its own.
    pub groups: u64,
    /// Most batches at the same time.
    pub concurrency: u64,
    /// How long a batch takes that is in the middle of all.
    pub middle_batch_seconds: f64,
    /// How long the longest batch takes.
    pub longest_batch_seconds: f64,
    /// How long the run takes.
    pub seconds: Seconds,
    /// What it costs.
    pub cost: Cost,
    /// Events of its histories.
    pub events: Events,
    /// The worker's memory in MB.
    pub memory_mb: u64,
    /// The memory with which the worker would cost least, in MB.
    pub fitting_memory_mb: u64,
    /// Every number that has a quota.
    pub checks: Vec<Check>,
    /// What is allowed and will hurt.
    pub warnings: Vec<String>,
}

/// Works out what a run of a strategy comes to. `job_bytes` is the job as it stands in the execution's input: the length of
/// its JSON text, or of its address.
///
/// # Errors
/// The run would fail; the error names the quota.
pub fn forecast(
    strategy: Strategy,
    job: &Job,
    survey: &Survey,
    rates: &Rates,
    overrides: &Overrides,
    job_bytes: u64,
) -> Result<Forecast, Refused> {
    let worker = Worker::new(job, rates);
    let design = Design::new(strategy, survey, &worker, rates, overrides, job_bytes)?;
    let shape = Shape::new(&design, survey, &worker);
    let groups = design.group_items.map_or(0, |items| shape.items.div_ceil(items));
    let (middle, longest) = shape.middle_and_longest();
    let overhead = rates.speeds.batch_seconds + rates.speeds.child_seconds;
    let played = play(&design, &shape, groups, rates);

    let pages = survey.listed().div_ceil(quota::LIST_PAGE) as f64;
    let writing = if strategy.has_units() {
        3.0 * shape.items as f64 * 250.0 / rates.speeds.network_bytes_per_second
    } else {
        0.0
    };
    let mut seconds = Seconds {
        plan: pages * rates.speeds.list_page_seconds + writing,
        map_runs: rates.speeds.map_run_seconds * if groups > 0 { 2.0 } else { 1.0 },
        batches: played.seconds,
        report: rates.speeds.report_seconds,
        total: 0.0,
    };
    if shape.items == 0 {
        (seconds.map_runs, seconds.batches) = (0.0, 0.0);
    }
    seconds.total = seconds.plan + seconds.map_runs + seconds.batches + seconds.report;

    let events = Events {
        parent: history::execution(1, 3, 3),
        standard_child: (strategy == Strategy::Nested).then(|| history::execution(1, 0, 0)),
    };
    let mut forecast = Forecast {
        items: shape.items,
        bytes: survey.bytes(),
        children: shape.batches(),
        groups,
        concurrency: played.peak,
        middle_batch_seconds: middle + overhead,
        longest_batch_seconds: longest + overhead,
        seconds,
        cost: cost(&design, &shape, survey, &worker, rates),
        events,
        memory_mb: worker.memory_mb(),
        fitting_memory_mb: fitting_memory(survey, &worker),
        checks: Vec::new(),
        warnings: Vec::new(),
        design,
    };
    forecast.checks = checks(&forecast, &shape, survey, &worker, job_bytes)?;
    forecast.warnings = warnings(&forecast, job, survey, rates, overrides);
    Ok(forecast)
}

/// The strategies side by side.
pub fn compare(
    job: &Job,
    survey: &Survey,
    rates: &Rates,
    overrides: &Overrides,
    job_bytes: u64,
) -> Vec<(Strategy, Result<Forecast, Refused>)> {
    let of = |strategy| (strategy, forecast(strategy, job, survey, rates, overrides, job_bytes));
    Strategy::COMPARED.into_iter().map(of).collect()
}

/// The strategy that suits a source: simple, unless another one is clearly faster.
pub fn recommend(compared: &[(Strategy, Result<Forecast, Refused>)]) -> Strategy {
    let seconds = |wanted: Strategy| {
        let found = compared.iter().find(|(strategy, _)| *strategy == wanted);
        found.and_then(|(_, forecast)| forecast.as_ref().ok()).map(|forecast| forecast.seconds.total)
    };
    let simple = seconds(Strategy::Simple).unwrap_or(f64::INFINITY);
    let is_worth = |other: f64| other * WORTH_PACKING < simple && other + WORTH_PACKING_SECONDS < simple;
    let others = [Strategy::Packed, Strategy::Nested].into_iter().filter_map(|other| Some((other, seconds(other)?)));
    let fastest = others.filter(|(_, seconds)| is_worth(*seconds)).min_by(|one, other| one.1.total_cmp(&other.1));
    fastest.map_or(Strategy::Simple, |(strategy, _)| strategy)
}

/// Plays the batches through: all in one Map, or in groups of which each is one.
fn play(design: &Design, shape: &Shape, groups: u64, rates: &Rates) -> Simulated {
    let overhead = rates.speeds.batch_seconds + rates.speeds.child_seconds;
    let waves: Vec<Wave> = shape.waves.iter().map(|wave| Wave { seconds: wave.seconds + overhead, ..*wave }).collect();
    let ramp = Ramp {
        concurrency: design.max_concurrency,
        starts_per_second: rates.speeds.child_starts_per_second,
        environments_per_10_seconds: Some(rates.account.lambda_starts_per_10_seconds),
        cold_start_seconds: rates.speeds.cold_start_seconds,
    };
    let (Some(_), Some(at_once)) = (design.group_items, design.group_concurrency) else {
        return simulate(&waves, &ramp);
    };
    if groups == 0 {
        return Simulated::default();
    }
    // A group with the usual batches, and one for each batch that is longer; the long ones come last.
    let of_a_group = shape.batches().div_ceil(groups);
    let usual = waves.first().map_or(0.0, |wave| wave.seconds);
    let group = |longest: f64| {
        let batches = [Wave { children: of_a_group - 1, seconds: usual }, Wave { children: 1, seconds: longest }];
        simulate(&batches, &ramp).seconds + rates.speeds.map_run_seconds
    };
    let long: Vec<Wave> = waves.iter().skip(1).copied().collect();
    let with_long = long.iter().map(|wave| wave.children).sum::<u64>().min(groups);
    let mut outer = vec![Wave { children: groups - with_long, seconds: group(usual) }];
    outer.extend(long.iter().map(|wave| Wave { children: wave.children.min(groups), seconds: group(wave.seconds) }));
    let environments = rates.account.lambda_starts_per_10_seconds / design.max_concurrency.max(1);
    let ramp = Ramp {
        concurrency: at_once,
        environments_per_10_seconds: Some(environments.max(1)),
        cold_start_seconds: 0.0,
        ..ramp
    };
    let played = simulate(&outer, &ramp);
    let peak = played.peak.saturating_mul(design.max_concurrency.min(of_a_group)).min(shape.batches());
    Simulated { peak, ..played }
}

/// Holds every number against its quota.
fn checks(
    forecast: &Forecast,
    shape: &Shape,
    survey: &Survey,
    worker: &Worker,
    job_bytes: u64,
) -> Result<Vec<Check>, Refused> {
    let design = &forecast.design;
    let by_keys = |items: u64| items as f64 * (crate::design::LISTED_ITEM_BYTES as f64 + survey.mean_key_bytes());
    let of_a_batch = design.items_of_a_batch().min(forecast.items);
    let input = (by_keys(of_a_batch) as u64).saturating_add(job_bytes + crate::design::ENVELOPE_BYTES);
    let mut checks = vec![
        at_most(
            quota::STATE_BYTES,
            job_bytes + crate::design::ENVELOPE_BYTES + ANSWER_BYTES,
            "put the job file into S3 and give its s3:// address",
        )?,
        at_most(quota::BATCH_BYTES, input.min(quota::BATCH_BYTES.limit), "")?,
        at_most(quota::BATCH_ITEMS, of_a_batch, "ask for a lower batch.max_items")?,
        at_most(quota::ITEMS, forecast.items, "divide the source by prefixes into several jobs")?,
        at_most(quota::PARALLEL_CHILDREN, design.max_concurrency, "ask for a lower batch.max_concurrency")?,
        at_most(quota::HISTORY_EVENTS, forecast.events.parent, "this is a fault of the planner")?,
    ];
    if let (Some(events), Some(groups)) = (forecast.events.standard_child, design.group_concurrency) {
        checks.push(at_most(quota::HISTORY_EVENTS, events, "this is a fault of the planner")?);
        checks.push(at_most(quota::OPEN_MAP_RUNS, groups + 1, "this is a fault of the planner")?);
    }
    // What cannot be read in time even at the best speed; slower is warned of.
    let least = worker.least_seconds(shape.largest_batch_bytes as u64).ceil() as u64;
    if design.tolerated_failure_percentage == 0.0 {
        let advice = "the largest object or batch cannot be read in five minutes: cut the object (NDJSON, or CSV with \
                      source.csv.multiline false, not compressed, strategy packed), or ask for a lower batch.max_items";
        checks.push(at_most(quota::EXPRESS_SECONDS, least, advice)?);
    } else {
        checks.push(Check::guideline(quota::EXPRESS_SECONDS, least));
    }
    if forecast.seconds.batches > 0.0 {
        let each_second = |requests: u64| (requests as f64 / forecast.seconds.batches) as u64;
        checks.push(Check::guideline(quota::PREFIX_READS, each_second(forecast.items + 2 * forecast.children)));
        checks.push(Check::guideline(quota::PREFIX_WRITES, each_second(forecast.items + 2 * forecast.children)));
    }
    Ok(checks)
}

fn warnings(forecast: &Forecast, job: &Job, survey: &Survey, rates: &Rates, overrides: &Overrides) -> Vec<String> {
    let mut warnings = Vec::new();
    let design = &forecast.design;
    let longest = forecast.longest_batch_seconds;
    if longest > quota::TASK_SECONDS.limit as f64 {
        warnings.push(format!(
            "the longest batch is expected to take {longest:.0} s; it has {} s ({}) and will fail, if speeds are as assumed",
            quota::TASK_SECONDS.limit, quota::TASK_SECONDS.name
        ));
    }
    let range = design.range_bytes.unwrap_or(u64::MAX);
    let uncut = survey.largest.iter().find(|object| object.kind != Kind::Lines && object.bytes > range);
    if let Some(object) = uncut.filter(|_| design.strategy == Strategy::Packed) {
        warnings.push(format!(
            "{} of {} bytes is heavier than a batch and is not cut: {}",
            object.key,
            object.bytes,
            why_not_cut(job, object.kind)
        ));
    } else if design.range_bytes.is_none() && longest > 2.0 * forecast.middle_batch_seconds && longest > 30.0 {
        warnings.push(format!(
            "the longest batch takes {longest:.0} s and most take {:.0} s: the strategy packed makes batches of equal weight",
            forecast.middle_batch_seconds
        ));
    }
    for check in forecast.checks.iter().filter(|check| check.is_guideline && !check.holds()) {
        warnings.push(format!(
            "{} {} are expected ({}, {} of them are promised); S3 may ask to slow down",
            check.value, check.quota.unit, check.quota.name, check.quota.limit
        ));
    }
    if let Some(asked) = overrides.max_items.filter(|asked| *asked > design.items_by_bytes) {
        warnings.push(format!(
            "batches of {asked} items are asked for, and about {} fit into the {} bytes of a batch's input",
            design.items_by_bytes,
            quota::BATCH_BYTES.limit
        ));
    }
    if design.max_concurrency.saturating_mul(design.group_concurrency.unwrap_or(1)) > rates.account.lambda_concurrency {
        warnings.push(format!(
            "{} batches at the same time are asked for, and the account runs {} functions; the others wait and are retried",
            design.max_concurrency, rates.account.lambda_concurrency
        ));
    }
    let too_large = survey.largest.first().filter(|object| object.bytes > job.limits.expanded_bytes.bytes());
    if let Some(object) = too_large {
        warnings.push(format!("{} of {} bytes is above limits.expanded_bytes and will fail", object.key, object.bytes));
    }
    if forecast.memory_mb > forecast.fitting_memory_mb * 2 || forecast.memory_mb * 2 < forecast.fitting_memory_mb {
        warnings.push(format!(
            "the worker has {} MB; {} MB would cost least for these objects",
            forecast.memory_mb, forecast.fitting_memory_mb
        ));
    }
    warnings.truncate(MAX_WARNINGS);
    warnings
}

fn why_not_cut(job: &Job, kind: Kind) -> &'static str {
    if kind == Kind::Compressed {
        return "it is compressed, or its key does not say that it is not (source.compression: none says so)";
    }
    if job.source.encoding != job::Encoding::Utf8 {
        return "only UTF-8 is cut, because a range begins at any byte";
    }
    match job.source.format {
        job::Format::Json => "a JSON document is read from its beginning",
        _ if job.source.csv.multiline => {
            "its fields may hold line ends (source.csv.multiline), so that a range cannot know whether it begins inside quotes"
        }
        _ => "a range needs records that are lines: NDJSON, or CSV with source.csv.multiline false",
    }
}

fn fitting_memory(survey: &Survey, worker: &Worker) -> u64 {
    let by_bytes = survey.classes().max_by(|one, other| one.1.bytes.cmp(&other.1.bytes));
    by_bytes.map_or_else(|| worker.memory_mb(), |(kind, class)| worker.fitting_memory_mb(kind, class.mean()))
}
