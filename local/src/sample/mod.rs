//! Many distinct objects out of one real file, for trying a job at scale.
//!
//! The records of the file are found once (`source`). Each object is then composed of records drawn at random with
//! replacement until it has about the wanted size (`compose`) and written to `OUT/000/part-000042.csv` (`output`). What
//! is drawn follows from the seed and the number of the object alone, by a generator of our own (`random`), so the same
//! file and options give the same bytes on every machine.

mod compose;
mod error;
mod output;
mod random;
mod source;

use std::collections::HashSet;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

pub use error::SampleError;
pub use output::SampleCompression;

use output::OutputFolder;
use source::Source;

/// The largest file to draw from: 256 MiB.
pub const MAX_SOURCE_BYTES: u64 = 256 << 20;

/// The most records a file to draw from may have.
pub const MAX_SOURCE_RECORDS: usize = 20_000_000;

/// The most objects to make; their names have six digits.
pub const MAX_OBJECTS: u64 = 1_000_000;

/// The largest object to make, before compression: 1 GiB. It is composed in memory.
pub const MAX_OBJECT_BYTES: u64 = 1 << 30;

/// How often an object that equals an earlier one is drawn again.
const REDRAWS: u64 = 8;

/// What to make.
#[derive(Clone, Debug)]
pub struct SampleOptions {
    /// The file to take records from: `.csv`, `.tsv`, `.ndjson`, `.jsonl` or `.json`.
    pub from: PathBuf,
    /// How many objects, 1 to [`MAX_OBJECTS`].
    pub objects: u64,
    /// About how many bytes each has before compression, 1 to [`MAX_OBJECT_BYTES`]. Records are never cut, so an object
    /// is off by half a record, and has at least one.
    pub object_bytes: u64,
    /// Chooses what is drawn.
    pub seed: u64,
    /// Where to write. Made when missing.
    pub out: PathBuf,
    /// How to compress each object.
    pub compression: SampleCompression,
    /// The field delimiter of a CSV file; `None` takes the tab for `.tsv` and the comma otherwise.
    pub delimiter: Option<u8>,
    /// Write into a folder that is not empty, replacing files of the same names.
    pub force: bool,
}

/// What was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SampleReport {
    /// Objects written.
    pub objects: u64,
    /// Objects whose content equals another one's, because the file has too few records for this many distinct ones.
    pub duplicates: u64,
    /// Records in the source file.
    pub source_records: u64,
    /// Bytes before compression.
    pub bytes: u64,
    /// Bytes written.
    pub written_bytes: u64,
}

/// Makes the objects. `progress` is told after each one how many are done. Blocks.
///
/// # Errors
/// [`SampleError`]: the options, the source file or the output folder are not usable. Files that were written before a
/// failure stay.
pub fn make(options: &SampleOptions, mut progress: impl FnMut(u64)) -> Result<SampleReport, SampleError> {
    if !(1..=MAX_OBJECTS).contains(&options.objects) {
        return Err(SampleError::ObjectCount { found: options.objects });
    }
    if !(1..=MAX_OBJECT_BYTES).contains(&options.object_bytes) {
        return Err(SampleError::ObjectSize { found: options.object_bytes });
    }
    let source = Source::open(&options.from, options.delimiter)?;
    let output = OutputFolder::open(&options.out, options.force, source.extension(), options.compression)?;
    let mut report = SampleReport { source_records: source.len() as u64, ..SampleReport::default() };
    // Sixteen bytes of a cryptographic hash tell a million objects apart.
    let mut seen: HashSet<[u8; 16]> = HashSet::new();
    for number in 0..options.objects {
        let mut redraw = 0;
        let object = loop {
            let mut random = random::Random::for_object(options.seed, number, redraw);
            let object = compose::compose(&source, options.object_bytes, &mut random);
            if seen.insert(fingerprint(&object)) {
                break object;
            }
            if redraw == REDRAWS {
                report.duplicates += 1;
                break object;
            }
            redraw += 1;
        };
        report.bytes += object.len() as u64;
        report.written_bytes += output.write(number, &object)?;
        report.objects += 1;
        progress(report.objects);
    }
    Ok(report)
}

fn fingerprint(object: &[u8]) -> [u8; 16] {
    let full: [u8; 32] = Sha256::digest(object).into();
    let mut short = [0; 16];
    for (to, from) in short.iter_mut().zip(full) {
        *to = from;
    }
    short
}

#[cfg(test)]
mod tests;
