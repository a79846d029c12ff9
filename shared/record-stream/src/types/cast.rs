//! Turning values into what their type demands, where they spell it already.

use super::number::{NumberShape, write_number};
use super::{FieldType, TypeRule};
use crate::json::{Index, Kind, Value, is_whitespace, write_json_string, write_without_line_breaks};
use crate::limits::RecordLimits;

/// The value is not of the type; says what it is instead, without the value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CastError(pub(crate) &'static str);

/// Writes text as JSON of the given type. Nothing is written on an error.
#[inline]
pub(crate) fn cast_text(
    text: &[u8],
    wanted: &TypeRule,
    limits: &RecordLimits,
    output: &mut Vec<u8>,
) -> Result<(), CastError> {
    match wanted.field_type {
        FieldType::String => write_json_string(text, output),
        FieldType::Integer => match NumberShape::of(text) {
            Some(shape) if shape.is_whole() => write_number(text, shape, output),
            _ => return Err(CastError("text that is not a whole number")),
        },
        FieldType::Decimal => match NumberShape::of(text) {
            Some(shape) if !shape.has_exponent => write_number(text, shape, output),
            _ => return Err(CastError("text that is not a decimal number")),
        },
        FieldType::Float => match NumberShape::of(text) {
            Some(shape) => write_number(text, shape, output),
            None => return Err(CastError("text that is not a number")),
        },
        FieldType::Boolean => output.extend_from_slice(boolean(text)?),
        FieldType::Date => wanted.times.write_date(text, output)?,
        FieldType::Timestamp => wanted.times.write_timestamp(text, output)?,
        FieldType::Json => parse_json(text, limits, output)?,
    }
    Ok(())
}

/// Writes a JSON value as JSON of the given type: a value of the right kind as it is, a string as its text would be.
/// `null` stays `null`. Nothing is written on an error.
pub(crate) fn cast_json(
    value: &Value<'_>,
    wanted: &TypeRule,
    limits: &RecordLimits,
    output: &mut Vec<u8>,
) -> Result<(), CastError> {
    let raw = value.raw();
    match (value.kind(), wanted.field_type) {
        (Kind::Null, _)
        | (Kind::String, FieldType::String)
        | (Kind::True | Kind::False, FieldType::Boolean)
        | (Kind::Number, FieldType::Float) => output.extend_from_slice(raw),
        (Kind::Number, FieldType::Integer) => match NumberShape::of(raw) {
            Some(shape) if shape.is_whole() => output.extend_from_slice(raw),
            _ => return Err(CastError("a number with a fraction or exponent")),
        },
        (Kind::Number, FieldType::Decimal) => match NumberShape::of(raw) {
            Some(shape) if !shape.has_exponent => output.extend_from_slice(raw),
            _ => return Err(CastError("a number with an exponent")),
        },
        (Kind::Number, FieldType::Timestamp) if !wanted.times.is_default() => {
            wanted.times.write_timestamp_of_number(raw, output)?;
        }
        (Kind::Number, FieldType::Date) if !wanted.times.is_default() => {
            wanted.times.write_date_of_number(raw, output)?;
        }
        (Kind::Number | Kind::True | Kind::False, FieldType::String) => {
            output.push(b'"');
            output.extend_from_slice(raw);
            output.push(b'"');
        }
        (Kind::String, _) => {
            let text = value.text().map(|text| text.decoded()).unwrap_or_default();
            return cast_text(&text, wanted, limits, output);
        }
        (_, FieldType::Json) => write_without_line_breaks(raw, output),
        (kind, _) => return Err(CastError(kind.describe())),
    }
    Ok(())
}

/// `true` or `false` as the text spells it.
pub(super) fn boolean(text: &[u8]) -> Result<&'static [u8], CastError> {
    if text == b"1" || text.eq_ignore_ascii_case(b"true") {
        Ok(b"true")
    } else if text == b"0" || text.eq_ignore_ascii_case(b"false") {
        Ok(b"false")
    } else {
        Err(CastError("text other than true, false, 1 or 0"))
    }
}

/// Writes text that is JSON, without the blanks around it. Nothing is written when it is not JSON.
pub(super) fn parse_json(text: &[u8], limits: &RecordLimits, output: &mut Vec<u8>) -> Result<(), CastError> {
    let start = text.iter().position(|byte| !is_whitespace(*byte)).unwrap_or(text.len());
    let end = text.iter().rposition(|byte| !is_whitespace(*byte)).map_or(start, |last| last + 1);
    let text = &text[start..end];
    Index::default().build(text, limits).map_err(|problem| {
        let is_limit = problem.is_limit();
        CastError(if is_limit { "JSON text that is nested too deep or too large" } else { "text that is not JSON" })
    })?;
    write_without_line_breaks(text, output);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, wanted: FieldType, expected: Option<&str>) {
        let mut output = Vec::new();
        let result = cast_text(text.as_bytes(), &wanted.into(), &RecordLimits::default(), &mut output);
        assert_eq!(result.is_ok(), expected.is_some(), "{text} as {wanted}");
        assert_eq!(std::str::from_utf8(&output).unwrap(), expected.unwrap_or_default(), "{text} as {wanted}");
        if result.is_ok() {
            serde_json::from_slice::<&serde_json::value::RawValue>(&output).expect("what is written is JSON");
        }
    }

    #[test]
    fn text_becomes_its_type_or_an_error() {
        check("a\"b", FieldType::String, Some(r#""a\"b""#));
        check("9007199254740993", FieldType::Integer, Some("9007199254740993"));
        check("+007", FieldType::Integer, Some("7"));
        check("-0", FieldType::Integer, Some("-0"));
        check("1.0", FieldType::Integer, None);
        check("", FieldType::Integer, None);
        check("0.10", FieldType::Decimal, Some("0.10"));
        check(".5", FieldType::Decimal, Some("0.5"));
        check("1.", FieldType::Decimal, Some("1.0"));
        check("1e3", FieldType::Decimal, None);
        check("-00.5e+3", FieldType::Float, Some("-0.5e+3"));
        check("1.e5", FieldType::Float, Some("1.0e5"));
        check("NaN", FieldType::Float, None);
        check("TRUE", FieldType::Boolean, Some("true"));
        check("0", FieldType::Boolean, Some("false"));
        check("yes", FieldType::Boolean, None);
        check("2024-02-29", FieldType::Date, Some(r#""2024-02-29""#));
        check("2023-02-29", FieldType::Date, None);
        check("20240229", FieldType::Date, None);
        check("2026-01-01T01:30:00+02:00", FieldType::Timestamp, Some(r#""2025-12-31T23:30:00Z""#));
        check("2026-01-01T00:00:00.123456789Z", FieldType::Timestamp, Some(r#""2026-01-01T00:00:00.123456789Z""#));
        check("2026-01-01T00:00:00", FieldType::Timestamp, None);
        check("2026-01-01", FieldType::Timestamp, None);
        for other in [
            "20260101T000000Z",
            "2026-01-01T00Z",
            "2026-01-01T00:00:00+01",
            "2026-01-01T00:00:00,5Z",
            "-000001-01-01T00:00:00Z",
        ] {
            check(other, FieldType::Timestamp, None);
        }
        check("{\"a\":\n[1]}", FieldType::Json, Some(r#"{"a":[1]}"#));
        check("{a:1}", FieldType::Json, None);
    }

    #[test]
    fn json_values_keep_their_text_when_they_fit() {
        let check = |json: &str, wanted: FieldType, expected: Result<&str, &str>| {
            let mut index = Index::default();
            let value = index.build(json.as_bytes(), &RecordLimits::default()).unwrap();
            let mut output = Vec::new();
            let result = cast_json(&value, &wanted.into(), &RecordLimits::default(), &mut output);
            assert_eq!(result.as_ref().map_err(|error| error.0).err(), expected.err(), "{json} as {wanted}");
            assert_eq!(std::str::from_utf8(&output).unwrap(), expected.unwrap_or_default(), "{json} as {wanted}");
        };
        check("null", FieldType::Integer, Ok("null"));
        check("12345678901234567890123", FieldType::Integer, Ok("12345678901234567890123"));
        check("1e2", FieldType::Integer, Err("a number with a fraction or exponent"));
        check("0.10", FieldType::Decimal, Ok("0.10"));
        check(r#""0.10""#, FieldType::Decimal, Ok("0.10"));
        check(r#""\u0031""#, FieldType::Integer, Ok("1"));
        check("true", FieldType::String, Ok(r#""true""#));
        check("[1]", FieldType::Integer, Err("an array"));
        check("[1]", FieldType::Json, Ok("[1]"));
        check(r#""[1]""#, FieldType::Json, Ok("[1]"));
        check("1", FieldType::Boolean, Err("a number"));
    }

    #[test]
    fn times_are_read_as_the_rule_says() {
        let rule = |field_type: FieldType, formats: &[&str]| TypeRule {
            field_type,
            times: crate::types::TimeFormats::parse(formats, Some("Europe/Berlin")).unwrap(),
        };
        let check = |json: &str, rule: &TypeRule, expected: Result<&str, &str>| {
            let mut index = Index::default();
            let value = index.build(json.as_bytes(), &RecordLimits::default()).unwrap();
            let mut output = Vec::new();
            let result = cast_json(&value, rule, &RecordLimits::default(), &mut output);
            assert_eq!(result.as_ref().map_err(|error| error.0).err(), expected.err(), "{json}");
            assert_eq!(std::str::from_utf8(&output).unwrap(), expected.unwrap_or_default(), "{json}");
        };
        let timestamp = rule(FieldType::Timestamp, &["%d.%m.%Y %H:%M", "unix"]);
        check(r#""01.07.2026 12:00""#, &timestamp, Ok(r#""2026-07-01T10:00:00Z""#));
        check(r#""01.07.2026 12:00""#, &timestamp, Ok(r#""2026-07-01T10:00:00Z""#));
        check("1767225600.5", &timestamp, Ok(r#""2026-01-01T00:00:00.5Z""#));
        check("1e99", &timestamp, Err("a number that fits none of the formats"));
        check("true", &timestamp, Err("a boolean"));
        check("null", &timestamp, Ok("null"));
        let date = rule(FieldType::Date, &["%d.%m.%Y", "unix"]);
        check(r#""01.07.2026""#, &date, Ok(r#""2026-07-01""#));
        check("1767222000", &date, Ok(r#""2026-01-01""#));
        check("1767225600", &FieldType::Timestamp.into(), Err("a number"));
        check("1767225600", &FieldType::Date.into(), Err("a number"));
    }
}
