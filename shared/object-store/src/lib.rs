//! The port to an object store: what Mapmill needs of S3, in its own words.
//!
//! The crate knows no AWS. An adapter implements [`ObjectStore`], a few operations on single requests; everything that
//! makes them safe for objects of any size is built on top of the trait and works with every adapter:
//!
//! * [`ResumingReader`] goes on where a broken body stopped, at the same version of the object;
//! * [`Expander`] decompresses with a cap on the outcome;
//! * [`Listing`] goes through the pages of a listing;
//! * [`Compressor`] and [`ObjectWriter`] write an output that becomes visible whole or not at all;
//! * [`Places`] refuses addresses outside the places that a function may touch.
//!
//! Names ([`BucketName`], [`ObjectKey`], [`ETag`]) are checked when they are built. Every failure is an [`ObjectError`]
//! with an [`ErrorClass`] that says what to do about it and a stable [`code`].
//!
//! With the feature `testsuite` come [`fakes`] and a [`conformance`] suite that every adapter must pass.

mod backoff;
mod body;
mod checksum;
mod compress;
mod error;
mod expand;
mod listing;
mod names;
mod places;
mod resume;
mod store;
mod writer;

#[cfg(any(test, feature = "testsuite"))]
pub mod conformance;
#[cfg(any(test, feature = "testsuite"))]
pub mod fakes;

#[cfg(test)]
mod tests;

pub use backoff::Backoff;
pub use body::{Body, peek};
pub use checksum::{Checksum, ChecksumKind};
pub use compress::{Compressor, OutputCompression};
pub use error::{ErrorClass, ObjectError, code};
pub use expand::{Compression, Expander, ExpansionLimits, UnsupportedCompression, detect_compression};
pub use listing::{ListPage, ListRequest, ListedObject, Listing, MAX_PAGE};
pub use names::{BucketName, ETag, NameError, ObjectAddress, ObjectKey};
pub use places::{Places, PlacesError};
pub use resume::{ResumeOptions, ResumingReader};
pub use store::{
    ByteRange, MultipartUpload, ObjectHead, ObjectReader, ObjectStore, OpenRequest, UploadState, UploadedPart,
    WriteCondition, WriteRequest, Written,
};
pub use writer::{ObjectWriter, WriterOptions, WriterState};
