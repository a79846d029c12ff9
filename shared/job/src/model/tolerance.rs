//! `tolerance`: how much of a run may go wrong before the run counts as failed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How much of a run may go wrong. It decides the verdict of the report and nothing else: no output depends on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Tolerance {
    /// As many items may be without output, because they failed or were not processed. The larger of this and
    /// `failed_items_ratio` counts.
    pub failed_items: u64,
    /// Such a part of the items may be without output, from 0 to 1. Skipped items are left out of the reckoning.
    #[schemars(range(min = 0, max = 1))]
    pub failed_items_ratio: f64,
    /// Such a part of the records may be refused, from 0 to 1.
    #[schemars(range(min = 0, max = 1))]
    pub rejected_records_ratio: f64,
}

impl Default for Tolerance {
    fn default() -> Self {
        Self { failed_items: 0, failed_items_ratio: 0.0, rejected_records_ratio: 1.0 }
    }
}
