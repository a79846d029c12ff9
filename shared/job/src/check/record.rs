//! Rules between the parts of `record` that choose fields, name them and give them types.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use super::{condition, schema, types};
use crate::condition::is_inexact;
use crate::field_path::{FieldPath, Segment};
use crate::limits::MAX_FIELDS;
use crate::model::Record;
use crate::names::FieldName;
use crate::place::{entry_path, find};
use crate::problem::{Problem, shorten};

pub(super) fn check(record: &Record, problems: &mut Vec<Problem>) {
    for (path, length) in [
        ("record.null_tokens", record.null_tokens.len()),
        ("record.select", record.select.len()),
        ("record.drop", record.drop.len()),
    ] {
        if length > MAX_FIELDS {
            problems.push(Problem::mismatch(
                path,
                format!("at most {MAX_FIELDS} entries"),
                format!("{length} entries"),
            ));
        }
    }
    if !record.select.is_empty() && !record.drop.is_empty() {
        problems.push(Problem::mismatch("record.drop", "`select` or `drop`, not both", "both"));
    }
    check_once("record.drop", &record.drop, problems);
    check_once("record.select", &record.select, problems);
    check_rename(record, problems);
    types::check("record.types", &record.types, problems);
    types::check("record.cast", &record.cast, problems);
    check_nesting(record, problems);
    check_cast(record, problems);
    for (name, value) in &record.set {
        if find(value, &|_, inner| is_inexact(inner)).is_some() {
            let expected = "numbers that 64 bits hold exactly, or strings with all their digits";
            problems.push(Problem::mismatch(entry_path("record.set", name.as_str()), expected, "a larger number"));
        }
    }
    if let Some(schema) = &record.schema {
        schema::check(schema, problems);
    }
    condition::check(record, problems);
}

/// A type is brought about on the whole value, so nothing can be said of the fields inside it as well.
fn check_nesting(record: &Record, problems: &mut Vec<Problem>) {
    // In the order of segments the fields inside a field come right behind it.
    let ruled = record.types.keys().chain(&record.drop).chain(record.rename.keys()).chain(record.cast.keys());
    let ruled = ruled.chain(&record.select);
    let ruled: BTreeMap<&[Segment], &FieldPath> = ruled.map(|path| (path.segments(), path)).collect();
    for (place, rules) in [("record.types", &record.types), ("record.cast", &record.cast)] {
        for typed in rules.keys() {
            let behind = ruled.range::<[Segment], _>((Bound::Excluded(typed.segments()), Bound::Unbounded)).next();
            if let Some((_, inner)) = behind.filter(|(segments, _)| segments.starts_with(typed.segments())) {
                problems.push(Problem::mismatch(
                    entry_path(place, typed.as_str()),
                    "a type for a field, or rules for the fields inside it, not both",
                    format!("a rule for `{}` too", shorten(inner.as_str())),
                ));
            }
        }
    }
}

/// A field can only be cast where it is written, and not where `set` writes something else in its place.
fn check_cast(record: &Record, problems: &mut Vec<Problem>) {
    let (selected, dropped) = (segments(&record.select), segments(&record.drop));
    let renamed: BTreeMap<&[Segment], &FieldName> =
        record.rename.iter().map(|(path, name)| (path.segments(), name)).collect();
    let set: BTreeSet<&str> = record.set.keys().map(FieldName::as_str).collect();
    for path in record.cast.keys() {
        let around = |paths: &BTreeSet<&[Segment]>| {
            (1..=path.segments().len()).map(|length| &path.segments()[..length]).find(|start| paths.contains(*start))
        };
        let kept = around(&selected);
        let place = entry_path("record.cast", path.as_str());
        if !selected.is_empty() && kept.is_none() {
            problems.push(Problem::mismatch(place, "a field that `select` keeps", "a field that it does not keep"));
        } else if around(&dropped).is_some() {
            problems.push(Problem::mismatch(place, "a field that `drop` keeps", "a dropped field"));
        } else if let Some(name) = name_at_the_top(kept.unwrap_or(&path.segments()[..1]), &renamed)
            && set.contains(name)
        {
            let found = format!("`{}`, to which `set` gives a value", shorten(name));
            problems.push(Problem::mismatch(place, "a field that `set` does not replace", found));
        }
    }
}
fn segments(paths: &[FieldPath]) -> BTreeSet<&[Segment]> {
    paths.iter().map(FieldPath::segments).collect()
}

/// The name in the output of a field that lies at its top.
fn name_at_the_top<'a>(field: &'a [Segment], renamed: &BTreeMap<&[Segment], &'a FieldName>) -> Option<&'a str> {
    let last_name = || {
        field.iter().rev().find_map(|segment| match segment {
            Segment::Name(name) => Some(name.as_str()),
            Segment::Index(_) => None,
        })
    };
    renamed.get(field).map(|name| name.as_str()).or_else(last_name)
}

fn check_once(place: &str, paths: &[FieldPath], problems: &mut Vec<Problem>) {
    let mut seen = BTreeSet::new();
    for (index, path) in paths.iter().enumerate() {
        if !seen.insert(path) {
            let found = format!("`{}` again", shorten(path.as_str()));
            problems.push(Problem::mismatch(format!("{place}[{index}]"), "each field once", found));
        }
    }
}

/// Renamed fields must be there to be renamed, and no two fields may end up with the same name at the same place.
///
/// Selected fields all lie at the top of the output; without a selection a field stays where it is.
fn check_rename(record: &Record, problems: &mut Vec<Problem>) {
    let selected: BTreeSet<&FieldPath> = record.select.iter().collect();
    let dropped: BTreeSet<&FieldPath> = record.drop.iter().collect();
    let mut selected_names: BTreeMap<&str, &FieldPath> = BTreeMap::new();
    let mut new_names: BTreeMap<(&[Segment], &str), &FieldPath> = BTreeMap::new();
    for (index, path) in record.select.iter().enumerate() {
        let name = record.rename.get(path).map_or(path.output_name(), |name| name.as_str());
        match selected_names.insert(name, path) {
            // A path that is there twice was reported already.
            Some(earlier) if earlier != path => problems.push(Problem::mismatch(
                format!("record.select[{index}]"),
                "every field under a name of its own; use `rename`",
                format!("`{earlier}` and `{path}` both become `{}`", shorten(name)),
            )),
            _ => {}
        }
    }
    for (from, to) in &record.rename {
        let place = entry_path("record.rename", from.as_str());
        if !selected.is_empty() && !selected.contains(from) {
            problems.push(Problem::mismatch(place, "a field that `select` keeps", "a field that it does not keep"));
        } else if selected.is_empty() && matches!(from.segments().last(), Some(Segment::Index(_))) {
            problems.push(Problem::mismatch(
                place,
                "a field with a name; elements of lists have none",
                "an element of a list",
            ));
        } else if dropped.contains(from) {
            problems.push(Problem::mismatch(place, "a field that `drop` keeps", "a dropped field"));
        } else if selected.is_empty()
            && let Some(earlier) = new_names.insert((from.parent(), to.as_str()), from)
        {
            let found = format!("`{}`, which `{earlier}` becomes too", shorten(to.as_str()));
            problems.push(Problem::mismatch(place, "a new name that no other field beside it has", found));
        }
    }
}
