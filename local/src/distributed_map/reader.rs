//! Item readers: where the items of a Map Run come from, one at a time.
//!
//! A listing is read page by page, as fast as the items are taken; only one page is in memory.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::{Number, Value, json};

use super::settings::Place;
use crate::asl::{StateError, names};
use crate::services::{LIST_PAGE_MAX, ListRequest, ObjectSummary, Services};

/// Where the items are.
pub(super) enum Source {
    /// In the state's input.
    Array(Vec<Value>),
    /// The objects of a bucket themselves, read with listObjectsV2.
    Objects { place: Place, max_items: Option<i64> },
}

/// An item with its size as an object, 0 for other items.
pub(super) struct Item {
    pub(super) value: Value,
    pub(super) object_bytes: u64,
}

/// Reads items in order.
pub(super) struct Reader {
    services: Arc<dyn Services>,
    waiting: VecDeque<Item>,
    listing: Option<Listing>,
    left: u64,
    source_text: Arc<str>,
}

struct Listing {
    place: Place,
    continuation: Option<String>,
}

impl Reader {
    pub(super) fn new(source: Source, services: Arc<dyn Services>) -> Result<Self, StateError> {
        Ok(match source {
            Source::Array(items) => Self {
                services,
                left: items.len() as u64,
                waiting: items.into_iter().map(|value| Item { value, object_bytes: 0 }).collect(),
                listing: None,
                source_text: "STATE_DATA".into(),
            },
            Source::Objects { place, max_items } => Self {
                services,
                left: Source::item_limit(max_items)?,
                waiting: VecDeque::new(),
                source_text: format!("S3://{}", place.bucket).into(),
                listing: Some(Listing { place, continuation: None }),
            },
        })
    }

    /// What `$$.Map.Item.Source` says.
    pub(super) fn source_text(&self) -> &Arc<str> {
        &self.source_text
    }

    /// True when the next item is at hand without another page.
    pub(super) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The next item, `None` after the last one.
    pub(super) async fn next(&mut self) -> Result<Option<Item>, StateError> {
        while self.waiting.is_empty() && self.left > 0 && self.listing.is_some() {
            self.read_page().await?;
        }
        if self.left == 0 {
            return Ok(None);
        }
        let item = self.waiting.pop_front();
        self.left -= u64::from(item.is_some());
        Ok(item)
    }

    async fn read_page(&mut self) -> Result<(), StateError> {
        let Some(mut listing) = self.listing.take() else { return Ok(()) };
        let request = ListRequest {
            bucket: &listing.place.bucket,
            prefix: &listing.place.prefix,
            continuation: listing.continuation.as_deref(),
            max_keys: LIST_PAGE_MAX.min(u32::try_from(self.left).unwrap_or(LIST_PAGE_MAX)),
        };
        let page = self
            .services
            .list_objects(request)
            .await
            .map_err(|error| StateError::new(names::ITEM_READER_FAILED, error.message))?;
        self.waiting = page.objects.into_iter().map(object_item).collect();
        if let Some(next) = page.next {
            // A token that comes back would list the same page for ever.
            if listing.continuation.as_ref() == Some(&next) {
                let cause = "The listing returned the same continuation token twice.";
                return Err(StateError::new(names::ITEM_READER_FAILED, cause));
            }
            listing.continuation = Some(next);
            self.listing = Some(listing);
        }
        Ok(())
    }
}

/// An object as the service hands it to children: `LastModified` is always a float.
fn object_item(object: ObjectSummary) -> Item {
    let last_modified = Number::from_f64(object.last_modified).map_or(Value::Null, Value::Number);
    Item {
        object_bytes: object.size,
        value: json!({
            "Etag": object.etag,
            "Key": object.key,
            "LastModified": last_modified,
            "Size": object.size,
            "StorageClass": object.storage_class,
        }),
    }
}
