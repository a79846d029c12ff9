//! Listings, read page by page.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::{Number, Value, json};

use super::{Item, failed};
use crate::asl::StateError;
use crate::distributed_map::settings::Place;
use crate::services::{LIST_PAGE_MAX, ListRequest, ObjectSummary, Services};

/// A listing that is under way.
pub(super) struct Listing {
    place: Place,
    /// Keys up to this one are left out.
    after: Option<String>,
    continuation: Option<String>,
    ended: bool,
    /// Keys that were listed and not taken, when the objects are files to be read.
    keys: VecDeque<String>,
}

impl Listing {
    pub(super) fn new(place: Place, after: Option<String>) -> Self {
        Self { place, after, continuation: None, ended: false, keys: VecDeque::new() }
    }

    pub(super) fn bucket(&self) -> &str {
        &self.place.bucket
    }

    /// The next page, `None` after the last one. At most `most` objects are asked for.
    pub(super) async fn next_page(
        &mut self,
        services: &dyn Services,
        most: u64,
    ) -> Result<Option<Vec<ObjectSummary>>, StateError> {
        if self.ended {
            return Ok(None);
        }
        let request = ListRequest {
            bucket: &self.place.bucket,
            prefix: &self.place.name,
            continuation: self.continuation.as_deref(),
            max_keys: match &self.after {
                // What is left out must not use up the page.
                Some(_) => LIST_PAGE_MAX,
                None => LIST_PAGE_MAX.min(u32::try_from(most).unwrap_or(LIST_PAGE_MAX)),
            },
        };
        let page = services.list_objects(request).await.map_err(|error| failed(error.message))?;
        match page.next {
            // A token that comes back would list the same page for ever.
            Some(next) if self.continuation.as_ref() == Some(&next) => {
                return Err(failed("The listing returned the same continuation token twice."));
            }
            next => {
                self.ended = next.is_none();
                self.continuation = next;
            }
        }
        let mut objects = page.objects;
        if let Some(after) = &self.after {
            objects.retain(|object| object.key > *after);
        }
        Ok(Some(objects))
    }

    /// The key of the next object that may have rows, `None` after the last one.
    pub(super) async fn next_file(&mut self, services: &dyn Services) -> Result<Option<String>, StateError> {
        loop {
            if let Some(key) = self.keys.pop_front() {
                return Ok(Some(key));
            }
            let Some(page) = self.next_page(services, u64::MAX).await? else { return Ok(None) };
            // The console makes "folders": empty objects whose key ends with a slash.
            let files = page.into_iter().filter(|object| object.size > 0 || !object.key.ends_with('/'));
            self.keys = files.map(|object| object.key).collect();
        }
    }
}

/// An object as the service hands it to children: `LastModified` is always a float.
pub(super) fn item(object: ObjectSummary, source: &Arc<str>) -> Item {
    let last_modified = Number::from_f64(object.last_modified).map_or(Value::Null, Value::Number);
    Item {
        object_bytes: object.size,
        key: None,
        source: Arc::clone(source),
        value: json!({
            "Etag": object.etag,
            "Key": object.key,
            "LastModified": last_modified,
            "Size": object.size,
            "StorageClass": object.storage_class,
        }),
    }
}
