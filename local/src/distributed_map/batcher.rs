//! Packs items into batches by number and by the bytes of the child input that they make.

use serde_json::{Map, Value};

use crate::asl::size::json_bytes;
use crate::asl::{PAYLOAD_BYTES_MAX, StateError};

/// `ItemBatcher` with all values computed.
#[derive(Debug, Clone)]
pub(super) struct BatchLimits {
    pub(super) max_items: u64,
    /// Bytes of the whole child input, `BatchInput` included.
    pub(super) max_bytes: usize,
    pub(super) batch_input: Option<Value>,
}

/// The input of one child.
#[derive(Debug, PartialEq)]
pub(super) struct Batch {
    pub(super) input: Value,
    pub(super) items: u64,
    /// Bytes of the input as JSON text.
    pub(super) bytes: usize,
}

/// Collects items until a batch is full.
pub(super) struct Batcher {
    limits: Option<BatchLimits>,
    /// Bytes of a child input without any item.
    empty_bytes: usize,
    items: Vec<Value>,
    bytes: usize,
}

impl Batcher {
    /// Without limits every item is a batch of its own and the child's whole input.
    pub(super) fn new(limits: Option<BatchLimits>) -> Self {
        let empty_bytes = match &limits {
            Some(limits) => json_bytes(&input_of(Vec::new(), limits.batch_input.as_ref())),
            None => 0,
        };
        Self { limits, empty_bytes, items: Vec::new(), bytes: empty_bytes }
    }

    /// Adds an item; returns the batch that is full now, if any.
    pub(super) fn add(&mut self, item: Value) -> Result<Option<Batch>, StateError> {
        let item_bytes = json_bytes(&item);
        let Some(limits) = &self.limits else {
            if item_bytes > PAYLOAD_BYTES_MAX {
                return Err(too_large(item_bytes, PAYLOAD_BYTES_MAX));
            }
            return Ok(Some(Batch { input: item, items: 1, bytes: item_bytes }));
        };
        let (max_items, max_bytes) = (limits.max_items, limits.max_bytes);
        if self.empty_bytes + item_bytes > max_bytes {
            return Err(too_large(self.empty_bytes + item_bytes, max_bytes));
        }
        let comma = usize::from(!self.items.is_empty());
        let full = if self.bytes + comma + item_bytes > max_bytes { self.take() } else { None };
        self.bytes += item_bytes + usize::from(!self.items.is_empty());
        self.items.push(item);
        // The item that did not fit may fill the next batch alone, when a batch holds one item.
        match full {
            Some(batch) => Ok(Some(batch)),
            None if self.items.len() as u64 >= max_items => Ok(self.take()),
            None => Ok(None),
        }
    }

    /// The batch that is not full, if it has items.
    pub(super) fn take(&mut self) -> Option<Batch> {
        if self.items.is_empty() {
            return None;
        }
        let items = std::mem::take(&mut self.items);
        let bytes = std::mem::replace(&mut self.bytes, self.empty_bytes);
        let count = items.len() as u64;
        let batch_input = self.limits.as_ref().and_then(|limits| limits.batch_input.as_ref());
        Some(Batch { input: input_of(items, batch_input), items: count, bytes })
    }
}

fn input_of(items: Vec<Value>, batch_input: Option<&Value>) -> Value {
    let mut input = Map::new();
    if let Some(batch_input) = batch_input {
        input.insert("BatchInput".to_owned(), batch_input.clone());
    }
    input.insert("Items".to_owned(), Value::Array(items));
    Value::Object(input)
}

fn too_large(bytes: usize, limit: usize) -> StateError {
    StateError::state_data_limit(format!(
        "One item makes a child input of {bytes} bytes, which is larger than the maximum of {limit} bytes."
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn limits(max_items: u64, max_bytes: usize, batch_input: Option<Value>) -> Option<BatchLimits> {
        Some(BatchLimits { max_items, max_bytes, batch_input })
    }

    fn check(limits: Option<BatchLimits>, items: &[Value], expected: &[Value]) {
        let mut batcher = Batcher::new(limits);
        let mut batches: Vec<_> = items.iter().filter_map(|item| batcher.add(item.clone()).unwrap()).collect();
        batches.extend(batcher.take());
        for batch in &batches {
            assert_eq!(batch.bytes, batch.input.to_string().len(), "the count of bytes is exact");
        }
        let inputs: Vec<_> = batches.into_iter().map(|batch| batch.input).collect();
        assert_eq!(inputs, expected);
    }

    #[test]
    fn packs_by_number_and_bytes() {
        let items = [json!(1), json!(2), json!(3)];
        check(None, &items, &items);
        check(None, &[], &[]);
        check(limits(2, 1_000, None), &items, &[json!({"Items": [1, 2]}), json!({"Items": [3]})]);
        check(limits(3, 1_000, None), &items, &[json!({"Items": [1, 2, 3]})]);
        check(
            limits(1, 1_000, Some(json!("b"))),
            &items[..2],
            &[json!({"BatchInput": "b", "Items": [1]}), json!({"BatchInput": "b", "Items": [2]})],
        );
        // {"Items":[1,2]} has 15 bytes.
        check(limits(9, 15, None), &items, &[json!({"Items": [1, 2]}), json!({"Items": [3]})]);
        check(limits(9, 14, None), &items, &[json!({"Items": [1]}), json!({"Items": [2]}), json!({"Items": [3]})]);
        check(limits(1, 15, None), &items[..1], &[json!({"Items": [1]})]);
    }

    #[test]
    fn batches_never_exceed_the_payload_limit() {
        let mut batcher = Batcher::new(limits(u64::MAX, PAYLOAD_BYTES_MAX, Some(json!({"run": "x".repeat(500)}))));
        let mut largest = 0;
        let mut items = 0;
        for number in 0..20_000 {
            let item = json!({"Key": format!("key-{number}"), "Text": "ü".repeat(number % 90)});
            if let Some(batch) = batcher.add(item).unwrap() {
                assert_eq!(batch.bytes, batch.input.to_string().len());
                largest = largest.max(batch.bytes);
                items += batch.items;
            }
        }
        assert!(largest <= PAYLOAD_BYTES_MAX && largest > PAYLOAD_BYTES_MAX - 300, "{largest}");
        assert_eq!(items + batcher.take().unwrap().items, 20_000);
    }

    #[test]
    fn refuses_an_item_that_fits_nowhere() {
        for limits in [None, limits(5, 100, None)] {
            let error = Batcher::new(limits).add(json!("x".repeat(PAYLOAD_BYTES_MAX))).unwrap_err();
            assert_eq!(error.name, "States.DataLimitExceeded");
        }
    }
}
