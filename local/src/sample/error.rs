//! Why no sample was made.

use std::path::PathBuf;

use super::{MAX_OBJECT_BYTES, MAX_OBJECTS, MAX_SOURCE_RECORDS};
use crate::bounded_file::BoundedFileError;

/// Why no sample was made. No variant carries the content of a record.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SampleError {
    /// The number of objects is out of range.
    #[error("{found} objects: expected 1 to {MAX_OBJECTS}")]
    ObjectCount {
        /// The number given.
        found: u64,
    },
    /// The size of the objects is out of range.
    #[error("objects of {found} bytes: expected 1 byte to {MAX_OBJECT_BYTES} bytes (1 GiB)")]
    ObjectSize {
        /// The size given, in bytes.
        found: u64,
    },
    /// The source file cannot be read or is too large.
    #[error(transparent)]
    Source(#[from] BoundedFileError),
    /// The extension of the source file says nothing.
    #[error("{} has no known extension: expected .csv, .tsv, .ndjson, .jsonl or .json", path.display())]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },
    /// The source file is not what its extension says.
    #[error("{} is not valid {format}: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The format expected.
        format: &'static str,
        /// What is wrong, with line and column where known.
        reason: String,
    },
    /// The source file has nothing to draw.
    #[error("{} has no records: {expected}", path.display())]
    NoRecords {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        expected: &'static str,
    },
    /// The source file has too many records.
    #[error("{} has more than {MAX_SOURCE_RECORDS} records: cut it down first", path.display())]
    TooManyRecords {
        /// The file.
        path: PathBuf,
    },
    /// The output folder holds something already.
    #[error("output folder {} is not empty: choose another one, or write into it with --force", path.display())]
    FolderNotEmpty {
        /// The folder.
        path: PathBuf,
    },
    /// The output folder or a file in it cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
}
