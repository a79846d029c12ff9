//! The files of a folder of the run, one after another, in the order of their names: ledgers, manifests of Map Runs.
//!
//! The folder is listed page by page while files are read, so neither the names nor the lines of all of them are ever in
//! memory.

use crate::lines::{Ahead, Begun};
use crate::request::Place;
use batch::BatchError;
use object_store::{BucketName, ListRequest, Listing, ObjectAddress, ObjectKey, ObjectStore};
use std::collections::VecDeque;
use std::sync::Arc;

/// Files of a folder, opened ahead.
pub(crate) struct Folder {
    bucket: BucketName,
    listing: Listing,
    /// Of the page that was listed last.
    waiting: VecDeque<ObjectAddress>,
    suffix: &'static str,
    is_listed: bool,
    ahead: Ahead<ObjectAddress>,
}

impl Folder {
    /// The files of a folder of a run whose names end like this.
    pub(crate) fn new(store: &Arc<dyn ObjectStore>, place: &Place, folder: &str, suffix: &'static str) -> Self {
        let request = ListRequest::new(place.bucket().clone(), place.folder(folder));
        Self {
            bucket: place.bucket().clone(),
            listing: Listing::new(Arc::clone(store), request),
            waiting: VecDeque::new(),
            suffix,
            is_listed: false,
            ahead: Ahead::new(store),
        }
    }

    /// The next file; none at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<(ObjectAddress, Begun)>, BatchError> {
        while self.ahead.has_room() {
            if let Some(next) = self.waiting.pop_front() {
                self.ahead.open(next.clone(), next);
            } else if self.is_listed {
                break;
            } else {
                self.list().await?;
            }
        }
        self.ahead.next().await
    }

    async fn list(&mut self) -> Result<(), BatchError> {
        let page = self.listing.next_page().await;
        let page = page.map_err(|error| BatchError::from_store("the folder of the run cannot be listed", &error))?;
        let Some(page) = page else {
            self.is_listed = true;
            return Ok(());
        };
        // A key that is no name of ours is none of our files.
        let keys = page.iter().filter(|object| object.key.ends_with(self.suffix));
        let keys = keys.filter_map(|object| ObjectKey::parse(&object.key).ok());
        self.waiting.extend(keys.map(|key| ObjectAddress { bucket: self.bucket.clone(), key }));
        Ok(())
    }
}
