//! Objects that are made while they are read, so that a run over many gigabytes needs no disk for its source.
//!
//! The index knows their keys, sizes and tags as it does of every object. The bytes are asked of a [`Generator`] whenever
//! a reader wants some; nothing of them is kept.

use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::error::StoreError;
use super::names::ObjectKey;
use super::object::{Body, Object};
use super::tag::EntityTag;

/// Most objects of one generator.
pub const MAX_GENERATED_OBJECTS: u64 = 10_000_000;
/// Largest object that is generated, in bytes: each is made as a whole, in memory.
pub const MAX_GENERATED_BYTES: u64 = 64 << 20;

/// Makes the objects of a bucket. What it says of a number is always the same.
pub trait Generator: Send + Sync + std::fmt::Debug {
    /// How many objects there are, at most [`MAX_GENERATED_OBJECTS`]; they are numbered from 0.
    fn objects(&self) -> u64;

    /// The key of an object. No two have the same.
    fn key(&self, number: u64) -> String;

    /// Size of an object in bytes, at most [`MAX_GENERATED_BYTES`].
    fn size(&self, number: u64) -> u64;

    /// All bytes of an object, as many as [`Generator::size`] says.
    fn bytes(&self, number: u64) -> Bytes;
}

/// What the index is to know of the objects of a generator.
pub(super) fn objects(generator: &Arc<dyn Generator>) -> Result<Vec<(ObjectKey, Object)>, StoreError> {
    let number = generator.objects();
    if number > MAX_GENERATED_OBJECTS {
        return Err(StoreError::TooMany { what: "generated objects", limit: MAX_GENERATED_OBJECTS });
    }
    let modified = SystemTime::now();
    let made = (0..number).map(|number| {
        let (key, size) = (generator.key(number), generator.size(number));
        if size > MAX_GENERATED_BYTES {
            return Err(StoreError::TooLarge { what: format!("the object {key}"), limit: MAX_GENERATED_BYTES });
        }
        let object = Object {
            size,
            tag: tag(&key, size),
            modified,
            body: Body::Generated { generator: Arc::clone(generator), number },
            attributes: None,
            checksum: None,
            tags: None,
        };
        Ok((ObjectKey::parse(&key)?, object))
    });
    made.collect()
}

/// A tag that follows from key and size: hashing the bytes would mean to make all of them first.
fn tag(key: &str, size: u64) -> EntityTag {
    let mut hasher = Sha256::new();
    hasher.update(size.to_le_bytes());
    hasher.update(key.as_bytes());
    let full: [u8; 32] = hasher.finalize().into();
    let mut digest = [0; 16];
    for (to, from) in digest.iter_mut().zip(full) {
        *to = from;
    }
    EntityTag::of_content(digest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::{ListRequest, ObjectStore, StoreOptions};

    /// Objects of `number` times the digit.
    #[derive(Debug)]
    struct Digits(u64);

    impl Generator for Digits {
        fn objects(&self) -> u64 {
            self.0
        }

        fn key(&self, number: u64) -> String {
            format!("digits/{number}")
        }

        fn size(&self, number: u64) -> u64 {
            number * 200_000
        }

        fn bytes(&self, number: u64) -> Bytes {
            vec![b'0' + u8::try_from(number).unwrap(); usize::try_from(self.size(number)).unwrap()].into()
        }
    }

    #[tokio::test]
    async fn generated_objects_are_listed_and_read_like_others() {
        let store = ObjectStore::new(StoreOptions::default()).unwrap();
        store.generate("made", Arc::new(Digits(4))).unwrap();
        let page = store.list("made", &ListRequest::default()).unwrap();
        let listed: Vec<_> = page.objects.iter().map(|object| (object.key.as_str(), object.size)).collect();
        assert_eq!(listed, [("digits/0", 0), ("digits/1", 200_000), ("digits/2", 400_000), ("digits/3", 600_000)]);
        for (number, object) in page.objects.iter().enumerate() {
            let opened = store.open("made", &object.key).await.unwrap();
            assert_eq!((opened.tag(), opened.size()), (object.tag, object.size));
            let bytes = opened.read_to_bytes(1 << 20).await.unwrap();
            assert_eq!(bytes, Digits(4).bytes(number as u64));
        }
        let part = store.open("made", "digits/3").await.unwrap().read(599_990, 100).await.unwrap();
        let part: Vec<Bytes> = futures::TryStreamExt::try_collect(part).await.unwrap();
        assert_eq!(part.concat(), b"3333333333");
        assert!(matches!(store.generate("made", Arc::new(Digits(1))), Err(StoreError::BucketInUse { .. })));
        let many = store.generate("many", Arc::new(Digits(MAX_GENERATED_OBJECTS + 1)));
        assert!(matches!(many, Err(StoreError::TooMany { .. })));
    }
}
