//! Dates and points in time: the ways in which a source may write them.
//!
//! Without formats a timestamp is RFC 3339 with an offset and a date is `YYYY-MM-DD`. With formats, they are tried in
//! order and the first that fits the whole text wins. A format is a pattern in the manner of `strptime`, or a word:
//!
//! | format | reads |
//! |---|---|
//! | `rfc3339` | `2026-01-01T01:00:00+01:00` |
//! | `iso_date` | `2026-01-01` |
//! | `unix`, `unix_ms` | seconds or milliseconds since 1970, as text or as a JSON number, with a fraction if need be |
//! | `%d/%m/%Y %H:%M` and the like | what the pattern says |
//!
//! Some texts name an instant: they have an offset, a zone, or count from 1970. The others are clock and calendar of a
//! place, the time zone of the rule. A clock time that a change to summer time leaves out is moved on by the length of
//! the gap (02:30 becomes 03:30); one that comes twice is the first of the two. A text without a time of day means
//! midnight. The day of an instant is its day in the time zone of the rule.
//!
//! Leap seconds are read as the second before. Years are 0 to 9999, as RFC 3339 writes no others.

mod format;
mod rfc3339;
mod unix;

use super::cast::CastError;
use super::decimal::Decimal;
use format::{Moment, TimeFormat};
use jiff::civil::Date;
use jiff::fmt::temporal::DateTimePrinter;
use jiff::tz::{Offset, TimeZone, TimeZoneDatabase};
use std::io::Write;
use std::sync::{Arc, LazyLock};

/// Most formats of one rule.
const FORMATS: usize = 16;

/// Longest format in bytes, and longest name of a time zone.
const FORMAT_BYTES: usize = 128;

/// Longest text that is tried as a time. No format can make sense of more.
const TEXT_BYTES: usize = 256;

/// The time zones that are part of the program, whatever the machine has.
static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

const PRINTER: DateTimePrinter = DateTimePrinter::new();

const NOT_RFC_3339: CastError = CastError("text that is not a point in time with an offset as RFC 3339 has it");
const NOT_A_DAY: CastError = CastError("text that is not a day of the calendar written YYYY-MM-DD");
const FITS_NO_FORMAT: CastError = CastError("text that fits none of the formats");
const NUMBER_FITS_NO_FORMAT: CastError = CastError("a number that fits none of the formats");

/// How dates and timestamps are written in a source. The default is RFC 3339 and `YYYY-MM-DD`, in UTC.
#[derive(Debug, Clone, PartialEq)]
pub struct TimeFormats {
    formats: Arc<[TimeFormat]>,
    zone: TimeZone,
}

impl Default for TimeFormats {
    fn default() -> Self {
        Self { formats: Arc::new([]), zone: TimeZone::UTC }
    }
}

impl TimeFormats {
    /// Compiles formats, tried in this order: the words `rfc3339`, `iso_date`, `unix`, `unix_ms`, or patterns in the
    /// manner of `strptime`. None means RFC 3339 for timestamps and `YYYY-MM-DD` for dates. `time_zone` is a name of the
    /// IANA database, which is part of the program, or a fixed offset like `+02:00`; without one it is UTC.
    ///
    /// # Errors
    /// A message: an unknown directive, a pattern that does not say which day it is, an unknown time zone, more than 16
    /// formats, or one that is empty or longer than 128 bytes.
    pub fn parse(formats: &[&str], time_zone: Option<&str>) -> Result<Self, String> {
        if formats.len() > FORMATS {
            return Err(format!("{} formats are more than the limit of {FORMATS}", formats.len()));
        }
        let zone = time_zone.map_or(Ok(TimeZone::UTC), parse_zone)?;
        let formats = formats.iter().map(|format| TimeFormat::parse(format)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { formats: formats.into(), zone })
    }

    /// Writes a text that names a point in time as RFC 3339 in UTC.
    #[inline]
    pub(crate) fn write_timestamp(&self, text: &[u8], output: &mut Vec<u8>) -> Result<(), CastError> {
        if !self.formats.is_empty() {
            let moment = self.read(text).ok_or(FITS_NO_FORMAT)?;
            return self.write_instant(moment, output);
        }
        if rfc3339::is_canonical(text) {
            write_plain_string(text, output);
            return Ok(());
        }
        let instant = rfc3339::parse(text).ok_or(NOT_RFC_3339)?;
        self.write_instant(Moment::Instant(instant), output)
    }

    /// Writes a text that names a day as `YYYY-MM-DD`.
    #[inline]
    pub(crate) fn write_date(&self, text: &[u8], output: &mut Vec<u8>) -> Result<(), CastError> {
        if !self.formats.is_empty() {
            let moment = self.read(text).ok_or(FITS_NO_FORMAT)?;
            return self.write_day(moment, output);
        }
        if !rfc3339::is_date(text) {
            return Err(NOT_A_DAY);
        }
        write_plain_string(text, output);
        Ok(())
    }

    /// Writes a JSON number that names a point in time, which only `unix` and `unix_ms` read.
    pub(crate) fn write_timestamp_of_number(&self, text: &[u8], output: &mut Vec<u8>) -> Result<(), CastError> {
        let moment = self.read_number(text)?;
        self.write_instant(moment, output)
    }

    /// Writes the day of a JSON number that names a point in time.
    pub(crate) fn write_date_of_number(&self, text: &[u8], output: &mut Vec<u8>) -> Result<(), CastError> {
        let moment = self.read_number(text)?;
        self.write_day(moment, output)
    }

    /// Like [`TimeFormats::write_timestamp`], for conversions: without formats a day is its midnight.
    pub(crate) fn convert_to_timestamp(&self, text: &[u8], output: &mut Vec<u8>) -> Result<(), CastError> {
        match rfc3339::parse_date(text).filter(|_| self.formats.is_empty()) {
            Some(day) => self.write_instant(Moment::Local(day.into()), output),
            None => self.write_timestamp(text, output),
        }
    }

    /// Like [`TimeFormats::write_date`], for conversions: without formats a point in time is its day.
    pub(crate) fn convert_to_date(&self, text: &[u8], output: &mut Vec<u8>) -> Result<(), CastError> {
        match rfc3339::parse(text).filter(|_| self.formats.is_empty()) {
            Some(instant) => self.write_day(Moment::Instant(instant), output),
            None => self.write_date(text, output),
        }
    }

    /// Like [`TimeFormats::write_timestamp_of_number`], for conversions: without formats a number counts seconds.
    pub(crate) fn convert_number_to_timestamp(&self, text: &[u8], output: &mut Vec<u8>) -> Result<(), CastError> {
        if !self.formats.is_empty() {
            return self.write_timestamp_of_number(text, output);
        }
        let instant = Decimal::parse(text).and_then(|number| unix::instant(number, unix::SECONDS));
        let instant =
            instant.ok_or(CastError("a number of seconds that is no point in time of the years 0 to 9999"))?;
        self.write_instant(Moment::Instant(instant), output)
    }

    /// True when no formats were given.
    pub(crate) fn is_default(&self) -> bool {
        self.formats.is_empty()
    }

    fn read(&self, text: &[u8]) -> Option<Moment> {
        if text.len() > TEXT_BYTES {
            return None;
        }
        self.formats.iter().find_map(|format| format.read(text))
    }

    fn read_number(&self, text: &[u8]) -> Result<Moment, CastError> {
        let number = Decimal::parse(text).ok_or(NUMBER_FITS_NO_FORMAT)?;
        let instant = self.formats.iter().find_map(|format| format.read_number(number));
        instant.map(Moment::Instant).ok_or(NUMBER_FITS_NO_FORMAT)
    }

    fn write_instant(&self, moment: Moment, output: &mut Vec<u8>) -> Result<(), CastError> {
        const OUT_OF_RANGE: CastError = CastError("a point in time outside of the years 0 to 9999");
        let instant = match moment {
            Moment::Instant(instant) => instant,
            Moment::Local(local) => self.zone.to_timestamp(local).map_err(|_| OUT_OF_RANGE)?,
        };
        if instant < unix::YEAR_0 {
            return Err(OUT_OF_RANGE);
        }
        let start = output.len();
        output.push(b'"');
        if PRINTER.print_timestamp(&instant, &mut *output).is_err() {
            output.truncate(start);
            return Err(OUT_OF_RANGE);
        }
        output.push(b'"');
        Ok(())
    }

    fn write_day(&self, moment: Moment, output: &mut Vec<u8>) -> Result<(), CastError> {
        let day = match moment {
            Moment::Instant(instant) => self.zone.to_datetime(instant).date(),
            Moment::Local(local) => local.date(),
        };
        write_date(day, output)
    }
}

fn write_date(day: Date, output: &mut Vec<u8>) -> Result<(), CastError> {
    let start = output.len();
    let (year, month, day) = (day.year(), day.month(), day.day());
    if year < 0 || write!(output, "\"{year:04}-{month:02}-{day:02}\"").is_err() {
        output.truncate(start);
        return Err(CastError("a day outside of the years 0 to 9999"));
    }
    Ok(())
}

/// Writes text of which is known that it needs no escapes.
fn write_plain_string(text: &[u8], output: &mut Vec<u8>) {
    output.push(b'"');
    output.extend_from_slice(text);
    output.push(b'"');
}

fn parse_zone(name: &str) -> Result<TimeZone, String> {
    let unknown = || {
        format!(
            "the time zone `{name}` is neither a name of the IANA database, like Europe/Berlin, nor an offset, like +02:00"
        )
    };
    if name.len() > FORMAT_BYTES {
        return Err(format!("a time zone of {} bytes is longer than the limit of {FORMAT_BYTES}", name.len()));
    }
    match name.as_bytes() {
        [sign @ (b'+' | b'-'), hour @ .., b':', ten, one] if hour.len() == 2 => {
            let digits = [hour[0], hour[1], *ten, *one].map(|digit| i32::from(digit.wrapping_sub(b'0')));
            if digits.iter().any(|digit| !(0..10).contains(digit)) {
                return Err(unknown());
            }
            let (hours, minutes) = (digits[0] * 10 + digits[1], digits[2] * 10 + digits[3]);
            if hours > 23 || minutes > 59 {
                return Err(format!("the offset `{name}` is not between -23:59 and +23:59"));
            }
            let seconds = (hours * 60 + minutes) * 60;
            let offset = Offset::from_seconds(if *sign == b'-' { -seconds } else { seconds });
            offset.map(TimeZone::fixed).map_err(|_| unknown())
        }
        _ => ZONES.get(name).map_err(|_| unknown()),
    }
}

#[cfg(test)]
mod tests;
