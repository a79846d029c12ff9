//! `limits`: the most that an object or record may cost.

use schemars::JsonSchema;
use serde::de::Deserializer;
use serde::{Deserialize, Serialize};

use crate::size::ByteSize;

const DEFAULT_RECORD_BYTES: ByteSize = ByteSize::from_bytes(8 << 20);
const SMALLEST_DEFAULT_OUTPUT: ByteSize = ByteSize::from_bytes(16 << 20);
/// The end of the range of `output_bytes`.
pub(crate) const MAX_OUTPUT_BYTES: ByteSize = ByteSize::from_bytes(256 << 20);

/// The most that an object or record may cost. Going over a limit is an error that names it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Longest record. From 1 KiB to 64 MiB.
    pub record_bytes: ByteSize,
    /// Most bytes that one object may have after decompression. From 1 MiB to 5 TiB.
    pub expanded_bytes: ByteSize,
    /// Most bytes that one compressed byte may become, on average over the object.
    #[schemars(range(min = 1, max = 100_000))]
    pub expansion_ratio: u64,
    /// Deepest nesting of a JSON record.
    #[schemars(range(min = 1, max = 1000))]
    pub depth: u64,
    /// Most columns of a CSV row, and most members of one JSON object.
    #[schemars(range(min = 1, max = 100_000))]
    pub fields: u64,
    /// Longest CSV header row. From 1 KiB to 1 MiB.
    pub header_bytes: ByteSize,
    /// Most bytes that one record may become, with all records that `explode` makes of it. From 64 KiB to 256 MiB. Without
    /// it, 16 MiB, or twice `record_bytes` if that is more.
    pub output_bytes: ByteSize,
    /// Expanded bytes of an object after which another invocation can go on with it, and its compressed output begins a
    /// new frame. From 1 MiB to 1 GiB.
    pub checkpoint_bytes: ByteSize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            record_bytes: DEFAULT_RECORD_BYTES,
            expanded_bytes: ByteSize::from_bytes(50 << 30),
            expansion_ratio: 200,
            depth: 64,
            fields: 10_000,
            header_bytes: ByteSize::from_bytes(64 << 10),
            output_bytes: Self::default_output_bytes(DEFAULT_RECORD_BYTES),
            checkpoint_bytes: ByteSize::from_bytes(64 << 20),
        }
    }
}

impl Limits {
    /// What `output_bytes` is when the job does not say it: enough for every record that is not made much longer.
    pub(crate) fn default_output_bytes(record_bytes: ByteSize) -> ByteSize {
        ByteSize::from_bytes(record_bytes.bytes().saturating_mul(2)).clamp(SMALLEST_DEFAULT_OUTPUT, MAX_OUTPUT_BYTES)
    }
}

/// The limits as written: one that is not there may follow from another.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Written {
    record_bytes: ByteSize,
    expanded_bytes: ByteSize,
    expansion_ratio: u64,
    depth: u64,
    fields: u64,
    header_bytes: ByteSize,
    output_bytes: Option<ByteSize>,
    checkpoint_bytes: ByteSize,
}

impl Default for Written {
    fn default() -> Self {
        let limits = Limits::default();
        Self {
            record_bytes: limits.record_bytes,
            expanded_bytes: limits.expanded_bytes,
            expansion_ratio: limits.expansion_ratio,
            depth: limits.depth,
            fields: limits.fields,
            header_bytes: limits.header_bytes,
            output_bytes: None,
            checkpoint_bytes: limits.checkpoint_bytes,
        }
    }
}

impl<'de> Deserialize<'de> for Limits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = Written::deserialize(deserializer)?;
        Ok(Self {
            record_bytes: written.record_bytes,
            expanded_bytes: written.expanded_bytes,
            expansion_ratio: written.expansion_ratio,
            depth: written.depth,
            fields: written.fields,
            header_bytes: written.header_bytes,
            output_bytes: written.output_bytes.unwrap_or_else(|| Self::default_output_bytes(written.record_bytes)),
            checkpoint_bytes: written.checkpoint_bytes,
        })
    }
}
