//! Numbers, times and names as people read them.

use std::fmt::Write;

/// A count with commas: `65,000`.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count and its noun: `1 item`, `2 items`.
pub(super) fn counted(number: u64, noun: &str) -> String {
    let plural = match noun {
        "batch" => "es",
        _ => "s",
    };
    format!("{} {noun}{}", count(number), if number == 1 { "" } else { plural })
}

/// A size in steps of a thousand: `12.4 GB`.
pub(super) fn bytes(number: u64) -> String {
    const UNITS: [&str; 5] = ["KB", "MB", "GB", "TB", "PB"];
    if number < 1000 {
        return format!("{number} B");
    }
    let (mut value, mut unit) = (number as f64 / 1000.0, 0);
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{} {}", three_digits(value), UNITS[unit])
}

/// Milliseconds: `120 ms`, `1.4 s`, `4 min 12 s`, `1 h 05 min`.
pub(super) fn duration(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    match milliseconds {
        0..=999 => format!("{milliseconds} ms"),
        1_000..=59_949 => format!("{} s", three_digits(milliseconds as f64 / 1000.0)),
        _ if seconds < 3600 => format!("{} min {:02} s", seconds.max(60) / 60, seconds.max(60) % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// A duration that ends a bucket, without what is zero: `30 s`, `5 min`, `1 h`.
pub(super) fn short_duration(milliseconds: u64) -> String {
    match milliseconds {
        _ if milliseconds >= 3_600_000 && milliseconds.is_multiple_of(3_600_000) => {
            format!("{} h", milliseconds / 3_600_000)
        }
        _ if milliseconds >= 60_000 && milliseconds.is_multiple_of(60_000) => format!("{} min", milliseconds / 60_000),
        _ if milliseconds >= 1_000 && milliseconds.is_multiple_of(1_000) => format!("{} s", milliseconds / 1_000),
        _ => duration(milliseconds),
    }
}

/// A part of a whole: `0.02 %`; `0 %` and `100 %` only where that is exact.
pub(super) fn share(part: u64, whole: u64) -> String {
    if whole == 0 || part == 0 {
        return "0 %".to_owned();
    }
    if part == whole {
        return "100 %".to_owned();
    }
    let percent = part as f64 * 100.0 / whole as f64;
    match percent {
        _ if percent < 0.01 => "< 0.01 %".to_owned(),
        _ if percent > 99.99 => "> 99.99 %".to_owned(),
        _ if !(1.0..99.0).contains(&percent) => format!("{percent:.2} %"),
        _ => format!("{percent:.1} %"),
    }
}

/// Money with as many digits as tell something: `0.0312 USD`.
pub(super) fn money(amount: f64, currency: &str) -> String {
    let digits = match amount {
        _ if amount >= 10.0 => 2,
        _ if amount >= 0.1 => 3,
        _ if amount == 0.0 => 0,
        _ => 5,
    };
    format!("{amount:.digits$} {currency}")
}

/// A point in time in UTC, to the second: `2026-11-22 10:00:00`.
pub(super) fn time(milliseconds: i64) -> String {
    let time = jiff::Timestamp::from_millisecond(milliseconds).unwrap_or_default();
    time.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// A text from outside in which nothing is invisible or turns the order of letters around.
pub(super) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        let is_hidden = letter.is_control()
            || matches!(letter, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
        if is_hidden {
            // Writing to a string cannot fail.
            let _written = write!(shown, "\\u{{{:x}}}", u32::from(letter));
        } else {
            shown.push(letter);
        }
    }
    shown
}

fn three_digits(value: f64) -> String {
    match value {
        _ if value >= 99.95 => format!("{value:.0}"),
        _ if value >= 9.995 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_written_as_people_read_them() {
        let check = |found: String, expected: &str| assert_eq!(found, expected);
        check(count(0), "0");
        check(count(999), "999");
        check(count(65_000), "65,000");
        check(count(u64::MAX), "18,446,744,073,709,551,615");
        check(counted(1, "batch"), "1 batch");
        check(counted(2, "batch"), "2 batches");
        check(counted(0, "item"), "0 items");
        check(bytes(999), "999 B");
        check(bytes(1_000), "1.00 KB");
        check(bytes(999_499), "999 KB");
        check(bytes(999_500), "1.00 MB");
        check(bytes(12_345_678_901), "12.3 GB");
        check(bytes(u64::MAX), "18447 PB");
        check(duration(0), "0 ms");
        check(duration(1_400), "1.40 s");
        check(duration(59_949), "59.9 s");
        check(duration(59_950), "1 min 00 s");
        check(duration(252_000), "4 min 12 s");
        check(duration(3_900_000), "1 h 05 min");
        check(short_duration(30_000), "30 s");
        check(short_duration(300_000), "5 min");
        check(short_duration(3_600_000), "1 h");
        check(short_duration(300), "300 ms");
        check(share(0, 0), "0 %");
        check(share(12, 65_000), "0.02 %");
        check(share(1, 1_000_000), "< 0.01 %");
        check(share(999_999, 1_000_000), "> 99.99 %");
        check(share(1, 3), "33.3 %");
        check(share(3, 3), "100 %");
        check(money(0.031_24, "USD"), "0.03124 USD");
        check(money(12.345, "USD"), "12.35 USD");
        check(money(0.0, "USD"), "0 USD");
        check(time(1_795_341_600_250), "2026-11-22 10:00:00");
    }

    #[test]
    fn nothing_from_outside_hides_or_turns_letters_around() {
        assert_eq!(visible("in/a b.csv ü 漢"), "in/a b.csv ü 漢");
        assert_eq!(visible("x\u{202e}vsc.a\n\u{200b}"), "x\\u{202e}vsc.a\\u{a}\\u{200b}");
    }
}
