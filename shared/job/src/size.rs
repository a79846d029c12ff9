//! Sizes in bytes: a whole number, or a number with a unit.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};
use serde::{Serialize, Serializer};

/// What a size may look like.
const EXPECTED: &str = "a size such as 8388608, \"8MiB\" or \"10MB\" (units B, KB, MB, GB, TB, KiB, MiB, GiB, TiB)";

/// Unit names and their size in bytes, largest first so that [`fmt::Display`] finds the shortest exact form.
const UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("KB", 1_000),
    ("B", 1),
];

/// A number of bytes. Read from an integer or from text such as `8MiB`, `64 KiB` or `10MB`; written as an integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(u64);

impl ByteSize {
    /// This many bytes.
    #[must_use]
    pub const fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// The number of bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// Reads a whole number with an optional unit. The error says what was expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        let digits_end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
        let (digits, unit) = text.split_at(digits_end);
        let unit = unit.strip_prefix(' ').unwrap_or(unit);
        let number: u64 = digits.parse().map_err(|_| EXPECTED.to_owned())?;
        let factor = match unit {
            "" => 1,
            _ => UNITS.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor).ok_or(EXPECTED)?,
        };
        number.checked_mul(factor).map(Self).ok_or_else(|| "a size that fits into 64 bits".to_owned())
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = |(_, factor): &&(&str, u64)| self.0 >= *factor && self.0.is_multiple_of(*factor);
        match UNITS.iter().filter(|(name, _)| name.contains('i')).find(exact) {
            Some((name, factor)) => write!(formatter, "{} {name}", self.0 / factor),
            None => write!(formatter, "{} bytes", self.0),
        }
    }
}

impl Serialize for ByteSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0)
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SizeVisitor;

        impl Visitor<'_> for SizeVisitor {
            type Value = ByteSize;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(EXPECTED)
            }

            fn visit_u64<E: Error>(self, bytes: u64) -> Result<ByteSize, E> {
                Ok(ByteSize(bytes))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<ByteSize, E> {
                ByteSize::parse(text).map_err(|expected| E::invalid_value(Unexpected::Str(text), &expected.as_str()))
            }
        }

        deserializer.deserialize_any(SizeVisitor)
    }
}

impl JsonSchema for ByteSize {
    fn schema_name() -> Cow<'static, str> {
        "ByteSize".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A number of bytes, as an integer or as text with a unit, for instance `8MiB` or `10MB`.",
            "oneOf": [
                {"type": "integer", "minimum": 0},
                {"type": "string", "pattern": "^[0-9]+ ?(B|KB|MB|GB|TB|KiB|MiB|GiB|TiB)?$"}
            ]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<u64>) {
        assert_eq!(ByteSize::parse(text).ok().map(ByteSize::bytes), expected, "{text:?}");
    }

    #[test]
    fn sizes_are_read() {
        check("0", Some(0));
        check("8388608", Some(8_388_608));
        check("8MiB", Some(8 << 20));
        check("64 KiB", Some(64 << 10));
        check("50GiB", Some(50 << 30));
        check("10MB", Some(10_000_000));
        check("1TB", Some(1_000_000_000_000));
        check("7B", Some(7));
        for text in
            ["", "MiB", "-1", "1.5GiB", "8mib", "8 MiB ", "8  MiB", "1e3", "99999999999999999999", "17000000TiB"]
        {
            check(text, None);
        }
    }

    #[test]
    fn sizes_are_shown_in_the_largest_exact_unit() {
        for (bytes, shown) in
            [(8 << 20, "8 MiB"), (1 << 40, "1 TiB"), (1000, "1000 bytes"), (1536, "1536 bytes"), (0, "0 bytes")]
        {
            assert_eq!(ByteSize::from_bytes(bytes).to_string(), shown);
        }
    }
}
