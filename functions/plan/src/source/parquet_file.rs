//! A data file of an S3 Inventory in Parquet, row by row.
//!
//! Such a file is not read in order: first its end, which says where everything is, then pages of the columns in turn. It is
//! fetched in blocks of a mebibyte, of which the last few are kept; so a page's header of some bytes is not a request of its
//! own, and memory does not follow the size of the file. The Parquet crate asks for bytes without waiting in between, so it
//! works on a thread of its own and hands its rows over a page at a time.

use crate::found::Found;
use batch::BatchError;
use bytes::Bytes;
use object_store::{
    ByteRange, ETag, ObjectAddress, ObjectError, ObjectStore, OpenRequest, ResumeOptions, ResumingReader,
};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::reader::{ChunkReader, FileReader, Length, SerializedFileReader};
use parquet::record::reader::RowIter;
use parquet::record::{Field, Row};
use parquet::schema::types::Type;
use std::collections::VecDeque;
use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Rows that are handed on at a time.
const PAGE: usize = 1000;

/// Pages that wait to be taken.
const PAGES_WAITING: usize = 2;

/// What is fetched at once.
const BLOCK_BYTES: u64 = 1 << 20;

/// Blocks that are kept: one for each of the five columns, and some for pages that lie across two.
const BLOCKS: usize = 16;

/// The largest page as it is stored, in bytes; writers make them of a mebibyte or so.
const PAGE_BYTES_MAX: u64 = 64 << 20;

/// The largest column of a row group when it is expanded, in bytes.
const COLUMN_BYTES_MAX: i64 = 512 << 20;

/// The longest footer, in bytes.
const FOOTER_BYTES_MAX: u64 = 16 << 20;

/// The end of a file: the length of its footer in four bytes, and four letters.
const TAIL_BYTES: u64 = 8;

/// The columns that are read, in the words of [`column_name`].
const COLUMNS: [&str; 5] = ["key", "size", "etag", "islatest", "isdeletemarker"];

/// A file that is being read.
pub(super) struct ParquetFile {
    pages: mpsc::Receiver<Result<Vec<Found>, BatchError>>,
    thread: Option<JoinHandle<()>>,
    address: ObjectAddress,
}

impl ParquetFile {
    pub(super) async fn open(store: &Arc<dyn ObjectStore>, address: ObjectAddress) -> Result<Self, BatchError> {
        let head = store.head(&address).await.map_err(|error| unreadable_object(&error))?;
        let blocks = Arc::new(Blocks {
            runtime: Handle::current(),
            store: store.clone(),
            address: address.clone(),
            etag: head.etag,
            size: head.size,
            kept: Mutex::default(),
            failure: Mutex::default(),
        });
        let (sender, pages) = mpsc::channel(PAGES_WAITING);
        let thread = tokio::task::spawn_blocking(move || {
            if let Err(error) = read(&blocks, &sender) {
                let failure = blocks.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
                let message = format!("the inventory's file {} cannot be read as Parquet: {error}", blocks.address);
                // When nobody listens any more, there is nobody to be told.
                let _ = sender.blocking_send(Err(failure.unwrap_or(BatchError::InvalidJob(message))));
            }
        });
        Ok(Self { pages, thread: Some(thread), address })
    }

    /// The next objects; none at the end.
    pub(super) async fn next_page(&mut self) -> Result<Option<Vec<Found>>, BatchError> {
        if let Some(page) = self.pages.recv().await {
            return page.map(Some);
        }
        // A thread that broke off has not read to the end.
        let Some(thread) = self.thread.take() else { return Ok(None) };
        thread.await.map(|()| None).map_err(|_| {
            let message = format!("the inventory's file {} is damaged in a way that ends its reader", self.address);
            BatchError::InvalidJob(message)
        })
    }
}

fn unreadable_object(error: &ObjectError) -> BatchError {
    BatchError::from_store("a file of the inventory cannot be read", error)
}

fn read(blocks: &Arc<Blocks>, pages: &mpsc::Sender<Result<Vec<Found>, BatchError>>) -> ParquetResult<()> {
    let source = Source(blocks.clone());
    let tail = source.get_bytes(source.len().saturating_sub(TAIL_BYTES), TAIL_BYTES as usize)?;
    let footer = tail.first_chunk().map_or(0, |length| u64::from(u32::from_le_bytes(*length)));
    if footer > FOOTER_BYTES_MAX && tail.ends_with(b"PAR1") {
        return Err(too_large("its footer", footer, FOOTER_BYTES_MAX));
    }
    let reader = SerializedFileReader::new(source)?;
    let metadata = reader.metadata();
    for column in metadata.row_groups().iter().flat_map(RowGroupMetaData::columns) {
        let is_read = COLUMNS.contains(&column_name(&column.column_path().string()).as_str());
        if is_read && column.uncompressed_size() > COLUMN_BYTES_MAX {
            let found = u64::try_from(column.uncompressed_size()).unwrap_or_default();
            return Err(too_large("a column of a row group", found, COLUMN_BYTES_MAX as u64));
        }
    }
    let columns = needed(metadata.file_metadata().schema())?;
    let mut page = Vec::with_capacity(PAGE);
    for row in RowIter::from_file_into(Box::new(reader)).project(Some(columns))? {
        page.push(found(&row?)?);
        if page.len() == PAGE && pages.blocking_send(Ok(std::mem::take(&mut page))).is_err() {
            return Ok(());
        }
    }
    // When nobody listens any more, nobody misses the last page.
    let _ = pages.blocking_send(Ok(page));
    Ok(())
}

fn too_large(what: &str, found: u64, limit: u64) -> ParquetError {
    ParquetError::General(format!("{what} has {found} bytes, the maximum is {limit}"))
}

/// `ETag`, `e_tag` and `E_TAG` are one: S3 writes the first into manifests and the second into files.
fn column_name(name: &str) -> String {
    name.chars().filter(|letter| *letter != '_').flat_map(char::to_lowercase).collect()
}

/// The schema without the columns that are of no use here.
fn needed(schema: &Type) -> ParquetResult<Type> {
    let is_read = |field: &&Arc<Type>| COLUMNS.contains(&column_name(field.name()).as_str());
    let fields: Vec<Arc<Type>> = schema.get_fields().iter().filter(is_read).cloned().collect();
    for name in ["key", "size"] {
        if !fields.iter().any(|field| column_name(field.name()) == name) {
            return Err(ParquetError::General(format!("expected the column {name} in it")));
        }
    }
    Type::group_type_builder(schema.name()).with_fields(fields).build()
}

/// The object of a row.
fn found(row: &Row) -> ParquetResult<Found> {
    let mut found = Found::default();
    let mut has_key = false;
    for (name, field) in row.get_column_iter() {
        match (column_name(name).as_str(), field) {
            ("key", Field::Str(key)) => (found.key, has_key) = (key.clone(), true),
            ("size", Field::Long(size)) if *size >= 0 => found.size = u64::try_from(*size).ok(),
            // A delete marker has no size.
            ("size", Field::Null) => found.size = Some(0),
            ("etag", Field::Str(etag)) => {
                found.etag = Some(etag.trim_matches('"').to_owned()).filter(|etag| !etag.is_empty());
            }
            ("islatest", Field::Bool(is_latest)) => found.not_present |= !is_latest,
            ("isdeletemarker", Field::Bool(is_marker)) => found.not_present |= is_marker,
            ("etag" | "islatest" | "isdeletemarker", Field::Null) => {}
            (_, _) => return Err(ParquetError::General(format!("expected another type in its column {name}"))),
        }
    }
    if has_key { Ok(found) } else { Err(ParquetError::General("expected a key in every row".to_owned())) }
}

/// An object of which any part can be read.
struct Blocks {
    runtime: Handle,
    store: Arc<dyn ObjectStore>,
    address: ObjectAddress,
    etag: ETag,
    size: u64,
    /// The last blocks by their number, the latest in front.
    kept: Mutex<VecDeque<(u64, Bytes)>>,
    /// Why the store could not be read; errors of the Parquet crate have no place for it.
    failure: Mutex<Option<BatchError>>,
}

impl Blocks {
    fn block(&self, number: u64) -> ParquetResult<Bytes> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = kept.iter().position(|(kept, _)| *kept == number)
            && let Some(block) = kept.remove(place)
        {
            kept.push_front(block.clone());
            return Ok(block.1);
        }
        let bytes = self.runtime.block_on(self.fetch(number)).map_err(|error| {
            *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(unreadable_object(&error));
            ParquetError::General("the store cannot be read".to_owned())
        })?;
        kept.truncate(BLOCKS - 1);
        kept.push_front((number, bytes.clone()));
        Ok(bytes)
    }

    async fn fetch(&self, number: u64) -> Result<Bytes, ObjectError> {
        let start = number * BLOCK_BYTES;
        let end = self.size.min(start + BLOCK_BYTES);
        let request = OpenRequest {
            address: self.address.clone(),
            range: Some(ByteRange { start, end: Some(end) }),
            if_match: Some(self.etag.clone()),
        };
        let mut reader = ResumingReader::open(self.store.clone(), request, ResumeOptions::default()).await?;
        let mut bytes = Vec::with_capacity(BLOCK_BYTES as usize);
        while let Some(chunk) = reader.next().await? {
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes.into())
    }

    /// What the block in which a byte lies has from that byte on; empty behind the end.
    fn from(&self, position: u64) -> ParquetResult<Bytes> {
        if position >= self.size {
            return Ok(Bytes::new());
        }
        let block = self.block(position / BLOCK_BYTES)?;
        Ok(block.slice(block.len().min((position % BLOCK_BYTES) as usize)..))
    }
}

#[derive(Clone)]
struct Source(Arc<Blocks>);

/// Reads from a place to the end of the file.
struct Forward {
    blocks: Arc<Blocks>,
    position: u64,
}

impl Read for Forward {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let bytes = self.blocks.from(self.position).map_err(std::io::Error::other)?;
        let count = bytes.len().min(buffer.len());
        buffer[..count].copy_from_slice(&bytes[..count]);
        self.position += count as u64;
        Ok(count)
    }
}

impl Length for Source {
    fn len(&self) -> u64 {
        self.0.size
    }
}

impl ChunkReader for Source {
    type T = Forward;

    fn get_read(&self, start: u64) -> ParquetResult<Forward> {
        Ok(Forward { blocks: self.0.clone(), position: start })
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        // A broken file may name any length.
        if length as u64 > PAGE_BYTES_MAX.min(self.len().saturating_sub(start)) {
            return Err(ParquetError::EOF(format!("a part of {length} bytes from {start} is not in the file")));
        }
        let first = self.0.from(start)?;
        if first.len() >= length {
            return Ok(first.slice(..length));
        }
        let mut bytes = Vec::with_capacity(length);
        while bytes.len() < length {
            let part = self.0.from(start + bytes.len() as u64)?;
            if part.is_empty() {
                return Err(ParquetError::EOF("the file is shorter than it was".to_owned()));
            }
            bytes.extend_from_slice(&part[..part.len().min(length - bytes.len())]);
        }
        Ok(bytes.into())
    }
}
