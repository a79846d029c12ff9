//! Turning values into what their type demands.

use super::FieldType;
use super::decimal::Decimal;
use crate::json::{Index, Kind, Value, write_json_string, write_without_line_breaks};
use crate::limits::RecordLimits;
use jiff::{Timestamp, civil::Date};

/// The value is not of the type; says what it is instead, without the value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CastError(pub(crate) &'static str);

/// Writes text as JSON of the given type. Nothing is written on an error.
pub(crate) fn cast_text(
    text: &[u8],
    wanted: FieldType,
    limits: &RecordLimits,
    output: &mut Vec<u8>,
) -> Result<(), CastError> {
    match wanted {
        FieldType::String => write_json_string(text, output),
        FieldType::Integer if is_integer(text) => write_number(text, output),
        FieldType::Decimal if is_decimal(text) => write_number(text, output),
        FieldType::Float if Decimal::parse(text).is_some() => write_number(text, output),
        FieldType::Boolean => output.extend_from_slice(boolean(text)?),
        FieldType::Date => date(text, output)?,
        FieldType::Timestamp => timestamp(text, output)?,
        FieldType::Json => json(text, limits, output)?,
        FieldType::Integer => return Err(CastError("text that is not a whole number")),
        FieldType::Decimal => return Err(CastError("text that is not a decimal number")),
        FieldType::Float => return Err(CastError("text that is not a number")),
    }
    Ok(())
}

/// Writes a JSON value as JSON of the given type: a value of the right kind as it is, a string as its text would be.
/// `null` stays `null`. Nothing is written on an error.
pub(crate) fn cast_json(
    value: &Value<'_>,
    wanted: FieldType,
    limits: &RecordLimits,
    output: &mut Vec<u8>,
) -> Result<(), CastError> {
    let raw = value.raw();
    match (value.kind(), wanted) {
        (Kind::Null, _)
        | (Kind::String, FieldType::String)
        | (Kind::True | Kind::False, FieldType::Boolean)
        | (Kind::Number, FieldType::Float) => output.extend_from_slice(raw),
        (Kind::Number, FieldType::Integer) if is_integer(raw) => output.extend_from_slice(raw),
        (Kind::Number, FieldType::Decimal) if is_decimal(raw) => output.extend_from_slice(raw),
        (Kind::Number, FieldType::Integer) => return Err(CastError("a number with a fraction or exponent")),
        (Kind::Number, FieldType::Decimal) => return Err(CastError("a number with an exponent")),
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

fn is_integer(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").or_else(|| text.strip_prefix(b"+")).unwrap_or(text);
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}

fn is_decimal(text: &[u8]) -> bool {
    memchr::memchr2(b'e', b'E', text).is_none() && Decimal::parse(text).is_some()
}

/// Writes a number that [`Decimal::parse`] accepts as JSON accepts it: every digit stays, only a plus sign and leading
/// zeros go, and a missing digit at either side of the point comes.
fn write_number(text: &[u8], output: &mut Vec<u8>) {
    let unsigned = text.strip_prefix(b"+").unwrap_or(text);
    let (sign, unsigned) = unsigned.strip_prefix(b"-").map_or((&b""[..], unsigned), |rest| (&b"-"[..], rest));
    output.extend_from_slice(sign);
    let integer_end = unsigned.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(unsigned.len());
    let zeros = unsigned[..integer_end].iter().take_while(|digit| **digit == b'0').count();
    let integer = &unsigned[zeros..integer_end];
    output.extend_from_slice(if integer.is_empty() { b"0" } else { integer });
    let rest = &unsigned[integer_end..];
    let Some(after_point) = rest.strip_prefix(b".") else {
        output.extend_from_slice(rest);
        return;
    };
    output.push(b'.');
    if !after_point.first().is_some_and(u8::is_ascii_digit) {
        output.push(b'0');
    }
    output.extend_from_slice(after_point);
}

fn boolean(text: &[u8]) -> Result<&'static [u8], CastError> {
    if text == b"1" || text.eq_ignore_ascii_case(b"true") {
        Ok(b"true")
    } else if text == b"0" || text.eq_ignore_ascii_case(b"false") {
        Ok(b"false")
    } else {
        Err(CastError("text other than true, false, 1 or 0"))
    }
}

fn date(text: &[u8], output: &mut Vec<u8>) -> Result<(), CastError> {
    const OTHER: CastError = CastError("text that is not a day of the calendar");
    let is_shaped = text.len() == 10 && text[4] == b'-' && text[7] == b'-';
    let day = std::str::from_utf8(text).ok().filter(|_| is_shaped).ok_or(OTHER)?;
    day.parse::<Date>().map_err(|_| OTHER)?;
    write_json_string(text, output);
    Ok(())
}

fn timestamp(text: &[u8], output: &mut Vec<u8>) -> Result<(), CastError> {
    const OTHER: CastError = CastError("text that is not a point in time with an offset");
    let text = std::str::from_utf8(text).ok().filter(|text| is_rfc_3339_shaped(text.as_bytes())).ok_or(OTHER)?;
    let instant: Timestamp = text.parse().map_err(|_| OTHER)?;
    write_json_string(instant.to_string().as_bytes(), output);
    Ok(())
}

/// Dashes and colons where RFC 3339 has them; the parser behind it accepts more forms of ISO 8601.
fn is_rfc_3339_shaped(text: &[u8]) -> bool {
    let has = |at: usize, wanted: &[u8]| text.get(at).is_some_and(|byte| wanted.contains(byte));
    let is_dated = has(4, b"-") && has(7, b"-") && has(10, b"Tt ") && has(13, b":") && has(16, b":");
    let has_offset = match text.last() {
        Some(b'Z' | b'z') => true,
        _ => text.len() >= 25 && has(text.len() - 6, b"+-") && has(text.len() - 3, b":"),
    };
    is_dated && has_offset && text.first().is_some_and(u8::is_ascii_digit) && !text.contains(&b',')
}

fn json(text: &[u8], limits: &RecordLimits, output: &mut Vec<u8>) -> Result<(), CastError> {
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
        let result = cast_text(text.as_bytes(), wanted, &RecordLimits::default(), &mut output);
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
            let result = cast_json(&value, wanted, &RecordLimits::default(), &mut output);
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
}
