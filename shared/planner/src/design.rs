//! The numbers that a state machine is run with: how many items make a batch, how many batches run at the same time.
//!
//! A good batch is long enough that starting it does not matter, short enough that it is done well within the five minutes
//! of an Express child, and there are several for every worker, so that all workers end at about the same time. That gives
//! its length in seconds; the average weight of an object gives the number of objects; and the quota on the input of a
//! child, with the length of the keys, bounds it.

use crate::checks::{Refused, at_most};
use crate::kind::Kind;
use crate::quota;
use crate::rates::Rates;
use crate::survey::Survey;
use crate::worker::Worker;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Bytes of an item of a listing beside its key, with a comma: ETag, size, times and names, as Step Functions writes them.
pub(crate) const LISTED_ITEM_BYTES: u64 = 124;

/// Bytes of an item of a unit beside its key: ETag, size and names, as the plan writes them, with a comma.
pub(crate) const UNIT_ITEM_BYTES: u64 = 80;

/// Bytes of a batch's input beside the job and the items: the run's ids, of a group also where its results go, and the names
/// around them.
pub(crate) const ENVELOPE_BYTES: u64 = 2048;

/// Workers are planned for nine tenths of the account's concurrency: the rest is for the other functions.
const SHARE_OF_ACCOUNT: f64 = 0.9;

/// How a run goes through its objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// One Map over the listing, in batches of a number of objects.
    Simple,
    /// A Map over groups of the listing, each of which is a Map over batches.
    Nested,
    /// A Map over batches of equal weight, which the plan makes of the listing.
    Packed,
    /// As packed, of the items that an earlier run did not do.
    Repair,
}

impl Strategy {
    /// The strategies among which a run is compared.
    pub const COMPARED: [Self; 3] = [Self::Simple, Self::Nested, Self::Packed];

    /// The name as in commands and events.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Simple => "simple",
            Self::Nested => "nested",
            Self::Packed => "packed",
            Self::Repair => "repair",
        }
    }

    /// True where the plan writes the batches.
    #[must_use]
    pub const fn has_units(self) -> bool {
        matches!(self, Self::Packed | Self::Repair)
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A text that names no strategy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected simple, nested, packed or repair as the strategy, found another text")]
pub struct UnknownStrategy;

impl FromStr for Strategy {
    type Err = UnknownStrategy;

    fn from_str(text: &str) -> Result<Self, UnknownStrategy> {
        let all = [Self::Simple, Self::Nested, Self::Packed, Self::Repair];
        all.into_iter().find(|strategy| strategy.name() == text).ok_or(UnknownStrategy)
    }
}

/// What whoever starts a run wants otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Overrides {
    /// Most items of a batch.
    #[serde(default)]
    pub max_items: Option<u64>,
    /// Most batches at the same time.
    #[serde(default)]
    pub max_concurrency: Option<u64>,
    /// How many percent of the items may be in failed batches before the Map is given up, from 0 to 100.
    #[serde(default)]
    pub tolerated_failure_percentage: Option<f64>,
}

/// The numbers that a state machine is run with.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Design {
    /// The strategy.
    pub strategy: Strategy,
    /// Most items of a batch.
    pub max_items: u64,
    /// Most batches of one Map at the same time.
    pub max_concurrency: u64,
    /// Percent of items in failed batches before the Map is given up.
    pub tolerated_failure_percentage: f64,
    /// Items of a group; only of nested.
    pub group_items: Option<u64>,
    /// Groups at the same time; only of nested.
    pub group_concurrency: Option<u64>,
    /// How long a batch is meant to take; of packed and repair what it may weigh at most.
    pub batch_seconds: f64,
    /// Objects of lines that are larger are cut into ranges of at most this size; only of packed and repair.
    pub range_bytes: Option<u64>,
    /// Bytes that the items of a batch may have in its input.
    #[serde(skip)]
    pub room_bytes: u64,
    /// Batches that may run at the same time in all, by the account and what was asked for.
    #[serde(skip)]
    pub(crate) workers: u64,
    /// Items that fit into the input of a child, by the average key.
    #[serde(skip)]
    pub(crate) items_by_bytes: u64,
}

impl Design {
    /// Chooses the numbers. `job_bytes` is the job as it stands in the input of every batch.
    pub(crate) fn new(
        strategy: Strategy,
        survey: &Survey,
        worker: &Worker,
        rates: &Rates,
        overrides: &Overrides,
        job_bytes: u64,
    ) -> Result<Self, Refused> {
        let item_bytes = if strategy.has_units() { UNIT_ITEM_BYTES } else { LISTED_ITEM_BYTES };
        let envelope = job_bytes + ENVELOPE_BYTES;
        let advice = "put the job file into S3 and give its s3:// address, so that a batch has room for items";
        at_most(quota::BATCH_BYTES, envelope + item_bytes + survey.keys.longest, advice)?;
        let room = quota::BATCH_BYTES.limit - envelope;
        let items_by_bytes = ((room as f64 / (item_bytes as f64 + survey.mean_key_bytes())) as u64).max(1);

        let asked = overrides.max_concurrency.unwrap_or(u64::MAX);
        if let Some(asked) = overrides.max_concurrency {
            let advice = "ask for a lower batch.max_concurrency, or run several Maps with the strategy nested";
            at_most(quota::PARALLEL_CHILDREN, asked, advice)?;
        }
        if let Some(asked) = overrides.max_items {
            at_most(quota::BATCH_ITEMS, asked, "ask for a lower batch.max_items")?;
        }
        let of_account = (rates.account.lambda_concurrency as f64 * SHARE_OF_ACCOUNT) as u64;
        let most = if strategy == Strategy::Nested { u64::MAX } else { quota::PARALLEL_CHILDREN.limit };
        let workers = of_account.min(asked).min(most).max(1);

        let total = seconds(survey, worker);
        let settings = &rates.worker;
        let longest = settings.target_batch_seconds.max(settings.least_batch_seconds);
        let batches = workers as f64 * settings.batches_for_each_worker as f64;
        let mut batch_seconds = (total / batches).clamp(settings.least_batch_seconds, longest);
        if strategy.has_units() {
            batch_seconds = batch_seconds.min(light_batches(survey, worker, items_by_bytes, batch_seconds));
        }
        let objects = survey.listed().max(1) as f64;
        let by_time = (batch_seconds / (total / objects).max(f64::MIN_POSITIVE)).min(1e9) as u64;
        let by_quota = items_by_bytes.min(quota::BATCH_ITEMS.limit);
        let wanted = if strategy.has_units() { quota::BATCH_ITEMS.limit } else { by_time.min(by_quota) };
        let max_items = overrides.max_items.unwrap_or(wanted).clamp(1, quota::BATCH_ITEMS.limit);
        let range_bytes = strategy.has_units().then(|| worker.bytes_in(Kind::Lines, batch_seconds).max(1));
        let mut design = Self {
            strategy,
            max_items,
            max_concurrency: workers,
            tolerated_failure_percentage: overrides.tolerated_failure_percentage.unwrap_or(0.0),
            group_items: None,
            group_concurrency: None,
            batch_seconds,
            range_bytes,
            room_bytes: room,
            workers,
            items_by_bytes,
        };
        if strategy == Strategy::Nested {
            design.group();
        }
        Ok(design)
    }

    /// Items that a batch really holds: what is asked for, or less when the keys fill its input before.
    pub(crate) fn items_of_a_batch(&self) -> u64 {
        self.max_items.min(self.items_by_bytes).max(1)
    }

    /// Groups as large as their input allows, and so many at the same time that all workers are busy.
    fn group(&mut self) {
        let group_items = self.items_by_bytes.min(quota::BATCH_ITEMS.limit);
        self.max_items = self.max_items.min(group_items);
        let batches = group_items.div_ceil(self.items_of_a_batch());
        let inner = batches.min(self.workers).clamp(1, quota::PARALLEL_CHILDREN.limit);
        // One open Map Run is the outer one.
        let groups = (self.workers / inner).clamp(1, quota::OPEN_MAP_RUNS.limit - 1);
        self.group_items = Some(group_items);
        self.group_concurrency = Some(groups);
        self.max_concurrency = inner;
    }
}

/// The weight of all objects together, in seconds of one worker.
pub(crate) fn seconds(survey: &Survey, worker: &Worker) -> f64 {
    survey.classes().map(|(kind, class)| class.objects as f64 * worker.weight(kind, class.mean())).sum()
}

/// Where keys fill most batches before their weight does, twice the weight of such a batch: no range of a large object
/// shall take longer than two of the others.
fn light_batches(survey: &Survey, worker: &Worker, items_by_bytes: u64, batch_seconds: f64) -> f64 {
    let items = items_by_bytes.min(quota::BATCH_ITEMS.limit) as f64;
    let (mut objects, mut weight) = (0.0, 0.0);
    let mut of_large = 0.0;
    for (kind, class) in survey.classes() {
        let each = worker.weight(kind, class.mean());
        if each * items <= batch_seconds {
            objects += class.objects as f64;
            weight += class.objects as f64 * each;
        } else {
            of_large += class.objects as f64 * each;
        }
    }
    let (full_by_bytes, full_by_weight) = (objects / items, of_large / batch_seconds);
    if objects == 0.0 || full_by_bytes < full_by_weight {
        return f64::INFINITY;
    }
    2.0 * items * weight / objects
}
