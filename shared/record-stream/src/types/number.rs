//! Numbers as text: what a text spells, and how it is written as JSON.
//!
//! One pass over the digits tells whether a text is a number at all, whether it has a point or an exponent, and whether
//! JSON allows it as it stands. Nearly every number of a file is then copied. Only a conversion that was asked for
//! writes a number out in another form, and that form has a bound: `1e999999999` must not become a gigabyte of zeros.

use super::decimal::Decimal;
use crate::json::skip_digits;

/// Most digits that a number may have when its exponent or point is written out.
pub(crate) const WRITTEN_DIGITS: usize = 400;

/// What one pass over a number finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NumberShape {
    pub(super) has_point: bool,
    pub(super) has_exponent: bool,
    /// RFC 8259 allows the number as it stands.
    pub(super) is_json: bool,
}

impl NumberShape {
    /// Looks at a text; `None` when it is not a number. More than JSON allows is one (`+1`, `.5`, `1.`, `007`), because
    /// CSV files have such numbers.
    #[inline]
    pub(crate) fn of(text: &[u8]) -> Option<Self> {
        let mut is_json = text.first() != Some(&b'+');
        let integer_start = usize::from(matches!(text.first(), Some(b'-' | b'+')));
        let mut at = skip_digits(text, integer_start);
        let mut digits = at - integer_start;
        is_json &= digits == 1 || (digits > 1 && text[integer_start] != b'0');
        let has_point = text.get(at) == Some(&b'.');
        if has_point {
            let end = skip_digits(text, at + 1);
            let places = end - at - 1;
            is_json &= places > 0;
            digits += places;
            at = end;
        }
        if digits == 0 {
            return None;
        }
        let has_exponent = matches!(text.get(at), Some(b'e' | b'E'));
        if has_exponent {
            at += 1 + usize::from(matches!(text.get(at + 1), Some(b'+' | b'-')));
            let end = skip_digits(text, at);
            if end == at {
                return None;
            }
            at = end;
        }
        (at == text.len()).then_some(Self { has_point, has_exponent, is_json })
    }

    pub(super) fn is_whole(self) -> bool {
        !self.has_point && !self.has_exponent
    }
}

/// Writes a number with the digits it has: in JSON's form only a plus sign and leading zeros go, and a missing digit at
/// either side of the point comes.
#[inline]
pub(crate) fn write_number(text: &[u8], shape: NumberShape, output: &mut Vec<u8>) {
    if shape.is_json {
        output.extend_from_slice(text);
        return;
    }
    let unsigned = text.strip_prefix(b"+").unwrap_or(text);
    let (sign, unsigned) = unsigned.strip_prefix(b"-").map_or((&b""[..], unsigned), |rest| (&b"-"[..], rest));
    output.extend_from_slice(sign);
    let integer_end = skip_digits(unsigned, 0);
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

/// Why a number cannot be written in another form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CannotWrite {
    /// It is not whole.
    HasFraction,
    /// It would have more than [`WRITTEN_DIGITS`] digits.
    TooLong,
}

/// Writes a number as a whole number: `1.0` as `1`, `1e3` as `1000`. Nothing is written on an error.
pub(crate) fn write_whole(number: &Decimal<'_>, output: &mut Vec<u8>) -> Result<(), CannotWrite> {
    let Some(significant) = number.significant() else {
        output.push(b'0');
        return Ok(());
    };
    let point = number.point();
    if significant.end as i64 > point {
        return Err(CannotWrite::HasFraction);
    }
    let length = point - significant.start as i64;
    if length > WRITTEN_DIGITS as i64 {
        return Err(CannotWrite::TooLong);
    }
    let zeros = point - significant.end as i64;
    write_sign(number, output);
    output.extend(number.digits().take(significant.end).skip(significant.start));
    write_zeros(zeros, output);
    Ok(())
}

/// Writes a number without an exponent, with every digit it has: `1.50e1` as `15.0`. Nothing is written on an error.
pub(crate) fn write_plain(number: &Decimal<'_>, output: &mut Vec<u8>) -> Result<(), CannotWrite> {
    let Some(significant) = number.significant() else {
        output.push(b'0');
        return Ok(());
    };
    let count = number.digits().count() as i64;
    let point = number.point();
    if count.max(point).max(count.saturating_sub(point)) > WRITTEN_DIGITS as i64 {
        return Err(CannotWrite::TooLong);
    }
    // Zeros before the first digit that counts are left out, but not the one before the point.
    let first = (significant.start as i64).min(point).max(0);
    write_sign(number, output);
    if point <= 0 {
        output.extend_from_slice(b"0.");
        write_zeros(-point, output);
        output.extend(number.digits());
        return Ok(());
    }
    if first == point {
        output.push(b'0');
    }
    let places = |length: i64| usize::try_from(length).unwrap_or_default();
    output.extend(number.digits().take(places(point)).skip(places(first)));
    write_zeros(point - count, output);
    if count > point {
        output.push(b'.');
        output.extend(number.digits().skip(places(point)));
    }
    Ok(())
}

fn write_sign(number: &Decimal<'_>, output: &mut Vec<u8>) {
    if number.is_negative() {
        output.push(b'-');
    }
}

fn write_zeros(count: i64, output: &mut Vec<u8>) {
    output.extend(std::iter::repeat_n(b'0', usize::try_from(count).unwrap_or_default()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::compare_decimals;
    use proptest::prelude::*;
    use std::cmp::Ordering;

    fn written(
        text: &str,
        write: impl Fn(&Decimal<'_>, &mut Vec<u8>) -> Result<(), CannotWrite>,
    ) -> Result<String, CannotWrite> {
        let mut output = Vec::new();
        let result = write(&Decimal::parse(text.as_bytes()).unwrap(), &mut output);
        let output = String::from_utf8(output).unwrap();
        assert!(result.is_ok() || output.is_empty(), "nothing is written on an error");
        result.map(|()| output)
    }

    #[test]
    fn whole_numbers_are_written_out() {
        let check = |text: &str, expected: Result<&str, CannotWrite>| {
            assert_eq!(written(text, write_whole), expected.map(str::to_owned), "{text}");
        };
        check("1.0", Ok("1"));
        check("1e3", Ok("1000"));
        check("-12.50e1", Ok("-125"));
        check("1200e-2", Ok("12"));
        check("000.000e999999999999", Ok("0"));
        check("-0.0", Ok("0"));
        check("0.5", Err(CannotWrite::HasFraction));
        check("1e-1", Err(CannotWrite::HasFraction));
        check("1e-99999999999999999999", Err(CannotWrite::HasFraction));
        check("1e399", Ok(&format!("1{}", "0".repeat(399))));
        check("1e400", Err(CannotWrite::TooLong));
        check("1e99999999999999999999", Err(CannotWrite::TooLong));
        check(&format!("0.{}1e401", "0".repeat(400)), Ok("1"));
    }

    #[test]
    fn exponents_are_written_out() {
        let check = |text: &str, expected: Result<&str, CannotWrite>| {
            assert_eq!(written(text, write_plain), expected.map(str::to_owned), "{text}");
        };
        check("1.50e1", Ok("15.0"));
        check("1.5e3", Ok("1500"));
        check("-1.5e-3", Ok("-0.0015"));
        check("0.05e1", Ok("0.5"));
        check("0.05e2", Ok("5"));
        check("00.05e3", Ok("50"));
        check("0e7", Ok("0"));
        check("120e-1", Ok("12.0"));
        check("120e-3", Ok("0.120"));
        check("1e399", Ok(&format!("1{}", "0".repeat(399))));
        check("1e400", Err(CannotWrite::TooLong));
        check("1e-400", Ok(&format!("0.{}1", "0".repeat(399))));
        check("1e-401", Err(CannotWrite::TooLong));
        check("1e99999999999999999999", Err(CannotWrite::TooLong));
        check("1e-99999999999999999999", Err(CannotWrite::TooLong));
    }

    proptest! {
        #[test]
        fn the_shape_agrees_with_the_parser(text in "[-+]?[0-9]{0,3}[.]?[0-9]{0,2}([eE][-+]?[0-9]{0,2})?[x ]?") {
            let shape = NumberShape::of(text.as_bytes());
            prop_assert_eq!(shape.is_some(), Decimal::parse(text.as_bytes()).is_some(), "{}", text);
            let is_json = serde_json::from_str::<&serde_json::value::RawValue>(&text).is_ok() && !text.ends_with(' ');
            prop_assert_eq!(shape.is_some_and(|shape| shape.is_json), is_json, "{}", text);
        }

        #[test]
        fn what_is_written_is_json_and_the_same_number(text in "[-+]?[0-9]{0,5}[.]?[0-9]{0,5}([eE][-+]?[0-9]{1,2})?") {
            let Some(number) = Decimal::parse(text.as_bytes()) else { return Ok(()) };
            let mut output = Vec::new();
            write_number(text.as_bytes(), NumberShape::of(text.as_bytes()).unwrap(), &mut output);
            let same = |output: &[u8]| {
                let shape = NumberShape::of(output).unwrap();
                let value = Decimal::parse(output).unwrap();
                shape.is_json && compare_decimals(&value, &number) == Ordering::Equal
            };
            prop_assert!(same(&output), "{}", text);
            let plain = written(&text, write_plain).unwrap();
            prop_assert!(same(plain.as_bytes()) && !plain.contains(['e', 'E']), "{} {}", text, plain);
            match written(&text, write_whole) {
                Ok(whole) => prop_assert!(same(whole.as_bytes()) && !whole.contains(['e', 'E', '.'])),
                Err(error) => {
                    prop_assert_eq!(error, CannotWrite::HasFraction);
                    prop_assert!(plain.contains('.') && !plain.split('.').nth(1).unwrap().bytes().all(|byte| byte == b'0'));
                }
            }
        }
    }
}
