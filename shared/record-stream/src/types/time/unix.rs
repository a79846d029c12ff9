//! Points in time as numbers since 1970.

use crate::types::decimal::Decimal;
use jiff::Timestamp;

/// Places by which seconds are shifted to become nanoseconds.
pub(super) const SECONDS: i64 = 9;

/// The same for milliseconds.
pub(super) const MILLISECONDS: i64 = 6;

/// The beginning of the year 0, before which RFC 3339 writes nothing.
pub(super) const YEAR_0: Timestamp = Timestamp::constant(-62_167_219_200, 0);

/// The point in time of a number whose unit is `shift` places above nanoseconds. `None` outside of the years 0 to 9999,
/// and when the number has digits below the nanosecond, which would be lost.
pub(super) fn instant(number: Decimal<'_>, shift: i64) -> Option<Timestamp> {
    let nanoseconds = number.shifted(shift).to_integer()?;
    Timestamp::from_nanosecond(nanoseconds).ok().filter(|instant| *instant >= YEAR_0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_count_exactly() {
        let check = |text: &str, shift: i64, expected: Option<&str>| {
            let found = instant(Decimal::parse(text.as_bytes()).unwrap(), shift).map(|instant| instant.to_string());
            assert_eq!(found.as_deref(), expected, "{text}");
        };
        check("0", SECONDS, Some("1970-01-01T00:00:00Z"));
        check("1767225600", SECONDS, Some("2026-01-01T00:00:00Z"));
        check("1767225600.123456789", SECONDS, Some("2026-01-01T00:00:00.123456789Z"));
        check("1767225600.1234567890", SECONDS, Some("2026-01-01T00:00:00.123456789Z"));
        check("1767225600.1234567891", SECONDS, None);
        check("-0.5", SECONDS, Some("1969-12-31T23:59:59.5Z"));
        check("1.767225600e9", SECONDS, Some("2026-01-01T00:00:00Z"));
        check("1767225600000", MILLISECONDS, Some("2026-01-01T00:00:00Z"));
        check("1767225600000.000001", MILLISECONDS, Some("2026-01-01T00:00:00.000000001Z"));
        check("1767225600000", SECONDS, None);
        check("1e99999999999999999999", SECONDS, None);
        check("1e-99999999999999999999", SECONDS, None);
        check("-62167219200", SECONDS, Some("0000-01-01T00:00:00Z"));
        check("-62167219200.000000001", SECONDS, None);
    }

    proptest! {
        #[test]
        fn every_millisecond_is_read(milliseconds in -62_167_219_200_000_i64..253_402_200_000_000) {
            let text = milliseconds.to_string();
            let found = instant(Decimal::parse(text.as_bytes()).unwrap(), MILLISECONDS);
            prop_assert_eq!(found, Timestamp::from_millisecond(milliseconds).ok());
        }
    }
}
