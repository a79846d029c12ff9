//! What can be done with an object, told from its key and the job alone.
//!
//! Planning does not open objects. Whether one may be cut into ranges is decided as the worker decides it, with the one
//! difference that the worker also looks at the first bytes: an object whose key and job leave its compression or format
//! open is not cut.

use job::{Compression, Encoding, Format, Job};
use serde::{Deserialize, Serialize};

/// What can be done with an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Every record is a line of an object that is not compressed: it can be cut into ranges.
    Lines,
    /// Not compressed, but it is processed as a whole.
    Whole,
    /// Compressed, or it may be.
    Compressed,
}

/// Extensions of NDJSON, of CSV and of what else is not compressed.
const NDJSON: [&str; 2] = [".ndjson", ".jsonl"];
const CSV: [&str; 4] = [".csv", ".psv", ".tab", ".tsv"];
const JSON: [&str; 1] = [".json"];

/// What can be done with the object of this key.
#[must_use]
pub fn kind(job: &Job, key: &str) -> Kind {
    let key = key.to_ascii_lowercase();
    let ends = |extensions: &[&str]| extensions.iter().any(|extension| key.ends_with(extension));
    let is_plain = match job.source.compression {
        Compression::None => true,
        Compression::Auto => ends(&NDJSON) || ends(&CSV) || ends(&JSON),
        Compression::Gzip | Compression::Zstd | Compression::Bzip2 | Compression::Xz => false,
    };
    let is_csv_of_lines = !job.source.csv.multiline;
    let has_lines = match job.source.format {
        Format::Ndjson => true,
        Format::Csv => is_csv_of_lines,
        Format::Json => false,
        Format::Auto => ends(&NDJSON) || (ends(&CSV) && is_csv_of_lines),
    };
    match (is_plain, has_lines && job.source.encoding == Encoding::Utf8) {
        (false, _) => Kind::Compressed,
        (true, true) => Kind::Lines,
        (true, false) => Kind::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source: &str, key: &str, expected: Kind) {
        let text = format!("{{version: 1, name: j, source: {{bucket: raw{source}}}, output: {{bucket: clean}}}}");
        assert_eq!(kind(&Job::parse(&text).unwrap(), key), expected, "{source} {key}");
    }

    #[test]
    fn only_lines_that_are_certain_are_cut() {
        check("", "a.ndjson", Kind::Lines);
        check("", "a.JSONL", Kind::Lines);
        check("", "a.csv", Kind::Whole);
        check(", csv: {multiline: false}", "a.csv", Kind::Lines);
        check(", csv: {multiline: false}", "a.tsv", Kind::Lines);
        check("", "a.json", Kind::Whole);
        check("", "a.ndjson.gz", Kind::Compressed);
        check("", "a", Kind::Compressed);
        check(", format: ndjson", "a", Kind::Compressed);
        check(", format: ndjson, compression: none", "a", Kind::Lines);
        check(", format: csv, compression: none", "a", Kind::Whole);
        check(", format: csv, compression: none, csv: {multiline: false}", "a", Kind::Lines);
        check(", format: json", "a.ndjson", Kind::Whole);
        check(", compression: gzip", "a.ndjson", Kind::Compressed);
        check(", encoding: latin-1", "a.ndjson", Kind::Whole);
    }
}
