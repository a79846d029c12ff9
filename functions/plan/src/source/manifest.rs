//! The manifest of an S3 Inventory: which files, in which format, with which columns.

use batch::BatchError;
use object_store::{ObjectAddress, ObjectStore, OpenRequest, ResumeOptions, ResumingReader};
use serde::Deserialize;
use std::sync::Arc;

/// The longest manifest that is read; S3 writes some 200 bytes for a file of hundreds of thousands of rows.
const LONGEST: usize = 16 << 20;

/// What is read of `manifest.json` (Amazon S3 User Guide, Inventory manifest).
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Manifest {
    pub(super) source_bucket: String,
    /// An ARN.
    destination_bucket: String,
    pub(super) file_format: String,
    file_schema: String,
    files: Vec<File>,
}

#[derive(Debug, Clone, Deserialize)]
struct File {
    key: String,
}

/// Where the columns stand that are needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Columns {
    pub(super) key: usize,
    pub(super) size: usize,
    pub(super) etag: Option<usize>,
    pub(super) is_latest: Option<usize>,
    pub(super) is_delete_marker: Option<usize>,
}

impl Manifest {
    pub(super) async fn read(store: &Arc<dyn ObjectStore>, address: &ObjectAddress) -> Result<Self, BatchError> {
        let failed = |error| BatchError::from_store("the inventory's manifest cannot be read", &error);
        let request = OpenRequest::whole(address.clone());
        let mut reader =
            ResumingReader::open(store.clone(), request, ResumeOptions::default()).await.map_err(failed)?;
        let mut text = Vec::new();
        while let Some(chunk) = reader.next().await.map_err(failed)? {
            if text.len() + chunk.len() > LONGEST {
                let message = format!("the inventory's manifest {address} is longer than {LONGEST} bytes");
                return Err(BatchError::InvalidJob(message));
            }
            text.extend_from_slice(&chunk);
        }
        serde_json::from_slice(&text).map_err(|error| {
            BatchError::InvalidJob(format!("expected the manifest.json of an S3 Inventory in {address}: {error}"))
        })
    }

    /// The addresses of the files.
    pub(super) fn files(&self) -> Result<Vec<ObjectAddress>, BatchError> {
        let bucket = self.destination_bucket.rsplit(':').next().unwrap_or_default();
        let address = |file: &File| {
            ObjectAddress::parse(bucket, &file.key)
                .map_err(|error| BatchError::InvalidJob(format!("a file of the inventory: {error}")))
        };
        self.files.iter().map(address).collect()
    }

    /// The columns by the manifest's schema, a list of names with commas.
    pub(super) fn columns(&self) -> Result<Columns, BatchError> {
        let names: Vec<&str> = self.file_schema.split(',').map(str::trim).collect();
        let column = |name: &str| names.iter().position(|found| found.eq_ignore_ascii_case(name));
        let needed = |name: &str| {
            column(name).ok_or_else(|| {
                BatchError::InvalidJob(format!("expected the column {name} in the inventory; configure it to have one"))
            })
        };
        Ok(Columns {
            key: needed("Key")?,
            size: needed("Size")?,
            etag: column("ETag"),
            is_latest: column("IsLatest"),
            is_delete_marker: column("IsDeleteMarker"),
        })
    }
}
