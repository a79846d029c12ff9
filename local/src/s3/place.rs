//! Where the objects of a bucket go, when they are not kept in memory: files of an output folder, or a folder that
//! survives restarts.

use std::sync::Arc;

use super::blob::Blob;
use super::error::StoreError;
use super::kept_folder::KeptFolder;
use super::object::{Object, OutputFile};
use super::output_folder::OutputFolder;
use super::staging::{StagedFile, StagingFolder};

/// The folder of a bucket.
#[derive(Debug)]
pub(super) enum Place {
    /// Objects become files that a person looks at.
    Output(OutputFolder),
    /// Objects and what is known of them are kept for the next start.
    Kept(KeptFolder),
}

impl Place {
    /// Where bodies for this folder are staged.
    pub(super) fn staging(&self) -> &Arc<StagingFolder> {
        match self {
            Self::Output(folder) => folder.staging(),
            Self::Kept(folder) => folder.staging(),
        }
    }

    /// Writes blobs one behind the other into one staged file.
    pub(super) fn join(&self, blobs: &[(u64, Arc<Blob>)]) -> Result<StagedFile, StoreError> {
        let (mut file, staged) = self.staging().new_file()?;
        for (_, blob) in blobs {
            blob.append_to(&mut file).map_err(StoreError::io("write", staged.path()))?;
        }
        Ok(staged)
    }

    /// Puts a finished file where the object `key` belongs.
    pub(super) fn place(&self, key: &str, staged: StagedFile) -> Result<OutputFile, StoreError> {
        match self {
            Self::Output(folder) => folder.place(key, staged),
            Self::Kept(folder) => folder.place(staged),
        }
    }

    /// Notes an object whose file is in place. Only a kept folder has to.
    pub(super) fn record(&self, key: &str, object: &Object) -> Result<(), StoreError> {
        match self {
            Self::Output(_) => Ok(()),
            Self::Kept(folder) => folder.record(key, object),
        }
    }

    /// Deletes the file of an object that is there no more.
    pub(super) fn remove(&self, key: &str, file: &OutputFile) -> Result<(), StoreError> {
        match self {
            Self::Output(folder) => folder.remove(file),
            Self::Kept(folder) => folder.remove(key, file),
        }
    }

    /// Deletes the file of an object that another one has replaced.
    pub(super) fn remove_replaced(&self, file: &OutputFile) -> Result<(), StoreError> {
        match self {
            Self::Output(folder) => folder.remove(file),
            Self::Kept(folder) => folder.remove_body(file),
        }
    }
}
