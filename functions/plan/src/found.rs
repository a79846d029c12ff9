//! An object that was found, and the item that becomes of it.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// An object that a listing, an inventory or an earlier run names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Found {
    pub(crate) key: String,
    /// Only an earlier run may not know it.
    pub(crate) size: Option<u64>,
    /// Without quotes.
    pub(crate) etag: Option<String>,
    /// The part of it that is meant; only of an earlier run.
    pub(crate) range: Option<Range>,
    /// Why it is no present object: rows of inventories may be delete markers or old versions.
    pub(crate) not_present: bool,
}

/// An item as a worker takes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UnitItem<'a> {
    #[serde(rename = "Key", borrow)]
    pub(crate) key: Cow<'a, str>,
    /// Of the whole object, also where the item is a part.
    #[serde(rename = "Size", default, skip_serializing_if = "Option::is_none")]
    pub(crate) size: Option<u64>,
    /// With quotes, as listings have it.
    #[serde(rename = "Etag", borrow, default, skip_serializing_if = "Option::is_none")]
    pub(crate) etag: Option<Cow<'a, str>>,
    #[serde(rename = "Range", default, skip_serializing_if = "Option::is_none")]
    pub(crate) range: Option<Range>,
}

/// A part of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Range {
    /// The first byte.
    #[serde(rename = "Start")]
    pub(crate) start: u64,
    /// One past the last byte; none means the end of the object.
    #[serde(rename = "End", default, skip_serializing_if = "Option::is_none")]
    pub(crate) end: Option<u64>,
}

impl Range {
    /// Reads `0..1048576` or `1048576..`, as ledgers write it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (start, end) = text.split_once("..")?;
        let end = if end.is_empty() { None } else { Some(end.parse().ok()?) };
        let range = Self { start: start.parse().ok()?, end };
        range.end.is_none_or(|end| range.start < end).then_some(range)
    }

    /// Its bytes in an object of this size.
    pub(crate) fn bytes(self, size: u64) -> u64 {
        self.end.unwrap_or(size).min(size).saturating_sub(self.start)
    }
}

impl Found {
    /// The item of the object.
    pub(crate) fn item(&self) -> UnitItem<'_> {
        let etag = self.etag.as_deref().map(|etag| Cow::from(format!("\"{etag}\"")));
        UnitItem { key: Cow::from(self.key.as_str()), size: self.size, etag, range: self.range }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_have_the_shape_of_a_listing() {
        let range = Range::parse("0..10");
        let found =
            Found { key: "in/\"a\".csv".into(), size: Some(12), etag: Some("401b".into()), range, not_present: false };
        let text = serde_json::to_string(&found.item()).unwrap();
        assert_eq!(text, r#"{"Key":"in/\"a\".csv","Size":12,"Etag":"\"401b\"","Range":{"Start":0,"End":10}}"#);
        assert_eq!(serde_json::from_str::<UnitItem<'_>>(&text).unwrap(), found.item());
        let text = serde_json::to_string(&Found { key: "a".into(), ..Found::default() }.item()).unwrap();
        assert_eq!(text, r#"{"Key":"a"}"#);
    }

    #[test]
    fn ranges_are_read_as_ledgers_write_them() {
        let check = |text: &str, expected: Option<(u64, Option<u64>)>| {
            assert_eq!(Range::parse(text).map(|range| (range.start, range.end)), expected, "{text}");
        };
        check("0..1048576", Some((0, Some(1_048_576))));
        check("7..", Some((7, None)));
        for bad in ["", "7", "..7", "7..7", "8..7", "a..b", "-1..4"] {
            check(bad, None);
        }
        assert_eq!(Range { start: 10, end: None }.bytes(25), 15);
        assert_eq!(Range { start: 10, end: Some(99) }.bytes(25), 15);
        assert_eq!(Range { start: 30, end: Some(99) }.bytes(25), 0);
    }
}
