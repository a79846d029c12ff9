//! The folder that samples are written to: a thousand files a subfolder, compressed when wanted.

use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::write::GzEncoder;

use super::error::SampleError;

/// Files in one subfolder.
const FILES_PER_FOLDER: u64 = 1000;

/// The zstd level that is as fast as plain gzip and smaller.
const ZSTD_LEVEL: i32 = 3;

/// How to compress each object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SampleCompression {
    /// Not at all.
    #[default]
    None,
    /// gzip, extension `.gz`.
    Gzip,
    /// Zstandard, extension `.zst`.
    Zstd,
}

pub(super) struct OutputFolder {
    root: PathBuf,
    extension: String,
    compression: SampleCompression,
}

impl OutputFolder {
    /// Makes the folder. One that holds something is refused unless `force` is given.
    pub(super) fn open(
        root: &Path,
        force: bool,
        extension: &str,
        compression: SampleCompression,
    ) -> Result<Self, SampleError> {
        let failed = |source| SampleError::Write { path: root.to_owned(), source };
        std::fs::create_dir_all(root).map_err(failed)?;
        if !force && std::fs::read_dir(root).map_err(failed)?.next().is_some() {
            return Err(SampleError::FolderNotEmpty { path: root.to_owned() });
        }
        let suffix = match compression {
            SampleCompression::None => "",
            SampleCompression::Gzip => ".gz",
            SampleCompression::Zstd => ".zst",
        };
        Ok(Self { root: root.to_owned(), extension: format!("{extension}{suffix}"), compression })
    }

    /// Writes object `number` and returns the size of its file.
    pub(super) fn write(&self, number: u64, object: &[u8]) -> Result<u64, SampleError> {
        let folder = self.root.join(format!("{:03}", number / FILES_PER_FOLDER));
        let path = folder.join(format!("part-{number:06}.{}", self.extension));
        let failed = |path: &Path, source| SampleError::Write { path: path.to_owned(), source };
        if number.is_multiple_of(FILES_PER_FOLDER) {
            std::fs::create_dir_all(&folder).map_err(|source| failed(&folder, source))?;
        }
        let compressed = match self.compression {
            SampleCompression::None => None,
            SampleCompression::Gzip => Some(gzip(object).map_err(|source| failed(&path, source))?),
            SampleCompression::Zstd => {
                Some(zstd::encode_all(object, ZSTD_LEVEL).map_err(|source| failed(&path, source))?)
            }
        };
        let bytes = compressed.as_deref().unwrap_or(object);
        std::fs::write(&path, bytes).map_err(|source| failed(&path, source))?;
        Ok(bytes.len() as u64)
    }
}

/// The header of gzip can hold a time and a file name; the encoder leaves both out, so equal input gives equal output.
fn gzip(object: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(object)?;
    encoder.finish()
}
