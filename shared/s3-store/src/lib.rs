//! The S3 adapter of the object store port: the only crate that names the AWS SDK for S3.
//!
//! * `client` builds the SDK's client with every timeout, retry and protection said aloud, because the SDK's defaults
//!   leave some open: there is no read timeout by default, and a stalled body is noticed only by its throughput.
//! * `open`, `list`, `upload` and `store` are the operations of the port.
//! * `classify` turns the SDK's errors into [`object_store::ErrorClass`]es and codes.
//! * `attempts` tries single requests again, five times by default ([`S3Options`]), and `gate` slows all of them down
//!   together when the service asks for it.
//! * `lost_answer` finds out whether an upload was completed when the answer to that did not come.
//!
//! Bodies are not resumed here; that is the work of [`object_store::ResumingReader`].

mod attempts;
mod classify;
mod client;
mod gate;
mod list;
mod lost_answer;
mod open;
mod options;
mod store;
mod upload;

pub use client::EnvironmentError;
pub use options::S3Options;
pub use store::S3Store;
