//! An object as the index holds it, and where its bytes are.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use s3s::dto::Checksum;

use super::attributes::Attributes;
use super::blob::Blob;
use super::file_identity::FileIdentity;
use super::generated::Generator;
use super::key_path::UnmappableKey;
use super::tag::EntityTag;
use super::tags::Tags;

/// One object. Replaced as a whole when the key is written again, so a reader that holds it is never disturbed.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) size: u64,
    pub(super) tag: EntityTag,
    pub(super) modified: SystemTime,
    pub(super) body: Body,
    pub(super) attributes: Option<Box<Attributes>>,
    pub(super) checksum: Option<Box<Checksum>>,
    pub(super) tags: Option<Box<Tags>>,
}

impl Object {
    /// The file in an output folder, if that is where the bytes are.
    pub(super) fn output_path(&self) -> Option<&Path> {
        match &self.body {
            Body::Output(file) => Some(&file.path),
            Body::Blobs(_) | Body::Mounted { .. } | Body::Generated { .. } => None,
        }
    }
}

/// Where the bytes of an object are.
#[derive(Clone, Debug)]
pub(super) enum Body {
    /// Blobs of the store, one behind the other, each with its size.
    Blobs(Vec<(u64, Arc<Blob>)>),
    /// A file of an output folder.
    Output(OutputFile),
    /// A file of a mounted folder: the folder joined with the key. The store never changes or deletes it.
    Mounted { folder: Arc<Path> },
    /// Made anew for every reader.
    Generated { generator: Arc<dyn Generator>, number: u64 },
}

/// A finished file of an output folder.
#[derive(Clone, Debug)]
pub(super) struct OutputFile {
    pub(super) path: PathBuf,
    pub(super) identity: FileIdentity,
    /// Why the file is not at the path of its key, if so.
    pub(super) unmappable: Option<UnmappableKey>,
}
