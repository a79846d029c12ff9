//! The Mapmill job file: what to read, what to do with each record, where to write.
//!
//! A job file is JSON or YAML text. [`Job::parse`] turns it into a [`Job`] in four steps, each in its own module:
//!
//! 1. `text`: text to a JSON tree. Size, nesting, YAML aliases and duplicate keys are limited here.
//! 2. `collect` and `decode`: JSON tree to typed values. A mistake is noted, cut out of the tree, and decoding starts
//!    again, so that one look at the file reports all mistakes.
//! 3. `model`, `names`, `field_path`, `globs`, `size`, `time_format`, `condition`: the types. Whatever can be checked by looking at
//!    one value alone is checked when that value is built.
//! 4. `check`: rules between values, for instance that `select` and `drop` are not both used.
//!
//! A [`Job`] in hand is therefore always valid. Serialised, it is the *normalised* job: every default filled in, every
//! size a plain number of bytes. The normalised job parses back to an equal `Job`, and [`Job::digest`] is taken over it.
//!
//! The crate does no input or output and knows nothing of AWS.

mod check;
mod collect;
mod condition;
mod decode;
mod digest;
mod field_path;
mod globs;
mod model;
mod names;
mod place;
mod problem;
mod record_schema;
mod schema;
mod size;
mod text;
mod time_format;

pub use condition::{Condition, Operator, Scalar};
pub use field_path::{FieldPath, Segment};
pub use globs::{Globs, KeyMatch};
pub use model::{
    Compression, CsvEscape, CsvHeader, CsvOptions, DuplicateKeys, DuplicateNames, EmptyNames, Encoding, FieldType,
    Format, Job, JsonMode, JsonOptions, Limits, OnFailure, Output, OutputCompression, OutputFormat, RaggedRows, Record,
    RejectPolicy, Rejects, Source, Task, Tolerance, TypeRule, Version,
};
pub use names::{AsciiCharacter, BucketName, FieldName, JobName, JsonPointer, Prefix};
pub use problem::{JobError, Problem, ProblemKind};
pub use record_schema::RecordSchema;
pub use schema::json_schema;
pub use size::ByteSize;
pub use time_format::{TimeFormat, TimeZoneName};

/// Hard limits of the job file itself. Going over one of them is a [`Problem`] that names it.
pub mod limits {
    /// Longest job text in bytes (1 MiB).
    pub const MAX_TEXT_BYTES: usize = 1024 * 1024;
    /// Deepest nesting of lists and mappings in the job file.
    pub const MAX_NESTING: usize = 64;
    /// Most problems that one error reports; later ones are left out.
    pub const MAX_PROBLEMS: usize = 50;
    /// Most nodes that YAML aliases (`*name`) may add to a job file.
    pub const MAX_ALIAS_NODES: usize = 10_000;
    /// Deepest nesting of `all`, `any` and `not` in `record.where`.
    pub const MAX_CONDITION_DEPTH: usize = 16;
    /// Most conditions in `record.where`, counting `all`, `any` and `not`.
    pub const MAX_CONDITIONS: usize = 256;
    /// Most values in one `in` list.
    pub const MAX_IN_VALUES: usize = 1000;
    /// Most globs in `source.include`.
    pub const MAX_GLOBS: usize = 100;
    /// Longest glob in bytes.
    pub const MAX_GLOB_BYTES: usize = 1024;
    /// Longest field path in bytes.
    pub const MAX_FIELD_PATH_BYTES: usize = 1024;
    /// Most segments in a field path.
    pub const MAX_FIELD_PATH_SEGMENTS: usize = 32;
    /// Most entries in `types`, `select`, `drop`, `rename`, `cast`, `set` and `null_tokens` each, and in a list of CSV names.
    pub const MAX_FIELDS: usize = 10_000;
    /// Most time formats of one field.
    pub const MAX_TIME_FORMATS: usize = 16;
    /// Longest time format in bytes.
    pub const MAX_TIME_FORMAT_BYTES: usize = 128;
    /// Longest name of a time zone in bytes.
    pub const MAX_TIME_ZONE_BYTES: usize = 64;
    /// Longest `record.schema` in bytes of compact JSON text (256 KiB).
    pub const MAX_SCHEMA_BYTES: usize = 256 * 1024;
    /// Longest prefix in bytes; the rest of the 1,024 bytes of an S3 key is for the names below it.
    pub const MAX_PREFIX_BYTES: usize = 900;
}
