//! Numbers as text, compared exactly.
//!
//! A 64-bit id or `0.10` must not pass through a floating-point number. A decimal is split into sign, digits and the
//! place of its point; comparing two is then comparing places and digits.

use std::cmp::Ordering;
use std::ops::Range;

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

    pub(super) fn digits(&self) -> impl DoubleEndedIterator<Item = u8> + Clone + use<'a> {
        self.integer.iter().chain(self.fraction).copied()
    }

    pub(crate) fn is_negative(&self) -> bool {
        self.is_negative
    }

    /// Where the point stands among the digits: before the digit with this number.
    pub(super) fn point(&self) -> i64 {
        (self.integer.len() as i64).saturating_add(self.exponent)
    }

    /// The digits from the first to the last that is not zero; `None` for zero.
    pub(super) fn significant(&self) -> Option<Range<usize>> {
        let start = self.digits().position(|digit| digit != b'0')?;
        let zeros_at_end = self.digits().rev().take_while(|digit| *digit == b'0').count();
        Some(start..self.integer.len() + self.fraction.len() - zeros_at_end)
    }

    /// The digits without zeros at either end, and the power of ten that they are multiplied with; `None` for zero.
    pub(crate) fn significant_digits(&self) -> Option<(impl Iterator<Item = u8> + use<'a>, i64)> {
        let significant = self.significant()?;
        let power = self.point().saturating_sub(significant.end as i64);
        Some((self.digits().take(significant.end).skip(significant.start), power))
    }

    /// The number times ten to the power of `places`.
    pub(crate) fn shifted(self, places: i64) -> Self {
        Self { exponent: self.exponent.saturating_add(places), ..self }
    }

    /// True when there is nothing but zeros after the point.
    pub(crate) fn is_whole(&self) -> bool {
        self.significant().is_none_or(|significant| significant.end as i64 <= self.point())
    }

    /// The value when it is whole and has at most 38 digits.
    pub(crate) fn to_integer(self) -> Option<i128> {
        if let Some(value) = self.to_small_integer() {
            return Some(value);
        }
        let Some(significant) = self.significant() else { return Some(0) };
        let zeros = self.point().checked_sub(significant.end as i64).filter(|zeros| *zeros >= 0)?;
        if zeros.saturating_add(significant.len() as i64) > 38 {
            return None;
        }
        let digits = self.digits().take(significant.end).skip(significant.start);
        let value = digits.fold(0_i128, |value, digit| value * 10 + i128::from(digit - b'0'));
        let value = value * 10_i128.pow(u32::try_from(zeros).ok()?);
        Some(if self.is_negative { -value } else { value })
    }

    /// The same for what nearly all numbers are: a few digits and a small exponent. `None` says nothing about others.
    fn to_small_integer(self) -> Option<i128> {
        let power = self.exponent.checked_sub(self.fraction.len() as i64)?;
        if self.integer.len() + self.fraction.len() > 19 || !(-18..=18).contains(&power) {
            return None;
        }
        let value = |value: u64, digit: &u8| value * 10 + u64::from(digit - b'0');
        let digits = self.fraction.iter().fold(self.integer.iter().fold(0, value), value);
        let scale = 10_u64.pow(power.unsigned_abs() as u32);
        if power < 0 && digits % scale != 0 {
            return None;
        }
        let size = if power < 0 { i128::from(digits / scale) } else { i128::from(digits) * i128::from(scale) };
        Some(if self.is_negative { -size } else { size })
    }

    /// True when the number is a whole multiple of `divisor`, exactly. The divisor has at most 20 digits that count, as
    /// every number of 64 bits has; with more, or when it is zero, the answer is `None`.
    ///
    /// Both numbers are digits without zeros at either end times a power of ten. If the power of the number is the
    /// smaller one, the divisor's digits would have to bring in a factor of ten that the number's digits do not have.
    /// Otherwise the remainder is counted digit by digit, then once more for each power of ten.
    pub(crate) fn is_multiple_of(&self, divisor: &Decimal<'_>) -> Option<bool> {
        let divisor_digits = divisor.significant()?;
        if divisor_digits.len() > 20 {
            return None;
        }
        let Some(own_digits) = self.significant() else { return Some(true) };
        let power = |number: &Decimal<'_>, digits: &Range<usize>| number.point().saturating_sub(digits.end as i64);
        let powers = power(self, &own_digits).saturating_sub(power(divisor, &divisor_digits));
        if powers < 0 {
            return Some(false);
        }
        let value = |rest: u128, digit: u8| rest * 10 + u128::from(digit - b'0');
        let modulus = divisor.digits().take(divisor_digits.end).skip(divisor_digits.start).fold(0, value);
        let own = self.digits().take(own_digits.end).skip(own_digits.start);
        let rest = own.fold(0, |rest, digit| value(rest, digit) % modulus);
        Some(times_power_of_ten(rest, powers, modulus) == 0)
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

/// `value` times ten to the power of `powers`, modulo `modulus`, by squaring. The modulus has at most 20 digits, so it is
/// below 2^67; products are formed in two steps to stay within 128 bits.
fn times_power_of_ten(value: u128, powers: i64, modulus: u128) -> u128 {
    let (mut result, mut base, mut powers) = (value % modulus, 10 % modulus, powers);
    while powers > 0 && result != 0 {
        if powers % 2 == 1 {
            result = product(result, base, modulus);
        }
        base = product(base, base, modulus);
        powers /= 2;
    }
    result
}

/// The product modulo `modulus`, for a modulus below 2^67.
fn product(left: u128, right: u128, modulus: u128) -> u128 {
    const HALF: u32 = 34;
    let high = left * (right >> HALF) % modulus;
    ((high << HALF) + left * (right & ((1 << HALF) - 1))) % modulus
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

    #[test]
    fn multiples_are_exact() {
        let check = |number: &str, divisor: &str, expected: Option<bool>| {
            let value = Decimal::parse(number.as_bytes()).unwrap();
            let answer = value.is_multiple_of(&Decimal::parse(divisor.as_bytes()).unwrap());
            assert_eq!(answer, expected, "{number} of {divisor}");
        };
        check("0.3", "0.1", Some(true));
        check("0.35", "0.1", Some(false));
        check("1e400", "3", Some(false));
        check("3e400", "3", Some(true));
        check("1e-400", "0.01", Some(false));
        check("0", "7", Some(true));
        check("9007199254740993", "2", Some(false));
        check("-4.50", "1.5", Some(true));
        check("340282366920938463463374607431768211456", "18446744073709551615", Some(false));
        check("340282366920938463444927863358058659840", "18446744073709551615", Some(true));
        check("1", "0", None);
        check("1", "123456789012345678901", None);
        check("1e9000000000000000000", "1024", Some(true));
    }

    #[test]
    fn whole_values_become_integers() {
        let check = |text: &str, expected: Option<i128>| {
            let number = Decimal::parse(text.as_bytes()).unwrap();
            assert_eq!(number.to_integer(), expected, "{text}");
            assert!(expected.is_none() || number.is_whole(), "{text}");
        };
        check("1.50e1", Some(15));
        check("-0.0", Some(0));
        check("1.5", None);
        check("99999999999999999999999999999999999999", Some(10_i128.pow(38) - 1));
        check("1e38", None);
        check("-1e37", Some(-(10_i128.pow(37))));
        check("0e99999999999999999999", Some(0));
        check("1e99999999999999999999", None);
    }

    proptest! {
        #[test]
        fn both_ways_to_an_integer_agree(number in any::<i64>(), places in -20_i64..20, zeros in 0_usize..25) {
            let text = format!("{number}e{places}");
            let padded = format!("{number}.{}e{places}", "0".repeat(zeros));
            let value = Decimal::parse(text.as_bytes()).unwrap().to_integer();
            prop_assert_eq!(Decimal::parse(padded.as_bytes()).unwrap().to_integer(), value);
            let power = 10_i128.pow(places.unsigned_abs() as u32);
            let number = i128::from(number);
            let expected = if places >= 0 { Some(number * power) } else { (number % power == 0).then(|| number / power) };
            prop_assert_eq!(value, expected.filter(|value| value.unsigned_abs() < 10_u128.pow(38)));
        }

        #[test]
        fn multiples_agree_with_integers(number in any::<i64>(), divisor in 1_u64.., places in 0_i64..20, power in 0_u32..3) {
            let number_text = format!("{number}e-{places}");
            let divisor_text = format!("{divisor}e-{}", places + i64::from(power));
            let expected = i128::from(number) * 10_i128.pow(power) % i128::from(divisor) == 0;
            let number = Decimal::parse(number_text.as_bytes()).unwrap();
            prop_assert_eq!(number.is_multiple_of(&Decimal::parse(divisor_text.as_bytes()).unwrap()), Some(expected));
        }

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
