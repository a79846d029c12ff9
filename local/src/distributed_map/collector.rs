//! Results that become the result of the state: an array in the order of the batches, which must fit a payload.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::child::Finished;
use super::records::Record;
use crate::asl::size::json_bytes;
use crate::asl::{ExecutionStatus, PAYLOAD_BYTES_MAX, StateError, Transformation};

/// Collects results until they no longer fit; from then on only remembers that they did not.
pub(super) struct Collector {
    transformation: Transformation,
    results: BTreeMap<u64, Collected>,
    bytes: usize,
}

/// What a child has to say.
struct Collected {
    values: Vec<Value>,
    bytes: usize,
}

impl Collector {
    pub(super) fn new(transformation: Transformation) -> Self {
        Self { transformation, results: BTreeMap::new(), bytes: 2 }
    }

    /// Adds a result; that of a child that ran before replaces its earlier one.
    pub(super) fn add(&mut self, finished: &mut Finished) -> Result<(), StateError> {
        if self.bytes > PAYLOAD_BYTES_MAX {
            return Ok(());
        }
        let values = if finished.status != ExecutionStatus::Succeeded || self.transformation == Transformation::None {
            let record = serde_json::to_value(Record::of(finished));
            vec![record.map_err(|error| StateError::runtime(format!("The result cannot be written: {error}")))?]
        } else {
            match finished.output.take() {
                Some(Value::Array(elements)) if self.transformation == Transformation::Flatten => elements,
                output => vec![output.unwrap_or_default()],
            }
        };
        let bytes = values.iter().map(|value| json_bytes(value) + 1).sum::<usize>();
        self.bytes += bytes;
        if let Some(replaced) = self.results.insert(finished.child.index, Collected { values, bytes }) {
            self.bytes -= replaced.bytes;
        }
        if self.bytes > PAYLOAD_BYTES_MAX {
            self.results = BTreeMap::new();
        }
        Ok(())
    }

    /// The array of results.
    pub(super) fn finish(self) -> Result<Value, StateError> {
        if self.bytes > PAYLOAD_BYTES_MAX {
            return Err(StateError::state_data_limit(format!(
                "The results of the Map Run are larger than the maximum of {PAYLOAD_BYTES_MAX} bytes; export them with \
                 a ResultWriter."
            )));
        }
        Ok(json!(self.results.into_values().flat_map(|result| result.values).collect::<Vec<_>>()))
    }
}
