//! Entity tags, the fingerprints by which readers notice that an object changed.
//!
//! Three kinds look alike: the MD5 of the bytes (one PUT), the MD5 of the parts' MD5 with the number of parts behind a
//! hyphen (multipart upload), and, for a file of a mounted folder, a hash over its path, size, time of change and
//! inode, because reading every file only to fingerprint it would take minutes.

use std::fmt;

use super::file_identity::FileIdentity;
use sha2::{Digest, Sha256};

/// An entity tag. Displayed as S3 writes it, without the surrounding quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EntityTag {
    digest: [u8; 16],
    /// Zero for everything but multipart uploads.
    parts: u16,
}

impl EntityTag {
    /// The tag of an object written in one piece.
    pub(super) fn of_content(md5: [u8; 16]) -> Self {
        Self { digest: md5, parts: 0 }
    }

    /// The tag of a multipart upload: `md5` over the binary MD5 digests of its parts.
    pub(super) fn of_parts(md5: [u8; 16], parts: u16) -> Self {
        Self { digest: md5, parts }
    }

    /// The tag of a file of a mounted folder.
    pub(super) fn of_file(key: &str, identity: &FileIdentity) -> Self {
        let mut hasher = Sha256::new();
        // The length in front keeps the path and the numbers behind it apart.
        hasher.update((key.len() as u64).to_le_bytes());
        hasher.update(key.as_bytes());
        hasher.update(identity.size.to_le_bytes());
        hasher.update(identity.modified_seconds.to_le_bytes());
        hasher.update(identity.modified_nanoseconds.to_le_bytes());
        hasher.update(identity.inode.to_le_bytes());
        let full: [u8; 32] = hasher.finalize().into();
        let mut digest = [0; 16];
        for (to, from) in digest.iter_mut().zip(full) {
            *to = from;
        }
        Self { digest, parts: 0 }
    }

    /// Reads a tag as it is displayed.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (digest, parts) = match text.split_once('-') {
            Some((digest, parts)) => (digest, parts.parse().ok().filter(|parts| *parts > 0)?),
            None => (text, 0),
        };
        Some(Self { digest: hex::decode(digest).ok()?.try_into().ok()?, parts })
    }

    /// Whether `text`, a tag without quotes as a client sends it, names this tag.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        self.to_string().eq_ignore_ascii_case(text)
    }
}

impl fmt::Display for EntityTag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.digest {
            write!(formatter, "{byte:02x}")?;
        }
        if self.parts > 0 {
            write!(formatter, "-{}", self.parts)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_written_as_s3_writes_them() {
        assert_eq!(EntityTag::of_content([0xab; 16]).to_string(), "ab".repeat(16));
        assert_eq!(EntityTag::of_parts([1; 16], 12).to_string(), format!("{}-12", "01".repeat(16)));
        for tag in [EntityTag::of_content([0xab; 16]), EntityTag::of_parts([1; 16], 12)] {
            assert_eq!(EntityTag::parse(&tag.to_string()), Some(tag));
        }
        assert_eq!([EntityTag::parse("ab"), EntityTag::parse(&format!("{}-0", "ab".repeat(16)))], [None, None]);
        assert!(EntityTag::of_content([0xab; 16]).matches(&"ab".repeat(16)));
        assert!(!EntityTag::of_content([0xab; 16]).matches(&format!("{}-1", "ab".repeat(16))));
    }

    #[test]
    fn a_files_tag_changes_with_everything_that_identifies_it() {
        let identity = FileIdentity { size: 3, modified_seconds: 10, modified_nanoseconds: 5, inode: 7 };
        let tag = EntityTag::of_file("a", &identity);
        assert_eq!(tag, EntityTag::of_file("a", &identity));
        assert_eq!(tag.to_string().len(), 32);
        for other in [
            EntityTag::of_file("b", &identity),
            EntityTag::of_file("a", &FileIdentity { size: 4, ..identity }),
            EntityTag::of_file("a", &FileIdentity { modified_seconds: 11, ..identity }),
            EntityTag::of_file("a", &FileIdentity { modified_nanoseconds: 6, ..identity }),
            EntityTag::of_file("a", &FileIdentity { inode: 8, ..identity }),
        ] {
            assert_ne!(tag, other);
        }
    }
}
