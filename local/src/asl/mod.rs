//! The Amazon States Language, on one machine.
//!
//! A definition text becomes a [`Definition`] (`definition`), which the [`Engine`] runs against
//! [`Services`](crate::services::Services). `path`, `template` and `intrinsic` compute data, `context` is what `$$` sees,
//! `choice` and `retry` decide, `error` says who may handle what, and `engine` moves from state to state. Distributed
//! Maps have a room of their own, [`distributed_map`](crate::distributed_map).
//!
//! Quotas of the real service hold here too, with its error names: 256 KiB per payload, 25,000 history events per
//! standard execution, 1 MB per definition, five minutes per express execution. What would fail in the cloud fails here.

pub(crate) mod choice;
pub(crate) mod context;
mod definition;
mod engine;
mod error;
mod input;
pub(crate) mod intrinsic;
pub(crate) mod jsonata;
pub(crate) mod path;
pub(crate) mod retry;
pub(crate) mod size;
pub(crate) mod template;
pub(crate) mod time;
pub(crate) mod variables;

pub(crate) use definition::{
    CsvLayout, Dataset, Distributed, Format, Given, ItemBatcher, ItemReader, Items, MapState, OutputType, ResultWriter,
    StateMachine, Transformation,
};
pub use definition::{
    DEFINITION_BYTES_MAX, Definition, DefinitionError, Diagnostic, ExecutionType, SubstituteError, substitute,
};
pub(crate) use engine::{
    Checkpoint, Clock, Core, EXPRESS_DURATION_MAX, Ending, Execution, History, Visit, Whereabouts, history, items,
    numbers, role,
};
pub use engine::{
    EXECUTIONS_REDRIVABLE_MAX, Engine, EngineOptions, ExecutionResult, ExecutionStatus, HistoryEvent,
    PAYLOAD_BYTES_WITHOUT_QUOTAS, Quotas, REDRIVES_MAX, RedriveError, STANDARD_EVENTS_MAX, TokenError,
};
pub use error::{CAUSE_BYTES_MAX, names};
pub(crate) use error::{StateError, Stop};
pub use input::{InputError, parse_input};
pub use size::PAYLOAD_BYTES_MAX;
