//! What is to be done with an item, decided before anything is read.
//!
//! Here the names that come from outside become addresses, and each is held against the places that the function may
//! touch. An item whose name makes no sense fails alone.

use crate::event::Item;
use crate::item_error::ItemError;
use crate::names;
use crate::object::{Addresses, Run};
use crate::places::{check_read, check_write};
use job::{Job, KeyMatch, RejectPolicy};
use object_store::{ETag, ErrorClass, ObjectAddress, ObjectKey, Places};

/// What is to be done with an item.
pub(crate) enum Assignment {
    Skip(&'static str),
    Process(Addresses, Option<ETag>),
}

/// Why an object below the source's prefix is not to be processed, by its key and size alone; none if it is. What plans a run
/// asks this as well, so that it counts what workers do.
#[must_use]
pub fn skip_reason(job: &Job, key: &ObjectKey, size: Option<u64>) -> Option<&'static str> {
    match job.source.matches(key.as_str()) {
        KeyMatch::OutsidePrefix => None,
        _ if names::is_our_own(key) => Some("written_by_mapmill"),
        _ if key.is_folder_marker() && size.unwrap_or(0) == 0 => Some("folder_marker"),
        KeyMatch::NotIncluded => Some("not_included"),
        KeyMatch::Included if size == Some(0) => Some("empty_object"),
        KeyMatch::Included => None,
    }
}

/// Decides about an item before anything is read.
pub(crate) fn assign(
    run: &Run,
    (index, item): (usize, &Item),
    readable: &Places,
    writable: &Places,
) -> Result<Assignment, ItemError> {
    let bad_data = |code: &'static str, message: String| ItemError::new(ErrorClass::BadData, code, message);
    let configuration = |code: &'static str, message: String| ItemError::new(ErrorClass::Configuration, code, message);
    if let Some(defect) = item.defect {
        return Err(bad_data("invalid_item", defect.to_owned()));
    }
    if let Some(reason) = item.skip {
        return Ok(Assignment::Skip(reason));
    }
    let source = &run.job.source;
    if item.bucket.as_deref().is_some_and(|bucket| bucket != source.bucket.as_str()) {
        let message = format!("expected an object of source.bucket ({}), found another bucket", source.bucket.as_str());
        return Err(configuration("unexpected_bucket", message));
    }
    let key = ObjectKey::parse(&item.key).map_err(|error| bad_data("invalid_key", error.to_string()))?;
    if source.matches(key.as_str()) == KeyMatch::OutsidePrefix {
        let message = format!("expected a key that begins with source.prefix ({})", source.prefix.as_str());
        return Err(configuration("outside_prefix", message));
    }
    if let Some(reason) = skip_reason(&run.job, &key, item.size) {
        return Ok(Assignment::Skip(reason));
    }
    let source = ObjectAddress::parse(source.bucket.as_str(), key.as_str())
        .map_err(|error| configuration("invalid_bucket", error.to_string()))?;
    check_read(readable, &source)?;
    let output = names::output(&run.job, &key, item.range)?;
    let rejects = names::rejects(&run.job, &key, item.range, &run.id)?;
    check_write(writable, &output)?;
    if run.job.rejects.policy == RejectPolicy::Quarantine {
        check_write(writable, &rejects)?;
    }
    let progress = names::progress(&run.job, &key, item.range, &run.id)?;
    check_write(writable, &progress)?;
    let etag = item.etag.as_deref().map(ETag::parse).transpose();
    let etag = etag.map_err(|error| bad_data("invalid_item", error.to_string()))?;
    Ok(Assignment::Process(
        Addresses { item: index, source, range: item.range, listed_size: item.size, output, rejects, progress },
        etag,
    ))
}
