//! What can go wrong in the store, as one typed error. The HTTP layer translates it into the error codes of S3.

use std::path::PathBuf;

use super::attributes::MAX_METADATA_BYTES;
use super::names::MAX_KEY_BYTES;
use super::tag::EntityTag;

/// An error of the object store. No variant carries the content of an object.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The bucket name breaks a naming rule.
    #[error(
        "bucket name {name:?} is not valid: expected 3 to 63 lower-case letters, digits, dots and hyphens, with a \
         letter or digit at both ends"
    )]
    InvalidBucketName {
        /// What was given.
        name: String,
    },
    /// The key is empty or too long.
    #[error("object key has {length} bytes: expected 1 to {MAX_KEY_BYTES}")]
    InvalidKey {
        /// Bytes found.
        length: usize,
    },
    /// No such bucket.
    #[error("bucket {bucket:?} does not exist")]
    NoSuchBucket {
        /// The bucket asked for.
        bucket: String,
    },
    /// No such object, or its file is gone.
    #[error("object {key:?} does not exist in bucket {bucket:?}")]
    NoSuchKey {
        /// The bucket asked for.
        bucket: String,
        /// The key asked for.
        key: String,
    },
    /// No such multipart upload for this bucket and key.
    #[error("multipart upload {upload_id:?} does not exist: it was completed or aborted, or belongs to another key")]
    NoSuchUpload {
        /// The id asked for.
        upload_id: String,
    },
    /// A condition of the request does not hold.
    #[error("the condition {condition} does not hold for {key:?} in bucket {bucket:?}")]
    PreconditionFailed {
        /// The header that failed, for instance `If-Match`.
        condition: &'static str,
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
    },
    /// A conditional read found the object unchanged.
    #[error("the object is not modified")]
    NotModified {
        /// The entity tag the object has.
        tag: EntityTag,
    },
    /// The byte range begins behind the end of the object.
    #[error("the byte range is not satisfiable: the object has {size} bytes")]
    InvalidRange {
        /// Size of the object in bytes.
        size: u64,
    },
    /// A checksum or digest given with a body differs from the one of the bytes received.
    #[error("the {algorithm} digest of the body differs from the one given")]
    BadDigest {
        /// The algorithm, for instance `crc32` or `md5`.
        algorithm: &'static str,
    },
    /// A digest given with a body cannot be read.
    #[error("the {header} header is not a base64 digest of the right length")]
    InvalidDigest {
        /// The header.
        header: &'static str,
    },
    /// The body ended early or is longer than declared.
    #[error("the body has {received} bytes, {expected} were declared")]
    IncompleteBody {
        /// Bytes declared.
        expected: u64,
        /// Bytes received.
        received: u64,
    },
    /// The connection or the protocol layer broke while a body was read.
    #[error("the body could not be read")]
    BodyFailed {
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A limit on sizes is exceeded.
    #[error("{what} has more than {limit} bytes, the limit")]
    TooLarge {
        /// What is too large.
        what: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// User metadata over the limit of S3.
    #[error("user metadata has {found} bytes: the limit is {MAX_METADATA_BYTES}")]
    MetadataTooLarge {
        /// Bytes found.
        found: usize,
    },
    /// A part named when completing is unknown or has another entity tag or checksum.
    #[error("part {part} was not uploaded, or its entity tag or checksum differs")]
    InvalidPart {
        /// The part number.
        part: i32,
    },
    /// The parts named when completing are not in ascending order.
    #[error("parts must be listed in ascending order: part {part} comes after part {previous}")]
    InvalidPartOrder {
        /// The part number found.
        part: i32,
        /// The one before it.
        previous: i32,
    },
    /// A part other than the last is under the minimum.
    #[error("part {part} has {size} bytes: every part but the last needs at least {minimum}")]
    PartTooSmall {
        /// The part number.
        part: i32,
        /// Its size in bytes.
        size: u64,
        /// The minimum in bytes.
        minimum: u64,
    },
    /// The tags of an object break a rule.
    #[error("{problem}")]
    InvalidTag {
        /// What was expected and found.
        problem: String,
    },
    /// A folder that is to keep a store holds something else.
    #[error("folder {} has files, but keeps no store: choose an empty one, or serve its files as a bucket", path.display())]
    NotAStore {
        /// The folder.
        path: PathBuf,
    },
    /// A kept bucket has entries that cannot be read, or whose bodies are missing.
    #[error("bucket {bucket:?} has {number} entries that cannot be read or have no body; nothing was changed")]
    UnreadableEntries {
        /// The bucket.
        bucket: String,
        /// How many.
        number: u64,
    },
    /// An argument of the request makes no sense.
    #[error("{what}")]
    InvalidArgument {
        /// What was expected and found.
        what: String,
    },
    /// A feature of S3 that this store does not have.
    #[error("{feature} is not supported by the embedded S3")]
    Unsupported {
        /// The feature by its name in the S3 API.
        feature: &'static str,
    },
    /// A count reached its limit.
    #[error("too many {what}: the limit is {limit}")]
    TooMany {
        /// What is counted.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
    /// A file that holds an object was changed by someone else while the store was using it.
    #[error("file {} was changed by another program while it was in use", path.display())]
    ChangedOutside {
        /// The file.
        path: PathBuf,
    },
    /// A folder that should be mounted or written to is none.
    #[error("{} is not a folder", path.display())]
    NotAFolder {
        /// The path.
        path: PathBuf,
    },
    /// Another store writes into the same output folder.
    #[error("output folder {} is in use by another Mapmill process", path.display())]
    FolderInUse {
        /// The folder.
        path: PathBuf,
    },
    /// An output folder lies inside another folder of the store or the other way round.
    #[error("output folder {} and folder {} overlap: choose folders of which neither contains the other",
        output.display(), other.display())]
    FoldersOverlap {
        /// The output folder.
        output: PathBuf,
        /// The data folder, or another output folder.
        other: PathBuf,
    },
    /// The bucket cannot be mounted or given an output folder any more.
    #[error("bucket {bucket:?} {problem}")]
    BucketInUse {
        /// The bucket.
        bucket: String,
        /// Why not.
        problem: &'static str,
    },
    /// An operation on the file system failed.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried, for instance `read`.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A background task of the store was cancelled or broke.
    #[error("a background task of the store did not finish")]
    TaskFailed {
        /// The cause.
        #[from]
        source: tokio::task::JoinError,
    },
}

impl StoreError {
    /// For `map_err` on file operations.
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}
