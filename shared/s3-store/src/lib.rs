//! The S3 adapter of the object store port: the only crate that names the AWS SDK for S3.
//!
//! * `client` builds the SDK's client with every timeout, retry and protection said aloud, because the SDK's defaults
//!   leave some open: there is no read timeout by default, and a stalled body is noticed only by its throughput.
//! * `open`, `upload` and `store` are the operations of the port.
//! * `classify` turns the SDK's errors into [`object_store::ErrorClass`]es and codes.
//!
//! Single requests are tried up to five times by the SDK. Bodies are not resumed here; that is the work of
//! [`object_store::ResumingReader`].

mod classify;
mod client;
mod open;
mod store;
mod upload;

pub use client::EnvironmentError;
pub use store::S3Store;
