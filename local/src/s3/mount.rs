//! Finding the files of a data folder, so that they can be served as objects where they are.
//!
//! Only names, sizes and times are read. A link to a file is followed when the file lies inside the folder. What cannot
//! be an object is skipped and reported: links that leave the folder, links to folders (their files are found under
//! their own names), pipes and devices, names that are no UTF-8, keys over 1,024 bytes, and what cannot be read.

use std::collections::VecDeque;
use std::fmt;
use std::fs::Metadata;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::StoreError;
use super::file_identity::FileIdentity;
use super::key_path::PRIVATE_FOLDER;
use super::names::ObjectKey;

/// The most files one folder may have. Each takes some hundred bytes of memory.
pub const MAX_MOUNTED_FILES: u64 = 5_000_000;

/// Skipped files listed in a report; more are only counted.
const MAX_LISTED_SKIPS: usize = 100;

/// What was found in a mounted folder.
#[derive(Clone, Debug, Default)]
pub struct MountReport {
    /// Files that became objects.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The first hundred things that could not become objects.
    pub skipped: Vec<SkippedFile>,
    /// How many could not.
    pub skipped_total: u64,
}

/// A directory entry that did not become an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedFile {
    /// Where it is.
    pub path: PathBuf,
    /// Why it was skipped.
    pub reason: SkipReason,
}

/// Why a directory entry did not become an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SkipReason {
    /// The name is not UTF-8.
    NotUtf8,
    /// The path is longer than a key may be.
    KeyTooLong,
    /// A link to something outside the folder.
    LinkLeavesFolder,
    /// A link to a folder.
    LinkToFolder,
    /// A link to nothing.
    BrokenLink,
    /// A pipe, socket or device.
    SpecialFile,
    /// The folder `.mapmill` that an earlier run left at the top.
    Private,
    /// The system does not let us look at it.
    Unreadable(ErrorKind),
}

impl fmt::Display for SkipReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUtf8 => formatter.write_str("the name is not UTF-8"),
            Self::KeyTooLong => formatter.write_str("the path is longer than an object key may be (1,024 bytes)"),
            Self::LinkLeavesFolder => formatter.write_str("a link that leaves the data folder"),
            Self::LinkToFolder => formatter.write_str("a link to a folder"),
            Self::BrokenLink => formatter.write_str("a link to nothing"),
            Self::SpecialFile => formatter.write_str("neither a file nor a folder"),
            Self::Private => formatter.write_str("left by an earlier run of Mapmill"),
            Self::Unreadable(kind) => write!(formatter, "cannot be read: {kind}"),
        }
    }
}

impl MountReport {
    fn skip(&mut self, path: PathBuf, reason: SkipReason) {
        self.skipped_total += 1;
        if self.skipped.len() < MAX_LISTED_SKIPS {
            self.skipped.push(SkippedFile { path, reason });
        }
    }
}

/// The files found in a folder: its canonical path, key and identity of each file, and the report.
pub(super) struct Scan {
    pub(super) folder: Arc<Path>,
    pub(super) files: Vec<(ObjectKey, FileIdentity)>,
    pub(super) report: MountReport,
}

enum Entry {
    Folder,
    File(Metadata),
    Skip(SkipReason),
}

/// Finds all files below `folder`, which must be a folder. Blocks on the file system.
pub(super) fn scan(folder: &Path) -> Result<Scan, StoreError> {
    let root = folder.canonicalize().map_err(StoreError::io("open folder", folder))?;
    if !root.is_dir() {
        return Err(StoreError::NotAFolder { path: folder.to_owned() });
    }
    let mut scan = Scan { folder: root.as_path().into(), files: Vec::new(), report: MountReport::default() };
    let mut folders = VecDeque::from([root.clone()]);
    while let Some(current) = folders.pop_front() {
        let entries = match std::fs::read_dir(&current) {
            Ok(entries) => entries,
            Err(source) if current == root => return Err(StoreError::io("read folder", current)(source)),
            Err(source) => {
                scan.report.skip(current, SkipReason::Unreadable(source.kind()));
                continue;
            }
        };
        for entry in entries {
            let path = entry.map_err(StoreError::io("read folder", &current))?.path();
            match classify(&root, &path) {
                Entry::Folder => folders.push_back(path),
                Entry::File(metadata) => add(&mut scan, &root, path, &metadata)?,
                Entry::Skip(reason) => scan.report.skip(path, reason),
            }
        }
    }
    Ok(scan)
}

fn classify(root: &Path, path: &Path) -> Entry {
    let unreadable = |source: std::io::Error| Entry::Skip(SkipReason::Unreadable(source.kind()));
    let metadata = match std::fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(source) => return unreadable(source),
    };
    if metadata.is_dir() {
        let private = path.parent() == Some(root) && path.file_name().is_some_and(|name| name == PRIVATE_FOLDER);
        return if private { Entry::Skip(SkipReason::Private) } else { Entry::Folder };
    }
    if metadata.is_file() {
        return Entry::File(metadata);
    }
    if !metadata.is_symlink() {
        return Entry::Skip(SkipReason::SpecialFile);
    }
    let target = match path.canonicalize() {
        Ok(target) => target,
        Err(source) if source.kind() == ErrorKind::NotFound => return Entry::Skip(SkipReason::BrokenLink),
        Err(source) => return unreadable(source),
    };
    if !target.starts_with(root) {
        return Entry::Skip(SkipReason::LinkLeavesFolder);
    }
    match std::fs::metadata(&target) {
        Ok(metadata) if metadata.is_file() => Entry::File(metadata),
        Ok(metadata) if metadata.is_dir() => Entry::Skip(SkipReason::LinkToFolder),
        Ok(_) => Entry::Skip(SkipReason::SpecialFile),
        Err(source) => unreadable(source),
    }
}

fn add(scan: &mut Scan, root: &Path, path: PathBuf, metadata: &Metadata) -> Result<(), StoreError> {
    let Some(text) = path.strip_prefix(root).ok().and_then(Path::to_str) else {
        scan.report.skip(path, SkipReason::NotUtf8);
        return Ok(());
    };
    let Ok(key) = ObjectKey::parse(text) else {
        scan.report.skip(path, SkipReason::KeyTooLong);
        return Ok(());
    };
    if scan.report.files == MAX_MOUNTED_FILES {
        return Err(StoreError::TooMany { what: "files in the data folder", limit: MAX_MOUNTED_FILES });
    }
    let identity = FileIdentity::of(metadata);
    scan.report.files += 1;
    scan.report.bytes += identity.size;
    scan.files.push((key, identity));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;

    #[test]
    fn files_become_keys_and_the_rest_is_reported() {
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret"), "s").unwrap();
        let data = tempfile::tempdir().unwrap();
        let root = data.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("a/b")).unwrap();
        std::fs::create_dir_all(root.join(".mapmill/objects")).unwrap();
        for (path, content) in [("a/b/1.csv", "12"), (".DS_Store", ""), ("a/2", "1"), (".mapmill/objects/x", "x")] {
            std::fs::write(root.join(path), content).unwrap();
        }
        symlink("a/2", root.join("inside")).unwrap();
        symlink(outside.path().join("secret"), root.join("outside")).unwrap();
        symlink("..", root.join("a/loop")).unwrap();
        symlink("nowhere", root.join("broken")).unwrap();
        std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap();
        let odd = std::ffi::OsStr::from_bytes(b"caf\xe9.csv");
        std::fs::write(root.join(odd), "x").unwrap();

        let scan = scan(data.path()).unwrap();
        let mut keys: Vec<&str> = scan.files.iter().map(|(key, _)| key.as_str()).collect();
        keys.sort_unstable();
        assert_eq!(keys, [".DS_Store", "a/2", "a/b/1.csv", "inside"]);
        assert_eq!((scan.report.files, scan.report.bytes, scan.report.skipped_total), (4, 4, 6));
        let reason = |name: &std::ffi::OsStr| {
            scan.report.skipped.iter().find(|skipped| skipped.path == root.join(name)).map(|skipped| skipped.reason)
        };
        assert_eq!(reason("outside".as_ref()), Some(SkipReason::LinkLeavesFolder));
        assert_eq!(reason("a/loop".as_ref()), Some(SkipReason::LinkToFolder));
        assert_eq!(reason("broken".as_ref()), Some(SkipReason::BrokenLink));
        assert_eq!(reason("socket".as_ref()), Some(SkipReason::SpecialFile));
        assert_eq!(reason(".mapmill".as_ref()), Some(SkipReason::Private));
        assert_eq!(reason(odd), Some(SkipReason::NotUtf8));
    }

    #[test]
    fn a_missing_folder_or_a_file_is_refused() {
        let data = tempfile::tempdir().unwrap();
        assert!(matches!(scan(&data.path().join("x")), Err(StoreError::Io { .. })));
        std::fs::write(data.path().join("f"), "").unwrap();
        assert!(matches!(scan(&data.path().join("f")), Err(StoreError::NotAFolder { .. })));
    }
}
