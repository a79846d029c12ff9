//! From the job file's words to the record engine's.
//!
//! `job` and `record-stream` know nothing of each other; this is the one place where their types meet.

use job::{CsvHeader, CsvOptions, Job, Operator};
use record_stream::{
    Condition, CsvDialect, DetectedFormat, FieldPath, FieldType, Instant, JsonLayout, JsonMode, RaggedRows,
    RecordFormat, RecordLimits, Reshape, Scalar, Segment, StreamOptions, Test, detect_format,
};

/// The parts of a stream's options that are the same for every object of a job.
#[derive(Debug, Clone)]
pub(crate) struct StreamPlan {
    limits: RecordLimits,
    reshape: Reshape,
}

impl StreamPlan {
    pub(crate) fn new(job: &Job) -> Self {
        let size = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        let limits = RecordLimits {
            record_bytes: size(job.limits.record_bytes.bytes()),
            depth: size(job.limits.depth),
            fields: size(job.limits.fields),
            header_bytes: size(job.limits.header_bytes.bytes()),
            ..RecordLimits::default()
        };
        Self { limits, reshape: reshape(job) }
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
            job::Format::Auto => match detect_format(key, content_type, first_bytes)? {
                DetectedFormat::NdJson => RecordFormat::NdJson,
                DetectedFormat::Json => json_format(job),
                DetectedFormat::Csv { delimiter } => RecordFormat::Csv(dialect(csv, delimiter)),
            },
        };
        Some(StreamOptions { limits: self.limits, reshape: self.reshape.clone(), ..StreamOptions::new(format) })
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
        ..CsvDialect::default()
    }
}

fn reshape(job: &Job) -> Reshape {
    let record = &job.record;
    let paths = |list: &[job::FieldPath]| list.iter().map(path).collect();
    Reshape {
        types: record.types.iter().map(|(field, wanted)| (path(field), field_type(wanted.field_type))).collect(),
        null_tokens: record.null_tokens.clone(),
        condition: record.condition.as_ref().map(|written| condition(record, written)),
        select: paths(&record.select),
        drop: paths(&record.drop),
        rename: record.rename.iter().map(|(field, name)| (path(field), name.as_str().to_owned())).collect(),
        set: record.set.iter().map(|(name, value)| (name.as_str().to_owned(), value.to_string())).collect(),
    }
}

fn path(path: &job::FieldPath) -> FieldPath {
    let segments = path.segments().iter().map(|segment| match segment {
        job::Segment::Name(name) => Segment::Name(name.clone()),
        job::Segment::Index(index) => Segment::Index(*index),
    });
    FieldPath::new(path.as_str(), segments.collect())
}

fn field_type(wanted: job::FieldType) -> FieldType {
    match wanted {
        job::FieldType::String => FieldType::String,
        job::FieldType::Integer => FieldType::Integer,
        job::FieldType::Float => FieldType::Float,
        job::FieldType::Decimal => FieldType::Decimal,
        job::FieldType::Boolean => FieldType::Boolean,
        job::FieldType::Date => FieldType::Date,
        job::FieldType::Timestamp => FieldType::Timestamp,
        job::FieldType::Json => FieldType::Json,
    }
}

fn condition(record: &job::Record, written: &job::Condition) -> Condition {
    let list = |conditions: &[job::Condition]| conditions.iter().map(|inner| condition(record, inner)).collect();
    match written {
        job::Condition::All(conditions) => Condition::All(list(conditions)),
        job::Condition::Any(conditions) => Condition::Any(list(conditions)),
        job::Condition::Not(inner) => Condition::Not(Box::new(condition(record, inner))),
        job::Condition::Field { field, operator } => Condition::Field(path(field), test(operator, record, field)),
    }
}

/// Of a numeric field, an operand written as text is a number with more digits than the job file's numbers hold; of a
/// timestamp it is a point in time.
fn test(operator: &Operator, record: &job::Record, field: &job::FieldPath) -> Test {
    let is_numeric = record.is_numeric(field);
    let is_timestamp = record.type_of(field) == Some(job::FieldType::Timestamp);
    let scalar = |operand: &job::Scalar| match operand {
        job::Scalar::String(text) if is_numeric => Scalar::Number(text.clone()),
        job::Scalar::String(text) if is_timestamp => {
            Instant::parse(text).map_or_else(|| scalar(operand), Scalar::Timestamp)
        }
        other => scalar(other),
    };
    match operator {
        Operator::Eq(operand) => Test::Equal(scalar(operand)),
        Operator::Ne(operand) => Test::NotEqual(scalar(operand)),
        Operator::Gt(operand) => Test::Greater(scalar(operand)),
        Operator::Ge(operand) => Test::GreaterOrEqual(scalar(operand)),
        Operator::Lt(operand) => Test::Less(scalar(operand)),
        Operator::Le(operand) => Test::LessOrEqual(scalar(operand)),
        Operator::In(operands) => Test::In(operands.iter().map(scalar).collect()),
        Operator::Exists(wanted) => Test::Exists(*wanted),
        Operator::IsNull(wanted) => Test::IsNull(*wanted),
        Operator::StartsWith(text) => Test::StartsWith(text.clone()),
        Operator::EndsWith(text) => Test::EndsWith(text.clone()),
        Operator::Contains(text) => Test::Contains(text.clone()),
    }
}

fn scalar(operand: &job::Scalar) -> Scalar {
    match operand {
        job::Scalar::Bool(value) => Scalar::Boolean(*value),
        job::Scalar::Number(number) => Scalar::Number(number.to_string()),
        job::Scalar::String(text) => Scalar::Text(text.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use record_stream::{Flow, RecordStream};

    /// Runs one object's text through the options that follow from a job.
    fn check(job_text: &str, key: &str, input: &str, expected: &str) {
        let job = Job::parse(job_text).unwrap();
        let options = StreamPlan::new(&job).for_object(&job, key, None, input.as_bytes()).unwrap();
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
        check(&source("format: csv"), "a.tsv", tabs, "{\"a\":\"1\",\"b\":\"2\"}\n");
        check(&source("json: {pointer: /a, mode: document}"), "a.json", "{\"a\":[1]}", "[1]\n");
        check(&source("json: {pointer: /a/0}"), "a.json", "{\"a\":[[1,2]]}", "1\n2\n");
        check(&source("json: {mode: document}"), "a.json", "[1,\n2]", "[1,2]\n");
        check(&source("json: {mode: array}"), "a.json", "[1,2]", "1\n2\n");
    }
}
