//! Writing an object piece by piece from inside of the process, without HTTP.

use std::sync::Arc;

use s3s::checksum::ChecksumHasher;

use super::attributes::Attributes;
use super::conditions::WriteCondition;
use super::error::StoreError;
use super::store::ObjectStore;
use super::tag::EntityTag;
use super::writer::BodyWriter;

/// An object that is being written. It appears whole with [`Upload::finish`]; dropped before, it leaves nothing.
pub struct Upload {
    store: Arc<ObjectStore>,
    bucket: String,
    key: String,
    body: BodyWriter,
}

impl Upload {
    /// Begins to write an object.
    ///
    /// # Errors
    /// [`StoreError::NoSuchBucket`].
    pub fn begin(store: &Arc<ObjectStore>, bucket: &str, key: &str) -> Result<Self, StoreError> {
        let body = store.receive(bucket, ChecksumHasher::default())?;
        Ok(Self { store: Arc::clone(store), bucket: bucket.to_owned(), key: key.to_owned(), body })
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`] over [`MAX_BODY_BYTES`](super::MAX_BODY_BYTES), [`StoreError::Io`].
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.body.write(bytes).await
    }

    /// Makes what was written the object and returns its tag.
    ///
    /// # Errors
    /// As [`ObjectStore::put`].
    pub async fn finish(self) -> Result<EntityTag, StoreError> {
        let body = self.body.finish().await?;
        self.store.commit(&self.bucket, &self.key, body, Attributes::default(), WriteCondition::default()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::StoreOptions;

    #[tokio::test]
    async fn an_object_appears_when_it_is_finished_and_not_before() {
        let store = Arc::new(ObjectStore::new(StoreOptions::default()).unwrap());
        store.create_bucket("bucket").unwrap();
        let mut upload = Upload::begin(&store, "bucket", "key").unwrap();
        let mut dropped = Upload::begin(&store, "bucket", "other").unwrap();
        for piece in [b"one ".as_slice(), b"two"] {
            upload.write(piece).await.unwrap();
            dropped.write(piece).await.unwrap();
        }
        assert_eq!(store.totals("bucket").unwrap().objects, 0);
        drop(dropped);
        upload.finish().await.unwrap();
        assert_eq!(store.get("bucket", "key", 100).await.unwrap(), "one two");
        assert_eq!((store.totals("bucket").unwrap().objects, store.memory_in_use()), (1, 7));
        assert!(Upload::begin(&store, "none", "key").is_err());
    }
}
