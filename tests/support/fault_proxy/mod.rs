//! A proxy that stands between a client and an S3 and does what networks and services do at their worst.
//!
//! ```text
//! client ── HTTP ──► proxy ── HTTP ──► S3
//!                      │ asks the plan once for every request: let it pass, or which fault
//!                      └ keeps a record of it
//! ```
//!
//! Requests are forwarded as they came, the `Host` header included, so that their signature stays valid. Bodies are
//! streamed in both directions in pieces of 16 KiB; nothing is held longer than a piece. A [`Plan`] is a list of
//! [`Rule`]s. The first rule that fits a request decides; a request that no rule fits passes untouched. Rules count
//! requests for each operation, object and part, and a random share is drawn from the same numbers and a seed, so that
//! a plan does the same to the same requests however they interleave.
//!
//! * `request` tells what a request is about, `plan` and `fault` say what happens to it, both also in a short text form;
//! * `server` accepts and forwards, `flow` spoils bodies, `answer` makes the answers of a service in trouble;
//! * `record` keeps what happened.

mod answer;
mod fault;
mod flow;
mod plan;
mod record;
mod request;
mod server;

pub use fault::{Action, Fault, ParseFaultError};
pub use plan::{ParseRuleError, Plan, Rule, Which};
pub use record::{MAX_RECORDS, Moment, Record};
pub use request::Operation;
pub use server::FaultProxy;
