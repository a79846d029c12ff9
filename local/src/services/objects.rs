//! Objects that are read and written in pieces, so that nobody holds a whole one.

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

use super::ServiceError;

/// The bytes of an object, in chunks.
pub type ByteStream = BoxStream<'static, Result<Bytes, ServiceError>>;

/// An object that was opened. What is read belongs to the state it was opened in, or fails.
#[async_trait]
pub trait StoredObject: Send + Sync {
    /// Size in bytes.
    fn size(&self) -> u64;

    /// Entity tag with its inner quotes, as S3 sends it.
    fn etag(&self) -> String;

    /// Streams `length` bytes from `start`; what lies behind the end is left out.
    async fn read(&self, start: u64, length: u64) -> Result<ByteStream, ServiceError>;
}

/// An object that is being written. It becomes visible when it is finished; dropped before, it leaves nothing.
#[async_trait]
pub trait ObjectUpload: Send {
    /// Takes the next bytes.
    async fn write(&mut self, bytes: &[u8]) -> Result<(), ServiceError>;

    /// Makes what was written the object.
    async fn finish(self: Box<Self>) -> Result<(), ServiceError>;
}
