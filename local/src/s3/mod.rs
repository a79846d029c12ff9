//! An S3 on this machine: enough of the protocol for the functions, the `aws` command and any SDK, with the semantics a
//! batch job depends on (conditions, ranges, multipart uploads, listing order, checksums).
//!
//! ```text
//! HTTP ── server ── service (s3s dto ↔ store) ──┐
//!                                               ├─ store ── bucket ── index (keys in byte order)
//! state machine engine ─────────────────────────┘             ├──── output folder (objects become files)
//!                                                             └──── mounted folder (files are objects)
//! ```
//!
//! * [`ObjectStore`] holds everything and is shared by `Arc`. Buckets come in four kinds, which may be combined: plain
//!   ones (small bodies in memory, large ones in a temporary folder), *mounted* ones ([`ObjectStore::mount`]: the files
//!   of a data folder are objects, nothing is copied), *generated* ones ([`ObjectStore::generate`]: objects are made
//!   while they are read) and *materialised* ones ([`ObjectStore::materialise`]: objects become files of an output folder,
//!   whole or not at all).
//! * [`S3Server`] speaks HTTP on loopback. The protocol and its signatures are the work of the crate `s3s`; `service`
//!   translates.
//!
//! Bodies are streamed with a few chunks in flight. What is held in memory is counted against one budget
//! ([`StoreOptions::memory_bytes`]); what does not fit goes to files.
//!
//! Nothing survives the process but the files of output folders, and everything in a kept folder
//! ([`StoreOptions::kept_in`]).

mod attributes;
mod blob;
mod bucket;
mod conditions;
mod error;
mod file_identity;
mod generated;
mod kept_folder;
mod key_path;
mod listing;
mod memory;
mod mount;
mod multipart;
mod names;
mod object;
mod output_folder;
mod place;
mod range;
mod reader;
mod server;
mod service;
mod slow_down;
mod staging;
mod store;
mod tag;
mod tags;
mod temporary_folder;
mod upload;
mod writer;

#[cfg(test)]
mod http_tests;
#[cfg(test)]
mod kept_tests;

pub use attributes::{Attributes, MAX_METADATA_BYTES};
pub use bucket::{Totals, UnmappedObject};
pub use conditions::{ReadCondition, TagCondition, WriteCondition};
pub use error::StoreError;
pub use generated::{Generator, MAX_GENERATED_BYTES, MAX_GENERATED_OBJECTS};
pub use key_path::UnmappableKey;
pub use listing::{ListPage, ListRequest, ListedObject, MAX_PAGE};
pub use mount::{MAX_MOUNTED_FILES, MountReport, SkipReason, SkippedFile};
pub use multipart::{MAX_PARTS, MIN_PART_BYTES};
pub use names::{BucketName, MAX_KEY_BYTES, ObjectKey};
pub use range::ByteRange;
pub use reader::{BodyStream, OpenObject};
pub use server::{ACCESS_KEY_ID, REGION, S3Server, SECRET_ACCESS_KEY, ServerError};
pub use store::{MAX_BODY_BYTES, ObjectStore, StoreOptions};
pub use tag::EntityTag;
pub use tags::MAX_TAGS;
pub use upload::Upload;
