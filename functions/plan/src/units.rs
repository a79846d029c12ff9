//! Packing the items into batches, one line each.
//!
//! A line is `{"Items": […]}`; the state machine puts `BatchInput` beside the items, and a child sees what an ItemBatcher
//! would have made. Objects that are heavier than a batch and can be cut are cut into even ranges; each is an item.

use crate::found::{Range, UnitItem};
use crate::gather::uncut;
use crate::names::Names;
use crate::spool::Spool;
use batch::{BatchError, check_write};
use job::Job;
use object_store::{ObjectWriter, WriteRequest, WriterOptions};
use planner::{Closed, Design, Kind, PackLimits, Packer, Strategy, Worker as Model, cuts, kind};

/// Batches that are open at the same time. Each holds at most the input of a child.
const OPEN: usize = 32;

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Packed {
    /// Batches.
    pub(crate) lines: u64,
    /// Items of all of them.
    pub(crate) items: u64,
}

/// Packs items and writes the batches. An object without batches is not written.
pub(crate) async fn write(
    worker: &batch::Worker,
    names: &Names,
    job: &Job,
    design: &Design,
    model: &Model,
    spool: Spool,
) -> Result<Packed, BatchError> {
    let failed = |error| BatchError::from_store("the batches cannot be written", &error);
    let address = names.units()?;
    check_write(worker.writable(), &address).map_err(failed)?;
    let request = WriteRequest { content_type: Some("application/x-ndjson".to_owned()), ..WriteRequest::new(address) };
    let mut writer = ObjectWriter::new(worker.store().clone(), request, WriterOptions::default());
    let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let limits = PackLimits {
        weight: design.batch_seconds,
        bytes: size(design.room_bytes),
        items: size(design.max_items),
        open: OPEN,
    };
    let (mut packer, mut packed) = (Packer::new(limits), Packed::default());
    let (mut items, mut text) = (spool.into_items(), String::new());
    while items.next(&mut text).await? {
        for (item, weight) in parts(&text, job, design, model)? {
            if let Some(batch) = packer.add(item.as_deref().unwrap_or(&text), weight) {
                packed.note(&batch);
                writer.write(line(&batch).as_bytes()).await.map_err(failed)?;
            }
        }
    }
    for batch in packer.finish() {
        packed.note(&batch);
        writer.write(line(&batch).as_bytes()).await.map_err(failed)?;
    }
    if packed.lines > 0 {
        writer.finish().await.map_err(failed)?;
    }
    Ok(packed)
}

impl Packed {
    fn note(&mut self, batch: &Closed) {
        self.lines += 1;
        self.items += batch.items as u64;
    }
}

fn line(batch: &Closed) -> String {
    format!("{{\"Items\":[{}]}}\n", batch.text)
}

/// The items that become of one, each with its weight; none as the text means the item as it is.
fn parts(text: &str, job: &Job, design: &Design, model: &Model) -> Result<Vec<(Option<String>, f64)>, BatchError> {
    let internal = |error: serde_json::Error| BatchError::Internal(format!("an item that was set aside: {error}"));
    let item: UnitItem<'_> = serde_json::from_str(text).map_err(internal)?;
    let size = item.size.unwrap_or(0);
    let kind = kind(job, &item.key);
    if design.strategy == Strategy::Repair {
        let bytes = item.range.map_or(size, |range| range.bytes(size));
        return Ok(vec![(None, model.weight(uncut(kind), bytes as f64))]);
    }
    // Ranges of an object belong together only at one version of it.
    let longest = design.range_bytes.filter(|longest| kind == Kind::Lines && size > *longest && item.etag.is_some());
    let Some(longest) = longest else { return Ok(vec![(None, model.weight(kind, size as f64))]) };
    let part = |(start, end): (u64, u64)| {
        let part = UnitItem { range: Some(Range { start, end: Some(end) }), ..item.clone() };
        let text = serde_json::to_string(&part).map_err(internal)?;
        Ok((Some(text), model.weight(kind, (end - start) as f64)))
    };
    cuts(size, longest).map(part).collect()
}
