//! Names at the edge: bucket names and object keys, checked once and trusted afterwards.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use super::error::StoreError;

/// The longest key S3 accepts, in bytes of UTF-8.
pub const MAX_KEY_BYTES: usize = 1024;

/// A valid bucket name: 3 to 63 lower-case letters, digits, dots and hyphens, a letter or digit at both ends.
///
/// Cloning is cheap: the text is shared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BucketName(Arc<str>);

impl BucketName {
    /// Checks `name` against the naming rules of S3.
    ///
    /// # Errors
    /// [`StoreError::InvalidBucketName`] when a rule is broken.
    pub fn parse(name: &str) -> Result<Self, StoreError> {
        let edge = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        let bytes = name.as_bytes();
        let valid = (3..=63).contains(&bytes.len())
            && bytes
                .iter()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-'))
            && edge(bytes.first())
            && edge(bytes.last())
            && !name.contains("..")
            && name.parse::<std::net::Ipv4Addr>().is_err();
        if valid { Ok(Self(name.into())) } else { Err(StoreError::InvalidBucketName { name: name.to_owned() }) }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BucketName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Borrow<str> for BucketName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// A valid object key: 1 to 1,024 bytes of UTF-8. Keys are ordered by their bytes, as S3 lists them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectKey(Box<str>);

impl ObjectKey {
    /// Checks the length of `key`.
    ///
    /// # Errors
    /// [`StoreError::InvalidKey`] when the key is empty or longer than [`MAX_KEY_BYTES`].
    pub fn parse(key: &str) -> Result<Self, StoreError> {
        if key.is_empty() || key.len() > MAX_KEY_BYTES {
            return Err(StoreError::InvalidKey { length: key.len() });
        }
        Ok(Self(key.into()))
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

// The order of `str` is the order of its bytes, so a map of keys can be searched by any byte string, also by one that
// is no UTF-8: that is how a listing jumps over a common prefix.
impl Borrow<[u8]> for ObjectKey {
    fn borrow(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_names_follow_the_rules_of_s3() {
        fn check(name: &str, valid: bool) {
            assert_eq!(BucketName::parse(name).is_ok(), valid, "{name:?}");
        }
        check("raw", true);
        check("my.bucket-1", true);
        check(&"a".repeat(63), true);
        check(&"a".repeat(64), false);
        check("ab", false);
        check("Raw", false);
        check("-raw", false);
        check("raw.", false);
        check("a..b", false);
        check("raw_1", false);
        check("10.0.0.1", false);
        check("r\u{e4}w", false);
    }

    #[test]
    fn keys_are_bounded() {
        assert!(ObjectKey::parse("").is_err());
        assert!(ObjectKey::parse(&"k".repeat(1024)).is_ok());
        assert!(ObjectKey::parse(&"k".repeat(1025)).is_err());
    }
}
