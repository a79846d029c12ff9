//! The quotas of the service, and what holds instead when somebody switches them off for an experiment.

use super::nested::INLINE_CONCURRENCY_MAX;
use crate::asl::size::PAYLOAD_BYTES_MAX;

/// Most events in the history of a standard execution, as in the service.
pub const STANDARD_EVENTS_MAX: u64 = 25_000;
/// Most bytes of a payload when the quotas are off: one machine has to keep them all in memory.
pub const PAYLOAD_BYTES_WITHOUT_QUOTAS: usize = 64 * 1_024 * 1_024;
/// Most iterations of an inline Map at a time when the quotas are off.
const INLINE_CONCURRENCY_WITHOUT_QUOTAS: u64 = 10_000;

/// What executions may use. The default is what the service allows.
///
/// Not among them, because they say how a machine works and not how much it may use: the 256 KiB at which an ItemBatcher
/// closes a batch, and the 10,000 parallel children of a Map Run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quotas {
    /// Most bytes of the input or output of an execution, a state or a task, as compact JSON text.
    pub payload_bytes: usize,
    /// Most events in the history of a standard execution; `None`: any number.
    pub history_events: Option<u64>,
    /// Most iterations of an inline Map at a time.
    pub inline_concurrency: u64,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            payload_bytes: PAYLOAD_BYTES_MAX,
            history_events: Some(STANDARD_EVENTS_MAX),
            inline_concurrency: INLINE_CONCURRENCY_MAX,
        }
    }
}

impl Quotas {
    /// As good as none: 64 MiB a payload, any number of events, 10,000 inline iterations.
    #[must_use]
    pub fn off() -> Self {
        Self {
            payload_bytes: PAYLOAD_BYTES_WITHOUT_QUOTAS,
            history_events: None,
            inline_concurrency: INLINE_CONCURRENCY_WITHOUT_QUOTAS,
        }
    }
}
