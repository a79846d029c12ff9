//! Formats, time zones and what they make of texts and numbers.

use super::*;

fn formats(formats: &[&str], zone: &str) -> TimeFormats {
    TimeFormats::parse(formats, Some(zone)).unwrap()
}

fn written(write: impl FnOnce(&mut Vec<u8>) -> Result<(), CastError>) -> Result<String, &'static str> {
    let mut output = b"before".to_vec();
    let result = write(&mut output);
    let output = String::from_utf8(output).unwrap().strip_prefix("before").unwrap().to_owned();
    assert!(result.is_ok() || output.is_empty(), "nothing is written on an error");
    result.map(|()| output.trim_matches('"').to_owned()).map_err(|error| error.0)
}

fn check(times: &TimeFormats, text: &str, timestamp: Option<&str>, date: Option<&str>) {
    let found = written(|output| times.write_timestamp(text.as_bytes(), output));
    assert_eq!(found.ok().as_deref(), timestamp, "{text} as a timestamp");
    let found = written(|output| times.write_date(text.as_bytes(), output));
    assert_eq!(found.ok().as_deref(), date, "{text} as a date");
}

#[test]
fn without_a_format_only_rfc_3339_is_read() {
    let times = TimeFormats::default();
    check(&times, "2026-01-01T01:30:00+02:00", Some("2025-12-31T23:30:00Z"), None);
    check(&times, "2026-01-01 01:30:00.50z", Some("2026-01-01T01:30:00.5Z"), None);
    check(&times, "2026-01-01", None, Some("2026-01-01"));
    check(&times, "2023-02-29", None, None);
    check(&times, "1767225600", None, None);
    check(&times, "0000-01-01T00:00:00+01:00", None, None);
    check(&times, "2016-12-31T23:59:60Z", Some("2016-12-31T23:59:59Z"), None);
}

#[test]
fn the_first_format_that_fits_the_whole_text_wins() {
    let times = formats(&["%d/%m/%Y %H:%M", "%m/%d/%Y", "rfc3339", "unix", "unix_ms"], "UTC");
    check(&times, "05/06/2026 07:08", Some("2026-06-05T07:08:00Z"), Some("2026-06-05"));
    check(&times, "05/06/2026", Some("2026-05-06T00:00:00Z"), Some("2026-05-06"));
    check(&times, "25/06/2026", None, None);
    check(&times, "05/06/2026 07:08 ", None, None);
    check(&times, "05/06/2026 07:08Z", None, None);
    check(&times, "2026-01-01T00:00:00Z", Some("2026-01-01T00:00:00Z"), Some("2026-01-01"));
    check(&times, "1767225600", Some("2026-01-01T00:00:00Z"), Some("2026-01-01"));
    check(&times, "1767225600000", Some("2026-01-01T00:00:00Z"), Some("2026-01-01"));
    check(&times, "2026-01-01", None, None);
    check(&times, "", None, None);
    check(&times, &"0".repeat(TEXT_BYTES + 1), None, None);
    let found = written(|output| times.write_timestamp(b"secret", output));
    assert_eq!(found, Err("text that fits none of the formats"), "and does not show the text");
}

#[test]
fn patterns_read_what_strptime_reads() {
    let check = |pattern: &str, text: &str, timestamp: Option<&str>| {
        let found = written(|output| formats(&[pattern], "+02:00").write_timestamp(text.as_bytes(), output));
        assert_eq!(found.ok().as_deref(), timestamp, "{text} as {pattern}");
    };
    check("%Y%m%d%H%M%S", "20260102030405", Some("2026-01-02T01:04:05Z"));
    check("%d %B %Y, %I:%M %p", "2 january 2026, 03:04 PM", Some("2026-01-02T13:04:00Z"));
    check("%a %d %b %y", "Fri 02 Jan 26", Some("2026-01-01T22:00:00Z"));
    check("%a %d %b %y", "Mon 02 Jan 26", None);
    check("%Y-%j", "2026-002", Some("2026-01-01T22:00:00Z"));
    check("%G-W%V-%u", "2026-W01-5", Some("2026-01-01T22:00:00Z"));
    check("%Y-%m-%dT%H:%M:%S%.f", "2026-01-02T03:04:05.250", Some("2026-01-02T01:04:05.25Z"));
    check("%Y-%m-%dT%H:%M:%S%.f", "2026-01-02T03:04:05", Some("2026-01-02T01:04:05Z"));
    check("%Y-%m-%d %H:%M %z", "2026-01-02 03:04 -0500", Some("2026-01-02T08:04:00Z"));
    check("%Y-%m-%d %H:%M %:z", "2026-01-02 03:04 -05:30", Some("2026-01-02T08:34:00Z"));
    check("%Y-%m-%d %H:%M %Q", "2026-07-02 03:04 America/New_York", Some("2026-07-02T07:04:00Z"));
    check("%Y-%m-%d %H:%M %Q", "2026-07-02 03:04 Mars/Olympus", None);
    check("%s", "1767225600", Some("2026-01-01T00:00:00Z"));
    check("%F %T", "2026-02-30 00:00:00", None);
    check("%F %T", "-0001-01-01 00:00:00", None);
    check("%F", "0000-01-01", None);
    check("%F %T", "9999-12-31 23:59:59", None);
    check("%d.%m.%Y", "1.2.2026", Some("2026-01-31T22:00:00Z"));
}

#[test]
fn clock_times_at_a_change_of_the_clocks() {
    let berlin = formats(&["%d.%m.%Y %H:%M"], "Europe/Berlin");
    let check = |text: &str, timestamp: &str| {
        let found = written(|output| berlin.write_timestamp(text.as_bytes(), output));
        assert_eq!(found.as_deref(), Ok(timestamp), "{text}");
    };
    check("01.01.2026 12:00", "2026-01-01T11:00:00Z");
    check("01.07.2026 12:00", "2026-07-01T10:00:00Z");
    check("29.03.2026 01:59", "2026-03-29T00:59:00Z");
    // 02:00 to 03:00 does not exist on that day: the text is moved on by the hour that is left out.
    check("29.03.2026 02:30", "2026-03-29T01:30:00Z");
    check("29.03.2026 03:30", "2026-03-29T01:30:00Z");
    // 02:00 to 03:00 comes twice: the first is meant.
    check("25.10.2026 02:30", "2026-10-25T00:30:00Z");
    check("25.10.2026 03:00", "2026-10-25T02:00:00Z");
    // Midnight does not exist on this day of this place.
    let cairo = formats(&["iso_date"], "Africa/Cairo");
    let found = written(|output| cairo.write_timestamp(b"2024-04-26", output));
    assert_eq!(found.as_deref(), Ok("2024-04-25T22:00:00Z"));
}

#[test]
fn the_day_of_an_instant_is_that_of_the_time_zone() {
    let check = |zone: &str, text: &str, date: &str| {
        let times = formats(&["rfc3339", "unix", "%F %H:%M %z", "%F %H:%M"], zone);
        let found = written(|output| times.write_date(text.as_bytes(), output));
        assert_eq!(found.as_deref(), Ok(date), "{text} in {zone}");
    };
    check("UTC", "2025-12-31T23:30:00Z", "2025-12-31");
    check("Europe/Berlin", "2025-12-31T23:30:00Z", "2026-01-01");
    check("-00:30", "2026-01-01T00:00:00Z", "2025-12-31");
    check("europe/berlin", "1767223800", "2026-01-01");
    check("Europe/Berlin", "2025-12-31 18:30 -0500", "2026-01-01");
    check("Europe/Berlin", "2025-12-31 23:30", "2025-12-31");
}

#[test]
fn numbers_are_read_only_by_the_formats_that_count() {
    let number =
        |times: &TimeFormats, text: &str| written(|output| times.write_timestamp_of_number(text.as_bytes(), output));
    let times = formats(&["%Y%m%d", "rfc3339", "unix", "unix_ms"], "Europe/Berlin");
    assert_eq!(number(&times, "20260101").as_deref(), Ok("1970-08-23T11:48:21Z"));
    assert_eq!(number(&times, "1767225600.25").as_deref(), Ok("2026-01-01T00:00:00.25Z"));
    assert_eq!(number(&times, "1.7672256e12").as_deref(), Ok("2026-01-01T00:00:00Z"));
    assert_eq!(number(&times, "1e300"), Err("a number that fits none of the formats"));
    assert_eq!(number(&formats(&["%Y%m%d"], "UTC"), "20260101"), Err("a number that fits none of the formats"));
    assert_eq!(number(&TimeFormats::default(), "1767225600"), Err("a number that fits none of the formats"));
    let day = written(|output| times.write_date_of_number(b"1767223800", output));
    assert_eq!(day.as_deref(), Ok("2026-01-01"));
}

#[test]
fn formats_that_cannot_work_are_refused_with_a_reason() {
    let check = |formats: &[&str], zone: Option<&str>, reason: &str| {
        let message = TimeFormats::parse(formats, zone).unwrap_err();
        assert!(message.contains(reason), "{message} does not say {reason}");
    };
    check(&[""], None, "a format is empty");
    check(&["rfc-3339"], None, "`rfc-3339` is neither one of rfc3339");
    check(&["%Y-%m-%d %K"], None, "`%Y-%m-%d %K` cannot be used");
    check(&["%Y-%m-%d %Z"], None, "cannot be used");
    check(&["%Y-%m-%d %"], None, "cannot be used");
    check(&["%c"], None, "cannot be used");
    check(&["%H:%M"], None, "does not say which day");
    check(&["%Y-%m"], None, "does not say which day");
    check(&["%m/%d %H:%M"], None, "does not say which day");
    check(&["%d.%m.%Y %I:%M"], None, "without %p");
    check(&["%d.%m.%Y :%M"], None, "without the larger ones");
    check(&["%s%.f"], None, "use %s alone");
    check(&["%d.%m.%Y"; 17], None, "17 formats are more than the limit of 16");
    check(&[&format!("%d.%m.%Y{}", " ".repeat(121))], None, "129 bytes is longer than the limit of 128");
    check(&[], Some("Europe/Bärlin"), "the time zone `Europe/Bärlin` is neither");
    check(&[], Some(""), "is neither");
    check(&[], Some("CET-1CEST,M3.5.0,M10.5.0/3"), "is neither");
    check(&[], Some("+24:00"), "not between");
    check(&[], Some("+2:00"), "is neither");
    check(&[], Some("+ab:00"), "is neither");
    check(&[], Some(&"x".repeat(200)), "limit of 128");
    assert!(TimeFormats::parse(&["%d.%m.%Y"; 16], Some("+05:45")).is_ok());
    assert_eq!(TimeFormats::parse(&[], None).unwrap(), TimeFormats::default());
    assert_ne!(formats(&[], "Europe/Berlin"), TimeFormats::default());
    assert_ne!(formats(&["unix"], "UTC"), formats(&["unix_ms"], "UTC"));
}
