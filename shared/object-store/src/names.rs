//! Names of buckets, objects and versions, checked when they are built.

use std::fmt;
use std::sync::Arc;

/// A name that does not follow its rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// A bucket name has another length than 3 to 63.
    #[error("expected a bucket name of 3 to 63 bytes; found {0} bytes")]
    BucketLength(usize),
    /// A bucket name holds other characters, or begins or ends with another one than a letter or digit.
    #[error(
        "expected a bucket name of lower-case letters, digits, `-` and single `.`, beginning and ending with a letter or digit"
    )]
    BucketCharacters,
    /// A key is empty.
    #[error("expected an object key; found an empty one")]
    EmptyKey,
    /// A key is longer than S3 allows.
    #[error("expected an object key of at most {limit} bytes; found {0} bytes", limit = ObjectKey::MAX_BYTES)]
    KeyTooLong(usize),
    /// A key holds a control character at this byte.
    #[error("expected an object key without control characters; found one at byte {0}")]
    KeyControlCharacter(usize),
    /// A key has an empty segment: it begins with `/` or holds `//`.
    #[error("expected an object key without empty segments; found one at byte {0}")]
    KeyEmptySegment(usize),
    /// A key has a segment `.` or `..`.
    #[error("expected an object key without `.` and `..` segments; found one at byte {0}")]
    KeyDotSegment(usize),
    /// An ETag is empty or holds characters that do not belong there.
    #[error("expected an ETag of 1 to {limit} visible ASCII characters without quotes inside", limit = ETag::MAX_BYTES)]
    ETag,
}

/// The name of a bucket. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BucketName(Arc<str>);

impl BucketName {
    /// Checks a bucket name: 3 to 63 lower-case letters, digits, `-` and `.`, a letter or digit at both ends, no `..`.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if !(3..=63).contains(&text.len()) {
            return Err(NameError::BucketLength(text.len()));
        }
        let edge = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let bytes = text.as_bytes();
        let edges = bytes.first().is_some_and(edge) && bytes.last().is_some_and(edge);
        let inner = bytes.iter().all(|byte| edge(byte) || matches!(byte, b'-' | b'.'));
        if edges && inner && !text.contains("..") { Ok(Self(text.into())) } else { Err(NameError::BucketCharacters) }
    }

    /// The name.
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

/// The key of an object. Cheap to clone.
///
/// S3 takes any 1 to 1,024 bytes of UTF-8. Mapmill refuses keys that turn into another place when they are used as a
/// file name or URL: control characters, empty segments, and `.` and `..` segments. One `/` at the end is allowed; such
/// keys are the folder markers of consoles.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey(Arc<str>);

impl ObjectKey {
    /// The longest key in bytes.
    pub const MAX_BYTES: usize = 1024;

    /// Checks a key. The error names the rule that it breaks and the byte where it does.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::EmptyKey);
        }
        if text.len() > Self::MAX_BYTES {
            return Err(NameError::KeyTooLong(text.len()));
        }
        if let Some(position) = text.find(char::is_control) {
            return Err(NameError::KeyControlCharacter(position));
        }
        let mut position = 0;
        for segment in text.split('/') {
            match segment {
                "" if position == 0 || position < text.len() => return Err(NameError::KeyEmptySegment(position)),
                "." | ".." => return Err(NameError::KeyDotSegment(position)),
                _ => position += segment.len() + 1,
            }
        }
        Ok(Self(text.into()))
    }

    /// Stands for all keys of a bucket in messages.
    pub(crate) fn everything() -> Self {
        Self("*".into())
    }

    /// The key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True for keys that end with `/`, which consoles make to show an empty folder.
    #[must_use]
    pub fn is_folder_marker(&self) -> bool {
        self.0.ends_with('/')
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Characters that reorder or hide text must not reach a terminal or log as they are.
        for letter in self.0.chars() {
            match letter {
                '\'' | '"' | '\\' => write!(formatter, "{letter}")?,
                _ => write!(formatter, "{}", letter.escape_debug())?,
            }
        }
        Ok(())
    }
}

/// The version of an object's content. Compared without its quotes and without the mark of weak ETags.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ETag(Arc<str>);

impl ETag {
    /// The longest ETag in bytes; those of S3 have 32 to 38.
    pub const MAX_BYTES: usize = 256;

    /// Reads an ETag with or without quotes.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let text = text.strip_prefix("W/").unwrap_or(text);
        let inner = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
        let fits = (1..=Self::MAX_BYTES).contains(&inner.len());
        if fits && inner.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"') {
            Ok(Self(inner.into()))
        } else {
            Err(NameError::ETag)
        }
    }

    /// The ETag of an object in a fake store.
    #[cfg(any(test, feature = "testsuite"))]
    pub(crate) fn of_hash(hash: u64) -> Self {
        Self(format!("{hash:016x}").into())
    }

    /// The ETag without quotes.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The ETag in quotes, as headers carry it.
    #[must_use]
    pub fn quoted(&self) -> String {
        format!("\"{}\"", self.0)
    }
}

impl fmt::Display for ETag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A bucket and a key. Shown as `s3://bucket/key`, with invisible characters escaped. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectAddress {
    /// The bucket.
    pub bucket: BucketName,
    /// The key in that bucket.
    pub key: ObjectKey,
}

impl ObjectAddress {
    /// Checks a bucket name and a key.
    pub fn parse(bucket: &str, key: &str) -> Result<Self, NameError> {
        Ok(Self { bucket: BucketName::parse(bucket)?, key: ObjectKey::parse(key)? })
    }
}

impl fmt::Display for ObjectAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "s3://{}/{}", self.bucket, self.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_names_follow_the_rules_of_s3() {
        let long = "a".repeat(63);
        for good in ["abc", "my-bucket.2026", "0a0", &long] {
            assert_eq!(BucketName::parse(good).map(|name| name.to_string()), Ok(good.to_owned()));
        }
        let too_long = "a".repeat(64);
        for bad in ["", "ab", "Abc", "a_b", "-ab", "ab.", "a..b", "a b", "äbc", "a/b", &too_long] {
            assert!(BucketName::parse(bad).is_err(), "{bad:?}");
        }
    }

    fn check_key(text: &str, expected: Result<(), NameError>) {
        assert_eq!(ObjectKey::parse(text).map(drop), expected, "{text:?}");
    }

    #[test]
    fn keys_that_point_elsewhere_are_refused() {
        for good in
            ["a", "a/b.csv", "folder/", "a b+c%20ü", ".hidden", "...", "a/..b/c.", " ", "\"quoted\"", "\u{202e}x"]
        {
            check_key(good, Ok(()));
        }
        check_key(&"k".repeat(1024), Ok(()));
        check_key(&"k".repeat(1025), Err(NameError::KeyTooLong(1025)));
        check_key(&"é".repeat(513), Err(NameError::KeyTooLong(1026)));
        check_key("", Err(NameError::EmptyKey));
        check_key("/", Err(NameError::KeyEmptySegment(0)));
        check_key("/a", Err(NameError::KeyEmptySegment(0)));
        check_key("a//b", Err(NameError::KeyEmptySegment(2)));
        check_key("a//", Err(NameError::KeyEmptySegment(2)));
        check_key("..", Err(NameError::KeyDotSegment(0)));
        check_key("a/../b", Err(NameError::KeyDotSegment(2)));
        check_key("a/./b", Err(NameError::KeyDotSegment(2)));
        check_key("a/..", Err(NameError::KeyDotSegment(2)));
        check_key("a/../", Err(NameError::KeyDotSegment(2)));
        check_key("a\nb", Err(NameError::KeyControlCharacter(1)));
        check_key("a\u{85}", Err(NameError::KeyControlCharacter(1)));
        check_key("a\0", Err(NameError::KeyControlCharacter(1)));
    }

    #[test]
    fn etags_are_compared_without_quotes() {
        assert_eq!(ETag::parse("\"abc-2\""), ETag::parse("abc-2"));
        assert_eq!(ETag::parse("W/\"abc\""), ETag::parse("abc"));
        assert_eq!(ETag::parse("abc").map(|etag| etag.quoted()), Ok("\"abc\"".to_owned()));
        for bad in ["", "\"\"", "a\"b", "a b", "é", "a\n", &"x".repeat(257)] {
            assert_eq!(ETag::parse(bad), Err(NameError::ETag), "{bad:?}");
        }
    }

    #[test]
    fn addresses_show_no_hidden_characters() {
        let shown = |key: &str| ObjectAddress::parse("bucket", key).map(|address| address.to_string()).unwrap();
        assert_eq!(shown("a/b c.csv"), "s3://bucket/a/b c.csv");
        assert_eq!(shown("größe's"), "s3://bucket/größe's");
        assert_eq!(shown("x\u{202e}fdp"), "s3://bucket/x\\u{202e}fdp");
    }
}
