//! Item readers: where the items of a Map Run come from, one at a time.
//!
//! ```text
//! listing ─────────────────────────────────────────┐
//! listing ─► keys ──┐                               ├─► items
//! manifest ─► keys ─┼─► open ─► rows (a few a step) ─┘
//! one key ──────────┘
//! ```
//!
//! A listing is read page by page. Files are parsed by code that blocks (`rows` and the formats below it), on threads
//! made for that, in steps of a few rows; between two steps no thread is held, and only so many steps run at a time. So
//! memory holds one page or one step of each reader, however large the data set is, and a reader whose items nobody takes
//! costs nothing but its memory.
//!
//! A reader can be told to begin behind what an earlier one has handed out ([`Bookmark`]), for a redrive.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::Value;
use tokio::runtime::Handle;

use self::listing::Listing;
use self::rows::Rows;
use super::settings::Place;
use crate::asl::{Core, Dataset, Format, StateError, names};

mod bytes;
mod csv_rows;
mod json_elements;
mod json_lines;
mod listing;
mod manifest;
mod parquet_rows;
mod rows;

/// Largest file, in bytes, as it lies in the bucket and expanded, as in the service.
pub(super) const FILE_BYTES_MAX: u64 = 10_000_000_000;
/// Largest item in a file, in bytes, as in the service. Only an `ItemSelector` can make it fit a payload.
const ROW_BYTES_MAX: usize = 8 * 1_024 * 1_024;
/// Rows of one step.
const STEP_ROWS: usize = 512;
/// A step ends when its rows have so many bytes.
const STEP_BYTES: usize = 256 * 1_024;

/// Where the items are.
#[derive(Debug, Clone)]
pub(super) enum Source {
    /// In the state's input: the elements of an array.
    Array(Vec<Value>),
    /// In the state's input: the members of an object.
    Members(Vec<(String, Value)>),
    /// In a bucket. `place` has a prefix or a key.
    Bucket { dataset: Dataset, place: Place, version: Option<String>, owner: Option<String>, max_items: Option<i64> },
}

impl Source {
    /// The number of items that are given; 0 for those that lie in a bucket.
    pub(super) fn given_items(&self) -> usize {
        match self {
            Self::Array(items) => items.len(),
            Self::Members(members) => members.len(),
            Self::Bucket { .. } => 0,
        }
    }
}

/// An item with its size as an object, 0 for other items.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) value: Value,
    /// Its name, when the data set is an object.
    pub(super) key: Option<String>,
    pub(super) object_bytes: u64,
    /// What `$$.Map.Item.Source` says.
    pub(super) source: Arc<str>,
}

/// How far a data set was handed out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Bookmark {
    /// Items handed out.
    pub(super) items: u64,
    /// The last key of a listing.
    key: Option<String>,
    /// Entity tag of the one object that has the items or the manifest.
    etag: Option<String>,
}

/// A file with items.
#[derive(Debug, Clone, PartialEq, Eq)]
struct FilePlace {
    bucket: String,
    key: String,
}

/// Reads items in order.
pub(super) struct Reader {
    core: Arc<Core>,
    stage: Stage,
    waiting: VecDeque<Item>,
    /// Told after the items that wait.
    failure: Option<StateError>,
    /// Items that may still be handed out.
    left: u64,
    /// Rows to go over before the first is handed out.
    skip: u64,
    bookmark: Bookmark,
}

enum Stage {
    /// What waits is all there is.
    Ended,
    Listing(Listing),
    /// Before the manifest or the one object was opened.
    Unopened {
        dataset: Dataset,
        place: FilePlace,
        version: Option<String>,
    },
    Files(Files),
}

/// Files that are read one after the other.
struct Files {
    format: Format,
    queue: Queue,
    /// What the items say of their source, when it is not the file they are in.
    source: Option<Arc<str>>,
    open: Option<(Box<dyn Rows>, Arc<str>)>,
}

enum Queue {
    Known(VecDeque<FilePlace>),
    Listed(Listing),
}

impl Reader {
    /// A reader that begins behind the bookmark.
    pub(super) fn new(source: Source, core: Arc<Core>, from: &Bookmark) -> Result<Self, StateError> {
        let source_text: Arc<str> = "STATE_DATA".into();
        let of_state = |key, value| Item { value, key, object_bytes: 0, source: Arc::clone(&source_text) };
        let skip = usize::try_from(from.items).unwrap_or(usize::MAX);
        let mut reader = Self {
            core,
            stage: Stage::Ended,
            waiting: VecDeque::new(),
            failure: None,
            left: u64::MAX,
            skip: 0,
            bookmark: from.clone(),
        };
        match source {
            Source::Array(items) => {
                reader.waiting = items.into_iter().skip(skip).map(|value| of_state(None, value)).collect();
            }
            Source::Members(members) => {
                let members = members.into_iter().skip(skip);
                reader.waiting = members.map(|(key, value)| of_state(Some(key), value)).collect();
            }
            Source::Bucket { dataset, place, version, owner, max_items } => {
                let account = &reader.core.options.account;
                if owner.is_some_and(|owner| owner != *account) {
                    let cause = format!("the bucket \"{}\" belongs to the account {account}", place.bucket);
                    return Err(failed(cause));
                }
                reader.left = item_limit(max_items)?.saturating_sub(from.items);
                let listing = |place, after: Option<&String>| Listing::new(place, after.cloned());
                reader.stage = match dataset {
                    Dataset::Listing => Stage::Listing(listing(place, from.key.as_ref())),
                    Dataset::Flattened(format) => {
                        reader.skip = from.items;
                        let queue = Queue::Listed(listing(place, None));
                        Stage::Files(Files { format, queue, source: None, open: None })
                    }
                    dataset => {
                        reader.skip = from.items;
                        let place = FilePlace { bucket: place.bucket, key: place.name };
                        Stage::Unopened { dataset, place, version }
                    }
                };
            }
        }
        Ok(reader)
    }

    /// True when the next item is at hand without another page or step.
    pub(super) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// How far the items were handed out.
    pub(super) fn bookmark(&self) -> &Bookmark {
        &self.bookmark
    }

    /// The next item, `None` after the last one.
    pub(super) async fn next(&mut self) -> Result<Option<Item>, StateError> {
        while self.left > 0 {
            if let Some(item) = self.waiting.pop_front() {
                self.left -= 1;
                self.bookmark.items += 1;
                if matches!(self.stage, Stage::Listing(_)) {
                    self.bookmark.key = item.value.get("Key").and_then(Value::as_str).map(str::to_owned);
                }
                return Ok(Some(item));
            }
            if let Some(failure) = self.failure.take() {
                return Err(failure);
            }
            if !self.advance().await? {
                return Ok(None);
            }
        }
        Ok(None)
    }

    /// Reads a page or makes a step; false at the end of the data set.
    async fn advance(&mut self) -> Result<bool, StateError> {
        match std::mem::replace(&mut self.stage, Stage::Ended) {
            Stage::Ended => return Ok(false),
            Stage::Listing(mut listing) => {
                let Some(page) = listing.next_page(&*self.core.services, self.left).await? else { return Ok(false) };
                let source: Arc<str> = format!("S3://{}", listing.bucket()).into();
                self.waiting = page.into_iter().map(|object| listing::item(object, &source)).collect();
                self.stage = Stage::Listing(listing);
            }
            Stage::Unopened { dataset, place, version } => {
                self.stage = Stage::Files(self.first_file(dataset, place, version).await?);
            }
            Stage::Files(files) => match self.step(files).await? {
                Some(files) => self.stage = Stage::Files(files),
                None => return Ok(false),
            },
        }
        Ok(true)
    }

    /// Opens the object with the items, or reads the manifest.
    async fn first_file(
        &mut self,
        dataset: Dataset,
        place: FilePlace,
        version: Option<String>,
    ) -> Result<Files, StateError> {
        let opened = self.core.services.open_object(&place.bucket, &place.key, version.as_deref()).await;
        let object = opened.map_err(|error| failed(error.message))?;
        let etag = object.etag();
        if self.bookmark.etag.as_ref().is_some_and(|before| *before != etag) {
            return Err(failed(format!(
                "the object \"{}\" has changed since its first items were handed out; start a new execution",
                place.key
            )));
        }
        self.bookmark.etag = Some(etag);
        let source: Arc<str> = format!("S3://{}/{}", place.bucket, place.key).into();
        let (queue, format) = match dataset {
            Dataset::Inventory => manifest::inventory(&manifest::read(&*object).await?)?,
            Dataset::Athena(format) => (manifest::athena(&manifest::read(&*object).await?)?, format),
            Dataset::Object(format) | Dataset::Flattened(format) => {
                let rows = Self::open_rows(&self.core, object, &place.key, format.clone()).await?;
                let open = Some((rows, Arc::clone(&source)));
                return Ok(Files { format, queue: Queue::Known(VecDeque::new()), source: Some(source), open });
            }
            Dataset::Listing => return Err(failed("a listing has no file")),
        };
        Ok(Files { format, queue: Queue::Known(queue), source: Some(source), open: None })
    }

    async fn open_rows(
        core: &Core,
        object: Arc<dyn crate::services::StoredObject>,
        key: &str,
        format: Format,
    ) -> Result<Box<dyn Rows>, StateError> {
        let size = object.size();
        if size > FILE_BYTES_MAX {
            return Err(failed(format!("the object \"{key}\" has {size} bytes, the maximum is {FILE_BYTES_MAX}")));
        }
        let (runtime, key) = (Handle::current(), key.to_owned());
        Self::blocking(core, move || rows::open(&runtime, object, &key, &format)).await?
    }

    /// Reads a few rows of the open file, or opens the next; `None` behind the last one.
    async fn step(&mut self, mut files: Files) -> Result<Option<Files>, StateError> {
        let Some((mut rows, source)) = files.open.take() else {
            let Some(place) = files.next_place(&*self.core.services).await? else { return Ok(None) };
            let opened = self.core.services.open_object(&place.bucket, &place.key, None).await;
            let object = opened.map_err(|error| failed(error.message))?;
            let rows = Self::open_rows(&self.core, object, &place.key, files.format.clone()).await?;
            let own = || format!("S3://{}/{}", place.bucket, place.key).into();
            files.open = Some((rows, files.source.clone().unwrap_or_else(own)));
            return Ok(Some(files));
        };
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(STEP_ROWS);
        let mut skip = self.skip;
        let step = move || {
            let (mut items, mut bytes) = (Vec::new(), 0);
            let ended = loop {
                if items.len() >= most || bytes >= STEP_BYTES {
                    break Ok(false);
                }
                match rows.next() {
                    Ok(Some(row)) => {
                        bytes += row.bytes;
                        if skip > 0 {
                            skip -= 1;
                        } else {
                            let source = Arc::clone(&source);
                            items.push(Item { value: row.value, key: row.key, object_bytes: 0, source });
                        }
                    }
                    Ok(None) => break Ok(true),
                    Err(error) => break Err(error),
                }
            };
            (rows, source, items, ended, skip)
        };
        let (rows, source, items, ended, skip) = Self::blocking(&self.core, step).await?;
        self.skip = skip;
        self.waiting = items.into();
        match ended {
            Ok(true) => {}
            Ok(false) => files.open = Some((rows, source)),
            // What was read before the fault is handed out first.
            Err(error) => self.failure = Some(error),
        }
        Ok(Some(files))
    }

    /// Runs work that waits for bytes, a few at a time of the whole engine. It needs other threads that may block to get
    /// these bytes, so it must not take all of them.
    async fn blocking<T: Send + 'static>(
        core: &Core,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, StateError> {
        let permit = Arc::clone(&core.reading).acquire_owned().await;
        let permit = permit.map_err(|error| failed(error.to_string()))?;
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(permit);
            done
        });
        done.await.map_err(|error| failed(format!("reading items broke off: {error}")))
    }
}

impl Files {
    async fn next_place(&mut self, services: &dyn crate::services::Services) -> Result<Option<FilePlace>, StateError> {
        match &mut self.queue {
            Queue::Known(places) => Ok(places.pop_front()),
            Queue::Listed(listing) => {
                let key = listing.next_file(services).await?;
                Ok(key.map(|key| FilePlace { bucket: listing.bucket().to_owned(), key }))
            }
        }
    }
}

/// Refuses a limit that only shows as wrong when the reader starts; 0 is none.
fn item_limit(max_items: Option<i64>) -> Result<u64, StateError> {
    match max_items {
        None | Some(0) => Ok(u64::MAX),
        Some(most) => u64::try_from(most).map_err(|_| failed("field MaxItems must be positive")),
    }
}

/// The items cannot be read.
fn failed(cause: impl Into<String>) -> StateError {
    StateError::new(names::ITEM_READER_FAILED, cause)
}
