//! An S3 Inventory as the source: its files, row by row.
//!
//! S3 writes the inventory of a bucket once a day or week, as gzip files of CSV without a header or as Parquet;
//! `manifest.json` names the files and the columns of CSV. Keys are URL-encoded in CSV, so a row is a line there, and are as
//! they are in Parquet. An inventory is read in seconds where a listing takes minutes, but it is as old as it is: objects that
//! are gone since fail as `not_found`, replaced ones as `changed`, and new ones are not seen. Inventories in ORC are refused.

use super::manifest::{Columns, Manifest};
use super::parquet_file::ParquetFile;
use crate::found::Found;
use crate::lines::Lines;
use batch::{BatchError, check_read, decode_key};
use csv::{ByteRecord, ReaderBuilder};
use job::Job;
use object_store::{Compression, ExpansionLimits, ObjectAddress, ObjectStore, Places};
use std::sync::Arc;

/// Rows that are handed on at a time.
const PAGE: usize = 1000;

/// Rows of an inventory.
pub(crate) struct Inventory {
    store: Arc<dyn ObjectStore>,
    files: std::vec::IntoIter<ObjectAddress>,
    /// The file that is being read.
    open: Option<Open>,
    format: Format,
    prefix: String,
    record: ByteRecord,
}

enum Open {
    Csv(Box<Lines>),
    Parquet(ParquetFile),
}

#[derive(Debug, Clone, Copy)]
enum Format {
    Csv(Columns),
    Parquet,
}

impl Inventory {
    pub(super) async fn open(
        store: &Arc<dyn ObjectStore>,
        readable: &Places,
        manifest: &str,
        job: &Job,
    ) -> Result<Self, BatchError> {
        let invalid = |message: String| BatchError::InvalidEvent(message);
        let parts = manifest.strip_prefix("s3://").and_then(|rest| rest.split_once('/'));
        let address = parts.map(|(bucket, key)| ObjectAddress::parse(bucket, key));
        let Some(Ok(address)) = address else {
            return Err(invalid(
                "expected batch.inventory as s3://bucket/key of a manifest.json, found another text".into(),
            ));
        };
        let allowed = |address: &ObjectAddress| {
            check_read(readable, address)
                .map_err(|error| BatchError::from_store("the inventory cannot be read", &error))
        };
        allowed(&address)?;
        let manifest = Manifest::read(store, &address).await?;
        let format = match manifest.file_format.to_ascii_uppercase().as_str() {
            "CSV" => Format::Csv(manifest.columns()?),
            "PARQUET" => Format::Parquet,
            _ => {
                let message = "expected an inventory in CSV or Parquet, found another format (ORC is not read); configure the \
                               inventory to be one of them, or run without it";
                return Err(BatchError::InvalidJob(message.to_owned()));
            }
        };
        if manifest.source_bucket != job.source.bucket.as_str() {
            let message = format!(
                "expected the inventory of source.bucket ({}), found that of another bucket",
                job.source.bucket
            );
            return Err(BatchError::InvalidJob(message));
        }
        let files = manifest.files()?;
        files.iter().try_for_each(allowed)?;
        let prefix = job.source.prefix.as_str().to_owned();
        Ok(Self {
            store: store.clone(),
            files: files.into_iter(),
            open: None,
            format,
            prefix,
            record: ByteRecord::new(),
        })
    }

    /// The next objects; none at the end. A page may be empty.
    pub(super) async fn next_page(&mut self) -> Result<Option<Vec<Found>>, BatchError> {
        loop {
            let page = match &mut self.open {
                None => {
                    let Some(file) = self.files.next() else { return Ok(None) };
                    self.open = Some(Open::new(&self.store, file, self.format).await?);
                    continue;
                }
                Some(Open::Csv(lines)) => rows(lines, self.format, &mut self.record).await?,
                Some(Open::Parquet(file)) => file.next_page().await?,
            };
            match page {
                None => self.open = None,
                Some(mut page) => {
                    page.retain(|found| found.key.starts_with(&self.prefix));
                    return Ok(Some(page));
                }
            }
        }
    }
}

impl Open {
    async fn new(store: &Arc<dyn ObjectStore>, file: ObjectAddress, format: Format) -> Result<Self, BatchError> {
        if let Format::Parquet = format {
            return ParquetFile::open(store, file).await.map(Self::Parquet);
        }
        let compression = if file.key.as_str().ends_with(".gz") { Compression::Gzip } else { Compression::None };
        let limits = ExpansionLimits { expansion_ratio: 10_000, ..ExpansionLimits::default() };
        let doing = "a file of the inventory cannot be read";
        Ok(Self::Csv(Box::new(Lines::open(store, &file, compression, limits, doing).await?)))
    }
}

/// The objects of the next rows of CSV; none at the end.
async fn rows(lines: &mut Lines, format: Format, record: &mut ByteRecord) -> Result<Option<Vec<Found>>, BatchError> {
    let Format::Csv(columns) = format else { return Ok(None) };
    let mut page = Vec::new();
    while page.len() < PAGE {
        let Some(line) = lines.next().await? else { break };
        match row(line, columns, record) {
            Some(found) => page.push(found),
            None => return Err(lines.unexpected("a row with the columns of the manifest")),
        }
    }
    Ok((!page.is_empty()).then_some(page))
}

/// The object of a row.
fn row(line: &str, columns: Columns, record: &mut ByteRecord) -> Option<Found> {
    let mut reader =
        ReaderBuilder::new().has_headers(false).buffer_capacity(line.len() + 1).from_reader(line.as_bytes());
    if !reader.read_byte_record(record).ok()? {
        return None;
    }
    let text = |column: usize| record.get(column).and_then(|field| std::str::from_utf8(field).ok());
    let is = |column: Option<usize>, wanted: &str| {
        column.and_then(text).is_some_and(|text| text.eq_ignore_ascii_case(wanted))
    };
    let is_marker = is(columns.is_delete_marker, "true");
    let size = text(columns.size)?;
    Some(Found {
        key: decode_key(text(columns.key)?).ok()?,
        // A delete marker has no size.
        size: Some(if size.is_empty() { 0 } else { size.parse().ok()? }),
        etag: columns.etag.and_then(text).filter(|etag| !etag.is_empty()).map(|etag| etag.trim_matches('"').to_owned()),
        range: None,
        not_present: is_marker || is(columns.is_latest, "false"),
    })
}
