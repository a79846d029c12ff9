//! Numbers as text, compared exactly.
//!
//! A 64-bit id or `0.10` must not pass through a floating-point number. A decimal is split into sign, digits and the
//! place of its point; comparing two is then comparing places and digits.

use std::cmp::Ordering;

/// A number split into its parts; digits without leading and trailing zeros.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Decimal<'a> {
    is_negative: bool,
    integer: &'a [u8],
    fraction: &'a [u8],
    exponent: i64,
}

impl<'a> Decimal<'a> {
    /// Splits a number: optional sign, digits with an optional point, optional exponent. At least one digit; more than
    /// JSON allows (`+1`, `.5`, `1.`, `007`), because CSV files have such numbers.
    pub(crate) fn parse(text: &'a [u8]) -> Option<Self> {
        let (is_negative, unsigned) = match text.first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let (mantissa, exponent) = match memchr::memchr2(b'e', b'E', unsigned) {
            Some(at) => (&unsigned[..at], parse_exponent(&unsigned[at + 1..])?),
            None => (unsigned, 0),
        };
        let (integer, fraction) = match memchr::memchr(b'.', mantissa) {
            Some(at) => (&mantissa[..at], &mantissa[at + 1..]),
            None => (mantissa, &[][..]),
        };
        let all_digits = integer.iter().chain(fraction).all(u8::is_ascii_digit);
        (all_digits && integer.len() + fraction.len() > 0).then_some(Self { is_negative, integer, fraction, exponent })
    }

    fn digits(&self) -> impl Iterator<Item = u8> + Clone + use<'a> {
        self.integer.iter().chain(self.fraction).copied()
    }

    fn is_zero(&self) -> bool {
        self.digits().all(|digit| digit == b'0')
    }

    /// Power of ten of the digit after the first non-zero one's left edge: 0.1 has 0, 1 has 1, 10 has 2.
    fn magnitude(&self) -> i64 {
        let leading_zeros = self.digits().take_while(|digit| *digit == b'0').count();
        (self.integer.len() as i64 - leading_zeros as i64).saturating_add(self.exponent)
    }
}

fn parse_exponent(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"+").or_else(|| text.strip_prefix(b"-")).unwrap_or(text);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let clamp = |value: i64, digit: &u8| value.saturating_mul(10).saturating_add(i64::from(digit - b'0'));
    // Beyond this the order of two exponents no longer matters to anybody, and sums stay far from overflow.
    let value = digits.iter().fold(0, clamp).min(i64::MAX / 4);
    Some(if text.first() == Some(&b'-') { -value } else { value })
}

/// Compares by value: 1.0 equals 1, 1e2 equals 100.
pub(crate) fn compare_decimals(left: &Decimal<'_>, right: &Decimal<'_>) -> Ordering {
    match (left.is_zero(), right.is_zero()) {
        (true, true) => return Ordering::Equal,
        (true, false) => return if right.is_negative { Ordering::Greater } else { Ordering::Less },
        (false, true) => return if left.is_negative { Ordering::Less } else { Ordering::Greater },
        (false, false) => {}
    }
    match (left.is_negative, right.is_negative) {
        (false, true) => Ordering::Greater,
        (true, false) => Ordering::Less,
        (false, false) => compare_sizes(left, right),
        (true, true) => compare_sizes(right, left),
    }
}

fn compare_sizes(left: &Decimal<'_>, right: &Decimal<'_>) -> Ordering {
    let by_magnitude = left.magnitude().cmp(&right.magnitude());
    if by_magnitude != Ordering::Equal {
        return by_magnitude;
    }
    let significant = |number: &Decimal<'_>| number.digits().collect::<Vec<u8>>();
    // Plain numbers of equal length compare as text; this is nearly every comparison.
    if left.integer.len() == right.integer.len() && left.exponent == right.exponent {
        let by_integer = left.integer.cmp(right.integer);
        return if by_integer == Ordering::Equal {
            trim_end(left.fraction).cmp(trim_end(right.fraction))
        } else {
            by_integer
        };
    }
    let (left, right) = (significant(left), significant(right));
    trim_end(trim_start(&left)).cmp(trim_end(trim_start(&right)))
}

fn trim_start(digits: &[u8]) -> &[u8] {
    let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
    &digits[zeros..]
}

fn trim_end(digits: &[u8]) -> &[u8] {
    let zeros = digits.iter().rev().take_while(|digit| **digit == b'0').count();
    &digits[..digits.len() - zeros]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn compare(left: &str, right: &str) -> Ordering {
        compare_decimals(&Decimal::parse(left.as_bytes()).unwrap(), &Decimal::parse(right.as_bytes()).unwrap())
    }

    #[test]
    fn numbers_compare_by_value() {
        let check = |left: &str, right: &str, expected: Ordering| {
            assert_eq!(compare(left, right), expected, "{left} and {right}");
            assert_eq!(compare(right, left), expected.reverse(), "{right} and {left}");
        };
        check("1", "1.0", Ordering::Equal);
        check("100", "1e2", Ordering::Equal);
        check("0.10", ".1", Ordering::Equal);
        check("-0", "0", Ordering::Equal);
        check("007", "7", Ordering::Equal);
        check("9", "10", Ordering::Less);
        check("-9", "-10", Ordering::Greater);
        check("-1", "1", Ordering::Less);
        check("9223372036854775807", "9223372036854775808", Ordering::Less);
        check("0.1", "0.09999999999999999999999", Ordering::Greater);
        check("1e400", "1e399", Ordering::Greater);
        check("1e-99999999999999999999", "0", Ordering::Greater);
        check("12.5", "12.49", Ordering::Greater);
    }

    #[test]
    fn what_is_not_a_number_is_none() {
        for text in ["", "-", "+", ".", "1e", "1e+", "0x1", "1 ", "NaN", "inf", "1,000", "--1", "1.2.3"] {
            assert!(Decimal::parse(text.as_bytes()).is_none(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_integers(left in any::<i64>(), right in any::<i64>()) {
            prop_assert_eq!(compare(&left.to_string(), &right.to_string()), left.cmp(&right));
        }

        #[test]
        fn agrees_with_scaled_integers(left in -10_000_i64..10_000, right in -10_000_i64..10_000, places in 0_i64..6) {
            let shift = |value: i64| format!("{value}e-{places}");
            prop_assert_eq!(compare(&shift(left), &shift(right)), left.cmp(&right));
        }
    }
}
