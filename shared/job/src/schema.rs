//! The JSON Schema of the job file, generated from the types.

use serde_json::Value;

use crate::model::Job;

/// The JSON Schema (2020-12) of the job file. The same text lies in `shared/job/job.schema.json`.
#[must_use]
pub fn json_schema() -> Value {
    let mut schema = schemars::schema_for!(Job).to_value();
    // The same text in every build, whether or not `serde_json` keeps the order of members there.
    schema.sort_all_objects();
    schema
}
