//! The digest of a job: SHA-256 over its normalised form as canonical JSON.
//!
//! Canonical here means: no white space, members in the order of their names by bytes. Maps are sorted by hand, so that
//! the digest does not depend on how `serde_json` happens to be configured in a build.

use std::collections::BTreeMap;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::model::Job;

pub(crate) fn digest(job: &Job) -> String {
    let mut text = String::new();
    // A job has only string keys and finite numbers, so it always has a JSON form.
    let normalised = serde_json::to_value(job).unwrap_or(Value::Null);
    write_canonical(&normalised, &mut text);
    hex::encode(Sha256::digest(text.as_bytes()))
}

fn write_canonical(value: &Value, text: &mut String) {
    match value {
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write_canonical(item, text);
            }
            text.push(']');
        }
        Value::Object(entries) => {
            let sorted: BTreeMap<&String, &Value> = entries.iter().collect();
            text.push('{');
            for (index, (key, entry)) in sorted.into_iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                text.push_str(&Value::String(key.clone()).to_string());
                text.push(':');
                write_canonical(entry, text);
            }
            text.push('}');
        }
        scalar => text.push_str(&scalar.to_string()),
    }
}
