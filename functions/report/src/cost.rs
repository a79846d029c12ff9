//! What a run cost about, reckoned from what it did and the prices of the plan.
//!
//! Counted is what ledgers and result files tell. What they do not tell is left out: invocations that were repeated within
//! a batch, cold starts, traffic and storage. So the figure is a little low, and good to hold against the plan's.

use crate::plan_file::{Money, PlanFile};
use serde::{Deserialize, Serialize};

/// The least memory that an EXPRESS execution is charged for, in GiB (64 MB chunks, by the price list of Step Functions).
const EXPRESS_GB: f64 = 0.0625;

/// What a run cost about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// The currency.
    pub currency: String,
    /// The day of the prices.
    pub prices_of: String,
    /// What was planned.
    pub planned: Option<Money>,
    /// What was used, at the same prices.
    pub used: Money,
}

/// What a run did that costs money.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Usage {
    /// Batches that were started.
    pub(crate) batches: u64,
    /// Milliseconds that they ran, waiting included.
    pub(crate) batch_ms: u64,
    /// Milliseconds that functions worked.
    pub(crate) function_ms: u64,
    /// Objects read, and requests sent again.
    pub(crate) reads: u64,
    /// Objects and ledgers written.
    pub(crate) writes: u64,
    /// Pages that were listed, by the plan and by Step Functions.
    pub(crate) pages: u64,
}

/// The cost, if the plan has prices and says how large the function is.
pub(crate) fn cost(plan: &PlanFile, usage: &Usage) -> Option<Cost> {
    let (prices, memory_mb) = (plan.prices.as_ref()?, plan.function?.memory_mb?);
    let seconds = |milliseconds: u64| milliseconds as f64 / 1000.0;
    let used = Money {
        step_functions: usage.batches as f64 * (prices.step_functions_transition + prices.express_request)
            + seconds(usage.batch_ms) * EXPRESS_GB * prices.express_gb_second,
        lambda: usage.batches as f64 * prices.lambda_request
            + seconds(usage.function_ms) * memory_mb as f64 / 1024.0 * prices.lambda_gb_second,
        s3: usage.reads as f64 * prices.s3_get
            + usage.writes as f64 * prices.s3_put
            + usage.pages as f64 * prices.s3_list,
    };
    Some(Cost {
        currency: if prices.currency.is_empty() { "USD".to_owned() } else { prices.currency.clone() },
        prices_of: prices.date.clone(),
        planned: plan.expected.and_then(|expected| expected.cost),
        used,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn everything_that_was_used_is_in_the_cost() {
        let plan: PlanFile = serde_json::from_value(json!({
            "items": 10, "function": {"memory_mb": 512}, "expected": {"cost": {"lambda": 2.0, "s3": 1.0}},
            "prices": {"date": "2026-11-01", "lambda_gb_second": 0.01, "lambda_request": 1.0, "step_functions_transition": 10.0,
                "express_request": 100.0, "express_gb_second": 16.0, "s3_get": 0.5, "s3_put": 5.0, "s3_list": 7.0},
        }))
        .unwrap();
        let usage = Usage { batches: 2, batch_ms: 3_000, function_ms: 2_000, reads: 4, writes: 3, pages: 2 };
        let cost = cost(&plan, &usage).unwrap();
        assert_eq!(cost.used, Money { step_functions: 220.0 + 3.0, lambda: 2.0 + 0.01, s3: 2.0 + 15.0 + 14.0 });
        assert_eq!((cost.currency.as_str(), cost.planned.unwrap().total()), ("USD", 3.0));
        assert!(super::cost(&PlanFile { prices: None, ..plan }, &usage).is_none());
    }
}
