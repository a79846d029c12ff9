//! A folder in which the objects of a store survive its end.
//!
//! ```text
//! DIR/.mapmill-store                   says that this is such a folder
//! DIR/.staging/                        bodies that are being written
//! DIR/BUCKET/bodies/<uuid>             the bytes of an object
//! DIR/BUCKET/entries/<hash of key>     what else is known of it, as JSON; names the body
//! ```
//!
//! An object exists when its entry does. A write puts the body in place first, then renames the entry over the one before,
//! then deletes the body before: whenever the process is killed, the key has the old object or the new one, whole. What a
//! killed process left of bodies without an entry is deleted when the folder is opened. File names are hashes, so a key
//! may have any legal length and any characters. Open multipart uploads do not survive.

use std::collections::HashSet;
use std::fs::{File, TryLockError};
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use s3s::dto::Checksum;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::attributes::Attributes;
use super::error::StoreError;
use super::file_identity::FileIdentity;
use super::names::ObjectKey;
use super::object::{Body, Object, OutputFile};
use super::staging::{StagedFile, StagingFolder};
use super::tag::EntityTag;
use super::tags::Tags;

const MARKER: &str = ".mapmill-store";
const MARKER_TEXT: &str = "mapmill store 1\n";
/// Largest entry: a key, 2 KiB of metadata and ten tags, all of which JSON may write with six bytes for one, and headers.
const ENTRY_BYTES_MAX: u64 = 1024 * 1024;

/// The folder of a whole store, locked against other processes.
#[derive(Debug)]
pub(super) struct KeptStore {
    root: PathBuf,
    staging: Arc<StagingFolder>,
    _lock: File,
}

/// The part of it that belongs to one bucket.
#[derive(Debug)]
pub(super) struct KeptFolder {
    bodies: PathBuf,
    entries: PathBuf,
    staging: Arc<StagingFolder>,
}

/// What is written about an object.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    key: String,
    body: String,
    size: u64,
    etag: String,
    modified_ms: u64,
    #[serde(default, skip_serializing_if = "is_default")]
    attributes: Attributes,
    #[serde(default, skip_serializing_if = "is_default")]
    tags: Tags,
    #[serde(default, skip_serializing_if = "is_default")]
    checksum: Sums,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Sums {
    crc32: Option<String>,
    crc32c: Option<String>,
    crc64nvme: Option<String>,
    sha1: Option<String>,
    sha256: Option<String>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl KeptStore {
    /// Opens the folder, or makes it of one that is empty or missing.
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
        let marker = root.join(MARKER);
        if !marker.exists() {
            let is_empty = std::fs::read_dir(&root).map_err(StoreError::io("read folder", &root))?.next().is_none();
            if !is_empty {
                return Err(StoreError::NotAStore { path: root });
            }
            std::fs::write(&marker, MARKER_TEXT).map_err(StoreError::io("write", &marker))?;
        }
        let staging = root.join(".staging");
        match std::fs::remove_dir_all(&staging) {
            Ok(()) => {}
            Err(source) if source.kind() == ErrorKind::NotFound => {}
            Err(source) => return Err(StoreError::io("clear", staging)(source)),
        }
        Ok(Self { staging: Arc::new(StagingFolder::create(staging)?), root, _lock: lock })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// The names of the folders that may be buckets.
    pub(super) fn buckets(&self) -> Result<Vec<String>, StoreError> {
        let entries = std::fs::read_dir(&self.root).map_err(StoreError::io("read folder", &self.root))?;
        let folders = entries.flatten().filter(|entry| entry.path().join("entries").is_dir());
        Ok(folders.filter_map(|entry| entry.file_name().into_string().ok()).collect())
    }

    /// The folder of a bucket, made when it is missing.
    pub(super) fn bucket(&self, name: &str) -> Result<KeptFolder, StoreError> {
        let folder = self.root.join(name);
        let (bodies, entries) = (folder.join("bodies"), folder.join("entries"));
        for folder in [&bodies, &entries] {
            std::fs::create_dir_all(folder).map_err(StoreError::io("create folder", folder))?;
        }
        Ok(KeptFolder { bodies, entries, staging: Arc::clone(&self.staging) })
    }
}

impl KeptFolder {
    pub(super) fn staging(&self) -> &Arc<StagingFolder> {
        &self.staging
    }

    /// Puts the body of an object in place.
    pub(super) fn place(&self, mut staged: StagedFile) -> Result<OutputFile, StoreError> {
        let path = self.bodies.join(uuid::Uuid::new_v4().simple().to_string());
        staged.move_to(&path).map_err(StoreError::io("write", &path))?;
        let metadata = std::fs::metadata(&path).map_err(StoreError::io("inspect", &path))?;
        Ok(OutputFile { path, identity: FileIdentity::of(&metadata), unmappable: None })
    }

    /// Writes the entry of an object whose body is in place.
    pub(super) fn record(&self, key: &str, object: &Object) -> Result<(), StoreError> {
        let Body::Output(file) = &object.body else { return Ok(()) };
        let sum = object.checksum.as_deref().cloned().unwrap_or_default();
        let since_epoch = object.modified.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let entry = Entry {
            key: key.to_owned(),
            body: file.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
            size: object.size,
            etag: object.tag.to_string(),
            modified_ms: u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX),
            attributes: object.attributes.as_deref().cloned().unwrap_or_default(),
            tags: object.tags.as_deref().cloned().unwrap_or_default(),
            checksum: Sums {
                crc32: sum.checksum_crc32,
                crc32c: sum.checksum_crc32c,
                crc64nvme: sum.checksum_crc64nvme,
                sha1: sum.checksum_sha1,
                sha256: sum.checksum_sha256,
            },
        };
        let path = self.entry_path(key);
        let text = serde_json::to_vec(&entry).map_err(|error| StoreError::io("write", &path)(error.into()))?;
        let (mut file, mut staged) = self.staging.new_file()?;
        file.write_all(&text).map_err(StoreError::io("write", staged.path()))?;
        staged.move_to(&path).map_err(StoreError::io("write", path))
    }

    /// Deletes an object: first its entry, then its body.
    pub(super) fn remove(&self, key: &str, file: &OutputFile) -> Result<(), StoreError> {
        delete(&self.entry_path(key))?;
        self.remove_body(file)
    }

    /// Deletes a body that another one has replaced.
    pub(super) fn remove_body(&self, file: &OutputFile) -> Result<(), StoreError> {
        delete(&file.path)
    }

    fn entry_path(&self, key: &str) -> PathBuf {
        self.entries.join(hex::encode(Sha256::digest(key.as_bytes())))
    }

    /// Reads all objects back and deletes bodies that belong to none. Entries that cannot be read are left alone and
    /// counted.
    pub(super) fn load(&self) -> Result<(Vec<(ObjectKey, Object)>, u64), StoreError> {
        let mut objects = Vec::new();
        let mut bodies = HashSet::new();
        let mut unreadable = 0;
        for entry in std::fs::read_dir(&self.entries).map_err(StoreError::io("read folder", &self.entries))? {
            let path = entry.map_err(StoreError::io("read folder", &self.entries))?.path();
            match self.read(&path) {
                Some((name, key, object)) => {
                    bodies.insert(name);
                    objects.push((key, object));
                }
                None => unreadable += 1,
            }
        }
        // With an entry that cannot be read, nobody knows which body is its own.
        if unreadable == 0 {
            for body in std::fs::read_dir(&self.bodies).map_err(StoreError::io("read folder", &self.bodies))?.flatten()
            {
                if body.file_name().to_str().is_none_or(|name| !bodies.contains(name)) {
                    delete(&body.path())?;
                }
            }
        }
        Ok((objects, unreadable))
    }

    fn read(&self, path: &Path) -> Option<(String, ObjectKey, Object)> {
        let mut text = Vec::new();
        #[expect(clippy::disallowed_methods, reason = "limited by take")]
        File::open(path).ok()?.take(ENTRY_BYTES_MAX).read_to_end(&mut text).ok()?;
        let entry: Entry = serde_json::from_slice(&text).ok()?;
        let key = ObjectKey::parse(&entry.key).ok().filter(|key| self.entry_path(key.as_str()) == path)?;
        // The name comes from a file, and must not lead anywhere else.
        let name = uuid::Uuid::try_parse(&entry.body).ok()?.simple().to_string();
        let body = self.bodies.join(&name);
        let metadata = std::fs::metadata(&body).ok().filter(|metadata| metadata.len() == entry.size)?;
        let Entry { size, etag, modified_ms, attributes, tags, checksum, .. } = entry;
        let checksum = Checksum {
            checksum_crc32: checksum.crc32,
            checksum_crc32c: checksum.crc32c,
            checksum_crc64nvme: checksum.crc64nvme,
            checksum_sha1: checksum.sha1,
            checksum_sha256: checksum.sha256,
            ..Checksum::default()
        };
        let object = Object {
            size,
            tag: EntityTag::parse(&etag)?,
            modified: SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(modified_ms))?,
            body: Body::Output(OutputFile { path: body, identity: FileIdentity::of(&metadata), unmappable: None }),
            attributes: attributes.into_box(),
            checksum: (checksum != Checksum::default()).then(|| Box::new(checksum)),
            tags: tags.into_box(),
        };
        Some((name, key, object))
    }
}

impl Drop for KeptStore {
    fn drop(&mut self) {
        // Leftovers of uploads that never ended; what stays is cleared when the folder is opened again.
        let _ = std::fs::remove_dir_all(self.root.join(".staging"));
    }
}

fn delete(path: &Path) -> Result<(), StoreError> {
    match std::fs::remove_file(path) {
        Err(source) if source.kind() != ErrorKind::NotFound => Err(StoreError::io("delete", path)(source)),
        _ => Ok(()),
    }
}
