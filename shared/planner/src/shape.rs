//! What batches a design makes of a source: how many, and how long each takes.
//!
//! Only the distribution of sizes is known, not which object comes beside which. So the batches of a listing are taken to be
//! alike, but for the objects that alone take longer than such a batch: each of them is in a batch of its own kind, and
//! those batches come last, which is the worst that the order of keys can do. Batches of a packed run weigh the same by
//! their making.

use crate::design::{Design, Strategy};
use crate::kind::Kind;
use crate::packer::cuts;
use crate::simulate::Wave;
use crate::survey::Survey;
use crate::worker::Worker;

/// Batches are not filled to the last second: what remains open at the end, and what does not fit.
const FILLED: f64 = 0.97;

/// The batches of a run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shape {
    /// In the order in which they are started.
    pub(crate) waves: Vec<Wave>,
    /// Items that workers answer for.
    pub(crate) items: u64,
    /// The largest input of a batch that is expected, in bytes of objects.
    pub(crate) largest_batch_bytes: f64,
}

impl Shape {
    pub(crate) fn new(design: &Design, survey: &Survey, worker: &Worker) -> Self {
        if design.strategy.has_units() {
            Self::packed(design, survey, worker)
        } else {
            Self::listed(design, survey, worker)
        }
    }

    pub(crate) fn batches(&self) -> u64 {
        self.waves.iter().map(|wave| wave.children).sum()
    }

    /// The time that a batch takes in the middle of all, and the longest.
    pub(crate) fn middle_and_longest(&self) -> (f64, f64) {
        let mut waves = self.waves.clone();
        waves.sort_by(|one, other| one.seconds.total_cmp(&other.seconds));
        let half = self.batches() / 2;
        let mut passed = 0;
        let middle = waves.iter().find(|wave| {
            passed += wave.children;
            passed > half
        });
        (middle.map_or(0.0, |wave| wave.seconds), waves.last().map_or(0.0, |wave| wave.seconds))
    }

    /// Seconds of all batches together.
    pub(crate) fn seconds(&self) -> f64 {
        self.waves.iter().map(|wave| wave.children as f64 * wave.seconds).sum()
    }

    /// Batches of the listing as it comes.
    fn listed(design: &Design, survey: &Survey, worker: &Worker) -> Self {
        let items = survey.listed();
        let of_a_batch = design.items_of_a_batch();
        // A group's last batch is seldom full.
        let batches = match (design.strategy, design.group_items) {
            (Strategy::Nested, Some(group)) => {
                (items / group) * group.div_ceil(of_a_batch) + (items % group).div_ceil(of_a_batch)
            }
            _ => items.div_ceil(of_a_batch),
        };
        let mut shape = Self { waves: Vec::new(), items, largest_batch_bytes: 0.0 };
        if batches == 0 {
            return shape;
        }
        let total = crate::design::seconds(survey, worker);
        let mean_batch = total / batches as f64;
        let classes = survey.classes().map(|(kind, class)| (class, worker.weight(kind, class.mean())));
        let mut long: Vec<(u64, f64)> = Vec::new();
        let (mut rest, mut of_long, mut largest) = (total, 0, 0.0_f64);
        for (class, weight) in classes {
            if weight > 2.0 * mean_batch {
                long.push((class.objects, weight));
                rest -= class.objects as f64 * weight;
                of_long += class.objects;
                largest = largest.max(class.mean());
            }
        }
        // Too many of them to be exceptions: they are what the batches are made of.
        if of_long * 2 > batches {
            (long, rest, of_long) = (Vec::new(), total, 0);
        }
        let usual = rest.max(0.0) / batches as f64;
        let children = batches - of_long;
        if children > 0 {
            shape.waves.push(Wave { children, seconds: usual });
        }
        shape.waves.extend(long.iter().map(|(children, weight)| Wave { children: *children, seconds: usual + weight }));
        shape.largest_batch_bytes = (survey.bytes() as f64 / batches as f64).max(largest);
        shape
    }

    /// Batches as the packer makes them.
    fn packed(design: &Design, survey: &Survey, worker: &Worker) -> Self {
        let limit = design.batch_seconds;
        let (mut items, mut weight, mut alone) = (0_u64, 0.0, Vec::new());
        let mut largest = 0.0_f64;
        for (kind, class) in survey.classes() {
            let mean = class.mean();
            let each = worker.weight(kind, mean);
            match design.range_bytes.filter(|range| kind == Kind::Lines && mean > *range as f64) {
                Some(range) => {
                    let parts = cuts(mean as u64, range).count() as u64;
                    items += class.objects * parts;
                    weight += (class.objects * parts) as f64 * worker.weight(kind, mean / parts as f64);
                }
                None if each > limit => {
                    items += class.objects;
                    alone.push(Wave { children: class.objects, seconds: each });
                    largest = largest.max(mean);
                }
                None => {
                    items += class.objects;
                    weight += class.objects as f64 * each;
                }
            }
        }
        let together = items - alone.iter().map(|wave| wave.children).sum::<u64>();
        let by_weight = (weight / (limit * FILLED)).ceil() as u64;
        let by_items = together.div_ceil(design.items_of_a_batch());
        let batches = by_weight.max(by_items).max(u64::from(together > 0)).min(together);
        let mut waves = Vec::new();
        if batches > 0 {
            waves.push(Wave { children: batches, seconds: weight / batches as f64 });
        }
        waves.extend(alone);
        let range = design.range_bytes.unwrap_or(0) as f64;
        Self { waves, items, largest_batch_bytes: largest.max(range.min(survey.bytes() as f64)) }
    }
}
