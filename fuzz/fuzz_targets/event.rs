//! The event of a batch: any JSON is read or refused, and every item of the list is there afterwards, also one that cannot
//! be read. An event that is an item alone gives one item.

#![no_main]

use batch::{Event, ItemRange, JobReference, MAX_ITEMS};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use serde_json::value::RawValue;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = serde_json::from_slice::<&RawValue>(data) else { return };
    let event = match Event::read(text) {
        Ok(event) => event,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    if let Ok(value) = serde_json::from_slice::<Value>(data) {
        let items = match value.get("BatchInput") {
            Some(_) => value["Items"].as_array().expect("a list, as it was read").as_slice(),
            None => std::slice::from_ref(&value),
        };
        assert_eq!(event.items.len(), items.len());
    }
    assert!(event.items.len() <= MAX_ITEMS);
    for item in &event.items {
        let is_sound = |range: ItemRange| range.end.is_none_or(|end| range.start < end);
        assert!(item.range.is_none_or(is_sound), "a range holds a byte");
    }
    let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    assert!(!event.run_id.is_empty() && event.run_id.len() <= 80 && event.run_id.bytes().all(is_safe));
    assert!(event.run_id.bytes().any(|byte| byte != b'.'), "a run id never leads out of its folder");
    if let JobReference::Inline(job) = event.job {
        // What the worker does next with it.
        let _ = job::Job::from_value(job);
    }
});
