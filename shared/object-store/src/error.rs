//! One error for everything that can go wrong with an object.

use std::error::Error;
use std::fmt;

use crate::names::ObjectAddress;

/// What kind of failure this is, which decides what to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorClass {
    /// It may go well when tried again: broken connections, timeouts, errors of the service.
    Transient,
    /// The service asks to slow down.
    Throttled,
    /// The bytes of the object are not what they should be. Trying again does not help.
    BadData,
    /// Access is not allowed.
    Denied,
    /// The object or bucket does not exist.
    NotFound,
    /// The object is no longer the version that was asked for.
    Changed,
    /// A limit was exceeded; the message names it.
    TooLarge,
    /// The request itself is wrong, for instance because of the region or endpoint.
    Configuration,
}

impl ErrorClass {
    /// The name of the class in ledgers, logs and messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::Throttled => "throttled",
            Self::BadData => "bad_data",
            Self::Denied => "denied",
            Self::NotFound => "not_found",
            Self::Changed => "changed",
            Self::TooLarge => "too_large",
            Self::Configuration => "configuration",
        }
    }

    /// True when the same request may succeed later.
    #[must_use]
    pub const fn is_retriable(self) -> bool {
        matches!(self, Self::Transient | Self::Throttled)
    }
}

impl fmt::Display for ErrorClass {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A failed operation on an object.
#[derive(Debug, thiserror::Error)]
#[error("{operation} of {address} failed: {message} ({code})")]
pub struct ObjectError {
    /// What kind of failure this is.
    pub class: ErrorClass,
    /// A stable name of the failure, one of the constants in [`code`].
    pub code: &'static str,
    /// What was being done: `open`, `read`, `list`, `expand`, `put`, `upload` or `compress`.
    pub operation: &'static str,
    /// The object.
    pub address: ObjectAddress,
    /// What was expected and what was found, without contents.
    pub message: String,
    /// How often it was tried: 1, unless an adapter tried again by itself before it gave up.
    pub attempts: u32,
    /// An adapter tried for as long as it may: whoever called it does not begin again.
    pub is_out_of_time: bool,
    /// The error below, if there is one.
    #[source]
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

impl ObjectError {
    /// An error without an error below it.
    pub fn new(
        class: ErrorClass,
        code: &'static str,
        operation: &'static str,
        address: &ObjectAddress,
        message: impl Into<String>,
    ) -> Self {
        let (address, message) = (address.clone(), message.into());
        Self { class, code, operation, address, message, attempts: 1, is_out_of_time: false, source: None }
    }

    /// The same error with an error below it.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}

/// The stable names of failures. They appear in ledgers, so they never change their meaning.
pub mod code {
    /// The connection broke while the body was read.
    pub const BODY_BROKEN: &str = "body_broken";
    /// The body ended before its announced length.
    pub const BODY_ENDED_EARLY: &str = "body_ended_early";
    /// The body went on past its announced length.
    pub const BODY_TOO_LONG: &str = "body_too_long";
    /// No bytes came for longer than the stall timeout.
    pub const BODY_STALLED: &str = "body_stalled";
    /// The body does not have the checksum that the service announced.
    pub const CHECKSUM_MISMATCH: &str = "checksum_mismatch";
    /// The service announces another size than the one that the object was listed with in the same version.
    pub const SIZE_MISMATCH: &str = "size_mismatch";
    /// The object is not the version that was asked for.
    pub const OBJECT_CHANGED: &str = "object_changed";
    /// The object does not exist.
    pub const NO_SUCH_KEY: &str = "no_such_key";
    /// The bucket does not exist.
    pub const NO_SUCH_BUCKET: &str = "no_such_bucket";
    /// The multipart upload does not exist any more.
    pub const NO_SUCH_UPLOAD: &str = "no_such_upload";
    /// The range begins at or after the end of the object.
    pub const RANGE_OUTSIDE_OBJECT: &str = "range_outside_object";
    /// The service refuses access.
    pub const ACCESS_DENIED: &str = "access_denied";
    /// The address is not among the places that this function may touch.
    pub const PLACE_NOT_ALLOWED: &str = "place_not_allowed";
    /// The object is archived and must be restored first.
    pub const OBJECT_ARCHIVED: &str = "object_archived";
    /// The service asks to slow down.
    pub const SLOW_DOWN: &str = "slow_down";
    /// The service had an internal error or is not available.
    pub const SERVICE_ERROR: &str = "service_error";
    /// The request took longer than its timeout.
    pub const TIMEOUT: &str = "timeout";
    /// The connection could not be made or broke.
    pub const CONNECTION_FAILED: &str = "connection_failed";
    /// There are no credentials, or they are not valid.
    pub const CREDENTIALS: &str = "credentials";
    /// The bucket is in another region, or the endpoint is wrong.
    pub const WRONG_ENDPOINT: &str = "wrong_endpoint";
    /// The service refuses the request for another reason; the message has the service's own code.
    pub const REQUEST_REFUSED: &str = "request_refused";
    /// The service answered something that the adapter cannot read.
    pub const UNREADABLE_ANSWER: &str = "unreadable_answer";
    /// An upload needs more than 10,000 parts.
    pub const TOO_MANY_PARTS: &str = "too_many_parts";
    /// An object is larger than the service takes.
    pub const OBJECT_TOO_LARGE: &str = "object_too_large";
    /// What was written down of a writer is nothing that a writer can have written.
    pub const CHECKPOINT_MISMATCH: &str = "checkpoint_mismatch";
    /// A writer was used after it had failed.
    pub const WRITER_FAILED: &str = "writer_failed";
    /// The gzip data ends in the middle.
    pub const TRUNCATED_GZIP: &str = "truncated_gzip";
    /// The gzip data is not valid.
    pub const CORRUPT_GZIP: &str = "corrupt_gzip";
    /// The Zstandard data ends in the middle.
    pub const TRUNCATED_ZSTD: &str = "truncated_zstd";
    /// The Zstandard data is not valid.
    pub const CORRUPT_ZSTD: &str = "corrupt_zstd";
    /// The Zstandard data needs a larger window than allowed.
    pub const ZSTD_WINDOW_EXCEEDED: &str = "zstd_window_exceeded";
    /// The bzip2 data ends in the middle.
    pub const TRUNCATED_BZIP2: &str = "truncated_bzip2";
    /// The bzip2 data is not valid.
    pub const CORRUPT_BZIP2: &str = "corrupt_bzip2";
    /// The xz data ends in the middle.
    pub const TRUNCATED_XZ: &str = "truncated_xz";
    /// The xz data is not valid.
    pub const CORRUPT_XZ: &str = "corrupt_xz";
    /// The xz data needs a larger dictionary than allowed.
    pub const XZ_MEMORY_EXCEEDED: &str = "xz_memory_exceeded";
    /// The object is larger after decompression than allowed.
    pub const EXPANDED_BYTES_EXCEEDED: &str = "expanded_bytes_exceeded";
    /// The object grows by a larger factor than allowed.
    pub const EXPANSION_RATIO_EXCEEDED: &str = "expansion_ratio_exceeded";
    /// The output could not be compressed.
    pub const COMPRESSION_FAILED: &str = "compression_failed";
}
