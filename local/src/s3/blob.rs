//! The bytes of a body or of one part of a multipart upload: small ones in memory, the others in a staged file.

use std::fs::File;
use std::io::{self, Read, Write};

use bytes::Bytes;

use super::error::StoreError;
use super::memory::Reservation;
use super::staging::{StagedFile, StagingFolder};

/// How much of a file is read at once to hash it.
const FEED_BYTES: usize = 256 << 10;

/// Bytes that were received completely. A file is deleted when the blob is dropped.
#[derive(Debug)]
pub(super) enum Blob {
    /// In memory, counted against the budget for as long as the blob lives.
    Memory { bytes: Bytes, _reservation: Reservation },
    /// In a staged file.
    File(StagedFile),
}

impl Blob {
    /// Turns the blob into a file, so that it can be moved into an output folder.
    pub(super) fn into_file(self, staging: &StagingFolder) -> Result<StagedFile, StoreError> {
        match self {
            Self::File(file) => Ok(file),
            Self::Memory { bytes, .. } => {
                let (mut file, staged) = staging.new_file()?;
                file.write_all(&bytes).map_err(StoreError::io("write", staged.path()))?;
                Ok(staged)
            }
        }
    }

    /// Hands the bytes to `take`, piece by piece.
    pub(super) fn feed(&self, mut take: impl FnMut(&[u8])) -> io::Result<()> {
        match self {
            Self::Memory { bytes, .. } => take(bytes),
            Self::File(staged) => {
                let mut file = File::open(staged.path())?;
                let mut piece = vec![0; FEED_BYTES];
                loop {
                    match file.read(&mut piece)? {
                        0 => break,
                        length => take(&piece[..length]),
                    }
                }
            }
        }
        Ok(())
    }

    /// Appends the bytes to `file`; between files of one file system the kernel copies them itself.
    pub(super) fn append_to(&self, file: &mut File) -> io::Result<()> {
        match self {
            Self::Memory { bytes, .. } => file.write_all(bytes),
            Self::File(staged) => io::copy(&mut File::open(staged.path())?, file).map(|_| ()),
        }
    }
}
