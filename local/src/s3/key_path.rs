//! Which file of an output folder an object key stands for.
//!
//! Most keys are relative paths and become one. Some cannot: a path has no empty, `.` or `..` segments, and its
//! segments are limited. The store keeps such objects under the hash of their key in a folder of its own.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// The folder in an output folder that belongs to the store: staging area and objects without a path.
pub(super) const PRIVATE_FOLDER: &str = ".mapmill";

/// The longest name of a file on the usual file systems, in bytes.
const MAX_SEGMENT_BYTES: usize = 255;

/// Why an object is not a file at the path of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnmappableKey {
    /// The key begins or ends with `/` or has `//` in it.
    EmptySegment,
    /// A segment is `.` or `..`.
    DotSegment,
    /// A segment has more than 255 bytes, or the whole path is too long for the file system.
    TooLong,
    /// The key has a NUL byte.
    NulByte,
    /// The first segment is `.mapmill`, which belongs to the store.
    Reserved,
    /// Another object needs a folder where this one needs a file, or the other way round; or a link is in the way.
    Conflict,
}

impl UnmappableKey {
    /// The reason in plain words.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::EmptySegment => "the key has an empty path segment",
            Self::DotSegment => "the key has a `.` or `..` path segment",
            Self::TooLong => "the key is too long for a path",
            Self::NulByte => "the key has a NUL byte",
            Self::Reserved => "the key begins with `.mapmill/`",
            Self::Conflict => "a file and a folder would need the same path",
        }
    }
}

/// The relative path of `key`, or why it has none.
pub(super) fn relative_path(key: &str) -> Result<PathBuf, UnmappableKey> {
    if key.contains('\0') {
        return Err(UnmappableKey::NulByte);
    }
    for (position, segment) in key.split('/').enumerate() {
        match segment {
            "" => return Err(UnmappableKey::EmptySegment),
            "." | ".." => return Err(UnmappableKey::DotSegment),
            PRIVATE_FOLDER if position == 0 => return Err(UnmappableKey::Reserved),
            _ if segment.len() > MAX_SEGMENT_BYTES => return Err(UnmappableKey::TooLong),
            _ => {}
        }
    }
    Ok(PathBuf::from(key))
}

/// Where an object without a path lives, relative to the output folder.
pub(super) fn hashed_path(key: &str) -> PathBuf {
    Path::new(PRIVATE_FOLDER).join("objects").join(hex::encode(Sha256::digest(key.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_become_paths_or_say_why_not() {
        fn check(key: &str, expected: Result<&str, UnmappableKey>) {
            assert_eq!(relative_path(key), expected.map(PathBuf::from), "{key:?}");
        }
        check("a", Ok("a"));
        check("a/b.csv", Ok("a/b.csv"));
        check("...", Ok("..."));
        check("a b/\u{fc}?*\\", Ok("a b/\u{fc}?*\\"));
        check(".hidden/.mapmill/x", Ok(".hidden/.mapmill/x"));
        check(".mapmillx/y", Ok(".mapmillx/y"));
        check("../a", Err(UnmappableKey::DotSegment));
        check("a/../b", Err(UnmappableKey::DotSegment));
        check("a/./b", Err(UnmappableKey::DotSegment));
        check("/etc/passwd", Err(UnmappableKey::EmptySegment));
        check("a//b", Err(UnmappableKey::EmptySegment));
        check("a/", Err(UnmappableKey::EmptySegment));
        check(".mapmill/objects/x", Err(UnmappableKey::Reserved));
        check(".mapmill", Err(UnmappableKey::Reserved));
        check("a\0b", Err(UnmappableKey::NulByte));
        check(&"x".repeat(255), Ok(&"x".repeat(255)));
        check(&"x".repeat(256), Err(UnmappableKey::TooLong));
        check(&"\u{fc}".repeat(128), Err(UnmappableKey::TooLong));
    }

    #[test]
    fn hashed_paths_are_flat_and_stay_in_the_private_folder() {
        let path = hashed_path("../../etc/passwd");
        assert!(path.starts_with(".mapmill/objects"));
        assert_eq!(path.file_name().unwrap().len(), 64);
    }
}
