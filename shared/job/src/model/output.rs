//! `output`, `rejects` and `on_failure`: where to write, and what may go wrong.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::names::{BucketName, Prefix};

/// Where and how to write.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// The bucket to write to.
    pub bucket: BucketName,
    /// The beginning of every key that is written. Empty or ending with `/`.
    #[serde(default)]
    pub prefix: Prefix,
    /// The format of the output objects.
    #[serde(default)]
    pub format: OutputFormat,
    /// The compression of the output objects.
    #[serde(default)]
    pub compression: OutputCompression,
}

/// The format of the output objects.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OutputFormat {
    /// One JSON object per line.
    #[default]
    Ndjson,
}

/// The compression of the output objects.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OutputCompression {
    /// Not compressed; keys end with `.ndjson`.
    None,
    /// Gzip; keys end with `.ndjson.gz`.
    Gzip,
    /// Zstandard; keys end with `.ndjson.zst`.
    #[default]
    Zstd,
}

/// What happens to records that cannot be read or converted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Rejects {
    /// What happens to a reject.
    pub policy: RejectPolicy,
    /// An object with more rejects than this fails.
    #[schemars(range(max = 1_000_000))]
    pub max_per_object: u64,
    /// An object of 100 or more records fails when rejects are a larger part of them than this, from 0 to 1.
    #[schemars(range(min = 0, max = 1))]
    pub max_ratio: f64,
}

impl Default for Rejects {
    fn default() -> Self {
        Self { policy: RejectPolicy::Quarantine, max_per_object: 1000, max_ratio: 0.05 }
    }
}

/// What happens to a reject.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RejectPolicy {
    /// It is written to the rejects object beside the ledger, with its position and reason.
    #[default]
    Quarantine,
    /// It is only counted.
    Drop,
    /// The first reject fails the object.
    Fail,
}

/// What happens when an object as a whole cannot be processed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// It is written to the ledger and the batch succeeds.
    #[default]
    Ledger,
    /// The batch fails.
    Fail,
}
