//! Items that are set aside while the source is looked at.
//!
//! How heavy a batch shall be follows from the weight of all objects, so batches can be made only when all objects were
//! seen. Until then the items are set aside: in memory while they are few, else as compressed lines in objects of the run,
//! which is cheaper and faster than listing again, and does not change meanwhile. Every invocation of a long plan writes an
//! object of its own.

use crate::lines::Lines;
use crate::names::Names;
use batch::{BatchError, check_write};
use object_store::{
    Compression, Compressor, ExpansionLimits, ObjectStore, ObjectWriter, OutputCompression, Places, WriteRequest,
    WriterOptions,
};
use std::sync::Arc;

/// Items stay in memory up to so many bytes.
const IN_MEMORY: usize = 4 << 20;

/// Compressed bytes are handed on when there are so many.
const HAND_ON: usize = 64 * 1024;

const DOING: &str = "the items cannot be set aside";

/// Sets items aside.
pub(crate) struct Spool {
    store: Arc<dyn ObjectStore>,
    writable: Places,
    names: Names,
    /// Objects that are complete.
    files: u32,
    memory: Vec<u8>,
    open: Option<(Compressor, ObjectWriter)>,
    in_memory: usize,
}

impl Spool {
    /// A spool behind so many objects of earlier invocations.
    pub(crate) fn new(store: Arc<dyn ObjectStore>, writable: Places, names: Names, files: u32) -> Self {
        Self { store, writable, names, files, memory: Vec::new(), open: None, in_memory: IN_MEMORY }
    }

    /// Sets one item aside.
    pub(crate) async fn add(&mut self, item: &str) -> Result<(), BatchError> {
        self.memory.extend_from_slice(item.as_bytes());
        self.memory.push(b'\n');
        let is_full = self.memory.len() >= if self.open.is_some() { HAND_ON } else { self.in_memory };
        if is_full { self.hand_on().await } else { Ok(()) }
    }

    /// Completes the object that is being written. What is in memory only stays there.
    pub(crate) async fn close(&mut self) -> Result<(), BatchError> {
        if self.open.is_some() { self.close_object().await } else { Ok(()) }
    }

    /// Writes everything into objects, so that another invocation can read it. The number of objects.
    pub(crate) async fn close_for_another(&mut self) -> Result<u32, BatchError> {
        if !self.memory.is_empty() || self.open.is_some() {
            self.hand_on().await?;
            self.close_object().await?;
        }
        Ok(self.files)
    }

    /// Reads the items back, in the order in which they were added.
    pub(crate) fn into_items(self) -> SpooledItems {
        let Self { store, names, files, memory, .. } = self;
        SpooledItems { store, names, files, next_file: 0, lines: None, memory, position: 0 }
    }

    async fn hand_on(&mut self) -> Result<(), BatchError> {
        let failed = |error| BatchError::from_store(DOING, &error);
        if self.open.is_none() {
            let address = self.names.spool(self.files)?;
            check_write(&self.writable, &address).map_err(failed)?;
            let compressor = Compressor::new(OutputCompression::Zstd, address.clone()).map_err(failed)?;
            let request = WriteRequest::new(address);
            self.open = Some((compressor, ObjectWriter::new(self.store.clone(), request, WriterOptions::default())));
        }
        if let Some((compressor, writer)) = &mut self.open {
            compressor.write(&self.memory).map_err(failed)?;
            writer.write(compressor.output()).await.map_err(failed)?;
            compressor.output().clear();
        }
        // The first bytes were many, the next ones are few.
        self.memory.clear();
        self.memory.shrink_to(2 * HAND_ON);
        Ok(())
    }

    async fn close_object(&mut self) -> Result<(), BatchError> {
        if !self.memory.is_empty() {
            self.hand_on().await?;
        }
        let failed = |error| BatchError::from_store(DOING, &error);
        if let Some((compressor, mut writer)) = self.open.take() {
            writer.write(&compressor.finish().map_err(failed)?).await.map_err(failed)?;
            writer.finish().await.map_err(failed)?;
            self.files += 1;
        }
        Ok(())
    }
}

/// Items that are read back.
pub(crate) struct SpooledItems {
    store: Arc<dyn ObjectStore>,
    names: Names,
    files: u32,
    next_file: u32,
    lines: Option<Lines>,
    memory: Vec<u8>,
    position: usize,
}

/// The items are our own: they may compress as well as they like.
const UNLIMITED: u64 = u64::MAX;

impl SpooledItems {
    /// Writes the next item into `item`; false at the end.
    pub(crate) async fn next(&mut self, item: &mut String) -> Result<bool, BatchError> {
        item.clear();
        loop {
            if let Some(lines) = &mut self.lines {
                if let Some(line) = lines.next().await? {
                    item.push_str(line);
                    return Ok(true);
                }
                self.lines = None;
            } else if self.next_file < self.files {
                let address = self.names.spool(self.next_file)?;
                let limits = ExpansionLimits {
                    expanded_bytes: UNLIMITED,
                    expansion_ratio: UNLIMITED,
                    ..ExpansionLimits::default()
                };
                let doing = "the items that were set aside cannot be read";
                self.lines = Some(Lines::open(&self.store, &address, Compression::Zstd, limits, doing).await?);
                self.next_file += 1;
            } else {
                return Ok(self.next_in_memory(item));
            }
        }
    }

    fn next_in_memory(&mut self, item: &mut String) -> bool {
        let rest = self.memory.get(self.position..).unwrap_or_default();
        let Some(length) = memchr::memchr(b'\n', rest) else { return false };
        item.push_str(std::str::from_utf8(&rest[..length]).unwrap_or_default());
        self.position += length + 1;
        true
    }
}
