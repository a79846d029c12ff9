//! Names in a job file that are checked when they are built: a value of one of these types is always valid.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};
use serde::{Serialize, Serializer};

use crate::limits::{MAX_FIELD_PATH_BYTES, MAX_PREFIX_BYTES};

/// Gives a text newtype its conversions: `parse`, `as_str`, `Display`, serde (as a string) and its JSON Schema.
///
/// The type must have `fn check(text: &str) -> Result<(), String>`, whose error says what was expected.
macro_rules! text_newtype {
    ($name:ident, $title:literal, $schema:tt) => {
        impl $name {
            /// Checks the text and wraps it. The error says what was expected.
            pub fn parse(text: &str) -> Result<Self, String> {
                Self::check(text)?;
                Ok(Self(text.to_owned()))
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserialize_text(deserializer, $title, Self::parse)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}

/// Deserialises a string through a parser whose error says what was expected.
pub(crate) fn deserialize_text<'de, D, T>(
    deserializer: D,
    title: &'static str,
    parse: fn(&str) -> Result<T, String>,
) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
{
    struct TextVisitor<T> {
        title: &'static str,
        parse: fn(&str) -> Result<T, String>,
    }

    impl<T> Visitor<'_> for TextVisitor<T> {
        type Value = T;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(formatter, "{} (a string)", self.title)
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
            (self.parse)(text).map_err(|expected| E::invalid_value(Unexpected::Str(text), &expected.as_str()))
        }
    }

    deserializer.deserialize_str(TextVisitor { title, parse })
}

pub(crate) use text_newtype;

/// The name of a job: 1 to 64 letters, digits, `-`, `_` or `.`, beginning with a letter or digit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobName(String);

text_newtype!(JobName, "a job name", {
    "type": "string",
    "minLength": 1,
    "maxLength": 64,
    "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]*$",
    "description": "1 to 64 letters, digits, `-`, `_` or `.`, beginning with a letter or digit."
});

impl JobName {
    fn check(text: &str) -> Result<(), String> {
        let begins_well = text.starts_with(|letter: char| letter.is_ascii_alphanumeric());
        let known = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
        if begins_well && text.len() <= 64 && text.chars().all(known) {
            return Ok(());
        }
        Err("1 to 64 letters, digits, `-`, `_` or `.`, beginning with a letter or digit".to_owned())
    }
}

/// The name of a general purpose S3 bucket, by the rules of S3.
///
/// 3 to 63 lower-case letters, digits, `-` and `.`; begins and ends with a letter or digit; no `..`; not written like an
/// IP address; without the beginnings and ends that S3 keeps for itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BucketName(String);

text_newtype!(BucketName, "a bucket name", {
    "type": "string",
    "minLength": 3,
    "maxLength": 63,
    "pattern": "^[a-z0-9][a-z0-9.-]*[a-z0-9]$",
    "description": "The name of a general purpose S3 bucket: 3 to 63 lower-case letters, digits, `-` and `.`, beginning \
                    and ending with a letter or digit."
});

impl BucketName {
    fn check(text: &str) -> Result<(), String> {
        const RESERVED_BEGINNINGS: [&str; 3] = ["xn--", "sthree-", "amzn-s3-demo-"];
        const RESERVED_ENDS: [&str; 5] = ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"];
        let edge = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
        let inner = |letter: char| edge(letter) || letter == '-' || letter == '.';
        if !(3..=63).contains(&text.len()) {
            return Err("a bucket name of 3 to 63 characters".to_owned());
        }
        if !text.chars().all(inner) {
            return Err("a bucket name of lower-case letters, digits, `-` and `.` only".to_owned());
        }
        if !(text.starts_with(edge) && text.ends_with(edge)) {
            return Err("a bucket name that begins and ends with a letter or digit".to_owned());
        }
        if text.contains("..") {
            return Err("a bucket name without `..`".to_owned());
        }
        if text.parse::<std::net::Ipv4Addr>().is_ok() {
            return Err("a bucket name that is not written like an IP address".to_owned());
        }
        if let Some(reserved) = RESERVED_BEGINNINGS.iter().find(|reserved| text.starts_with(**reserved)) {
            return Err(format!("a bucket name that does not begin with `{reserved}`, which S3 keeps for itself"));
        }
        if let Some(reserved) = RESERVED_ENDS.iter().find(|reserved| text.ends_with(**reserved)) {
            return Err(format!("a bucket name that does not end with `{reserved}`, which S3 keeps for itself"));
        }
        Ok(())
    }
}

/// The beginning of object keys: at most 900 bytes, no leading `/`, no segment that is empty, `.` or `..`, no control
/// characters. May be empty. A prefix that ends with `/` means a folder.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix(String);

text_newtype!(Prefix, "a prefix", {
    "type": "string",
    "maxLength": 900,
    "pattern": "^([^/].*)?$",
    "description": "The beginning of object keys: at most 900 bytes, no leading `/`, no segment that is empty, `.` or \
                    `..`, no control characters."
});

impl Prefix {
    fn check(text: &str) -> Result<(), String> {
        if text.len() > MAX_PREFIX_BYTES {
            return Err(format!("a prefix of at most {MAX_PREFIX_BYTES} bytes"));
        }
        if text.chars().any(char::is_control) {
            return Err("a prefix without control characters".to_owned());
        }
        if text.starts_with('/') {
            return Err("a prefix without a leading `/`".to_owned());
        }
        let folders = text.strip_suffix('/').unwrap_or(text);
        for segment in folders.split('/') {
            match segment {
                "." | ".." => return Err(format!("a prefix without a `{segment}` segment")),
                "" if !text.is_empty() => return Err("a prefix without an empty segment (`//`)".to_owned()),
                _ => {}
            }
        }
        Ok(())
    }

    /// True when the prefix is empty or ends with `/`.
    #[must_use]
    pub fn is_folder(&self) -> bool {
        self.0.is_empty() || self.0.ends_with('/')
    }
}

/// The plain name of a field, taken literally: 1 to 1024 bytes, no control characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldName(String);

text_newtype!(FieldName, "a field name", {
    "type": "string",
    "minLength": 1,
    "maxLength": 1024,
    "description": "The plain name of a field, taken literally: 1 to 1024 bytes, no control characters."
});

impl FieldName {
    fn check(text: &str) -> Result<(), String> {
        if text.is_empty() || text.len() > MAX_FIELD_PATH_BYTES || text.chars().any(char::is_control) {
            return Err(format!("a field name of 1 to {MAX_FIELD_PATH_BYTES} bytes without control characters"));
        }
        Ok(())
    }
}

/// A JSON Pointer (RFC 6901): empty for the whole document, or `/`-separated names with `~0` for `~` and `~1` for `/`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JsonPointer(String);

text_newtype!(JsonPointer, "a JSON Pointer", {
    "type": "string",
    "maxLength": 1024,
    "pattern": "^(/([^/~]|~[01])*)*$",
    "description": "A JSON Pointer (RFC 6901) such as `/data/orders`."
});

impl JsonPointer {
    fn check(text: &str) -> Result<(), String> {
        if text.len() > MAX_FIELD_PATH_BYTES {
            return Err(format!("a JSON Pointer of at most {MAX_FIELD_PATH_BYTES} bytes"));
        }
        if !(text.is_empty() || text.starts_with('/')) {
            return Err("a JSON Pointer, which begins with `/`".to_owned());
        }
        pointer_tokens(text).map(drop)
    }

    /// The unescaped reference tokens; none for the whole document.
    #[must_use]
    pub fn tokens(&self) -> Vec<String> {
        pointer_tokens(&self.0).unwrap_or_default()
    }
}

/// Splits a JSON Pointer into its unescaped tokens.
pub(crate) fn pointer_tokens(pointer: &str) -> Result<Vec<String>, String> {
    let unescape = |token: &str| {
        let escapes_are_known = token.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
        if escapes_are_known {
            Ok(token.replace("~1", "/").replace("~0", "~"))
        } else {
            Err("a JSON Pointer in which `~` is followed by `0` or `1`".to_owned())
        }
    };
    pointer.split('/').skip(1).map(unescape).collect()
}

/// One printable ASCII character or a tab, as CSV delimiters, quotes and comment marks are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AsciiCharacter(u8);

impl AsciiCharacter {
    /// Checks that the text is exactly one printable ASCII character or a tab. The error says what was expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.as_bytes() {
            [byte] if *byte == b'\t' || byte.is_ascii_graphic() || *byte == b' ' => Ok(Self(*byte)),
            _ => Err("exactly one printable ASCII character or a tab (\"\\t\")".to_owned()),
        }
    }

    pub(crate) const fn from_byte(byte: u8) -> Self {
        Self(byte)
    }

    /// The character as a byte.
    #[must_use]
    pub const fn byte(self) -> u8 {
        self.0
    }
}

impl Serialize for AsciiCharacter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_char(char::from(self.0))
    }
}

impl<'de> Deserialize<'de> for AsciiCharacter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize_text(deserializer, "one ASCII character", Self::parse)
    }
}

impl JsonSchema for AsciiCharacter {
    fn schema_name() -> Cow<'static, str> {
        "AsciiCharacter".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[\\t -~]$",
            "description": "One printable ASCII character or a tab."
        })
    }
}
