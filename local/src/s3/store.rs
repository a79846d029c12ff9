//! The object store itself: buckets, writes and reads. The HTTP server and the state machine engine share one of it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::SystemTime;

use bytes::Bytes;
use s3s::checksum::ChecksumHasher;

use super::attributes::Attributes;
use super::bucket::{Bucket, Content, NewObject, Totals, UnmappedObject};
use super::conditions::WriteCondition;
use super::error::StoreError;
use super::generated::{self, Generator};
use super::kept_folder::KeptStore;
use super::listing::{ListPage, ListRequest};
use super::memory::MemoryBudget;
use super::mount::{self, MountReport};
use super::multipart::Uploads;
use super::names::{BucketName, ObjectKey};
use super::output_folder::OutputFolder;
use super::place::Place;
use super::reader::OpenObject;
use super::slow_down::SlowDown;
use super::staging::StagingFolder;
use super::tag::EntityTag;
use super::tags::Tags;
use super::temporary_folder::TemporaryFolder;
use super::writer::{BodyWriter, ReceivedBody};

/// The largest body of one PUT or one part, as S3 has it: 5 GiB.
pub const MAX_BODY_BYTES: u64 = 5 << 30;

/// How much of a body from memory is buffered at once on its way to a file.
const PUT_CHUNK_BYTES: usize = 256 << 10;

/// Buckets a store may have.
const MAX_BUCKETS: usize = 1000;

/// Sizes and places of a store.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// The folder in which a temporary folder for large bodies is made; `None` takes the system's temporary folder.
    pub staging_parent: Option<PathBuf>,
    /// Bodies up to this many bytes are kept in memory.
    pub inline_bytes: usize,
    /// The most bytes of bodies in memory, all together; what does not fit goes to files.
    pub memory_bytes: u64,
    /// Whether a new multipart upload aborts those that are open for the same key, and frees their parts. S3 keeps them
    /// apart. Where every key has one writer, those left open belong to a writer that was killed.
    pub one_upload_per_key: bool,
    /// The folder that keeps buckets and objects for the next start; made when it is missing. `None`: nothing is kept.
    pub kept_in: Option<PathBuf>,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            staging_parent: None,
            inline_bytes: 256 << 10,
            memory_bytes: 256 << 20,
            one_upload_per_key: false,
            kept_in: None,
        }
    }
}

/// Buckets and objects. Share it with `Arc`; all methods take `&self`.
#[derive(Debug)]
pub struct ObjectStore {
    buckets: RwLock<BTreeMap<BucketName, Arc<Bucket>>>,
    uploads: Uploads,
    budget: MemoryBudget,
    inline_bytes: usize,
    folders: Mutex<Folders>,
    slow_down: SlowDown,
    kept: Option<KeptStore>,
    staging: Arc<StagingFolder>,
    // Deleted with everything in it when the store goes.
    _staging_root: TemporaryFolder,
}

/// The folders that are mounted or written to, by their canonical paths.
#[derive(Debug, Default)]
struct Folders {
    mounted: Vec<PathBuf>,
    outputs: Vec<PathBuf>,
}

impl ObjectStore {
    /// Makes an empty store.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the staging folder cannot be made. For a kept folder also [`StoreError::FolderInUse`],
    /// [`StoreError::NotAStore`], [`StoreError::UnreadableEntries`].
    pub fn new(options: StoreOptions) -> Result<Self, StoreError> {
        let parent = options.staging_parent.unwrap_or_else(std::env::temp_dir);
        let root = TemporaryFolder::create(&parent)?;
        let staging = Arc::new(StagingFolder::create(root.path().join("bodies"))?);
        let kept = options.kept_in.as_deref().map(KeptStore::open).transpose()?;
        let store = Self {
            buckets: RwLock::default(),
            uploads: Uploads::new(options.one_upload_per_key),
            budget: MemoryBudget::new(options.memory_bytes),
            inline_bytes: options.inline_bytes,
            folders: Mutex::default(),
            slow_down: SlowDown::default(),
            kept,
            staging,
            _staging_root: root,
        };
        store.load_kept()?;
        Ok(store)
    }

    /// Makes the buckets that a kept folder has.
    fn load_kept(&self) -> Result<(), StoreError> {
        let Some(kept) = &self.kept else { return Ok(()) };
        self.folders.lock().unwrap_or_else(PoisonError::into_inner).outputs.push(kept.root().to_path_buf());
        kept.buckets()?
            .iter()
            .filter(|name| BucketName::parse(name).is_ok())
            .try_for_each(|name| self.create_bucket(name))
    }

    /// Refuses a share of the requests to a bucket with `SlowDown` from now on: 0 for none, 1 for all. Which ones they
    /// are follows from their number, not from chance.
    pub fn slow_down(&self, bucket: &str, share: f64) {
        self.slow_down.set(bucket, share);
    }

    /// True when this request to a bucket is to be refused.
    pub(super) fn refuses(&self, bucket: &str) -> bool {
        self.slow_down.refuses(bucket)
    }

    /// Makes a bucket; one that exists already stays as it is.
    ///
    /// # Errors
    /// [`StoreError::InvalidBucketName`], or [`StoreError::TooMany`] over 1,000 buckets.
    pub fn create_bucket(&self, name: &str) -> Result<(), StoreError> {
        self.bucket_or_new(name).map(|_| ())
    }

    /// Makes the files below `folder` the objects of an empty bucket, without copying or reading them. The bucket is
    /// made when it is missing. Blocks on the file system.
    ///
    /// # Errors
    /// [`StoreError::BucketInUse`] when the bucket has objects, [`StoreError::FoldersOverlap`] when an output folder
    /// lies inside or around, [`StoreError::NotAFolder`], [`StoreError::TooMany`], [`StoreError::Io`].
    pub fn mount(&self, bucket: &str, folder: &Path) -> Result<MountReport, StoreError> {
        let bucket = self.bucket_or_new(bucket)?;
        let scan = mount::scan(folder)?;
        let mut folders = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(output) = folders.outputs.iter().find(|output| overlap(output, &scan.folder)) {
            return Err(StoreError::FoldersOverlap { output: output.clone(), other: scan.folder.to_path_buf() });
        }
        bucket.add_mounted(&scan.folder, scan.files)?;
        folders.mounted.push(scan.folder.to_path_buf());
        Ok(scan.report)
    }

    /// Puts objects into an empty bucket that are made while they are read. The bucket is made when it is missing.
    ///
    /// # Errors
    /// [`StoreError::BucketInUse`] when the bucket has objects, [`StoreError::TooMany`], [`StoreError::TooLarge`],
    /// [`StoreError::InvalidKey`].
    pub fn generate(&self, bucket: &str, generator: Arc<dyn Generator>) -> Result<(), StoreError> {
        let objects = generated::objects(&generator)?;
        self.bucket_or_new(bucket)?.add_generated(objects)
    }

    /// Lets every object written to the bucket from now on become a file below `folder`, at the path of its key. The
    /// bucket and the folder are made when they are missing. A bucket may be mounted as well: then a write leaves the
    /// mounted file alone and hides it. Files that are in `folder` already are no objects of the bucket; a write to
    /// their key replaces them. Blocks on the file system.
    ///
    /// # Errors
    /// [`StoreError::FolderInUse`], [`StoreError::FoldersOverlap`], [`StoreError::BucketInUse`] when objects were
    /// written before, [`StoreError::Io`].
    pub fn materialise(&self, bucket: &str, folder: &Path) -> Result<(), StoreError> {
        let bucket = self.bucket_or_new(bucket)?;
        let resolved = resolve(folder)?;
        let mut folders = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(other) = folders.mounted.iter().chain(&folders.outputs).find(|other| overlap(other, &resolved)) {
            return Err(StoreError::FoldersOverlap { output: resolved, other: other.clone() });
        }
        let output = OutputFolder::open(folder)?;
        let root = output.root().to_path_buf();
        bucket.set_output(Place::Output(output))?;
        folders.outputs.push(root);
        Ok(())
    }

    /// As [`ObjectStore::materialise`], but the files that are in `folder` already are the objects of the bucket, as an
    /// earlier store left them. What a store kept elsewhere because its key cannot be a path is not among them, and
    /// objects have no metadata. Blocks on the file system.
    ///
    /// # Errors
    /// As [`ObjectStore::mount`] and [`ObjectStore::materialise`].
    pub fn reopen(&self, bucket: &str, folder: &Path) -> Result<MountReport, StoreError> {
        let scan = mount::scan(folder)?;
        self.bucket_or_new(bucket)?.add_mounted(&scan.folder, scan.files)?;
        self.materialise(bucket, folder)?;
        Ok(scan.report)
    }

    /// Whether a bucket of this name exists.
    #[must_use]
    pub fn has_bucket(&self, name: &str) -> bool {
        self.bucket(name).is_ok()
    }

    /// All buckets in the order of their names, with the time they were made.
    #[must_use]
    pub fn buckets(&self) -> Vec<(BucketName, SystemTime)> {
        let buckets = self.buckets.read().unwrap_or_else(PoisonError::into_inner);
        buckets.values().map(|bucket| (bucket.name().clone(), bucket.created())).collect()
    }

    /// Number of objects of a bucket and the sum of their sizes.
    ///
    /// # Errors
    /// [`StoreError::NoSuchBucket`].
    pub fn totals(&self, bucket: &str) -> Result<Totals, StoreError> {
        Ok(self.bucket(bucket)?.totals())
    }

    /// The first `limit` objects of a bucket with an output folder that are not files at the path of their key, and how
    /// many there are.
    ///
    /// # Errors
    /// [`StoreError::NoSuchBucket`].
    pub fn unmapped(&self, bucket: &str, limit: usize) -> Result<(Vec<UnmappedObject>, u64), StoreError> {
        Ok(self.bucket(bucket)?.unmapped(limit))
    }

    /// One page of the keys of a bucket.
    ///
    /// # Errors
    /// [`StoreError::NoSuchBucket`], [`StoreError::InvalidArgument`] for a continuation that is none.
    pub fn list(&self, bucket: &str, request: &ListRequest) -> Result<ListPage, StoreError> {
        self.bucket(bucket)?.list(request)
    }

    /// Opens an object in its present state.
    ///
    /// # Errors
    /// [`StoreError::NoSuchBucket`], [`StoreError::NoSuchKey`], [`StoreError::ChangedOutside`], [`StoreError::Io`].
    pub async fn open(&self, bucket: &str, key: &str) -> Result<OpenObject, StoreError> {
        OpenObject::open(self.bucket(bucket)?.as_ref(), key).await
    }

    /// Reads a whole object of at most `max_bytes` into memory.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`] when it is larger; otherwise as [`ObjectStore::open`].
    pub async fn get(&self, bucket: &str, key: &str, max_bytes: u64) -> Result<Bytes, StoreError> {
        self.open(bucket, key).await?.read_to_bytes(max_bytes).await
    }

    /// Writes an object from memory and returns its tag.
    ///
    /// # Errors
    /// [`StoreError::NoSuchBucket`], [`StoreError::InvalidKey`], [`StoreError::PreconditionFailed`],
    /// [`StoreError::TooLarge`] over [`MAX_BODY_BYTES`], [`StoreError::Io`].
    pub async fn put(
        &self,
        bucket: &str,
        key: &str,
        bytes: &[u8],
        attributes: Attributes,
        condition: WriteCondition,
    ) -> Result<EntityTag, StoreError> {
        let mut writer = self.receive(bucket, ChecksumHasher::default())?;
        for chunk in bytes.chunks(PUT_CHUNK_BYTES) {
            writer.write(chunk).await?;
        }
        self.commit(bucket, key, writer.finish().await?, attributes, condition).await
    }

    /// Deletes an object; a key that is not there is no error. A file of a mounted folder is never deleted, only
    /// hidden.
    ///
    /// # Errors
    /// [`StoreError::NoSuchBucket`], [`StoreError::PreconditionFailed`], [`StoreError::Io`].
    pub async fn delete(&self, bucket: &str, key: &str, condition: WriteCondition) -> Result<(), StoreError> {
        let bucket = self.bucket(bucket)?;
        let key = key.to_owned();
        on_disk(&bucket.clone(), move || bucket.delete(&key, &condition)).await
    }

    /// Bytes of bodies that are in memory now.
    #[must_use]
    pub fn memory_in_use(&self) -> u64 {
        self.budget.used()
    }

    /// Begins to receive a body for `bucket`.
    pub(super) fn receive(&self, bucket: &str, checksums: ChecksumHasher) -> Result<BodyWriter, StoreError> {
        let bucket = self.bucket(bucket)?;
        // An output folder may be on another file system, where a file could not be renamed to.
        let staging = bucket.place().map_or(&self.staging, Place::staging);
        Ok(BodyWriter::new(Arc::clone(staging), &self.budget, self.inline_bytes, MAX_BODY_BYTES, checksums))
    }

    /// Makes a received body the object at `key`.
    pub(super) async fn commit(
        &self,
        bucket: &str,
        key: &str,
        body: ReceivedBody,
        attributes: Attributes,
        condition: WriteCondition,
    ) -> Result<EntityTag, StoreError> {
        self.commit_tagged(bucket, key, body, attributes, Tags::default(), condition).await
    }

    /// As [`ObjectStore::commit`], with tags.
    pub(super) async fn commit_tagged(
        &self,
        bucket: &str,
        key: &str,
        body: ReceivedBody,
        attributes: Attributes,
        tags: Tags,
        condition: WriteCondition,
    ) -> Result<EntityTag, StoreError> {
        attributes.check()?;
        let new = NewObject {
            size: body.size,
            tag: EntityTag::of_content(body.md5),
            attributes,
            checksum: Some(body.checksum),
            content: Content::One(body.blob),
            tags,
        };
        self.commit_new(bucket, key, new, condition).await
    }

    pub(super) async fn commit_new(
        &self,
        bucket: &str,
        key: &str,
        new: NewObject,
        condition: WriteCondition,
    ) -> Result<EntityTag, StoreError> {
        let bucket = self.bucket(bucket)?;
        let key = ObjectKey::parse(key)?;
        on_disk(&bucket.clone(), move || bucket.commit(key, new, &condition)).await
    }

    /// Gives an object other tags.
    pub(super) async fn set_tags(&self, bucket: &str, key: &str, tags: Tags) -> Result<(), StoreError> {
        let bucket = self.bucket(bucket)?;
        let key = key.to_owned();
        on_disk(&bucket.clone(), move || bucket.set_tags(&key, tags)).await
    }

    /// The tags of an object.
    pub(super) fn tags(&self, bucket: &str, key: &str) -> Result<Tags, StoreError> {
        Ok(self.bucket(bucket)?.get(key)?.tags.as_deref().cloned().unwrap_or_default())
    }

    pub(super) fn uploads(&self) -> &Uploads {
        &self.uploads
    }

    pub(super) fn bucket(&self, name: &str) -> Result<Arc<Bucket>, StoreError> {
        let buckets = self.buckets.read().unwrap_or_else(PoisonError::into_inner);
        buckets.get(name).cloned().ok_or_else(|| StoreError::NoSuchBucket { bucket: name.to_owned() })
    }

    fn bucket_or_new(&self, name: &str) -> Result<Arc<Bucket>, StoreError> {
        let name = BucketName::parse(name)?;
        let mut buckets = self.buckets.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = buckets.get(&name) {
            return Ok(Arc::clone(bucket));
        }
        if buckets.len() >= MAX_BUCKETS {
            return Err(StoreError::TooMany { what: "buckets", limit: MAX_BUCKETS as u64 });
        }
        let bucket = Arc::new(Bucket::new(name.clone()));
        if let Some(kept) = &self.kept {
            let folder = kept.bucket(name.as_str())?;
            let (objects, unreadable) = folder.load()?;
            if unreadable > 0 {
                return Err(StoreError::UnreadableEntries { bucket: name.as_str().to_owned(), number: unreadable });
            }
            bucket.keep_in(Place::Kept(folder), objects)?;
        }
        buckets.insert(name, Arc::clone(&bucket));
        Ok(bucket)
    }
}

/// Runs `work` on a thread that may block when the bucket has an output folder, and right here when it is all memory.
async fn on_disk<T: Send + 'static>(
    bucket: &Bucket,
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    if bucket.place().is_some() { tokio::task::spawn_blocking(work).await? } else { work() }
}

/// Whether one folder is the other or lies inside it.
fn overlap(one: &Path, other: &Path) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

/// The canonical path of a folder that need not exist yet.
fn resolve(folder: &Path) -> Result<PathBuf, StoreError> {
    let absolute = std::path::absolute(folder).map_err(StoreError::io("resolve", folder))?;
    let mut existing = absolute.as_path();
    let mut missing: Vec<OsString> = Vec::new();
    loop {
        match existing.canonicalize() {
            Ok(mut resolved) => {
                resolved.extend(missing.iter().rev());
                return Ok(resolved);
            }
            Err(source) if source.kind() == ErrorKind::NotFound => {
                let (Some(name), Some(parent)) = (existing.file_name(), existing.parent()) else {
                    return Err(StoreError::io("resolve", folder)(source));
                };
                missing.push(name.to_owned());
                existing = parent;
            }
            Err(source) => return Err(StoreError::io("resolve", folder)(source)),
        }
    }
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
