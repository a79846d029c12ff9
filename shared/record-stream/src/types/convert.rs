//! Converting values to a type: `record.cast`.
//!
//! A value becomes one of the wanted type when nothing is lost: 1.0 becomes the integer 1, but 1.5 does not. Numbers are
//! written out from their digits and never pass through floating point, with a bound on the zeros that an exponent may
//! bring. What has no meaning in the wanted type is an error, never a guess.
//!
//! | to | from |
//! |---|---|
//! | string | everything; arrays and objects as their JSON text |
//! | integer | numbers and texts of numbers without a fraction, booleans as 1 and 0 |
//! | decimal | numbers and texts of numbers, exponents written out |
//! | float | numbers and texts of numbers |
//! | boolean | the numbers 1 and 0, the texts true, false, 1 and 0 |
//! | date | a text with a day; a text with a point in time gives its day in the time zone of the rule |
//! | timestamp | a text with a point in time; a day gives its midnight; a number counts seconds since 1970 |
//! | json | everything; a text is read as JSON |
//!
//! `null` stays `null`. The formats of the rule replace what is said here of dates and timestamps.

use super::cast::{CastError, boolean, parse_json};
use super::decimal::Decimal;
use super::number::{CannotWrite, NumberShape, write_number, write_plain, write_whole};
use super::{FieldType, TypeRule};
use crate::condition::Field;
use crate::json::{write_json_string, write_without_line_breaks};
use crate::limits::RecordLimits;

const HAS_FRACTION: CastError = CastError("a number with a fraction");
const TOO_MANY_DIGITS: CastError = CastError("a number that has more than 400 digits without its exponent");
const NOT_A_NUMBER: CastError = CastError("text that is not a number");

/// Writes a field as JSON of the wanted type. `raw` is the JSON text of the value, which only arrays and objects need.
/// Nothing is written on an error.
///
/// # Errors
/// The value cannot be converted; the error says what it is, without the value.
pub(crate) fn convert(
    field: &Field<'_>,
    raw: &[u8],
    wanted: &TypeRule,
    limits: &RecordLimits,
    output: &mut Vec<u8>,
) -> Result<(), CastError> {
    match field {
        Field::Missing => Err(CastError("no value")),
        Field::Null => {
            output.extend_from_slice(b"null");
            Ok(())
        }
        Field::Boolean(value) => convert_boolean(*value, wanted, output),
        Field::Number(text) => convert_number(text, wanted, output),
        Field::Text(text) | Field::Cell(text) => convert_text(text, wanted, limits, output),
        Field::Composite => convert_composite(raw, wanted, output),
    }
}

fn convert_boolean(value: bool, wanted: &TypeRule, output: &mut Vec<u8>) -> Result<(), CastError> {
    let name: &[u8] = if value { b"true" } else { b"false" };
    match wanted.field_type {
        FieldType::Boolean | FieldType::Json => output.extend_from_slice(name),
        FieldType::String => write_json_string(name, output),
        FieldType::Integer => output.push(if value { b'1' } else { b'0' }),
        FieldType::Float | FieldType::Decimal | FieldType::Date | FieldType::Timestamp => {
            return Err(CastError("a boolean"));
        }
    }
    Ok(())
}

fn convert_number(text: &[u8], wanted: &TypeRule, output: &mut Vec<u8>) -> Result<(), CastError> {
    match wanted.field_type {
        FieldType::Float | FieldType::Json => output.extend_from_slice(text),
        FieldType::String => write_json_string(text, output),
        FieldType::Integer | FieldType::Decimal => return write_exactly(text, wanted.field_type, output),
        FieldType::Boolean => output.extend_from_slice(match Decimal::parse(text).and_then(Decimal::to_integer) {
            Some(1) => b"true",
            Some(0) => b"false",
            _ => return Err(CastError("a number other than 1 and 0")),
        }),
        FieldType::Timestamp => return wanted.times.convert_number_to_timestamp(text, output),
        FieldType::Date if !wanted.times.is_default() => return wanted.times.write_date_of_number(text, output),
        FieldType::Date => return Err(CastError("a number")),
    }
    Ok(())
}

fn convert_text(text: &[u8], wanted: &TypeRule, limits: &RecordLimits, output: &mut Vec<u8>) -> Result<(), CastError> {
    match wanted.field_type {
        FieldType::String => write_json_string(text, output),
        FieldType::Integer | FieldType::Decimal => return write_exactly(text, wanted.field_type, output),
        FieldType::Float => write_number(text, NumberShape::of(text).ok_or(NOT_A_NUMBER)?, output),
        FieldType::Boolean => output.extend_from_slice(boolean(text)?),
        FieldType::Date => return wanted.times.convert_to_date(text, output),
        FieldType::Timestamp => return wanted.times.convert_to_timestamp(text, output),
        FieldType::Json => return parse_json(text, limits, output),
    }
    Ok(())
}

fn convert_composite(raw: &[u8], wanted: &TypeRule, output: &mut Vec<u8>) -> Result<(), CastError> {
    match wanted.field_type {
        FieldType::Json => write_without_line_breaks(raw, output),
        FieldType::String => {
            let mut line = Vec::new();
            write_without_line_breaks(raw, &mut line);
            write_json_string(&line, output);
        }
        _ => return Err(CastError("an array or object")),
    }
    Ok(())
}

/// Writes a number as an integer or a decimal. One that has the wanted form keeps its digits, however many.
fn write_exactly(text: &[u8], wanted: FieldType, output: &mut Vec<u8>) -> Result<(), CastError> {
    let shape = NumberShape::of(text).ok_or(NOT_A_NUMBER)?;
    let is_written = if wanted == FieldType::Integer { shape.is_whole() } else { !shape.has_exponent };
    if is_written {
        write_number(text, shape, output);
        return Ok(());
    }
    let number = Decimal::parse(text).ok_or(NOT_A_NUMBER)?;
    let result = if wanted == FieldType::Integer { write_whole(&number, output) } else { write_plain(&number, output) };
    result.map_err(|error| match error {
        CannotWrite::HasFraction => HAS_FRACTION,
        CannotWrite::TooLong => TOO_MANY_DIGITS,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Index;
    use crate::types::TimeFormats;
    use std::borrow::Cow;

    fn converted(json: &str, wanted: &TypeRule) -> Result<String, &'static str> {
        let mut index = Index::default();
        let value = index.build(json.as_bytes(), &RecordLimits::default()).unwrap();
        finish(&Field::of(&value), value.raw(), wanted)
    }

    fn finish(field: &Field<'_>, raw: &[u8], wanted: &TypeRule) -> Result<String, &'static str> {
        let mut output = b"before".to_vec();
        let result = convert(field, raw, wanted, &RecordLimits::default(), &mut output);
        let output = String::from_utf8(output).unwrap().strip_prefix("before").unwrap().to_owned();
        assert!(result.is_ok() || output.is_empty(), "nothing is written on an error");
        result.map_err(|error| error.0)?;
        serde_json::from_str::<&serde_json::value::RawValue>(&output).expect("what is written is JSON");
        Ok(output)
    }

    /// A value and what it becomes as string, integer, float, decimal, boolean, date, timestamp and JSON; a dash is an
    /// error.
    #[track_caller]
    fn check(json: &str, expected: [&str; 8]) {
        let found = FieldType::ALL.map(|wanted| converted(json, &wanted.into()).unwrap_or_else(|_| "-".to_owned()));
        assert_eq!(found, expected, "{json}");
    }

    #[test]
    #[rustfmt::skip]
    fn every_kind_of_value_to_every_type() {
        check("null", ["null"; 8]);
        check("true", [r#""true""#, "1", "-", "-", "true", "-", "-", "true"]);
        check("false", [r#""false""#, "0", "-", "-", "false", "-", "-", "false"]);
        check("0", [r#""0""#, "0", "0", "0", "false", "-", r#""1970-01-01T00:00:00Z""#, "0"]);
        check("1.0", [r#""1.0""#, "1", "1.0", "1.0", "true", "-", r#""1970-01-01T00:00:01Z""#, "1.0"]);
        check("1e3", [r#""1e3""#, "1000", "1e3", "1000", "-", "-", r#""1970-01-01T00:16:40Z""#, "1e3"]);
        check("-1.50e-1", [r#""-1.50e-1""#, "-", "-1.50e-1", "-0.150", "-", "-", r#""1969-12-31T23:59:59.85Z""#, "-1.50e-1"]);
        check("9007199254740993", [r#""9007199254740993""#, "9007199254740993", "9007199254740993", "9007199254740993", "-", "-", "-", "9007199254740993"]);
        check("1767225600.25", [r#""1767225600.25""#, "-", "1767225600.25", "1767225600.25", "-", "-", r#""2026-01-01T00:00:00.25Z""#, "1767225600.25"]);
        check("1e401", [r#""1e401""#, "-", "1e401", "-", "-", "-", "-", "1e401"]);
        check(r#""""#, [r#""""#, "-", "-", "-", "-", "-", "-", "-"]);
        check(r#""+007.50""#, [r#""+007.50""#, "-", "7.50", "7.50", "-", "-", "-", "-"]);
        check(r#""7.0e1""#, [r#""7.0e1""#, "70", "7.0e1", "70", "-", "-", "-", "7.0e1"]);
        check(r#""TRUE""#, [r#""TRUE""#, "-", "-", "-", "true", "-", "-", "-"]);
        check(r#""0""#, [r#""0""#, "0", "0", "0", "false", "-", "-", "0"]);
        check(r#""\u0031""#, [r#""1""#, "1", "1", "1", "true", "-", "-", "1"]);
        check(r#""2026-01-01""#, [r#""2026-01-01""#, "-", "-", "-", "-", r#""2026-01-01""#, r#""2026-01-01T00:00:00Z""#, "-"]);
        check(r#""2026-01-01T01:00:00+02:00""#, [r#""2026-01-01T01:00:00+02:00""#, "-", "-", "-", "-", r#""2025-12-31""#, r#""2025-12-31T23:00:00Z""#, "-"]);
        check(r#""[1,\n2]""#, [r#""[1,\n2]""#, "-", "-", "-", "-", "-", "-", "[1,2]"]);
        check("[1, \"a\\n\"]", [r#""[1, \"a\\n\"]""#, "-", "-", "-", "-", "-", "-", "[1, \"a\\n\"]"]);
        check("{\"a\":\n1}", [r#""{\"a\":1}""#, "-", "-", "-", "-", "-", "-", r#"{"a":1}"#]);
    }

    #[test]
    fn untyped_cells_are_texts() {
        let cell = |text: &'static str, wanted: FieldType| {
            finish(&Field::Cell(Cow::Borrowed(text.as_bytes())), b"", &wanted.into())
        };
        assert_eq!(cell("10", FieldType::String).as_deref(), Ok(r#""10""#));
        assert_eq!(cell("1e1", FieldType::Integer).as_deref(), Ok("10"));
        assert_eq!(
            cell("20260101", FieldType::Timestamp),
            Err("text that is not a point in time with an offset as RFC 3339 has it")
        );
        assert_eq!(finish(&Field::Missing, b"", &FieldType::String.into()), Err("no value"));
    }

    #[test]
    fn errors_say_what_was_found() {
        let check = |json: &str, wanted: FieldType, message: &str| {
            assert_eq!(converted(json, &wanted.into()), Err(message), "{json}");
        };
        check("1.5", FieldType::Integer, "a number with a fraction");
        check("1e400", FieldType::Integer, "a number that has more than 400 digits without its exponent");
        check("1e-400", FieldType::Integer, "a number with a fraction");
        check("1e-401", FieldType::Decimal, "a number that has more than 400 digits without its exponent");
        check("2", FieldType::Boolean, "a number other than 1 and 0");
        check("true", FieldType::Date, "a boolean");
        check("1", FieldType::Date, "a number");
        check("1e99", FieldType::Timestamp, "a number of seconds that is no point in time of the years 0 to 9999");
        check("[]", FieldType::Integer, "an array or object");
        check(r#""x""#, FieldType::Decimal, "text that is not a number");
        check(r#""{a:1}""#, FieldType::Json, "text that is not JSON");
        check(r#""2026-13-01""#, FieldType::Date, "text that is not a day of the calendar written YYYY-MM-DD");
    }

    #[test]
    fn dates_and_timestamps_go_by_the_zone_and_formats_of_the_rule() {
        let rule = |field_type: FieldType, formats: &[&str]| TypeRule {
            field_type,
            times: TimeFormats::parse(formats, Some("Europe/Berlin")).unwrap(),
        };
        let check = |json: &str, rule: &TypeRule, expected: Result<&str, &str>| {
            assert_eq!(converted(json, rule), expected.map(str::to_owned), "{json}");
        };
        let timestamp = rule(FieldType::Timestamp, &[]);
        check(r#""2026-07-01""#, &timestamp, Ok(r#""2026-06-30T22:00:00Z""#));
        check(r#""2026-07-01T00:00:00Z""#, &timestamp, Ok(r#""2026-07-01T00:00:00Z""#));
        let date = rule(FieldType::Date, &[]);
        check(r#""2026-06-30T22:00:00Z""#, &date, Ok(r#""2026-07-01""#));
        check(r#""2026-07-01""#, &date, Ok(r#""2026-07-01""#));
        let timestamp = rule(FieldType::Timestamp, &["%d.%m.%Y", "unix_ms"]);
        check(r#""01.07.2026""#, &timestamp, Ok(r#""2026-06-30T22:00:00Z""#));
        check("1767225600000", &timestamp, Ok(r#""2026-01-01T00:00:00Z""#));
        check(r#""2026-07-01T00:00:00Z""#, &timestamp, Err("text that fits none of the formats"));
        let date = rule(FieldType::Date, &["unix"]);
        check("1767222000", &date, Ok(r#""2026-01-01""#));
        check(r#""1767222000""#, &date, Ok(r#""2026-01-01""#));
    }
}
