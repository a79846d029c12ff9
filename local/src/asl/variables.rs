//! Workflow variables: what `Assign` sets and later states read.
//!
//! Every machine of states has a scope of its own: iterations of an inline Map and branches of a Parallel see the
//! variables around them as they were when they began, and what they assign ends with them. The children of a
//! Distributed Map are executions of their own and see none.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::error::StateError;
use super::size::{PAYLOAD_BYTES_MAX, json_bytes};

/// Most bytes of all variables of an execution together, as in the service.
const ALL_BYTES_MAX: usize = 10 * 1_024 * 1_024;

/// The variables that a state sees. A clone is cheap, and what is assigned to it does not show in the original.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Variables {
    values: Arc<BTreeMap<String, Value>>,
    bytes: usize,
}

impl Variables {
    /// The value of a variable.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.values.get(name)
    }

    /// True when none is set.
    pub(crate) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Sets variables.
    ///
    /// # Errors
    /// They are larger than the service allows; nothing is set then.
    pub(crate) fn assign(&mut self, assigned: Vec<(String, Value)>) -> Result<(), StateError> {
        let sizes: Vec<_> = assigned.iter().map(|(_, value)| json_bytes(value)).collect();
        let assigned_bytes: usize = sizes.iter().sum();
        if assigned_bytes > PAYLOAD_BYTES_MAX {
            return Err(StateError::state_data_limit(format!(
                "The size of the variables assigned in one state exceeds the maximum of {PAYLOAD_BYTES_MAX} bytes."
            )));
        }
        let replaced: usize = assigned.iter().filter_map(|(name, _)| self.values.get(name)).map(json_bytes).sum();
        let bytes = self.bytes + assigned_bytes - replaced;
        if bytes > ALL_BYTES_MAX {
            return Err(StateError::state_data_limit(format!(
                "The total size of all variables exceeds the maximum of {ALL_BYTES_MAX} bytes."
            )));
        }
        self.bytes = bytes;
        Arc::make_mut(&mut self.values).extend(assigned);
        Ok(())
    }
}

// A redrive goes on with the variables that a checkpoint has kept; they are written as an object.
impl Serialize for Variables {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (*self.values).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Variables {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let values = BTreeMap::<String, Value>::deserialize(deserializer)?;
        let bytes = values.values().map(json_bytes).sum();
        Ok(Self { values: Arc::new(values), bytes })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn scopes_are_apart_and_sizes_are_limited() {
        let mut outer = Variables::default();
        outer.assign(vec![("x".to_owned(), json!(1))]).unwrap();
        let mut inner = outer.clone();
        inner.assign(vec![("x".to_owned(), json!(2)), ("y".to_owned(), json!(3))]).unwrap();
        assert_eq!((outer.get("x"), outer.get("y")), (Some(&json!(1)), None));
        assert_eq!(inner.get("x"), Some(&json!(2)));
        let kept: Variables = serde_json::from_str(&serde_json::to_string(&inner).unwrap()).unwrap();
        assert_eq!(kept, inner, "with the number of bytes");
        let large = "x".repeat(PAYLOAD_BYTES_MAX - 2);
        for number in 0..40 {
            let name = format!("v{number}");
            let assigned = outer.assign(vec![(name, json!(large))]);
            assert_eq!(assigned.is_ok(), number < 39, "{number}");
        }
        // The same variable again takes no more place.
        outer.assign(vec![("v0".to_owned(), json!(large))]).unwrap();
        let error = outer.assign(vec![("v0".to_owned(), json!(format!("{large}x")))]).unwrap_err();
        assert!(error.to_string().contains("262144"), "{error}");
    }
}
