//! Files that are being written: made in a staging folder under a unique name, then either renamed to where they belong
//! or deleted. A half-written file is never seen under its final name.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::error::StoreError;

/// A folder for files that are not finished. The names in it are unique within the process.
#[derive(Debug)]
pub(super) struct StagingFolder {
    folder: PathBuf,
    next: AtomicU64,
}

impl StagingFolder {
    /// Makes the folder when it is missing.
    pub(super) fn create(folder: PathBuf) -> Result<Self, StoreError> {
        std::fs::create_dir_all(&folder).map_err(StoreError::io("create folder", &folder))?;
        Ok(Self { folder, next: AtomicU64::new(0) })
    }

    /// Makes an empty file that is deleted when the returned handle is dropped, unless it is moved away before.
    pub(super) fn new_file(&self) -> Result<(File, StagedFile), StoreError> {
        let path = self.folder.join(format!("{:08}", self.next.fetch_add(1, Ordering::Relaxed)));
        let file = File::create_new(&path).map_err(StoreError::io("create", &path))?;
        Ok((file, StagedFile { path }))
    }
}

/// A file in the staging folder, deleted on drop.
#[derive(Debug)]
pub(super) struct StagedFile {
    path: PathBuf,
}

impl StagedFile {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Moves the file to `target`, replacing a file there. On failure the staged file stays as it is.
    pub(super) fn move_to(&mut self, target: &Path) -> io::Result<()> {
        std::fs::rename(&self.path, target)?;
        self.path = PathBuf::new();
        Ok(())
    }
}

impl Drop for StagedFile {
    fn drop(&mut self) {
        if !self.path.as_os_str().is_empty() {
            // Nothing can be done here about a file that cannot be deleted; the whole folder is deleted at the end.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn staged_files_vanish_unless_moved() {
        let folder = tempfile::tempdir().unwrap();
        let staging = StagingFolder::create(folder.path().join("staging")).unwrap();
        let (_, dropped) = staging.new_file().unwrap();
        let (_, mut kept) = staging.new_file().unwrap();
        let dropped_path = dropped.path().to_owned();
        assert_ne!(dropped_path, kept.path());
        drop(dropped);
        assert!(!dropped_path.exists());
        let target = folder.path().join("kept");
        kept.move_to(&target).unwrap();
        drop(kept);
        assert!(target.exists());
    }
}
