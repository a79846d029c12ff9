//! Comparing short numbers.
//!
//! Nearly every number of a file has at most 18 digits and no exponent. Two of those are compared as whole numbers after
//! the one with fewer decimal places was given as many as the other.

use std::cmp::Ordering;

/// Most digits, so that a number fits 64 bits.
const DIGITS: u32 = 18;

/// Compares two numbers by value; `None` when one of them is not a short number.
#[inline]
pub(crate) fn compare_short(left: &[u8], right: &[u8]) -> Option<Ordering> {
    let (left, right) = (Short::parse(left)?, Short::parse(right)?);
    if left.places == right.places {
        return Some(left.value.cmp(&right.value));
    }
    let places = left.places.max(right.places);
    Some(left.scaled(places).cmp(&right.scaled(places)))
}

#[derive(Clone, Copy)]
struct Short {
    value: i64,
    /// Digits behind the point.
    places: u32,
}

impl Short {
    #[inline]
    fn parse(text: &[u8]) -> Option<Self> {
        let (is_negative, digits) = match text.split_first()? {
            (b'-', rest) => (true, rest),
            _ => (false, text),
        };
        let (mut value, mut count, mut point) = (0_i64, 0_u32, None);
        if digits.len() > DIGITS as usize {
            return None;
        }
        for byte in digits {
            match byte {
                b'0'..=b'9' => {
                    value = value * 10 + i64::from(byte - b'0');
                    count += 1;
                }
                b'.' if point.is_none() => point = Some(count),
                _ => return None,
            }
        }
        let places = point.map_or(0, |point| count - point);
        (count > 0).then_some(Self { value: if is_negative { -value } else { value }, places })
    }

    fn scaled(self, places: u32) -> i128 {
        i128::from(self.value) * 10_i128.pow(places - self.places)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Decimal, compare_decimals};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn agrees_with_decimals(left in "-?[0-9]{0,10}([.][0-9]{0,10})?", right in "-?[0-9]{0,10}([.][0-9]{0,10})?") {
            let decimals = Decimal::parse(left.as_bytes()).zip(Decimal::parse(right.as_bytes()));
            if let Some(found) = compare_short(left.as_bytes(), right.as_bytes()) {
                prop_assert_eq!(Some(found), decimals.map(|(left, right)| compare_decimals(&left, &right)));
            } else {
                let is_long = |text: &str| text.trim_start_matches('-').len() > 18;
                prop_assert!(decimals.is_none() || is_long(&left) || is_long(&right));
            }
        }
    }
}
