//! Conditional requests: which state of an object a read or a write asks for.

use std::time::{Duration, SystemTime};

use super::error::StoreError;
use super::tag::EntityTag;

/// One entity tag, or any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TagCondition {
    /// `*`: any object, as long as there is one.
    Any,
    /// This tag, without quotes.
    Tag(String),
}

impl TagCondition {
    fn matches(&self, tag: EntityTag) -> bool {
        match self {
            Self::Any => true,
            Self::Tag(text) => tag.matches(text),
        }
    }
}

/// Conditions of a read. The default has none.
#[derive(Clone, Debug, Default)]
pub struct ReadCondition {
    /// Read only this state of the object.
    pub if_match: Option<TagCondition>,
    /// Read only another state of the object.
    pub if_none_match: Option<TagCondition>,
    /// Read only when changed after this moment; compared in whole seconds.
    pub if_modified_since: Option<SystemTime>,
    /// Read only when not changed after this moment; compared in whole seconds.
    pub if_unmodified_since: Option<SystemTime>,
}

/// A condition of a write or delete. The default has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum WriteCondition {
    /// Write whatever is there.
    #[default]
    None,
    /// Write only when there is no object at the key (`If-None-Match: *`).
    Absent,
    /// Write only over this state of the object (`If-Match`).
    Matches(TagCondition),
}

impl ReadCondition {
    /// Checks the conditions in the order of RFC 9110: a tag condition makes the time condition of its kind void.
    pub(super) fn check(
        &self,
        bucket: &str,
        key: &str,
        tag: EntityTag,
        modified: SystemTime,
    ) -> Result<(), StoreError> {
        let failed = |condition| {
            Err(StoreError::PreconditionFailed { condition, bucket: bucket.to_owned(), key: key.to_owned() })
        };
        let changed_after = |moment: SystemTime| whole_seconds(modified) > whole_seconds(moment);
        match (&self.if_match, self.if_unmodified_since) {
            (Some(wanted), _) if !wanted.matches(tag) => return failed("If-Match"),
            (None, Some(moment)) if changed_after(moment) => return failed("If-Unmodified-Since"),
            _ => {}
        }
        match (&self.if_none_match, self.if_modified_since) {
            (Some(known), _) if known.matches(tag) => Err(StoreError::NotModified { tag }),
            (None, Some(moment)) if !changed_after(moment) => Err(StoreError::NotModified { tag }),
            _ => Ok(()),
        }
    }
}

impl WriteCondition {
    /// Checks the condition against the tag of the object that is there now, if any.
    pub(super) fn check(&self, bucket: &str, key: &str, current: Option<EntityTag>) -> Result<(), StoreError> {
        let failed = |condition| {
            Err(StoreError::PreconditionFailed { condition, bucket: bucket.to_owned(), key: key.to_owned() })
        };
        match (self, current) {
            (Self::Absent, Some(_)) => failed("If-None-Match"),
            (Self::Matches(_), None) => Err(StoreError::NoSuchKey { bucket: bucket.to_owned(), key: key.to_owned() }),
            (Self::Matches(wanted), Some(tag)) if !wanted.matches(tag) => failed("If-Match"),
            _ => Ok(()),
        }
    }
}

/// HTTP dates have no fractions of a second.
fn whole_seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(result: Result<(), StoreError>) -> &'static str {
        match result {
            Ok(()) => "ok",
            Err(StoreError::PreconditionFailed { condition, .. }) => condition,
            Err(StoreError::NotModified { .. }) => "not modified",
            Err(StoreError::NoSuchKey { .. }) => "no such key",
            Err(_) => "other",
        }
    }

    fn tag(text: &str) -> Option<TagCondition> {
        Some(if text == "*" { TagCondition::Any } else { TagCondition::Tag(text.to_owned()) })
    }

    #[test]
    fn reads() {
        let here = "0a".repeat(16);
        let modified = SystemTime::UNIX_EPOCH + Duration::from_millis(10_500);
        let at = |seconds| Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        let check = |condition: ReadCondition, expected: &str| {
            let result = condition.check("b", "k", EntityTag::of_content([0x0a; 16]), modified);
            assert_eq!(outcome(result), expected, "{condition:?}");
        };
        let none = ReadCondition::default;
        check(none(), "ok");
        check(ReadCondition { if_match: tag(&here), ..none() }, "ok");
        check(ReadCondition { if_match: tag("*"), ..none() }, "ok");
        check(ReadCondition { if_match: tag("ff"), ..none() }, "If-Match");
        check(ReadCondition { if_none_match: tag(&here), ..none() }, "not modified");
        check(ReadCondition { if_none_match: tag("*"), ..none() }, "not modified");
        check(ReadCondition { if_none_match: tag("ff"), ..none() }, "ok");
        check(ReadCondition { if_modified_since: at(10), ..none() }, "not modified");
        check(ReadCondition { if_modified_since: at(9), ..none() }, "ok");
        check(ReadCondition { if_unmodified_since: at(10), ..none() }, "ok");
        check(ReadCondition { if_unmodified_since: at(9), ..none() }, "If-Unmodified-Since");
        check(ReadCondition { if_match: tag(&here), if_unmodified_since: at(9), ..none() }, "ok");
        check(ReadCondition { if_none_match: tag("ff"), if_modified_since: at(10), ..none() }, "ok");
        check(ReadCondition { if_match: tag("ff"), if_none_match: tag(&here), ..none() }, "If-Match");
    }

    #[test]
    fn writes() {
        let here = EntityTag::of_content([0x0a; 16]);
        let check = |condition: WriteCondition, current: Option<EntityTag>, expected: &str| {
            assert_eq!(outcome(condition.check("b", "k", current)), expected, "{condition:?}");
        };
        check(WriteCondition::None, Some(here), "ok");
        check(WriteCondition::Absent, None, "ok");
        check(WriteCondition::Absent, Some(here), "If-None-Match");
        check(WriteCondition::Matches(TagCondition::Any), Some(here), "ok");
        check(WriteCondition::Matches(TagCondition::Any), None, "no such key");
        check(WriteCondition::Matches(TagCondition::Tag("0a".repeat(16))), Some(here), "ok");
        check(WriteCondition::Matches(TagCondition::Tag("ff".into())), Some(here), "If-Match");
    }
}
