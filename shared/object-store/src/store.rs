//! The port itself: what an adapter must be able to do.

use std::collections::BTreeMap;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::body::Body;
use crate::checksum::Checksum;
use crate::error::ObjectError;
use crate::listing::{ListPage, ListRequest};
use crate::names::{ETag, ObjectAddress};

/// A part of an object, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteRange {
    /// The first byte, from 0.
    pub start: u64,
    /// The byte after the last one; none means the end of the object.
    pub end: Option<u64>,
}

/// Which bytes of which version of which object to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenRequest {
    /// The object.
    pub address: ObjectAddress,
    /// The part to read; none means the whole object.
    pub range: Option<ByteRange>,
    /// The version to read; none means the present one.
    pub if_match: Option<ETag>,
}

impl OpenRequest {
    /// The whole object in its present version.
    #[must_use]
    pub fn whole(address: ObjectAddress) -> Self {
        Self { address, range: None, if_match: None }
    }
}

/// An opened object: what the service said about it, and its bytes.
pub struct ObjectReader {
    /// The version that is being read.
    pub etag: ETag,
    /// The size of the whole object in bytes, also when only a part is read.
    pub size: u64,
    /// The media type that was given when the object was written.
    pub content_type: Option<String>,
    /// The encoding that was given when the object was written, for instance `gzip`. The body is not decoded.
    pub content_encoding: Option<String>,
    /// The checksum of the whole object, if the service tells one; only when the whole object is read.
    pub checksum: Option<Checksum>,
    /// The bytes. An error ends the body. A body that ends early ends with an error or without; the reader must count.
    pub body: Body,
}

impl std::fmt::Debug for ObjectReader {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("ObjectReader")
            .field("etag", &self.etag)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

/// What the service says about an object without sending it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectHead {
    /// The present version.
    pub etag: ETag,
    /// The size in bytes.
    pub size: u64,
    /// User metadata, names in lower case.
    pub metadata: BTreeMap<String, String>,
}

/// What to write where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteRequest {
    /// The object. One that exists is replaced.
    pub address: ObjectAddress,
    /// The media type.
    pub content_type: Option<String>,
    /// The encoding, for instance `gzip`.
    pub content_encoding: Option<String>,
    /// User metadata; names and values are visible ASCII, 2 KiB together.
    pub metadata: BTreeMap<String, String>,
    /// What must be there before. Only [`ObjectStore::put`] asks for it.
    pub condition: WriteCondition,
}

/// What must be there for an object to be written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum WriteCondition {
    /// Anything.
    #[default]
    None,
    /// No object.
    Absent,
    /// This version.
    Version(ETag),
}

impl WriteRequest {
    /// An object without media type, encoding and metadata.
    #[must_use]
    pub fn new(address: ObjectAddress) -> Self {
        Self {
            address,
            content_type: None,
            content_encoding: None,
            metadata: BTreeMap::new(),
            condition: WriteCondition::None,
        }
    }
}

/// An object that was written and is visible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Its version.
    pub etag: ETag,
    /// Its size.
    pub bytes: u64,
}

/// An object store. Implementations retry single requests; they do not resume bodies.
#[async_trait]
pub trait ObjectStore: Send + Sync + 'static {
    /// Opens an object for reading.
    ///
    /// A missing object or bucket is `NotFound`, another version than asked for is `Changed`, a range that begins at or
    /// after the end of the object is `BadData`. A range that ends after the end of the object is cut.
    async fn open(&self, request: &OpenRequest) -> Result<ObjectReader, ObjectError>;

    /// Asks about an object. A missing object or bucket is `NotFound`; S3 says `Denied` instead to whom may not list the
    /// bucket.
    async fn head(&self, address: &ObjectAddress) -> Result<ObjectHead, ObjectError>;

    /// Lists a page of the objects whose keys begin with a text, in the order of the bytes of their keys. A missing bucket
    /// is `NotFound`. [`crate::Listing`] goes through all pages.
    async fn list(&self, request: &ListRequest) -> Result<ListPage, ObjectError>;

    /// Writes an object in one request. It becomes visible whole or not at all.
    ///
    /// When the condition does not hold, nothing is written: `Changed`, or `NotFound` where a version was asked for and
    /// there is none. A write whose answer was lost and that is sent again may find itself and fail so.
    async fn put(&self, request: &WriteRequest, body: Bytes) -> Result<Written, ObjectError>;

    /// Begins an upload in parts. Nothing is visible before it is completed.
    async fn begin_upload(&self, request: &WriteRequest) -> Result<Box<dyn MultipartUpload>, ObjectError>;

    /// Goes on with an upload that another process began with the same request. Nothing is sent yet, so an upload that is
    /// gone shows as `NotFound` at the next operation. Parts that were uploaded after the state was taken are replaced.
    async fn resume_upload(
        &self,
        request: &WriteRequest,
        state: &UploadState,
    ) -> Result<Box<dyn MultipartUpload>, ObjectError>;
}

/// How far an upload has come: enough to go on with it in another process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadState {
    /// The service's name of the upload.
    pub id: String,
    /// The parts that are uploaded, in order, the first with number 1.
    pub parts: Vec<UploadedPart>,
}

/// A part that is uploaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadedPart {
    /// The tag that the service gave it.
    pub etag: String,
    /// The CRC-32 that the service compared, in Base64, if it says so.
    pub crc32: Option<String>,
    /// Its size.
    pub bytes: u64,
}

/// An upload in parts.
#[async_trait]
pub trait MultipartUpload: Send {
    /// Uploads one part. Numbers begin at 1 and go up by one; every part but the last has at least 5 MiB.
    async fn upload_part(&mut self, number: u32, body: Bytes) -> Result<(), ObjectError>;

    /// How far the upload has come.
    fn state(&self) -> UploadState;

    /// Makes the object visible. When this fails, the upload is still to be aborted.
    async fn complete(&mut self) -> Result<Written, ObjectError>;

    /// Gives the upload up and frees its parts.
    async fn abort(&mut self) -> Result<(), ObjectError>;
}
