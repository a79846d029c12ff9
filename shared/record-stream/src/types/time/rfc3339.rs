//! Times as RFC 3339 writes them.
//!
//! Most timestamps of a file already stand as they would be written: in UTC with `Z`. A look at their digits is enough
//! to know that, and they are copied. The others are read digit by digit as well; what is unusual, like a leap second,
//! goes to the parser of the calendar library.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;

/// The number of two digits, or one above 99 when they are none.
#[inline(always)]
fn two(text: &[u8], at: usize) -> u8 {
    let (ten, one) = (text[at].wrapping_sub(b'0'), text[at + 1].wrapping_sub(b'0'));
    if ten > 9 || one > 9 { u8::MAX } else { ten * 10 + one }
}

/// True for a day of the calendar as `YYYY-MM-DD`, in the first ten bytes of a text that has at least as many.
#[inline(always)]
fn begins_with_date(text: &[u8]) -> bool {
    let (century, year, month, day) = (two(text, 0), two(text, 2), two(text, 5), two(text, 8));
    if century > 99 || year > 99 || text[4] != b'-' || text[7] != b'-' {
        return false;
    }
    let is_leap_year = if year == 0 { century % 4 == 0 } else { year % 4 == 0 };
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u8::from(is_leap_year),
        _ => 0,
    };
    day >= 1 && day <= days
}

/// True for a day of the calendar written `YYYY-MM-DD`.
pub(super) fn is_date(text: &[u8]) -> bool {
    text.len() == 10 && begins_with_date(text)
}

/// Reads a day written `YYYY-MM-DD`.
pub(super) fn parse_date(text: &[u8]) -> Option<Date> {
    if !is_date(text) {
        return None;
    }
    let year = i16::from(two(text, 0)) * 100 + i16::from(two(text, 2));
    Date::new(year, two(text, 5) as i8, two(text, 8) as i8).ok()
}

/// True when a text is a point in time and stands as it would be written: UTC with an upper case `T` and `Z`, and a
/// fraction of one to nine digits without zeros at its end, or none.
///
/// A leap second is not written, so it is not canonical; nor is the last year, the end of which the library does not
/// reach.
#[inline]
pub(super) fn is_canonical(text: &[u8]) -> bool {
    let length = text.len();
    if !(20..=30).contains(&length) || text[length - 1] != b'Z' {
        return false;
    }
    let is_separated = text[10] == b'T' && text[13] == b':' && text[16] == b':';
    let is_time = two(text, 11) <= 23 && two(text, 14) <= 59 && two(text, 17) <= 59;
    if !is_separated || !is_time || !begins_with_date(text) || text.starts_with(b"9999") {
        return false;
    }
    length == 20
        || (length > 21
            && text[19] == b'.'
            && text[length - 2] != b'0'
            && text[20..length - 1].iter().all(u8::is_ascii_digit))
}

/// Reads a point in time with an offset. A space may stand for the `T`, and both letters may be lower case.
pub(super) fn parse(text: &[u8]) -> Option<Timestamp> {
    read_digits(text).or_else(|| parse_any(text))
}

/// The library's parser, for texts of the right shape.
fn parse_any(text: &[u8]) -> Option<Timestamp> {
    if !is_shaped(text) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Reads the usual form; `None` says nothing about other texts.
fn read_digits(text: &[u8]) -> Option<Timestamp> {
    let is_separated =
        text.len() >= 20 && matches!(text[10], b'T' | b't' | b' ') && text[13] == b':' && text[16] == b':';
    if !is_separated || !begins_with_date(text) {
        return None;
    }
    let (hour, minute, second) = (two(text, 11), two(text, 14), two(text, 17));
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (nanoseconds, end) = match &text[19..] {
        [b'.', fraction @ ..] => {
            let places = fraction.iter().take_while(|digit| digit.is_ascii_digit()).count();
            if !(1..=9).contains(&places) {
                return None;
            }
            let value = fraction[..places].iter().fold(0, |value, digit| value * 10 + i32::from(digit - b'0'));
            (value * 10_i32.pow(9 - places as u32), &fraction[places..])
        }
        end => (0, end),
    };
    let seconds = match end {
        [b'Z' | b'z'] => 0,
        [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let (hours, minutes) = (two(end, 1), two(end, 4));
            if hours > 23 || minutes > 59 {
                return None;
            }
            let seconds = (i32::from(hours) * 60 + i32::from(minutes)) * 60;
            if *sign == b'-' { -seconds } else { seconds }
        }
        _ => return None,
    };
    let day = parse_date(&text[..10])?;
    let (hour, minute, second) = (hour as i8, minute as i8, second as i8);
    let local = DateTime::new(day.year(), day.month(), day.day(), hour, minute, second, nanoseconds).ok()?;
    Offset::from_seconds(seconds).ok()?.to_timestamp(local).ok()
}

/// Dashes and colons where RFC 3339 has them; the parser behind it accepts more forms of ISO 8601.
fn is_shaped(text: &[u8]) -> bool {
    let has = |at: usize, wanted: &[u8]| text.get(at).is_some_and(|byte| wanted.contains(byte));
    let is_dated = has(4, b"-") && has(7, b"-") && has(10, b"Tt ") && has(13, b":") && has(16, b":");
    let has_offset = match text.last() {
        Some(b'Z' | b'z') => true,
        _ => text.len() >= 25 && has(text.len() - 6, b"+-") && has(text.len() - 3, b":"),
    };
    is_dated && has_offset && text.first().is_some_and(u8::is_ascii_digit) && !text.contains(&b',')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn canonical_is_what_the_library_reads_and_writes_the_same(
            year in prop_oneof![Just("0000"), Just("1900"), Just("2000"), Just("2023"), Just("2024"), Just("9999")],
            month in 0_u8..14, day in 0_u8..33, hour in 0_u8..26, minute in 0_u8..62, second in 0_u8..62,
            between in prop_oneof![8 => Just("T"), 1 => Just("t"), 1 => Just(" ")],
            fraction in prop_oneof![Just(String::new()), "[.,][0-9]{0,11}"],
            end in prop_oneof![4 => "Z", 1 => "z", 1 => "[+-]00:00", 4 => "[+-][0-2][0-9]:[0-6][0-9]", 1 => ""],
        ) {
            let text = format!("{year}-{month:02}-{day:02}{between}{hour:02}:{minute:02}:{second:02}{fraction}{end}");
            let read = parse_any(text.as_bytes());
            prop_assert_eq!(parse(text.as_bytes()), read, "{}", text);
            let written = read.map(|instant| instant.to_string());
            let is_last_year = year == "9999";
            prop_assert_eq!(is_canonical(text.as_bytes()), written.as_ref() == Some(&text) && !is_last_year, "{}", text);
            let date = &text[..10];
            let day = date.parse::<Date>();
            prop_assert_eq!(is_date(date.as_bytes()), day.is_ok(), "{}", date);
            prop_assert_eq!(parse_date(date.as_bytes()), day.ok());
        }

        #[test]
        fn a_canonical_text_with_one_byte_changed_is_judged_as_the_library_does(at in 0_usize..24, byte in 0x20_u8..0x7f) {
            let mut text = b"2024-02-29T23:59:59.123Z".to_vec();
            text[at] = byte;
            let text = String::from_utf8(text).unwrap();
            prop_assert_eq!(parse(text.as_bytes()), parse_any(text.as_bytes()), "{}", text);
            let written = parse(text.as_bytes()).map(|instant| instant.to_string());
            prop_assume!(!text.starts_with("9999"));
            prop_assert_eq!(is_canonical(text.as_bytes()), written.as_ref() == Some(&text), "{}", text);
        }
    }
}
