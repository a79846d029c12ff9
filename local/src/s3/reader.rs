//! Reading an object: opening it in one consistent state, then streaming a range of it with a bounded amount of memory.
//!
//! A file is opened before anything is answered, so a missing file is an error and not a broken body. Its identity is
//! compared again after the last byte was read and before that byte is handed out: a file that was edited meanwhile
//! ends the body with an error instead of a mixture of two states.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use futures::{Stream, stream};
use s3s::dto::Checksum;
use tokio::sync::mpsc;

use super::attributes::Attributes;
use super::blob::Blob;
use super::bucket::Bucket;
use super::error::StoreError;
use super::file_identity::FileIdentity;
use super::object::{Body, Object};
use super::tag::EntityTag;

/// Bytes read from a file at once. Ranges up to this size are read before the answer begins.
const CHUNK_BYTES: u64 = 256 << 10;

/// Chunks read ahead of the receiver of a body; with [`CHUNK_BYTES`] the memory of one open body.
const CHUNKS_AHEAD: usize = 4;

/// How often an object that is replaced while it is being opened is looked up again.
const OPEN_ATTEMPTS: usize = 8;

/// The bytes of an object, in chunks.
pub type BodyStream = Pin<Box<dyn Stream<Item = Result<Bytes, StoreError>> + Send + Sync>>;

/// An object in one state. Writes that come later do not change what is read from here.
#[derive(Clone, Debug)]
pub struct OpenObject {
    object: Arc<Object>,
    size: u64,
    tag: EntityTag,
    modified: SystemTime,
    file: Option<OpenFile>,
}

#[derive(Clone, Debug)]
struct OpenFile {
    file: Arc<File>,
    path: PathBuf,
    identity: FileIdentity,
}

/// A stretch of bytes in memory or in a file.
enum Segment {
    Memory(Bytes),
    Staged { blob: Arc<Blob>, offset: u64, length: u64 },
    File { file: OpenFile, offset: u64, length: u64 },
}

impl OpenObject {
    /// Opens the object at `key` in its present state.
    pub(super) async fn open(bucket: &Bucket, key: &str) -> Result<Self, StoreError> {
        let mut previous: Option<Arc<Object>> = None;
        for _ in 0..OPEN_ATTEMPTS {
            let object = bucket.get(key)?;
            let (path, expected) = match &object.body {
                Body::Blobs(_) | Body::Generated { .. } => return Ok(Self::of_index(object, None)),
                Body::Mounted { folder } => (folder.join(key), None),
                Body::Output(file) => (file.path.clone(), Some(file.identity)),
            };
            let opened = open_file(path.clone()).await?;
            match (opened, expected) {
                (Some(file), None) => {
                    let identity = file.identity;
                    return Ok(Self {
                        size: identity.size,
                        tag: EntityTag::of_file(key, &identity),
                        modified: identity.modified(),
                        object,
                        file: Some(file),
                    });
                }
                (None, None) => return Err(bucket.no_such_key(key)),
                (Some(file), Some(expected)) if file.identity == expected => {
                    return Ok(Self::of_index(object, Some(file)));
                }
                (opened, Some(_)) => {
                    // Either a commit replaced the file between the look-up and the opening, then the index has another
                    // object now; or another program changed it.
                    if previous.is_some_and(|previous| Arc::ptr_eq(&previous, &object)) {
                        return Err(match opened {
                            Some(_) => StoreError::ChangedOutside { path },
                            None => bucket.no_such_key(key),
                        });
                    }
                    previous = Some(object);
                }
            }
        }
        Err(StoreError::TooMany { what: "writes to one key while it was being opened", limit: OPEN_ATTEMPTS as u64 })
    }

    fn of_index(object: Arc<Object>, file: Option<OpenFile>) -> Self {
        Self { size: object.size, tag: object.tag, modified: object.modified, object, file }
    }

    /// Size in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The entity tag. For a mounted file it follows from the file as it is now, not as it was listed.
    #[must_use]
    pub fn tag(&self) -> EntityTag {
        self.tag
    }

    /// When the object was written or the mounted file was changed.
    #[must_use]
    pub fn modified(&self) -> SystemTime {
        self.modified
    }

    /// Content headers and user metadata.
    #[must_use]
    pub fn attributes(&self) -> Attributes {
        self.object.attributes.as_deref().cloned().unwrap_or_default()
    }

    /// The checksums the object was uploaded with.
    pub(super) fn checksum(&self) -> Checksum {
        self.object.checksum.as_deref().cloned().unwrap_or_default()
    }

    /// Streams `length` bytes from `start`; what lies behind the end of the object is left out.
    ///
    /// # Errors
    /// [`StoreError::Io`] or [`StoreError::ChangedOutside`], here or as the last item of the stream.
    pub async fn read(self, start: u64, length: u64) -> Result<BodyStream, StoreError> {
        let length = length.min(self.size.saturating_sub(start));
        let segments = self.segments(start, length);
        if length <= CHUNK_BYTES {
            let bytes = read_all(segments, length).await?;
            return Ok(Box::pin(stream::iter((!bytes.is_empty()).then_some(Ok(bytes)))));
        }
        let (sender, mut receiver) = mpsc::channel(CHUNKS_AHEAD);
        tokio::spawn(async move {
            if let Err(error) = send_all(segments, &sender).await {
                // A receiver that went away needs no error either.
                let _ = sender.send(Err(error)).await;
            }
        });
        Ok(Box::pin(stream::poll_fn(move |context| receiver.poll_recv(context))))
    }

    /// Reads the whole object into memory, at most `max_bytes`.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`] when the object is larger; otherwise as [`OpenObject::read`].
    pub async fn read_to_bytes(self, max_bytes: u64) -> Result<Bytes, StoreError> {
        let size = self.size;
        if size > max_bytes {
            return Err(StoreError::TooLarge { what: "the object".to_owned(), limit: max_bytes });
        }
        read_all(self.segments(0, size), size).await
    }

    fn segments(&self, start: u64, length: u64) -> Vec<Segment> {
        if let Some(file) = &self.file {
            return vec![Segment::File { file: file.clone(), offset: start, length }];
        }
        let blobs = match &self.object.body {
            Body::Blobs(blobs) => blobs,
            Body::Generated { generator, number } => {
                // Both numbers lie within the object, whose size is that of the bytes.
                let bytes = generator.bytes(*number);
                let [from, to] =
                    [start, start + length].map(|at| usize::try_from(at).map_or(bytes.len(), |at| at.min(bytes.len())));
                return vec![Segment::Memory(bytes.slice(from..to))];
            }
            Body::Mounted { .. } | Body::Output(_) => return Vec::new(),
        };
        let (mut skip, mut wanted) = (start, length);
        let mut segments = Vec::new();
        for (size, blob) in blobs {
            let offset = skip.min(*size);
            let taken = wanted.min(size - offset);
            skip -= offset;
            wanted -= taken;
            if taken > 0 {
                segments.push(Segment::of_blob(blob, offset, taken));
            }
        }
        segments
    }
}

impl Segment {
    fn of_blob(blob: &Arc<Blob>, offset: u64, length: u64) -> Self {
        let in_memory = match blob.as_ref() {
            Blob::Memory { bytes, .. } => usize::try_from(offset)
                .ok()
                .zip(usize::try_from(offset + length).ok())
                .map(|(from, to)| bytes.slice(from..to)),
            Blob::File(_) => None,
        };
        match in_memory {
            Some(bytes) => Self::Memory(bytes),
            None => Self::Staged { blob: Arc::clone(blob), offset, length },
        }
    }
}

/// Opens a regular file without following anything but links, or nothing when there is none.
async fn open_file(path: PathBuf) -> Result<Option<OpenFile>, StoreError> {
    tokio::task::spawn_blocking(move || {
        let open = || -> io::Result<Option<(File, FileIdentity)>> {
            // Looking first keeps the store from waiting for the other end of a pipe.
            if !std::fs::metadata(&path)?.is_file() {
                return Ok(None);
            }
            let file = File::open(&path)?;
            let identity = FileIdentity::of(&file.metadata()?);
            Ok(Some((file, identity)))
        };
        match open() {
            Ok(opened) => Ok(opened.map(|(file, identity)| OpenFile { file: Arc::new(file), path, identity })),
            Err(source) if matches!(source.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
            Err(source) => Err(StoreError::io("open", path)(source)),
        }
    })
    .await?
}

/// Reads all segments into one buffer of `length` bytes, which the caller has bounded.
async fn read_all(segments: Vec<Segment>, length: u64) -> Result<Bytes, StoreError> {
    if let [Segment::Memory(bytes)] = segments.as_slice() {
        return Ok(bytes.clone());
    }
    let capacity = usize::try_from(length)
        .map_err(|_| StoreError::TooLarge { what: "the object".to_owned(), limit: usize::MAX as u64 })?;
    tokio::task::spawn_blocking(move || {
        let mut buffer = Vec::with_capacity(capacity);
        for segment in segments {
            match segment {
                Segment::Memory(bytes) => buffer.extend_from_slice(&bytes),
                Segment::Staged { blob, offset, length } => {
                    if let Blob::File(staged) = blob.as_ref() {
                        let file = File::open(staged.path()).map_err(StoreError::io("open", staged.path()))?;
                        buffer.extend_from_slice(&read_at(&file, offset, length, staged.path())?);
                    }
                }
                Segment::File { file, offset, length } => {
                    buffer.extend_from_slice(&read_at(&file.file, offset, length, &file.path)?);
                    check_unchanged(&file)?;
                }
            }
        }
        Ok(Bytes::from(buffer))
    })
    .await?
}

/// Sends the segments chunk by chunk until the receiver is gone.
async fn send_all(segments: Vec<Segment>, sender: &mpsc::Sender<Result<Bytes, StoreError>>) -> Result<(), StoreError> {
    for segment in segments {
        let (file, path, outside, mut offset, length) = match segment {
            Segment::Memory(bytes) => {
                if sender.send(Ok(bytes)).await.is_err() {
                    return Ok(());
                }
                continue;
            }
            Segment::Staged { blob, offset, length } => {
                let Blob::File(staged) = blob.as_ref() else { continue };
                let path = staged.path().to_owned();
                let opened = path.clone();
                let file =
                    tokio::task::spawn_blocking(move || File::open(&opened).map_err(StoreError::io("open", opened)))
                        .await??;
                (Arc::new(file), path, None, offset, length)
            }
            Segment::File { file, offset, length } => {
                (Arc::clone(&file.file), file.path.clone(), Some(file), offset, length)
            }
        };
        let end = offset + length;
        while offset < end {
            let wanted = CHUNK_BYTES.min(end - offset);
            let last = offset + wanted == end;
            let (file, path) = (Arc::clone(&file), path.clone());
            let outside = outside.clone().filter(|_| last);
            let chunk = tokio::task::spawn_blocking(move || {
                let chunk = read_at(&file, offset, wanted, &path)?;
                outside.as_ref().map_or(Ok(()), check_unchanged)?;
                Ok::<_, StoreError>(Bytes::from(chunk))
            })
            .await??;
            if sender.send(Ok(chunk)).await.is_err() {
                return Ok(());
            }
            offset += wanted;
        }
    }
    Ok(())
}

fn read_at(file: &File, offset: u64, length: u64, path: &Path) -> Result<Vec<u8>, StoreError> {
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let mut chunk = vec![0; length];
    file.read_exact_at(&mut chunk, offset).map_err(|source| match source.kind() {
        ErrorKind::UnexpectedEof => StoreError::ChangedOutside { path: path.to_owned() },
        _ => StoreError::io("read", path)(source),
    })?;
    Ok(chunk)
}

fn check_unchanged(file: &OpenFile) -> Result<(), StoreError> {
    let metadata = file.file.metadata().map_err(StoreError::io("inspect", &file.path))?;
    if FileIdentity::of(&metadata) == file.identity {
        Ok(())
    } else {
        Err(StoreError::ChangedOutside { path: file.path.clone() })
    }
}
