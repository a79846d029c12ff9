//! A folder in which the objects of a bucket become visible as files.
//!
//! Bodies are written to `.mapmill/staging` inside the folder, hence on the same file system, and renamed to the path
//! of their key when the object is committed. Keys that cannot be a path are kept in `.mapmill/objects` under the hash
//! of the key. While the store lives it holds a lock on the folder; afterwards the staging area is removed.
//!
//! Files that are in the folder from before are not objects of the bucket; a write to their key replaces them.

use std::collections::HashSet;
use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::error::StoreError;
use super::file_identity::FileIdentity;
use super::key_path::{PRIVATE_FOLDER, UnmappableKey, hashed_path, relative_path};
use super::object::OutputFile;
use super::staging::{StagedFile, StagingFolder};

/// Folders known to exist are remembered up to this many, to save system calls.
const MAX_KNOWN_FOLDERS: usize = 10_000;

/// An output folder, locked against other processes.
#[derive(Debug)]
pub(super) struct OutputFolder {
    root: PathBuf,
    staging: Arc<StagingFolder>,
    known_folders: Mutex<HashSet<PathBuf>>,
    _lock: File,
}

/// Why a file could not be put at the path of its key.
enum PlaceError {
    Conflict,
    TooLong,
    Io(io::Error),
}

impl OutputFolder {
    /// Makes the folder when it is missing, locks it and clears what an earlier process left in its staging area.
    ///
    /// # Errors
    /// [`StoreError::FolderInUse`] when another process holds the lock, [`StoreError::Io`] otherwise.
    pub(super) fn open(folder: &Path) -> Result<Self, StoreError> {
        std::fs::create_dir_all(folder).map_err(StoreError::io("create folder", folder))?;
        let root = folder.canonicalize().map_err(StoreError::io("resolve", folder))?;
        let lock = File::open(&root).map_err(StoreError::io("open folder", &root))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreError::FolderInUse { path: root }),
            // Some network file systems have no locks; then the user has to take care.
            Err(TryLockError::Error(source)) if source.kind() == ErrorKind::Unsupported => {}
            Err(TryLockError::Error(source)) => return Err(StoreError::io("lock", root)(source)),
        }
        let staging = root.join(PRIVATE_FOLDER).join("staging");
        match std::fs::remove_dir_all(&staging) {
            Ok(()) => {}
            Err(source) if source.kind() == ErrorKind::NotFound => {}
            Err(source) => return Err(StoreError::io("clear", staging)(source)),
        }
        let staging = Arc::new(StagingFolder::create(staging)?);
        Ok(Self { root, staging, known_folders: Mutex::default(), _lock: lock })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Where bodies for this folder are staged.
    pub(super) fn staging(&self) -> &Arc<StagingFolder> {
        &self.staging
    }

    /// Makes a finished file visible as the object `key`.
    pub(super) fn place(&self, key: &str, mut staged: StagedFile) -> Result<OutputFile, StoreError> {
        let metadata = std::fs::metadata(staged.path()).map_err(StoreError::io("inspect", staged.path()))?;
        let identity = FileIdentity::of(&metadata);
        let unmappable = match relative_path(key) {
            Ok(relative) => match self.try_place(&relative, &mut staged) {
                Ok(path) => return Ok(OutputFile { path, identity, unmappable: None }),
                Err(PlaceError::Conflict) => UnmappableKey::Conflict,
                Err(PlaceError::TooLong) => UnmappableKey::TooLong,
                Err(PlaceError::Io(source)) => return Err(StoreError::io("write", self.root.join(relative))(source)),
            },
            Err(unmappable) => unmappable,
        };
        let hashed = hashed_path(key);
        match self.try_place(&hashed, &mut staged) {
            Ok(path) => Ok(OutputFile { path, identity, unmappable: Some(unmappable) }),
            Err(error) => Err(StoreError::io("write", self.root.join(hashed))(error.into_io())),
        }
    }

    /// Deletes the file of an object and the folders that became empty by it.
    pub(super) fn remove(&self, file: &OutputFile) -> Result<(), StoreError> {
        match std::fs::remove_file(&file.path) {
            Ok(()) => {}
            Err(source) if source.kind() == ErrorKind::NotFound => {}
            Err(source) => return Err(StoreError::io("delete", &file.path)(source)),
        }
        let mut folder = file.path.parent();
        while let Some(candidate) = folder.filter(|candidate| *candidate != self.root) {
            if std::fs::remove_dir(candidate).is_err() {
                break;
            }
            self.known().remove(candidate);
            folder = candidate.parent();
        }
        Ok(())
    }

    fn try_place(&self, relative: &Path, staged: &mut StagedFile) -> Result<PathBuf, PlaceError> {
        let target = self.root.join(relative);
        self.make_folders(relative)?;
        match staged.move_to(&target) {
            // A folder that was known is gone: someone tidied up while the store runs.
            Err(source) if source.kind() == ErrorKind::NotFound => {
                self.known().clear();
                self.make_folders(relative)?;
                staged.move_to(&target)?;
            }
            moved => moved?,
        }
        Ok(target)
    }

    /// Makes the folders above `relative`, refusing to go through files or links: a link could lead out of the folder.
    fn make_folders(&self, relative: &Path) -> Result<(), PlaceError> {
        let Some(parent) = relative.parent() else { return Ok(()) };
        let full = self.root.join(parent);
        if self.known().contains(&full) {
            return Ok(());
        }
        let mut current = self.root.clone();
        for component in parent.components() {
            current.push(component);
            match std::fs::symlink_metadata(&current) {
                Ok(metadata) if metadata.is_dir() => {}
                Ok(_) => return Err(PlaceError::Conflict),
                Err(source) if source.kind() == ErrorKind::NotFound => match std::fs::create_dir(&current) {
                    Err(source) if source.kind() != ErrorKind::AlreadyExists => return Err(source.into()),
                    _ => {}
                },
                Err(source) => return Err(source.into()),
            }
        }
        let mut known = self.known();
        if known.len() >= MAX_KNOWN_FOLDERS {
            known.clear();
        }
        known.insert(full);
        Ok(())
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashSet<PathBuf>> {
        self.known_folders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for OutputFolder {
    fn drop(&mut self) {
        // What remains are leftovers of uploads that never ended; `.mapmill` itself goes only when it holds no objects.
        let private = self.root.join(PRIVATE_FOLDER);
        let _ = std::fs::remove_dir_all(private.join("staging"));
        let _ = std::fs::remove_dir(private);
    }
}

impl PlaceError {
    fn into_io(self) -> io::Error {
        match self {
            Self::Conflict => io::Error::new(ErrorKind::AlreadyExists, "a file, folder or link is in the way"),
            Self::TooLong => io::Error::new(ErrorKind::InvalidFilename, "the path is too long"),
            Self::Io(source) => source,
        }
    }
}

impl From<io::Error> for PlaceError {
    fn from(source: io::Error) -> Self {
        match source.kind() {
            ErrorKind::IsADirectory
            | ErrorKind::NotADirectory
            | ErrorKind::AlreadyExists
            | ErrorKind::DirectoryNotEmpty => Self::Conflict,
            ErrorKind::InvalidFilename => Self::TooLong,
            _ => Self::Io(source),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn put(output: &OutputFolder, key: &str, content: &str) -> OutputFile {
        let (mut file, staged) = output.staging().new_file().unwrap();
        file.write_all(content.as_bytes()).unwrap();
        output.place(key, staged).unwrap()
    }

    #[test]
    fn files_appear_at_their_key_or_under_its_hash() {
        let folder = tempfile::tempdir().unwrap();
        let output = OutputFolder::open(folder.path()).unwrap();
        let check = |key: &str, expected: Option<UnmappableKey>| {
            let placed = put(&output, key, key);
            assert_eq!(placed.unmappable, expected, "{key:?}");
            assert_eq!(std::fs::read_to_string(&placed.path).unwrap(), key);
            let visible = expected.is_none() && placed.path == output.root().join(key);
            assert!(visible || placed.path.starts_with(output.root().join(".mapmill/objects")), "{key:?}");
        };
        check("a", None);
        check("a/b", Some(UnmappableKey::Conflict));
        check("c/d", None);
        check("c", Some(UnmappableKey::Conflict));
        check("../x", Some(UnmappableKey::DotSegment));
        check("e/", Some(UnmappableKey::EmptySegment));
        check("n/".repeat(60).trim_end_matches('/'), None);
        check(&"y".repeat(300), Some(UnmappableKey::TooLong));
    }

    #[test]
    fn a_link_in_the_folder_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), folder.path().join("link")).unwrap();
        let output = OutputFolder::open(folder.path()).unwrap();
        assert_eq!(put(&output, "link/x", "1").unmappable, Some(UnmappableKey::Conflict));
        assert_eq!(std::fs::read_dir(elsewhere.path()).unwrap().count(), 0);
    }

    #[test]
    fn removing_takes_empty_folders_along_and_they_can_come_back() {
        let folder = tempfile::tempdir().unwrap();
        let output = OutputFolder::open(folder.path()).unwrap();
        let deep = put(&output, "a/b/c", "1");
        let sibling = put(&output, "a/d", "2");
        output.remove(&deep).unwrap();
        assert!(!folder.path().join("a/b").exists() && sibling.path.exists());
        put(&output, "a/b/c", "3");
        std::fs::remove_dir_all(folder.path().join("a")).unwrap();
        assert!(put(&output, "a/b/c", "4").path.exists());
    }

    #[test]
    fn the_folder_is_locked_and_tidied() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join(".mapmill/staging/old")).unwrap();
        let output = OutputFolder::open(folder.path()).unwrap();
        assert!(!folder.path().join(".mapmill/staging/old").exists());
        assert!(matches!(OutputFolder::open(folder.path()), Err(StoreError::FolderInUse { .. })));
        drop(output);
        assert!(!folder.path().join(".mapmill").exists());
        assert!(OutputFolder::open(folder.path()).is_ok());
    }
}
