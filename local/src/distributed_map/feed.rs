//! The feeding end of a Map Run: reads items, shapes them, packs them, and sends batches as fast as they are taken.

use serde_json::{Value, json};
use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::SendError;
use tokio_util::sync::CancellationToken;

use super::batcher::{Batch, Batcher};
use super::handle::MapRunHandle;
use super::reader::{Bookmark, Item, Reader};
use super::spool::{SpoolReader, Unfinished};
use crate::asl::StateError;
use crate::asl::context::{ItemContext, Scope};
use crate::asl::template::Template;
use crate::observer::{Notice, Observer};

/// What an `ItemSelector` needs.
pub(super) struct Feed<'a> {
    pub(super) selector: Option<&'a Template>,
    pub(super) scope: Scope<'a>,
}

/// What arrives at the coordinator.
pub(super) enum Fed {
    Batch(Batch),
    /// A child that did not succeed before a redrive.
    Again(Box<Unfinished>),
    /// The items could not be read, or one of them does not fit.
    Failed(StateError),
    /// All batches were sent; the number of items.
    Complete(u64),
}

/// What is to be fed.
pub(super) struct Supply {
    /// Children that did not succeed before a redrive; they come first.
    pub(super) again: SpoolReader,
    /// `None`: all items were read before the redrive.
    pub(super) reader: Option<Reader>,
    pub(super) batcher: Batcher,
}

/// How far the feed came.
pub(super) struct FeedEnd {
    /// What could not be sent any more.
    pub(super) unsent: Vec<Fed>,
    /// Children that were not even read.
    pub(super) again: SpoolReader,
    /// How far the data set was read; `None`: not at all.
    pub(super) bookmark: Option<Bookmark>,
}

/// Tells how many items are known.
struct Progress<'a> {
    observer: &'a dyn Observer,
    map_run: &'a str,
    items: u64,
    bytes: u64,
}

impl Progress<'_> {
    fn tell(&self, complete: bool) {
        let Self { map_run, items, bytes, .. } = *self;
        self.observer.notice(Notice::ItemsListed { map_run, items, bytes, complete });
    }
}

impl Feed<'_> {
    /// Sends batches until there are no more, somebody cancels, or nobody takes them.
    pub(super) async fn run(
        self,
        supply: Supply,
        sender: Sender<Fed>,
        cancel: &CancellationToken,
        observer: &dyn Observer,
        map_run: &MapRunHandle,
    ) -> FeedEnd {
        let Supply { mut again, reader, mut batcher } = supply;
        let mut unsent = Vec::new();
        if let Some(last) = resend(&mut again, &sender, cancel).await {
            unsent.extend(last);
            return FeedEnd { unsent, again, bookmark: reader.map(|reader| reader.bookmark().clone()) };
        }
        let Some(mut reader) = reader else { return FeedEnd { unsent, again, bookmark: None } };
        let mut progress = Progress { observer, map_run: map_run.arn(), items: reader.bookmark().items, bytes: 0 };
        let last = loop {
            // Sending needs no look at the token: on cancellation the coordinator closes the channel.
            let read = tokio::select! {
                biased;
                () = cancel.cancelled() => break None,
                read = reader.next() => read,
            };
            let made = match read {
                Ok(Some(item)) => self.add(item, &reader, &mut batcher, &mut progress),
                Ok(None) => break Some(Fed::Complete(progress.items)),
                Err(error) => Err(error),
            };
            match made {
                Ok(None) => {}
                Ok(Some(batch)) => {
                    if let Err(refused) = send(batch, &sender, map_run).await {
                        unsent.push(refused);
                        break None;
                    }
                }
                Err(error) => break Some(Fed::Failed(error)),
            }
        };
        if let Some(batch) = batcher.take()
            && let Err(refused) = send(batch, &sender, map_run).await
        {
            unsent.push(refused);
        }
        progress.tell(matches!(last, Some(Fed::Complete(_))));
        if let Some(last) = last {
            // A closed channel means that the run is over already.
            let _ = sender.send(last).await;
        }
        FeedEnd { unsent, again, bookmark: Some(reader.bookmark().clone()) }
    }

    fn add(
        &self,
        item: Item,
        reader: &Reader,
        batcher: &mut Batcher,
        progress: &mut Progress<'_>,
    ) -> Result<Option<Batch>, StateError> {
        let index = progress.items;
        progress.items += 1;
        progress.bytes += item.object_bytes;
        if !reader.has_waiting() {
            progress.tell(false);
        }
        batcher.add(self.shape(index, item)?)
    }

    /// Applies `ItemSelector`.
    fn shape(&self, index: u64, item: Item) -> Result<Value, StateError> {
        let Some(selector) = self.selector else {
            return Ok(match item.key {
                None => item.value,
                Some(key) => json!({"Key": key, "Value": item.value}),
            });
        };
        let item = ItemContext { index, key: item.key, value: item.value, source: Some(item.source) };
        let context = self.scope.context.with_item(&item);
        selector.fill(Scope { input: self.scope.input, context: &context })
    }
}

/// Sends a batch, which is pending from now on.
async fn send(batch: Batch, sender: &Sender<Fed>, map_run: &MapRunHandle) -> Result<(), Fed> {
    map_run.count(batch.items, |counts, number| counts.pending += number);
    sender.send(Fed::Batch(batch)).await.map_err(|SendError(refused)| refused)
}

/// Sends the children that did not succeed before a redrive. Returns when the feed is to end: what could not be sent.
async fn resend(again: &mut SpoolReader, sender: &Sender<Fed>, cancel: &CancellationToken) -> Option<Option<Fed>> {
    loop {
        if cancel.is_cancelled() {
            return Some(None);
        }
        let unfinished = match again.next() {
            Ok(Some(unfinished)) => unfinished,
            Ok(None) => return None,
            Err(error) => {
                let _ = sender.send(Fed::Failed(error)).await;
                return Some(None);
            }
        };
        if let Err(SendError(refused)) = sender.send(Fed::Again(Box::new(unfinished))).await {
            return Some(Some(refused));
        }
    }
}
