//! What the tests of faulty job files share.

use job::Job;
use serde_json::{Value, json};

/// The smallest job.
pub(crate) fn minimal() -> Value {
    json!({"version": 1, "name": "j", "source": {"bucket": "raw"}, "output": {"bucket": "clean"}})
}

/// Puts a value at a JSON Pointer whose parents may be missing.
pub(crate) fn put(tree: &mut Value, pointer: &str, value: Value) {
    let place = pointer.split('/').skip(1).fold(tree, |place, key| {
        if place.is_null() {
            *place = json!({});
        }
        place.as_object_mut().unwrap().entry(key).or_insert(Value::Null)
    });
    *place = value;
}

/// The smallest job with this value at this place.
pub(crate) fn with(pointer: &str, value: Value) -> Value {
    let mut tree = minimal();
    put(&mut tree, pointer, value);
    tree
}

/// A job with this value at this place has exactly these problems, line by line; with none it is a valid job.
pub(crate) fn check(pointer: &str, value: Value, expected: &[&str]) {
    let tree = with(pointer, value);
    let lines: Vec<String> = match Job::from_value(tree.clone()) {
        Ok(_) => Vec::new(),
        Err(error) => error.to_string().lines().map(str::to_owned).collect(),
    };
    assert_eq!(lines, expected, "{tree}");
}
