//! One format: a word, or a pattern in the manner of `strptime`.
//!
//! A pattern is proved when it is compiled: a known moment is written with it and read back. What cannot be read back,
//! or comes back as another day or hour, would misread the data and is refused.

use super::{FORMAT_BYTES, ZONES, rfc3339, unix};
use crate::types::decimal::Decimal;
use crate::types::number::NumberShape;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::strtime::BrokenDownTime;

/// What a text names.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Moment {
    /// An instant: the text has an offset or a zone, or counts from 1970.
    Instant(Timestamp),
    /// Clock and calendar of a place.
    Local(DateTime),
}

/// One way to write a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TimeFormat {
    Rfc3339,
    IsoDate,
    Unix,
    UnixMilliseconds,
    Pattern(Box<str>),
}

impl TimeFormat {
    pub(super) fn parse(format: &str) -> Result<Self, String> {
        match format {
            "rfc3339" => Ok(Self::Rfc3339),
            "iso_date" => Ok(Self::IsoDate),
            "unix" => Ok(Self::Unix),
            "unix_ms" => Ok(Self::UnixMilliseconds),
            "" => Err("a format is empty".to_owned()),
            _ if format.len() > FORMAT_BYTES => {
                Err(format!("a format of {} bytes is longer than the limit of {FORMAT_BYTES}", format.len()))
            }
            _ if !format.contains('%') => Err(format!(
                "the format `{format}` is neither one of rfc3339, iso_date, unix and unix_ms nor a pattern with directives like %Y"
            )),
            _ => prove(format)
                .map(|()| Self::Pattern(format.into()))
                .map_err(|reason| format!("the format `{}` {reason}", format.escape_debug())),
        }
    }

    /// What a text means in this format; `None` when it does not fit.
    pub(super) fn read(&self, text: &[u8]) -> Option<Moment> {
        match self {
            Self::Rfc3339 => rfc3339::parse(text).map(Moment::Instant),
            Self::IsoDate => rfc3339::parse_date(text).map(|day| Moment::Local(day.into())),
            Self::Unix | Self::UnixMilliseconds => {
                NumberShape::of(text)?;
                self.read_number(Decimal::parse(text)?).map(Moment::Instant)
            }
            Self::Pattern(pattern) => read_pattern(&BrokenDownTime::parse(pattern.as_bytes(), text).ok()?),
        }
    }

    /// What a number means in this format.
    pub(super) fn read_number(&self, number: Decimal<'_>) -> Option<Timestamp> {
        match self {
            Self::Unix => unix::instant(number, unix::SECONDS),
            Self::UnixMilliseconds => unix::instant(number, unix::MILLISECONDS),
            Self::Rfc3339 | Self::IsoDate | Self::Pattern(_) => None,
        }
    }
}

fn read_pattern(time: &BrokenDownTime) -> Option<Moment> {
    if let Some(instant) = time.timestamp() {
        return Some(Moment::Instant(instant));
    }
    if time.iana_time_zone().is_some() {
        let zoned = time.to_zoned_with(&ZONES).ok()?;
        return Some(Moment::Instant(zoned.timestamp()));
    }
    if time.offset().is_some() {
        return time.to_timestamp().ok().map(Moment::Instant);
    }
    time.to_datetime().ok().map(Moment::Local)
}

/// Writes an afternoon with the pattern and reads it back; says what is wrong with the pattern.
fn prove(pattern: &str) -> Result<(), String> {
    let unusable = |error: jiff::Error| format!("cannot be used: {error}");
    let local = DateTime::constant(2001, 11, 22, 13, 14, 15, 123_456_789);
    let zone = ZONES.get("America/New_York").map_err(unusable)?;
    let sample = zone.to_zoned(local).map_err(unusable)?;
    let written = BrokenDownTime::from(&sample).to_string(pattern).map_err(unusable)?;
    let time = BrokenDownTime::parse(pattern, &written).map_err(unusable)?;
    if time.timestamp().is_some() {
        let is_alone = time.year().is_none() && time.hour().is_none() && time.subsec_nanosecond().is_none();
        return if is_alone {
            Ok(())
        } else {
            Err("has %s beside other directives: use %s alone or the word unix".into())
        };
    }
    let day = time.to_date().map_err(|_| "does not say which day it is: it needs a year, a month and a day, or %s")?;
    if day != local.date() {
        return Err("is ambiguous: another day is read than was written".into());
    }
    let clock = time.to_time().map_err(|_| "has a part of the time of day without the larger ones")?;
    if time.hour().is_some() && clock.hour() != local.hour() {
        return Err("has %I or %l without %p: morning and afternoon cannot be told apart".into());
    }
    match read_pattern(&time) {
        Some(_) => Ok(()),
        None => Err("names no moment that can be read back".into()),
    }
}
