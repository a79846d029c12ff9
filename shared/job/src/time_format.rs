//! How dates and points in time are written in the source: time formats and time zones.
//!
//! A time format is a word for a common notation (`rfc3339`, `unix`, …) or a text of strptime directives such as
//! `%d/%m/%Y %H:%M`, by the rules of the crate `jiff`. A text of directives is checked by a trial: a known point in time
//! is written by it and read back. What cannot be read back would refuse every value of a real object, and what comes
//! back as another day or hour would misread it, so the job is refused instead, before it runs.

use std::borrow::Cow;
use std::fmt;
use std::sync::LazyLock;

use jiff::civil::DateTime;
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::TimeZoneDatabase;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer};
use serde::{Serialize, Serializer};

use crate::limits::{MAX_TIME_FORMAT_BYTES, MAX_TIME_ZONE_BYTES};
use crate::model::FieldType;
use crate::names::{deserialize_text, text_newtype};

/// The notation of timestamps that is read when a job names no format.
const RFC_3339: &str = "rfc3339";
/// The notation of dates that is read when a job names no format.
const ISO_DATE: &str = "iso_date";
/// Words for notations of timestamps.
const TIMESTAMP_WORDS: [&str; 3] = [RFC_3339, "unix", "unix_ms"];

/// The name of the time zone that counts when a job names none.
pub(crate) const UTC: &str = "UTC";

/// The time zones that are part of the program, whatever the machine has.
static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// What the trial writes: an afternoon, in which every part has two digits and no two parts are equal.
const SAMPLE: DateTime = DateTime::constant(2001, 11, 22, 13, 14, 15, 123_456_789);

/// One way in which dates or points in time are written.
///
/// `rfc3339`, `unix` (seconds since 1970), `unix_ms` (milliseconds), `iso_date` (`2026-11-22`), or 1 to 128 bytes of
/// text with strptime directives.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeFormat(String);

text_newtype!(TimeFormat, "a time format", {
    "type": "string",
    "minLength": 1,
    "maxLength": 128,
    "description": "`rfc3339`, `unix`, `unix_ms` (timestamps), `iso_date` (dates), or text with strptime directives such as \
                    `%d/%m/%Y %H:%M`."
});

impl TimeFormat {
    fn check(text: &str) -> Result<(), String> {
        if text.is_empty() || text.len() > MAX_TIME_FORMAT_BYTES {
            return Err(format!("a time format of 1 to {MAX_TIME_FORMAT_BYTES} bytes"));
        }
        if text == ISO_DATE || TIMESTAMP_WORDS.contains(&text) {
            return Ok(());
        }
        if !text.contains('%') {
            return Err("rfc3339, unix, unix_ms, iso_date, or directives such as `%d/%m/%Y %H:%M`".to_owned());
        }
        let Some(trial) = read_back(text) else {
            let faulty = directives(text).find(|directive| read_back(directive).is_none());
            return Err(match faulty {
                Some(directive) => format!("a time format of directives that can be read, without `{directive}`"),
                None => "a time format whose directives can be told apart when they are read".to_owned(),
            });
        };
        prove(&trial)
    }

    fn is_word(&self) -> bool {
        self.0 == ISO_DATE || TIMESTAMP_WORDS.contains(&self.0.as_str())
    }

    /// True when values of this type can be written in this format.
    pub(crate) fn fits(&self, field_type: FieldType) -> bool {
        match field_type {
            FieldType::Date if self.is_word() => self.0 == ISO_DATE,
            FieldType::Timestamp if self.is_word() => self.0 != ISO_DATE,
            // Seconds since 1970 are a point in time, and every other text of directives says a day.
            FieldType::Date => read_back(&self.0).is_some_and(|trial| trial.timestamp().is_none()),
            FieldType::Timestamp => true,
            _ => false,
        }
    }

    /// True when the type is read in just this format without being told.
    pub(crate) fn is_default_of(&self, field_type: FieldType) -> bool {
        match field_type {
            FieldType::Date => self.0 == ISO_DATE,
            FieldType::Timestamp => self.0 == RFC_3339,
            _ => false,
        }
    }
}

/// Writes the sample by the format and reads it back; `None` when one of the two cannot be done.
fn read_back(format: &str) -> Option<BrokenDownTime> {
    let sample = ZONES.get("America/New_York").ok()?.to_zoned(SAMPLE).ok()?;
    let text = BrokenDownTime::from(&sample).to_string(format).ok()?;
    BrokenDownTime::parse(format, text).ok()
}

/// Looks at what came back of the sample. The error says what was expected.
fn prove(trial: &BrokenDownTime) -> Result<(), String> {
    if trial.timestamp().is_some() {
        let is_alone = trial.year().is_none() && trial.hour().is_none() && trial.subsec_nanosecond().is_none();
        return if is_alone { Ok(()) } else { Err("a time format with `%s` alone, or without it".to_owned()) };
    }
    let day = trial.to_date().map_err(|_| "a time format that says the day: year, month and day, or `%s`")?;
    if day != SAMPLE.date() {
        return Err("a time format that reads the day which it writes".to_owned());
    }
    let time = trial.to_time().map_err(|_| "a time format that says the hour where it says minutes or seconds")?;
    if trial.hour().is_some() && time.hour() != SAMPLE.hour() {
        return Err("a time format with `%p` beside `%I` or `%l`, to tell morning from afternoon".to_owned());
    }
    let zone_is_known = trial.iana_time_zone().is_none()
        || trial.to_zoned_with(&ZONES).is_ok_and(|zoned| zoned.datetime().date() == day);
    if zone_is_known { Ok(()) } else { Err("a time format whose time zone can be read back".to_owned()) }
}

/// The directives of a format, each from its `%` to its letter.
fn directives(format: &str) -> impl Iterator<Item = &str> {
    let mut rest = format;
    std::iter::from_fn(move || {
        let start = &rest[rest.find('%')?..];
        // Flags, width, colons and precision stand between the percent sign and the letter.
        let is_letter = |(index, letter): &(usize, char)| *index > 0 && !"-_0123456789^#:.".contains(*letter);
        let end = start.char_indices().find(is_letter).map_or(start.len(), |(index, letter)| index + letter.len_utf8());
        let (directive, behind) = start.split_at(end);
        rest = behind;
        Some(directive)
    })
}

/// The name of a time zone of the IANA database, such as `Europe/Berlin`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeZoneName(String);

text_newtype!(TimeZoneName, "the name of a time zone", {
    "type": "string",
    "minLength": 1,
    "maxLength": 64,
    "description": "The name of a time zone of the IANA database, such as `Europe/Berlin` or `UTC`."
});

impl TimeZoneName {
    /// The zone that counts where no other is said.
    pub(crate) fn is_utc(&self) -> bool {
        self.0 == UTC
    }

    fn check(text: &str) -> Result<(), String> {
        if text.len() <= MAX_TIME_ZONE_BYTES && ZONES.get(text).is_ok() {
            return Ok(());
        }
        Err("the name of a time zone of the IANA database, such as `Europe/Berlin` or `UTC`".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a format can be used for: a date, a timestamp.
    fn check(text: &str, date: bool, timestamp: bool) {
        let format = TimeFormat::parse(text).unwrap();
        let found = (format.fits(FieldType::Date), format.fits(FieldType::Timestamp));
        assert_eq!(found, (date, timestamp), "{text}");
        assert!(!format.fits(FieldType::String));
    }

    #[test]
    fn formats_say_what_they_hold() {
        check("rfc3339", false, true);
        check("unix", false, true);
        check("unix_ms", false, true);
        check("%s", false, true);
        check("iso_date", true, false);
        for format in [
            "%d/%m/%Y %H:%M",
            "%d/%m/%Y",
            "%Y-%m-%dT%H:%M:%S%.f%:z",
            "%a, %d %b %Y %H:%M:%S %z",
            "%Y%m%d%H%M%S",
            "%b %e, %y %I:%M %p",
            "%G-W%V-%u",
            "%Y-%j",
            "%F %T %Q",
            "%F %T.%3f",
            "Tag %d.%m.%Y (100 %%)",
        ] {
            check(format, true, true);
        }
    }

    #[test]
    fn unreadable_formats_are_refused() {
        let refused = |text: &str, expected: &str| {
            let error = TimeFormat::parse(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        };
        refused("", "1 to 128 bytes");
        refused(&"%Y".repeat(65), "1 to 128 bytes");
        refused("RFC3339", "rfc3339, unix, unix_ms, iso_date, or directives");
        refused("dd/mm/yyyy", "rfc3339, unix, unix_ms, iso_date, or directives");
        refused("%Y-%m-%d %Z", "without `%Z`");
        refused("%d/%m/%Y %c", "without `%c`");
        refused("%d/%m/%Y %-_5!%H", "without `%-_5!`");
        refused("%Y %", "without `%`");
        refused("%Y %é", "without `%é`");
        refused("%Y%::::z", "without `%::::z`");
        refused("%H:%M", "that says the day");
        refused("%d/%m", "that says the day");
        refused("%%", "that says the day");
        refused("%M %d/%m/%Y", "says the hour");
        refused("%d/%m/%Y %I:%M", "with `%p` beside `%I`");
        refused("%F %s", "`%s` alone");
        let longest = format!("%F{}", "-".repeat(126));
        assert!(TimeFormat::parse(&longest).is_ok(), "{} bytes", longest.len());
    }

    #[test]
    fn time_zones_are_looked_up() {
        for name in ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+5"] {
            assert!(TimeZoneName::parse(name).is_ok(), "{name}");
        }
        for name in ["", "Europe/Atlantis", "+01:00", "CEST", "../etc/passwd", &"x".repeat(65)] {
            assert!(TimeZoneName::parse(name).is_err(), "{name}");
        }
    }
}
