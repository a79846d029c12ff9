//! Manifests: small files that name the files with the items.
//!
//! An S3 Inventory manifest is a JSON document; its files are CSV without a header, and the manifest names the columns.
//! The manifest of an Athena UNLOAD has the address of one file in each line.

use std::collections::VecDeque;

use futures::StreamExt;
use serde::Deserialize;

use super::{FilePlace, failed};
use crate::asl::{CsvLayout, Format, StateError};
use crate::services::StoredObject;

/// Largest manifest, in bytes: some hundred thousand names. Our own limit, the service states none.
pub(super) const MANIFEST_BYTES_MAX: u64 = 64 * 1_024 * 1_024;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Inventory {
    destination_bucket: String,
    file_format: String,
    file_schema: String,
    files: Vec<InventoryFile>,
}

#[derive(Debug, Deserialize)]
struct InventoryFile {
    key: String,
}

/// Reads a whole manifest.
pub(super) async fn read(object: &dyn StoredObject) -> Result<Vec<u8>, StateError> {
    let size = object.size();
    if size > MANIFEST_BYTES_MAX {
        return Err(failed(format!("the manifest has {size} bytes, the maximum is {MANIFEST_BYTES_MAX}")));
    }
    let unreadable = |error: crate::services::ServiceError| failed(error.message);
    let mut stream = object.read(0, size).await.map_err(unreadable)?;
    let mut text = Vec::new();
    while let Some(chunk) = stream.next().await {
        text.extend_from_slice(&chunk.map_err(unreadable)?);
    }
    Ok(text)
}

/// The files of an S3 Inventory, and what they look like.
pub(super) fn inventory(text: &[u8]) -> Result<(VecDeque<FilePlace>, Format), StateError> {
    let manifest: Inventory = serde_json::from_slice(text)
        .map_err(|error| failed(format!("the object is not the manifest of an S3 Inventory: {error}")))?;
    if !manifest.file_format.eq_ignore_ascii_case("CSV") {
        return Err(failed("the files of an S3 Inventory must be CSV; the manifest names another format"));
    }
    let columns = manifest.file_schema.split(',').map(|name| name.trim().to_owned()).collect();
    let bucket = manifest.destination_bucket.rsplit(":::").next().unwrap_or_default().to_owned();
    let files = manifest.files.into_iter().map(|file| FilePlace { bucket: bucket.clone(), key: file.key });
    Ok((files.collect(), Format::Csv(CsvLayout { delimiter: b',', header: Some(columns) })))
}

/// The files of an Athena UNLOAD.
pub(super) fn athena(text: &[u8]) -> Result<VecDeque<FilePlace>, StateError> {
    let text = std::str::from_utf8(text).map_err(|_| failed("the manifest is not UTF-8 text"))?;
    let lines = text.lines().map(|line| line.trim().trim_matches('"')).filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let place = line.strip_prefix("s3://").and_then(|place| place.split_once('/'));
            let (bucket, key) =
                place.ok_or_else(|| failed("expected an address like s3://bucket/key in each line of the manifest"))?;
            Ok(FilePlace { bucket: bucket.to_owned(), key: key.to_owned() })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn manifests_name_files() {
        let place = |bucket: &str, key: &str| FilePlace { bucket: bucket.to_owned(), key: key.to_owned() };
        let manifest = json!({"sourceBucket": "src", "destinationBucket": "arn:aws:s3:::dest", "version": "2016-11-30",
            "creationTimestamp": "1", "fileFormat": "CSV", "fileSchema": "Bucket, Key, Size",
            "files": [{"key": "d/1.csv.gz", "size": 7, "MD5checksum": "x"}]});
        let (files, format) = inventory(manifest.to_string().as_bytes()).unwrap();
        assert_eq!(files, [place("dest", "d/1.csv.gz")]);
        let header = Some(vec!["Bucket".to_owned(), "Key".to_owned(), "Size".to_owned()]);
        assert_eq!(format, Format::Csv(CsvLayout { delimiter: b',', header }));
        let refused = |text: &str, part: &str| {
            let cause = inventory(text.as_bytes()).unwrap_err().cause.unwrap_or_default();
            assert!(cause.contains(part), "{cause}");
        };
        refused("{}", "not the manifest of an S3 Inventory");
        refused(&manifest.to_string().replace("CSV", "ORC"), "must be CSV");
        let files = athena(b"s3://b/t/1.gz\n\"s3://b/t/2.gz\"\r\n\n").unwrap();
        assert_eq!(files, [place("b", "t/1.gz"), place("b", "t/2.gz")]);
        for text in ["b/t/1", "s3://b", "\u{e9}"] {
            assert!(athena(text.as_bytes()).unwrap_err().cause.unwrap_or_default().contains("expected an address"));
        }
    }
}
