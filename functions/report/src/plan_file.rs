//! `plan.json`: what was planned, as far as a report needs it.

use serde::{Deserialize, Serialize};

/// What a plan says. Whatever it does not say is not shown.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PlanFile {
    /// How the run is laid out: `simple`, `nested`, `packed` or `repair`.
    #[serde(default)]
    pub strategy: Option<String>,
    /// Items of the run.
    pub items: u64,
    /// Their bytes.
    #[serde(default)]
    pub bytes: Option<u64>,
    /// What is repaired.
    #[serde(default)]
    pub repair: Option<RepairOf>,
    /// The function that does the work.
    #[serde(default)]
    pub function: Option<FunctionPlan>,
    /// What the run should take.
    #[serde(default)]
    pub expected: Option<Expected>,
    /// Prices by which the plan reckoned.
    #[serde(default)]
    pub prices: Option<Prices>,
}

impl PlanFile {
    /// Pages of a thousand objects that are listed: by the plan, and again by Step Functions where the plan writes no
    /// batches of its own.
    pub(crate) fn pages(&self) -> u64 {
        let listings = match self.strategy.as_deref() {
            Some("simple" | "nested") => 2,
            Some("packed") => 1,
            _ => 0,
        };
        self.items.div_ceil(1000) * listings
    }
}

/// What a repair repairs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepairOf {
    /// The earlier run.
    pub run: String,
}

/// The function that does the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionPlan {
    /// Its memory in MiB, if that was planned.
    #[serde(default)]
    pub memory_mb: Option<u64>,
}

/// What a run should take.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Expected {
    /// Batches.
    #[serde(default)]
    pub children: Option<u64>,
    /// Seconds from the first batch to the last.
    #[serde(default)]
    pub duration_seconds: Option<f64>,
    /// Money.
    #[serde(default)]
    pub cost: Option<Money>,
}

/// Money by service, in the currency of the prices.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Money {
    /// Step Functions.
    #[serde(default)]
    pub step_functions: f64,
    /// Lambda.
    #[serde(default)]
    pub lambda: f64,
    /// Requests to S3.
    #[serde(default)]
    pub s3: f64,
}

impl Money {
    /// All of it.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.step_functions + self.lambda + self.s3
    }
}

/// Prices of single things.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Prices {
    /// The day of the prices.
    pub date: String,
    /// Their currency.
    pub currency: String,
    /// A GiB of function memory for a second.
    pub lambda_gb_second: f64,
    /// An invocation.
    pub lambda_request: f64,
    /// A state transition; a batch is one.
    pub step_functions_transition: f64,
    /// An EXPRESS execution.
    pub express_request: f64,
    /// A GiB of an EXPRESS execution for a second.
    pub express_gb_second: f64,
    /// Reading an object, or asking about it.
    pub s3_get: f64,
    /// Writing an object or a part.
    pub s3_put: f64,
    /// Listing a page of a thousand objects.
    pub s3_list: f64,
}
