//! Reading a whole file into memory, with a limit.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BoundedFileError {
    /// The file is larger than allowed.
    #[error("{} has more than {limit}, the limit for this file", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit.
        limit: job::ByteSize,
    },
    /// The file cannot be opened or read.
    #[error("cannot read {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
}

/// Reads a file of at most `limit` bytes.
///
/// # Errors
/// [`BoundedFileError`].
#[expect(clippy::disallowed_methods, reason = "the reader is cut off one byte behind the limit")]
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, BoundedFileError> {
    let failed = |source| BoundedFileError::Io { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > limit {
        return Err(BoundedFileError::TooLarge { path: path.to_owned(), limit: job::ByteSize::from_bytes(limit) });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_holds_to_the_byte() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        std::fs::write(&path, "12345").unwrap();
        assert_eq!(read(&path, 5).unwrap(), b"12345");
        assert!(matches!(read(&path, 4), Err(BoundedFileError::TooLarge { .. })));
        assert!(matches!(read(&folder.path().join("none"), 4), Err(BoundedFileError::Io { .. })));
    }
}
