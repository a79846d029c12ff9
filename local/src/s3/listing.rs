//! Listing: one page of the keys of a bucket, in the order of their bytes.
//!
//! With a delimiter, keys that share the text up to the first delimiter behind the prefix are rolled up into one common
//! prefix. The walk then jumps behind that group instead of visiting its keys: UTF-8 has no byte 0xff, so the byte
//! string right behind every key with a prefix is the prefix with its last byte raised by one.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::time::SystemTime;

use super::error::StoreError;
use super::names::ObjectKey;
use super::object::Object;
use super::tag::EntityTag;

/// The most entries a page can have.
pub const MAX_PAGE: usize = 1000;

/// What to list. The default lists everything from the beginning, 1,000 entries a page.
#[derive(Clone, Debug, Default)]
pub struct ListRequest {
    /// Only keys that begin with this.
    pub prefix: String,
    /// Roll keys up at this text; empty or `None` for no rolling up.
    pub delimiter: Option<String>,
    /// Only keys behind this one. Ignored together with a continuation.
    pub start_after: Option<String>,
    /// Where the page before ended: its [`ListPage::continuation`].
    pub continuation: Option<String>,
    /// The most entries wanted; values over 1,000 count as 1,000, and `None` means 1,000.
    pub max_entries: Option<usize>,
}

/// One listed object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedObject {
    /// The key.
    pub key: String,
    /// The entity tag; S3 writes it with quotes around.
    pub tag: EntityTag,
    /// Size in bytes.
    pub size: u64,
    /// When the object was written; for a mounted file, when the file was changed.
    pub modified: SystemTime,
}

/// One page of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListPage {
    /// The objects, in the order of their keys.
    pub objects: Vec<ListedObject>,
    /// The common prefixes, in order.
    pub common_prefixes: Vec<String>,
    /// Present when there is more: give it as [`ListRequest::continuation`] to get the next page.
    pub continuation: Option<String>,
}

impl ListPage {
    fn len(&self) -> usize {
        self.objects.len() + self.common_prefixes.len()
    }
}

/// Where a walk stands.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Position {
    /// Behind this key.
    AfterKey(String),
    /// Behind every key that begins with this.
    AfterPrefix(String),
}

impl Position {
    /// A token that a client hands back unread; hexadecimal, so that it survives every encoding.
    fn to_token(&self) -> String {
        match self {
            Self::AfterKey(key) => format!("k{}", hex::encode(key)),
            Self::AfterPrefix(prefix) => format!("p{}", hex::encode(prefix)),
        }
    }

    fn from_token(token: &str) -> Result<Self, StoreError> {
        let decode = |text: &str| hex::decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let position = match token.as_bytes().first() {
            Some(b'k') => token.get(1..).and_then(decode).map(Self::AfterKey),
            Some(b'p') => token.get(1..).and_then(decode).map(Self::AfterPrefix),
            _ => None,
        };
        position.ok_or_else(|| StoreError::InvalidArgument { what: "the continuation token is not valid".to_owned() })
    }
}

/// Lists one page of `objects`.
pub(super) fn list(objects: &BTreeMap<ObjectKey, Arc<Object>>, request: &ListRequest) -> Result<ListPage, StoreError> {
    let limit = request.max_entries.unwrap_or(MAX_PAGE).min(MAX_PAGE);
    let delimiter = request.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty());
    let mut page = ListPage::default();
    if limit == 0 {
        return Ok(page);
    }
    let mut position = start(request, delimiter)?;
    loop {
        let lower = lower_bound(position.as_ref(), &request.prefix);
        let Some((key, object)) = first_from(objects, &lower, &request.prefix) else { return Ok(page) };
        if page.len() == limit {
            page.continuation = position.map(|position| position.to_token());
            return Ok(page);
        }
        if let Some(common) = common_prefix(key.as_str(), &request.prefix, delimiter) {
            page.common_prefixes.push(common.to_owned());
            position = Some(Position::AfterPrefix(common.to_owned()));
            continue;
        }
        page.objects.push(listed(key, object));
        // Neighbours need no new search in the map: walk on until the page is full or a group begins.
        for (key, object) in objects.range::<[u8], _>((Bound::Excluded(key.as_str().as_bytes()), Bound::Unbounded)) {
            let stop = page.len() == limit
                || !key.as_str().starts_with(&request.prefix)
                || common_prefix(key.as_str(), &request.prefix, delimiter).is_some();
            if stop {
                break;
            }
            page.objects.push(listed(key, object));
        }
        position = page.objects.last().map(|object| Position::AfterKey(object.key.clone()));
    }
}

/// The position a request begins at. A `start_after` inside a group leaves the whole group out.
fn start(request: &ListRequest, delimiter: Option<&str>) -> Result<Option<Position>, StoreError> {
    if let Some(token) = &request.continuation {
        return Position::from_token(token).map(Some);
    }
    Ok(request.start_after.as_ref().filter(|after| !after.is_empty()).map(|after| {
        let group =
            if after.starts_with(&request.prefix) { common_prefix(after, &request.prefix, delimiter) } else { None };
        match group {
            Some(common) => Position::AfterPrefix(common.to_owned()),
            None => Position::AfterKey(after.clone()),
        }
    }))
}

/// The smallest byte string that may still be listed, and whether it is excluded itself.
fn lower_bound(position: Option<&Position>, prefix: &str) -> Bound<Vec<u8>> {
    let bound = match position {
        None => return Bound::Included(prefix.as_bytes().to_vec()),
        Some(Position::AfterKey(key)) => Bound::Excluded(key.as_bytes().to_vec()),
        Some(Position::AfterPrefix(common)) => {
            let mut behind = common.as_bytes().to_vec();
            if let Some(last) = behind.last_mut() {
                *last = last.saturating_add(1);
            }
            Bound::Included(behind)
        }
    };
    match &bound {
        Bound::Included(bytes) | Bound::Excluded(bytes) if bytes.as_slice() >= prefix.as_bytes() => bound,
        _ => Bound::Included(prefix.as_bytes().to_vec()),
    }
}

fn first_from<'a>(
    objects: &'a BTreeMap<ObjectKey, Arc<Object>>,
    lower: &Bound<Vec<u8>>,
    prefix: &str,
) -> Option<(&'a ObjectKey, &'a Arc<Object>)> {
    let lower = lower.as_ref().map(Vec::as_slice);
    objects.range::<[u8], _>((lower, Bound::Unbounded)).next().filter(|(key, _)| key.as_str().starts_with(prefix))
}

/// The group a key belongs to: its text up to and including the first delimiter behind the prefix.
fn common_prefix<'a>(key: &'a str, prefix: &str, delimiter: Option<&str>) -> Option<&'a str> {
    let delimiter = delimiter?;
    let rest = key.get(prefix.len()..)?;
    let end = prefix.len() + rest.find(delimiter)? + delimiter.len();
    key.get(..end)
}

fn listed(key: &ObjectKey, object: &Object) -> ListedObject {
    ListedObject { key: key.as_str().to_owned(), tag: object.tag, size: object.size, modified: object.modified }
}

#[cfg(test)]
#[path = "listing_tests.rs"]
mod tests;
