//! The temporary folder of a store: deleted with the store, or by the next one when the process was killed.
//!
//! A store holds a lock on its folder. The system gives the lock back however the process ends, so a folder whose lock is
//! free is a leftover.

use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use super::error::StoreError;

const PREFIX: &str = "mapmill-s3-";
/// A younger folder may be one that is not locked yet.
const LEAST_AGE: Duration = Duration::from_secs(60);

/// A folder that is deleted with everything in it when this is dropped.
#[derive(Debug)]
pub(super) struct TemporaryFolder {
    folder: tempfile::TempDir,
    _lock: File,
}

impl TemporaryFolder {
    /// Makes a folder in `parent`, and deletes what killed processes left there.
    pub(super) fn create(parent: &Path) -> Result<Self, StoreError> {
        delete_leftovers(parent, LEAST_AGE);
        let folder = tempfile::Builder::new()
            .prefix(PREFIX)
            .tempdir_in(parent)
            .map_err(StoreError::io("create a temporary folder in", parent))?;
        let lock = File::open(folder.path()).map_err(StoreError::io("open folder", folder.path()))?;
        match lock.try_lock() {
            // Where there are no locks, nobody can take one to delete the folder either.
            Ok(()) => {}
            Err(TryLockError::Error(source)) if source.kind() == ErrorKind::Unsupported => {}
            Err(error) => return Err(StoreError::io("lock", folder.path())(error.into())),
        }
        Ok(Self { folder, _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Deletes the folders of stores that are gone, as far as they may be deleted: some may belong to other users.
fn delete_leftovers(parent: &Path, least_age: Duration) {
    let Ok(entries) = std::fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let is_ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        // Of a link this describes the link, so only true folders pass.
        let Some(metadata) = entry.metadata().ok().filter(|metadata| is_ours && metadata.is_dir()) else { continue };
        let age = metadata.modified().ok().and_then(|modified| modified.elapsed().ok()).unwrap_or_default();
        if age >= least_age
            && let Ok(folder) = File::open(entry.path())
            && folder.try_lock().is_ok()
        {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftovers_are_deleted_and_folders_in_use_are_not() {
        let parent = tempfile::tempdir().unwrap();
        let used = TemporaryFolder::create(parent.path()).unwrap();
        let leftover = parent.path().join("mapmill-s3-dead");
        std::fs::create_dir_all(leftover.join("bodies")).unwrap();
        let other = parent.path().join("other");
        std::fs::create_dir(&other).unwrap();
        let link = parent.path().join("mapmill-s3-link");
        std::os::unix::fs::symlink(&other, &link).unwrap();
        delete_leftovers(parent.path(), LEAST_AGE);
        assert!(leftover.exists(), "too young");
        delete_leftovers(parent.path(), Duration::ZERO);
        assert!(!leftover.exists());
        assert!(used.path().exists() && other.exists() && link.is_symlink());
        let path = used.path().to_owned();
        drop(used);
        assert!(!path.exists());
    }
}
