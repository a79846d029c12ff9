//! What the proxy did.

use super::fault::Fault;
use super::request::{Operation, Subject};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Most records that a proxy keeps. Requests after these are forwarded without a fault and without a record.
pub const MAX_RECORDS: usize = 200_000;

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The number of the request among all, from 1.
    pub number: u64,
    /// What was asked for.
    pub operation: Operation,
    /// Bucket and key, with a slash between them.
    pub object: String,
    /// The part of an upload.
    pub part: Option<u32>,
    /// The number of the request among those for the same operation, object and part, from 1.
    pub nth: u32,
    /// Method, path and query, as they came.
    pub line: String,
    /// The header `Range`.
    pub range: Option<String>,
    /// The header `If-Match`.
    pub if_match: Option<String>,
    /// What was done to it.
    pub fault: Option<Fault>,
}

impl fmt::Display for Record {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {} {}", self.number, self.operation, self.object)?;
        if let Some(part) = self.part {
            write!(formatter, " part {part}")?;
        }
        write!(formatter, " request {}", self.nth)?;
        if let Some(range) = &self.range {
            write!(formatter, " {range}")?;
        }
        match &self.fault {
            Some(fault) => write!(formatter, ": {fault}"),
            None => formatter.write_str(": passed"),
        }
    }
}

/// A moment in the life of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Its head came; nothing was forwarded yet.
    Arrived,
    /// So many bytes of its body were forwarded.
    Sent(u64),
    /// It is done, and its answer is at the proxy.
    Answered,
}

/// The records, and the counts that rules ask for.
#[derive(Debug, Default)]
pub(super) struct Records(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    list: Vec<Record>,
    counts: HashMap<(Operation, String, Option<u32>), u32>,
}

impl Records {
    /// Counts a request, asks `decide` for its fault by its number among its like, and keeps it. None when there are
    /// too many.
    pub(super) fn add(
        &self,
        subject: Subject,
        line: String,
        range: Option<String>,
        if_match: Option<String>,
        decide: impl FnOnce(&Subject, u32) -> Option<Fault>,
    ) -> Option<Record> {
        let mut inner = self.lock();
        if inner.list.len() >= MAX_RECORDS {
            return None;
        }
        let count = inner.counts.entry((subject.operation, subject.object.clone(), subject.part)).or_default();
        *count += 1;
        let nth = *count;
        let fault = decide(&subject, nth);
        let number = inner.list.len() as u64 + 1;
        let Subject { operation, object, part } = subject;
        let record = Record { number, operation, object, part, nth, line, range, if_match, fault };
        inner.list.push(record.clone());
        Some(record)
    }

    pub(super) fn all(&self) -> Vec<Record> {
        self.lock().list.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
