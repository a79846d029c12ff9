//! Tags of objects: at most ten pairs of a name and a value, as S3 has them.

use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};

use super::error::StoreError;

/// Most tags of an object.
pub const MAX_TAGS: usize = 10;
/// Longest name and longest value of a tag, in characters.
const MAX_NAME_CHARACTERS: usize = 128;
const MAX_VALUE_CHARACTERS: usize = 256;

/// The tags of an object, in the order in which they were given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tags(Vec<(String, String)>);

impl Tags {
    /// Checks pairs of a name and a value.
    ///
    /// # Errors
    /// [`StoreError::InvalidTag`].
    pub(super) fn new(pairs: Vec<(String, String)>) -> Result<Self, StoreError> {
        let invalid = |problem: String| Err(StoreError::InvalidTag { problem });
        if pairs.len() > MAX_TAGS {
            return invalid(format!("an object may have {MAX_TAGS} tags, found {}", pairs.len()));
        }
        for (position, (name, value)) in pairs.iter().enumerate() {
            if name.is_empty() || name.chars().count() > MAX_NAME_CHARACTERS {
                return invalid(format!("the name of a tag must have 1 to {MAX_NAME_CHARACTERS} characters"));
            }
            if value.chars().count() > MAX_VALUE_CHARACTERS {
                return invalid(format!("the value of a tag may have {MAX_VALUE_CHARACTERS} characters"));
            }
            if pairs.iter().take(position).any(|(other, _)| other == name) {
                return invalid("the same name of a tag is given twice".to_owned());
            }
        }
        Ok(Self(pairs))
    }

    /// Reads the header `x-amz-tagging`: pairs as in a URL's query.
    ///
    /// # Errors
    /// [`StoreError::InvalidTag`].
    pub(super) fn of_header(header: &str) -> Result<Self, StoreError> {
        let decode = |text: &str| {
            let text = text.replace('+', " ");
            let decoded = percent_decode_str(&text).decode_utf8();
            decoded.map(std::borrow::Cow::into_owned).map_err(|_| StoreError::InvalidTag {
                problem: "the header x-amz-tagging is not UTF-8 after decoding".to_owned(),
            })
        };
        let pairs = header.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(name)?, decode(value)?))
        });
        Self::new(pairs.collect::<Result<_, StoreError>>()?)
    }

    pub(super) fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    /// Boxed, and nothing at all when there are none.
    pub(super) fn into_box(self) -> Option<Box<Self>> {
        (!self.0.is_empty()).then(|| Box::new(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_and_limits_hold() {
        let check = |header: &str, expected: Option<&[(&str, &str)]>| {
            let found = Tags::of_header(header).ok();
            let found = found.as_ref().map(|tags| {
                tags.pairs().iter().map(|(name, value)| (name.as_str(), value.as_str())).collect::<Vec<_>>()
            });
            assert_eq!(found.as_deref(), expected, "{header}");
        };
        check("", Some(&[]));
        check("a=1&b=x%20y+z&c", Some(&[("a", "1"), ("b", "x y z"), ("c", "")]));
        check("a=1&a=2", None);
        check("=1", None);
        check("a=%ff", None);
        check(&format!("{}=1", "n".repeat(129)), None);
        check(&format!("n={}", "v".repeat(257)), None);
        let many: Vec<_> = (0..11).map(|number| format!("t{number}=1")).collect();
        check(&many.join("&"), None);
    }
}
