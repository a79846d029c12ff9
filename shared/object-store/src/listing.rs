//! Listing: the objects of a bucket whose keys begin with a text, in the order of the bytes of their keys.
//!
//! A store answers a page of at most 1,000 objects. The next page begins behind the last key of the one before, so a
//! listing has no state beside that key and another process can go on with it. [`Listing`] asks for one page after another.
//! Objects that come or go while it does so may be missed or seen, as with every listing of S3; the others are seen once.

use std::sync::Arc;

use tokio::time::sleep;

use crate::backoff::Backoff;
use crate::error::{ErrorClass, ObjectError, code};
use crate::names::{BucketName, ETag, ObjectAddress, ObjectKey};
use crate::store::ObjectStore;

/// Most objects of one page, as S3 has it.
pub const MAX_PAGE: u16 = 1000;

/// How often a page is asked for before its failure is given up to the caller, attempts of the adapter included.
const ATTEMPTS: u32 = 5;

/// Which page of which listing is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListRequest {
    /// The bucket.
    pub bucket: BucketName,
    /// Only keys that begin with this text; empty for all.
    pub prefix: String,
    /// Only keys behind this one.
    pub start_after: Option<String>,
    /// Most objects wanted, from 1 to [`MAX_PAGE`]; other numbers count as the nearest of these.
    pub most: u16,
}

impl ListRequest {
    /// The first page, as large as it may be.
    pub fn new(bucket: BucketName, prefix: impl Into<String>) -> Self {
        Self { bucket, prefix: prefix.into(), start_after: None, most: MAX_PAGE }
    }

    /// What errors of the listing name: the prefix, and `*` where it is no key.
    #[must_use]
    pub fn address(&self) -> ObjectAddress {
        let key = ObjectKey::parse(&self.prefix).unwrap_or_else(|_| ObjectKey::everything());
        ObjectAddress { bucket: self.bucket.clone(), key }
    }
}

/// A listed object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedObject {
    /// The key as the store has it. It is not checked: a bucket may hold keys that Mapmill refuses.
    pub key: String,
    /// The size in bytes.
    pub size: u64,
    /// The version, if the store tells it.
    pub etag: Option<ETag>,
    /// When the object was written, in seconds since 1970, if the store tells it.
    pub last_modified: Option<i64>,
}

/// A page of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListPage {
    /// The objects in the order of the bytes of their keys; at least one if this is not the last page.
    pub objects: Vec<ListedObject>,
    /// Nothing comes behind this page.
    pub is_last: bool,
}

/// Asks for one page after another.
pub struct Listing {
    store: Arc<dyn ObjectStore>,
    /// None at the end.
    next: Option<ListRequest>,
    backoff: Backoff,
}

impl Listing {
    /// A listing that begins with the page requested. Nothing is asked yet.
    #[must_use]
    pub fn new(store: Arc<dyn ObjectStore>, request: ListRequest) -> Self {
        Self { store, next: Some(request), backoff: Backoff::default() }
    }

    /// The objects of the next page; none at the end. The last page may be empty.
    ///
    /// # Errors
    /// That of the store, after five attempts if it may pass. The same page can be asked for again.
    pub async fn next_page(&mut self) -> Result<Option<Vec<ListedObject>>, ObjectError> {
        let Some(request) = &self.next else { return Ok(None) };
        let mut attempts = 0;
        let page = loop {
            let error = match self.store.list(request).await {
                Ok(page) => break page,
                Err(error) => error,
            };
            attempts += error.attempts;
            if !error.class.is_retriable() || attempts >= ATTEMPTS {
                return Err(error);
            }
            sleep(self.backoff.delay(attempts - 1)).await;
        };
        self.next = match page.objects.last() {
            _ if page.is_last => None,
            Some(last) => Some(ListRequest { start_after: Some(last.key.clone()), ..request.clone() }),
            None => {
                let message = "expected an object in a page that is not the last one; found none";
                let address = request.address();
                return Err(ObjectError::new(
                    ErrorClass::Transient,
                    code::UNREADABLE_ANSWER,
                    "list",
                    &address,
                    message,
                ));
            }
        };
        Ok(Some(page.objects))
    }
}

impl std::fmt::Debug for Listing {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Listing").field("next", &self.next).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fakes::{FaultyStore, MemoryStore, WriteStep};

    fn store(keys: usize) -> MemoryStore {
        let store = MemoryStore::with_buckets(&["raw"]);
        for number in 0..keys {
            store.insert(&ObjectAddress::parse("raw", &format!("in/{number:05}")).unwrap(), "x");
        }
        store
    }

    async fn all(store: Arc<dyn ObjectStore>, prefix: &str, most: u16) -> Result<Vec<String>, ObjectError> {
        let request = ListRequest { most, ..ListRequest::new(BucketName::parse("raw").unwrap(), prefix) };
        let (mut listing, mut keys) = (Listing::new(store, request), Vec::new());
        while let Some(page) = listing.next_page().await? {
            assert!(page.len() <= usize::from(most.clamp(1, MAX_PAGE)));
            keys.extend(page.into_iter().map(|object| object.key));
        }
        Ok(keys)
    }

    #[tokio::test]
    async fn every_object_is_seen_once_whatever_the_pages() {
        let expected: Vec<String> = (0..2500).map(|number| format!("in/{number:05}")).collect();
        let store = Arc::new(store(2500));
        for most in [0, 7, 500, 1000, u16::MAX] {
            assert_eq!(all(store.clone(), "", most).await.unwrap(), expected, "{most}");
        }
        assert_eq!(all(store.clone(), "in/024", 1000).await.unwrap(), expected[2400..]);
        assert!(all(store, "on/", 1000).await.unwrap().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn pages_are_asked_for_again() {
        let check = async |failures: usize, class, is_good: bool| {
            let mut faulty = FaultyStore::new(Arc::new(store(10)));
            for _ in 0..failures {
                faulty = faulty.with_write(WriteStep::List, class);
            }
            let listed = all(Arc::new(faulty), "", 3).await;
            assert_eq!(listed.as_ref().is_ok_and(|keys| keys.len() == 10), is_good, "{failures} {listed:?}");
        };
        check(4, ErrorClass::Transient, true).await;
        check(4, ErrorClass::Throttled, true).await;
        check(5, ErrorClass::Transient, false).await;
        check(1, ErrorClass::Denied, false).await;
    }

    #[test]
    fn errors_name_what_was_listed() {
        let shown = |prefix: &str| ListRequest::new(BucketName::parse("raw").unwrap(), prefix).address().to_string();
        assert_eq!(shown("in/"), "s3://raw/in/");
        assert_eq!(shown(""), "s3://raw/*");
        assert_eq!(shown("a//"), "s3://raw/*");
    }
}
