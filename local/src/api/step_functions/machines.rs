//! State machines as the API keeps them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::asl::{Definition, Engine, ExecutionType};

/// Most state machines at a time; the service allows 100,000 an account.
pub const MACHINES_MAX: usize = 1_000;

/// A state machine. An update replaces it; executions that run keep the one they began with.
pub(super) struct Machine {
    pub(super) arn: String,
    pub(super) name: String,
    pub(super) execution_type: ExecutionType,
    /// The text that the client gave.
    pub(super) text: String,
    pub(super) definition: Definition,
    /// Runs its executions. An update keeps it, because redrives need what it remembers.
    pub(super) engine: Engine,
    pub(super) role: String,
    pub(super) created: Timestamp,
    pub(super) updated: Timestamp,
    /// Changes with every update; a machine that was never updated has none.
    pub(super) revision: Option<String>,
    /// `loggingConfiguration`, `tracingConfiguration` and `encryptionConfiguration`: kept and shown, without effect.
    pub(super) configurations: Configurations,
    pub(super) tags: Vec<Value>,
}

/// Settings that are shown as they were given.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Configurations {
    pub(super) logging: Value,
    pub(super) tracing: Value,
    pub(super) encryption: Value,
}

impl Default for Configurations {
    fn default() -> Self {
        Self {
            logging: json!({"level": "OFF", "includeExecutionData": false}),
            tracing: json!({"enabled": false}),
            encryption: json!({"type": "AWS_OWNED_KEY"}),
        }
    }
}

impl Machine {
    /// True when a second CreateStateMachine with these values is the same request again.
    pub(super) fn is_created_by(&self, text: &str, kind: ExecutionType, configurations: &Configurations) -> bool {
        self.text == text && self.execution_type == kind && self.configurations == *configurations
    }
}

/// All state machines, by ARN.
pub(super) type Machines = BTreeMap<String, std::sync::Arc<Machine>>;
