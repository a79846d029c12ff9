//! A bucket: the index of its objects, and the one place where an object becomes visible.
//!
//! Commits hold the write lock of the index while they check the condition, rename the file of the object to its place
//! and put the object in. So of two writers with the same condition one wins, and index and files agree.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::SystemTime;

use s3s::dto::Checksum;

use super::attributes::Attributes;
use super::blob::Blob;
use super::conditions::WriteCondition;
use super::error::StoreError;
use super::file_identity::FileIdentity;
use super::key_path::UnmappableKey;
use super::listing::{self, ListPage, ListRequest};
use super::names::{BucketName, ObjectKey};
use super::object::{Body, Object};
use super::place::Place;
use super::tag::EntityTag;
use super::tags::Tags;

/// A bucket of the store.
#[derive(Debug)]
pub(super) struct Bucket {
    name: BucketName,
    created: SystemTime,
    index: RwLock<Index>,
    place: OnceLock<Place>,
}

#[derive(Debug, Default)]
struct Index {
    objects: BTreeMap<ObjectKey, Arc<Object>>,
    /// Sum of the sizes of all objects.
    bytes: u64,
}

/// How much a bucket holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Number of objects.
    pub objects: u64,
    /// Sum of their sizes in bytes.
    pub bytes: u64,
}

/// An object of an output folder that is not a file at the path of its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnmappedObject {
    /// The key.
    pub key: String,
    /// Where its bytes are.
    pub path: std::path::PathBuf,
    /// Why it is not at its key.
    pub reason: UnmappableKey,
}

/// An object that is about to be committed.
pub(super) struct NewObject {
    pub(super) content: Content,
    pub(super) size: u64,
    pub(super) tag: EntityTag,
    pub(super) attributes: Attributes,
    pub(super) checksum: Option<Checksum>,
    pub(super) tags: Tags,
}

/// The bytes of an object that is about to be committed.
pub(super) enum Content {
    One(Blob),
    Parts(Vec<(u64, Arc<Blob>)>),
}

impl Bucket {
    pub(super) fn new(name: BucketName) -> Self {
        Self { name, created: SystemTime::now(), index: RwLock::default(), place: OnceLock::new() }
    }

    pub(super) fn name(&self) -> &BucketName {
        &self.name
    }

    pub(super) fn created(&self) -> SystemTime {
        self.created
    }

    /// The folder of this bucket, when its objects become files.
    pub(super) fn place(&self) -> Option<&Place> {
        self.place.get()
    }

    /// Puts the objects of a kept folder in, and keeps those that are written from now on.
    pub(super) fn keep_in(&self, place: Place, objects: Vec<(ObjectKey, Object)>) -> Result<(), StoreError> {
        let mut index = self.write();
        self.place.set(place).map_err(|_| self.in_use("has a folder already"))?;
        for (key, object) in objects {
            index.put(key, object);
        }
        Ok(())
    }

    /// Lets the objects of this bucket become files from now on.
    pub(super) fn set_output(&self, output: Place) -> Result<(), StoreError> {
        let written = |object: &Arc<Object>| !matches!(object.body, Body::Mounted { .. } | Body::Generated { .. });
        // The lock is held until the folder is set, so that no object slips in between.
        let index = self.write();
        if index.objects.values().any(written) {
            return Err(self.in_use("has objects already, so it cannot get an output folder"));
        }
        self.place.set(output).map_err(|_| self.in_use("has an output folder already"))
    }

    /// Puts the files of a mounted folder into an empty bucket.
    pub(super) fn add_mounted(
        &self,
        folder: &Arc<Path>,
        files: Vec<(ObjectKey, FileIdentity)>,
    ) -> Result<(), StoreError> {
        let objects = files.into_iter().map(|(key, identity)| {
            let object = Object {
                size: identity.size,
                tag: EntityTag::of_file(key.as_str(), &identity),
                modified: identity.modified(),
                body: Body::Mounted { folder: Arc::clone(folder) },
                attributes: None,
                checksum: None,
                tags: None,
            };
            (key, object)
        });
        self.fill(objects, "has objects already, so no folder can be mounted")
    }

    /// Puts objects that are made while they are read into an empty bucket.
    pub(super) fn add_generated(&self, objects: Vec<(ObjectKey, Object)>) -> Result<(), StoreError> {
        self.fill(objects.into_iter(), "has objects already, so none can be generated")
    }

    fn fill(
        &self,
        objects: impl Iterator<Item = (ObjectKey, Object)>,
        problem: &'static str,
    ) -> Result<(), StoreError> {
        let mut index = self.write();
        if !index.objects.is_empty() {
            return Err(self.in_use(problem));
        }
        for (key, object) in objects {
            index.put(key, object);
        }
        Ok(())
    }

    pub(super) fn get(&self, key: &str) -> Result<Arc<Object>, StoreError> {
        self.read().objects.get(key.as_bytes()).cloned().ok_or_else(|| self.no_such_key(key))
    }

    pub(super) fn list(&self, request: &ListRequest) -> Result<ListPage, StoreError> {
        listing::list(&self.read().objects, request)
    }

    pub(super) fn totals(&self) -> Totals {
        let index = self.read();
        Totals { objects: index.objects.len() as u64, bytes: index.bytes }
    }

    /// The first `limit` objects that are not files at the path of their key, and how many there are.
    pub(super) fn unmapped(&self, limit: usize) -> (Vec<UnmappedObject>, u64) {
        let index = self.read();
        let mut found = Vec::new();
        let mut total = 0;
        for (key, object) in &index.objects {
            if let Body::Output(file) = &object.body
                && let Some(reason) = file.unmappable
            {
                total += 1;
                if found.len() < limit {
                    found.push(UnmappedObject { key: key.as_str().to_owned(), path: file.path.clone(), reason });
                }
            }
        }
        (found, total)
    }

    /// Makes an object visible. With an output folder this blocks on the file system.
    pub(super) fn commit(
        &self,
        key: ObjectKey,
        new: NewObject,
        condition: &WriteCondition,
    ) -> Result<EntityTag, StoreError> {
        let tag = new.tag;
        // Writing and joining files takes time, so it comes before the lock is taken.
        let staged = match (self.place(), new.content) {
            (None, Content::One(blob)) => Staged::Body(Body::Blobs(vec![(new.size, Arc::new(blob))])),
            (None, Content::Parts(blobs)) => Staged::Body(Body::Blobs(blobs)),
            (Some(output), Content::One(blob)) => Staged::File(output, blob.into_file(output.staging())?),
            (Some(output), Content::Parts(blobs)) => Staged::File(output, output.join(&blobs)?),
        };
        let mut index = self.write();
        let current = index.objects.get(&key);
        condition.check(self.name.as_str(), key.as_str(), current.map(|object| object.tag))?;
        let body = match staged {
            Staged::Body(body) => body,
            Staged::File(output, staged) => Body::Output(output.place(key.as_str(), staged)?),
        };
        let object = Object {
            size: new.size,
            tag,
            modified: SystemTime::now(),
            body,
            attributes: new.attributes.into_box(),
            checksum: new.checksum.filter(|checksum| *checksum != Checksum::default()).map(Box::new),
            tags: new.tags.into_box(),
        };
        if let Some(place) = self.place()
            && let Err(error) = place.record(key.as_str(), &object)
        {
            // Without its entry the object does not exist, so its body is of no use.
            if let (Body::Output(file), Place::Kept(_)) = (&object.body, place) {
                let _ = place.remove_replaced(file);
            }
            return Err(error);
        }
        let place = object.output_path().map(Path::to_owned);
        let replaced = index.put(key, object);
        if let (Some(output), Some(Body::Output(before))) = (self.place(), replaced.as_ref().map(|old| &old.body))
            && Some(before.path.as_path()) != place.as_deref()
            && let Err(error) = output.remove_replaced(before)
        {
            // The new object is complete and visible; a file left behind is no reason to call the write failed.
            tracing::warn!(%error, "a replaced object could not be deleted");
        }
        drop(index);
        // Dropping the old object may delete a staged file, which others need not wait for.
        drop(replaced);
        Ok(tag)
    }

    /// Deletes an object; a key that is not there is no error. A mounted file itself stays where it is.
    pub(super) fn delete(&self, key: &str, condition: &WriteCondition) -> Result<(), StoreError> {
        let mut index = self.write();
        let current = index.objects.get(key.as_bytes());
        condition.check(self.name.as_str(), key, current.map(|object| object.tag))?;
        if let (Some(Body::Output(file)), Some(output)) = (current.map(|object| &object.body), self.place()) {
            output.remove(key, file)?;
        }
        let removed = index.remove(key);
        drop(index);
        drop(removed);
        Ok(())
    }

    /// Gives an object other tags. Its bytes, tag and time stay as they are.
    pub(super) fn set_tags(&self, key: &str, tags: Tags) -> Result<(), StoreError> {
        let mut index = self.write();
        let Some((known, current)) = index.objects.get_key_value(key.as_bytes()) else {
            return Err(self.no_such_key(key));
        };
        let object = Object {
            size: current.size,
            tag: current.tag,
            modified: current.modified,
            body: current.body.clone(),
            attributes: current.attributes.clone(),
            checksum: current.checksum.clone(),
            tags: tags.into_box(),
        };
        let known = known.clone();
        if let Some(place) = self.place() {
            place.record(key, &object)?;
        }
        index.put(known, object);
        Ok(())
    }

    pub(super) fn no_such_key(&self, key: &str) -> StoreError {
        StoreError::NoSuchKey { bucket: self.name.as_str().to_owned(), key: key.to_owned() }
    }

    fn in_use(&self, problem: &'static str) -> StoreError {
        StoreError::BucketInUse { bucket: self.name.as_str().to_owned(), problem }
    }

    fn read(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Staged<'a> {
    Body(Body),
    File(&'a Place, super::staging::StagedFile),
}

impl Index {
    fn put(&mut self, key: ObjectKey, object: Object) -> Option<Arc<Object>> {
        self.bytes += object.size;
        let replaced = self.objects.insert(key, Arc::new(object));
        self.bytes -= replaced.as_ref().map_or(0, |replaced| replaced.size);
        replaced
    }

    fn remove(&mut self, key: &str) -> Option<Arc<Object>> {
        let removed = self.objects.remove(key.as_bytes());
        self.bytes -= removed.as_ref().map_or(0, |removed| removed.size);
        removed
    }
}
