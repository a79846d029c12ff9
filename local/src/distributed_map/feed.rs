//! The feeding end of a Map Run: reads items, shapes them, packs them, and sends batches as fast as they are taken.

use serde_json::Value;
use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::SendError;
use tokio_util::sync::CancellationToken;

use super::batcher::{Batch, Batcher};
use super::reader::{Item, Reader};
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
    /// The items could not be read, or one of them does not fit.
    Failed(StateError),
    /// All batches were sent; the number of items.
    Complete(u64),
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
    /// Sends batches until there are no more, somebody cancels, or nobody takes them. Returns the batches that were made
    /// but could not be sent.
    pub(super) async fn run(
        self,
        mut reader: Reader,
        mut batcher: Batcher,
        sender: Sender<Fed>,
        cancel: &CancellationToken,
        observer: &dyn Observer,
        map_run: &str,
    ) -> Vec<Batch> {
        let mut progress = Progress { observer, map_run, items: 0, bytes: 0 };
        let mut unsent = Vec::new();
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
                    if let Err(SendError(Fed::Batch(batch))) = sender.send(Fed::Batch(batch)).await {
                        unsent.push(batch);
                        break None;
                    }
                }
                Err(error) => break Some(Fed::Failed(error)),
            }
        };
        if let Some(batch) = batcher.take()
            && let Err(SendError(Fed::Batch(batch))) = sender.send(Fed::Batch(batch)).await
        {
            unsent.push(batch);
        }
        progress.tell(matches!(last, Some(Fed::Complete(_))));
        if let Some(last) = last {
            // A closed channel means that the run is over already.
            let _ = sender.send(last).await;
        }
        unsent
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
        batcher.add(self.shape(index, item.value, reader)?)
    }

    /// Applies `ItemSelector`.
    fn shape(&self, index: u64, value: Value, reader: &Reader) -> Result<Value, StateError> {
        let Some(selector) = self.selector else { return Ok(value) };
        let item = ItemContext { index, value, source: Some(reader.source_text().clone()) };
        let context = self.scope.context.with_item(&item);
        selector.fill(Scope { input: self.scope.input, context: &context })
    }
}
