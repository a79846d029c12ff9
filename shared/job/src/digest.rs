//! The digest of a job: SHA-256 over its normalised form as canonical JSON.
//!
//! Canonical here means: no white space, members in the order of their names by bytes. Maps are sorted by hand, so that
//! the digest does not depend on how `serde_json` happens to be configured in a build.
//!
//! Outputs carry the digest of the job that wrote them, and a later run recognises them by it. So the digest of a job must
//! not change when the job file learns a new key: keys that came after the first version are left out of the digest while
//! they have their default, which means that the job does what it always did.

use std::collections::BTreeMap;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::model::{CsvOptions, Encoding, Job, JsonOptions, Limits, Record};

pub(crate) fn digest(job: &Job) -> String {
    let mut text = String::new();
    let mut normalised = json(job);
    if let Value::Object(entries) = &mut normalised {
        // Says what to think of a run, not what to write: outputs are the same whatever it says.
        entries.remove("tolerance");
    }
    leave_out_later_keys(&mut normalised, job);
    write_canonical(&normalised, &mut text);
    hex::encode(Sha256::digest(text.as_bytes()))
}

/// A job has only string keys and finite numbers, so each part of it has a JSON form.
fn json(part: &impl serde::Serialize) -> Value {
    serde_json::to_value(part).unwrap_or(Value::Null)
}

/// Removes the keys that came after the first version, where they have their defaults. The list only ever grows.
fn leave_out_later_keys(normalised: &mut Value, job: &Job) {
    let limits = Limits { output_bytes: Limits::default_output_bytes(job.limits.record_bytes), ..Limits::default() };
    let defaults: [(&str, Value, &[&str]); 5] = [
        ("/source", serde_json::json!({"encoding": Encoding::default()}), &["encoding"]),
        ("/source/csv", json(&CsvOptions::default()), &["escape", "multiline", "duplicate_names", "empty_names"]),
        ("/source/json", json(&JsonOptions::default()), &["duplicate_keys"]),
        ("/record", json(&Record::default()), &["explode", "schema", "cast"]),
        ("/limits", json(&limits), &["output_bytes", "checkpoint_bytes"]),
    ];
    for (place, defaults, later_keys) in defaults {
        let Some(Value::Object(entries)) = normalised.pointer_mut(place) else { continue };
        for key in later_keys {
            if entries.get(*key) == defaults.get(key) {
                entries.remove(*key);
            }
        }
    }
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
