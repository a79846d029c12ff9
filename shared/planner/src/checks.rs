//! Numbers held against their quotas.

use crate::quota::Quota;
use serde::Serialize;

/// A number of a plan beside the quota that bounds it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Check {
    /// The quota.
    #[serde(flatten)]
    pub quota: Quota,
    /// What the plan comes to.
    pub value: u64,
    /// The limit is a promise of the service and not a wall: passing it slows the run down and does not end it.
    pub is_guideline: bool,
}

impl Check {
    pub(crate) fn of(quota: Quota, value: u64) -> Self {
        Self { quota, value, is_guideline: false }
    }

    pub(crate) fn guideline(quota: Quota, value: u64) -> Self {
        Self { quota, value, is_guideline: true }
    }

    /// True within the limit.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.value <= self.quota.limit
    }
}

/// A plan that must fail, with the quota at which it would.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected at most {} {} ({}; quota of {}), found {found}: {advice}", quota.limit, quota.unit, quota.name, quota.source)]
pub struct Refused {
    /// The quota.
    pub quota: Quota,
    /// What the plan comes to.
    pub found: u64,
    /// What to do about it.
    pub advice: String,
}

/// Refuses what passes its quota.
pub(crate) fn at_most(quota: Quota, found: u64, advice: &str) -> Result<Check, Refused> {
    if found > quota.limit {
        return Err(Refused { quota, found, advice: advice.to_owned() });
    }
    Ok(Check::of(quota, found))
}
