//! The experiment that made Distributed Maps known, by the rules of this crate.
//!
//! 65,000 JSON objects of 200 KB are read, changed and published, each by three states (`getObject`, Pass, `publish`) in an
//! inline Map, without any function. The guide that told of it has three cases: with everything in the history of one
//! execution it fails at 25,000 events; in a Distributed Map with batches of 1,000 it takes five and a half minutes; nested,
//! groups of 1,800 in batches of 50, it takes one and a half. The definitions are public, the two times are known from the
//! guide alone and were not repeated here.
//!
//! An item costs its history 14 events, so one execution comes to 1,785 items and no further. What a Distributed Map puts
//! into the history of its parent is the same for any number of batches. The batches of 1,000 run longer than an Express
//! execution may, so they are Standard, and the state transitions of an account are what they wait for; the batches of 50
//! are Express, which have no such limit.

use crate::checks::{Refused, at_most};
use crate::history::{self, INLINE_MAP, PLAIN, TASK};
use crate::quota;
use crate::rates::Rates;
use crate::simulate::{Ramp, Wave, simulate};

/// Objects of the experiment.
pub const OBJECTS: u64 = 65_000;

/// States that an object goes through.
const STATES: u64 = 3;

/// Events of an object beside those of the iteration: two tasks and a Pass.
const EVENTS: u64 = 2 * TASK + PLAIN;

/// Iterations of an inline Map at the same time (Step Functions Developer Guide).
const INLINE_CONCURRENCY: u64 = 40;

/// What one state takes beside what it calls: assumed.
const STATE_SECONDS: f64 = 0.03;

/// What `publish` takes: assumed.
const PUBLISH_SECONDS: f64 = 0.05;

/// The bytes of an object.
const OBJECT_BYTES: f64 = 200_000.0;

/// A case of the experiment.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// What it is.
    pub name: &'static str,
    /// What the guide reports; none where it reports a failure.
    pub reported_seconds: Option<f64>,
    /// What the model makes of it: seconds, or the quota at which it fails.
    pub outcome: Result<f64, Refused>,
}

/// The three cases in the order of the guide.
#[must_use]
pub fn cases(rates: &Rates) -> [Case; 3] {
    [
        Case {
            name: "one execution, small batches in an inline Map",
            reported_seconds: None,
            outcome: one_history(OBJECTS),
        },
        Case {
            name: "Distributed Map, batches of 1,000",
            reported_seconds: Some(330.0),
            outcome: batches(rates, 1_000),
        },
        Case {
            name: "nested, groups of 1,800 in batches of 50",
            reported_seconds: Some(90.0),
            outcome: nested(rates, 1_800, 50),
        },
    ]
}

/// Items of which the histories still have room for all events.
fn one_history(items: u64) -> Result<f64, Refused> {
    let advice = "use a Distributed Map: its batches have histories of their own";
    at_most(quota::HISTORY_EVENTS, history::inline_map(items, EVENTS), advice)?;
    Ok(items.div_ceil(INLINE_CONCURRENCY) as f64 * item_seconds())
}

fn item_seconds() -> f64 {
    // A connector reads with the speed that functions are taken to have.
    STATES as f64 * STATE_SECONDS + 0.03 + OBJECT_BYTES / 70e6 + PUBLISH_SECONDS
}

/// Standard children: each has a history, and all share the account's state transitions.
fn batches(rates: &Rates, items: u64) -> Result<f64, Refused> {
    let each = one_history(items)?;
    let children = OBJECTS.div_ceil(items);
    let played = simulate(&[Wave { children, seconds: each }], &ramp(rates, quota::PARALLEL_CHILDREN.limit)).seconds;
    // Every state of an item, and the Map and the start of the child.
    let transitions = OBJECTS * STATES + children * 2;
    let allowed = &rates.account;
    let waiting = transitions.saturating_sub(allowed.state_transitions_burst) as f64
        / allowed.state_transitions_per_second as f64;
    Ok(rates.speeds.map_run_seconds + played.max(waiting))
}

/// Express children inside Standard groups.
fn nested(rates: &Rates, group: u64, items: u64) -> Result<f64, Refused> {
    let advice = "make smaller groups";
    at_most(quota::HISTORY_EVENTS, history::execution(1, 0, 0) + INLINE_MAP, advice)?;
    let each = items.div_ceil(INLINE_CONCURRENCY) as f64 * item_seconds();
    let inner = Wave { children: group.div_ceil(items), seconds: each };
    let seconds =
        rates.speeds.map_run_seconds + simulate(&[inner], &ramp(rates, quota::PARALLEL_CHILDREN.limit)).seconds;
    let outer = Wave { children: OBJECTS.div_ceil(group), seconds };
    Ok(rates.speeds.map_run_seconds + simulate(&[outer], &ramp(rates, quota::OPEN_MAP_RUNS.limit - 1)).seconds)
}

fn ramp(rates: &Rates, concurrency: u64) -> Ramp {
    let starts_per_second = rates.speeds.child_starts_per_second;
    Ramp { concurrency, starts_per_second, environments_per_10_seconds: None, cold_start_seconds: 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cases_come_out_in_the_order_of_the_guide() {
        // The transitions of most regions; the three large ones have five thousand a second.
        let regions = r#"{"account": {"state_transitions_burst": 800, "state_transitions_per_second": 800}}"#;
        for text in ["{}", regions] {
            let [one, thousand, nested] = cases(&Rates::with_overrides(text).unwrap());
            let refused = one.outcome.unwrap_err();
            assert_eq!((refused.quota, refused.found), (quota::HISTORY_EVENTS, 6 + 14 * OBJECTS));
            assert!(refused.to_string().contains("25000 events"), "{refused}");
            let (thousand, nested) = (thousand.outcome.unwrap(), nested.outcome.unwrap());
            println!("{text}: batches of 1,000 {thousand:.0} s, nested {nested:.0} s");
            assert!(nested < thousand, "{text}: nested {nested} s, batches of 1,000 {thousand} s");
        }
    }

    #[test]
    fn a_history_ends_at_1785_items() {
        assert!(one_history(1_785).is_ok());
        assert!(one_history(1_786).is_err());
        assert!(batches(&Rates::built_in().unwrap(), 2_000).is_err(), "a child has a history as well");
    }
}
