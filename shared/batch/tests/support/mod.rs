//! Addresses, places and jobs for the tests of the worker.

use object_store::{ObjectAddress, Places};
use serde_json::{Value, json};

pub(crate) fn address(bucket: &str, key: &str) -> ObjectAddress {
    ObjectAddress::parse(bucket, key).unwrap()
}

pub(crate) fn places(text: &str) -> Places {
    text.parse().unwrap()
}

/// A job from `raw/in/` to `clean/out/`, uncompressed, with parts replaced.
pub(crate) fn job(parts: Value) -> Value {
    let mut job = json!({
        "version": 1,
        "name": "test",
        "source": {"bucket": "raw", "prefix": "in/"},
        "output": {"bucket": "clean", "prefix": "out/", "compression": "none"},
    });
    merge(&mut job, parts);
    job
}

fn merge(target: &mut Value, parts: Value) {
    match (target, parts) {
        (Value::Object(target), Value::Object(parts)) => {
            for (name, part) in parts {
                merge(target.entry(name).or_insert(Value::Null), part);
            }
        }
        (target, part) => *target = part,
    }
}
