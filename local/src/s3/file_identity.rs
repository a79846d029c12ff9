//! What identifies the content of a file without reading it: size, time of last change and inode.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime};

/// The identity of a file's content at one moment. A file that was edited or replaced has another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileIdentity {
    pub(super) size: u64,
    pub(super) modified_seconds: i64,
    pub(super) modified_nanoseconds: u32,
    pub(super) inode: u64,
}

impl FileIdentity {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            size: metadata.len(),
            modified_seconds: metadata.mtime(),
            modified_nanoseconds: u32::try_from(metadata.mtime_nsec()).unwrap_or(0),
            inode: metadata.ino(),
        }
    }

    /// The time of the last change. Times outside the range of the system clock become the epoch.
    pub(super) fn modified(&self) -> SystemTime {
        let seconds = Duration::from_secs(self.modified_seconds.unsigned_abs());
        let whole = if self.modified_seconds < 0 {
            SystemTime::UNIX_EPOCH.checked_sub(seconds)
        } else {
            SystemTime::UNIX_EPOCH.checked_add(seconds)
        };
        whole
            .and_then(|time| time.checked_add(Duration::from_nanos(u64::from(self.modified_nanoseconds))))
            .unwrap_or(SystemTime::UNIX_EPOCH)
    }
}
