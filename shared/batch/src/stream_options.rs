//! From the job file's words to the record engine's.
//!
//! `job` and `record-stream` know nothing of each other; this is the one place where their types meet.

#[cfg(test)]
mod acceptance;
mod record;

use job::{CsvHeader, CsvOptions, Job};
use record_stream::{
    CsvDialect, DetectedFormat, DuplicateKeys, DuplicateNames, EmptyNames, JsonLayout, JsonMode, RaggedRows,
    RecordFormat, RecordLimits, Reshape, StreamOptions, TextEncoding, decode_beginning, detect_format,
};

/// The parts of a stream's options that are the same for every object of a job.
#[derive(Debug, Clone)]
pub(crate) struct StreamPlan {
    limits: RecordLimits,
    encoding: TextEncoding,
    duplicate_keys: DuplicateKeys,
    reshape: Reshape,
}

impl StreamPlan {
    /// Compiles what the job says of its records. A message says what the engine cannot do, which the job's own checks
    /// should have found.
    pub(crate) fn new(job: &Job) -> Result<Self, String> {
        let size = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        let limits = RecordLimits {
            record_bytes: size(job.limits.record_bytes.bytes()),
            depth: size(job.limits.depth),
            fields: size(job.limits.fields),
            header_bytes: size(job.limits.header_bytes.bytes()),
            output_bytes: size(job.limits.output_bytes.bytes()),
            ..RecordLimits::default()
        };
        let encoding = match job.source.encoding {
            job::Encoding::Utf8 => TextEncoding::Utf8,
            job::Encoding::Utf16 => TextEncoding::Utf16,
            job::Encoding::Utf16Le => TextEncoding::Utf16Le,
            job::Encoding::Utf16Be => TextEncoding::Utf16Be,
            job::Encoding::Latin1 => TextEncoding::Latin1,
        };
        let duplicate_keys = match job.source.json.duplicate_keys {
            job::DuplicateKeys::Last => DuplicateKeys::Last,
            job::DuplicateKeys::Reject => DuplicateKeys::Reject,
        };
        Ok(Self { limits, encoding, duplicate_keys, reshape: record::reshape(job)? })
    }

    /// Options for one object; `None` when its format cannot be told.
    pub(crate) fn for_object(
        &self,
        job: &Job,
        key: &str,
        content_type: Option<&str>,
        first_bytes: &[u8],
    ) -> Option<StreamOptions> {
        let csv = &job.source.csv;
        let format = match job.source.format {
            job::Format::Ndjson => RecordFormat::NdJson,
            job::Format::Json => json_format(job),
            job::Format::Csv => RecordFormat::Csv(dialect(csv, implied_delimiter(key))),
            job::Format::Auto => match detect_format(key, content_type, &decode_beginning(self.encoding, first_bytes))?
            {
                DetectedFormat::NdJson => RecordFormat::NdJson,
                DetectedFormat::Json => json_format(job),
                DetectedFormat::Csv { delimiter } => RecordFormat::Csv(dialect(csv, delimiter)),
            },
        };
        Some(StreamOptions {
            format,
            encoding: self.encoding,
            duplicate_keys: self.duplicate_keys,
            limits: self.limits,
            reshape: self.reshape.clone(),
        })
    }
}

fn json_format(job: &Job) -> RecordFormat {
    let pointer = job.source.json.pointer.as_ref().map_or_else(Vec::new, job::JsonPointer::tokens);
    let mode = match job.source.json.mode {
        job::JsonMode::Array => JsonMode::Array,
        job::JsonMode::Document => JsonMode::Document,
        job::JsonMode::Auto => JsonMode::Auto,
    };
    RecordFormat::Json(JsonLayout { pointer, mode })
}

/// The delimiter of `.tsv` and the like.
fn implied_delimiter(key: &str) -> Option<u8> {
    match detect_format(key, None, &[]) {
        Some(DetectedFormat::Csv { delimiter }) => delimiter,
        _ => None,
    }
}

/// A delimiter that the extension implies (`.tsv`) counts only where the job left the default.
fn dialect(csv: &CsvOptions, implied_delimiter: Option<u8>) -> CsvDialect {
    let is_default = csv.delimiter == CsvOptions::default().delimiter;
    CsvDialect {
        delimiter: implied_delimiter.filter(|_| is_default).unwrap_or_else(|| csv.delimiter.byte()),
        quote: csv.quote.map(job::AsciiCharacter::byte),
        comment: csv.comment.map(job::AsciiCharacter::byte),
        skip_lines: u64::from(csv.skip_lines),
        header: match &csv.header {
            CsvHeader::FirstRow => record_stream::CsvHeader::FirstRow,
            CsvHeader::None => record_stream::CsvHeader::None,
            CsvHeader::Names(names) => {
                record_stream::CsvHeader::Given(names.iter().map(|name| name.as_str().to_owned()).collect())
            }
        },
        ragged: match csv.ragged {
            job::RaggedRows::Reject => RaggedRows::Reject,
            job::RaggedRows::Pad => RaggedRows::Pad,
            job::RaggedRows::Fail => RaggedRows::Fail,
        },
        escape: match csv.escape {
            job::CsvEscape::Doubled => None,
            job::CsvEscape::Backslash => Some(b'\\'),
        },
        multiline: csv.multiline,
        duplicate_names: match csv.duplicate_names {
            job::DuplicateNames::Fail => DuplicateNames::Fail,
            job::DuplicateNames::Number => DuplicateNames::Number,
        },
        empty_names: match csv.empty_names {
            job::EmptyNames::Fail => EmptyNames::Fail,
            job::EmptyNames::Number => EmptyNames::Number,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use record_stream::{Flow, RecordStream};

    /// Runs one object's text through the options that follow from a job.
    fn check(job_text: &str, key: &str, input: &str, expected: &str) {
        let job = Job::parse(job_text).unwrap();
        let options = StreamPlan::new(&job).unwrap().for_object(&job, key, None, input.as_bytes()).unwrap();
        let mut stream = RecordStream::new(&options);
        stream.fill(input.as_bytes());
        let mut output = Vec::new();
        stream.process(true, &mut output, usize::MAX, &mut |_| Flow::Continue).unwrap();
        assert_eq!(String::from_utf8(output).unwrap(), expected, "{job_text}");
    }

    const HEAD: &str = "version: 1\nname: j\nsource: {bucket: raw}\noutput: {bucket: clean}\n";

    #[test]
    fn every_part_of_the_job_reaches_the_stream() {
        let record = "record:\n  types: {n: integer, at: timestamp}\n  where: {any: [{field: n, gt: 1}, {field: s, starts_with: x}]}\n  \
                      drop: [d]\n  rename: {s: text}\n  set: {k: {a: [1, 2.5, null]}}\n  null_tokens: [NA]\n";
        let input = "n,s,d,at\n1,y,,NA\n2,z,9,2026-01-01T00:00:00+01:00\nNA,x,,NA\n";
        let expected = "{\"n\":2,\"text\":\"z\",\"at\":\"2025-12-31T23:00:00Z\",\"k\":{\"a\":[1,2.5,null]}}\n\
                        {\"n\":null,\"text\":\"x\",\"at\":null,\"k\":{\"a\":[1,2.5,null]}}\n";
        check(&format!("{HEAD}{record}"), "a.csv", input, expected);
    }

    #[test]
    fn long_numbers_compare_as_written() {
        let record = "record:\n  types: {n: decimal}\n  where: {field: n, ge: \"1234567890123456789.05\"}\n";
        let input = "{\"n\":1234567890123456789.04}\n{\"n\":1234567890123456789.050}\n";
        check(&format!("{HEAD}{record}"), "a.ndjson", input, "{\"n\":1234567890123456789.050}\n");
    }

    #[test]
    fn points_in_time_compare_as_such() {
        let record = "record:\n  types: {at: timestamp}\n  where: {field: at, ge: \"2026-01-01T01:00:00+01:00\"}\n";
        let input = "{\"at\":\"2026-01-01T00:00:00.5Z\"}\n{\"at\":\"2025-12-31T23:59:59Z\"}\n";
        check(&format!("{HEAD}{record}"), "a.ndjson", input, "{\"at\":\"2026-01-01T00:00:00.5Z\"}\n");
    }

    #[test]
    fn formats_follow_from_the_job_and_the_name() {
        let tabs = "a\tb\n1\t2\n";
        check(HEAD, "a.tsv", tabs, "{\"a\":\"1\",\"b\":\"2\"}\n");
        let source = |options: &str| HEAD.replace("{bucket: raw}", &format!("{{bucket: raw, {options}}}"));
        let csv =
            source("format: csv, csv: {delimiter: ';', quote: \"'\", header: [x, y], skip_lines: 1, comment: '#'}");
        check(&csv, "a.json", "t\n#\n'1;';2\n", "{\"x\":\"1;\",\"y\":\"2\"}\n");
        let lines = source("csv: {multiline: false}");
        check(&lines, "a.csv", "a\n\"1\n2\n", "{\"a\":\"2\"}\n");
        check(&source("format: csv"), "a.tsv", tabs, "{\"a\":\"1\",\"b\":\"2\"}\n");
        check(&source("json: {pointer: /a, mode: document}"), "a.json", "{\"a\":[1]}", "[1]\n");
        check(&source("json: {pointer: /a/0}"), "a.json", "{\"a\":[[1,2]]}", "1\n2\n");
        check(&source("json: {mode: document}"), "a.json", "[1,\n2]", "[1,2]\n");
        check(&source("json: {mode: array}"), "a.json", "[1,2]", "1\n2\n");
    }
}
