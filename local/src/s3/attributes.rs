//! What an object carries besides its bytes: content headers and user metadata.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::error::StoreError;

/// The limit of S3 on the names and values of user metadata together.
pub const MAX_METADATA_BYTES: usize = 2048;

/// Content headers and user metadata of an object, kept as they were given.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Attributes {
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Content-Encoding`.
    pub content_encoding: Option<String>,
    /// `Content-Language`.
    pub content_language: Option<String>,
    /// `Content-Disposition`.
    pub content_disposition: Option<String>,
    /// `Cache-Control`.
    pub cache_control: Option<String>,
    /// `x-amz-meta-…`, names without that prefix.
    pub metadata: HashMap<String, String>,
}

impl Attributes {
    /// Attributes with only a content type.
    #[must_use]
    pub fn with_content_type(content_type: &str) -> Self {
        Self { content_type: Some(content_type.to_owned()), ..Self::default() }
    }

    /// Leaves `aws-chunked` out of the content encoding: it says how the body travelled, not what it is.
    pub(super) fn without_transfer_coding(mut self) -> Self {
        self.content_encoding = self.content_encoding.and_then(|encoding| {
            let kept: Vec<&str> = encoding
                .split(',')
                .map(str::trim)
                .filter(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("aws-chunked"))
                .collect();
            (!kept.is_empty()).then(|| kept.join(","))
        });
        self
    }

    /// Refuses metadata over the limit of S3.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        let found = self.metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
        if found > MAX_METADATA_BYTES { Err(StoreError::MetadataTooLarge { found }) } else { Ok(()) }
    }

    /// Boxed, and nothing at all when there is nothing to keep: a hundred thousand objects mostly have none.
    pub(super) fn into_box(self) -> Option<Box<Self>> {
        if self == Self::default() { None } else { Some(Box::new(self)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_transfer_coding_is_not_kept() {
        let check = |given: Option<&str>, expected: Option<&str>| {
            let attributes = Attributes { content_encoding: given.map(str::to_owned), ..Attributes::default() };
            assert_eq!(attributes.without_transfer_coding().content_encoding.as_deref(), expected, "{given:?}");
        };
        check(None, None);
        check(Some("gzip"), Some("gzip"));
        check(Some("aws-chunked"), None);
        check(Some("aws-chunked, gzip"), Some("gzip"));
        check(Some("gzip,AWS-chunked,br"), Some("gzip,br"));
        check(Some(""), None);
    }

    #[test]
    fn metadata_is_bounded() {
        let mut attributes = Attributes::default();
        attributes.metadata.insert("k".repeat(48), "v".repeat(2000));
        assert!(attributes.check().is_ok());
        attributes.metadata.insert("x".to_owned(), String::new());
        assert!(matches!(attributes.check(), Err(StoreError::MetadataTooLarge { found: 2049 })));
    }
}
