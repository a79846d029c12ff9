//! The documents of the workload `objects`: as many JSON documents as wanted, each different, from a few megabytes of events.
//!
//! A document has a number of its own and events from one place of the pool on, as many as give the wanted size. Making one
//! is copying it together, so that the measurement is of what reads it.

use std::ops::Range;

use bytes::{BufMut as _, Bytes, BytesMut};
use engine_benches::BenchError;
use engine_benches::data::{Data, Shape};

use crate::s3::Generator;

/// Largest document.
pub(super) const MOST_BYTES: u64 = 16_000_000;
/// Where the documents are in their bucket.
pub(super) const PREFIX: &str = "documents/";
/// Size of the pool.
const POOL_BYTES: usize = 4_000_000;
/// Events between the places where two documents begin; it has no divisor in common with most numbers of events.
const STEP: u64 = 7_919;
const AFTER: &[u8] = b"]}";

/// Makes the documents.
#[derive(Debug)]
pub(super) struct Documents {
    objects: u64,
    /// About so many bytes each.
    bytes: usize,
    pool: Vec<u8>,
    /// Where each event is in the pool.
    events: Vec<Range<usize>>,
}

impl Documents {
    /// So many documents of about this size.
    pub(super) fn new(objects: u64, bytes: u64) -> Result<Self, BenchError> {
        let input = Data::new(POOL_BYTES).input(Shape::Events)?;
        let pool = input.objects.first().cloned().unwrap_or_default();
        let mut start = 0;
        let lines = pool.split_inclusive(|byte| *byte == b'\n').map(|line| {
            let event = start..start + line.len() - 1;
            start += line.len();
            event
        });
        let events = lines.collect();
        Ok(Self { objects, bytes: usize::try_from(bytes).unwrap_or(usize::MAX), pool, events })
    }

    /// Size of all documents together.
    pub(super) fn total_bytes(&self) -> u64 {
        (0..self.objects).map(|number| self.size(number)).sum()
    }

    fn before(number: u64) -> String {
        format!("{{\"export\":{number},\"complete\":true,\"events\":[")
    }

    /// The events of a document, at least one.
    fn events(&self, number: u64) -> impl Iterator<Item = &[u8]> {
        let first = usize::try_from((number * STEP) % (self.events.len() as u64)).unwrap_or(0);
        let mut room = self.bytes.saturating_sub(Self::before(number).len() + AFTER.len());
        let turning = self.events.iter().cycle().skip(first);
        let mut is_first = true;
        turning.filter_map(|range| self.pool.get(range.clone())).take_while(move |event| {
            let fits = is_first || room > 0;
            is_first = false;
            room = room.saturating_sub(event.len() + 1);
            fits
        })
    }
}

impl Generator for Documents {
    fn objects(&self) -> u64 {
        self.objects
    }

    fn key(&self, number: u64) -> String {
        format!("{PREFIX}{:04}/document-{number:07}.json", number / 1_000)
    }

    fn size(&self, number: u64) -> u64 {
        // A comma stands behind every event but the last.
        let events: usize = self.events(number).map(|event| event.len() + 1).sum();
        (Self::before(number).len() + events - 1 + AFTER.len()) as u64
    }

    fn bytes(&self, number: u64) -> Bytes {
        let mut document = BytesMut::with_capacity(usize::try_from(self.size(number)).unwrap_or(0));
        document.put_slice(Self::before(number).as_bytes());
        for (index, event) in self.events(number).enumerate() {
            if index > 0 {
                document.put_u8(b',');
            }
            document.put_slice(event);
        }
        document.put_slice(AFTER);
        document.freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn documents_are_json_of_the_wanted_size_and_all_different() {
        let check = |bytes: u64, expected: Range<u64>| {
            let documents = Documents::new(50, bytes).unwrap();
            let mut seen = BTreeSet::new();
            for number in 0..documents.objects() {
                let document = documents.bytes(number);
                assert_eq!(document.len() as u64, documents.size(number));
                assert!(expected.contains(&documents.size(number)), "{bytes}: {}", document.len());
                let tree: serde_json::Value = serde_json::from_slice(&document).unwrap();
                assert_eq!(tree["export"], number);
                // Without their numbers, too.
                seen.insert(tree["events"].to_string());
                assert!(documents.key(number).starts_with(PREFIX));
            }
            assert_eq!(seen.len(), 50);
            assert_eq!(documents.total_bytes(), (0..50).map(|number| documents.size(number)).sum::<u64>());
        };
        check(1, 500..1_500);
        check(200_000, 200_000..202_000);
        check(5_000_000, 5_000_000..5_002_000);
    }
}
